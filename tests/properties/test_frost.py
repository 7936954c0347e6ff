"""Any quorum of any structure signs, whatever the message, the tweak and the batch."""

from collections.abc import Iterable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.properties.test_sharing import structures
from tests.support.schnorr import Table, suite_named
from tests.support.signing import rng

from quorate.errors import ProofRejected
from quorate.groups import Scalar
from quorate.schemes.schnorr.frost import Nonces, Package
from quorate.schemes.schnorr.suite import Commitment
from quorate.schemes.tweak import Tweak
from quorate.sharing.access import AccessStructure

SUITES = ["ed25519", "frost-ristretto255", "frost-secp256k1"]
quick = settings(max_examples=15, deadline=None)


@quick
@given(structures(), st.data())
def test_any_exact_signer_set_of_any_structure_signs(structure: AccessStructure, data: st.DataObject) -> None:
    available = data.draw(st.sets(st.sampled_from(structure.leaves), min_size=1))
    assume(structure.is_authorised(available))
    signers = tuple(sorted(structure.minimal(available)))
    assume(2 <= len(signers) <= 6)
    key = Table(str(structure), signers, data.draw(st.sampled_from(SUITES)))
    tweak = Tweak(key.group.scalar(data.draw(st.integers(0, 2**256))))
    combiner = data.draw(st.sampled_from(signers))
    message = data.draw(st.binary(max_size=40))
    result = key.signing(combiner, message=message, tweak=tweak)
    result.assert_sound()
    assert [name for name in signers if result.values[name]] == [combiner]
    key.suite.verify(tweak.child(key.public_key), message, result.values[combiner])


@quick
@given(
    name=st.sampled_from([*SUITES, "frost-p256"]),
    parts=st.lists(st.integers(1, 2**200), min_size=1, max_size=5),
    tweak=st.integers(0, 2**200),
    message=st.binary(max_size=100),
)
def test_a_signature_is_that_of_the_sum_of_parts_and_tweak(
    name: str, parts: list[int], tweak: int, message: bytes
) -> None:
    suite = suite_named(name)
    group = suite.group
    secrets = [group.scalar(part) for part in parts]
    key = group.generator.multiply(total(group.scalar(0), secrets))
    drawn = [Nonces.draw(suite, secret, rng("frost", index)) for index, secret in enumerate(secrets)]
    rows: list[Commitment] = [nonces.commit(place) for place, nonces in enumerate(drawn, start=1)]
    moved = Tweak(group.scalar(tweak))
    package = Package.of(suite, key, moved, message, rows)
    shares = {
        place: package.share(place, nonces, secret)
        for place, (nonces, secret) in enumerate(zip(drawn, secrets, strict=True), start=1)
    }
    for place, secret in enumerate(secrets, start=1):
        package.check(place, group.generator.multiply(secret), shares[place])
    signature = package.aggregate(shares)
    suite.verify(moved.child(key), message, signature)
    shares[1] = shares[1] + group.scalar(1)
    with pytest.raises(ProofRejected):
        suite.verify(moved.child(key), message, package.aggregate(shares))


def total(zero: Scalar, values: Iterable[Scalar]) -> Scalar:
    for value in values:
        zero = zero + value
    return zero
