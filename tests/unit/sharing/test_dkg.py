"""Key generation without a clock: its edges. Schedules and liars are in tests/simulation/test_dkg.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from quorate.encoding import MAX_MESSAGE_BYTES
from quorate.errors import Abort, LimitExceeded, Malformed
from quorate.groups import SECP256K1
from quorate.groups.toy import TOY_GROUP
from quorate.secret import Secret
from quorate.session import Party, Session, roster_digest
from quorate.sharing import avss
from quorate.sharing.avss import Dealt, ReadyCertificate
from quorate.sharing.dkg import DKG, MAX_BATCH, Batch, DkgResult, add_up, chain_code_of, generate
from quorate.sharing.epochs import MAX_EPOCH
from quorate.sharing.quorums import Quorums
from quorate.testing import Simulation, unsafe_identity
from quorate.testing.generations import SIZES, play

FOUR = SIZES[0]


def test_a_committee_of_one_makes_its_key_alone_and_says_nothing() -> None:
    async def run(party: Party) -> DkgResult:
        return await generate(party, quorums=Quorums(1, 0, 0, 0), count=2)

    result = Simulation(DKG, run, 1).run()
    value = result.values["p1"]
    assert value.dealers == ("p1",)
    assert len(value.parts("p1")) == 2
    assert result.happened["deliver"] == 0


def test_nodes_take_the_points_in_the_order_given() -> None:
    order = ("p3", "p1", "p4", "p2")

    async def run(party: Party) -> DkgResult:
        return await generate(party, quorums=FOUR, count=1, nodes=order)

    result = Simulation(DKG, run, 4).run()
    (key,) = result.values["p1"].keys
    assert key.nodes == order
    assert key.point("p3") == 1
    assert {name: len(result.values[name].parts(name)) for name in order} == dict.fromkeys(order, 1)


@pytest.mark.parametrize("nodes", [("p1", "p2", "p3"), ("p1", "p2", "p3", "p5"), ("p1", "p1", "p2", "p3")])
def test_the_nodes_are_exactly_the_parties(nodes: tuple[str, ...]) -> None:
    async def run(party: Party) -> DkgResult:
        return await generate(party, quorums=FOUR, count=1, nodes=nodes)

    errors = Simulation(DKG, run, 4).run().errors
    assert {type(error) for error in errors.values()} == {Malformed}


@pytest.mark.parametrize("count", [0, MAX_BATCH + 1])
def test_a_batch_has_one_key_at_least_and_as_many_as_a_sharing_at_most(count: int) -> None:
    async def run(party: Party) -> DkgResult:
        return await generate(party, quorums=FOUR, count=count)

    errors = Simulation(DKG, run, 4).run().errors
    assert {type(error) for error in errors.values()} == {Malformed}


def test_parts_are_keys_as_nodes_keep_them() -> None:
    played = play(2, FOUR, count=2, lying=False)
    value = played.result.values["p1"]
    parts = value.parts("p1")
    assert [part.key_id for part in parts] == list(value.keys.key_ids)
    assert parts[0].chain_code == chain_code_of(parts[0].key_id)
    assert len({part.chain_code for part in parts}) == 2
    with pytest.raises(Malformed):
        value.parts("p2")


def lone(me: str = "p1", session: bytes = bytes(32), path: str = "") -> Party:
    return cast(Party, SimpleNamespace(group=TOY_GROUP, session_id=session, path=path, me=me))


def dealing(line: list[int], x: int, digest: bytes = bytes(32)) -> Dealt:
    """One secret on a polynomial with these coefficients, as the node at x has it."""
    group = TOY_GROUP
    share = sum(coefficient * x**power for power, coefficient in enumerate(line)) % group.order
    columns = tuple([group.generator.multiply(group.scalar(coefficient))] for coefficient in line)
    return Dealt("p1", digest, Secret((share,)), columns, (), ReadyCertificate(digest, ()))


@pytest.mark.parametrize("degree", [0, 1, 3])
def test_sums_are_turned_and_keep_the_key(degree: int) -> None:
    lines = [[5 + power for power in range(degree + 1)], [9] * (degree + 1)]
    keys, shares = add_up(lone("p2"), ("p1", "p2", "p3", "p4"), [dealing(line, 2) for line in lines])
    key = next(iter(keys))
    assert key.public_key == TOY_GROUP.generator.multiply(TOY_GROUP.scalar(14))
    assert key.public_share("p2") == TOY_GROUP.generator.multiply(TOY_GROUP.scalar(shares.reveal()[0]))
    plain = sum(sum(c * 2**power for power, c in enumerate(line)) for line in lines)
    assert (shares.reveal()[0] == plain) == (degree == 0)


def test_the_slope_depends_on_every_dealing_and_on_the_session() -> None:
    def turned(first: bytes, second: bytes, **party: Any) -> int:
        dealt = [dealing([5, 6], 1, first), dealing([7, 8], 1, second)]
        return add_up(lone(**party), ("p1", "p2"), dealt)[1].reveal()[0]

    a, b, c = (bytes([number]) * 32 for number in (1, 2, 3))
    found = [turned(a, b), turned(a, c), turned(c, b), turned(a, b, session=b), turned(a, b, path="x")]
    assert len(set(found)) == 5
    assert found[0] == turned(a, b)


@pytest.mark.parametrize("zero", range(1, 8))
def test_a_dealer_that_deals_last_makes_no_share_zero(zero: int) -> None:
    """It knows its share of all others' values, and chooses its dealing so that their sum is zero there."""
    names = tuple(f"p{number}" for number in range(1, 8))
    first = [5, 6, 7]
    last = [-sum((first[power] + 11) * zero**power for power in (1, 2)) - first[0], 11, 11]
    dealt = [dealing(line, zero) for line in (first, last)]
    assert sum(d.shares.reveal()[0] for d in dealt) % TOY_GROUP.order == 0
    keys, shares = add_up(lone(f"p{zero}"), names, dealt)
    assert all(shares.reveal())
    assert not any(key.public_share(name).is_identity for key in keys for name in names)


