"""The port's promises for NEAR: whose request, which key, which signature."""

from base64 import b64encode
from dataclasses import replace
from hashlib import sha256

import pytest
from tests.chains.keys import LocalKey
from tests.chains.scalar_key import ScalarKey, with_s_plus_order
from tests.support.edwards import Edwards, torsion

from quorate.chains import Chain, Chains
from quorate.chains.chain import Request
from quorate.chains.near import Near, requests
from quorate.chains.near.accounts import AccessKey
from quorate.chains.near.actions import DelegateAction, Transfer
from quorate.chains.near.signature import HALF_ORDER
from quorate.chains.near.transaction import Message, Transaction, parse_transaction
from quorate.encoding import base58
from quorate.errors import Malformed, ProofRejected, Refused
from quorate.groups.ed25519 import ED25519
from quorate.groups.secp256k1 import SECP256K1

NEAR = Near()
KEY, OTHER = ScalarKey(12345), ScalarKey(54321)
LARGE = LocalKey(b"\x11" * 32)
ME = NEAR.address(KEY.public_key)
CHAIN = "near:mainnet"
BLOCK = base58.encode(bytes([9]) * 32)
TRANSFER = requests.transfer("bob.near", 10**24, ME, KEY.public_key, 7, BLOCK)
NAMED = Transaction("alice.near", AccessKey.of(KEY.public_key), 7, "bob.near", bytes(32), (Transfer(5),))
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def payload(transaction: Transaction, account: str = "alice.near", chain: str = CHAIN) -> bytes:
    return Request(1, chain, account, "transaction", transaction.to_bytes()).to_payload()


def test_the_networks() -> None:
    assert list(NEAR.chains) == ["near:mainnet", "near:testnet"]
    assert NEAR.chains[CHAIN].amount(1_500 * 10**21) == "1.5 NEAR"
    assert "near:localnet" in Near([Chain("near:localnet", "Local", "NEAR", 24)]).chains
    for caip2 in ("near:", "near:a b", "near:" + "x" * 33, "eip155:1"):
        with pytest.raises(Malformed):
            Near([Chain(caip2 if caip2 != "near:" else "near:_", "Odd", "NEAR", 24)])


def test_an_ed25519_key_has_an_implicit_account() -> None:
    point = ED25519.point_from_bytes(KEY.public_key)
    assert NEAR.address(point) == ME == KEY.public_key.hex()
    assert NEAR.addresses(KEY.public_key) == {"implicit": ME}
    assert Chains().address(CHAIN, KEY.public_key) == ME


def test_a_secp256k1_key_has_no_account_of_its_own() -> None:
    point = SECP256K1.point_from_bytes(LARGE.public_key)
    for key in (LARGE.public_key, point):
        with pytest.raises(Refused) as caught:
            NEAR.address(key)
        assert caught.value.code == "no-account"
        assert NEAR.addresses(key) == {}


def test_keys_that_can_sign_nothing_are_refused() -> None:
    mixed = (Edwards.decode(KEY.public_key) + torsion()[1]).encode()
    for data in [
        mixed,
        *(point.encode() for point in torsion()),
        b"",
        bytes(33),
        bytes(65),
        b"\2" * 31,
        7,
        None,
    ]:
        with pytest.raises(Malformed, match="public key"):
            NEAR.address(data)


def test_a_transaction_is_signed_by_its_hash() -> None:
    decoded = NEAR.decode(TRANSFER, KEY.public_key)
    (digest,) = decoded.digests
    body = Request.from_payload(TRANSFER).body
    assert (digest.scheme, digest.group) == ("ed25519", "ed25519")
    assert digest.value == sha256(body).digest()
    signature = KEY.sign(digest.value)
    signed = NEAR.attach(decoded, [signature])
    assert signed.raw == body + b"\0" + signature
    assert signed.id == base58.encode(digest.value)
    assert dict(signed.details) == {
        "signature": f"ed25519:{base58.encode(signature)}",
        "public_key": f"ed25519:{base58.encode(KEY.public_key)}",
        "base64": b64encode(signed.raw).decode(),
        "account_id": ME,
    }


def test_a_secp256k1_key_signs_for_the_account_it_was_added_to() -> None:
    transaction = replace(NAMED, key=AccessKey.of(LARGE.public_key))
    decoded = NEAR.decode(payload(transaction), LARGE.public_key)
    (digest,) = decoded.digests
    assert (digest.scheme, digest.group) == ("ecdsa", "secp256k1")
    assert decoded.public_key == LARGE.public_key
    signature = LARGE.sign(digest.value)
    signed = NEAR.attach(decoded, [signature])
    assert signed.raw == transaction.to_bytes() + b"\1" + signature
    s = int.from_bytes(signature[32:64], "big")
    high = signature[:32] + (ORDER - s).to_bytes(32, "big") + bytes([signature[64] ^ 1])
    assert s <= HALF_ORDER == ORDER // 2
    with pytest.raises(Malformed, match="lower half"):
        NEAR.attach(decoded, [high])
    with pytest.raises(Malformed, match="recovery id"):
        NEAR.attach(decoded, [signature[:64] + b"\4"])
    for at in (0, 31, 32, 63, 64):
        with pytest.raises(ProofRejected):
            NEAR.attach(decoded, [signature[:at] + bytes([signature[at] ^ 1]) + signature[at + 1 :]])
    with pytest.raises(ProofRejected):
        NEAR.attach(decoded, [bytes(65)])
    with pytest.raises(Malformed, match="64 bytes instead of 65"):
        NEAR.attach(decoded, [signature[:64]])


