"""All parties of a protocol in one process, over a network that a seed decides about.

    result = Simulation(TOSS, toss, parties=3, seed=7, faults=Faults(lose=0.1, crash=0.02)).run()
    result.assert_sound()
    result.values["p1"]

Everything random comes from the seed: the parties' own randomness, the order of delivery, what is lost or
doubled, who crashes. Equal seeds give equal traces, byte for byte. The sessions are the real ones; identities
are cheap and unsafe unless others are given.

There is no clock. A deadline passes when nothing else can happen (everything sent has been delivered, lost
parcels have come, journaled parties are back), or early, where `Faults.deadline` says so.

A session that has concluded has its result, and counts as done; it still gets and answers what is sent. To a
tolerant protocol a deadline is a tick, and it is given many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from quorate.entropy import SeededRng
from quorate.errors import LimitExceeded, Malformed, QuorateError
from quorate.groups import Group, allow_toy
from quorate.groups.toy import TOY_GROUP
from quorate.session import (
    EVERYBODY,
    Declaration,
    Envelope,
    Identity,
    MemoryJournal,
    PartyId,
    ProtocolRun,
    PublicIdentity,
    Session,
    SessionSpec,
    roster_digest,
)
from quorate.testing.cheats import Cheat, CheatingSession, Directed
from quorate.testing.dice import Dice, seed_of
from quorate.testing.identities import unsafe_identity
from quorate.testing.network import NO_FAULTS, Faults, Parcel, Scheduler, Uniform
from quorate.testing.result import Crashed, Event, Result

T = TypeVar("T")

MAX_STEPS: Final = 200_000
"""Deliveries after which a run counts as endless; ours need thousands."""

MAX_DEADLINES: Final = 16
"""Deadlines in a row before a party that still waits counts as hanging. A protocol may use up several, one
for each step at which it goes on without the silent."""

MAX_TICKS: Final = 160
"""`MAX_DEADLINES` for tolerant protocols: they count ticks, and double what they wait for."""

MAX_CRASHES: Final = 3
"""Crashes of one party: a fourth shows nothing that the third has not."""

RECOVERY: Final = 0.1
"""Chance at each step that what is lost comes again and who is down comes back."""


class Simulation(Generic[T]):
    """One run of one protocol, see the module.

    `run` is the protocol as a `Session` takes it, one for all parties or one for each; `parties` their
    names, or how many (then p1, p2, ...). The agreement's other fields have harmless defaults. `cheats` lie
    (see `quorate.testing.cheats`), `by_hand` gives a seat a coroutine of your own; both make their party a
    cheater, of whom nothing is asserted. With `journaled` (for all, or for these parties) a crashed party
    comes back through its journal. What `censor` says of a parcel that comes up for delivery is final: True
    makes it vanish. `crash_at` (party, which delivery to it, whether after its journal was
    written) places one crash exactly. Raises `Malformed` for an impossible agreement.
    """

    def __init__(
        self,
        declaration: Declaration,
        run: ProtocolRun[T] | Mapping[PartyId, ProtocolRun[T]],
        parties: int | Sequence[PartyId] = 3,
        *,
        seed: int = 0,
        group: Group = TOY_GROUP,
        suite: str = "",
        threshold: int = 0,
        key: bytes = b"",
        epoch: int = 0,
        purpose: str = "simulation",
        payload: bytes = b"",
        scheduler: Scheduler | None = None,
        faults: Faults = NO_FAULTS,
        cheats: Iterable[Cheat] = (),
        by_hand: Mapping[PartyId, ProtocolRun[T]] | None = None,
        journaled: bool | Iterable[PartyId] = True,
        identities: Mapping[PartyId, Identity] | None = None,
        censor: Callable[[Parcel], bool] | None = None,
        crash_at: tuple[PartyId, int, bool] | None = None,
    ) -> None:
        numbered = [f"p{number}" for number in range(1, parties + 1)] if isinstance(parties, int) else parties
        self.parties: tuple[PartyId, ...] = tuple(sorted(numbered))
        self.seed = seed
        self.identities: Mapping[PartyId, Identity] = identities or {
            p: unsafe_identity(p) for p in self.parties
        }
        self.roster: dict[PartyId, PublicIdentity] = {p: self.identities[p].public for p in self.parties}
        self.spec = SessionSpec(
            protocol=declaration.name,
            version=declaration.version,
            suite=suite or group.name,
            key=key,
            epoch=epoch,
            parties=self.parties,
            roster=roster_digest(self.roster),
            threshold=threshold or len(self.parties),
            purpose=purpose,
            payload=payload,
            nonces=tuple(seed_of(seed, "nonce", party) for party in self.parties),
        )
        self.declaration = declaration
        self.group = group
        self.scheduler = scheduler or Uniform()
        self.faults = faults
        self.censor = censor
        self.crash_at = crash_at
        self.cheats = tuple(cheats)
        hands = by_hand or {}
        self.cheaters = frozenset(cheat.party for cheat in self.cheats) | frozenset(hands)
        if not self.cheaters <= set(self.parties):
            raise Malformed("simulation: a cheat by somebody who takes no part")
        everywhere = {p: run[p] if isinstance(run, Mapping) else run for p in self.parties if p not in hands}
        kept = set(self.parties if journaled is True else journaled or ())
        self._seats = {p: _Seat(self, p, {**everywhere, **hands}[p], p in kept) for p in self.parties}
        self._dice = Dice(seed, "network")
        self._pending: list[Parcel] = []
        self._lost: list[Parcel] = []
        self._trace: list[Event] = []
        self._happened: Counter[str] = Counter()

    def run(self) -> Result[T]:
        """Play to the end. An error of a protocol's own code passes through, with the seed in its notes."""
        try:
            with allow_toy():
                self._play()
        except Exception as error:
            error.add_note(f"in a simulation of {self.declaration.name}, seed {self.seed}, {self.scheduler}")
            raise
        return self._result()

    # --- the course of things ------------------------------------------------------------------------

    def _play(self) -> None:
        for party in self.parties:
            self._launch(self._seats[party])
        deadlines = 0
        patience = MAX_TICKS if self.declaration.tolerant else MAX_DEADLINES
        for step in range(MAX_STEPS):
            if self._pending:
                self._deliver(step)
                deadlines = 0
            elif not self._recover():
                if deadlines == patience or not self._expire():
                    return
                deadlines += 1
        raise LimitExceeded(
            f"a simulation of {self.declaration.name} goes on for more than {MAX_STEPS} steps"
        )

    def _deliver(self, step: int) -> None:
        parcel = self._pending.pop(self.scheduler.pick(self._pending, self._dice, step))
        seat = self._seats[parcel.to]
        if self.censor is not None and self.censor(parcel):
            self._note("censor", parcel)
            return
        if self.crash_at is not None and self._crashes_now(parcel, seat):
            return
        if self.faults.any and self._befallen(parcel, seat):
            return
        if seat.session is None:
            self._note("lose", parcel)
            self._lose(parcel)
            return
        self._note("deliver", parcel)
        self._post(parcel.to, seat.feed(parcel.data))

    def _befallen(self, parcel: Parcel, seat: _Seat[T]) -> bool:
        """Let accidents happen around one delivery; whether it was one of them."""
        faults, dice = self.faults, self._dice
        if (self._lost or self._is_anybody_down()) and dice.happens(RECOVERY):
            self._recover()
        if dice.happens(faults.deadline):
            self._expire([dice.choose(self.parties)])
        if dice.happens(faults.duplicate):
            self._note("duplicate", parcel)
            self._pending.append(parcel)
        if dice.happens(faults.damage) and seat.session is not None:
            spoilt = Parcel(parcel.sender, parcel.to, _spoilt(parcel.data, dice))
            self._note("damage", spoilt)
            self._post(parcel.to, seat.feed(spoilt.data))
        if dice.happens(faults.lose):
            self._note("lose", parcel)
            self._lost.append(parcel)
            return True
        if seat.may_crash and dice.happens(faults.crash):
            self._crash(parcel, seat, after=bool(dice.below(2)))
            return True
        if not self._happened["power cut"] and dice.happens(faults.power_cut):
            self._cut_power(parcel)
            return True
        return False

    def _crashes_now(self, parcel: Parcel, seat: _Seat[T]) -> bool:
        party, nth, after = self.crash_at or ("", 0, False)
        if parcel.to != party or seat.session is None:
            return False
        self._happened["deliveries to the one"] += 1
        if self._happened["deliveries to the one"] != nth:
            return False
        self._crash(parcel, seat, after=after)
        return True

    def _crash(self, parcel: Parcel, seat: _Seat[T], *, after: bool) -> None:
        if after:
            # after the journal was written, before anything left
            self._note("crash after", parcel)
            seat.feed(parcel.data)
        else:
            self._note("crash before", parcel)
            self._lose(parcel)
        seat.crash()

    def _cut_power(self, parcel: Parcel) -> None:
        """Everybody crashes at once. What a party had under way it sends again; who is done will not."""
        self._note("power cut", parcel)
        self._pending.append(parcel)
        for seat in self._seats.values():
            if seat.session is not None and not seat.session.done:
                seat.crash()
        done = {seat.party for seat in self._seats.values() if seat.session is not None}
        self._lost += [parcel for parcel in self._pending if parcel.sender in done]
        self._pending.clear()

    def _lose(self, parcel: Parcel) -> None:
        """What comes to a party that is down waits at its sender's, or is gone for good."""
        if not self.faults.forget:
            self._lost.append(parcel)

    def _recover(self) -> bool:
        """Bring back who can come back, and send again what was lost; whether there was anything to do."""
        down = [seat for seat in self._seats.values() if seat.session is None and seat.journal is not None]
        for seat in down:
            self._trace.append(Event("restart", seat.party, b""))
            self._launch(seat)
        if self.faults.forget:
            for seat in down:
                self._help(seat.party)
        again = [parcel for parcel in self._lost if self._seats[parcel.to].session is not None]
        self._pending += again
        self._lost.clear()
        return bool(down or again)

    def _expire(self, parties: Iterable[PartyId] | None = None) -> bool:
        """Let the deadline of these parties pass; whether any of them was still waiting."""
        waiting = False
        for party in self.parties if parties is None else parties:
            seat = self._seats[party]
            if seat.session is not None and not seat.session.done:
                waiting = waiting or self._is_awaited(seat)
                self._trace.append(Event("deadline", party, b""))
                self._happened["early deadline" if parties is not None else "deadline"] += 1
                self._post(party, seat.expire())
        return waiting

    def _help(self, party: PartyId) -> None:
        """What everybody else has sent to a party that is back, once more."""
        for seat in self._seats.values():
            if seat.session is not None and seat.party != party:
                self._happened["help"] += 1
                for data in seat.session.help(party):
                    self._pending.append(Parcel(seat.party, party, data))

    def _is_awaited(self, seat: _Seat[T]) -> bool:
        """A liar that never comes to an end keeps nobody waiting who counts quorums."""
        concluded = seat.session is not None and seat.session.concluded
        return not concluded and not (self.declaration.tolerant and seat.party in self.cheaters)

    def _is_anybody_down(self) -> bool:
        return any(seat.session is None for seat in self._seats.values())

    def _launch(self, seat: _Seat[T]) -> None:
        self._post(seat.party, seat.launch())

    def _post(self, sender: PartyId, outbound: Iterable[bytes]) -> None:
        for data in outbound:
            for to in self._addressees(sender, data):
                self._pending.append(Parcel(sender, to, bytes(data)))

    def _addressees(self, sender: PartyId, data: bytes) -> Sequence[PartyId]:
        if isinstance(data, Directed):
            return data.only
        recipient = Envelope.parse(data).recipient
        if recipient == EVERYBODY:
            return [party for party in self.parties if party != sender]
        return [recipient]

    def _note(self, what: str, parcel: Parcel) -> None:
        self._happened[what] += 1
        self._trace.append(Event(what, parcel.to, parcel.data))

    def _result(self) -> Result[T]:
        result = Result[T](
            seed=self.seed,
            spec=self.spec,
            roster=self.roster,
            declaration=self.declaration,
            group=self.group,
            cheaters=self.cheaters,
            scheduler=str(self.scheduler),
            happened=self._happened,
            trace=self._trace,
        )
        for seat in self._seats.values():
            seat.report(result)
        return result


