"""Letting others go first: where it happens, and that it changes nothing."""

import pytest

from quorate.courtesy import breathe, giving_way
from quorate.entropy import SeededRng
from quorate.groups import ED25519, SECP256K1, Group
from quorate.groups.p256 import P256
from quorate.groups.stark import STARK
from quorate.sharing.avss import bivariate, commitments


def test_breathing_waits_only_where_somebody_asked_for_it() -> None:
    waits: list[str] = []
    breathe()
    with giving_way(lambda: waits.append("outer")):
        breathe()
        with pytest.raises(ValueError, match="lost"), giving_way(lambda: waits.append("inner")):
            breathe()
            raise ValueError("lost")
        breathe()
    breathe()
    assert waits == ["outer", "inner", "outer"]


@pytest.mark.parametrize("group", [SECP256K1, ED25519, P256, STARK], ids=lambda group: group.name)
def test_long_computations_breathe_between_their_parts(group: Group) -> None:
    count = 50 if group is ED25519 else 300
    columns = bivariate.draw(group, 1, count, SeededRng(bytes(32)))
    weights = [int.from_bytes(SeededRng(bytes(32))(16), "big") + k for k in range(count)]
    calm = commitments.pack(commitments.commit(group, columns))
    block = calm[: count * group.point_length]
    sums = group.read_and_combine(block, count, weights)
    waits: list[None] = []
    with giving_way(lambda: waits.append(None)):
        assert commitments.pack(commitments.commit(group, columns)) == calm
        assert len(waits) == len(columns)
        waits.clear()
        assert group.read_and_combine(block, count, weights) == sums
    assert len(waits) > 3, "a sum of many points in one piece"
