"""The vault of one party: everything it keeps, sealed, one-time where it must be, and erasable.

`Vault.open` puts the pieces together: a database named by a URL, a directory of data keys and the generation
outside it, and the seal that locks the directory. It finishes erasures that a crash interrupted, and if the
database was restored from an older copy it burns every presignature, retires every OT instance, drops every
journal, votes on no pool key that looks free, freezes every validator, and raises `rolled_back`, which the
caller lowers after reading the heads of its accounts.

Synchronous and thread-safe; callers with an event loop use a worker thread. ``with vault.transaction():``
joins several calls into one durable unit. Everything is documented in ``docs/protocols/vault.md``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from quorate.entropy import Rng
from quorate.vault.datakeys import DataKeys
from quorate.vault.duties import Duties, freeze_all
from quorate.vault.generation import Generation
from quorate.vault.instances import Instances
from quorate.vault.journal import VaultJournal
from quorate.vault.onetime import Presignatures, burn_all
from quorate.vault.outbox import Outbox
from quorate.vault.pool import Pool
from quorate.vault.records import Records
from quorate.vault.rows import Place, Rows
from quorate.vault.seals import Seal
from quorate.vault.shares import Shares
from quorate.vault.slots import Slots
from quorate.vault.standing import Standing
from quorate.vault.steps import Step, no_step
from quorate.vault.storage import Storage, Transaction, open_storage


class Vault:
    """The stores over one database, one directory of data keys, and one generation."""

    def __init__(
        self, storage: Storage, data_keys: DataKeys, generation_file: Path, rng: Rng, step: Step = no_step
    ):
        self.storage = storage
        self.data_keys = data_keys
        self.generation = Generation(storage, generation_file, step=step)
        self._rows = rows = Rows(storage, data_keys, self.generation, rng)
        self.shares = Shares(rows)
        self.presignatures = Presignatures(rows)
        self.instances = Instances(rows)
        self.journal = VaultJournal(rows)
        self.standing = Standing(rows)
        self.outbox = Outbox(rows)
        self.records = Records(rows)
        self.slots = Slots(rows)
        self.pool = Pool(rows)
        self.duties = Duties(rows)
        self.generation.open(rng=rng, discard=self._discard)
        rows.finish_erasures()

    @classmethod
    def open(cls, url: str, directory: Path, seal: Seal, *, rng: Rng, step: Step = no_step) -> Vault:
        """Open or create the vault whose database is at `url` and whose data keys are in `directory`.

        Raises `Unavailable`, with what to do, when a piece is missing, sealed otherwise, or another's.
        """
        data_keys = DataKeys(directory, seal, rng=rng, step=step)
        storage = open_storage(url, step=step)
        try:
            return cls(storage, data_keys, directory / "generation", rng, step)
        except BaseException:
            storage.close()
            raise

    def close(self) -> None:
        """Let go of the database. Keys in memory go with the object."""
        self.storage.close()

    @property
    def rolled_back(self) -> bool:
        """Whether the database was restored from an older copy and `acknowledge_rollback` is still due."""
        return self.generation.rolled_back

    def acknowledge_rollback(self) -> None:
        """The caller has learned the heads of its accounts and erased what they say is past."""
        self.generation.acknowledge()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Join the calls inside into one durable unit; see `quorate.vault.storage`."""
        with self.storage.transaction() as tx:
            yield tx

    def put(self, place: Place, value: bytes) -> None:
        """Seal `value` into its place; replaces what was there."""
        box = self._rows.seal(place, value)
        with self.storage.transaction() as tx:
            tx.execute(
                "INSERT INTO sealed_rows (kind, id, owner, key_id, epoch, scope, body) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET "
                "owner = excluded.owner, key_id = excluded.key_id, "
                "epoch = excluded.epoch, scope = excluded.scope, body = excluded.body",
                (place.table, place.row, place.owner, place.key, place.epoch, place.scope, box),
            )

    def get(self, place: Place) -> bytes | None:
        """What was sealed into this place, or None. Raises `ProofRejected`, `Unavailable`."""
        with self.storage.transaction() as tx:
            found = tx.query_one(
                "SELECT body FROM sealed_rows WHERE kind = ? AND id = ?", (place.table, place.row)
            )
        return None if found is None else self._rows.open(place, bytes(found[0]))

    def delete(self, place: Place) -> bool:
        """Remove the row; gives whether there was one. Old copies of it fall with its data key, not here."""
        with self.storage.transaction() as tx:
            return bool(
                tx.execute("DELETE FROM sealed_rows WHERE kind = ? AND id = ?", (place.table, place.row))
            )

    def list(self, table: str, *, owner: str | None = None) -> list[Place]:
        """The places of a table that hold something (of one owner), sorted by row."""
        with self.storage.transaction() as tx:
            rows = tx.query(
                "SELECT id, owner, key_id, epoch, scope FROM sealed_rows WHERE kind = ? ORDER BY id", (table,)
            )
        return [Place(table, *row) for row in rows if owner in (None, row[1])]

    def destroy(self, scope: str, *, forever: bool = False) -> None:
        """Erase everything sealed under a scope that is no epoch's: its data key, and the rows kept here."""
        with self.storage.transaction() as tx:
            tx.execute("DELETE FROM sealed_rows WHERE scope = ?", (scope,))
            tx.execute("DELETE FROM records WHERE scope = ?", (scope,))
            self._rows.order_erasure(tx, scope, forever=forever)

    def _discard(self, tx: Transaction) -> None:
        reason = "the database was restored from an older copy"
        burn_all(tx)
        self.instances.retire_all(tx, reason)
        self.journal.drop_all(tx)
        self.standing.drop_all(tx)
        self.outbox.drop_all(tx)
        self.pool.forget(tx)
        freeze_all(tx)
