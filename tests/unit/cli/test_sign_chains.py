"""What the commands of other chains make of files, and how they write what was signed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from quorate.chains import Request, Signed
from quorate.cli.failures import run
from quorate.cli.sign_chains import MAX_FILE_BYTES, WAYS, Place, document, octets, read, written
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


def test_a_validator_s_request_is_read_as_remote_signers_get_it() -> None:
    way = next(way for way in WAYS if way.name == "validator")
    root = "4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95"
    chain, account = f"beacon:{root[:32]}", "0x" + "aa" * 48
    fork = {"previous_version": "0x04000000", "current_version": "0x05000000", "epoch": "364032"}
    asked = {
        "type": "RANDAO_REVEAL",
        "fork_info": {"fork": fork, "genesis_validators_root": f"0x{root}"},
        "randao_reveal": {"epoch": "364034"},
    }
    place = Place(chain, account, "bls12381g1", "", b"\xaa" * 48)
    request = Request.from_payload(way.read(json.dumps(asked).encode(), place))
    assert (request.chain, request.account, request.kind) == (chain, account, "randao")
    with pytest.raises(Malformed, match="not for beacon:d8ea"):
        way.read(json.dumps(asked).encode(), replace(place, chain="beacon:d8ea171f3c94aea21ebc42a1ed61052a"))
