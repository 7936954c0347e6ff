"""NEAR's Rust primitives read what the chain layer attaches, and strict verifiers accept it and no other.

The wallet's key is a bare scalar: no seed leads to it.
"""

import py_near_primitives as rust
import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from solders.pubkey import Pubkey
from solders.signature import Signature
from tests.chains.scalar_key import ScalarKey, with_s_plus_order

from quorate.chains import Chains, base58
from quorate.chains.near import requests
from quorate.chains.near.accounts import AccessKey
from quorate.chains.near.actions import AddKey, FunctionCall, Transfer
from quorate.chains.near.transaction import Transaction
from quorate.errors import ProofRejected

CHAINS = Chains()
KEY = ScalarKey(0x5EED1E55)
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
