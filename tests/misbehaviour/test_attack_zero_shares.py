"""A node that deals last knows its shares of all other dealings. It must not be able to make its own zero.

A public share of zero is the identity, which has no encoding: the key would fail at every honest node,
wherever its public shares are written down.
"""

from __future__ import annotations

import pytest

from quorate.groups.toy import TOY_GROUP
from quorate.secret import Secret
from quorate.sharing.avss import Dealt, ReadyCertificate
from quorate.sharing.quorums import Quorums
from quorate.sharing.reshare import SharedKeys, Terms, combine

FOUR = Quorums(4, 1, 1, 0)
OLD, NEW = ("a", "b", "c", "d"), ("k", "l", "m", "n")
GROUP = TOY_GROUP
KEY = (41, 17)
"""The old line: the key at 0, shares at 1 to 4."""


def point(value: int) -> object:
    return GROUP.generator.multiply(GROUP.scalar(value))


def dealt(dealer: str, line: tuple[int, int], x: int) -> Dealt:
    columns = tuple([point(value)] for value in line)
    share = (line[0] + line[1] * x) % GROUP.order
    name = dealer.encode().ljust(32, b"-")
    certificate = ReadyCertificate(name, ())
    return Dealt(dealer, name, Secret((share,)), columns, (), certificate)  # type: ignore[arg-type]


@pytest.mark.parametrize("zero", [1, 2, 3, 4])
def test_a_new_share_cannot_be_dealt_to_zero(zero: int) -> None:
    old_columns = tuple((point(value),) for value in KEY)
    old = SharedKeys(GROUP, OLD, (bytes(32),), old_columns)  # type: ignore[arg-type]
    terms = Terms(bytes(32), 1, old, FOUR, NEW, FOUR)
    # over the points 1 and 2 the coefficients are 2 and -1: b deals last, and chooses its slope
    first = (KEY[0] + KEY[1], 1000)
    slope = (2 * first[1] + KEY[0] * pow(zero, -1, GROUP.order)) % GROUP.order
    second = (KEY[0] + 2 * KEY[1], slope)
    assert (2 * (first[0] + first[1] * zero) - (second[0] + second[1] * zero)) % GROUP.order == 0
    results = {}
    for x, me in enumerate(NEW, 1):
        results[me] = combine(terms, me, ("a", "b"), {"a": dealt("a", first, x), "b": dealt("b", second, x)})
    digests = {result.digest for result in results.values()}
    assert len(digests) == 1
    for me, result in results.items():
        assert result.keys is not None
        (key,) = result.keys
        assert key.public_key == point(KEY[0])
        assert not any(key.public_share(node).is_identity for node in NEW)
        assert result.parts(me, {key.key_id: bytes(32)})[0].share.reveal().value
