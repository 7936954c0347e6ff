"""Epoch changes over schedules, accidents and liars in both committees, between committees of many shapes."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from quorate.entropy import SeededRng
from quorate.groups import Scalar, group_named
from quorate.session import Envelope, KeyPair, MemoryJournal, Party, Session, Slot
from quorate.sharing.avss import Sharing
from quorate.sharing.quorums import Quorums
from quorate.sharing.reshare import RESHARE, Reshared, Resharing, reshare
from quorate.testing import Faults, InOrder
from quorate.testing.dice import seed_of
from quorate.testing.resharings import CHANGES, STORM, EpochChange, change, play

Q4, Q5, Q7, Q7F = Quorums(4, 1, 1, 0), Quorums(5, 2, 1, 0), Quorums(7, 2, 2, 0), Quorums(7, 3, 1, 1)

QUICK = dict(zip(CHANGES, (40, 25, 8, 10, 10, 15, 4, 2), strict=True))
"""Seeds of each here; `make test-long` plays a hundred of each, `make simulate` 2,000."""


def many(name: str, seeds: int) -> Counter[str]:
    happened: Counter[str] = Counter()
    for seed in range(seeds):
        played = play(seed, name, spare=seed % 4 == 0)
        happened += played.result.happened
        happened["named"] += len(played.result.blamed())
    return happened


@pytest.mark.parametrize("name", CHANGES)
def test_seeds_of_the_most_that_may_go_wrong(name: str) -> None:
    assert many(name, QUICK[name])["named"]


@pytest.mark.long
@pytest.mark.parametrize("name", CHANGES)
def test_a_hundred_seeds_of_each_change(name: str) -> None:
    happened = many(name, 100)
    for accident in ("named", "lose", "duplicate", "help", "power cut", "early deadline"):
        assert happened[accident], accident


class Fresh(Sharing):
    """Deals what nobody had."""

    def deal(self, secrets: Sequence[Scalar | None] | None = None) -> None:
        self._constants = None
        super().deal()


@pytest.mark.parametrize("curve", ["secp256k1", "ed25519", "p256", "stark", "bls12381g1", "bls12381g2"])
def test_real_groups_and_real_identities(curve: str) -> None:
    epoch = change(("abcd", Q4), ("bcdef", Q5), count=3, group=group_named(curve))
    identities = {p: KeyPair.generate(SeededRng(seed_of(p))) for p in epoch.terms.parties}
    result = epoch.play(identities=identities, by_hand={"a": epoch.seat("a", sharing=Fresh)})
    assert result.blamed() == {"a"}


def test_equal_seeds_are_equal_runs() -> None:
    runs = [change(*CHANGES["grow"]).simulation(7, faults=STORM).run().trace_hash for _ in range(2)]
    assert runs[0] == runs[1]


def test_duplicates_change_nothing() -> None:
    """P11: the same deliveries in the same order, half of them twice."""
    once = play(5, "renew-5", lying=False, faults=Faults(), scheduler=InOrder())
    twice = play(5, "renew-5", lying=False, faults=Faults(duplicate=0.5), scheduler=InOrder())
    assert twice.result.happened["duplicate"] > 100
    assert {v.digest for v in once.result.values.values() if v is not None} == {
        v.digest for v in twice.result.values.values() if v is not None
    }


def test_nothing_of_it_is_left_in_memory_when_its_session_has_ended() -> None:
    """P10: rows and polynomials go with the coroutine; the result holds shares, which the host seals."""
    seats: list[weakref.ref[Resharing]] = []
    epoch = change(("abcd", Q4), ("abcd", Q4))

    async def run(party: Party) -> Reshared | None:
        made = Resharing(party, epoch.terms)
        seats.append(weakref.ref(made))
        return await made.run(epoch.old.of(party.me))

    result = epoch.simulation(by_hand=dict.fromkeys("abcd", run)).run()
    assert len(result.values) == 4
    gc.collect()
    assert [ref() for ref in seats] == [None] * 4


def test_the_plain_function_is_what_was_tested() -> None:
    epoch = change(("abcd", Q4), ("abcd", Q4))

    async def run(party: Party) -> Reshared | None:
        return await reshare(party, epoch.terms, shares=epoch.old.of(party.me))

    result = epoch.simulation(by_hand=dict.fromkeys("abcd", run)).run()
    assert len({value.digest for value in result.values.values() if value is not None}) == 1
    assert len(result.values) == 4


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
    epoch = change(old, new, spare=True)
    for seed in range(3):
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
            epoch.seat(party),
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
    """P8: a stays, b goes, e comes. Each says the same before and after, and all end with the same."""
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
