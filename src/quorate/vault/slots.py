"""Write-once slots: the first value written stays, for ever. What a lock or a vote is recorded in.

A party that must never say two different things about one question (which refresh follows this epoch, which
device owns this key) writes its answer into the slot first and then says whatever the slot holds.
"""

from __future__ import annotations

from quorate.errors import LocalError
from quorate.vault.rows import Rows


class Slots:
    """All slots of one vault. Values are clear: they are things this party says in public."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def write_once(self, scope: str, name: str, value: bytes) -> bytes:
        """Write `value` unless something is there; gives what the slot holds now, durably when outermost."""
        with self._rows.storage.transaction() as tx:
            tx.execute(
                "INSERT INTO slots (scope, id, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (scope, name, value),
            )
            found = tx.query_one("SELECT value FROM slots WHERE scope = ? AND id = ?", (scope, name))
            if found is None:
                raise LocalError("a slot vanished while it was written; the database is not one we can use")
        return bytes(found[0])

    def read(self, scope: str, name: str) -> bytes | None:
        """What the slot holds, or None."""
        with self._rows.storage.transaction() as tx:
            found = tx.query_one("SELECT value FROM slots WHERE scope = ? AND id = ?", (scope, name))
        return None if found is None else bytes(found[0])
