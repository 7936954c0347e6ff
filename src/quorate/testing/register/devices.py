"""Honest devices and readers of a simulated register."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from quorate.account.register import Entry, Login
from quorate.account.register.procedures import read, write
from quorate.errors import Missing, QuorateError, Refused
from quorate.testing.dice import seed_of
from quorate.testing.register.factors import ACCOUNT, RULES, START, Factors, key_of, make_entry
from quorate.testing.register.thief import THIEF
from quorate.testing.register.world import Task, World

DEVICES: Final = ("phone", "laptop")
FAR: Final = int(START) + 10_000


class Device:
    """An honest device with its operations: it reads, then writes each until it is decided or forbidden."""

    def __init__(self, world: World, name: str, operations: int) -> None:
        self._world, self._name = world, name
        self._left = operations
        self._client = world.client(name)
        self._login = Login(ACCOUNT, key_of(name))
        self._dies_at = START + world.dice.below(40) if world.dice.happens(0.1) else None
        self._operation = b""
        self._kind = 0
        self._expires = FAR

    def start(self) -> None:
        """Begin the next operation."""
        if self._left == 0:
            return
        self._left -= 1
        self._world.open += 1
        dice = self._world.dice
        self._operation = seed_of(self._name, dice.below(1 << 30))[:16]
        self._kind = dice.below(4)
        self._expires = int(self._world.now) + 3 + dice.below(20) if dice.happens(0.2) else FAR
        self._read()

    @property
    def _dead(self) -> bool:
        return self._dies_at is not None and self._world.now >= self._dies_at

    def _task(self, procedure: Any, done: Callable[[Any], None]) -> None:
        Task(self._world, self._name, procedure, self._login, done).start(self._client)

    def _read(self) -> None:
        if self._dead:
            self._world.happened["device died"] += 1
            self._world.open -= 1
            return
        self._task(read(self._client, self._rng), self._write)

    def _rng(self, count: int) -> bytes:
        return seed_of(self._name, self._world.dice.below(1 << 30))[:count]

    def _write(self, result: Entry | QuorateError | None) -> None:
        if isinstance(result, QuorateError):
            self._world.happened[f"read: {type(result).__name__}"] += 1
            self._world.later(2.0, self._read)
            return
        self._task(write(self._client, self._propose), self._done)

    def _propose(self, head: Entry | None) -> Entry:
        keys: tuple[bytes, ...]
        if head is None:
            keys = (*(key_of(name) for name in DEVICES), key_of(THIEF))
        else:
            keys = RULES.record(head).keys
        if key_of(self._name) not in keys:
            raise Refused("this device was removed", code="removed")
        if self._kind == 0 and head is not None:
            keys = tuple(key for key in keys if key != key_of(THIEF))
        record = Factors(keys, self._expires, self._operation[:4])
        entry = make_entry(self._name, head, record, self._operation)
        self._world.entries[entry.hash] = entry
        return entry

    def _done(self, result: Entry | QuorateError) -> None:
        world = self._world
        if isinstance(result, Missing) and not self._dead:
            world.happened["write: Missing"] += 1
            world.later(2.0, self._read)
            return
        world.open -= 1
        if isinstance(result, Entry):
            world.happened["written"] += 1
            world.acknowledged[result.hash] = result
        elif isinstance(result, Refused):
            world.happened[f"refused: {result.code}"] += 1
            if result.code == "expired" and self._expires == FAR:
                world.problems.append(f"an operation without expiry was refused: {result}")
            elif result.code not in ("expired", "removed") and self._expires == FAR:
                world.problems.append(f"an honest operation was refused: {result}")
        if not self._dead:
            world.later(world.dice.below(3000) / 1000, self.start)


class Reader:
    """A reader that knows nothing: own factor, node or auditor."""

    def __init__(self, world: World, name: str, *, factor: bool) -> None:
        self._world, self._name, self._factor = world, name, factor
        self._floor = 0

    def start(self) -> None:
        """Read once more, until it succeeds."""
        self._world.open += 1
        self._again()

    def _again(self) -> None:
        world = self._world
        self._floor = max(world.decided, default=0)
        client = world.client(self._name, reader=not self._factor)
        login = Login(ACCOUNT, key_of(self._name))

        def rng(count: int) -> bytes:
            return seed_of(self._name, world.dice.below(1 << 30))[:count]

        Task(world, self._name, read(client, rng), login, self._done).start(client)

    def _done(self, result: Entry | QuorateError | None) -> None:
        world = self._world
        if isinstance(result, QuorateError):
            world.happened[f"read: {type(result).__name__}"] += 1
            world.later(2.0, self._again)
            return
        world.open -= 1
        world.happened["read"] += 1
        version = 0 if result is None else result.version
        if version < self._floor:
            world.problems.append(f"a stale read: version {version}, decided was {self._floor}")
        if result is not None and world.decided.get(version) != result.hash:
            world.problems.append(f"a read of version {version} that is not decided")
