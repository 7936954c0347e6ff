"""Storage in PostgreSQL: for a node with many replicas, by changing the URL.

psycopg 3, ``synchronous_commit=on``: a commit is on the server's disk (and on a synchronous standby's) when
it returns. A few connections are kept and given to one transaction each. A connection that breaks is
dropped and its transaction fails with `Unavailable`; whether a commit that broke half-way arrived is then
unknown, which every caller in the vault survives because each of its units can be repeated or is refused.

PostgreSQL keeps old versions of rows in its tables, WAL, replicas and base backups. Nothing here can erase
those; the data keys outside the database can.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from quorate.errors import Remedy, Unavailable
from quorate.vault.steps import Step, no_step
from quorate.vault.storage import BUSY_SECONDS, Parameter, Row, Storage, Transaction

if TYPE_CHECKING:
    import psycopg

MAX_CONNECTIONS: Final = 8
"""Per process. The vault's transactions last a millisecond, so eight feed any number of worker threads, and
a dozen replicas stay below PostgreSQL's default of one hundred."""

_MIGRATION_LOCK: Final = 0x71756F72617465
"""An advisory lock is a number; this one spells quorate."""


class PostgresqlStorage(Storage):
    """See `open_storage`."""

    bytes_type = "BYTEA"

    def __init__(self, url: str, *, step: Step = no_step) -> None:
        super().__init__(step=step)
        try:
            import psycopg
        except ImportError:
            raise Unavailable(
                "PostgreSQL needs one more package; run: pip install 'quorate[postgresql]'"
            ) from None
        self._psycopg = psycopg
        self._url = url
        self._idle: list[psycopg.Connection[Row]] = []
        self._idle_lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._closed = False
        self._give_back(self._connect())

    @contextlib.contextmanager
    def _open(self) -> Iterator[Transaction]:
        with self._slots:
            connection = self._take()
            try:
                yield _PostgresqlTransaction(self, connection)
                self._step("commit")
                with self._explained():
                    connection.commit()
            except BaseException:
                with contextlib.suppress(self._psycopg.Error):
                    connection.rollback()
                raise
            finally:
                self._give_back(connection)
        self._step("committed")

    def lock_migrations(self, transaction: Transaction) -> None:
        transaction.query("SELECT pg_advisory_xact_lock(?)", (_MIGRATION_LOCK,))

    def close(self) -> None:
        with self._idle_lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def run(
        self, connection: psycopg.Connection[Row], sql: str, parameters: Sequence[Parameter]
    ) -> psycopg.Cursor[Row]:
        """One statement on `connection`; for the transaction that holds it."""
        with self._explained():
            if not sql.startswith("SELECT"):
                self._step("write row")
            return connection.execute(sql.replace("?", "%s").encode(), parameters)

    def _take(self) -> psycopg.Connection[Row]:
        with self._idle_lock:
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _give_back(self, connection: psycopg.Connection[Row]) -> None:
        if connection.closed or connection.broken:
            connection.close()
            return
        with self._idle_lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self) -> psycopg.Connection[Row]:
        with self._explained():
            connection = self._psycopg.connect(self._url, connect_timeout=int(BUSY_SECONDS))
            connection.execute("SET synchronous_commit = on")
            connection.execute(f"SET lock_timeout = {int(BUSY_SECONDS * 1000)}")
            connection.commit()
            return connection

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        psycopg = self._psycopg
        try:
            yield
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            raise Unavailable(
                f"PostgreSQL kept a row busy for {BUSY_SECONDS:.0f} s; try again", remedy=Remedy.RETRY
            ) from error
        except psycopg.OperationalError as error:
            raise Unavailable(
                f"PostgreSQL cannot be reached or gave up ({_first_line(error)}); "
                "check that it runs and that the storage URL names it",
                remedy=Remedy.RETRY,
            ) from error
        except psycopg.Error as error:
            raise Unavailable(f"PostgreSQL refused: {_first_line(error)}") from error


class _PostgresqlTransaction(Transaction):
    def __init__(self, storage: PostgresqlStorage, connection: psycopg.Connection[Row]) -> None:
        super().__init__()
        self._storage = storage
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[Parameter] = ()) -> int:
        return self._storage.run(self._connection, sql, parameters).rowcount

    def query(self, sql: str, parameters: Sequence[Parameter] = (), *, for_update: bool = False) -> list[Row]:
        text = f"{sql} FOR UPDATE" if for_update else sql
        return self._storage.run(self._connection, text, parameters).fetchall()


def _first_line(error: Exception) -> str:
    # Never the URL: it may hold a password. libpq's own first line names host and reason only.
    return (str(error).splitlines() or [type(error).__name__])[0]
