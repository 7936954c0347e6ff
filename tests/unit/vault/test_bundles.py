"""A bundle holds the data keys of a batch in one file, and lets go of each on its own, for ever."""

import os
import shutil
from pathlib import Path

import pytest

from quorate.entropy import system_rng
from quorate.errors import LimitExceeded, Unavailable
from quorate.vault.bundles import MAX_BUNDLE
from quorate.vault.datakeys import DataKeys
from quorate.vault.seals import KeyFileSeal, Seal

NONCE = bytes(12)


@pytest.fixture
def seal(tmp_path: Path) -> Seal:
    return KeyFileSeal.create(tmp_path / "seal.key", rng=system_rng)


@pytest.fixture
def room(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def open_keys(room: Path, seal: Seal) -> DataKeys:
    return DataKeys(room, seal, rng=system_rng)


def bundle_file(room: Path) -> Path:
    (path,) = (room / "keys").rglob("*.bundle")
    return path


def sealed(keys: DataKeys, count: int, bundle: str = "batch") -> list[bytes]:
    return [cipher.encrypt(NONCE, b"row", None) for cipher in keys.make_bundle(bundle, count)]


def test_keys_of_a_bundle_differ_and_survive_a_restart(room: Path, seal: Seal) -> None:
    boxes = sealed(open_keys(room, seal), 5)
    again = open_keys(room, seal)
    assert len(set(boxes)) == 5
    for at, box in enumerate(boxes):
        assert again.cipher(f"batch#{at}").decrypt(NONCE, box, None) == b"row"


def test_one_is_destroyed_and_the_others_stay(room: Path, seal: Seal) -> None:
    keys = open_keys(room, seal)
    boxes = sealed(keys, 5)
    keys.destroy("batch#3", forever=True)
    keys.destroy("batch#3", forever=True)
    for again in (keys, open_keys(room, seal)):
        assert not again.exists("batch#3")
        with pytest.raises(Unavailable, match="erased for ever"):
            again.cipher("batch#3")
        for at in (0, 1, 2, 4):
            assert again.cipher(f"batch#{at}").decrypt(NONCE, boxes[at], None) == b"row"


def test_what_stood_in_the_file_before_is_overwritten(room: Path, seal: Seal, tmp_path: Path) -> None:
    keys = open_keys(room, seal)
    sealed(keys, 5)
    old = tmp_path / "second-name"  # still sees the bytes of the file that is replaced
    os.link(bundle_file(room), old)
    keys.destroy("batch#0", forever=True)
    assert set(old.read_bytes()) == {0}
    assert list((room / "drafts").iterdir()) == []
    os.link(bundle_file(room), tmp_path / "third-name")
    keys.destroy("batch#*", forever=True)
    assert set((tmp_path / "third-name").read_bytes()) == {0}
    assert not keys.exists("batch#1")


def test_a_key_that_was_never_made_is_not_there(room: Path, seal: Seal) -> None:
    keys = open_keys(room, seal)
    sealed(keys, 2)
    for scope in ("batch#2", "other#0"):
        assert not keys.exists(scope)
        with pytest.raises(Unavailable, match="not there"):
            keys.cipher(scope, create=True)
        keys.destroy(scope, forever=True)
    assert keys.exists("batch#1")


def test_a_bundle_moved_to_another_name_is_refused(room: Path, seal: Seal) -> None:
    keys = open_keys(room, seal)
    sealed(keys, 2, "one")
    one = bundle_file(room)
    sealed(keys, 2, "two")
    (two,) = set((room / "keys").rglob("*.bundle")) - {one}
    shutil.copy(one, two)
    with pytest.raises(Unavailable, match="another bundle"):
        keys.cipher("two#0")
    two.write_bytes(b"rubbish")
    with pytest.raises(Unavailable, match="damaged"):
        keys.cipher("two#0")


@pytest.mark.parametrize("count", [0, MAX_BUNDLE + 1])
def test_a_bundle_has_a_size(room: Path, seal: Seal, count: int) -> None:
    with pytest.raises(LimitExceeded):
        open_keys(room, seal).make_bundle("batch", count)


def test_the_largest_bundle_can_be_read(room: Path, seal: Seal) -> None:
    keys = open_keys(room, seal)
    sealed(keys, MAX_BUNDLE)
    assert keys.exists(f"batch#{MAX_BUNDLE - 1}")
