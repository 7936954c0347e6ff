"""The other end of the hub: hosts one session that somebody proposes over a channel.

The service behind it decides (is the proposer entitled, is the request allowed) and stores; this file only
keeps the order of frames, the deadline, and the rule that what must be durable is durable before the
frame that depends on it leaves. Computing and storing run in the host's worker thread, so that a long round
never stalls health checks and other connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, TypeVar

from quorate.errors import Abort, Missing, QuorateError
from quorate.session import Session
from quorate.transport.channel import Channel, ChannelClosed
from quorate.transport.frames import Begin, Deliver, Failed, Finished, Frame, Nonce, Propose
from quorate.transport.reports import report, restore

T = TypeVar("T")
F = TypeVar("F")

IDLE_SECONDS: Final = 30.0
"""A party whose hub is silent for longer gives up; a little more than the hub's own deadline."""

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
    channel: Channel, service: SessionService, worker: Worker, *, idle: float = IDLE_SECONDS
) -> None:
    """Serve one session on `channel`, then return; the channel stays open. Errors are told, not raised."""
    hosted: Hosted | None = None
    try:
        propose = await _expect(channel, Propose, idle)
        nonce = await service.consider(propose)
        await channel.send(Nonce(nonce))
        begin = await _expect(channel, Begin, idle)
        hosted = await service.open(propose, nonce, begin)
        await _run(channel, hosted, worker, idle)
    except ChannelClosed as error:
        if hosted is not None:
            await worker(hosted.fail, Missing(str(error), parties=["hub"], needed=1))
    except QuorateError as error:
        if hosted is not None:
            # Durable before the answer: a peer that made us fail a check must not learn it and reset us.
            await worker(hosted.fail, error)
        await _tell(channel, report(error, service.me))


async def _run(channel: Channel, hosted: Hosted, worker: Worker, idle: float) -> None:
    session = hosted.session
    outbound = await worker(session.start)
    while True:
        if session.error is not None:
            raise session.error
        if outbound:
            await channel.send(Deliver(tuple(outbound)))
        if session.done:
            await channel.send(Finished(await worker(hosted.finish)))
            return
        frame = await _receive(channel, idle)
        if isinstance(frame, Failed):
            raise restore(frame, "hub")
        if not isinstance(frame, Deliver):
            raise Abort("a frame out of order ended the session", parties=["hub"])
        outbound = await worker(_take_in, session, frame.envelopes)


def _take_in(session: Session[Any], envelopes: tuple[bytes, ...]) -> list[bytes]:
    return [answer for data in envelopes for answer in session.receive(data)]


async def _expect(channel: Channel, kind: type[F], idle: float) -> F:
    frame = await _receive(channel, idle)
    if isinstance(frame, Failed):
        raise restore(frame, "hub")
    if not isinstance(frame, kind):
        raise Abort(f"expected {kind.__name__.lower()}, got {type(frame).__name__.lower()}", parties=["hub"])
    return frame


async def _receive(channel: Channel, idle: float) -> Frame:
    try:
        return await asyncio.wait_for(channel.receive(), idle)
    except TimeoutError:
        raise Missing("the hub has been silent for too long", parties=["hub"], needed=1) from None


async def _tell(channel: Channel, frame: Failed) -> None:
    try:
        await channel.send(frame)
    except ChannelClosed:
        return
