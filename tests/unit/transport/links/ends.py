"""Two nodes that know each other, and a store that is a list."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from quorate.entropy import system_rng
from quorate.errors import LocalError
from quorate.session import KeyPair
from quorate.transport.links import (
    Dispatch,
    Intake,
    Introduction,
    LinkPeer,
    MemoryWire,
    Wire,
    WireClosed,
    answer,
    take_in,
)
from quorate.vault.outbox import Pending

KEYS = {name: KeyPair.generate(system_rng) for name in ("alice", "bob", "mallory")}
ME = {name: Introduction("test", name, keys) for name, keys in KEYS.items()}
PEER = {name: LinkPeer(name, "", keys.public) for name, keys in KEYS.items()}


async def inline(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


class ListStore:
    """A store in memory."""

    def __init__(self, *bodies: bytes) -> None:
        self.rows: dict[int, bytes] = {}
        self.last = -1
        for body in bodies:
            self.put(body)

    def put(self, body: bytes) -> int:
        self.last += 1
        self.rows[self.last] = body
        return self.last

    def pending(self, peer: str, *, after: int, rows: int, size: int) -> list[Pending]:
        found: list[Pending] = []
        for number in sorted(self.rows):
            if number <= after:
                continue
            total = sum(len(one.body) for one in found)
            if len(found) == rows or (found and total + len(self.rows[number]) > size):
                break
            found.append(Pending(number, "topic", self.rows[number]))
        return found

    def remove(self, peer: str, numbers: Iterable[int]) -> None:
        for number in numbers:
            self.rows.pop(number, None)


class Notes:
    """Counts what a dispatch tells."""

    def __init__(self) -> None:
        self.fresh = self.repeated = self.taken = self.postponed = 0
        self.failures: list[Exception] = []

    def sent(self, peer: str, *, again: bool) -> None:
        self.repeated += again
        self.fresh += not again

    def answered(self, peer: str, *, later: bool) -> None:
        self.postponed += later
        self.taken += not later

    def failed(self, peer: str, error: Exception) -> None:
        self.failures.append(error)


class Receiver:
    """bob: takes in what alice sends, over as many connections as she makes."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.outcomes: list[str] = []
        self.failures: list[Exception] = []
        self.refuse: Callable[[bytes], None] = lambda body: None
        self.reachable = True
        self.dialed = 0
        self.wires: list[MemoryWire] = []
        self.intake = Intake("alice", lambda topic: self.handle, self.note)
        self._tasks: set[asyncio.Task[None]] = set()

    async def handle(self, sender: str, body: bytes) -> None:
        self.refuse(body)
        self.bodies.append(body)

    def note(self, sender: str, outcome: str, error: Exception | None) -> None:
        self.outcomes.append(outcome)

    async def connect(self, peer: LinkPeer) -> Wire:
        self.dialed += 1
        if not self.reachable:
            raise WireClosed("bob is away")
        near, far = MemoryWire.pair()
        self.wires.append(far)
        task = asyncio.create_task(self._serve(far))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return near

    async def _serve(self, wire: MemoryWire) -> None:
        try:
            link = await answer(wire, ME["bob"], PEER.get, system_rng)
            await take_in(link, self.intake)
        except (LocalError, TimeoutError) as error:
            self.failures.append(error)
        finally:
            await wire.close()

    async def cut(self) -> None:
        for wire in self.wires:
            await wire.close()
        self.wires.clear()


def dispatch(store: ListStore, receiver: Any, notes: Notes, **options: Any) -> Dispatch:
    return Dispatch(ME["alice"], PEER["bob"], store, receiver.connect, inline, system_rng, notes, **options)


async def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for something that must happen."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.005)
