"""What the commands of other chains make of files, and how they write what was signed."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest
from nacl.signing import SigningKey
from solders import system_program
from solders.hash import Hash
from solders.message import Message as SolanaMessage
from solders.pubkey import Pubkey

from quorate.chains import Chains, Request, Signed
from quorate.chains.solana import requests
from quorate.chains.solana.networks import NETWORKS
from quorate.chains.solana.wire import assemble
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
        (Signed(b"\x02\x00", "", {"txid": "ab", "complete": True}), "0200"),
        (Signed(b"\x01\xff", "", {"signature": "smpAA"}), "0x01ff"),
    ],
)
def test_what_was_signed_is_written_as_the_chains_tools_take_it(signed: Signed, text: str) -> None:
    assert written(signed) == text


def test_a_message_is_answered_with_its_signature_as_the_chain_writes_it() -> None:
    assert written(Signed(b"\x01\xff", "", {"signature": "smpAA"}), said=True) == "smpAA"
    assert written(Signed(b"\x01\xff", "", {}), said=True) == "0x01ff"


def test_signatures_that_a_solana_transaction_had_are_there_afterwards() -> None:
    (way,) = [way for way in WAYS if way.name == "solana"]
    assert way.join is not None
    ours, theirs = SigningKey(b"\x01" * 32), SigningKey(b"\x02" * 32)
    keys = [Pubkey.from_bytes(bytes(key.verify_key)) for key in (theirs, ours)]
    transfer = system_program.transfer({"from_pubkey": keys[1], "to_pubkey": keys[0], "lamports": 5})
    data = bytes(SolanaMessage.new_with_blockhash([transfer], keys[0], Hash.default()))
    chains = Chains()
    for present, missing in (({}, (str(keys[0]),)), ({bytes(keys[0]): theirs.sign(data).signature}, ())):
        file = assemble(data, present)
        payload = requests.transaction(file, str(keys[1]), NETWORKS[0].caip2)
        decoded = chains.decode(payload, bytes(keys[1]))
        joined = way.join(file, chains.attach(decoded, [ours.sign(data).signature]))
        assert (joined.details["missing"], joined.details["complete"]) == (missing, not missing)
        assert joined.raw == assemble(data, {**present, bytes(keys[1]): ours.sign(data).signature})
        assert bool(joined.id) is not bool(missing)
        assert written(joined) == b64encode(joined.raw).decode()


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
