"""What a sharing may be of, and what its id commits to."""

from __future__ import annotations

import pytest
from tests.support.dealing import FIVE, Circle, names, setting_of
from tests.unit.session.table import Table

from quorate.encoding import MAX_MESSAGE_BYTES, encode
from quorate.errors import Malformed
from quorate.groups import SECP256K1
from quorate.groups.toy import TOY_GROUP
from quorate.session import Party
from quorate.session.envelope import Envelope
from quorate.sharing.avss import DECLARATION, MAX_BATCH, SENDER_LIMIT, Setting, sender_limit
from quorate.sharing.avss.messages import VECTOR_LIMIT, Dealing, Echo, Get, Matrix, Ready, Send, rules
from quorate.sharing.avss.setting import DEALING_LIMIT, MAX_SCALAR_BYTES
from quorate.sharing.quorums import Quorums


def make(count: int = 1, quorums: Quorums = FIVE, group: object = TOY_GROUP, nodes: int = 5) -> Setting:
    return Setting(bytes(32), group, names(nodes), quorums, count)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments",
    [
        {"count": 0},
        {"count": MAX_BATCH + 1},
        {"nodes": 4},
        {"nodes": 6},
        # what no longer fits a message: 28 points of 33 bytes for each secret
        {"count": MAX_BATCH, "quorums": Quorums(13, 7, 2, 1), "nodes": 13, "group": SECP256K1},
    ],
)
def test_what_cannot_be_shared_is_refused_beforehand(arguments: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        make(**arguments)  # type: ignore[arg-type]


def test_the_largest_batch_of_the_usual_committees_fits_its_messages() -> None:
    for quorums in (Quorums(5, 2, 1, 0), Quorums(7, 3, 1, 1), Quorums(9, 4, 2, 0)):
        setting = make(MAX_BATCH, quorums, SECP256K1, quorums.nodes)
        dealing = Dealing(bytes(MAX_BATCH // 8), bytes(setting.matrix_bytes))
        assert len(encode(dealing)) <= DEALING_LIMIT
        envelope = Envelope(bytes(32), "x" * 128, "y" * 64, "z" * 32, "", encode(dealing), bytes(64))
        assert len(encode(Matrix(bytes(32), encode(envelope)))) <= MAX_MESSAGE_BYTES
        assert setting.row_bytes + 64 <= {rule.kind: rule.limit for rule in rules()}[Dealing]


def test_twice_the_same_node_is_refused() -> None:
    with pytest.raises(Malformed):
        Setting(bytes(32), TOY_GROUP, ("n1", "n2", "n3", "n4", "n4"), FIVE, 1)


def test_the_id_commits_to_all_that_is_agreed() -> None:
    table = Table(DECLARATION, names(7))
    nodes = names(5)
    found = {
        setting_of(table, dealer, order, quorums, count).session
        for dealer, order, quorums, count in [
            ("n1", nodes, FIVE, 2),
            ("n2", nodes, FIVE, 2),
            ("n1", nodes[::-1], FIVE, 2),
            ("n1", nodes, Quorums(5, 1, 1, 0), 2),
            ("n1", nodes, Quorums(5, 2, 0, 1), 2),
            ("n1", nodes, FIVE, 3),
        ]
    }
    assert len(found) == 6


def test_the_id_of_a_seat_is_the_one_that_strangers_compute() -> None:
    circle = Circle(honest=[])
    made: list[Setting] = []

    async def run(party: Party) -> None:
        made.append(Setting.of(party, "n1", nodes=circle.nodes, quorums=FIVE, count=2))

    circle.table.seat("n2", run).start()
    assert made == [circle.setting]


def test_three_thresholds_are_kept_apart() -> None:
    setting = make(1, Quorums(7, 4, 1, 0), nodes=7)
    assert (setting.echo, setting.amplify, setting.ready, setting.asked) == (5, 5, 6, 2)
    # where d is large, d+1 echoes are needed to have a row at all
    wide = make(1, Quorums(6, 3, 1, 0), nodes=6)
    assert (wide.quorums.echo, wide.echo) == (4, 4)
    one = make(1, Quorums(9, 8, 0, 0), nodes=9)
    assert (one.quorums.echo, one.echo) == (5, 9)


def test_a_group_of_longer_scalars_is_refused() -> None:
    class Wide(type(TOY_GROUP)):  # type: ignore[misc]
        scalar_length = MAX_SCALAR_BYTES + 1

    with pytest.raises(Malformed):
        make(1, group=Wide())
    Wide.scalar_length = MAX_SCALAR_BYTES
    make(1, group=Wide())


def test_the_largest_vectors_fit_their_messages() -> None:
    limits = {rule.kind: rule.limit for rule in rules()}
    values = bytes(MAX_BATCH * MAX_SCALAR_BYTES)
    assert len(encode(Echo(bytes(32), values))) <= limits[Echo] == VECTOR_LIMIT
    assert len(encode(Ready(bytes(32), values, bytes(64)))) <= limits[Ready] == VECTOR_LIMIT
    assert len(encode(Get(bytes(32)))) <= limits[Get]
    for quorums in (Quorums(5, 2, 1, 0), Quorums(9, 4, 2, 0)):
        setting = make(MAX_BATCH, quorums, SECP256K1, quorums.nodes)
        assert len(encode(Send(bytes(setting.row_bytes)))) <= limits[Send]


def test_the_limit_of_a_sender_follows_from_the_session_and_stays_below_the_declared_one() -> None:
    smallest = sender_limit(TOY_GROUP, FIVE, 1, dealers=1)
    assert (
        smallest < sender_limit(TOY_GROUP, FIVE, 1, dealers=5) < sender_limit(SECP256K1, FIVE, 1, dealers=5)
    )
    most = sender_limit(SECP256K1, Quorums(9, 4, 2, 0), MAX_BATCH, dealers=32)
    assert most < SENDER_LIMIT
    assert DECLARATION.within(most).sender_limit == most
    assert DECLARATION.sender_limit == SENDER_LIMIT
