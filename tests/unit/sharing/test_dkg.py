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


def test_a_sum_of_zero_is_no_key() -> None:
    one, two = TOY_GROUP.generator, TOY_GROUP.generator + TOY_GROUP.generator
    party = cast(Party, SimpleNamespace(group=TOY_GROUP, session_id=bytes(32), path="", me="p1"))

    def dealt(constant: Any, share: int) -> Dealt:
        columns = ([constant], [two])
        return Dealt("p1", bytes(32), Secret((share,)), columns, (), ReadyCertificate(bytes(32), ()))

    keys, shares = add_up(party, ("p1", "p2"), [dealt(one, 5), dealt(one, 7)])
    assert keys.columns[0][0] == two
    assert shares.reveal() == (12,)
    for first, second in ((dealt(one, 5), dealt(-one, 7)), (dealt(one, 5), dealt(one, TOY_GROUP.order - 5))):
        with pytest.raises(Abort, match="zero"):
            add_up(party, ("p1", "p2"), [first, second])


@pytest.mark.parametrize("nodes", [4, 7])
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_a_key_of_which_a_public_share_is_zero_is_left_out_by_all(nodes: int, degree: int) -> None:
    """Who deals last knows its shares of the others' values, and can choose its own to make the sum zero."""
    group, names = TOY_GROUP, tuple(f"p{number}" for number in range(1, nodes + 1))
    party = cast(Party, SimpleNamespace(group=group, session_id=bytes(32), path="", me="p1"))
    for zero in range(1, nodes + 1):
        lines = [[5 + l for l in range(degree + 1)] for _ in range(3)]
        lines[1][0] = -sum(lines[1][l] * zero**l for l in range(1, degree + 1))
        columns = tuple(
            [group.generator.multiply(group.scalar(line[l])) for line in lines] for l in range(degree + 1)
        )
        dealt = Dealt("p1", bytes(32), Secret((1, 2, 3)), columns, (), ReadyCertificate(bytes(32), ()))
        keys, shares = add_up(party, names, [dealt])
        assert keys.count == 2
        assert [column[0] for column in keys.columns] == [column[0] for column in columns]
        assert [column[1] for column in keys.columns] == [column[2] for column in columns]
        assert shares.reveal() == (1, 3)
        for key in keys:
            assert not any(key.public_share(name).is_identity for name in names)


def test_a_key_is_named_by_its_session_its_place_and_its_commitment() -> None:
    one, two = TOY_GROUP.generator, TOY_GROUP.generator + TOY_GROUP.generator

    def named(session: bytes, path: str, constants: list[Any]) -> tuple[bytes, ...]:
        party = cast(Party, SimpleNamespace(group=TOY_GROUP, session_id=session, path=path, me="p1"))
        columns, shares = (constants, [two] * len(constants)), Secret((5,) * len(constants))
        dealt = Dealt("p1", bytes(32), shares, columns, (), ReadyCertificate(bytes(32), ()))
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
