"""The tables, as numbered steps that only go forward.

A step that has shipped is never edited; a change is a new step. Every process applies what is missing when
it opens the database, under a lock, so that replicas may start together. A database with steps this program
does not know is refused: an older program would misread, or worse, un-erase what a newer one wrote.

Columns that hold secrets (`body`, `answer`, `header`) hold sealed bytes only (`quorate.vault.rows`); clear
columns are names, numbers and states that the node needs for finding rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quorate.errors import Unavailable
from quorate.vault.storage import Storage


def migrate(storage: Storage) -> None:
    """Apply the steps that are missing. Raises `Unavailable` for a database newer than this program."""
    with storage.transaction() as tx:
        storage.lock_migrations(tx)
        tx.execute(
            "CREATE TABLE IF NOT EXISTS migrations (number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL)"
        )
        done = {number for (number,) in tx.query("SELECT number FROM migrations")}
        newest = max(done, default=0)
        if newest > len(MIGRATIONS):
            raise Unavailable(
                f"this database is at migration {newest}, and this version of Quorate knows only "
                f"{len(MIGRATIONS)}; install the version that last used it, or a newer one"
            )
        for number, migration in enumerate(MIGRATIONS, start=1):
            if number in done:
                continue
            for statement in migration.statements:
                tx.execute(statement.replace("BLOB", storage.bytes_type))
            tx.execute("INSERT INTO migrations (number, name) VALUES (?, ?)", (number, migration.name))


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: what it is called and its statements, in portable SQL."""

    name: str
    statements: tuple[str, ...]


