"""The end of a link that has parcels to deliver: dials, sends, and sends again until each was taken in.

One `Dispatch` a peer, one connection at a time. Parcels wait in a `Store`, durably; they leave in the order
of their numbers, a window of them at a time, and are removed when the other end says that it has them. What
it asks to have later is put aside for a while, so that one parcel holds up no other.

A connection that breaks, and a peer that stops answering, are dialed again after a pause that doubles up to
`MAX_PAUSE_SECONDS`, with jitter: peers that went away together don't come back in step. Whoever hears from
the peer calls `hurry`, which ends the pause.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from quorate.clock import monotonic
from quorate.entropy import Rng
from quorate.errors import LocalError, Malformed
from quorate.transport.links.frames import Ack, Later, Parcel
from quorate.transport.links.handshake import Introduction, LinkPeer
from quorate.transport.links.link import Link, call
from quorate.transport.links.wire import Wire
from quorate.vault.outbox import Pending

MAX_UNANSWERED: Final = 64
"""Parcels on the way to one peer, or being handled there. More would only wait in its memory."""

MAX_UNANSWERED_BYTES: Final = 8 << 20
"""The same in bytes; at least one parcel is always on its way."""

ANSWER_SECONDS: Final = 60.0
"""A peer that answers nothing for so long is dialed anew. Peers work through what they were sent at a share
of one core, so this is long; a machine that has vanished is noticed sooner, by the connection's heartbeat."""

FIRST_PAUSE_SECONDS: Final = 0.1
MAX_PAUSE_SECONDS: Final = 30.0
"""How long a link stays down after a partition has healed, at most."""

FIRST_LATER_SECONDS: Final = 0.5
MAX_LATER_SECONDS: Final = 60.0
"""When a parcel that the peer could not take in is offered again; doubles each time."""

ANSWERS_TOGETHER: Final = 32
"""Delivered parcels are removed this many at a time, or when nothing else is to do: each removal is a write
to disk, and one that a crash has swallowed only repeats a parcel."""

_IDLE_SECONDS: Final = 0.2


class Store(Protocol):
    """Where parcels wait. Blocking; called in the worker. Numbers of one peer only grow."""

    def pending(self, peer: str, *, after: int, rows: int, size: int) -> list[Pending]:
        """The next parcels above number `after`, at most so many and about so many bytes, in order."""

    def remove(self, peer: str, numbers: Iterable[int]) -> None:
        """These were delivered. Unknown ones are passed over."""


class Dispatched(Protocol):
    """Is told what happens, for metrics and logs."""

    def sent(self, peer: str, *, again: bool) -> None: ...

    def answered(self, peer: str, *, later: bool) -> None: ...

    def failed(self, peer: str, error: Exception) -> None: ...


@dataclass(slots=True)
class _Aside:
    due: float
    wait: float


class Dispatch:
    """Delivers the parcels for `peer`. `run` it as a task; cancel the task to stop."""

    def __init__(
        self,
        me: Introduction,
        peer: LinkPeer,
        store: Store,
        connect: Callable[[LinkPeer], Awaitable[Wire]],
        worker: Callable[..., Awaitable[Any]],
        rng: Rng,
        told: Dispatched,
        *,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.peer = peer
        self.connected = False
        self._me = me
        self._store = store
        self._connect = connect
        self._worker = worker
        self._rng = rng
        self._told = told
        self._answer_seconds = answer_seconds
        self._more = asyncio.Event()
        self._more.set()
        self._hurry = asyncio.Event()
        self._tries = 0
        self._farthest = -1
        self._aside: dict[int, _Aside] = {}

    def wake(self) -> None:
        """Something was put into the store. From the event loop."""
        self._more.set()

    def hurry(self) -> None:
        """The peer shows signs of life: end the pause, if there is one."""
        self._hurry.set()

    async def run(self) -> None:
        """Deliver, for as long as the task lives."""
        while True:
            await self._more.wait()
            try:
                self._more.clear()  # before the look: what is put during it is noticed
                if not await self._fetch(after=-1, rows=1):
                    await _at_most(MAX_PAUSE_SECONDS, self._more)
                    self._more.set()
                    continue
                await self._connection()
            except (LocalError, TimeoutError) as error:
                self._told.failed(self.peer.name, error)
            await self._pause()
            self._more.set()  # whatever was on its way waits again

    async def _pause(self) -> None:
        longest = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(self._tries, 20))
        self._tries += 1
        jitter = int.from_bytes(self._rng(2), "big") / 0xFFFF
        await asyncio.sleep(FIRST_PAUSE_SECONDS / 2)
        self._hurry.clear()
        await _at_most(longest * (0.5 + jitter / 2), self._hurry)

    async def _connection(self) -> None:
        wire = await self._connect(self.peer)
        try:
            link = await call(wire, self._me, self.peer, self._rng)
            self.connected = True
            await _Delivery(self, link).run()
        finally:
            self.connected = False
            await wire.close()

    async def _fetch(self, *, after: int, rows: int, size: int = MAX_UNANSWERED_BYTES) -> list[Pending]:
        def read() -> list[Pending]:
            return self._store.pending(self.peer.name, after=after, rows=rows, size=size)

        found: list[Pending] = await self._worker(read)
        return found


