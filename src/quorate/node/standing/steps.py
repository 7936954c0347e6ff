"""What happens to standing sessions, one step at a time, in the background thread.

A step takes some events of one session, computes, and commits. Everything here is synchronous and belongs to
that one thread; the numbers are those of docs/protocols/links.md, part E.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from quorate.clock import Clock, thread_cpu
from quorate.encoding import decode, encode
from quorate.entropy import Rng
from quorate.errors import LocalError, Malformed, Missing, ProofRejected, QuorateError, Refused
from quorate.node.links import Links
from quorate.node.log import LogFunction
from quorate.node.metrics import Metrics
from quorate.node.mistakes import note_mistake
from quorate.node.standing.live import HeldJournal, Live, SessionView
from quorate.node.standing.protocol import StandingProtocol
from quorate.node.standing.talk import TOPIC, Announce, Carry, Done, Help
from quorate.node.standing.turns import Event, Kind
from quorate.node.standing.unit import Lost, StepResult, Unit
from quorate.session import EVERYBODY, Envelope, Session, SessionSpec
from quorate.transport.links import NotNow
from quorate.vault import Vault
from quorate.vault.outbox import MAX_OUTBOX_BYTES
from quorate.vault.standing import StandingState

MAX_RUNNING: Final = 8
"""Sessions that have not ended. Each holds a batch's messages in memory, tens of megabytes for the
largest."""

MAX_MISTAKES: Final = 3
"""Envelopes of one node in one session that our own code has stumbled over. Each costs a replay of the
session; after so many, that node is not listened to in this session any more."""

ROOM_TO_CATCH_UP: Final = MAX_OUTBOX_BYTES // 2
"""A peer whose outbox was too full for a session is given it again when this much has become free."""

MAX_AWAKE: Final = 16
"""Ended sessions that last and are held in memory, those last used; others are replayed when asked for."""

MAX_REFUSED: Final = 1024
"""Sessions that were refused and are remembered, so that what belongs to them is dropped; the oldest go
first."""


class Steps:
    """All standing sessions of one node. `find` gives the protocol of a name."""

    def __init__(
        self,
        me: str,
        vault: Vault,
        links: Links,
        find: Callable[[str], StandingProtocol | None],
        *,
        clock: Clock,
        rng: Rng,
        log: LogFunction,
        metrics: Metrics,
    ) -> None:
        self._me = me
        self._vault = vault
        self._links = links
        self._find = find
        self._clock = clock
        self._rng = rng
        self._log = log
        self._metrics = metrics
        self._live: dict[bytes, Live] = {}
        self._refused: dict[bytes, None] = {}
        self._awake: dict[bytes, None] = {}
        self._stumbled: Counter[tuple[bytes, str]] = Counter()

    def standing(self) -> list[SessionView]:
        """All sessions that stand, as the vault knows them."""
        views = []
        for row in self._vault.standing.open():
            live = self._live.get(row.session)
            spec = decode(SessionSpec, row.spec)
            asleep = SessionView(row.session, spec.protocol, row.state, row.since, 0, row.done, frozenset())
            views.append(asleep if live is None else live.view())
        return views

    def take(self, events: Sequence[Event]) -> StepResult:
        """One step of the session that all these events are of. What fails in it is an outcome, not
        raised."""
        begun, session = thread_cpu(), events[0].session
        unit, outcomes = Unit(), list[Exception | None]()
        try:
            live = self._take(session, events, unit, outcomes)
        except BaseException as error:
            # Memory may be ahead of the disk: the next object of this session comes from the journal.
            self._live.pop(session, None)
            if not isinstance(error, Exception):
                raise
            if isinstance(error, Refused):  # by `begun`: never, and whoever asked need not ask again
                self._refuse(session)
            missed = [None if isinstance(error, Refused) and event.sender else error for event in events]
            return StepResult(missed, None, False, thread_cpu() - begun)
        view = None if live is None else live.view()
        return StepResult(outcomes, view, unit.retires, thread_cpu() - begun)

    def _take(
        self, session: bytes, events: Sequence[Event], unit: Unit, outcomes: list[Exception | None]
    ) -> Live | None:
        live = self._known(session)
        for event in events:
            try:
                live = self._one(live, event, unit)
                outcomes.append(None)
            except Lost as lost:
                if live is not None:
                    self._lose(live, lost.error, unit)
                outcomes.append(None)
            except QuorateError as error:
                outcomes.append(error)
        if live is None:
            self._post(None, unit)
            return None
        self._settle(live, unit)
        self._commit(live, unit)
        self._live[session] = live
        if unit.stumbles:
            live.running = live.journal = None  # broken; it is replayed when it is needed again
        if unit.retires:
            del self._live[session]
        self._rest(live)
        return live

    def _rest(self, live: Live) -> None:
        """Free the memory of sessions that have ended and last, but for some that were used of late."""
        if live.protocol.lasts and live.state is not StandingState.RUNNING:
            self._awake.pop(live.id, None)
            self._awake[live.id] = None
        while len(self._awake) > MAX_AWAKE:
            oldest = next(iter(self._awake))
            del self._awake[oldest]
            if (asleep := self._live.get(oldest)) is not None:
                asleep.running = asleep.journal = None

    # --- one event -----------------------------------------------------------------------------------

    def _one(self, live: Live | None, event: Event, unit: Unit) -> Live | None:
        """What it changes, collected in `unit`; gives the session, if it stands by now."""
        if live is None:
            return self._first(event, unit)
        if event.sender and event.sender not in live.others:
            raise Malformed("of a session that its sender has no part in")
        match event.kind:
            case Kind.ENVELOPE:
                self._envelope(live, event, unit)
            case Kind.TICK:
                self._tick(live, unit)
            case Kind.RESUME:
                self._resume(live, unit)
            case Kind.HELP:
                self._help(live, event.sender, unit)
            case Kind.DONE if event.sender not in live.done:
                live.done.add(event.sender)
                unit.writes.append(lambda: self._vault.standing.note_done(live.id, event.sender))
            case Kind.GIVE_UP if live.state is StandingState.RUNNING:
                self._fail(live, Missing("it was given up", parties=[self._me]), unit)
            case Kind.RETIRE if live.state is not StandingState.RUNNING:
                unit.retires = True
            case Kind.PUT_AWAY:
                unit.retires = unit.keeps_parcels = True
        return live

    def _first(self, event: Event, unit: Unit) -> Live | None:
        """An event of a session that does not stand here: never begun, refused, or retired."""
        retired = self._vault.standing.state(event.session) is not None
        if retired:
            if event.kind in (Kind.ANNOUNCED, Kind.HELP):
                unit.parcels.append((event.sender, Done(event.session)))
            return None
        if event.kind in (Kind.BEGIN, Kind.ANNOUNCED) and event.spec is not None:
            return self._begin(event.spec, event.sender, unit)
        if event.sender and event.session not in self._refused:
            raise NotNow("of a session that is not known here yet")
        return None

    def _begin(self, spec: SessionSpec, proposer: str, unit: Unit) -> Live | None:
        """Step 11."""
        if proposer and spec.id in self._refused:
            return None
        if self._me not in spec.parties or (proposer and proposer not in spec.parties):
            raise Malformed("a session of others")
        if self._vault.rolled_back:
            raise NotNow("this node was restored from an older copy and waits for its operator")
        protocol = self._find(spec.protocol)
        if protocol is None:
            raise NotNow("this node does not speak that protocol")
        if not protocol.lasts and self._running() >= MAX_RUNNING:
            raise NotNow(f"{MAX_RUNNING} sessions are running here")
        try:
            protocol.consider(spec, proposer or self._me)
            live = Live(self._me, spec, protocol, StandingState.RUNNING, self._clock())
            session = self._made(live, begun=False)
        except Refused:
            if not proposer:
                raise
            self._refuse(spec.id)
            return None
        live.running = session
        self._refused.pop(spec.id, None)
        unit.writes.append(lambda: self._vault.standing.add(spec.id, encode(spec), now=live.since))
        unit.writes.append(lambda: protocol.begun(spec))
        unit.parcels.extend((party, Announce(spec)) for party in live.others)
        self._carry(live, session.start(), unit)
        self._metrics.count("standing_begun", protocol=spec.protocol)
        self._log("standing", session=spec.id, protocol=spec.protocol, outcome="begun")
        return live

    def _running(self) -> int:
        """How many have not ended, those apart whose own protocol bounds their number: they must find a place
        whatever else runs."""
        rows = [row for row in self._vault.standing.open() if row.state is StandingState.RUNNING]
        found = [self._find(decode(SessionSpec, row.spec).protocol) for row in rows]
        return sum(protocol is None or not protocol.lasts for protocol in found)

    def _envelope(self, live: Live, event: Event, unit: Unit) -> None:
        """Step 12."""
        if unit.stumbles:
            raise NotNow("the session is taken up again from its journal")
        if live.state is StandingState.FAILED or self._stumbled[live.id, event.sender] >= MAX_MISTAKES:
            return
        session = self._session(live)
        if session.done:
            return
        try:
            self._carry(live, session.receive(event.envelope), unit)
        except Exception as error:  # noqa: BLE001 - a protocol's mistake; the journal does not know of it
            # As if it had never come: what was journaled stays true, and the object, which is broken, goes.
            self._stumbled[live.id, event.sender] += 1
            unit.stumbles = True
            note_mistake(self._log, self._metrics, error, session=live.id, peer=event.sender)

    def _tick(self, live: Live, unit: Unit) -> None:
        """Step 13."""
        for peer in sorted(live.missed):
            if self._links.room(peer, ROOM_TO_CATCH_UP):
                live.missed.discard(peer)
                self._help(live, peer, unit)
        if live.state is StandingState.RUNNING and not unit.stumbles:
            session = self._session(live)
            if not session.done:
                self._carry(live, session.expire(), unit)

    def _help(self, live: Live, peer: str, unit: Unit) -> None:
        """Step 15."""
        if live.state is not StandingState.FAILED:
            unit.parcels.extend((peer, Carry(live.id, data)) for data in self._session(live).help(peer))
        if live.state is not StandingState.RUNNING:
            unit.parcels.append((peer, Done(live.id)))

    def _resume(self, live: Live, unit: Unit) -> None:
        """Step 15, after a restart."""
        if live.state is StandingState.RUNNING:
            self._session(live)
            unit.parcels.extend((party, Help(live.id)) for party in live.others if party not in live.done)

    # --- the end -------------------------------------------------------------------------------------

    def _settle(self, live: Live, unit: Unit) -> None:
        """Steps 14 and 16: what the events have led to."""
        session = live.running
        if live.state is StandingState.RUNNING and session is not None:
            if session.concluded or (session.done and session.error is None):
                self._conclude(live, session, unit)
            elif session.error is not None and not unit.stumbles:
                self._fail(live, session.error, unit)
        if live.state is not StandingState.RUNNING and live.done.issuperset(live.others):
            unit.retires = True
        if unit.retires:
            unit.ends.append(lambda: self._vault.journal.end(live.id))
            if not unit.keeps_parcels:
                unit.ends.append(lambda: self._vault.outbox.forget(live.id))
            unit.ends.append(lambda: self._vault.standing.retire(live.id))

    def _conclude(self, live: Live, session: Session[Any], unit: Unit) -> None:
        unit.writes.append(live.protocol.keep(live.spec, session.result()))
        self._end(live, StandingState.CONCLUDED, unit)

    def _fail(self, live: Live, error: QuorateError, unit: Unit) -> None:
        unit.writes.append(lambda: live.protocol.failed(live.spec, error))
        unit.ends.append(lambda: self._vault.journal.end(live.id))
        self._end(live, StandingState.FAILED, unit)
        if live.running is not None:
            live.running.abandon(error)
        self._log("standing", session=live.id, outcome="error", error=type(error).__name__, text=str(error))

    def _lose(self, live: Live, error: QuorateError, unit: Unit) -> None:
        """It can never be taken up again."""
        if live.state is StandingState.RUNNING:
            self._fail(live, error, unit)
        elif live.state is StandingState.CONCLUDED:
            unit.retires = True

    def _end(self, live: Live, state: StandingState, unit: Unit) -> None:
        live.state, live.since = state, self._clock()
        unit.writes.append(lambda: self._vault.standing.end(live.id, state, now=live.since))
        unit.parcels.extend((party, Done(live.id)) for party in live.others)
        self._metrics.count(f"standing_{state.value}", protocol=live.spec.protocol)
        self._log("standing", session=live.id, protocol=live.spec.protocol, outcome=state.value)

    # --- committing ----------------------------------------------------------------------------------

    def _commit(self, live: Live, unit: Unit) -> None:
        held = live.journal if live.journal else None
        if held or unit.writes or unit.ends or unit.parcels:
            with self._vault.transaction():
                for write in unit.writes:
                    write()
                if held:
                    held.write(live.id)
                for write in unit.ends:
                    write()
                self._post(live, unit)
        self._report(live)

    def _post(self, live: Live | None, unit: Unit) -> None:
        for peer, talk in sorted(unit.parcels, key=lambda parcel: parcel[0]):
            outlives = isinstance(talk, Done)
            if unit.retires and not outlives:
                continue  # everybody has said to need no more of it
            body = encode(talk)
            if not self._links.room(peer, len(body)):
                self._metrics.count("parcels_without_room", peer=peer)
                if live is not None:
                    live.missed.add(peer)
                continue
            # Of no session, so that it still goes out when the session is retired.
            self._links.post(peer, TOPIC, body, session=b"" if live is None or outlives else live.id)

    def _carry(self, live: Live, envelopes: Sequence[bytes], unit: Unit) -> None:
        for data in envelopes:
            recipient = Envelope.parse(data).recipient
            to = live.others if recipient == EVERYBODY else (recipient,)
            unit.parcels.extend((party, Carry(live.id, data)) for party in to)

    def _report(self, live: Live) -> None:
        """Name, once, who was caught at something that others can check."""
        session = live.running
        for party in sorted(set(session.deviations) - live.known) if session is not None else ():
            live.known.add(party)
            blame = session.deviations[party] if session is not None else None
            self._metrics.count("deviations", protocol=live.spec.protocol, peer=party)
            self._log("deviation", session=live.id, protocol=live.spec.protocol, peer=party, text=str(blame))

    # --- taking up -----------------------------------------------------------------------------------

    def _known(self, session: bytes) -> Live | None:
        """The session, from memory or from the vault; None if it does not stand here."""
        live = self._live.get(session)
        if live is not None:
            return live
        row = self._vault.standing.get(session)
        if row is None or row.state is StandingState.RETIRED:
            return None
        spec = decode(SessionSpec, row.spec)
        protocol = self._find(spec.protocol)
        if protocol is None:
            raise NotNow("this node does not speak that protocol any more")
        return Live(self._me, spec, protocol, row.state, row.since, set(row.done))

    def _session(self, live: Live) -> Session[Any]:
        """Its object; replayed from the journal where there is none. Raises `Lost`."""
        if live.running is None:
            try:
                session = self._made(live, begun=True)
            except Refused as error:
                raise Lost(error) from error
            try:
                session.start()
            except ProofRejected as error:
                raise Lost(error) from error
            except LocalError as error:
                if session.error is None:
                    raise
                raise Lost(error) from error  # it does not replay
            live.running = session
            live.known = set(session.deviations)
        return live.running

    def _made(self, live: Live, *, begun: bool) -> Session[Any]:
        seat = live.protocol.seat(live.spec)
        live.journal = HeldJournal(self._vault.journal, begun=begun)
        return Session(
            live.spec,
            self._me,
            seat.identity,
            seat.roster,
            seat.declaration,
            seat.group,
            seat.run,
            rng=self._rng,
            journal=live.journal,
        )

    def _refuse(self, session: bytes) -> None:
        self._refused[session] = None
        while len(self._refused) > MAX_REFUSED:
            del self._refused[next(iter(self._refused))]
