"""The journal of sessions that must survive a crash: key generation, resharing, OT setup.

It implements the `Journal` port of `quorate.session.journal` (by shape; the vault imports nothing from
there). One append is one durable transaction. Header and records are sealed under a data key of that session
alone: ending the session destroys it, so what a finished key generation drew and received cannot be read
from an old copy of the database. Record numbers are bound into the seal: records swapped, dropped from the
middle or taken from another session do not open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quorate.encoding import Canonical, decode, encode
from quorate.errors import AlreadyUsed, LimitExceeded, LocalError, ProofRejected
from quorate.vault.rows import MAX_ROW_BYTES, Place, Rows
from quorate.vault.storage import Transaction

MAX_RECORDS: Final = 1 << 16
"""For one session: far above any protocol of ours, and no session fills a disk."""


class VaultJournal:
    """The journals of all sessions of this process."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def begin(self, session: bytes, header: bytes) -> None:
        """Open a session's journal, durably. Raises `AlreadyUsed` if it has one."""
        with self._rows.storage.transaction() as tx:
            added = tx.execute(
                "INSERT INTO journals (session, header) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (session.hex(), self._rows.seal(_place(session, "header"), header)),
            )
            if not added:
                raise AlreadyUsed("this session has a journal already; load it instead of beginning again")

    def append(
        self, session: bytes, inbound: bytes, outbound: Sequence[bytes], *, number: int | None = None
    ) -> None:
        """Add one record, durably unless it joins a larger transaction. Raises `LocalError` after `end`.

        With `number` it must be that record, the first being 0: raises `AlreadyUsed` when another process has
        gone on with the session.
        """
        body = encode(_JournalRecord(bytes(inbound), tuple(outbound)))
        with self._rows.storage.transaction() as tx:
            if (
                tx.query_one(
                    "SELECT session FROM journals WHERE session = ?", (session.hex(),), for_update=True
                )
                is None
            ):
                raise LocalError("this session has no journal; begin one before its first record")
            ((count,),) = tx.query("SELECT COUNT(*) FROM journal_records WHERE session = ?", (session.hex(),))
            if number is not None and count != number:
                raise AlreadyUsed("another process has gone on with this session")
            if count >= MAX_RECORDS:
                raise LimitExceeded(f"a session's journal holds at most {MAX_RECORDS} records")
            tx.execute(
                "INSERT INTO journal_records (session, number, body) VALUES (?, ?, ?)",
                (session.hex(), count, self._rows.seal(_place(session, str(count)), body)),
            )

    def load(self, session: bytes) -> tuple[bytes, list[tuple[bytes, tuple[bytes, ...]]]] | None:
        """Header and records, or None for a session without a journal.

        Raises `ProofRejected` when a record was changed, moved or is missing from the middle.
        """
        with self._rows.storage.transaction() as tx:
            found = tx.query_one("SELECT header FROM journals WHERE session = ?", (session.hex(),))
            rows = tx.query(
                "SELECT number, body FROM journal_records WHERE session = ? ORDER BY number", (session.hex(),)
            )
        if found is None:
            return None
        if [number for number, _ in rows] != list(range(len(rows))):
            raise ProofRejected("a record is missing from the middle of a session's journal")
        header = self._rows.open(_place(session, "header"), bytes(found[0]))
        opened = (self._rows.open(_place(session, str(number)), bytes(body)) for number, body in rows)
        records = [decode(_JournalRecord, body, limit=MAX_ROW_BYTES) for body in opened]
        return header, [(record.inbound, record.outbound) for record in records]

    def end(self, session: bytes) -> None:
        """Forget the session and destroy what could open its records. Repeating it does nothing."""
        with self._rows.storage.transaction() as tx:
            self._forget(tx, session.hex())

    def open_sessions(self) -> list[bytes]:
        """Sessions with a journal, sorted: what a restarted process takes up again."""
        with self._rows.storage.transaction() as tx:
            found = tx.query("SELECT session FROM journals ORDER BY session")
        return [bytes.fromhex(name) for (name,) in found]

    def drop_all(self, tx: Transaction) -> None:
        """End every session: after a rollback a replay could send a second, different message."""
        for (name,) in tx.query("SELECT session FROM journals"):
            self._forget(tx, name)

    def _forget(self, tx: Transaction, name: str) -> None:
        tx.execute("DELETE FROM journal_records WHERE session = ?", (name,))
        if tx.execute("DELETE FROM journals WHERE session = ?", (name,)):
            self._rows.order_erasure(tx, _scope(name), forever=False)


class _JournalRecord(Canonical, frozen=True):
    inbound: bytes
    outbound: tuple[bytes, ...]


def _scope(name: str) -> str:
    return f"journal:{name}"


def _place(session: bytes, row: str) -> Place:
    return Place("journals", row, owner=session.hex(), scope=_scope(session.hex()))
