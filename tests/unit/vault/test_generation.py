"""A database restored from an older copy is found out, and what is dangerous twice is discarded."""

import shutil
from pathlib import Path

import pytest
from tests.unit.vault.conftest import KEY, NOW, SIGNERS, OpenVault, put_presignature

from quorate.entropy import system_rng
from quorate.errors import Unavailable
from quorate.vault import KeyFileSeal, Vault
from quorate.vault.instances import Direction
from quorate.vault.storage import Storage

ID, REQUEST = b"\x01" * 32, b"r" * 32
TABLES = (
    "generation",
    "shares",
    "presignatures",
    "presignature_pairs",
    "instances",
    "instance_failures",
    "journals",
    "journal_records",
    "slots",
)
Snapshot = dict[str, list[tuple[object, ...]]]


def copy_of(storage: Storage) -> Snapshot:
    """What a backup of the database holds, on either engine."""
    with storage.transaction() as tx:
        return {table: tx.query(f"SELECT * FROM {table}") for table in TABLES}


def restore(storage: Storage, snapshot: Snapshot) -> None:
    with storage.transaction() as tx:
        for table, rows in snapshot.items():
            tx.execute(f"DELETE FROM {table}")
            for row in rows:
                marks = ", ".join("?" for _ in row)
                tx.execute(f"INSERT INTO {table} VALUES ({marks})", row)


def answer(vault: Vault, request: bytes = REQUEST) -> bytes:
    return vault.presignatures.answer(ID, request, NOW, lambda value: b"answer to " + request)


def test_ordinary_restarts_advance_and_raise_no_flag(vault: Vault, open_again: OpenVault) -> None:
    put_presignature(vault, ID)
    values = [vault.generation.value]
    for _ in range(4):
        again = open_again()
        assert not again.rolled_back
        values.append(again.generation.value)
    assert values == sorted(set(values))
    assert answer(again) == b"answer to " + REQUEST


def test_a_copy_made_while_running_and_restored_is_found_out(vault: Vault, open_again: OpenVault) -> None:
    put_presignature(vault, ID)
    backup = copy_of(vault.storage)  # the same opening of the vault as the use below
    assert answer(vault) == b"answer to " + REQUEST
    restore(vault.storage, backup)
    again = open_again()
    assert again.rolled_back
    assert again.presignatures.ready(KEY, 1, SIGNERS, NOW) == []
    with pytest.raises(Unavailable, match="older copy"):
        answer(again, b"another request")
    with pytest.raises(Unavailable, match="older copy"):
        again.presignatures.consume(ID, REQUEST, NOW)
    again.acknowledge_rollback()
    assert not again.rolled_back
    with pytest.raises(Unavailable, match="burned"):
        answer(again, b"another request")
    put_presignature(again, b"\x02" * 32)


def test_the_flag_stays_up_across_restarts_until_it_is_acknowledged(
    vault: Vault, open_again: OpenVault
) -> None:
    backup = copy_of(vault.storage)
    open_again()
    restore(vault.storage, backup)
    assert open_again().rolled_back
    again = open_again()
    assert again.rolled_back
    with pytest.raises(Unavailable, match="older copy"):
        put_presignature(again, ID)
    again.acknowledge_rollback()
    assert not open_again().rolled_back


def test_a_database_that_falls_back_under_a_running_process_is_not_signed_with(
    vault: Vault, open_again: OpenVault
) -> None:
    put_presignature(vault, ID)
    backup = copy_of(vault.storage)
    answer(vault)
    restore(vault.storage, backup)  # a failover to a replica that lags
    with pytest.raises(Unavailable, match="restart the process"):
        answer(vault, b"another request")
    assert open_again().rolled_back


