"""The pool: committee keys made ahead, in batches, until each serves one account or is burned.

A key is (curve, batch, position). This party's part of it is opaque bytes here, sealed under a data key of
its own in the bundle of its batch (`quorate.vault.bundles`), so that it can be erased for ever when the key
is used or burned. Parts belong to an epoch of the committee: those of a next epoch are staged beside the live
ones and take their place in one write, which erases the old bundles.

States: FREE -> SIGNED (we have given our one vote for an account) -> GRANTED (an echo quorum has) -> USED (it
is part of a wallet; the share is elsewhere now) or BURNED. A key may be granted without our vote, or against
it. A vote is given once: the row names its account for ever. CLOSED: we never vote on it, because we may have
voted and forgotten (a restored database), and hold our part for whom the others grant it to.

Votes, counts and limits are decided above (`quorate.account.pool`); here is what must not be forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from quorate.errors import AlreadyUsed, LimitExceeded, LocalError, Unavailable
from quorate.secret import Secret
from quorate.vault.bundles import ALL, MAX_BUNDLE, member
from quorate.vault.pooled import Batch, BatchState, KeyState, PooledKey, PoolIndex
from quorate.vault.rows import Place, Rows
from quorate.vault.storage import Parameter, Transaction

__all__ = ["MAX_BATCH", "Batch", "BatchState", "KeyState", "Pool", "PoolIndex", "PooledKey"]

MAX_BATCH: Final = MAX_BUNDLE
"""Keys of one batch."""

_CHUNK: Final = 64
"""Rows of one INSERT: with PostgreSQL a statement costs a round trip."""

_TABLE: Final = "pool"
_SELECT: Final = (
    "SELECT curve, batch, position, key_id, state, account, commitment, signed, committed, apart "
    "FROM pool_keys"
)


class Pool:
    """The pool of one vault. Every call is one transaction, or part of the caller's."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    # --- batches -------------------------------------------------------------------------------------

    def begin(self, curve: str, batch: int, count: int, *, epoch: int = 0) -> None:
        """Note, before anything is said in it, that we take part in a batch.

        Raises `AlreadyUsed` if we did before, and `Unavailable` while we do not know (see `abstains`).
        """
        _check_count(count)
        with self._rows.storage.transaction() as tx:
            if self._abstains(tx):
                raise Unavailable("after a restored database this node takes part in no batch of this epoch")
            added = tx.execute(
                "INSERT INTO pool_batches (curve, batch, count, state, epoch) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                (curve, batch, count, BatchState.BEGUN, epoch),
            )
            if not added:
                raise AlreadyUsed(f"batch {batch} of {curve} has begun here before; its number is used once")

    def fail(self, curve: str, batch: int) -> None:
        """A batch that was begun comes to nothing here. One that is stored stays."""
        with self._rows.storage.transaction() as tx:
            tx.execute(
                "UPDATE pool_batches SET state = 'failed' WHERE curve = ? AND batch = ? AND state = 'begun'",
                (curve, batch),
            )

    def batches(self, curve: str | None = None) -> list[Batch]:
        """All batches that were begun here, in order."""
        with self._rows.storage.transaction() as tx:
            found = tx.query(
                "SELECT curve, batch, count, state, epoch FROM pool_batches WHERE batch > 0 "
                "ORDER BY curve, batch"
            )
        batches = [
            Batch(name, at, count, BatchState(state), epoch) for name, at, count, state, epoch in found
        ]
        return [batch for batch in batches if curve in (None, batch.curve)]

    @property
    def abstains(self) -> bool:
        """Whether the database was restored in this epoch: batches may have begun here that it forgets, and
        taking part in one again would say something else in the same session."""
        with self._rows.storage.transaction() as tx:
            return self._abstains(tx)

    def put(self, curve: str, batch: int, parts: Sequence[tuple[bytes, bytes]], *, epoch: int = 0) -> None:
        """Store a whole batch, FREE: (key id, part) by position. Raises `AlreadyUsed` if that is done."""
        _check_count(len(parts))
        with self._rows.storage.transaction() as tx:
            known = tx.query_one(
                "SELECT state FROM pool_batches WHERE curve = ? AND batch = ?",
                (curve, batch),
                for_update=True,
            )
            if known is not None and known[0] == BatchState.STORED:
                raise AlreadyUsed(f"batch {batch} of {curve} is stored; its keys are not taken twice")
            tx.execute(
                "INSERT INTO pool_batches (curve, batch, count, state) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (curve, batch) DO UPDATE SET count = excluded.count, state = excluded.state",
                (curve, batch, len(parts), BatchState.STORED),
            )
            rows = [(curve, batch, at, key.hex(), KeyState.FREE) for at, (key, _) in enumerate(parts)]
            _insert(tx, "pool_keys (curve, batch, position, key_id, state)", rows)
            self._seal(tx, curve, batch, epoch, dict(enumerate(part for _, part in parts)), len(parts))

    # --- looking -------------------------------------------------------------------------------------

    def depth(self, curve: str) -> int:
        """How many keys are FREE."""
        with self._rows.storage.transaction() as tx:
            ((count,),) = tx.query(
                "SELECT COUNT(*) FROM pool_keys WHERE curve = ? AND state = 'free'", (curve,)
            )
        return int(count)

    def unassigned(self, curve: str, limit: int) -> list[PoolIndex]:
        """The first FREE keys, oldest batch first."""
        with self._rows.storage.transaction() as tx:
            found = tx.query(
                "SELECT batch, position FROM pool_keys WHERE curve = ? AND state = 'free' "
                "ORDER BY batch, position LIMIT ?",
                (curve, limit),
            )
        return [PoolIndex(curve, batch, position) for batch, position in found]

    def open_of(self, curve: str, account: bytes) -> list[PooledKey]:
        """What this account may still use: SIGNED for it or GRANTED to it, the oldest first."""
        return self._select(
            "account = ? AND curve = ? AND state IN ('signed', 'granted') AND apart = 0 "
            "ORDER BY batch, position",
            (account.hex(), curve),
        )

    def signed_since(self, moment: float, account: bytes | None = None, curve: str | None = None) -> int:
        """How many votes were given since then: for one account or in all, on one curve or on any."""
        whose, parameters = ("", ()) if account is None else (" AND account = ?", (account.hex(),))
        if curve is not None:
            whose, parameters = f"{whose} AND curve = ?", (*parameters, curve)
        with self._rows.storage.transaction() as tx:
            ((count,),) = tx.query(
                f"SELECT COUNT(*) FROM pool_keys WHERE signed > ?{whose}",  # noqa: S608 - texts of ours
                (moment, *parameters),
            )
        return int(count)

    def get(self, index: PoolIndex, *, for_update: bool = False) -> PooledKey | None:
        """One key, or None; `for_update` inside a transaction that will change it."""
        where = "curve = ? AND batch = ? AND position = ?"
        found = self._select(where, _key(index), for_update=for_update)
        return found[0] if found else None

    def find(self, key_id: bytes) -> PooledKey | None:
        """One key by its id."""
        found = self._select("key_id = ?", (key_id.hex(),))
        return found[0] if found else None

    def kept(self) -> list[PooledKey]:
        """All keys set apart for wallets that were formed, and unused."""
        return self._select("state = 'granted' AND apart = 1 ORDER BY curve, batch, position", ())

    def parts_for(self, curve: str, account: bytes, key_id: bytes) -> list[PooledKey]:
        """Keys that may be this account's: the one with this id, the account's own, then unclaimed ones."""
        found = self._select(
            "curve = ? AND state IN ('free', 'closed', 'signed', 'granted') AND account IN ('', ?) "
            "ORDER BY batch, position",
            (curve, account.hex()),
        )
        return sorted(found, key=lambda key: (key.key_id != key_id, key.account != account))

    def votes(self, curve: str) -> Mapping[PoolIndex, bytes]:
        """Every index we have voted on or seen granted, with its account: what an epoch hands over."""
        found = self._select("curve = ? AND account <> '' ORDER BY batch, position", (curve,))
        return {key.index: key.account for key in found}

    # --- from FREE to gone ---------------------------------------------------------------------------

    def sign(self, index: PoolIndex, account: bytes, commitment: bytes, now: float) -> None:
        """Give our one vote, or renew it for the same account with another commitment.

        Raises `AlreadyUsed` when it was given to another account or the key is past it, `Unavailable` for a
        key we do not have or never vote on.
        """
        with self._rows.storage.transaction() as tx:
            known = self.get(index, for_update=True)
            if known is None or known.state is KeyState.CLOSED:
                raise Unavailable(f"the pool key {index} is not one this party votes on")
            if known.state is KeyState.FREE:
                _update(tx, index, "state = 'signed', account = ?, signed = ?", (account.hex(), now))
            elif known.account != account or known.state not in (KeyState.SIGNED, KeyState.GRANTED):
                raise AlreadyUsed(f"the pool key {index} was given to another account, or is used")
            elif known.apart:
                raise AlreadyUsed(f"the pool key {index} is kept for a wallet already")
            _update(tx, index, "commitment = ?, committed = ?", (commitment.hex(), now))

    def grant(self, index: PoolIndex, account: bytes) -> Secret[bytes]:
        """An echo quorum has voted for this account: the key is its own. Gives our part of it.

        The caller has checked the certificate. Raises `Unavailable` if we have no part, or no more.
        """
        with self._rows.storage.transaction() as tx:
            known = self.get(index, for_update=True)
            if known is None:
                raise Unavailable(f"this party has no part of the pool key {index}")
            if known.state in (KeyState.USED, KeyState.BURNED) or known.apart:
                raise Unavailable(f"the pool key {index} is in use, or was used")
            if known.state is KeyState.GRANTED and known.account != account:
                raise LocalError(f"two certificates give the pool key {index} to two accounts")
            _update(tx, index, "state = 'granted', account = ?", (account.hex(),))
            return self._open(tx, index)

    def set_apart(self, index: PoolIndex) -> None:
        """Keep a granted key for the one wallet it was asked for together with: it is open no more."""
        with self._rows.storage.transaction() as tx:
            known = self.get(index, for_update=True)
            if known is None or known.state is not KeyState.GRANTED or known.apart:
                raise Unavailable(f"the pool key {index} is not one to set apart")
            _update(tx, index, "apart = 1", ())

    def read(self, index: PoolIndex) -> Secret[bytes]:
        """Our part. Raises `Unavailable` when there is none, or no more."""
        with self._rows.storage.transaction() as tx:
            return self._open(tx, index)

    def use(self, index: PoolIndex) -> None:
        """The key is part of a wallet, stored elsewhere by the same transaction: our part here is erased."""
        self._end(index, KeyState.USED)

    def burn(self, index: PoolIndex) -> None:
        """Erase our part, for ever. Repeating it, or burning a used one, does nothing."""
        self._end(index, KeyState.BURNED)

    # --- the committee's epochs ----------------------------------------------------------------------

    def live_parts(self, curve: str, batch: int, epoch: int) -> dict[int, Secret[bytes]]:
        """Every part of a batch in an epoch, by position: what a resharing deals."""
        with self._rows.storage.transaction() as tx:
            found = tx.query(
                "SELECT position, body FROM pool_parts WHERE curve = ? AND batch = ? AND epoch = ? "
                "ORDER BY position",
                (curve, batch, epoch),
            )
            return {
                at: Secret(self._rows.open(_place(PoolIndex(curve, batch, at), epoch), bytes(body)))
                for at, body in found
            }

    def stage(self, curve: str, batch: int, epoch: int, parts: Mapping[int, tuple[bytes, bytes]]) -> None:
        """Keep the parts of a next epoch, (key id, part) by position, beside the live ones.

        Keys that are gone here stay gone; keys that are new here (we join) are FREE, see `inherit`. Staging
        an epoch again replaces what was staged.
        """
        with self._rows.storage.transaction() as tx:
            found = self._select("curve = ? AND batch = ?", (curve, batch), for_update=True)
            known = {key.index.position: key.state for key in found}
            new = [(curve, batch, at, key.hex(), "free") for at, (key, _) in parts.items() if at not in known]
            if new:
                _insert(tx, "pool_keys (curve, batch, position, key_id, state)", new)
                tx.execute(
                    "INSERT INTO pool_batches (curve, batch, count, state) VALUES (?, ?, ?, 'stored') "
                    "ON CONFLICT DO NOTHING",
                    (curve, batch, max(parts) + 1),
                )
            where = "curve = ? AND batch = ? AND epoch = ?"
            tx.execute(f"DELETE FROM pool_parts WHERE {where}", (curve, batch, epoch))  # noqa: S608
            gone = {at for at, state in known.items() if state in (KeyState.USED, KeyState.BURNED)}
            kept = {at: part for at, (_, part) in parts.items() if at not in gone}
            self._seal(tx, curve, batch, epoch, kept, max(parts, default=0) + 1)

    def inherit(self, votes: Mapping[PoolIndex, bytes]) -> None:
        """What a committee before ours has voted: a key is for that account only; for none, if empty."""
        with self._rows.storage.transaction() as tx:
            for index, account in votes.items():
                known = self.get(index, for_update=True)
                if known is None or known.state is not KeyState.FREE:
                    continue
                state = KeyState.SIGNED if account else KeyState.CLOSED
                _update(tx, index, "state = ?, account = ?", (state, account.hex()))

    def activate(self, epoch: int) -> None:
        """The committee is in this epoch: parts of earlier ones are erased. Repeating it does nothing."""
        with self._rows.storage.transaction() as tx:
            if self._erase_parts("epoch < ?", (epoch,)):
                tx.execute("DELETE FROM pool_batches WHERE batch = 0")  # sessions of the new epoch are others
                # what was not dealt to us is for whom the others give it to
                tx.execute(
                    "UPDATE pool_keys SET state = 'closed' WHERE state = 'free' AND NOT EXISTS "
                    "(SELECT 1 FROM pool_parts p WHERE p.curve = pool_keys.curve "
                    "AND p.batch = pool_keys.batch AND p.position = pool_keys.position)"
                )
            tx.execute(
                "UPDATE pool_batches SET state = 'failed' WHERE state = 'begun' AND epoch < ?", (epoch,)
            )

    def discard(self, epoch: int) -> None:
        """Erase what was staged for an epoch that is given up."""
        self._erase_parts("epoch = ?", (epoch,))

    def forget(self, tx: Transaction) -> None:
        """The database was restored: we may have voted on any key that looks FREE, so we vote on none of
        them; and any batch may have begun."""
        tx.execute("UPDATE pool_keys SET state = 'closed' WHERE state = 'free'")
        tx.execute(
            "INSERT INTO pool_batches (curve, batch, count, state) VALUES ('', 0, 0, 'stored') "
            "ON CONFLICT DO NOTHING"
        )

    # --- inside --------------------------------------------------------------------------------------

    def _select(
        self, where: str, parameters: Sequence[Parameter], *, for_update: bool = False
    ) -> list[PooledKey]:
        with self._rows.storage.transaction() as tx:
            found = tx.query(f"{_SELECT} WHERE {where}", parameters, for_update=for_update)
        return [
            PooledKey(
                PoolIndex(curve, batch, position),
                bytes.fromhex(key_id),
                KeyState(state),
                bytes.fromhex(account),
                bytes.fromhex(commitment),
                signed,
                committed,
                bool(apart),
            )
            for (
                curve,
                batch,
                position,
                key_id,
                state,
                account,
                commitment,
                signed,
                committed,
                apart,
            ) in found
        ]

    def _seal(
        self,
        tx: Transaction,
        curve: str,
        batch: int,
        epoch: int,
        parts: Mapping[int, bytes],
        count: int,
    ) -> None:
        ciphers = self._rows.data_keys.make_bundle(_bundle(curve, batch, epoch), count)
        sealed = [
            (
                curve,
                batch,
                at,
                epoch,
                self._rows.seal_with(ciphers[at], _place(PoolIndex(curve, batch, at), epoch), part),
            )
            for at, part in parts.items()
        ]
        _insert(tx, "pool_parts (curve, batch, position, epoch, body)", sealed)

    def _open(self, tx: Transaction, index: PoolIndex) -> Secret[bytes]:
        found = tx.query_one(
            "SELECT epoch, body FROM pool_parts WHERE curve = ? AND batch = ? AND position = ? "
            "ORDER BY epoch LIMIT 1",
            _key(index),
        )
        if found is None:
            raise Unavailable(f"this party has no part of the pool key {index}, or no more")
        return Secret(self._rows.open(_place(index, found[0]), bytes(found[1])))

    def _end(self, index: PoolIndex, state: KeyState) -> None:
        with self._rows.storage.transaction() as tx:
            known = self.get(index, for_update=True)
            if known is None or known.state in (KeyState.USED, KeyState.BURNED):
                return
            _update(tx, index, "state = ?", (state,))
            where = "curve = ? AND batch = ? AND position = ?"
            for (epoch,) in tx.query(f"SELECT epoch FROM pool_parts WHERE {where}", _key(index)):  # noqa: S608
                self._rows.order_erasure(tx, _place(index, epoch).scope, forever=True)
            tx.execute(f"DELETE FROM pool_parts WHERE {where}", _key(index))  # noqa: S608
            self._rows.generation.advance(tx)

    def _abstains(self, tx: Transaction) -> bool:
        return tx.query_one("SELECT batch FROM pool_batches WHERE batch = 0") is not None

    def _erase_parts(self, where: str, parameters: Sequence[Parameter]) -> bool:
        with self._rows.storage.transaction() as tx:
            bundles = tx.query(
                f"SELECT DISTINCT curve, batch, epoch FROM pool_parts WHERE {where}",  # noqa: S608
                parameters,
            )
            if not bundles:
                return False
            for curve, batch, epoch in bundles:
                self._rows.order_erasure(tx, member(_bundle(curve, batch, epoch), ALL), forever=True)
            tx.execute(f"DELETE FROM pool_parts WHERE {where}", parameters)  # noqa: S608
            self._rows.generation.advance(tx)
            return True


