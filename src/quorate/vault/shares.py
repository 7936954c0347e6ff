"""Key shares, one for each key and epoch, and the flip from one epoch to the next.

A share is PENDING from the transaction that accepts it, becomes ACTIVE in the one transaction that flips
the epoch, and that same transaction supersedes all earlier epochs: their rows lose their bytes, their
presignatures are burned, and the destruction of their data keys is ordered. A crash before the commit leaves
the old epoch, after it the new one, and opening the vault again finishes the erasure. Bytes are opaque here;
`quorate.sharing` says what a share is.

States: PENDING -> ACTIVE -> SUPERSEDED; PENDING -> gone (`discard`, an aborted refresh).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from quorate.errors import AlreadyUsed, LocalError, Unavailable
from quorate.secret import Secret
from quorate.vault.onetime import burn_epochs
from quorate.vault.rows import Place, Rows, epoch_scope
from quorate.vault.storage import Transaction

_TABLE: Final = "shares"


class ShareState(StrEnum):
    """See the module's docstring."""

    PENDING = "pending"
    ACTIVE = "active"
    SUPERSEDED = "superseded"


class Shares:
    """This party's shares. Every call is one transaction, or part of the caller's."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def put(self, key: str, epoch: int, share: bytes, *, owner: str) -> None:
        """Seal a share as PENDING.

        The same share again is accepted; another one for the same epoch raises `AlreadyUsed` (discard the
        first), and so does an epoch that was superseded.
        """
        place = Place(_TABLE, _row(key, epoch), owner, key, epoch)
        with self._rows.storage.transaction() as tx:
            known = tx.query_one(
                "SELECT state, owner, body FROM shares WHERE key_id = ? AND epoch = ?",
                (key, epoch),
                for_update=True,
            )
            if known is not None:
                self._accept_again(known, place, share)
                return
            newest = tx.query_one(
                "SELECT MAX(epoch) FROM shares WHERE key_id = ? AND state <> 'pending'", (key,)
            )
            if newest is not None and newest[0] is not None and epoch < newest[0]:
                raise AlreadyUsed(f"key {key} is past epoch {epoch}; an older share is not taken back")
            tx.execute(
                "INSERT INTO shares (key_id, epoch, owner, state, body) VALUES (?, ?, ?, ?, ?)",
                (key, epoch, owner, ShareState.PENDING, self._rows.seal(place, share)),
            )

    def get(self, key: str, epoch: int | None = None) -> Secret[bytes]:
        """The share of `epoch`, PENDING or ACTIVE; without `epoch`, the ACTIVE one. Raises `Unavailable`."""
        with self._rows.storage.transaction() as tx:
            if epoch is None:
                epoch = self._active(tx, key)
                if epoch is None:
                    raise Unavailable(f"this party holds no active share of key {key}")
            found = tx.query_one(
                "SELECT owner, body FROM shares WHERE key_id = ? AND epoch = ?", (key, epoch)
            )
        if found is None:
            raise Unavailable(f"this party holds no share of key {key} in epoch {epoch}")
        owner, body = found
        if body is None:
            raise Unavailable(f"epoch {epoch} of key {key} was erased")
        return Secret(self._rows.open(Place(_TABLE, _row(key, epoch), owner, key, epoch), bytes(body)))

    def active_epoch(self, key: str) -> int | None:
        """The live epoch of `key`, if this party holds a share of it."""
        with self._rows.storage.transaction() as tx:
            return self._active(tx, key)

    def epochs(self, key: str) -> dict[int, ShareState]:
        """Every epoch this party has heard of, with its state."""
        with self._rows.storage.transaction() as tx:
            found = tx.query("SELECT epoch, state FROM shares WHERE key_id = ? ORDER BY epoch", (key,))
        return {epoch: ShareState(state) for epoch, state in found}

    def keys(self) -> list[str]:
        """The keys with an active share, sorted."""
        with self._rows.storage.transaction() as tx:
            return [
                key for (key,) in tx.query("SELECT key_id FROM shares WHERE state = 'active' ORDER BY key_id")
            ]

    def activate(self, key: str, epoch: int) -> None:
        """Flip to `epoch` and erase every earlier one. Repeating it does nothing.

        Raises `Unavailable` when no share of `epoch` is there, `AlreadyUsed` when a later one is active.
        """
        with self._rows.storage.transaction() as tx:
            states = self._locked_states(tx, key)
            if states.get(epoch) is ShareState.ACTIVE:
                return
            if states.get(epoch) is not ShareState.PENDING:
                raise Unavailable(f"no share of key {key} waits for epoch {epoch}")
            if any(other > epoch and state is ShareState.ACTIVE for other, state in states.items()):
                raise AlreadyUsed(f"key {key} is past epoch {epoch}")
            tx.execute("UPDATE shares SET state = 'active' WHERE key_id = ? AND epoch = ?", (key, epoch))
            self._supersede(tx, key, [other for other in states if other < epoch])
            self._rows.generation.advance(tx)

    def discard(self, key: str, epoch: int) -> None:
        """Erase a PENDING share, as an aborted refresh demands: an aborted line is a line through the key.

        Repeating it does nothing. Raises `LocalError` for a share that is or was active.
        """
        with self._rows.storage.transaction() as tx:
            state = self._locked_states(tx, key).get(epoch)
            if state is None:
                return
            if state is not ShareState.PENDING:
                raise LocalError(f"epoch {epoch} of key {key} is {state}; only a pending share is discarded")
            tx.execute("DELETE FROM shares WHERE key_id = ? AND epoch = ?", (key, epoch))
            self._clear(tx, key, epoch, forever=False)
            self._rows.generation.advance(tx)

    def erase(self, key: str) -> None:
        """Erase every epoch of `key`: its owner has left, or this party has left its structure."""
        with self._rows.storage.transaction() as tx:
            self._supersede(tx, key, list(self._locked_states(tx, key)))
            self._rows.generation.advance(tx)

    def leave(self, below: int) -> int:
        """Erase every share of an epoch lower than `below`, of all keys; gives their number.

        For the transaction of a change of committee, after `activate` for what was reshared: the rest is of
        use to nobody any more.
        """
        with self._rows.storage.transaction() as tx:
            found = tx.query(
                "SELECT key_id, epoch FROM shares WHERE epoch < ? AND state <> 'superseded' "
                "ORDER BY key_id, epoch",
                (below,),
                for_update=True,
            )
            for key, epoch in found:
                self._supersede(tx, key, [int(epoch)])
            if found:
                self._rows.generation.advance(tx)
        return len(found)

    def _active(self, tx: Transaction, key: str) -> int | None:
        found = tx.query_one("SELECT epoch FROM shares WHERE key_id = ? AND state = 'active'", (key,))
        return None if found is None else int(found[0])

    def _locked_states(self, tx: Transaction, key: str) -> dict[int, ShareState]:
        found = tx.query(
            "SELECT epoch, state FROM shares WHERE key_id = ? ORDER BY epoch", (key,), for_update=True
        )
        return {epoch: ShareState(state) for epoch, state in found}

    def _supersede(self, tx: Transaction, key: str, epochs: list[int]) -> None:
        for epoch in epochs:
            changed = tx.execute(
                "UPDATE shares SET state = 'superseded', body = NULL "
                "WHERE key_id = ? AND epoch = ? AND state <> 'superseded'",
                (key, epoch),
            )
            if changed:
                self._clear(tx, key, epoch, forever=True)

    def _clear(self, tx: Transaction, key: str, epoch: int, *, forever: bool) -> None:
        burn_epochs(tx, key, epoch)
        tx.execute("DELETE FROM sealed_rows WHERE key_id = ? AND epoch = ?", (key, epoch))
        self._rows.order_erasure(tx, epoch_scope(key, epoch), forever=forever)

    def _accept_again(self, known: tuple[object, ...], place: Place, share: bytes) -> None:
        state, owner, body = known
        if not isinstance(body, bytes | memoryview):
            raise AlreadyUsed(
                f"epoch {place.epoch} of key {place.key} was erased; its share is not taken back"
            )
        if owner != place.owner or Secret(self._rows.open(place, bytes(body))) != Secret(share):
            raise AlreadyUsed(f"another share of key {place.key} is {state} in epoch {place.epoch}")


def _row(key: str, epoch: int) -> str:
    return f"{key}/{epoch}"
