"""Which sessions this node takes part in over days and restarts, and how far each has come.

Beside the journal, which holds what a session has heard and said, a row here holds its agreement and its
state. A session's row is never removed: once its journal is gone, only the row says that it was, and that
beginning it again would say different things in places where things were said already.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from quorate.errors import AlreadyUsed, LocalError
from quorate.vault.rows import Rows
from quorate.vault.storage import Transaction


class StandingState(StrEnum):
    """Where a session stands."""

    RUNNING = "running"
    CONCLUDED = "concluded"
    """Its result is stored; it goes on serving others."""
    FAILED = "failed"
    """It ended without a result. What it has said still goes out."""
    RETIRED = "retired"
    """Nobody needs it any more: journal and outbox are gone."""


@dataclass(frozen=True, slots=True)
class StandingRow:
    """A session that is not retired. `since` is when it began, or when it ended; `done` who needs no more."""

    session: bytes
    state: StandingState
    spec: bytes
    since: float
    done: frozenset[str]


class Standing:
    """The rows of all sessions. Every call joins the caller's transaction."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add(self, session: bytes, spec: bytes, *, now: float) -> None:
        """Note that a session begins. Raises `AlreadyUsed` if it was ever begun before."""
        with self._rows.storage.transaction() as tx:
            added = tx.execute(
                "INSERT INTO standing_sessions (session, state, spec, since) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                (session.hex(), StandingState.RUNNING.value, spec, now),
            )
            if not added:
                raise AlreadyUsed("this session was begun before; it is taken up again, or never")

    def end(self, session: bytes, state: StandingState, *, now: float) -> None:
        """It has concluded or failed. Raises `LocalError` unless it was running."""
        with self._rows.storage.transaction() as tx:
            if not tx.execute(
                "UPDATE standing_sessions SET state = ?, since = ? WHERE session = ? AND state = ?",
                (state.value, now, session.hex(), StandingState.RUNNING.value),
            ):
                raise LocalError("a session ends once")

    def note_done(self, session: bytes, peer: str) -> None:
        """`peer` needs nothing more of it. Repeating it does nothing."""
        with self._rows.storage.transaction() as tx:
            tx.execute(
                "INSERT INTO standing_done (session, peer) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (session.hex(), peer),
            )

    def retire(self, session: bytes) -> None:
        """Keep nothing of it but that it was."""
        with self._rows.storage.transaction() as tx:
            self._retire(tx, session.hex())

    def state(self, session: bytes) -> StandingState | None:
        """Its state, or None for one that was never begun here."""
        with self._rows.storage.transaction() as tx:
            found = tx.query_one("SELECT state FROM standing_sessions WHERE session = ?", (session.hex(),))
        return None if found is None else StandingState(found[0])

    def get(self, session: bytes) -> StandingRow | None:
        """Its row, unless it was never begun here."""
        name = session.hex()
        with self._rows.storage.transaction() as tx:
            row = tx.query_one("SELECT state, spec, since FROM standing_sessions WHERE session = ?", (name,))
            done = tx.query("SELECT peer FROM standing_done WHERE session = ?", (name,))
        if row is None:
            return None
        who = frozenset(peer for (peer,) in done)
        return StandingRow(session, StandingState(row[0]), bytes(row[1]), float(row[2]), who)

    def open(self) -> list[StandingRow]:
        """All that are not retired, the oldest first."""
        with self._rows.storage.transaction() as tx:
            rows = tx.query(
                "SELECT session, state, spec, since FROM standing_sessions WHERE state <> ? "
                "ORDER BY since, session",
                (StandingState.RETIRED.value,),
            )
            done = tx.query("SELECT session, peer FROM standing_done")
        return [
            StandingRow(
                bytes.fromhex(name),
                StandingState(state),
                bytes(spec),
                float(since),
                frozenset(peer for session, peer in done if session == name),
            )
            for name, state, spec, since in rows
        ]

    def drop_all(self, tx: Transaction) -> None:
        """Retire every session: their journals have gone with the past that a restored database forgot."""
        for (name,) in tx.query(
            "SELECT session FROM standing_sessions WHERE state <> ?", (StandingState.RETIRED.value,)
        ):
            self._retire(tx, name)

    def _retire(self, tx: Transaction, name: str) -> None:
        tx.execute(
            "UPDATE standing_sessions SET state = ?, spec = ? WHERE session = ?",
            (StandingState.RETIRED.value, b"", name),
        )
        tx.execute("DELETE FROM standing_done WHERE session = ?", (name,))
