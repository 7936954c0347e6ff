"""What the commands of other chains make of files, and how they write what was signed."""

from __future__ import annotations

from pathlib import Path

import pytest

from quorate.chains import Signed
from quorate.cli.failures import run
from quorate.cli.sign_chains import MAX_FILE_BYTES, WAYS, document, octets, read, written
from quorate.errors import LimitExceeded, Malformed, Unavailable


@pytest.mark.parametrize("data", [b"\x01\xff", b"01ff", b"0x01FF\n", b"Af8=\n", b" Af8 = "])
def test_bytes_are_read_as_they_are_or_from_text(data: bytes) -> None:
    assert octets(data) == b"\x01\xff"


def test_text_that_is_neither_stays_what_it_is() -> None:
    assert octets(b"no bytes!") == b"no bytes!"


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff"])
def test_a_document_is_a_json_object(data: bytes) -> None:
    with pytest.raises(Malformed):
        document(data)
    assert document(b'{"a": 1}') == {"a": 1}


def test_files_are_read_up_to_a_limit(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with pytest.raises(Unavailable, match="cannot be read"):
        read(file)
    file.write_bytes(bytes(MAX_FILE_BYTES))
    assert len(read(file)) == MAX_FILE_BYTES
    file.write_bytes(bytes(MAX_FILE_BYTES + 1))
    with pytest.raises(LimitExceeded):
        read(file)


@pytest.mark.parametrize(
    ("signed", "text"),
    [
        (Signed(b"\x01", "", {"base64": "AQ=="}), "AQ=="),
        (Signed(b"psbt\xff\x00", "", {}), "cHNidP8A"),
        (Signed(b'[{"type":"INVOKE"}]', "", {}), '[{"type":"INVOKE"}]'),
        (Signed(b"\x01\xff", "", {}), "0x01ff"),
    ],
)
def test_what_was_signed_is_written_as_the_chains_tools_take_it(signed: Signed, text: str) -> None:
    assert written(signed) == text


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_every_command_wants_one_thing_to_sign_and_overwrites_nothing(
    way: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name: str = way.name  # type: ignore[attr-defined]
    assert run(["sign", name]) == 3
    assert "say what to sign" in capsys.readouterr().err
    (tmp_path / "there").write_bytes(b"")
    assert run(["sign", name, "file", "--out", str(tmp_path / "there")]) == 3
    assert "overwritten" in capsys.readouterr().err
