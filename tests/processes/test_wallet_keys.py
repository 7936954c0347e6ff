"""Real node processes: one wallet with keys on several curves, and signatures that other software accepts."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from tests.processes.conftest import PASSWORD, Machine

from quorate.device.backup import open_backup
from quorate.entropy import system_rng


def key_of(facts: dict[str, object], curve: str) -> bytes:
    keys = facts["keys"]
    assert isinstance(keys, list)
    (found,) = [key["public_key"] for key in keys if key["curve"] == curve]
    return bytes.fromhex(found)


def test_a_wallet_with_two_keys_signs_on_both_curves_and_is_given_a_third(
    machine: Machine, tmp_path: Path, password_file: Path
) -> None:
    backup = tmp_path / "wallet.backup"
    files = ["--backup-file", str(backup), "--password-file", str(password_file)]
    made = machine.quorate(
        "wallet", "create", "--label", "many", "--keys", "secp256k1,ed25519", *files, "--json"
    )
    assert made.code == 0, made.err
    shown = machine.quorate("wallet", "show", "many")
    assert f"key:     ed25519 {key_of(made.data, 'ed25519').hex()}" in shown.out

    out = tmp_path / "signature"
    signing = ["sign", "solana", "--message", "hello", "--wallet", "many"]
    refused = machine.quorate(*signing, "--json")
    assert refused.code != 0
    assert "add --yes" in refused.out
    signed = machine.quorate(*signing, "--yes", "--json", "--out", str(out))
    assert signed.code == 0, signed.out + signed.err
    assert "hello" in signed.err, "the preview is shown"
    check_off_chain(key_of(made.data, "ed25519"), "hello", out.read_bytes(), signed.data["address"])
    again = machine.quorate(*signing, "--yes", "--out", str(out))
    assert again.code == 3
    assert "overwritten" in again.err

    ethereum = machine.quorate("sign", "message", "hello", "--wallet", "many", "--yes", "--json")
    assert ethereum.code == 0, ethereum.out + ethereum.err

    wrong = tmp_path / "wrong"
    wrong.write_text("another password\n")
    before = backup.read_bytes()
    unopened = machine.quorate("wallet", "add-key", "p256", "--wallet", "many", "--password-file", str(wrong))
    assert unopened.code == 3
    assert "does not open" in unopened.err
    assert backup.read_bytes() == before
    added = machine.quorate(
        "wallet", "add-key", "p256", "--wallet", "many", "--password-file", str(password_file), "--json"
    )
    assert added.code == 0, added.out + added.err
    assert [key["curve"] for key in added.data["keys"]] == ["secp256k1", "ed25519", "p256"]
    text = ["sign", "text", "--message", "I agree", "--wallet", "many", "--key", "p256", "--yes", "--json"]
    agreed = machine.quorate(*text, "--chain", "ecdsa")
    assert agreed.code == 0, agreed.out + agreed.err
    check_p256(key_of(added.data, "p256"), agreed.data)
    frost = machine.quorate(*text, "--chain", "frost-p256")
    assert frost.code == 0, frost.out + frost.err
    assert frost.data["scheme"] == "frost-p256"

    shares = open_backup(backup, PASSWORD, system_rng).shares
    assert [share.public_key.to_bytes() for share in shares] == [
        key_of(added.data, curve) for curve in ("secp256k1", "ed25519", "p256")
    ]


def check_p256(key: bytes, signed: dict[str, str]) -> None:
    """OpenSSL accepts the signature, and not with one byte changed."""
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    message, signature = bytes.fromhex(signed["message"]), bytes.fromhex(signed["signature"])
    assert message.endswith(b"I agree")

    def encoded(data: bytes) -> bytes:
        return encode_dss_signature(int.from_bytes(data[:32], "big"), int.from_bytes(data[32:64], "big"))

    public.verify(encoded(signature), message, ec.ECDSA(SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(encoded(bytes([signature[0] ^ 1]) + signature[1:]), message, ec.ECDSA(SHA256()))


def check_off_chain(key: bytes, text: str, signature: bytes, address: str) -> None:
    """What Solana's off-chain format says was signed; libsodium accepts it, and not with one byte changed."""
    from quorate.chains.solana import offchain
    from quorate.chains.solana.address import parse_address

    signed = offchain.compose(text, parse_address(address, "account"), bytes(32))
    VerifyKey(key).verify(signed, signature)
    with pytest.raises(BadSignatureError):
        VerifyKey(key).verify(signed, signature[:-1] + bytes([signature[-1] ^ 1]))


def test_what_is_to_be_signed_is_read_from_files_of_each_chain(
    machine: Machine, addresses: dict[str, str], tmp_path: Path
) -> None:
    """The commands reach each family, which says what is wrong with a file."""
    rubbish = tmp_path / "file"
    rubbish.write_bytes(base64.b64encode(b"rubbish"))
    for command, complaint in [("bitcoin", "PSBT"), ("solana", "no key on ed25519")]:
        ran = machine.quorate("sign", command, str(rubbish), "--wallet", addresses["server"], "--yes")
        assert ran.code == 3, ran.out + ran.err
        assert complaint in ran.err
    ran = machine.quorate(
        "sign", "bitcoin", "--message", "hello", "--wallet", addresses["server"], "--yes", "--json"
    )
    assert ran.code == 0, ran.out + ran.err
    assert ran.data["chain"] == "bip122:000000000019d6689c085ae165831e93"
    assert json.loads(ran.out)["signature"]
