"""After a change of committee: a node starts its process anew, so that nothing of the past is in its memory.

The switch destroys what lies on disk. What lay in memory (shares that signed, polynomials that dealt them) is
freed, and Python overwrites nothing that it frees: a reader of the process's memory, or of a dump of it,
would find shares of the past epoch long after. Nothing inside a process can make sure of its own memory, so
the process replaces itself: the system gives the next one fresh pages.

One node after the other, when its sessions of the past epoch have ended, so that signatures find the others.
Overwriting buffers was rejected: numbers and bytes are copied where no program of ours can see it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Final, NoReturn

from quorate.clock import monotonic
from quorate.node.identity import PASSPHRASE_VARIABLE
from quorate.node.limits import PINNED_SECONDS
from quorate.node.lock import NodeLock
from quorate.node.node import Node
from quorate.secret import Secret

LOOK_SECONDS: Final = 0.5

SPREAD_SECONDS: Final = 1.0
"""Between nodes that have waited for the same one: enough to see that the one before has gone."""

PATIENCE_SECONDS: Final = 300.0
"""How long others are waited for; one that is down for longer is down for a reason of its own."""


class Forgetting:
    """Calls `stop` when the process is to be replaced; `due` then says so."""

    def __init__(self, node: Node, stop: Callable[[], None]) -> None:
        self.due = False
        self._node = node
        self._stop = stop
        self._gap = node.config.restart_gap

    async def watch(self) -> None:
        """Wait for the first change since the process began, and for our turn after it."""
        node = self._node
        begun = node.committee.epoch
        await _until(lambda: node.committee.epoch > begun)
        ends = monotonic() + PINNED_SECONDS + LOOK_SECONDS
        await _until(lambda: not node.sessions_before(node.committee.epoch) or monotonic() > ends)
        await asyncio.sleep(self._turn() * self._gap)
        await self._until_others_are_up(monotonic() + PATIENCE_SECONDS)
        await _until(lambda: node.epochs.under is None)
        node.log("forgetting", epoch=node.committee.epoch)
        self.due = True
        self._stop()

    async def _until_others_are_up(self, ends: float) -> None:
        """Who starts anew at this moment is waited for; of several that wait, the first in turn goes on."""
        while monotonic() < ends:
            if await self._others_are_up():
                await asyncio.sleep(self._turn() * SPREAD_SECONDS)
                if await self._others_are_up():
                    return
            await asyncio.sleep(LOOK_SECONDS)

    async def _others_are_up(self) -> bool:
        return all([await self._node.reaches(name) for name in self._node.committee.others])

    def _turn(self) -> int:
        names = self._node.committee.names
        return names.index(self._node.config.name) if self._node.config.name in names else 0


async def _until(done: Callable[[], bool]) -> None:
    while not done():  # noqa: ASYNC110 - what is waited for is several things of several threads
        await asyncio.sleep(LOOK_SECONDS)


def take_passphrase() -> Secret[str] | None:
    """The seal's passphrase, if the environment has one: the next process needs it again."""
    found = os.environ.get(PASSPHRASE_VARIABLE)
    return None if found is None else Secret(found)


def start_anew(passphrase: Secret[str] | None, lock: NodeLock) -> NoReturn:
    """Replace this process by one with the same command line, which holds the node's lock in its turn."""
    environment = {**os.environ, **lock.hand_on()}
    if passphrase is not None:
        environment[PASSPHRASE_VARIABLE] = passphrase.reveal()
    os.execve(sys.executable, sys.orig_argv, environment)  # noqa: S606 - no shell, our own command line
