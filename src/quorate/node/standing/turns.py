"""Whose event is next: nodes take turns, so that one that floods delays the others by its share and no
more."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from quorate.session import SessionSpec

MAX_TOGETHER: Final = 8
"""Events of one session that share a transaction: a write to disk costs as much as a small step, and one that
is much longer would hold up signatures, which write to the same database."""


class Kind(Enum):
    """What happens to a session."""

    BEGIN = auto()
    ANNOUNCED = auto()
    RESUME = auto()
    ENVELOPE = auto()
    TICK = auto()
    HELP = auto()
    DONE = auto()
    GIVE_UP = auto()
    RETIRE = auto()
    PUT_AWAY = auto()


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happens. `sender` is empty for what comes from this node itself."""

    kind: Kind
    session: bytes
    sender: str = ""
    envelope: bytes = b""
    spec: SessionSpec | None = None
    answer: asyncio.Future[None] | None = None


class Turns:
    """Queues of events, one a node. Bounded by what links take in at a time."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Event]] = {}
        self._more = asyncio.Event()

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def put(self, event: Event) -> None:
        """Behind the other events of its sender."""
        self._queues.setdefault(event.sender, deque()).append(event)
        self._more.set()

    async def take(self) -> list[Event]:
        """Wait for an event; with it come others of the same session that are next in their queues."""
        while not self._queues:
            self._more.clear()
            await self._more.wait()
        first = self._pop(next(iter(self._queues)))
        taken = [first]
        for sender in list(self._queues):
            while len(taken) < MAX_TOGETHER and self._heads(sender, first.session):
                taken.append(self._pop(sender))
        return taken

    def _heads(self, sender: str, session: bytes) -> bool:
        queue = self._queues.get(sender)
        return queue is not None and queue[0].session == session

    def _pop(self, sender: str) -> Event:
        queue = self._queues.pop(sender)
        event = queue.popleft()
        if queue:
            self._queues[sender] = queue  # at the end of the line
        return event
