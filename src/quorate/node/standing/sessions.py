"""The event loop's side of standing sessions: what comes in, what time it is, who waits for the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from quorate.clock import Clock, monotonic
from quorate.entropy import Rng
from quorate.errors import LocalError
from quorate.node.links import Links
from quorate.node.log import LogFunction, place_of
from quorate.node.metrics import Metrics
from quorate.node.standing.live import SessionView
from quorate.node.standing.protocol import StandingProtocol
from quorate.node.standing.steps import Steps
from quorate.node.standing.talk import TOPIC, Announce, Carry, Help, read_talk
from quorate.node.standing.turns import Event, Kind, Turns
from quorate.session import SessionSpec
from quorate.vault import Vault
from quorate.vault.standing import StandingState

TICK_SECONDS: Final = 2.0
"""Between two ticks of a session that hears something. Protocols count several ticks before they give up on a
leader, and a committee far apart answers within one."""

PATIENT_TICKS: Final = 128
"""For so many ticks without a message the pause between them stays: protocols double the ticks that they give
a leader, up to half of this."""

MAX_TICK_SECONDS: Final = 60.0
"""Between two ticks of a session that has heard nothing for longer: each is a record in its journal, and one
that waits for nodes to come back waits for days."""

TICK_GROWTH: Final = 1.25

RUNNING_SECONDS: Final = 7 * 24 * 3600.0
"""A session that has not ended by then is given up: too few nodes will ever take part."""

MAX_LINGERING: Final = 16
"""Ended sessions that are kept for nodes which have not said that they are done; the oldest goes first. A
node that is away for longer than that many sessions misses their results until the next resharing."""

LINGER_SECONDS: Final = 3 * 24 * 3600.0
"""And no longer than a long weekend each."""


@dataclass(slots=True)
class _Clockwork:
    """When a session is next ticked. `waiting` says that a tick is in the queue."""

    due: float
    pause: float
    heard: int = -1
    silent: int = 0
    waiting: bool = False


class StandingSessions:
    """`worker` runs a function in the background thread; `share` is how much of one core that may use."""

    def __init__(
        self,
        me: str,
        vault: Vault,
        links: Links,
        worker: Callable[..., Awaitable[Any]],
        *,
        share: float,
        clock: Clock,
        rng: Rng,
        log: LogFunction,
        metrics: Metrics,
        tick_seconds: float = TICK_SECONDS,
    ) -> None:
        self._protocols: dict[str, StandingProtocol] = {}
        self._steps = Steps(
            me, vault, links, self._protocols.get, clock=clock, rng=rng, log=log, metrics=metrics
        )
        self._vault = vault
        self._log = log
        self._worker = worker
        self._share = share
        self._clock = clock
        self._metrics = metrics
        self._tick_seconds = tick_seconds
        self._turns = Turns()
        self._views: dict[bytes, SessionView] = {}
        self._clockwork: dict[bytes, _Clockwork] = {}
        self._waiters: dict[bytes, asyncio.Future[StandingState]] = {}
        links.on(TOPIC, self._take_in)

    def speak(self, protocol: StandingProtocol) -> None:
        """Take part in sessions of this protocol. Before `run`."""
        if protocol.name in self._protocols:
            raise LocalError(f"{protocol.name} is spoken already")
        self._protocols[protocol.name] = protocol

    # --- what others ask of us -----------------------------------------------------------------------

    async def start(self, spec: SessionSpec) -> None:
        """Begin a session, and tell the others of it; returns when it is durable here.

        One that was begun before goes on, or stays ended. Raises `Refused`, `NotNow`, `Unavailable`.
        """
        await self._done(Event(Kind.BEGIN, spec.id, spec=spec))

    async def finished(self, session: bytes) -> StandingState:
        """Wait until it has concluded or failed here; what it gave is where its protocol keeps it."""
        state = await self._worker(self._vault.standing.state, session)
        if state not in (None, StandingState.RUNNING):
            return StandingState(state)
        waiter = self._waiters.setdefault(session, asyncio.get_running_loop().create_future())
        return await asyncio.shield(waiter)

    async def give_up(self, session: bytes) -> None:
        """End a session that has not concluded: it fails here, and is nobody's any more."""
        await self._done(Event(Kind.GIVE_UP, session))
        await self._done(Event(Kind.RETIRE, session))

    async def put_away(self, session: bytes) -> None:
        """End our part in a session wherever it stands, with its journal; what it has said still goes out.

        For one whose secrets must go before all others are done: parcels hold what was sealed to others only.
        """
        await self._done(Event(Kind.PUT_AWAY, session))

    def pace(self, share: float) -> None:
        """From now on use this share of one core: all of it while somebody waits for what is made here."""
        self._share = share

    def status(self) -> list[SessionView]:
        """All sessions that stand, the oldest first."""
        return sorted(self._views.values(), key=lambda view: (view.since, view.session))

    async def _take_in(self, sender: str, body: bytes) -> None:
        """One parcel; returns when what follows from it is durable."""
        talk = read_talk(body)
        if isinstance(talk, Announce):
            await self._done(Event(Kind.ANNOUNCED, talk.spec.id, sender, spec=talk.spec))
        elif isinstance(talk, Carry):
            await self._done(Event(Kind.ENVELOPE, talk.session, sender, talk.envelope))
        else:
            kind = Kind.HELP if isinstance(talk, Help) else Kind.DONE
            await self._done(Event(kind, talk.session, sender))

    async def _done(self, event: Event) -> None:
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.put(Event(event.kind, event.session, event.sender, event.envelope, event.spec, answer))
        await answer

    # --- the background ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Take up what stood when the process ended, then work, for as long as the task lives."""
        for view in await self._standing():
            self._note(view)
            self._turns.put(Event(Kind.RESUME, view.session))
        ticking = asyncio.ensure_future(self._tick())
        try:
            while True:
                await self._work(await self._turns.take())
        finally:
            ticking.cancel()

    async def _standing(self) -> list[SessionView]:
        while True:
            try:
                found: list[SessionView] = await self._worker(self._steps.standing)
                return found
            except LocalError as error:
                self._log("standing", outcome="trouble", error=type(error).__name__)
                await asyncio.sleep(self._tick_seconds)

    async def _work(self, events: list[Event]) -> None:
        begun = monotonic()
        try:
            result = await self._worker(self._steps.take, events)
        except BaseException:
            for event in events:
                if event.answer is not None and not event.answer.done():
                    event.answer.cancel()
            raise
        for event, outcome in zip(events, result.outcomes, strict=True):
            self._answer(event, outcome)
        if result.view is not None:
            self._note(result.view, retired=result.retired)
        self._metrics.gauge("standing_waiting", len(self._turns))
        await asyncio.sleep(max(0.0, result.cpu / self._share - (monotonic() - begun)))

    def _answer(self, event: Event, outcome: Exception | None) -> None:
        if event.kind is Kind.TICK and event.session in self._clockwork:
            self._clockwork[event.session].waiting = False
        if event.answer is None:
            if outcome is not None:
                kind, where = type(outcome).__name__, place_of(outcome)
                self._log("standing", session=event.session, outcome="trouble", error=kind, where=where)
        elif event.answer.done():
            return  # whoever asked has gone
        elif outcome is None:
            event.answer.set_result(None)
        else:
            event.answer.set_exception(outcome)

    def _note(self, view: SessionView, *, retired: bool = False) -> None:
        self._views[view.session] = view
        if view.state is StandingState.RUNNING:
            due = monotonic() + self._tick_seconds
            self._clockwork.setdefault(view.session, _Clockwork(due, self._tick_seconds))
        elif (waiter := self._waiters.pop(view.session, None)) is not None:
            waiter.set_result(view.state)
        if retired:
            del self._views[view.session]
            self._clockwork.pop(view.session, None)
        states = [one.state for one in self._views.values()]
        for state in (StandingState.RUNNING, StandingState.CONCLUDED, StandingState.FAILED):
            self._metrics.gauge("standing_sessions", states.count(state), state=state.value)

    # --- time ----------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._tick_seconds / 2)
            now = monotonic()
            for session, clockwork in list(self._clockwork.items()):
                if clockwork.due <= now and not clockwork.waiting:
                    self._tick_one(session, clockwork, now)
            self._limit()

    def _tick_one(self, session: bytes, clockwork: _Clockwork, now: float) -> None:
        heard = self._views[session].heard
        clockwork.silent = clockwork.silent + 1 if heard == clockwork.heard else 0
        if clockwork.silent < PATIENT_TICKS:
            clockwork.pause = self._tick_seconds
        else:
            clockwork.pause = min(MAX_TICK_SECONDS, clockwork.pause * TICK_GROWTH)
        clockwork.heard, clockwork.due, clockwork.waiting = heard, now + clockwork.pause, True
        self._turns.put(Event(Kind.TICK, session))

    def _limit(self) -> None:
        """Give up what has run, and retire what has lingered, for too long or in too large a crowd."""
        now = self._clock()
        limited = [view for view in self.status() if not self._lasts(view)]
        ended = [view for view in limited if view.state is not StandingState.RUNNING]
        for view in limited:
            if view.state is StandingState.RUNNING:
                if now - view.since > RUNNING_SECONDS:
                    self._turns.put(Event(Kind.GIVE_UP, view.session))
            elif now - view.since > LINGER_SECONDS or view in ended[: max(0, len(ended) - MAX_LINGERING)]:
                self._turns.put(Event(Kind.RETIRE, view.session))

    def _lasts(self, view: SessionView) -> bool:
        protocol = self._protocols.get(view.protocol)
        return protocol is not None and protocol.lasts and view.state is not StandingState.FAILED
