"""The end of a link that takes parcels in: hands each to its handler and answers for it.

A parcel is acknowledged when its handler has returned, and a handler returns when what follows from the
parcel is durable. Up to `MAX_UNANSWERED` of one peer's parcels are handled at a time, over all connections it
has had; beyond that nothing more is read, and the sender feels it. Parcels come at least once, and in any
order when some were asked for later: handlers are idempotent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from quorate.errors import LocalError, Malformed, QuorateError, Remedy
from quorate.transport.links.dispatch import MAX_UNANSWERED, MAX_UNANSWERED_BYTES
from quorate.transport.links.frames import Ack, Later, Parcel
from quorate.transport.links.link import Link


class NotNow(LocalError):
    """A handler cannot take this parcel in yet, and wants it again after a while."""

    remedy = Remedy.RETRY


Handler = Callable[[str, bytes], Awaitable[None]]
"""``await handler(sender, body)``. Raises `NotNow`, or `Malformed` for what will never be good."""

Report = Callable[[str, str, Exception | None], None]
"""``report(sender, outcome, error)``: taken, later, malformed or mistake."""


class Intake:
    """What one peer has sent and we have not answered yet. Outlives its connections."""

    def __init__(self, peer: str, find: Callable[[str], Handler | None], report: Report) -> None:
        self.peer = peer
        self._find = find
        self._report = report
        self._count = 0
        self._bytes = 0
        self._room = asyncio.Event()
        self._room.set()
        self._running: set[asyncio.Task[None]] = set()

    @property
    def unanswered(self) -> int:
        """How many parcels are being handled."""
        return self._count

    async def handle(self, parcel: Parcel, answer: Callable[[Ack | Later], None]) -> None:
        """Wait until there is room, then begin to handle; `answer` is called when it is done."""
        while self._count >= MAX_UNANSWERED or (
            self._count and self._bytes + len(parcel.body) > MAX_UNANSWERED_BYTES
        ):
            self._room.clear()
            await self._room.wait()
        self._count += 1
        self._bytes += len(parcel.body)
        task = asyncio.ensure_future(self._handle(parcel, answer))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def close(self) -> None:
        """Give up what is being handled; it comes again."""
        for task in self._running:
            task.cancel()

    async def _handle(self, parcel: Parcel, answer: Callable[[Ack | Later], None]) -> None:
        try:
            outcome, error = await self._outcome(parcel)
        finally:
            self._count -= 1
            self._bytes -= len(parcel.body)
            self._room.set()
        self._report(self.peer, outcome, error)
        answer(Ack(parcel.number) if outcome in ("taken", "malformed") else Later(parcel.number))

    async def _outcome(self, parcel: Parcel) -> tuple[str, Exception | None]:
        handler = self._find(parcel.topic)
        if handler is None:
            return "later", None  # a newer version's topic: this node may be that version tomorrow
        try:
            await handler(self.peer, parcel.body)
        except Malformed as error:
            return "malformed", error
        except QuorateError as error:
            return "later", error
        except Exception as error:  # noqa: BLE001 - one parcel's mistake ends nothing but its handling
            return "mistake", error
        return "taken", None


async def take_in(link: Link, intake: Intake) -> None:
    """Serve one connection until it breaks. Raises `WireClosed`, `ProofRejected`, `Malformed`."""
    answers: asyncio.Queue[Ack | Later] = asyncio.Queue()  # as long as the intake lets it grow

    async def write() -> None:
        while True:
            await link.send(await answers.get())

    async def read() -> None:
        while True:
            frame = await link.receive()
            if not isinstance(frame, Parcel):
                raise Malformed("not a parcel")
            await intake.handle(frame, answers.put_nowait)

    tasks = [asyncio.ensure_future(work) for work in (write(), read())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
