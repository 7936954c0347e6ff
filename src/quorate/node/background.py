"""The thread for work that nobody waits for: standing sessions, and what links keep in the vault.

A step of a key generation computes for up to a tenth of a second with batches of 200 keys, and a third of
one with 1,000. In the node's worker thread it would stand in the way of every signature
(docs/adr/0011-one-worker-thread.md); here it shares the interpreter with it, and the caller caps its share
of the time. A step like one of signing that takes 12 ms alone takes 18 while this thread computes without
pause; changing between threads more often than the interpreter does by itself made it slower. What the two
threads have in common is the vault, which any thread may use, one transaction at a time.

Not a process of its own: it would need the vault's seal and the node's keys a second time. And no lower
priority for the thread: while it holds the interpreter and the system lets others run first, the signing
thread would wait for them as well.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from quorate.courtesy import giving_way

PATIENCE: Final = 0.05
"""Seconds to stand aside at one place: longer than a step of a signature, and short enough that a node which
signs without end still makes keys."""


class BackgroundThread:
    """One thread, one piece of work after the other. `ahead` marks the work that it stands aside for."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="background")
        self._free = threading.Event()
        self._free.set()

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a blocking function in the thread."""
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, self._behind, function, *arguments
        )

    def ahead(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function that somebody waits for, in the thread of the caller, of which there is one."""
        self._free.clear()
        try:
            return function(*arguments)
        finally:
            self._free.set()

    def _behind(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with giving_way(lambda: self._free.wait(PATIENCE)):
            return function(*arguments)

    def close(self) -> None:
        """Wait for the piece of work at hand; begin no other."""
        self._threads.shutdown(wait=True, cancel_futures=True)
