"""Data keys live outside the database, come back after a restart, and stay destroyed."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag

from quorate.entropy import system_rng
from quorate.errors import Unavailable
from quorate.vault import datakeys
from quorate.vault.datakeys import DataKeys
from quorate.vault.seals import Argon2Cost, KeyFileSeal, PassphraseSeal, Seal

NONCE = bytes(12)


@pytest.fixture
def seal(tmp_path: Path) -> Seal:
    return KeyFileSeal.create(tmp_path / "seal.key", rng=system_rng)


@pytest.fixture
def room(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def open_keys(room: Path, seal: Seal) -> DataKeys:
    return DataKeys(room, seal, rng=system_rng)


def key_files(room: Path) -> list[Path]:
    return sorted((room / "keys").rglob("*.key"))


def test_each_scope_has_its_own_key_which_survives_a_restart(room: Path, seal: Seal) -> None:
    keys = open_keys(room, seal)
    box = keys.cipher("epoch:k:1", create=True).encrypt(NONCE, b"row", None)
    again = open_keys(room, seal)
    assert again.cipher("epoch:k:1").decrypt(NONCE, box, None) == b"row"
    with pytest.raises(InvalidTag):
        again.cipher("epoch:k:2", create=True).decrypt(NONCE, box, None)
    assert len(key_files(room)) == 2


def test_a_key_is_made_only_when_asked_for(room: Path, seal: Seal) -> None:
    keys = open_keys(room, seal)
    assert not keys.exists("identity")
    with pytest.raises(Unavailable, match="not in"):
        keys.cipher("identity")
    assert key_files(room) == []


def test_the_seal_is_asked_once_for_each_process(room: Path) -> None:
    asked: list[bytes] = []

    class Counting(PassphraseSeal):
        def unwrap(self, box: bytes, context: bytes) -> bytes:
            asked.append(context)
            return super().unwrap(box, context)

    seal = Counting("correct horse", rng=system_rng, cost=Argon2Cost(19 * 1024, 2, 1))
    open_keys(room, seal).cipher("a", create=True)
    keys = open_keys(room, seal)
    for scope in ("a", "b", "c"):
        keys.cipher(scope, create=True)
    assert len(asked) == 1


def test_destroying_overwrites_removes_and_refuses(room: Path, seal: Seal) -> None:
    keys = open_keys(room, seal)
    keys.cipher("epoch:k:1", create=True)
    (path,) = key_files(room)
    other_name = room / "hard-link"  # still sees the bytes of the file that is unlinked
    os.link(path, other_name)
    keys.destroy("epoch:k:1", forever=True)
    keys.destroy("epoch:k:1", forever=True)
    assert set(other_name.read_bytes()) == {0}
    assert key_files(room) == []
    for reader in (keys, open_keys(room, seal)):
        assert not reader.exists("epoch:k:1")
        with pytest.raises(Unavailable, match="erased for ever"):
            reader.cipher("epoch:k:1", create=True)


def test_a_file_copied_back_after_its_destruction_is_refused(room: Path, seal: Seal) -> None:
    keys = open_keys(room, seal)
    keys.cipher("epoch:k:1", create=True)
    (path,) = key_files(room)
    shutil.copy(path, room / "backup")
    keys.destroy("epoch:k:1", forever=True)
    shutil.copy(room / "backup", path)
    for reader in (keys, open_keys(room, seal)):
        with pytest.raises(Unavailable, match="erased for ever"):
            reader.cipher("epoch:k:1")


def test_without_for_ever_a_new_and_different_key_may_follow(room: Path, seal: Seal) -> None:
    keys = open_keys(room, seal)
    box = keys.cipher("journal:1", create=True).encrypt(NONCE, b"row", None)
    keys.destroy("journal:1", forever=False)
    with pytest.raises(InvalidTag):
        keys.cipher("journal:1", create=True).decrypt(NONCE, box, None)


def test_a_key_that_another_process_destroyed_is_refused_though_it_was_cached(room: Path, seal: Seal) -> None:
    mine, theirs = open_keys(room, seal), open_keys(room, seal)
    mine.cipher("epoch:k:1", create=True)
    theirs.destroy("epoch:k:1", forever=True)
    with pytest.raises(Unavailable):
        mine.cipher("epoch:k:1")


def test_processes_that_make_the_same_key_at_once_agree_on_one(room: Path, seal: Seal) -> None:
    several = [open_keys(room, seal) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        ciphers = list(pool.map(lambda keys: keys.cipher("epoch:k:1", create=True), several))
    box = ciphers[0].encrypt(NONCE, b"row", None)
    assert all(cipher.decrypt(NONCE, box, None) == b"row" for cipher in ciphers)


def test_a_file_moved_to_another_scope_or_damaged_is_refused(room: Path, seal: Seal) -> None:
    keys = open_keys(room, seal)
    keys.cipher("one", create=True)
    (one,) = key_files(room)
    keys.cipher("two", create=True)
    (two,) = (path for path in key_files(room) if path != one)
    shutil.copy(one, two)
    with pytest.raises(Unavailable, match="another vault or scope"):
        open_keys(room, seal).cipher("two")
    one.write_bytes(one.read_bytes()[:-3])
    with pytest.raises(Unavailable, match="damaged"):
        open_keys(room, seal).cipher("one")


def test_a_wrong_seal_is_named_as_such(room: Path, seal: Seal, tmp_path: Path) -> None:
    open_keys(room, seal)
    with pytest.raises(Unavailable, match="configure the seal keyfile:"):
        open_keys(room, PassphraseSeal("correct horse", rng=system_rng))
    with pytest.raises(Unavailable, match="give the one it was made with"):
        open_keys(room, KeyFileSeal.create(tmp_path / "other.key", rng=system_rng))


def test_a_lost_root_key_is_not_replaced(room: Path, seal: Seal) -> None:
    open_keys(room, seal).cipher("one", create=True)
    (room / "root.key").unlink()
    with pytest.raises(Unavailable, match=r"restore it from a copy"):
        open_keys(room, seal)


def test_a_damaged_root_key_is_named_as_such(room: Path, seal: Seal) -> None:
    open_keys(room, seal)
    (room / "root.key").write_bytes(b"\x00")
    with pytest.raises(Unavailable, match=r"root\.key is damaged"):
        open_keys(room, seal)


def test_a_draft_left_by_a_crash_is_swept(room: Path, seal: Seal) -> None:
    open_keys(room, seal)
    (room / "drafts" / "left.key").write_bytes(b"half of a key")
    open_keys(room, seal)
    assert list((room / "drafts").iterdir()) == []


def test_the_cache_has_a_largest_size(room: Path, seal: Seal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datakeys, "MAX_CACHED", 3)
    keys = open_keys(room, seal)
    for number in range(8):
        keys.cipher(f"scope {number}", create=True)
        assert len(keys._open) <= 3
    box = keys.cipher("scope 0").encrypt(NONCE, b"row", None)
    assert open_keys(room, seal).cipher("scope 0").decrypt(NONCE, box, None) == b"row"


def test_all_files_are_private(room: Path, seal: Seal) -> None:
    keys = open_keys(room, seal)
    keys.cipher("one", create=True)
    keys.destroy("one", forever=True)
    for path in room.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