class _Seat(Generic[T]):
    """One party: its session, and the journal that outlives it."""

    def __init__(
        self, simulation: Simulation[T], party: PartyId, run: ProtocolRun[T], journaled: bool
    ) -> None:
        self.party = party
        self.journal = MemoryJournal() if journaled else None
        self.session: Session[T] | None = None
        self.crashes = 0
        self._simulation = simulation
        self._run = run
        self._rng = SeededRng(seed_of(simulation.seed, "party", party))
        self._cheats = tuple(cheat for cheat in simulation.cheats if cheat.party == party)
        self._cheats_by_hand = party in simulation.cheaters
        self._dropped: Counter[str] = Counter()

    @property
    def may_crash(self) -> bool:
        return self.session is not None and not self.session.done and self.crashes < MAX_CRASHES

    def launch(self) -> list[bytes]:
        simulation = self._simulation
        kind = CheatingSession if self._cheats else Session
        session = kind(
            simulation.spec,
            self.party,
            simulation.identities[self.party],
            simulation.roster,
            simulation.declaration,
            simulation.group,
            self._run,
            rng=self._rng,
            journal=self.journal,
        )
        if isinstance(session, CheatingSession):
            session.cheats = self._cheats
        self.session = session
        return self._survive(session.start)

    def feed(self, data: bytes) -> list[bytes]:
        session = self.session
        return [] if session is None else self._survive(lambda: session.receive(data))

    def expire(self) -> list[bytes]:
        session = self.session
        return [] if session is None else self._survive(session.expire)

    def crash(self) -> None:
        if self.session is not None:
            self._dropped += self.session.dropped
        self.session = None
        self.crashes += 1

    def report(self, result: Result[T]) -> None:
        """Say how it ended."""
        if self.session is None:
            result.errors[self.party] = Crashed(f"{self.party} crashed, and kept no journal")
            result.dropped[self.party] = self._dropped
            return
        result.dropped[self.party] = self._dropped + self.session.dropped
        result.deviations[self.party] = dict(self.session.deviations)
        if self.session.error is not None and not self.session.concluded:
            result.errors[self.party] = self.session.error
        elif self.session.done or self.session.concluded:
            result.values[self.party] = self.session.result()
        else:
            result.hanging.append(self.party)

    def _survive(self, act: Callable[[], list[bytes]]) -> list[bytes]:
        try:
            return act()
        except QuorateError:
            raise
        except Exception:
            # a cheater's own code may trip over its own lies; an honest party's may not
            if not self._cheats_by_hand:
                raise
            return []


def _spoilt(data: bytes, dice: Dice) -> bytes:
    where = dice.below(len(data)) if data else 0
    how = dice.below(3)
    if how == 0:
        return data[:where]
    if how == 1:
        return data + bytes([dice.below(256)])
    return data[:where] + bytes([data[where] ^ (1 << dice.below(8))]) + data[where + 1 :]
