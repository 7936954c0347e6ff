"""Extrinsics signed by our own schemes, judged by other people's verifiers: all three kinds of accounts."""

import pytest
import sr25519
from btclib_secp256k1 import recovery
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from tests.support.signers import DealtKey

from quorate.chains import Chains, Decoded
from quorate.chains.polkadot import requests
from quorate.chains.polkadot.extrinsic import Extrinsic, mortal
from quorate.chains.polkadot.keys import CURVES, account_of
from quorate.chains.polkadot.networks import KNOWN
from quorate.chains.polkadot.scale import Reader, compact
from quorate.errors import Malformed, ProofRejected

CHAINS = Chains()
NETWORK = KNOWN[3]
CALL = bytes([10, 3, 0]) + b"\x55" * 32 + compact(10**10)


def extrinsic(scheme: str) -> Extrinsic:
    genesis = NETWORK.genesis
    return Extrinsic(scheme, CALL, mortal(64, 7), 3, 0, 2_000_004, 15, genesis, b"\x44" * 32, b"")


def accepts(scheme: str, key: bytes, message: bytes, signature: bytes) -> bool:
    """schnorrkel, libsodium and libsecp256k1, each called as a chain's node would."""
    try:
        if scheme == "sr25519":
            return bool(sr25519.verify(signature, message, key))
        if scheme == "ed25519":
            return VerifyKey(key).verify(message, signature) == message
        return bytes(recovery.recover(message, signature[:64], signature[64])) == key
    except (BadSignatureError, ValueError):
        return False


def spliced(raw: bytes, account: bytes, scheme: str) -> bytes:
    """The signature, read back out of an extrinsic of version 4."""
    reader = Reader(raw, "extrinsic")
    assert reader.compact(32) == reader.left
    assert reader.take(2) == b"\x84\0"
    assert reader.take(32) == account
    assert reader.take(1)[0] == ["ed25519", "sr25519", "ecdsa"].index(scheme)
    return reader.take(65 if scheme == "ecdsa" else 64)


@pytest.mark.parametrize("scheme", ["ed25519", "sr25519", "ecdsa"])
def test_another_verifier_accepts_a_signature_of_ours_and_refuses_it_with_a_byte_changed(scheme: str) -> None:
    shared = DealtKey(CURVES[scheme])
    key = shared.public_key.to_bytes()
    chain = NETWORK.chain.caip2
    payload = requests.extrinsic(extrinsic(scheme), CHAINS.address(chain, shared.public_key), chain)
    ready: Decoded = CHAINS.decode(payload, shared.public_key)
    signature = shared.sign(ready.digests[0].scheme, ready.digest)
    signed = CHAINS.attach(ready, [signature])
    assert spliced(signed.raw, account_of(key), scheme) == signature
    assert accepts(scheme, key, ready.digest, signature)
    for position in (0, 33, 63):
        wrong = bytearray(signature)
        wrong[position] ^= 1
        assert not accepts(scheme, key, ready.digest, bytes(wrong))
        with pytest.raises((ProofRejected, Malformed)):
            CHAINS.attach(ready, [bytes(wrong)])
    assert not accepts(scheme, key, bytes([ready.digest[0] ^ 1]) + ready.digest[1:], signature)


def test_a_signature_of_schnorrkel_itself_is_attached() -> None:
    pair = sr25519.pair_from_seed(b"\x33" * 32)
    chain = NETWORK.chain.caip2
    account = CHAINS.address(chain, pair[0])
    ready = CHAINS.decode(requests.extrinsic(extrinsic("sr25519"), account, chain), pair[0])
    signature = sr25519.sign(pair, ready.digest)
    assert signature in CHAINS.attach(ready, [signature]).raw
    with pytest.raises(ProofRejected):
        CHAINS.attach(ready, [signature[:10] + bytes([signature[10] ^ 1]) + signature[11:]])


def test_a_message_of_an_sr25519_account_is_signed_between_its_marks() -> None:
    shared = DealtKey("ristretto255")
    chain = NETWORK.chain.caip2
    account = CHAINS.address(chain, shared.public_key)
    ready = CHAINS.decode(requests.message("log me in", account, chain, "sr25519"), shared.public_key)
    signature = CHAINS.attach(ready, [shared.sign("sr25519", ready.digest)]).raw
    key = shared.public_key.to_bytes()
    assert accepts("sr25519", key, b"<Bytes>log me in</Bytes>", signature)
    assert not accepts("sr25519", key, b"log me in", signature)
