"""A party that runs twice, each copy honest, and shows one copy to some and the other to the rest.

Every message of the two differs, and every one is well made: commitments, openings, shares, masks, locks. No
check of a single message can find that; comparing views must (Bano and others, "Twins: BFT systems made
robust", 2021).
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Collection
from typing import Any

import pytest
from tests.support.signing import table as signing_table
from tests.unit.sharing.table import Table, blamed, errors
from tests.unit.sharing.wallets import Wallet, formation_table

from quorate.entropy import SeededRng
from quorate.errors import Blame, Missing, QuorateError, Suspicion
from quorate.groups.toy import TOY_GROUP
from quorate.schemes.ecdsa.messages import Commitment, Opening
from quorate.session import Declaration, Envelope, Party, Session
from quorate.session.evidence import Offence
from quorate.sharing import keygen
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.statements import to_sign
from quorate.testing import Tamper, Withhold
from quorate.testing.mutations import FLIP_FIRST

DECLARATION = Declaration("keygen-test", 1, *keygen.rules())


class Twins:
    """One table, in which `liar` has two copies; `fooled` hear the second one only."""

    def __init__(self, make: Callable[[], Table], liar: str, fooled: Collection[str]) -> None:
        self.table = make()
        self.liar, self.fooled = liar, frozenset(fooled)
        self.twin: Session[Any] = make().sessions[liar]
        self.twin._rng = SeededRng(b"the other one")

    def play(self) -> dict[str, Any]:
        """What became of everybody else."""
        seats = [*self.table.sessions.items(), (self.liar, self.twin)]
        queue: deque[tuple[Session[Any], bytes]] = deque()
        for name, session in seats:
            self._post(name, session, session.start(), queue)
        for _ in range(20):
            while queue:
                session, data = queue.popleft()
                self._post(session.me, session, session.receive(data), queue)
            waiting = [(name, session) for name, session in seats if not session.done]
            for name, session in waiting:
                self._post(name, session, session.expire(), queue)
            if not waiting:
                break
        return {
            name: session.error or session.result()
            for name, session in self.table.sessions.items()
            if name != self.liar
        }

    def _post(self, name: str, session: Session[Any], outbound: list[bytes], queue: Any) -> None:
        for data in outbound:
            recipient = Envelope.parse(data).recipient
            for to, other in self.table.sessions.items():
                if to == name or recipient not in ("", to):
                    continue
                if name == self.liar and (to in self.fooled) != (session is self.twin):
                    continue
                queue.append((other, data))
                if to == self.liar:
                    queue.append((self.twin, data))


def sides(names: Collection[str]) -> list[tuple[str, ...]]:
    """Every way to divide them in two, both sides somebody."""
    ordered = sorted(names)
    return [s for size in range(1, len(ordered)) for s in itertools.combinations(ordered, size)]


def judge(game: Twins, played: dict[str, Any]) -> None:
    """All others stop, somebody shows the liar, and nobody honest is blamed or suspected."""
    stopped = errors(played)
    assert set(stopped) == set(played), "two copies were taken for one"
    assert blamed(game.table, played) == {game.liar}
    for error in stopped.values():
        assert isinstance(error, Blame | Suspicion | Missing)
        if isinstance(error, Suspicion):
            assert game.liar in error.parties


async def generating(party: Party) -> tuple[GeneratedKey, ...]:
    return await keygen.generate(party, degree=1, count=1, context=b"twins")


@pytest.mark.parametrize("fooled", sides(("n1", "n2", "n3")), ids="-".join)
def test_a_node_with_two_faces_in_key_generation_is_shown(fooled: tuple[str, ...]) -> None:
    def make() -> Table:
        return Table(DECLARATION, dict.fromkeys(("n1", "n2", "n3", "n4"), generating), TOY_GROUP)

    game = Twins(make, "n4", fooled)
    played = game.play()
    judge(game, played)


@pytest.mark.parametrize(("liar", "others"), [("n3", ("device", "n1", "n2")), ("device", ("n1", "n2", "n3"))])
def test_a_party_with_two_faces_forms_no_wallet(liar: str, others: tuple[str, ...]) -> None:
    for fooled in sides(others):
        game = Twins(lambda: formation_table(TOY_GROUP, 3, 1)[0], liar, fooled)
        played = game.play()
        judge(game, played)


@pytest.mark.parametrize("fooled", sides(("n1", "n2", "n3", "backup")), ids="-".join)
def test_a_device_with_two_faces_gets_no_item_on_either(fooled: tuple[str, ...]) -> None:
    """The masks of both copies are good, their requests differ, and no node locks before the echo."""
    wallet = Wallet.formed(TOY_GROUP, 3, 1)
    change = wallet.change({"device": 2, "backup": 3})
    game = Twins(lambda: wallet.table(change), "device", fooled)
    played = game.play()
    judge(game, played)
    assert not any(lock.slots for name, lock in wallet.locks.items())


@pytest.mark.parametrize("liar", ["n2", "backup"])
def test_a_target_or_node_with_two_faces_changes_nothing_that_others_end_with(liar: str) -> None:
    """They draw nothing that others build on: their copies differ in a proof and in how boxes are sealed."""
    for fooled in sides({"n1", "n2", "n3", "device", "backup"} - {liar}):
        wallet = Wallet.formed(TOY_GROUP, 3, 1)
        change = wallet.change({"device": 2, "backup": 3})
        game = Twins(lambda w=wallet, c=change: w.table(c), liar, fooled)  # type: ignore[misc]
        played = game.play()
        assert not blamed(game.table, played) - {liar}
        done = [outcome for outcome in played.values() if not isinstance(outcome, QuorateError)]
        assert len({to_sign(outcome.statement) for outcome in done}) <= 1
        for outcome in done:
            outcome.share.check()


# --- two things told, and then silence towards one ----------------------------------------------------


@pytest.mark.parametrize("fooled", ["n2", "device"])
def test_a_signer_with_two_commitments_is_shown_though_it_leaves_one_of_the_others_waiting(
    fooled: str,
) -> None:
    """It keeps its opening, which holds its view, from the very party that has something to show."""
    two_faced = Tamper("n1", Commitment, "commitment", FLIP_FIRST, recipient=fooled)
    result = signing_table("2 of (2 of (n1 n2 n3), device)", ("n1", "n2", "device")).presigning(
        cheats=[two_faced, Withhold("n1", Opening, recipient=fooled)], seed=0
    )
    result.assert_sound()
    assert result.blamed() == {"n1"}
    assert {finding.offence for finding in result.findings()} == {Offence.EQUIVOCATION}
    for name in ("n2", "device"):
        assert isinstance(result.errors[name], Blame), result.errors[name]
