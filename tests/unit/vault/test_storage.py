"""Transactions mean the same on SQLite and PostgreSQL."""

import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from quorate.errors import LocalError, Remedy, Unavailable
from quorate.vault.migrations import MIGRATIONS
from quorate.vault.storage import Storage, open_storage

WRITE = "INSERT INTO slots (scope, id, value) VALUES (?, ?, ?)"
READ = "SELECT id FROM slots ORDER BY id"


@pytest.fixture
def storage(storage_url: str):
    opened = open_storage(storage_url)
    yield opened
    opened.close()


def names(storage: Storage) -> list[str]:
    with storage.transaction() as tx:
        return [row[0] for row in tx.query(READ)]


def test_a_block_that_ends_is_stored_and_one_that_raises_is_not(storage_url: str) -> None:
    storage = open_storage(storage_url)
    with storage.transaction() as tx:
        tx.execute(WRITE, ("s", "kept", b"\x00\xff"))
    with pytest.raises(ZeroDivisionError), storage.transaction() as tx:
        tx.execute(WRITE, ("s", "lost", b""))
        raise ZeroDivisionError
    storage.close()
    again = open_storage(storage_url)
    assert names(again) == ["kept"]
    with again.transaction() as tx:
        assert tx.query_one("SELECT value FROM slots WHERE id = ?", ("kept",)) == (b"\x00\xff",)
        assert tx.query_one("SELECT value FROM slots WHERE id = ?", ("lost",)) is None
    again.close()


def test_an_inner_block_joins_the_outer_one(storage: Storage) -> None:
    with pytest.raises(ZeroDivisionError), storage.transaction() as outer:
        outer.execute(WRITE, ("s", "outer", b""))
        with storage.transaction() as inner:
            inner.execute(WRITE, ("s", "inner", b""))
            assert inner is outer
        raise ZeroDivisionError
    assert names(storage) == []


def test_half_of_a_unit_is_never_stored_even_if_its_error_is_swallowed(storage: Storage) -> None:
    with pytest.raises(LocalError, match="nothing of it was stored"), storage.transaction() as outer:
        outer.execute(WRITE, ("s", "outer", b""))
        try:
            with storage.transaction():
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
    assert names(storage) == []


def test_a_call_that_promises_durability_refuses_to_join(storage: Storage) -> None:
    with storage.transaction(), pytest.raises(LocalError, match="larger transaction"):
        with storage.transaction(outermost=True):
            pass


def test_actions_run_once_after_the_commit_of_the_outermost_block_and_never_after_a_rollback(
    storage: Storage,
) -> None:
    seen: list[list[str]] = []
    with storage.transaction():
        with storage.transaction() as tx:
            tx.execute(WRITE, ("s", "a", b""))
            tx.after_commit(lambda: seen.append(names(storage)))
        assert seen == []
    assert seen == [["a"]]
    with pytest.raises(ZeroDivisionError), storage.transaction() as tx:
        tx.after_commit(lambda: seen.append([]))
        raise ZeroDivisionError
    assert seen == [["a"]]


def test_threads_and_processes_do_not_lose_each_others_updates(storage_url: str) -> None:
    stores = [open_storage(storage_url) for _ in range(2)]  # two connections, as two processes have
    with stores[0].transaction() as tx:
        tx.execute(
            "INSERT INTO records (kind, name, version, scope, body) VALUES ('k', 'n', 0, '', ?)", (b"",)
        )

    def count(number: int) -> None:
        with stores[number % 2].transaction() as tx:
            row = tx.query_one("SELECT version FROM records", for_update=True)
            assert row is not None
            tx.execute("UPDATE records SET version = ?", (row[0] + 1,))

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(count, range(60)))
    with stores[0].transaction() as tx:
        assert tx.query_one("SELECT version FROM records") == (60,)
    for store in stores:
        store.close()


def test_many_replicas_may_start_at_once(storage_url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: open_storage(storage_url), range(8)))
    with stores[0].transaction() as tx:
        assert tx.query("SELECT number FROM migrations") == [(n,) for n in range(1, len(MIGRATIONS) + 1)]
    for store in stores:
        store.close()


