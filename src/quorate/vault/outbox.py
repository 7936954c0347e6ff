"""What waits to be delivered to other nodes: sealed rows in the order of their numbers, one sequence a peer.

`put` joins the caller's transaction: a parcel is in the outbox exactly if what made it is on the disk, so a
node that dies at any moment sends what it had promised and nothing else. The other end's word that it has a
parcel removes it. What belongs to a session is sealed under a data key of that session and dies with it.

Bounded for each peer by rows and by bytes. A peer that is away for good fills its own share and nobody
else's; whoever puts asks `room` first, and does without when there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from quorate.errors import LimitExceeded, Remedy, Unavailable
from quorate.vault.rows import Place, Rows
from quorate.vault.storage import Transaction

MAX_OUTBOX_ROWS: Final = 1 << 14
"""For one peer. A key generation of a large committee sends a peer a few hundred."""

MAX_OUTBOX_BYTES: Final = 64 << 20
"""For one peer: dozens of the largest batches. With a committee of thirteen all away it is under a
gigabyte."""

RESERVED_ROWS: Final = 1 << 13
RESERVED_BYTES: Final = 64 << 20
"""On top, for what is said about a change of committee: it is not kept out by what is only work, and a peer
that takes nothing in is replaced by such a change."""

_COMMON: Final = "outbox"
"""The scope of what belongs to no session."""


@dataclass(frozen=True, slots=True)
class Pending:
    """One parcel that was not delivered yet."""

    number: int
    topic: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Depth:
    """How much waits for one peer."""

    rows: int
    size: int


class Outbox:
    """The outbox of one vault. `after_put` is told the peers of a transaction once it has committed."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.after_put: Callable[[str], None] | None = None

    def put(self, peer: str, topic: str, body: bytes, *, session: bytes = b"", reserve: bool = False) -> int:
        """Add a parcel; gives its number. Raises `LimitExceeded` where there is no room for it."""
        most_rows, most_bytes = _limits(reserve)
        with self._rows.storage.transaction() as tx:
            last, rows, size = self._end_of(tx, peer)
            if rows >= most_rows or size + len(body) > most_bytes:
                raise LimitExceeded(
                    f"the outbox for {peer} is full ({rows} parcels, {size} bytes)", remedy=Remedy.RETRY
                )
            number = last + 1
            box = self._rows.seal(_place(peer, number, topic, session.hex()), body)
            tx.execute(
                "INSERT INTO outbox (peer, number, topic, session, size, body) VALUES (?, ?, ?, ?, ?, ?)",
                (peer, number, topic, session.hex(), len(body), box),
            )
            tx.execute(
                "UPDATE outbox_ends SET last = ?, parcels = parcels + 1, size = size + ? WHERE peer = ?",
                (number, len(body), peer),
            )
            if self.after_put is not None:
                told = self.after_put
                tx.after_commit(lambda: told(peer))
        return number

    def room(self, peer: str, size: int = 0, *, reserve: bool = False) -> bool:
        """Whether a parcel of this size would find room now."""
        depth = self.depth(peer)
        most_rows, most_bytes = _limits(reserve)
        return depth.rows < most_rows and depth.size + size <= most_bytes

    def depth(self, peer: str) -> Depth:
        """How much waits for `peer`."""
        with self._rows.storage.transaction() as tx:
            found = tx.query_one("SELECT parcels, size FROM outbox_ends WHERE peer = ?", (peer,))
        return Depth(0, 0) if found is None else Depth(int(found[0]), int(found[1]))

    def pending(self, peer: str, *, after: int, rows: int, size: int) -> list[Pending]:
        """The next parcels above number `after`, in order: at most `rows`, and `size` bytes or one parcel.

        Raises `ProofRejected` for a row that was changed or moved.
        """
        with self._rows.storage.transaction() as tx:
            listed = tx.query(
                "SELECT number, size FROM outbox WHERE peer = ? AND number > ? ORDER BY number LIMIT ?",
                (peer, after, rows),
            )
            total, last = 0, after
            for number, length in listed:
                if total and total + length > size:
                    break
                total, last = total + length, number
            found = tx.query(
                "SELECT number, topic, session, body FROM outbox "
                "WHERE peer = ? AND number > ? AND number <= ? ORDER BY number",
                (peer, after, last),
            )
        opened = (self._open(peer, int(n), str(topic), str(s), bytes(box)) for n, topic, s, box in found)
        return [pending for pending in opened if pending is not None]

    def remove(self, peer: str, numbers: Iterable[int]) -> None:
        """These were delivered. Unknown ones are passed over."""
        with self._rows.storage.transaction() as tx:
            self._end_of(tx, peer)
            for number in numbers:
                where = (peer, number)
                found = tx.query_one("SELECT size FROM outbox WHERE peer = ? AND number = ?", where)
                if found is not None:
                    tx.execute("DELETE FROM outbox WHERE peer = ? AND number = ?", where)
                    _subtract(tx, peer, 1, int(found[0]))

    def forget(self, session: bytes) -> None:
        """Remove all parcels of a session, for all peers, and destroy what could open old copies of them."""
        with self._rows.storage.transaction() as tx:
            of_session = (session.hex(),)
            for (peer,) in tx.query("SELECT peer FROM outbox_ends ORDER BY peer"):
                self._end_of(tx, peer)
                ((rows, size),) = tx.query(
                    "SELECT COUNT(*), SUM(size) FROM outbox WHERE session = ? AND peer = ?",
                    (*of_session, peer),
                )
                if rows:
                    _subtract(tx, peer, int(rows), int(size))
            tx.execute("DELETE FROM outbox WHERE session = ?", of_session)
            self._rows.order_erasure(tx, _scope(session.hex()), forever=False)

    def drop_peer(self, peer: str) -> None:
        """Remove everything for a peer: it is no node of ours any more. Numbers go on where they were."""
        with self._rows.storage.transaction() as tx:
            self._end_of(tx, peer)
            tx.execute("DELETE FROM outbox WHERE peer = ?", (peer,))
            tx.execute("UPDATE outbox_ends SET parcels = 0, size = 0 WHERE peer = ?", (peer,))

    def drop_all(self, tx: Transaction) -> None:
        """Forget everything: after a rollback, what waits here was said in another past."""
        for (session,) in tx.query("SELECT DISTINCT session FROM outbox"):
            if session:
                self._rows.order_erasure(tx, _scope(session), forever=False)
        tx.execute("DELETE FROM outbox")
        tx.execute("UPDATE outbox_ends SET parcels = 0, size = 0")

    def _end_of(self, tx: Transaction, peer: str) -> tuple[int, int, int]:
        """The peer's last number, rows and bytes, locked until the transaction ends."""
        tx.execute(
            "INSERT INTO outbox_ends (peer, last, parcels, size) VALUES (?, 0, 0, 0) ON CONFLICT DO NOTHING",
            (peer,),
        )
        ((last, rows, size),) = tx.query(
            "SELECT last, parcels, size FROM outbox_ends WHERE peer = ?", (peer,), for_update=True
        )
        return int(last), int(rows), int(size)

    def _open(self, peer: str, number: int, topic: str, session: str, box: bytes) -> Pending | None:
        try:
            return Pending(number, topic, self._rows.open(_place(peer, number, topic, session), box))
        except Unavailable:
            with self._rows.storage.transaction() as tx:
                if tx.query_one("SELECT size FROM outbox WHERE peer = ? AND number = ?", (peer, number)):
                    raise
            return None  # its session was forgotten between reading and opening


def _limits(reserve: bool) -> tuple[int, int]:
    if reserve:
        return MAX_OUTBOX_ROWS + RESERVED_ROWS, MAX_OUTBOX_BYTES + RESERVED_BYTES
    return MAX_OUTBOX_ROWS, MAX_OUTBOX_BYTES


def _subtract(tx: Transaction, peer: str, rows: int, size: int) -> None:
    tx.execute(
        "UPDATE outbox_ends SET parcels = parcels - ?, size = size - ? WHERE peer = ?", (rows, size, peer)
    )


def _scope(session: str) -> str:
    return f"outbox:{session}" if session else _COMMON


def _place(peer: str, number: int, topic: str, session: str) -> Place:
    return Place("outbox", f"{peer}/{number}", owner=topic, scope=_scope(session))
