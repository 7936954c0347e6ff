"""A committee whose nodes can be killed at any moment of a session: kill -9, in one process.

A moment is a frame between hub and victim, or a durable step of the victim's vault (`quorate.vault.steps`);
`arm` counts one kind of them. At the chosen one the victim stops: the frame does not pass, the write does not
happen, its transactions roll back, nothing of it runs on. What is left is its directory, on which `start`
begins again. Frames between nodes are not counted; they pass while the victim lives.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quorate.clock import unix_time
from quorate.testing.committee import LocalCommittee
from quorate.transport.channel import ChannelClosed, MemoryChannel
from quorate.transport.frames import Frame
from quorate.vault import Vault
from quorate.vault.seals import KeyFileSeal

FRAME: Final = "frame"
STEP: Final = "step"


class Killed(BaseException):
    """Thrown where a dead process would have gone on. No `Exception`, so that nothing handles it."""


@dataclass
class Life:
    """One run of one node, from start to kill."""

    name: str
    dead: bool = False
    kind: str = FRAME
    left: int = 0
    at: str = ""

    def moment(self, kind: str, what: str) -> bool:
        """Count one; gives whether the node is dead from here on."""
        if not self.dead and self.left and kind == self.kind:
            self.left -= 1
            if not self.left:
                self.dead, self.at = True, what
        return self.dead

    def step(self, name: str) -> None:
        """The vault's hook."""
        if self.moment(STEP, name):
            raise Killed(name)


class FragileCommittee(LocalCommittee):
    """See the module's docstring."""

    lives: dict[str, Life]
    later: float = 0.0
    """By how many seconds the clock is ahead; for tests that cannot wait."""

    def __init__(self, home: Path, size: int, degree: int) -> None:
        super().__init__(home, size, degree, clock=self.now)

    def now(self) -> float:
        """The time at the nodes, and at the devices of `tests.support.local_device`."""
        return unix_time() + self.later

    def restock(self) -> None:
        """Not while somebody is about to die: these writes are nobody's moments."""
        if not any(life.left or life.dead for life in self.lives.values()):
            super().restock()

    def arm(self, name: str, kind: str, moment: int) -> None:
        """Kill a node at its n-th `FRAME` or `STEP` from now."""
        self.lives[name].kind = kind
        self.lives[name].left = moment

    async def disarm(self, name: str) -> str:
        """Where the node was killed, if it was, and bury it; else empty."""
        life = self.lives[name]
        life.left = 0
        if life.dead:
            await self.bury(name)
        return life.at

    async def bury(self, name: str) -> None:
        """Let go of what a dead process would not hold: its database, its connections."""
        self.down.add(name)
        node = self.nodes.pop(name, None)
        if node is None:
            return
        self.lives[name].dead = True
        for task in (*node._connections, *node._background):
            task.cancel()
        await asyncio.gather(*node._background, return_exceptions=True)
        for pair, wire in list(self._wires.items()):
            if name in pair:
                await wire.close()
        await asyncio.to_thread(node.background.close)
        await asyncio.to_thread(node._threads.shutdown)
        node.vault.storage.close()

    async def kill(self, name: str) -> None:
        """Kill it now, between two moments."""
        self.lives[name].dead = True
        await self.bury(name)

    async def owner_connects(self, name: str) -> MemoryChannel:
        """Like `connect`, with every frame a moment."""
        return _Watched(await self.connect(name), self.lives[name])

    def _open_vault(self, name: str) -> Vault:
        if not hasattr(self, "lives"):
            self.lives = {}
        life = self.lives[name] = Life(name)
        directory = self.home / name
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        seal_file = directory / "seal.key"
        open_seal = KeyFileSeal.load if seal_file.exists() else KeyFileSeal.create
        seal = open_seal(seal_file, rng=self._rng)
        return Vault.open(self._storage(name), directory / "keys", seal, rng=self._rng, step=life.step)

    async def _serve(self, name: str, channel: MemoryChannel) -> None:
        life = self.lives[name]
        with contextlib.suppress(Killed):
            await super()._serve(name, channel)
        if life.dead:
            await channel.close()


class _Watched(MemoryChannel):
    """The owner's end of a channel to a node that may die."""

    def __init__(self, inner: MemoryChannel, life: Life) -> None:
        self._inner = inner
        self._life = life

    async def send(self, frame: Frame) -> None:
        if self._life.moment(FRAME, f"before it reads {type(frame).__name__}"):
            raise ChannelClosed(f"{self._life.name} is dead")
        await self._inner.send(frame)

    async def receive(self) -> Frame:
        frame = await self._inner.receive()
        if self._life.moment(FRAME, f"before its {type(frame).__name__} is out"):
            raise ChannelClosed(f"{self._life.name} is dead")
        return frame

    async def close(self) -> None:
        await self._inner.close()