def _bundle(curve: str, batch: int, epoch: int) -> str:
    return f"pool:{curve}:{batch}:{epoch}"


def _place(index: PoolIndex, epoch: int) -> Place:
    return Place(_TABLE, str(index), scope=member(_bundle(index.curve, index.batch, epoch), index.position))


def _key(index: PoolIndex) -> tuple[Parameter, ...]:
    return index.curve, index.batch, index.position


def _check_count(count: int) -> None:
    if not 1 <= count <= MAX_BATCH:
        raise LimitExceeded(f"a batch has 1 to {MAX_BATCH} keys, not {count}")


def _update(tx: Transaction, index: PoolIndex, fields: str, values: Sequence[Parameter]) -> None:
    tx.execute(
        f"UPDATE pool_keys SET {fields} WHERE curve = ? AND batch = ? AND position = ?",  # noqa: S608
        (*values, *_key(index)),
    )


def _insert(tx: Transaction, into: str, rows: Sequence[Sequence[Parameter]]) -> None:
    for begin in range(0, len(rows), _CHUNK):
        chunk = rows[begin : begin + _CHUNK]
        values = ", ".join("(" + ", ".join("?" for _ in row) + ")" for row in chunk)
        tx.execute(f"INSERT INTO {into} VALUES {values}", [value for row in chunk for value in row])  # noqa: S608