def test_a_rollback_retires_instances_and_drops_journals(vault: Vault, open_again: OpenVault) -> None:
    vault.instances.store("n2", 7, Direction.SENDER, 1, b"delta", now=NOW)
    vault.journal.begin(b"session", b"header")
    backup = copy_of(vault.storage)
    vault.instances.quarantine("n2", 7, "check failed", now=NOW)
    restore(vault.storage, backup)  # the quarantine is forgotten
    again = open_again()
    with pytest.raises(Unavailable, match="set one up"):
        again.instances.load("n2", 7, Direction.SENDER)
    assert again.journal.open_sessions() == []
    assert again.shares.get(KEY).reveal() == b"the share of epoch one"


def test_a_rolled_back_epoch_does_not_open(vault: Vault, open_again: OpenVault) -> None:
    vault.shares.put(KEY, 2, b"two", owner="n1")
    backup = copy_of(vault.storage)
    vault.shares.activate(KEY, 2)
    restore(vault.storage, backup)
    again = open_again()
    assert again.rolled_back
    with pytest.raises(Unavailable, match="erased for ever"):
        again.shares.get(KEY, 1)
    again.shares.activate(KEY, 2)  # as the heads of its peers say
    assert again.shares.get(KEY).reveal() == b"two"


def test_a_lost_generation_file_counts_as_a_rollback(
    vault: Vault, open_again: OpenVault, tmp_path: Path
) -> None:
    (tmp_path / "keys" / "generation").unlink()
    assert open_again().rolled_back


def test_an_emptied_database_counts_as_a_rollback(vault: Vault, open_again: OpenVault) -> None:
    restore(vault.storage, {table: [] for table in TABLES})
    assert open_again().rolled_back


def test_a_torn_write_falls_back_to_the_older_slot(
    vault: Vault, open_again: OpenVault, tmp_path: Path
) -> None:
    path = tmp_path / "keys" / "generation"
    before = path.read_bytes()
    newest = open_again().generation.value
    after = path.read_bytes()
    changed = 0 if before[:64] != after[:64] else 64
    path.write_bytes(after[: changed + 20] + bytes(44) + after[changed + 64 :])
    again = open_again()
    assert not again.rolled_back
    assert again.generation.value == newest + 1


def test_a_damaged_file_is_named_as_such(vault: Vault, open_again: OpenVault, tmp_path: Path) -> None:
    (tmp_path / "keys" / "generation").write_bytes(bytes(128))
    with pytest.raises(Unavailable, match="counts as a rollback"):
        open_again()


def test_a_directory_of_another_database_is_refused(
    vault: Vault, open_again: OpenVault, tmp_path: Path
) -> None:
    seal = KeyFileSeal.load(tmp_path / "seal" / "vault.key", rng=system_rng)
    url = f"sqlite:///{tmp_path / 'other.db'}"
    Vault.open(url, tmp_path / "other-keys", seal, rng=system_rng).close()
    with pytest.raises(Unavailable, match="belongs to another database"):
        Vault.open(url, tmp_path / "keys", seal, rng=system_rng)


def test_the_whole_of_both_sides_restored_is_what_the_local_file_cannot_see(tmp_path: Path) -> None:
    """The documented limit: only peers can tell (they compare `ready_with` on reconnect)."""
    seal = KeyFileSeal.create(tmp_path / "seal.key", rng=system_rng)
    live, backup = tmp_path / "live", tmp_path / "backup"

    def open_live() -> Vault:
        return Vault.open(f"sqlite:///{live}/vault.db", live / "keys", seal, rng=system_rng)

    open_live().close()
    shutil.copytree(live, backup)
    open_live().close()
    shutil.rmtree(live)
    shutil.copytree(backup, live)
    vault = open_live()
    assert not vault.rolled_back
    vault.close()


def test_a_transaction_that_fails_advances_neither_side(vault: Vault) -> None:
    before = vault.generation.value
    with pytest.raises(ZeroDivisionError), vault.transaction() as tx:
        vault.generation.advance(tx)
        raise ZeroDivisionError
    assert vault.generation.value == before
    with vault.transaction() as tx:
        assert tx.query("SELECT value FROM generation") == [(before,)]
