"""The account object: eth-account's behaviour where it signs, clear errors where it would need the key."""

from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct, encode_intended_validator, encode_typed_data
from eth_account.signers.local import LocalAccount
from tests.chains.keys import LocalKey
from tests.unit.chains.test_typed_data import MAIL

from quorate.chains import Chain, Chains, Request
from quorate.chains.ethereum.account import QuorateAccount
from quorate.errors import LocalError, Malformed, ProofRejected, Refused

CHAINS = Chains([Chain("eip155:1337", "Development", "ETH")])
KEY = LocalKey(b"\x11" * 32)
THEIRS = Account.from_key(KEY.secret)
TO = "0x09616C3d61b3331fc4109a9E41a8BDB7d9776609"
TRANSACTION: dict[str, Any] = {
    "chainId": 1337,
    "nonce": 7,
    "gas": 21_000,
    "maxFeePerGas": 30 * 10**9,
    "maxPriorityFeePerGas": 10**9,
    "to": TO,
    "value": 1,
}


class Wallet:
    """A signer that decodes what it is asked to sign, as a node does."""

    def __init__(self, key: LocalKey = KEY) -> None:
        self.key = key
        self.asked: list[Request] = []

    def __call__(self, payload: bytes) -> bytes:
        self.asked.append(Request.from_payload(payload))
        return self.key.sign(CHAINS.decode(payload, KEY.public_key).digest)


def account(signer: Any = None, **options: Any) -> QuorateAccount:
    return QuorateAccount(KEY.public_key, signer or Wallet(), chains=CHAINS, **options)


def test_it_is_a_local_account_with_the_wallets_address() -> None:
    assert isinstance(account(), LocalAccount)
    assert account().address == THEIRS.address
    assert repr(account()) == f"QuorateAccount({THEIRS.address})"
    assert account() == account()
    assert hash(account()) == hash(account())


@pytest.mark.parametrize("fields", [TRANSACTION, {**TRANSACTION, "from": THEIRS.address}])
def test_a_transaction_comes_out_as_from_eth_account(fields: dict[str, Any]) -> None:
    assert account().sign_transaction(fields) == THEIRS.sign_transaction(fields)


def test_a_legacy_transaction_comes_out_as_from_eth_account() -> None:
    fields = {"chainId": 1, "nonce": 0, "gas": 21_000, "gasPrice": 10**9, "to": TO, "value": 1}
    assert account().sign_transaction(fields) == THEIRS.sign_transaction(fields)


@pytest.mark.parametrize(
    "message", [encode_defunct(text="héllo"), encode_defunct(b"\xff\x00"), encode_defunct(b"")]
)
def test_a_message_comes_out_as_from_eth_account(message: Any) -> None:
    assert account().sign_message(message) == THEIRS.sign_message(message)


def test_typed_data_comes_out_as_from_eth_account_in_both_forms() -> None:
    types = {name: row for name, row in MAIL["types"].items() if name != "EIP712Domain"}
    expected = THEIRS.sign_typed_data(full_message=MAIL)
    assert account().sign_typed_data(full_message=MAIL) == expected
    assert account().sign_typed_data(MAIL["domain"], types, MAIL["message"]) == expected
    assert account().sign_typed_data(MAIL["domain"], MAIL["types"], MAIL["message"]) == expected


def test_an_authorization_comes_out_as_from_eth_account() -> None:
    fields = {"chainId": 1337, "address": TO, "nonce": 3}
    ours, theirs = account().sign_authorization(fields), THEIRS.sign_authorization(fields)
    assert ours == theirs
    assert ours.authority == theirs.authority
    transaction = {**TRANSACTION, "gas": 100_000, "authorizationList": [ours]}
    assert account().sign_transaction(transaction) == THEIRS.sign_transaction(transaction)


def test_a_request_without_a_chain_of_its_own_goes_under_the_accounts_chain() -> None:
    wallet = Wallet()
    account(wallet, chain="eip155:1337").sign_message(encode_defunct(text="x"))
    document = {
        **MAIL,
        "domain": {"name": "x"},
        "types": {k: v for k, v in MAIL["types"].items() if k != "EIP712Domain"},
    }
    account(wallet, chain="eip155:10").sign_typed_data(full_message=document)
    account(wallet, chain="eip155:10").sign_typed_data(full_message=MAIL)
    assert [request.chain for request in wallet.asked] == ["eip155:1337", "eip155:10", "eip155:1"]


