"""Rows and transactions, the same on SQLite and PostgreSQL: the only SQL surface the vault stands on.

A database is named by a URL. ``with storage.transaction() as tx`` commits durably when the block ends and
rolls back when it raises. A block inside a block of the same thread joins it: its writes are durable when
the *outermost* block ends. When a joined block raises, the outermost cannot commit any more, also if
somebody in between has swallowed the error: half of a unit never becomes durable.

What it assumes: SQL that both engines understand, ``?`` for parameters (and nowhere else), and `BLOB` for
bytes. Under PostgreSQL transactions run at READ COMMITTED, so a reader that is about to write asks for
`for_update=True`; SQLite has one writer at a time and needs nothing.
What it does not do: pooling across processes, asynchronous calls (callers use a worker thread), or SQL
beyond the vault's few tables.
"""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Final, TypeAlias

from quorate.errors import LocalError, Unavailable
from quorate.vault.steps import Step, no_step

Row: TypeAlias = tuple[Any, ...]
Parameter: TypeAlias = bytes | str | int | float | None

BUSY_SECONDS: Final = 10.0
"""How long a transaction waits for another process before it gives up: a commit takes milliseconds, so ten
seconds of waiting mean that the other process hangs."""

KNOWN_URLS: Final = "sqlite:///relative/path.db, sqlite:////absolute/path.db, postgresql://user@host/name"


def open_storage(url: str, *, step: Step = no_step) -> Storage:
    """Open (SQLite: create) the database that `url` names and bring its tables to this version.

    ``sqlite:///path`` (one slash more for an absolute path), ``sqlite://`` in memory, ``postgresql://...`` as
    libpq reads it. Raises `Unavailable` when it cannot be reached, is newer than this program, or is not a
    database. `step` is told of each durable write (see `quorate.vault.steps`).
    """
    from quorate.vault.migrations import migrate

    scheme = url.partition(":")[0]
    storage: Storage
    if scheme == "sqlite":
        from quorate.vault.sqlite import SqliteStorage

        storage = SqliteStorage(url, step=step)
    elif scheme in ("postgresql", "postgres"):
        from quorate.vault.postgresql import PostgresqlStorage

        storage = PostgresqlStorage(url, step=step)
    else:
        raise Unavailable(f"no storage is called {scheme!r}; a storage is one of: {KNOWN_URLS}")
    try:
        migrate(storage)
    except BaseException:
        storage.close()
        raise
    return storage


class Transaction(ABC):
    """One unit of work. Valid inside its ``with`` block, in the thread that opened it."""

    def __init__(self) -> None:
        self.doomed = False
        self.after: list[Callable[[], None]] = []

    @abstractmethod
    def execute(self, sql: str, parameters: Sequence[Parameter] = ()) -> int:
        """Run a statement; gives the number of rows it touched."""

    @abstractmethod
    def query(self, sql: str, parameters: Sequence[Parameter] = (), *, for_update: bool = False) -> list[Row]:
        """All rows of a SELECT; `for_update` keeps other transactions off them until this one ends."""

    def query_one(
        self, sql: str, parameters: Sequence[Parameter] = (), *, for_update: bool = False
    ) -> Row | None:
        """The first row, or None."""
        rows = self.query(sql, parameters, for_update=for_update)
        return rows[0] if rows else None

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run `action` once the outermost block has committed, before its ``with`` statement ends."""
        self.after.append(action)


class Storage(ABC):
    """A database with this version's tables. Any thread may use it."""

    bytes_type: ClassVar[str] = "BLOB"
    """What the engine calls a column of bytes."""

    def __init__(self, *, step: Step = no_step) -> None:
        self._step = step
        self._mine = threading.local()

    @contextlib.contextmanager
    def transaction(self, *, outermost: bool = False) -> Iterator[Transaction]:
        """Open a transaction, or join the one this thread is in.

        `outermost` refuses to join: for callers who promise durability on return. Raises `Unavailable`
        when the database cannot be reached or does not commit; then nothing of the block is stored.
        """
        current: Transaction | None = getattr(self._mine, "current", None)
        if current is not None:
            if outermost:
                raise LocalError(
                    "this call is durable when it returns, so it cannot be part of a larger transaction"
                )
            try:
                yield current
            except BaseException:
                current.doomed = True
                raise
            return
        with self._open() as transaction:
            self._mine.current = transaction
            try:
                yield transaction
                if transaction.doomed:
                    raise LocalError("a part of this transaction failed, so nothing of it was stored")
            finally:
                self._mine.current = None
        # Outside the lock: an action may be slow (it erases files) and may open transactions itself.
        for action in transaction.after:
            action()

    @abstractmethod
    def _open(self) -> contextlib.AbstractContextManager[Transaction]:
        """Begin; commit durably at the end of the block, or roll back when it raises."""

    @abstractmethod
    def lock_migrations(self, transaction: Transaction) -> None:
        """Keep every other process from migrating until `transaction` ends."""

    @abstractmethod
    def close(self) -> None:
        """Let go of all connections; harmless to repeat."""
