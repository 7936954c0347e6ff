"""One process a node: a file in its directory that the process holds locked, with its process id in it.

A lock goes with its process, so a stale file misleads nobody. A process that replaces itself
(`quorate.node.forgetting`) hands the open file on: there is no moment at which another could begin to serve
the same vault, or at which the node seems to have stopped.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from quorate.errors import Unavailable

LOCK_VARIABLE: Final = "QUORATE_NODE_LOCK"
"""Names the open file in the environment of the process that comes after this one."""

_FILE: Final = "node.pid"

_TRIES: Final = 10
_PAUSE_SECONDS: Final = 0.02
"""Who asks whether a node runs holds its lock for a moment."""

_PAUSE: Final = threading.Event()
"""Never set: waiting for it with a timeout is waiting for another process."""


class NodeLock:
    """Held until `release`, or until the process has ended, however it ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def hold(cls, directory: Path) -> NodeLock:
        """For a node's own process. Raises `Unavailable` if another process holds it."""
        handed = _handed_on(directory)
        descriptor = _open(directory) if handed is None else handed
        try:
            _lock(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            raise Unavailable(f"the node in {directory} runs already") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        return cls(descriptor)

    def hand_on(self) -> dict[str, str]:
        """What the environment of the program that replaces this one needs to hold it in its turn."""
        os.set_inheritable(self._descriptor, True)
        return {LOCK_VARIABLE: str(self._descriptor)}

    def release(self) -> None:
        """Give it up."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def running_pid(directory: Path) -> int | None:
    """The process of the node in `directory`, if one holds its lock."""
    try:
        descriptor = os.open(directory / _FILE, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0)
        return int(text) if text.isdigit() else None
    finally:
        os.close(descriptor)
    return None


def _open(directory: Path) -> int:
    return os.open(directory / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _handed_on(directory: Path) -> int | None:
    """The open file of the program before us, if the environment names one and it is this node's."""
    text = os.environ.pop(LOCK_VARIABLE, "")
    if not text.isdigit():
        return None
    descriptor = int(text)
    try:
        found, own = os.fstat(descriptor), (directory / _FILE).stat()
    except OSError:
        return None
    if (found.st_dev, found.st_ino) != (own.st_dev, own.st_ino):
        return None
    os.set_inheritable(descriptor, False)
    return descriptor


def _lock(descriptor: int) -> None:
    for _ in range(_TRIES - 1):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _PAUSE.wait(_PAUSE_SECONDS)
        else:
            return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
