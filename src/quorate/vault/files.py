"""Small files that must survive a power cut, and small files that must not survive their erasure.

POSIX: a file's bytes are durable after `fsync` of the file, its name after `fsync` of the directory. Erasing
overwrites in place first. On a copy-on-write file system, on flash with wear levelling and in a snapshot of
the volume the old bytes may stay behind; `docs/protocols/vault.md` says what bounds that.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from quorate.errors import LimitExceeded, Unavailable
from quorate.vault.steps import Step, no_step

PRIVATE_FILE: Final = 0o600
PRIVATE_DIRECTORY: Final = 0o700

MAX_SMALL_FILE_BYTES: Final = 1 << 16
"""Key files and wrapped keys are far below 1 KiB; a larger file is not ours."""


def write_new(path: Path, data: bytes, *, draft: Path, step: Step = no_step) -> None:
    """Write `data` to `path` durably and whole, or not at all; an existing `path` is replaced.

    `draft` is where the bytes are gathered first, on the same file system. The caller serialises writers.
    """
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        step("write draft")
        _write_all(descriptor, data)
        step("sync draft")
        sync(descriptor)
    finally:
        os.close(descriptor)
    step("name file")
    draft.replace(path)
    step("sync directory")
    sync_directory(path.parent)


def erase(path: Path, *, step: Step = no_step) -> None:
    """Overwrite and remove `path` durably. A file that is not there is already erased."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        step("overwrite")
        _write_all(descriptor, bytes(os.fstat(descriptor).st_size))
        step("sync overwrite")
        sync(descriptor)
    finally:
        os.close(descriptor)
    step("unlink")
    path.unlink(missing_ok=True)
    step("sync directory")
    sync_directory(path.parent)


def replace(path: Path, data: bytes, *, room: Path, step: Step = no_step) -> None:
    """`write_new`, and what stood there before is overwritten and gone when this returns.

    `room` is a directory on the same file system for drafts. After a crash the old file is in place, or the
    new one; in the room may be a draft, or the old file: under a second name if it is still in place, and
    otherwise to be erased. The caller serialises writers.
    """
    old = room / f"{path.name}.old"
    if path.exists():
        old.unlink(missing_ok=True)
        step("name old file")
        old.hardlink_to(path)
        sync_directory(room)
    write_new(path, data, draft=room / path.name, step=step)
    erase(old, step=step)


def read_small(path: Path) -> bytes:
    """The bytes of a small file. Raises `FileNotFoundError`, `Unavailable`, `LimitExceeded`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SMALL_FILE_BYTES + 1)
    except PermissionError:
        raise Unavailable(
            f"{path} may not be read by this user; run as the user that owns it, or chown it"
        ) from None
    except IsADirectoryError:
        raise Unavailable(f"{path} is a directory; a file was expected") from None
    if len(data) > MAX_SMALL_FILE_BYTES:
        raise LimitExceeded(f"{path} is larger than {MAX_SMALL_FILE_BYTES} bytes; this is no file of ours")
    return data


def make_private_directory(path: Path) -> None:
    """Create `path` (mode 0700, durably) or accept it as it is; refuses one that others may write to."""
    try:
        path.mkdir(mode=PRIVATE_DIRECTORY, parents=True)
        sync_directory(path.parent)
    except FileExistsError:
        if not path.is_dir():
            raise Unavailable(f"{path} is a file; a directory was expected") from None
        if path.stat().st_mode & 0o022:
            raise Unavailable(f"others may write to {path}; run: chmod go-w {path}") from None
    except PermissionError:
        raise Unavailable(
            f"{path} cannot be created by this user; choose another place or chown it"
        ) from None


def sync(descriptor: int, *, same_size: bool = False) -> None:
    """Make a file's bytes durable. `same_size`: only bytes changed, so the cheaper call is enough."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:  # macOS: fsync alone leaves the bytes in the drive's cache
        fcntl.fcntl(descriptor, full)
    elif same_size:
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def sync_directory(path: Path) -> None:
    """Make the names inside `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes on the file `path`; a dead process lets go of it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
