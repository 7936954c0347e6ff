"""Key generation between honest nodes: who gets what, for every size, and what may never happen."""

import msgspec
import pytest
from tests.unit.sharing.table import Table, errors

from quorate.entropy import Rng
from quorate.errors import Abort, Malformed, Missing, Remedy
from quorate.groups import SECP256K1, Group
from quorate.groups.toy import TOY_GROUP
from quorate.session import Declaration, Party
from quorate.sharing import keygen
from quorate.sharing.generation import MAX_BATCH, CommitteeKey, GeneratedKey
from quorate.sharing.keyshare import KeyShare
from quorate.sharing.polynomial import Commitment, Polynomial, interpolate

DECLARATION = Declaration("keygen-test", 1, *keygen.rules())
"""The module itself stands behind the seam."""


def generate(
    nodes: int, degree: int, *, count: int = 2, group: Group = TOY_GROUP, seed: int = 1
) -> dict[str, tuple[GeneratedKey, ...]]:
    async def run(party: Party) -> tuple[GeneratedKey, ...]:
        return await keygen.generate(party, degree=degree, count=count, context=b"pool", nodes=names(nodes))

    table = Table(DECLARATION, dict.fromkeys(names(nodes), run), group, seed=seed)
    played = table.play()
    assert not errors(played)
    return played


def names(count: int) -> tuple[str, ...]:
    return tuple(f"n{i}" for i in range(1, count + 1))


@pytest.mark.parametrize(("nodes", "degree"), [(1, 0), (2, 0), (2, 1), (3, 2), (5, 2), (5, 4), (11, 3)])
def test_all_nodes_hold_shares_of_the_same_keys(nodes: int, degree: int) -> None:
    made = generate(nodes, degree)
    assert {len(keys) for keys in made.values()} == {2}
    for index in range(2):
        keys = {name: keys[index] for name, keys in made.items()}
        publics = {key.public for key in keys.values()}
        assert len(publics) == 1
        public = publics.pop()
        assert public.degree == degree
        assert len({key.chain_code for key in keys.values()}) == 1
        shares = {public.point(name): keys[name].share.reveal() for name in names(nodes)}
        # eleven nodes: n10 stands at 10, though it sorts before n2
        assert public.point(f"n{nodes}") == nodes
        for chosen in (names(nodes)[: degree + 1], names(nodes)[-degree - 1 :]):
            secret = interpolate(TOY_GROUP, {public.point(n): shares[public.point(n)] for n in chosen})
            assert TOY_GROUP.generator.multiply(secret) == public.public_key
        if degree:
            short = {x: shares[x] for x in sorted(shares)[:degree]}
            assert TOY_GROUP.generator.multiply(interpolate(TOY_GROUP, short)) != public.public_key
    first, second = made["n1"]
    assert first.key_id != second.key_id
    assert first.public.public_key != second.public.public_key
    assert first.chain_code != second.chain_code


def test_it_works_on_the_product_curve_and_survives_the_vault() -> None:
    made = generate(3, 1, count=1, group=SECP256K1)
    for keys in made.values():
        again = GeneratedKey.from_bytes(keys[0].to_bytes())
        assert again == keys[0]
        share = KeyShare.of_committee(again)
        share.check()
        assert str(share.structure) == "2 of (n1, n2, n3)"
        assert KeyShare.from_bytes(share.to_bytes()) == share


def test_another_session_makes_other_keys() -> None:
    assert generate(2, 1)["n1"][0].key_id != generate(2, 1, seed=2)["n1"][0].key_id


def test_a_silent_node_is_missing_and_nobody_is_blamed() -> None:
    async def run(party: Party) -> tuple[GeneratedKey, ...]:
        return await keygen.generate(party, degree=1, count=1, context=b"")

    table = Table(DECLARATION, dict.fromkeys(names(3), run), TOY_GROUP, silent=frozenset({"n2"}))
    played = table.play()
    for name in ("n1", "n3"):
        assert isinstance(played[name], Missing)
        assert played[name].parties == ("n2",)


@pytest.mark.parametrize(
    ("degree", "count", "nodes"),
    [
        (3, 1, None),
        (-1, 1, None),
        (1, 0, None),
        (1, MAX_BATCH + 1, None),
        (1, 1, ("n1", "n2")),
        (1, 1, ("n1",) * 3),
    ],
)
def test_what_cannot_be_generated_is_refused_before_a_message(
    degree: int, count: int, nodes: tuple[str, ...] | None
) -> None:
    async def run(party: Party) -> tuple[GeneratedKey, ...]:
        return await keygen.generate(party, degree=degree, count=count, context=b"", nodes=nodes)

    table = Table(DECLARATION, dict.fromkeys(names(3), run), TOY_GROUP)
    assert {type(error) for error in errors(table.play()).values()} == {Malformed}
    assert not table.sent


def test_the_largest_batch_fits_its_limits() -> None:
    made = generate(3, 2, count=MAX_BATCH, group=SECP256K1)
    assert len({key.key_id for key in made["n1"]}) == MAX_BATCH


def test_a_share_that_is_not_the_keys_is_not_read() -> None:
    keys = generate(2, 1, group=SECP256K1)["n1"]
    data = bytearray(keys[0].to_bytes())
    data[-40] ^= 1  # inside the share, which stands before the 32-byte chain code
    with pytest.raises(Malformed, match="does not belong"):
        GeneratedKey.from_bytes(bytes(data))
    with pytest.raises(Malformed, match="does not belong"):
        GeneratedKey(keys[0].public, "n1", keys[1].share, keys[0].chain_code)
    with pytest.raises(Malformed, match="32 bytes"):
        GeneratedKey(keys[0].public, "n1", keys[0].share, b"short")


def test_a_committee_key_has_a_possible_shape() -> None:
    commitment = generate(2, 1)["n1"][0].public.commitment
    for key_id, nodes in ((b"", ("n1", "n2")), (bytes(32), ("n1",)), (bytes(32), ("n1", "n1"))):
        with pytest.raises(Malformed):
            CommitteeKey(key_id, nodes, commitment)
    with pytest.raises(Malformed):
        CommitteeKey(bytes(32), (), Commitment(commitment.points[:1]))


def test_a_key_that_comes_out_as_zero_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once in a group order; here two deals are made to cancel."""
    constants = iter([5, -5])
    real = Polynomial.random

    def fixed(group: Group, degree: int, rng: Rng) -> Polynomial:
        return real(group, degree, rng, constant=group.scalar(next(constants)))

    monkeypatch.setattr(keygen.Polynomial, "random", fixed)

    async def run(party: Party) -> tuple[GeneratedKey, ...]:
        return await keygen.generate(party, degree=0, count=1, context=b"")

    found = errors(Table(DECLARATION, dict.fromkeys(names(2), run), TOY_GROUP).play())
    assert {type(error) for error in found.values()} == {Abort}
    assert {error.remedy for error in found.values()} == {Remedy.RETRY}


def test_a_stored_key_belongs_to_one_of_its_nodes() -> None:
    fields = msgspec.msgpack.decode(generate(2, 1, group=SECP256K1)["n1"][0].to_bytes())
    fields[4] = "n3"
    with pytest.raises(Malformed, match="n3 is none of the key's nodes"):
        GeneratedKey.from_bytes(msgspec.msgpack.encode(fields))