def test_a_database_newer_than_the_program_is_refused(storage: Storage, storage_url: str) -> None:
    with storage.transaction() as tx:
        tx.execute(
            "INSERT INTO migrations (number, name) VALUES (?, 'of the future')", (len(MIGRATIONS) + 1,)
        )
    with pytest.raises(Unavailable, match="install the version that last used it"):
        open_storage(storage_url)


def test_an_unknown_url_names_the_known_ones() -> None:
    for url in ("mysql://x", "sqlite:relative", "sqlite:///", "sqlite:///x?mode=ro"):
        with pytest.raises(Unavailable, match=r"sqlite:///relative/path\.db"):
            open_storage(url)


def test_memory_databases_are_separate() -> None:
    one, two = open_storage("sqlite://"), open_storage("sqlite://")
    with one.transaction() as tx:
        tx.execute(WRITE, ("s", "a", b""))
    assert names(one) == ["a"]
    assert names(two) == []


def test_sqlite_files_are_private_and_every_commit_is_flushed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "vault.db"
    storage = open_storage(f"sqlite:///{path}")
    with storage.transaction() as tx:
        tx.execute(WRITE, ("s", "a", b""))
        pragma = {
            name: tx.query(f"PRAGMA {name}")[0][0]
            for name in ("journal_mode", "synchronous", "secure_delete")
        }
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    storage.close()


def test_a_file_that_is_no_database_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "vault.db"
    path.write_bytes(b"not a database at all, but long enough to be mistaken for one" * 20)
    with pytest.raises(Unavailable, match="not a database"):
        open_storage(f"sqlite:///{path}")
    with pytest.raises(Unavailable, match="is a directory"):
        open_storage(f"sqlite:///{tmp_path}")


def test_a_directory_others_may_write_to_is_refused(tmp_path: Path) -> None:
    room = tmp_path / "room"
    room.mkdir()
    room.chmod(0o777)
    with pytest.raises(Unavailable, match=r"chmod go-w"):
        open_storage(f"sqlite:///{room}/vault.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write every file")
def test_a_database_of_somebody_else_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "vault.db"
    path.touch(mode=0o400)
    with pytest.raises(Unavailable, match="chown"):
        open_storage(f"sqlite:///{path}")


def test_a_busy_sqlite_database_says_so_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quorate.vault.sqlite.BUSY_SECONDS", 0.05)
    url = f"sqlite:///{tmp_path / 'vault.db'}"
    one, two = open_storage(url), open_storage(url)
    with one.transaction(), pytest.raises(Unavailable, match="kept busy") as caught, two.transaction():
        pass
    assert caught.value.remedy is Remedy.RETRY
    one.close()
    two.close()


@pytest.mark.requires("postgresql")
def test_a_broken_postgresql_connection_fails_one_transaction_and_is_replaced(postgresql) -> None:
    storage = open_storage(postgresql.fresh())
    with pytest.raises(Unavailable) as caught, storage.transaction() as tx:
        tx.query("SELECT pg_terminate_backend(pg_backend_pid())")
    assert caught.value.remedy is Remedy.RETRY
    with storage.transaction() as tx:
        tx.execute(WRITE, ("s", "a", b""))
    assert names(storage) == ["a"]
    storage.close()


@pytest.mark.requires("postgresql")
def test_an_unreachable_postgresql_is_named_without_its_password(postgresql) -> None:
    with pytest.raises(Unavailable, match="check that it runs") as caught:
        open_storage("postgresql://u:hunter2@/nothing?host=/nonexistent")
    assert "hunter2" not in str(caught.value)


@pytest.mark.requires("postgresql")
def test_more_threads_than_connections_wait_for_their_turn(postgresql) -> None:
    storage = open_storage(postgresql.fresh())
    barrier = threading.Barrier(30)

    def write(number: int) -> None:
        barrier.wait()
        with storage.transaction() as tx:
            tx.execute(WRITE, ("s", f"{number:02}", b""))

    with ThreadPoolExecutor(30) as pool:
        list(pool.map(write, range(30)))
    assert len(names(storage)) == 30
    storage.close()
