"""Storage in one SQLite file: the default of a device and of a node that begins small.

WAL with ``synchronous=FULL``: a commit has reached the disk when it returns. ``secure_delete`` overwrites
deleted rows inside the file; the WAL keeps older frames, which is one reason why rows are sealed under keys
that live elsewhere. One connection serves all threads, one transaction at a time, because SQLite has one
writer anyway; other processes are waited for.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from quorate.errors import Remedy, Unavailable
from quorate.vault.files import PRIVATE_FILE, make_private_directory
from quorate.vault.steps import Step, no_step
from quorate.vault.storage import BUSY_SECONDS, KNOWN_URLS, Parameter, Row, Storage, Transaction


class SqliteStorage(Storage):
    """See `open_storage`."""

    def __init__(self, url: str, *, step: Step = no_step) -> None:
        super().__init__(step=step)
        self._name = _path_of(url)
        self._lock = threading.Lock()
        if self._name != ":memory:":
            _create_private(Path(self._name))
        with self._explained():
            self._connection = sqlite3.connect(
                self._name, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",
                "secure_delete=ON",
                "fullfsync=ON",  # macOS: fsync alone leaves the bytes in the drive's cache
                "checkpoint_fullfsync=ON",
                "foreign_keys=ON",
                "trusted_schema=OFF",
                "temp_store=MEMORY",
            ):
                self._connection.execute(f"PRAGMA {pragma}").fetchall()

    @contextlib.contextmanager
    def _open(self) -> Iterator[Transaction]:
        with self._lock:
            with self._explained():
                self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield _SqliteTransaction(self)
                self._step("commit")
                with self._explained():
                    self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        self._step("committed")

    def lock_migrations(self, transaction: Transaction) -> None:
        """BEGIN IMMEDIATE already excludes every other writer."""

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def run(self, sql: str, parameters: Sequence[Parameter]) -> sqlite3.Cursor:
        """One statement on the connection; for the transaction that holds the lock."""
        with self._explained():
            if not sql.startswith("SELECT"):
                self._step("write row")
            return self._connection.execute(sql, parameters)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _explain(error, self._name) from error


class _SqliteTransaction(Transaction):
    def __init__(self, storage: SqliteStorage) -> None:
        super().__init__()
        self._storage = storage

    def execute(self, sql: str, parameters: Sequence[Parameter] = ()) -> int:
        return self._storage.run(sql, parameters).rowcount

    def query(self, sql: str, parameters: Sequence[Parameter] = (), *, for_update: bool = False) -> list[Row]:
        return self._storage.run(sql, parameters).fetchall()


def _path_of(url: str) -> str:
    if url == "sqlite://":
        return ":memory:"
    path = url.removeprefix("sqlite:///")
    if path == url or not path or "?" in path:
        raise Unavailable(f"{url!r} names no SQLite file; a storage is one of: {KNOWN_URLS}")
    return path


def _create_private(path: Path) -> None:
    """SQLite gives its WAL the mode of the database file, so the file is made here, for its owner alone."""
    make_private_directory(path.absolute().parent)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE))
    except PermissionError:
        raise Unavailable(
            f"the database {path} may not be written by this user; run as its owner, or chown it"
        ) from None
    except IsADirectoryError:
        raise Unavailable(f"{path} is a directory; name a file inside it as the database") from None


def _explain(error: sqlite3.Error, name: str) -> Unavailable:
    text = str(error)
    if "locked" in text or "busy" in text:
        return Unavailable(
            f"the database {name} was kept busy for {BUSY_SECONDS:.0f} s by another process; stop that one, "
            "or move to PostgreSQL if several processes share it",
            remedy=Remedy.RETRY,
        )
    if "not a database" in text or "malformed" in text:
        return Unavailable(f"{name} is not a database, or is damaged ({text}); restore it from a backup")
    if "full" in text:
        return Unavailable(f"no space is left for the database {name}; free some and try again")
    return Unavailable(f"the database {name} failed: {text}")
