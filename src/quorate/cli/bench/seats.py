"""Running the nodes of a session in a process each, so that one node's CPU time and memory are its own.

The bench carries every message itself, one at a time, so on any number of cores the processes do not compete.
CPU time is counted around the calls of a node's desk alone: taking in an envelope, checking, computing,
writing the answers. What the carrying costs is nobody's. Delivery is in waves as in `harness`: everything
sent in answer to one wave arrives in the next, and a wave is a round.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from quorate.clock import process_cpu
from quorate.errors import LocalError
from quorate.session import EVERYBODY, Envelope, PartyId


class Desk(Protocol):
    """What a node's process holds: one session at a time."""

    def receive(self, data: bytes) -> list[bytes]:
        """Take in one envelope; the answers."""


@dataclass(slots=True)
class Load:
    """What one run took: CPU seconds of each node, bytes and messages of all together."""

    cpu: dict[PartyId, float] = field(default_factory=dict)
    bytes: int = 0
    messages: int = 0
    rounds: int = 0


@dataclass(slots=True)
class Seat:
    """One node's process, called from the bench."""

    process: BaseProcess
    connection: Connection
    cpu: float = 0.0

    def call(self, what: str, *arguments: Any) -> Any:
        """A method of the node's desk. Raises `LocalError` with the other process's reason if it failed."""
        self.connection.send((what, arguments))
        try:
            failed, answer, used = self.connection.recv()
        except EOFError:
            raise LocalError("a node of the benchmark has died") from None
        self.cpu += used
        if failed:
            raise LocalError(f"a node of the benchmark failed: {answer}")
        return answer


class Table:
    """All nodes of a benchmark, each in its process."""

    def __init__(self, seats: Mapping[PartyId, Seat]) -> None:
        self.seats = dict(seats)

    @classmethod
    @contextmanager
    def laid(cls, names: tuple[PartyId, ...], desk: Callable[[PartyId], Desk]) -> Iterator[Table]:
        """Start a process for each name, in which `desk(name)` is called; all end with the block.

        `desk` travels to the processes, so it is a function of a module or a partial of one.
        """
        context = multiprocessing.get_context("spawn")
        seats = {}
        try:
            for name in names:
                ours, theirs = context.Pipe()
                process = context.Process(target=_serve, args=(theirs, desk, name), daemon=True)
                process.start()
                theirs.close()
                seats[name] = Seat(process, ours)
            yield cls(seats)
        finally:
            for seat in seats.values():
                seat.connection.close()
            for seat in seats.values():
                seat.process.join(timeout=10)
                if seat.process.is_alive():
                    seat.process.kill()

    def call(self, what: str, *arguments: Any) -> dict[PartyId, Any]:
        """The same call at every desk; its answers."""
        return {name: seat.call(what, *arguments) for name, seat in self.seats.items()}

    def run(self, begin: str, *arguments: Any) -> Load:
        """`begin` at every desk gives its first envelopes; carries until nobody sends any more."""
        for seat in self.seats.values():
            seat.cpu = 0.0
        load = Load()
        wave = [(name, data) for name, sent in self.call(begin, *arguments).items() for data in sent]
        while wave:
            load.rounds += 1
            following = []
            for sender, data in wave:
                recipient = Envelope.parse(data).recipient
                for name in self.seats if recipient == EVERYBODY else (recipient,):
                    if name != sender:
                        load.messages += 1
                        load.bytes += len(data)
                        following += [(name, answer) for answer in self.seats[name].call("receive", data)]
            wave = following
        load.cpu = {name: seat.cpu for name, seat in self.seats.items()}
        return load


def peak_memory() -> int:
    """The most bytes of memory this process ever had in use."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        import resource
        import sys

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak << 10
    # not getrusage: a new process inherits its parent's peak there
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) << 10


def _serve(connection: Connection, desk: Callable[[PartyId], Desk], name: PartyId) -> None:
    """A node's process: answers calls until the bench hangs up."""
    ours = desk(name)
    while True:
        try:
            what, arguments = connection.recv()
        except EOFError:
            return
        begun = process_cpu()
        try:
            failed, answer = False, getattr(ours, what)(*arguments)
        except Exception as error:  # noqa: BLE001  the bench raises it again, on its side
            failed, answer = True, f"{type(error).__name__}: {error}"
        used = process_cpu() - begun
        connection.send((failed, answer, used))