def test_attach_takes_one_signature_of_this_key_over_this_digest() -> None:
    decoded = NEAR.decode(TRANSFER, KEY.public_key)
    signature = KEY.sign(decoded.digest)
    for wrong in ([], [signature, signature], [signature[:63]], [signature + b"\0"]):
        with pytest.raises(Malformed):
            NEAR.attach(decoded, wrong)
    changed = [signature[:at] + bytes([signature[at] ^ 1]) + signature[at + 1 :] for at in (0, 31, 32, 63)]
    for bad in [
        *changed,
        with_s_plus_order(signature),
        OTHER.sign(decoded.digest),
        KEY.sign(b"else"),
        bytes(64),
    ]:
        with pytest.raises(ProofRejected):
            NEAR.attach(decoded, [bad])


def test_a_message_gives_the_answer_that_nep_413_asks_for() -> None:
    decoded = NEAR.decode(
        requests.message("Sign in", bytes(range(32)), "app.example", "alice.near", callback_url="https://x/"),
        KEY.public_key,
    )
    assert decoded.digest == Message("Sign in", bytes(range(32)), "app.example", "https://x/").digest()
    signature = KEY.sign(decoded.digest)
    signed = NEAR.attach(decoded, [signature])
    assert signed.raw == signature
    assert signed.details["account_id"] == "alice.near"
    assert signed.details["base64"] == b64encode(signature).decode()
    assert signed.details["public_key"] == f"ed25519:{base58.encode(KEY.public_key)}"


def test_a_delegate_action_is_signed_for_a_relayer() -> None:
    action = DelegateAction("alice.near", "bob.near", (Transfer(5),), 1, 2, AccessKey.of(KEY.public_key))
    decoded = NEAR.decode(requests.delegate(action.to_bytes()), KEY.public_key)
    assert decoded.digest == sha256((2**30 + 366).to_bytes(4, "little") + action.to_bytes()).digest()
    signature = KEY.sign(decoded.digest)
    assert NEAR.attach(decoded, [signature]).raw == action.to_bytes() + b"\0" + signature


def test_no_kind_can_be_read_as_another() -> None:
    numbers = (b"", (2**30 + 366).to_bytes(4, "little"), (2**31 + 413).to_bytes(4, "little"))
    message = Message("x", bytes(32), "y").to_bytes()
    for number in numbers[1:]:
        with pytest.raises((Malformed, Refused)):
            parse_transaction(number + message)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (payload(NAMED, "carol.near"), "other-account"),
        (payload(NAMED, ME), "other-account"),
        (payload(replace(NAMED, key=AccessKey.of(OTHER.public_key))), "other-key"),
        (payload(replace(NAMED, key=AccessKey.of(LARGE.public_key))), "other-key"),
        (payload(NAMED, chain="near:other"), "unknown-chain"),
        (
            Request(1, CHAIN, "alice.near", "transaction", b"\1" + NAMED.to_bytes()).to_payload(),
            "unsupported-transaction",
        ),
    ],
)
def test_requests_that_are_understood_and_refused(data: bytes, code: str) -> None:
    with pytest.raises(Refused) as caught:
        NEAR.decode(data, KEY.public_key)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "request_",
    [
        Request(1, CHAIN, "alice.near", "blind", bytes(32)),
        Request(1, CHAIN, "Alice", "transaction", NAMED.to_bytes()),
        Request(1, "near:_", "alice.near", "transaction", NAMED.to_bytes()),
        Request(1, CHAIN, "alice.near", "transaction", NAMED.to_bytes() + b"\0"),
        Request(1, CHAIN, "alice.near", "message", NAMED.to_bytes()),
        Request(1, CHAIN, "alice.near", "delegate", NAMED.to_bytes()),
    ],
)
def test_requests_that_are_none(request_: Request) -> None:
    with pytest.raises(Malformed):
        NEAR.decode(request_.to_payload(), KEY.public_key)


def test_requests_that_cannot_be_built() -> None:
    with pytest.raises(Malformed, match="nonce"):
        requests.message("text", bytes(31), "app", "alice.near")
    with pytest.raises(Malformed, match="half a surrogate"):
        requests.message("\ud800", bytes(32), "app", "alice.near")
    with pytest.raises(Malformed, match="no recipient"):
        requests.message("text", bytes(32), "", "alice.near")
    with pytest.raises(Malformed, match="to: an account"):
        requests.transfer("BOB", 1, ME, KEY.public_key, 7, BLOCK)
    with pytest.raises(Malformed, match="block hash"):
        requests.transfer("bob.near", 1, ME, KEY.public_key, 7, "block")


def test_nothing_is_loaded_to_decode() -> None:
    NEAR.warm()
    assert NEAR.decode(TRANSFER, KEY.public_key).kind == "transaction"
