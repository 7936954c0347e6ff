"""The thread for work that nobody waits for: standing sessions, and what links keep in the vault.

A step of a key generation computes for tens of milliseconds, sometimes hundreds. In the node's worker
thread it would stand in the way of every signature (docs/adr/0011-one-worker-thread.md); here it shares the
interpreter with it, which changes between the two every few milliseconds, and the caller caps its share of
the time. What the two threads have in common is the vault, which any thread may use, one transaction at a
time.

Not a process of its own: it would need the vault's seal and the node's keys a second time. And no lower
priority for the thread: while it holds the interpreter and the system lets others run first, the signing
thread would wait for them as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class BackgroundThread:
    """One thread, one piece of work after the other."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="background")

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a blocking function in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def close(self) -> None:
        """Wait for the piece of work at hand; begin no other."""
        self._threads.shutdown(wait=True, cancel_futures=True)
