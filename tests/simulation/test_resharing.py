"""Resharing over a bad network, through crashes and lies, between committees of many shapes (P1 to P8)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.resharing import EpochChange, change

from quorate.entropy import SeededRng
from quorate.session import Envelope, MemoryJournal, Session, Slot
from quorate.sharing.quorums import Quorums
from quorate.sharing.reshare import RESHARE, Reshared
from quorate.testing import Dice, Faults, Wild
from quorate.testing.dice import seed_of
from quorate.testing.network import any_scheduler

Q4, Q5, Q7, Q7F, Q9 = (
    Quorums(4, 1, 1, 0),
    Quorums(5, 2, 1, 0),
    Quorums(7, 2, 2, 0),
    Quorums(7, 3, 1, 1),
    Quorums(9, 4, 2, 0),
)

PAIRS: dict[str, Any] = {
    "renew5": (("abcde", Q5), ("abcde", Q5)),
    "grow": (("abcde", Q5), ("abcdfgh", Q7F)),
    "shrink": (("abcdefg", Q7F), ("abcde", Q5)),
    "disjoint": (("abcd", Q4), ("vwxyz", Q5)),
    "liars": (("abcdefg", Q7), ("abcdefh", Q7)),
    "nine": (("abcdefg", Q7F), ("abcdefghi", Q9)),
}
FAULTS = Faults(duplicate=0.05, lose=0.05, damage=0.03, crash=0.004, power_cut=0.001)
FORGETFUL = Faults(duplicate=0.05, crash=0.004, forget=True)


def conditions(epoch: EpochChange, seed: int) -> dict[str, Any]:
    """Calm with a bad scheduler; accidents; a liar in the one committee, and one in the other."""
    dice = Dice("resharing", seed)
    more: dict[str, Any] = {"scheduler": any_scheduler(epoch.terms.parties, dice)}
    if seed % 3 == 1:
        more["faults"] = FORGETFUL if seed % 2 else FAULTS
    if seed % 3 == 2:
        old, new = epoch.terms.old.nodes, epoch.terms.new_nodes
        one = dice.choose(old)
        more["cheats"] = [Wild(one, dice.below(40), seed)]
        # a liar counts against both committees that it is of
        others = [node for node in new if node not in old]
        if others and one not in new:
            more["cheats"].append(Wild(dice.choose(others), dice.below(40), seed + 1))
    return more


def play(pair: str, seed: int) -> None:
    old, new = PAIRS[pair]
    epoch = change(old, new, count=2, seed=seed + 1)
    try:
        result = epoch.play(seed, **conditions(epoch, seed))
        receivers = [n for n in epoch.terms.new_nodes if n in result.honest]
        assert all(isinstance(result.values.get(n), Reshared) for n in receivers)
    except BaseException as error:
        error.add_note(
            f'rerun: python -c "import tests.simulation.test_resharing as t; t.play({pair!r}, {seed})"'
        )
        raise


@pytest.mark.parametrize("seed", range(9))
@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair != "nine"])
def test_every_honest_new_node_gets_its_shares(pair: str, seed: int) -> None:
    play(pair, seed)


@pytest.mark.long
@pytest.mark.parametrize("pair", PAIRS)
def test_it_does_so_for_many_seeds(pair: str) -> None:
    for seed in range(100, 400):
        play(pair, seed)


def test_equal_seeds_are_equal_runs() -> None:
    old, new = PAIRS["grow"]
    runs = [change(old, new).simulation(7, faults=FAULTS).run().trace_hash for _ in range(2)]
    assert runs[0] == runs[1]


# --- as many away as a committee stands ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "away"),
    [
        (("abcde", Q5), ("abcde", Q5), "c"),
        (("abcde", Q5), ("abcdf", Q5), "e"),  # the one that is removed because it is dead
        (("abcde", Q5), ("abcdf", Q5), "f"),
        (("abcdefg", Q7F), ("abcdefg", Q7F), "ag"),
        (("abcdefg", Q7), ("abcdefg", Q7), "ab"),
        (("abcdefg", Q7F), ("cdefgh", Quorums(6, 2, 1, 0)), "abh"),
    ],
)
def test_nobody_waits_for_t_plus_f_dead_nodes_of_either_committee(old: Any, new: Any, away: str) -> None:
    epoch = change(old, new)
    for seed in range(4):
        result = epoch.simulation(seed, censor=lambda p: p.to in away or p.sender in away).run()
        for node in set(new[0]) - set(away):
            assert isinstance(result.values.get(node), Reshared), result.story()[-2000:]


# --- a crash at every write ----------------------------------------------------------------------------


class _PowerCut(Exception):
    pass


class Failing(MemoryJournal):
    """A disk whose power goes at one append: before it is written, or right after."""

    def __init__(self, at: int, *, written: bool) -> None:
        super().__init__()
        self.left, self.written = at, written
        self.failed = False

    def append(self, session: bytes, inbound: bytes, outbound: Any) -> None:
        self.left -= 1
        if self.left == 0:
            self.failed = True
            if self.written:
                super().append(session, inbound, outbound)
            raise _PowerCut
        super().append(session, inbound, outbound)


def run_with_power_cut(epoch: EpochChange, victim: str, at: int, *, written: bool) -> tuple[Any, bool]:
    """A run in order, in which one party's power goes at its `at`-th write: what everybody has in the end."""
    simulation = epoch.simulation(3)
    journal = Failing(at, written=written)

    def session(party: str) -> Session[Any]:
        return Session(
            simulation.spec,
            party,
            simulation.identities[party],
            simulation.roster,
            RESHARE,
            epoch.old.group,
            epoch.run(party),
            rng=SeededRng(seed_of("power", party)),
            journal=journal if party == victim else None,
        )

    sessions = {party: session(party) for party in epoch.terms.parties}
    queue: list[tuple[str, bytes]] = []
    said: dict[Slot, bytes] = {}

    def attempt(party: str, step: Any) -> None:
        """What leaves by one step; after a power cut the party comes back and is sent the same again."""
        try:
            outbound = step()
        except _PowerCut:
            sessions[party] = session(party)
            outbound = [*sessions[party].start()]
            again = step() if step.__name__ == "receive" else []
            outbound += again
        for data in outbound:
            slot = Envelope.parse(data).slot
            assert said.setdefault(slot, data) == data, f"{slot} was said twice, differently"
            queue.extend((to, data) for to in simulation._addressees(party, data))

    for party in epoch.terms.parties:
        attempt(party, lambda p=party: sessions[p].start())
    while queue:
        to, data = queue.pop(0)

        def receive(to: str = to, data: bytes = data) -> list[bytes]:
            return sessions[to].receive(data)

        attempt(to, receive)
    return {party: s.result() for party, s in sessions.items() if s.concluded}, journal.failed


@pytest.mark.parametrize("victim", "abe")
@pytest.mark.parametrize("written", [False, True], ids=["unwritten", "written"])
def test_a_power_cut_at_any_write_changes_no_result(victim: str, written: bool) -> None:
    """a stays, b goes, e comes. Everybody else must see one and the same b, before and after."""
    epoch = change(("abcd", Q4), ("acde", Q4), count=1)
    at, digests = 1, set()
    while True:
        results, failed = run_with_power_cut(epoch, victim, at, written=written)
        if not failed:
            break
        assert set(results) >= set("acde"), f"write {at}"
        kept = [results[node] for node in "acde"]
        assert len({(r.digest, r.dealers) for r in kept}) == 1
        digests.add(kept[0].digest)
        at += 1
    assert at > 10
    assert len(digests) == 1
