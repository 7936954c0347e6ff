"""Messages, authorizations, blind digests; whose request it is; attaching signatures."""

import pytest
from tests.chains.keys import LocalKey

from quorate.chains import Chains, Request, Risk
from quorate.chains.ethereum import requests
from quorate.chains.ethereum.signature import ORDER
from quorate.errors import Malformed, ProofRejected, Refused

CHAINS = Chains()
KEY = LocalKey(b"\x11" * 32)
OTHER = LocalKey(b"\x22" * 32)
DOCUMENTED = LocalKey(bytes.fromhex("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"))
DELEGATE = "0x" + "ab" * 20


def test_the_message_of_the_web3_js_documentation() -> None:
    # EIP-191; web3.js, documentation of eth.accounts.sign
    payload = requests.message("Some data", DOCUMENTED.address, "eip155:1")
    signed = DOCUMENTED.attach(payload, CHAINS)
    assert signed.id == "0x1da44b586eb0729ff70a73c326926f6ed5a25f5b056e7f47fbc6e58d86871655"
    assert signed.raw.hex() == (
        "b91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd"
        "6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a0291c"
    )


def test_text_and_its_bytes_are_one_message() -> None:
    assert requests.message("hé", KEY.address, "eip155:1") == requests.message(
        b"h\xc3\xa9", KEY.address, "eip155:1"
    )


def test_half_a_surrogate_pair_is_no_text() -> None:
    with pytest.raises(Malformed, match="surrogate"):
        requests.message("\ud800", KEY.address, "eip155:1")


def test_what_is_neither_text_nor_bytes_is_no_message() -> None:
    with pytest.raises(Malformed, match="expected text or bytes, not int"):
        requests.message(7, KEY.address, "eip155:1")  # type: ignore[arg-type]


def test_an_authorization_names_its_chain() -> None:
    fields = {"chainId": 10, "address": DELEGATE, "nonce": 0}
    decoded = KEY.decode(requests.authorization(fields, KEY.address), CHAINS)
    assert decoded.chain.caip2 == "eip155:10"
    with pytest.raises(Refused, match="authorization is for chain 10") as caught:
        KEY.decode(requests.authorization(fields, KEY.address, "eip155:1"), CHAINS)
    assert caught.value.code == "chain-mismatch"