class _Delivery:
    """One connection's worth of a dispatch: what is on its way, and what was answered."""

    def __init__(self, dispatch: Dispatch, link: Link) -> None:
        self._of = dispatch
        self._link = link
        self._cursor = -1
        self._flight: dict[int, int] = {}
        self._answered: list[int] = []
        self._heard = monotonic()
        self._news = asyncio.Event()
        for aside in dispatch._aside.values():
            aside.due = min(aside.due, self._heard + aside.wait)  # offered on a connection that broke

    async def run(self) -> None:
        tasks = [asyncio.ensure_future(work) for work in (self._feed(), self._listen())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._tidy()

    # --- sending -------------------------------------------------------------------------------------

    async def _feed(self) -> None:
        while True:
            self._news.clear()
            self._of._more.clear()
            if len(self._answered) >= ANSWERS_TOGETHER:
                await self._tidy()
            if not (await self._send_due() or await self._send_next()):
                await self._wait()

    async def _send_next(self) -> bool:
        rows = MAX_UNANSWERED - len(self._flight)
        size = MAX_UNANSWERED_BYTES - sum(self._flight.values())
        if rows <= 0 or (self._flight and size <= 0):
            return False
        found = await self._of._fetch(after=self._cursor, rows=rows, size=max(size, 1))
        for waiting in found:
            self._cursor = waiting.number
            if waiting.number not in self._of._aside:
                await self._send(waiting)
        return bool(found)

    async def _send_due(self) -> bool:
        now = monotonic()
        due = [number for number, aside in sorted(self._of._aside.items()) if aside.due <= now]
        for number in due[: MAX_UNANSWERED - len(self._flight)]:
            if number in self._flight:
                continue
            found = await self._of._fetch(after=number - 1, rows=1)
            if found and found[0].number == number:
                self._of._aside[number].due = float("inf")  # until it is answered
                await self._send(found[0])
                return True
            del self._of._aside[number]  # forgotten meanwhile
        return False

    async def _send(self, waiting: Pending) -> None:
        if not self._flight:
            self._heard = monotonic()
        self._flight[waiting.number] = len(waiting.body)
        again = waiting.number <= self._of._farthest
        self._of._farthest = max(self._of._farthest, waiting.number)
        await self._link.send(Parcel(waiting.number, waiting.topic, waiting.body))
        self._of._told.sent(self._of.peer.name, again=again)

    async def _wait(self) -> None:
        """Until something is put in, answered or due; what was answered is removed meanwhile."""
        due = min((aside.due for aside in self._of._aside.values()), default=float("inf"))
        patience = min(MAX_LATER_SECONDS, max(0.0, due - monotonic()))
        if self._answered:
            patience = min(patience, _IDLE_SECONDS)
        news = [asyncio.ensure_future(event.wait()) for event in (self._news, self._of._more)]
        try:
            done, _ = await asyncio.wait(news, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in news:
                task.cancel()
        if not done:
            await self._tidy()

    async def _tidy(self) -> None:
        answered, self._answered = self._answered, []
        if answered:
            await self._of._worker(self._of._store.remove, self._of.peer.name, answered)

    # --- listening -----------------------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._of._answer_seconds / 4):
                    frame = await self._link.receive()
            except TimeoutError:
                if self._flight and monotonic() - self._heard > self._of._answer_seconds:
                    raise
                continue
            self._heard = monotonic()
            if not isinstance(frame, Ack | Later) or frame.number not in self._flight:
                raise Malformed("an answer to no parcel")
            del self._flight[frame.number]
            later = isinstance(frame, Later)
            if later:
                before = self._of._aside.get(frame.number)
                wait = min(MAX_LATER_SECONDS, 2 * before.wait if before else FIRST_LATER_SECONDS)
                self._of._aside[frame.number] = _Aside(self._heard + wait, wait)
            else:
                self._of._aside.pop(frame.number, None)
                self._answered.append(frame.number)
                self._of._tries = 0
            self._of._told.answered(self._of.peer.name, later=later)
            self._news.set()


async def _at_most(seconds: float, event: asyncio.Event) -> None:
    """Wait for `event`, but no longer. (`asyncio.wait_for` can swallow a cancellation up to Python 3.11.)"""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
