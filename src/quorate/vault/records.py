"""Named records with versions, for the layers above: wallets, accounts, settings.

A record is (kind, name) -> bytes, clear or sealed under a scope, with a version that grows by one. A writer
says which version it has read; if another was faster it gets `Stale` and reads again. No locks are held
between reading and writing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quorate.errors import LimitExceeded, LocalError, Remedy
from quorate.vault.rows import MAX_ROW_BYTES, Place, Rows

NEW: Final = 0
"""The version expected of a record that is not there yet."""


class Stale(LocalError):
    """Somebody else wrote the record in between; read it and decide again."""

    remedy = Remedy.RETRY

    def __init__(self, kind: str, name: str, expected: int) -> None:
        super().__init__(f"the {kind} {name!r} is not at version {expected} any more; read it again")


@dataclass(frozen=True, slots=True)
class Record:
    """A record as read. `value` of a sealed one is a secret of the caller's to guard."""

    name: str
    version: int
    value: bytes


class Records:
    """All records of one vault."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def put(self, kind: str, name: str, value: bytes, *, expected: int, scope: str = "") -> int:
        """Write the record if it is at version `expected` (`NEW`: if it is not there); gives the new version.

        With `scope` the value is sealed under that scope's data key. Raises `Stale`.
        """
        if len(value) > MAX_ROW_BYTES:
            raise LimitExceeded(f"a record holds at most {MAX_ROW_BYTES} bytes, not {len(value)}")
        version = expected + 1
        body = self._rows.seal(_place(kind, name, version, scope), value) if scope else value
        with self._rows.storage.transaction() as tx:
            if expected == NEW:
                written = tx.execute(
                    "INSERT INTO records (kind, name, version, scope, body) VALUES (?, ?, ?, ?, ?) "
                    "ON CONFLICT DO NOTHING",
                    (kind, name, version, scope, body),
                )
            else:
                written = tx.execute(
                    "UPDATE records SET version = ?, scope = ?, body = ? "
                    "WHERE kind = ? AND name = ? AND version = ?",
                    (version, scope, body, kind, name, expected),
                )
            if not written:
                raise Stale(kind, name, expected)
        return version

    def get(self, kind: str, name: str) -> Record | None:
        """The record, or None. Raises `Unavailable` when its scope was erased, `ProofRejected` if changed."""
        with self._rows.storage.transaction() as tx:
            row = tx.query_one(
                "SELECT name, version, scope, body FROM records WHERE kind = ? AND name = ?", (kind, name)
            )
        return None if row is None else self._read(kind, row)

    def list(self, kind: str) -> list[Record]:
        """All records of a kind, sorted by name."""
        with self._rows.storage.transaction() as tx:
            rows = tx.query(
                "SELECT name, version, scope, body FROM records WHERE kind = ? ORDER BY name", (kind,)
            )
        return [self._read(kind, row) for row in rows]

    def delete(self, kind: str, name: str, *, expected: int) -> None:
        """Remove the record if it is at version `expected`. Raises `Stale`."""
        with self._rows.storage.transaction() as tx:
            if not tx.execute(
                "DELETE FROM records WHERE kind = ? AND name = ? AND version = ?", (kind, name, expected)
            ):
                raise Stale(kind, name, expected)

    def _read(self, kind: str, row: tuple[object, ...]) -> Record:
        name, version, scope, body = str(row[0]), int(str(row[1])), str(row[2]), row[3]
        value = bytes(body) if isinstance(body, bytes | memoryview) else b""
        if scope:
            value = self._rows.open(_place(kind, name, version, scope), value)
        return Record(name, version, value)


def _place(kind: str, name: str, version: int, scope: str) -> Place:
    return Place("records", f"{name}@{version}", owner=kind, scope=scope)