def test_the_signer_sees_what_is_signed_and_not_a_digest() -> None:
    wallet = Wallet()
    account(wallet).sign_transaction(TRANSACTION)
    account(wallet).sign_message(encode_defunct(text="hello"))
    assert [request.kind for request in wallet.asked] == ["transaction", "message"]
    assert wallet.asked[1].body == b"hello"


@pytest.mark.parametrize(
    "use",
    [
        lambda it: it.key,
        lambda it: bytes(it),
        lambda it: it.encrypt("password"),
        lambda it: it.encrypt("password", kdf="scrypt", iterations=1),
    ],
)
def test_the_key_does_not_exist_and_the_error_says_so(use: Any) -> None:
    with pytest.raises(LocalError, match="exists nowhere"):
        use(account())


@pytest.mark.parametrize(
    "use",
    [
        lambda it: it.unsafe_sign_hash(b"\x07" * 32),
        lambda it: it.unsafe_sign_hash("0x" + "07" * 32),
        lambda it: it.sign_message(encode_typed_data(full_message=MAIL)),
        lambda it: it.sign_message(encode_intended_validator(TO, b"data")),
        lambda it: it.sign_message(encode_defunct(text="x")._replace(header=b"thereum Signed Message:\n7")),
    ],
)
def test_what_nobody_can_read_is_refused_unless_blind_signing_is_on(use: Any) -> None:
    wallet = Wallet()
    with pytest.raises(Refused) as caught:
        use(account(wallet))
    assert caught.value.code == "blind"
    assert not wallet.asked
    assert use(account(wallet, allow_blind=True)) == use(THEIRS)
    assert wallet.asked[0].kind == "blind"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give either full_message or"),
        ({"full_message": MAIL, "domain_data": {}}, "give either full_message or"),
        ({"full_message": []}, "give either full_message or"),
        ({"domain_data": {}, "message_types": {}}, "give either full_message or"),
        ({"domain_data": {}, "message_types": {}, "message_data": {}}, "no single primary type"),
        ({"full_message": {**MAIL, "primaryType": "Letter"}}, "primaryType"),
    ],
)
def test_malformed_typed_data_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(Malformed, match=message):
        account().sign_typed_data(**arguments)


def test_a_mistake_is_found_before_the_signer_is_asked() -> None:
    wallet = Wallet()
    with pytest.raises(Malformed, match="gas: 0"):
        account(wallet).sign_transaction({**TRANSACTION, "gas": 0})
    with pytest.raises(Malformed, match="from: the wallet signs for"):
        account(wallet).sign_transaction({**TRANSACTION, "from": TO})
    with pytest.raises(Refused, match="not known here"):
        account(wallet).sign_transaction({**TRANSACTION, "chainId": 4242})
    with pytest.raises(Refused, match="blob"):
        account(wallet).sign_transaction(TRANSACTION, blobs=[b""])
    assert not wallet.asked


def test_a_signer_of_another_key_gets_nothing_out() -> None:
    with pytest.raises(ProofRejected, match="does not recover"):
        account(Wallet(LocalKey(b"\x22" * 32))).sign_transaction(TRANSACTION)


def test_a_refusal_of_the_signer_comes_through() -> None:
    def refuse(payload: bytes) -> bytes:
        raise Refused("not today", code="policy", parties=["n1"])

    with pytest.raises(Refused, match="not today"):
        account(refuse).sign_transaction(TRANSACTION)


def test_an_account_on_a_chain_without_a_row_is_refused() -> None:
    with pytest.raises(Refused, match="not known here"):
        account(chain="eip155:4242")


def test_an_account_of_a_derived_key_asks_for_its_path() -> None:
    asked: list[Request] = []

    def sign(payload: bytes) -> bytes:
        asked.append(Request.from_payload(payload))
        return KEY.sign(CHAINS.decode(payload, KEY.public_key).digest)

    derived = QuorateAccount(KEY.public_key, sign, chains=CHAINS, path="0/7", allow_blind=True)
    derived.sign_transaction(TRANSACTION)
    derived.sign_message(encode_defunct(text="hello"))
    derived.sign_typed_data(full_message=MAIL)
    derived.sign_authorization({"chainId": 1337, "address": TO, "nonce": 0})
    derived.unsafe_sign_hash(bytes(32))
    assert [(request.path, request.account) for request in asked] == [("0/7", KEY.address)] * 5
