"""Small files: whole or not there, refused when they cannot be ours, gone when they are erased."""

import os
from pathlib import Path

import pytest

from quorate.errors import LimitExceeded, Unavailable
from quorate.vault.files import (
    MAX_SMALL_FILE_BYTES,
    erase,
    make_private_directory,
    read_small,
    write_new,
)


def test_a_written_file_is_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_new(path, b"one", draft=tmp_path / "draft")
    write_new(path, b"another", draft=tmp_path / "draft")
    assert read_small(path) == b"another"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


def test_a_crash_before_the_name_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_new(path, b"one", draft=tmp_path / "draft")

    def die(step: str) -> None:
        if step == "name file":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_new(path, b"another", draft=tmp_path / "draft", step=die)
    assert read_small(path) == b"one"


def test_an_erased_file_was_overwritten_first(tmp_path: Path) -> None:
    path, other = tmp_path / "key", tmp_path / "another name of the same bytes"
    path.write_bytes(b"secret")
    os.link(path, other)
    erase(path)
    assert not path.exists()
    assert other.read_bytes() == bytes(6)
    erase(path)


def test_what_is_no_small_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(bytes(MAX_SMALL_FILE_BYTES))
    assert len(read_small(path)) == MAX_SMALL_FILE_BYTES
    path.write_bytes(bytes(MAX_SMALL_FILE_BYTES + 1))
    with pytest.raises(LimitExceeded, match="no file of ours"):
        read_small(path)
    with pytest.raises(Unavailable, match="a file was expected"):
        read_small(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_small(tmp_path / "absent")


def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    made = tmp_path / "a" / "b"
    make_private_directory(made)
    assert made.stat().st_mode & 0o777 == 0o700
    make_private_directory(made)
    made.chmod(0o770)
    with pytest.raises(Unavailable, match="chmod go-w"):
        make_private_directory(made)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable, match="a directory was expected"):
        make_private_directory(tmp_path / "file")
