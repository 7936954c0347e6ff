"""The other end of the hub: hosts one session that somebody proposes over a channel.

The service behind it decides (is the proposer entitled, is the request allowed) and stores; this file only
keeps the order of frames, the deadline, and the rule that what must be durable is durable before the
frame that depends on it leaves. Computing and storing run in the host's worker thread, so that a long round
never stalls health checks and other connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeVar

from quorate.clock import monotonic
from quorate.errors import Abort, LocalError, Missing, QuorateError
from quorate.session import Session
from quorate.transport.channel import Channel, ChannelClosed
from quorate.transport.frames import Begin, Deliver, Failed, Finished, Frame, Nonce, Propose
from quorate.transport.reports import report, restore

T = TypeVar("T")
F = TypeVar("F")

IDLE_SECONDS: Final = 30.0
"""A party whose hub is silent for longer gives up; a little more than the hub's own deadline."""

SESSION_SECONDS: Final = 120.0
"""A session in all. The longest of ours takes a few seconds; a hub that says just enough never to be idle
would otherwise keep its seat for ever."""

Worker = Callable[..., Awaitable[Any]]
"""``await worker(function, *arguments)`` runs a blocking function off the event loop."""


class Hosted(Protocol):
    """One accepted session of a service."""

    session: Session[Any]

    def finish(self) -> bytes:
        """Store the result, durably; gives the public outcome for the hub. Runs in the worker."""

    def fail(self, error: QuorateError) -> None:
        """Record what ended the session (a quarantine, for instance), durably. Runs in the worker."""


class SessionService(Protocol):
    """Decides on proposals. All methods raise errors of the tree; `Refused` says why in words."""

    me: str

    async def consider(self, propose: Propose) -> bytes:
        """The nonce for an acceptable proposal."""

    async def open(self, propose: Propose, nonce: bytes, begin: Begin) -> Hosted:
        """Make the session of a complete agreement."""


async def host(
    channel: Channel,
    service: SessionService,
    worker: Worker,
    *,
    idle: float = IDLE_SECONDS,
    first: float | None = None,
    total: float = SESSION_SECONDS,
) -> None:
    """Serve one session on `channel`, then return; the channel stays open.

    `first` is how long the proposal may take to come, `idle` each frame after it.
    Errors of the tree are told, not raised. Any other is a mistake in some code of ours: the session ends as
    it does after a failure of its own, and the exception goes on to whoever keeps the log.
    """
    hosted: Hosted | None = None
    line = _Line(channel, idle, monotonic() + total)
    try:
        propose = await _expect(line if first is None else replace(line, idle=first), Propose)
        nonce = await service.consider(propose)
        await line.send(Nonce(nonce))
        begin = await _expect(line, Begin)
        hosted = await service.open(propose, nonce, begin)
        outcome = await _run(line, hosted, worker)
        hosted = None  # it has ended well; whether the hub still hears so changes nothing here
        await line.send(Finished(outcome))
    except ChannelClosed as error:
        if hosted is not None:
            await worker(hosted.fail, Missing(str(error), parties=["hub"], needed=1))
    except QuorateError as error:
        if hosted is not None:
            # Durable before the answer: a peer that made us fail a check must not learn it and reset us.
            await worker(hosted.fail, error)
        await _tell(line, report(error, service.me))
    except Exception:
        failure = LocalError("the session ended by a mistake in this party's program")
        if hosted is not None:
            await worker(hosted.fail, failure)
        await _tell(line, report(failure, service.me))
        raise


async def _run(line: _Line, hosted: Hosted, worker: Worker) -> bytes:
    session = hosted.session
    outbound = await worker(session.start)
    while True:
        if session.error is not None:
            raise session.error
        if outbound:
            await line.send(Deliver(tuple(outbound)))
        if session.done:
            outcome: bytes = await worker(hosted.finish)
            return outcome
        frame = await line.receive()
        if isinstance(frame, Failed):
            raise restore(frame, "hub")
        if not isinstance(frame, Deliver):
            raise Abort("a frame out of order ended the session", parties=["hub"])
        outbound = await worker(_take_in, session, frame.envelopes)


def _take_in(session: Session[Any], envelopes: tuple[bytes, ...]) -> list[bytes]:
    return [answer for data in envelopes for answer in session.receive(data)]


async def _expect(line: _Line, kind: type[F]) -> F:
    frame = await line.receive()
    if isinstance(frame, Failed):
        raise restore(frame, "hub")
    if not isinstance(frame, kind):
        raise Abort(f"expected {kind.__name__.lower()}, got {type(frame).__name__.lower()}", parties=["hub"])
    return frame


@dataclass(frozen=True, slots=True)
class _Line:
    """A channel on which nothing waits for ever: neither for a silent hub nor for one that does not read."""

    channel: Channel
    idle: float
    ends: float

    async def receive(self) -> Frame:
        return await self._in_time(self.channel.receive(), "been silent")

    async def send(self, frame: Frame) -> None:
        await self._in_time(self.channel.send(frame), "read nothing")

    async def _in_time(self, action: Coroutine[Any, Any, T], fault: str) -> T:
        try:
            return await asyncio.wait_for(action, max(0.0, min(self.idle, self.ends - monotonic())))
        except TimeoutError:
            raise Missing(f"the hub has {fault} for too long", parties=["hub"], needed=1) from None


async def _tell(line: _Line, frame: Failed) -> None:
    try:
        await line.send(frame)
    except (ChannelClosed, Missing):
        return
