"""How much of a node one liar can fill in a session of sharings: what honest nodes might say, and no more."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.session.table import Table

from quorate.encoding import encode
from quorate.groups import SECP256K1
from quorate.groups.toy import TOY_GROUP
from quorate.session import Party
from quorate.sharing.avss.messages import Dealing, Echo, Get, Matrix, Ready, Send
from quorate.sharing.avss.setting import DEALING_LIMIT, Setting
from quorate.sharing.dkg import FORK, declaration
from quorate.sharing.quorums import Quorums
from quorate.sharing.reshare import SharedKeys, Terms
from quorate.testing import generations

FIVE = Quorums(5, 2, 1, 0)
NINE = Quorums(9, 2, 2, 1)
NAMES = ("n1", "n2", "n3", "n4", "n5")
LIAR = "n5"
OVER = "over the sender's limit"


async def listens(party: Party) -> None:
    async for _ in party.stream():
        pass


@pytest.mark.parametrize("quorums", [FIVE, NINE], ids=["n5", "n9"])
def test_no_honest_message_is_ever_beyond_the_limit(
    quorums: Quorums, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "DKG", declaration(TOY_GROUP, quorums, 1))
    for seed in range(10 if quorums is FIVE else 2):
        played = generations.play(seed, quorums)
        assert not any(dropped[OVER] for dropped in played.result.dropped.values())


def test_all_that_one_node_may_say_in_all_sharings_fits() -> None:
    """Everything at once: it deals, votes, asks, and passes on every dealing."""
    for group, count in ((TOY_GROUP, 3), (SECP256K1, 40)):
        made = declaration(group, FIVE, count)
        table = Table(made, NAMES, group=group)
        seat = table.seat("n1", listens)
        seat.start()
        sizes = Setting(bytes(32), group, NAMES, FIVE, count)
        dealing = Dealing(bytes((count + 7) // 8), bytes(sizes.matrix_bytes))
        seat.receive(table.envelope("n2", dealing, path=f"{FORK}/n2"))
        seat.receive(table.envelope("n2", Send(bytes(sizes.row_bytes)), "n1", path=f"{FORK}/n2"))
        for dealer in NAMES:
            path = f"{FORK}/{dealer}"
            passed_on = table.envelope(dealer, dealing, path=path)
            values = bytes(sizes.vector_bytes)
            for message in (
                Echo(bytes(32), values),
                Ready(bytes(32), values, bytes(64)),
                Get(bytes(32)),
                Matrix(bytes(32), passed_on),
            ):
                seat.receive(table.envelope("n2", message, "n1", path=path))
        assert seat.dropped[OVER] == 0
        assert seat.heard == 2 + 4 * len(NAMES)


def test_a_liar_that_fills_every_slot_there_is_fills_little() -> None:
    """The rules admit a dealing of a MiB on 69 paths; sizes follow from the session, so most are refused."""
    made = declaration(SECP256K1, FIVE, 200)
    table = Table(made, NAMES, group=SECP256K1)
    seat: Any = table.seat("n1", listens)
    seat.start()
    junk = Dealing(b"", bytes(DEALING_LIMIT - 64))
    assert len(encode(junk)) <= DEALING_LIMIT
    for label in (*NAMES, *map(str, range(64))):
        seat.receive(table.envelope(LIAR, junk, path=f"{FORK}/{label}"))
    assert seat.dropped[OVER] > 60
    assert made.sender_limit < 3 << 20
    assert seat._inbox._stored[LIAR] <= made.sender_limit


def test_a_resharing_has_room_for_its_dealers_and_its_voters() -> None:
    point = TOY_GROUP.generator
    old = SharedKeys(TOY_GROUP, NAMES, (bytes(32),), ((point,), (point,), (point,)))
    terms = Terms(bytes(32), 1, old, FIVE, tuple(f"m{i}" for i in range(9)), NINE)
    smaller = Terms(bytes(32), 1, old, FIVE, NAMES, FIVE)
    assert smaller.declaration.sender_limit < terms.declaration.sender_limit < 4 << 20
    assert terms.declaration.tolerant
    assert (terms.declaration.name, terms.declaration.version) == ("reshare", 1)