@pytest.mark.parametrize("chain", ["", "eip155:1"])
def test_an_authorization_for_every_chain_is_refused(chain: str) -> None:
    with pytest.raises(Refused, match="on every chain") as caught:
        requests.authorization({"chainId": 0, "address": DELEGATE, "nonce": 0}, KEY.address, chain)
    assert caught.value.code == "any-chain"
    body = bytes.fromhex("05d78094" + "ab" * 20 + "80")
    with pytest.raises(Refused) as caught:
        KEY.decode(Request(1, "eip155:1", KEY.address, "authorization", body).to_payload(), CHAINS)
    assert caught.value.code == "any-chain"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "begins with 0x05"),
        (b"\x04\xc0", "begins with 0x05"),
        (b"\x05\xc0", "0 fields instead of 3"),
        (b"\x05", "RLP"),
        (bytes.fromhex("05d70193" + "ab" * 19 + "8101"), "RLP"),
        (bytes.fromhex("05d60193" + "ab" * 19 + "80"), "RLP|19 bytes"),
        (bytes.fromhex("05d70094" + "ab" * 20 + "80"), "leading zeros"),
        (bytes.fromhex("05e00194" + "ab" * 20 + "89" + "ff" * 9), "nonce: at most"),
    ],
)
def test_a_malformed_authorization_is_named(body: bytes, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        KEY.decode(Request(1, "eip155:1", KEY.address, "authorization", body).to_payload(), CHAINS)


@pytest.mark.parametrize(
    "fields", [{}, {"chainId": 1, "address": DELEGATE}, {"chainId": 1, "address": "x", "nonce": 1}]
)
def test_an_incomplete_authorization_is_malformed(fields: dict[str, object]) -> None:
    with pytest.raises(Malformed, match="authorization"):
        requests.authorization(fields, KEY.address)


def test_a_bare_digest_decodes_as_blind_and_nothing_else_does() -> None:
    digest = bytes(range(32))
    decoded = KEY.decode(requests.blind(digest, KEY.address, "eip155:1"), CHAINS)
    assert decoded.blind
    assert decoded.digest == digest
    assert Risk.ANY_CHAIN in decoded.risks
    assert not KEY.decode(requests.message(digest, KEY.address, "eip155:1"), CHAINS).blind


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_digest_has_32_bytes(size: int) -> None:
    with pytest.raises(Malformed, match="32 bytes"):
        requests.blind(b"x" * size, KEY.address, "eip155:1")
    with pytest.raises(Malformed, match="instead of 32"):
        KEY.decode(Request(1, "eip155:1", KEY.address, "blind", b"x" * size).to_payload(), CHAINS)


def test_a_request_for_another_wallet_is_refused() -> None:
    payload = requests.message("hello", OTHER.address, "eip155:1")
    with pytest.raises(Refused, match=f"is for {OTHER.address}, this wallet is {KEY.address}") as caught:
        KEY.decode(payload, CHAINS)
    assert caught.value.code == "other-account"


@pytest.mark.parametrize("account", [KEY.address.lower(), OTHER.address.lower(), "alice", "0x12"])
def test_an_account_is_written_with_its_checksum(account: str) -> None:
    with pytest.raises(Malformed, match="account"):
        KEY.decode(Request(1, "eip155:1", account, "message", b"x").to_payload(), CHAINS)


def test_a_request_on_a_chain_without_a_row_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        KEY.decode(requests.message("hello", KEY.address, "eip155:424242"), CHAINS)
    assert caught.value.code == "unknown-chain"


def test_a_kind_nobody_knows_is_malformed() -> None:
    with pytest.raises(Malformed, match="unknown kind; this family knows transaction, message"):
        KEY.decode(Request(1, "eip155:1", KEY.address, "promise", b"").to_payload(), CHAINS)


def decoded_message():  # type: ignore[no-untyped-def]
    return KEY.decode(requests.message("hello", KEY.address, "eip155:1"), CHAINS)


def test_a_signature_of_another_key_is_not_attached() -> None:
    decoded = decoded_message()
    with pytest.raises(ProofRejected, match="does not recover"):
        CHAINS.attach(decoded, [OTHER.sign(decoded.digest)])


def test_a_signature_over_another_digest_is_not_attached() -> None:
    with pytest.raises(ProofRejected, match="does not recover"):
        CHAINS.attach(decoded_message(), [KEY.sign(b"\x07" * 32)])


def test_a_signature_with_the_other_recovery_id_is_not_attached() -> None:
    decoded = decoded_message()
    signature = KEY.sign(decoded.digest)
    with pytest.raises(ProofRejected, match="does not recover"):
        CHAINS.attach(decoded, [signature[:64] + bytes([signature[64] ^ 1])])


def test_a_signature_with_r_on_no_point_is_not_attached() -> None:
    # x = 5 is no abscissa of secp256k1
    with pytest.raises(ProofRejected, match="does not recover"):
        CHAINS.attach(decoded_message(), [bytes(31) + b"\x05" + bytes(31) + b"\x01" + b"\x00"])


def test_a_high_s_is_refused_rather_than_flipped() -> None:
    decoded = decoded_message()
    signature = KEY.sign(decoded.digest)
    high = (ORDER - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
    with pytest.raises(Malformed, match="upper half"):
        CHAINS.attach(decoded, [signature[:32] + high + bytes([signature[64] ^ 1])])


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"\x01" * 64,
        b"\x01" * 66,
        bytes(65),
        b"\xff" * 32 + b"\x01" * 32 + b"\x00",
        b"\x01" * 32 + b"\xff" * 32 + b"\x00",
        b"\x01" * 64 + b"\x02",
        b"\x01" * 64 + b"\x1b",
    ],
)
def test_bytes_that_are_no_signature_are_malformed(signature: bytes) -> None:
    with pytest.raises(Malformed, match="signature"):
        CHAINS.attach(decoded_message(), [signature])


@pytest.mark.parametrize("count", [0, 2])
def test_one_digest_takes_one_signature(count: int) -> None:
    decoded = decoded_message()
    with pytest.raises(Malformed, match="takes one signature"):
        CHAINS.attach(decoded, [KEY.sign(decoded.digest)] * count)


def test_every_request_can_name_a_derived_account() -> None:
    transaction = {"chainId": 1, "nonce": 0, "gas": 21_000, "gasPrice": 1, "to": DELEGATE, "value": 1}
    typed = {
        "types": {
            "EIP712Domain": [{"name": "chainId", "type": "uint256"}],
            "A": [{"name": "b", "type": "bool"}],
        },
        "primaryType": "A",
        "domain": {"chainId": 1},
        "message": {"b": True},
    }
    made = [
        requests.transaction(transaction, KEY.address, "0/7"),
        requests.message("hello", KEY.address, "eip155:1", "0/7"),
        requests.typed_data(typed, KEY.address, path="0/7"),
        requests.authorization({"chainId": 1, "address": DELEGATE, "nonce": 0}, KEY.address, path="0/7"),
        requests.blind(bytes(32), KEY.address, "eip155:1", "0/7"),
    ]
    assert [Request.from_payload(payload).path for payload in made] == ["0/7"] * 5
    with pytest.raises(Malformed, match="private key that nobody has"):
        requests.message("hello", KEY.address, "eip155:1", "0'")
