"""NEAR's Rust primitives read what the chain layer attaches, and strict verifiers accept it and no other.

Three parties share the wallet's key and any two sign; no seed leads to it.
"""

from dataclasses import replace

import py_near_primitives as rust
import pytest
from btclib_secp256k1 import recovery
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from solders.pubkey import Pubkey
from solders.signature import Signature
from tests.chains.scalar_key import with_s_plus_order
from tests.chains.shared_key import QUORUMS, SharedKey

from quorate.chains import Chains
from quorate.chains.near import requests
from quorate.chains.near.accounts import AccessKey
from quorate.chains.near.actions import AddKey, FunctionCall, Transfer
from quorate.chains.near.transaction import Transaction
from quorate.encoding import base58
from quorate.errors import ProofRejected

CHAINS = Chains()
KEY = SharedKey("ed25519", "ed25519")
LARGE = SharedKey("secp256k1", "ecdsa")
ME = CHAINS.address("near:mainnet", KEY.public_key)
ACTIONS = (
    Transfer(10**24),
    FunctionCall("ft_transfer", b'{"receiver_id":"carol.near","amount":"5"}', 30 * 10**12, 1),
    AddKey(AccessKey(0, bytes([7]) * 32), 0, None),
)
TRANSACTION = Transaction(ME, AccessKey.of(KEY.public_key), 7, "bob.near", bytes(range(32)), ACTIONS)


def test_a_signed_transaction_is_what_the_rust_primitives_make_of_it() -> None:
    signed = KEY.attach(requests.transaction(TRANSACTION.to_bytes()), CHAINS)
    inner = rust.Transaction.deserialize(TRANSACTION.to_bytes())
    theirs = rust.SignedTransaction(signed.raw[-64:], inner)
    assert bytes(theirs.serialize()) == signed.raw
    assert base58.encode(bytes(theirs.hash)) == signed.id
    assert inner.signer_id == ME
    assert bytes(inner.public_key) == KEY.public_key


def test_strict_verifiers_accept_the_signature_and_none_with_a_byte_changed() -> None:
    decoded = KEY.decode(requests.transaction(TRANSACTION.to_bytes()), CHAINS)
    signature, digest = KEY.sign(decoded.digest), decoded.digest
    assert digest == bytes(rust.Transaction.deserialize(TRANSACTION.to_bytes()).get_hash())
    VerifyKey(KEY.public_key).verify(digest, signature)
    assert Signature.from_bytes(signature).verify(Pubkey.from_bytes(KEY.public_key), digest)
    changed = [signature[:at] + bytes([signature[at] ^ 1]) + signature[at + 1 :] for at in (0, 31, 32, 63)]
    for wrong in [*changed, with_s_plus_order(signature), bytes(64)]:
        with pytest.raises(ProofRejected):
            CHAINS.attach(decoded, [wrong])
        with pytest.raises(BadSignatureError):
            VerifyKey(KEY.public_key).verify(digest, wrong)
    other = bytes([digest[0] ^ 1]) + digest[1:]
    with pytest.raises(BadSignatureError):
        VerifyKey(KEY.public_key).verify(other, signature)


def test_a_message_is_signed_over_the_hash_that_nep_413_names() -> None:
    decoded = KEY.decode(requests.message("Sign in", bytes(range(32)), "app.example", ME), CHAINS)
    signed = CHAINS.attach(decoded, [KEY.sign(decoded.digest)])
    VerifyKey(KEY.public_key).verify(decoded.digest, signed.raw)


@pytest.mark.parametrize("quorum", QUORUMS)
def test_any_quorum_signs_the_same_transaction(quorum: tuple[str, ...]) -> None:
    key = SharedKey("ed25519", "ed25519", quorum)
    assert key.public_key == KEY.public_key
    signed = key.attach(requests.transaction(TRANSACTION.to_bytes()), CHAINS)
    VerifyKey(KEY.public_key).verify(TRANSACTION.digest(), signed.raw[-64:])


def test_a_derived_account_signs_for_itself() -> None:
    child = SharedKey("ed25519", "ed25519", path="0/7")
    account = CHAINS.address("near:mainnet", child.public_key)
    assert account != ME
    inner = replace(TRANSACTION, signer=account, key=AccessKey.of(child.public_key))
    signed = child.attach(requests.transaction(inner.to_bytes(), path="0/7"), CHAINS)
    VerifyKey(child.public_key).verify(inner.digest(), signed.raw[-64:])


def test_a_shared_secp256k1_key_signs_for_the_account_it_was_added_to() -> None:
    inner = replace(TRANSACTION, signer="alice.near", key=AccessKey.of(LARGE.public_key))
    signed = LARGE.attach(requests.transaction(inner.to_bytes()), CHAINS)
    assert signed.raw[:-66] == inner.to_bytes()
    assert signed.raw[-66] == 1
    compact, recovery_id = signed.raw[-65:-1], signed.raw[-1]
    assert recovery.recover(inner.digest(), compact, recovery_id, compressed=True) == LARGE.public_key
    decoded = LARGE.decode(requests.transaction(inner.to_bytes()), CHAINS)
    with pytest.raises(ProofRejected):
        CHAINS.attach(decoded, [bytes([compact[0] ^ 1]) + compact[1:] + bytes([recovery_id])])
