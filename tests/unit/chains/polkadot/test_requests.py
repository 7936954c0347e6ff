"""Messages, and what other software asks a signer for."""

from typing import Any

import msgspec
import pytest
from tests.support.polkadot import (
    BLOCK,
    CHAINS,
    ED_KEY,
    KEYS,
    KUSAMA,
    POLKADOT,
    TO,
    payload,
    sign,
    transfer,
)

from quorate.chains.polkadot import requests
from quorate.chains.polkadot.blake2 import blake2b_256
from quorate.chains.polkadot.networks import BY_ID
from quorate.errors import Malformed, ProofRejected, Refused


def test_a_message_is_signed_between_its_marks() -> None:
    for scheme in ("ed25519", "ecdsa"):
        key = KEYS[scheme]
        account = CHAINS.address(POLKADOT, key)
        ready = CHAINS.decode(requests.message("log me in", account, POLKADOT, scheme), key)
        wrapped = b"<Bytes>log me in</Bytes>"
        assert ready.digest == (wrapped if scheme == "ed25519" else blake2b_256(wrapped))
        assert ready.fields == {"length": 9, "text": "log me in", "scheme": scheme}
        signature = sign(scheme, ready.digest)
        signed = CHAINS.attach(ready, [signature])
        assert signed.raw == signature
        assert signed.id == "0x" + blake2b_256(wrapped).hex()
        with pytest.raises((ProofRejected, Malformed)):
            CHAINS.attach(ready, [signature[:-2] + bytes([signature[-2] ^ 1]) + signature[-1:]])


def test_a_message_that_looks_like_an_extrinsic_or_is_wrapped_already_is_refused() -> None:
    account = CHAINS.address(POLKADOT, ED_KEY)
    lookalike = transfer(chain=KUSAMA).payload(BY_ID[KUSAMA])
    for content in (lookalike, b"x" + b"\xab" * 16):
        with pytest.raises(Refused) as refusal:
            CHAINS.decode(requests.message(content, account, POLKADOT, "ed25519"), ED_KEY)
        assert refusal.value.code == "looks-like-transaction"
    for content in (b"<Bytes>a</Bytes>", b"<Bytes>a", b"a</Bytes>"):
        with pytest.raises(Malformed, match="without <Bytes>"):
            CHAINS.decode(requests.message(content, account, POLKADOT, "ed25519"), ED_KEY)


def test_a_message_of_half_a_pair_or_no_text_is_refused() -> None:
    account = CHAINS.address(POLKADOT, ED_KEY)
    for content in ("\ud800", 7):
        with pytest.raises(Malformed, match="message"):
            requests.message(content, account, POLKADOT, "ed25519")
    with pytest.raises(Malformed, match="account"):
        requests.message("a", "nobody", POLKADOT, "ed25519")


SIGNER_PAYLOAD = {
    "specVersion": "0x000f4df8",
    "transactionVersion": "0x0000001a",
    "address": CHAINS.address(POLKADOT, ED_KEY),
    "blockHash": "0x" + BLOCK.hex(),
    "blockNumber": "0x00000f5d",
    "era": "0xd501",
    "genesisHash": "0x91b171bb158e2d3848fa23a9f1c25182fb8e20313b2c1eb49219da7a70ce90c3",
    "method": "0x050300" + TO.hex() + "07" + "00d6117e03",
    "nonce": "0x000000c8",
    "signedExtensions": [
        "CheckNonZeroSender",
        "CheckSpecVersion",
        "CheckTxVersion",
        "CheckGenesis",
        "CheckMortality",
        "CheckNonce",
        "CheckWeight",
        "ChargeTransactionPayment",
        "PrevalidateAttests",
        "CheckMetadataHash",
    ],
    "tip": "0x00000000000000000000000000000000",
    "mode": 0,
    "metadataHash": None,
    "withSignedTransaction": True,
    "version": 4,
}


def test_what_polkadot_js_asks_a_signer_for_becomes_the_same_payload() -> None:
    expected = transfer(spec_version=1_003_000, call=bytes.fromhex(SIGNER_PAYLOAD["method"][2:]))
    assert requests.from_json(SIGNER_PAYLOAD, "ed25519") == payload(expected)
    hashed = {**SIGNER_PAYLOAD, "mode": 1, "metadataHash": "0x" + "77" * 32}
    assert requests.from_json(hashed, "ed25519") == payload(
        msgspec.structs.replace(expected, metadata_hash=b"\x77" * 32)
    )
    old = {**SIGNER_PAYLOAD, "signedExtensions": SIGNER_PAYLOAD["signedExtensions"][:-1]}
    del old["mode"]
    assert requests.from_json(old, "ed25519") == payload(
        msgspec.structs.replace(expected, metadata_hash=None)
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": 5}, "version"),
        ({"assetId": "0x01"}, "assetId"),
        ({"mode": 2}, "mode"),
        ({"nonce": "200"}, "nonce"),
        ({"nonce": True}, "nonce"),
        ({"era": "d501"}, "era"),
        ({"blockHash": "0x12"}, "blockHash"),
        ({"method": None}, "method"),
        ({"address": "me"}, "account"),
        ({"signedExtensions": ["CheckNonce", "CheckEra"]}, "signedExtensions"),
        ({"signedExtensions": ["SomethingNew"]}, "signedExtensions"),
        (
            {"signedExtensions": ["CheckMortality", "CheckNonce", "ChargeAssetTxPayment"], "mode": 0},
            "ChargeTransactionPayment",
        ),
    ],
)
def test_a_signer_payload_that_does_not_fit_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Malformed, match=field):
        requests.from_json({**SIGNER_PAYLOAD, **changes}, "ed25519")