MIGRATIONS: Final[tuple[Migration, ...]] = (
    Migration(
        "first tables",
        (
            # One row: which vault this is, and how often it was opened, flipped or consumed from.
            "CREATE TABLE generation (vault BLOB NOT NULL, value BIGINT NOT NULL)",
            # Data keys whose destruction a committed transaction has ordered and nobody has confirmed yet.
            "CREATE TABLE erasures (scope TEXT NOT NULL PRIMARY KEY, forever INTEGER NOT NULL)",
            """CREATE TABLE sealed_rows (
                kind TEXT NOT NULL, id TEXT NOT NULL, owner TEXT NOT NULL, key_id TEXT NOT NULL,
                epoch BIGINT NOT NULL, scope TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, id))""",
            "CREATE INDEX sealed_rows_of_epoch ON sealed_rows (key_id, epoch)",
            """CREATE TABLE shares (
                key_id TEXT NOT NULL, epoch BIGINT NOT NULL, owner TEXT NOT NULL, state TEXT NOT NULL,
                body BLOB, PRIMARY KEY (key_id, epoch))""",
            """CREATE TABLE presignatures (
                id TEXT NOT NULL PRIMARY KEY, key_id TEXT NOT NULL, epoch BIGINT NOT NULL,
                signers TEXT NOT NULL, state TEXT NOT NULL, expires DOUBLE PRECISION NOT NULL,
                request BLOB, body BLOB, answer BLOB)""",
            "CREATE INDEX presignatures_of_signers ON presignatures (key_id, epoch, signers, state)",
            "CREATE INDEX presignatures_by_state ON presignatures (state, expires)",
            """CREATE TABLE presignature_pairs (
                id TEXT NOT NULL, peer TEXT NOT NULL, shard INTEGER NOT NULL, PRIMARY KEY (id, peer))""",
            "CREATE INDEX presignatures_of_pair ON presignature_pairs (peer, shard)",
            """CREATE TABLE instances (
                peer TEXT NOT NULL, shard INTEGER NOT NULL, direction TEXT NOT NULL,
                generation BIGINT NOT NULL, state TEXT NOT NULL, body BLOB, unverified INTEGER NOT NULL,
                sessions INTEGER NOT NULL, born DOUBLE PRECISION NOT NULL, reason TEXT NOT NULL,
                PRIMARY KEY (peer, shard, direction, generation))""",
            """CREATE TABLE instance_failures (
                peer TEXT NOT NULL, shard INTEGER NOT NULL, at DOUBLE PRECISION NOT NULL,
                reason TEXT NOT NULL)""",
            "CREATE INDEX instance_failures_of_peer ON instance_failures (peer, at)",
            """CREATE TABLE suspensions (
                peer TEXT NOT NULL PRIMARY KEY, at DOUBLE PRECISION NOT NULL, reason TEXT NOT NULL)""",
            "CREATE TABLE journals (session TEXT NOT NULL PRIMARY KEY, header BLOB NOT NULL)",
            """CREATE TABLE journal_records (
                session TEXT NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL,
                PRIMARY KEY (session, number))""",
            """CREATE TABLE records (
                kind TEXT NOT NULL, name TEXT NOT NULL, version BIGINT NOT NULL, scope TEXT NOT NULL,
                body BLOB NOT NULL, PRIMARY KEY (kind, name))""",
            """CREATE TABLE slots (
                scope TEXT NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (scope, id))""",
        ),
    ),
    Migration(
        "pool of committee keys",
        (
            """CREATE TABLE pool_batches (
                curve TEXT NOT NULL, batch BIGINT NOT NULL, count INTEGER NOT NULL, state TEXT NOT NULL,
                epoch BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (curve, batch))""",
            # `account` and `commitment` in hex, empty until voted on; the rest says when, and what for.
            """CREATE TABLE pool_keys (
                curve TEXT NOT NULL, batch BIGINT NOT NULL, position INTEGER NOT NULL, key_id TEXT NOT NULL,
                state TEXT NOT NULL, account TEXT NOT NULL DEFAULT '', commitment TEXT NOT NULL DEFAULT '',
                signed DOUBLE PRECISION NOT NULL DEFAULT 0, committed DOUBLE PRECISION NOT NULL DEFAULT 0,
                apart INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (curve, batch, position))""",
            "CREATE INDEX pool_keys_by_id ON pool_keys (key_id)",
            "CREATE INDEX pool_keys_by_state ON pool_keys (curve, state, batch, position)",
            "CREATE INDEX pool_keys_by_account ON pool_keys (account, signed)",
            "CREATE INDEX pool_keys_by_time ON pool_keys (signed)",
            """CREATE TABLE pool_parts (
                curve TEXT NOT NULL, batch BIGINT NOT NULL, position INTEGER NOT NULL, epoch BIGINT NOT NULL,
                body BLOB NOT NULL, PRIMARY KEY (curve, batch, position, epoch))""",
        ),
    ),
    Migration(
        "links between nodes",
        (
            """CREATE TABLE outbox (
                peer TEXT NOT NULL, number BIGINT NOT NULL, topic TEXT NOT NULL, session TEXT NOT NULL,
                size INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (peer, number))""",
            "CREATE INDEX outbox_of_session ON outbox (session, peer)",
            # One row a peer: the last number given out, and how much waits.
            """CREATE TABLE outbox_ends (
                peer TEXT NOT NULL PRIMARY KEY, last BIGINT NOT NULL, parcels INTEGER NOT NULL,
                size BIGINT NOT NULL)""",
            """CREATE TABLE standing_sessions (
                session TEXT NOT NULL PRIMARY KEY, state TEXT NOT NULL, spec BLOB NOT NULL,
                since DOUBLE PRECISION NOT NULL)""",
            """CREATE TABLE standing_done (
                session TEXT NOT NULL, peer TEXT NOT NULL, PRIMARY KEY (session, peer))""",
        ),
    ),
    Migration(
        "validators' duties",
        (
            # Bounds, and whether a rollback has left it unknown what was signed. Roots in hex, '' if unknown.
            """CREATE TABLE duty_validators (
                validator TEXT NOT NULL, network TEXT NOT NULL, frozen INTEGER NOT NULL, slot BIGINT NOT NULL,
                source BIGINT NOT NULL, target BIGINT NOT NULL, PRIMARY KEY (validator, network))""",
            """CREATE TABLE duty_blocks (
                validator TEXT NOT NULL, network TEXT NOT NULL, slot BIGINT NOT NULL, root TEXT NOT NULL,
                PRIMARY KEY (validator, network, slot, root))""",
            """CREATE TABLE duty_attestations (
                validator TEXT NOT NULL, network TEXT NOT NULL, source BIGINT NOT NULL,
                target BIGINT NOT NULL, root TEXT NOT NULL,
                PRIMARY KEY (validator, network, target, source, root))""",
        ),
    ),
    Migration(
        "schemes of what is prepared",
        (
            "ALTER TABLE presignatures ADD COLUMN scheme TEXT NOT NULL DEFAULT 'ecdsa'",
            "DROP INDEX presignatures_of_signers",
            "CREATE INDEX presignatures_of_signers ON presignatures (key_id, epoch, signers, scheme, state)",
        ),
    ),
)