def test_a_sum_of_zero_is_no_key() -> None:
    """Nobody can steer it here, and it has no encoding."""
    for first, second in (([5, 6], [-5, 6]), ([5], [-5])):
        with pytest.raises(Abort, match="zero"):
            add_up(lone(), ("p1", "p2"), [dealing(first, 1), dealing(second, 1)])


def test_a_share_of_zero_is_no_share() -> None:
    false = Dealt(
        "p1", bytes(32), Secret((0,)), ([TOY_GROUP.generator],), (), ReadyCertificate(bytes(32), ())
    )
    with pytest.raises(Abort, match="zero"):
        add_up(lone(), ("p1", "p2"), [false])


def test_a_key_is_named_by_its_session_its_place_and_its_commitment() -> None:
    one, two = TOY_GROUP.generator, TOY_GROUP.generator + TOY_GROUP.generator

    def named(session: bytes, path: str, constants: list[Any]) -> tuple[bytes, ...]:
        party = lone(session=session, path=path)
        # of degree 0: a slope would make other keys of other sessions by itself
        shares = Secret((5,) * len(constants))
        dealt = Dealt("p1", bytes(32), shares, (constants,), (), ReadyCertificate(bytes(32), ()))
        return add_up(party, ("p1", "p2"), [dealt])[0].key_ids

    twice = named(bytes(32), "", [one, one])
    assert len(set(twice)) == 2
    assert named(bytes(32), "", [one]) == twice[:1]
    for other in (named(b"1" * 32, "", [one]), named(bytes(32), "fork", [one]), named(bytes(32), "", [two])):
        assert other != twice[:1]


# --- what all derive alike ----------------------------------------------------------------------------


def batch(**changed: Any) -> Batch:
    fields = {
        "network": "net",
        "epoch": 3,
        "committee": bytes(32),
        "curve": "secp256k1",
        "number": 7,
        "count": 9,
    }
    return Batch(**{**fields, **changed})


ROSTER = {name: unsafe_identity(name).public for name in ("n1", "n2", "n3", "n4")}


def test_every_node_derives_the_same_session() -> None:
    backwards = dict(reversed(ROSTER.items()))
    assert batch().spec(ROSTER, FOUR).id == batch().spec(backwards, FOUR).id
    spec = batch().spec(ROSTER, FOUR)
    assert spec.parties == ("n1", "n2", "n3", "n4")
    assert spec.roster == roster_digest(ROSTER)
    assert spec.epoch >> 16 == 3


def test_another_batch_is_another_session() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"network": "other"},
        {"epoch": 4},
        {"committee": b"1" * 32},
        {"curve": "ed25519"},
        {"number": 8},
        {"count": 10},
    ]
    specs = [batch(**change).spec(ROSTER, FOUR) for change in changes]
    assert len({spec.id for spec in specs}) == len(changes)
    assert len({nonce for spec in specs for nonce in spec.nonces}) == 4 * len(changes)


def test_an_epoch_beyond_the_last_has_no_session() -> None:
    with pytest.raises(LimitExceeded):
        batch(epoch=MAX_EPOCH + 1).spec(ROSTER, FOUR)


def test_a_derived_session_can_be_opened() -> None:
    spec = batch().spec(ROSTER, FOUR)

    async def run(party: Party) -> DkgResult:
        return await generate(party, quorums=FOUR, count=9)

    session = Session(
        spec, "n1", unsafe_identity("n1"), ROSTER, DKG, SECP256K1, run, rng=lambda count: b"\x01" * count
    )
    assert len(session.start()) >= 4


def test_a_sender_may_keep_in_a_session_what_the_largest_committee_needs() -> None:
    """One dealing and its rows, two vectors of each of 32 sharings, and every matrix passed on once."""
    dealings = 33 * MAX_MESSAGE_BYTES
    vectors = 2 * 32 * (MAX_BATCH * 32 + 1280)
    assert dealings + vectors <= avss.SENDER_LIMIT
    assert DKG.sender_limit >= avss.SENDER_LIMIT + (8 << 20)
