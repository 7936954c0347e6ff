"""Transactions: published vectors, agreement with eth-account, and every malformed field."""

from collections.abc import Callable
from typing import Any

import pytest
import rlp
from eth_account import Account
from tests.chains.keys import LocalKey

from quorate.chains import Chain, Chains, Request
from quorate.chains.ethereum import requests
from quorate.chains.ethereum.address import keccak
from quorate.chains.ethereum.transaction import MAX_ACCESS_KEYS, MAX_AUTHORIZATIONS, MAX_NONCE
from quorate.errors import LimitExceeded, Malformed, Refused

CHAINS = Chains([Chain("eip155:1337", "Development", "ETH"), Chain("eip155:1900", "Old", "ETH")])
KEY = LocalKey(b"\x11" * 32)
DOCUMENTED = LocalKey(bytes.fromhex("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"))
TO = "0x09616C3d61b3331fc4109a9E41a8BDB7d9776609"

LEGACY: dict[str, Any] = {
    "chainId": 1,
    "nonce": 9,
    "gasPrice": 20 * 10**9,
    "gas": 21000,
    "to": "0x" + "35" * 20,
    "value": 10**18,
}
DYNAMIC: dict[str, Any] = {
    "chainId": 1,
    "nonce": 7,
    "gas": 100_000,
    "maxFeePerGas": 30 * 10**9,
    "maxPriorityFeePerGas": 10**9,
    "to": TO,
    "value": 10**15,
    "data": "0xabcdef",
}
ACCESS = {
    **LEGACY,
    "type": 1,
    "accessList": [{"address": TO, "storageKeys": ["0x" + "01" * 32, "0x" + "02" * 32]}],
}


def authorization(**changes: Any) -> dict[str, Any]:
    signed = Account.sign_authorization({"chainId": 1, "address": TO, "nonce": 1}, KEY.secret)
    return {**signed.model_dump(by_alias=True), **changes}


def set_code(**changes: Any) -> dict[str, Any]:
    return {**DYNAMIC, "authorizationList": [authorization()], **changes}


def test_the_example_of_eip_155() -> None:
    key = LocalKey(b"\x46" * 32)
    payload = requests.transaction(LEGACY, key.address)
    decoded = key.decode(payload, CHAINS)
    body = Request.from_payload(payload).body
    assert body.hex() == (
        "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080"
    )
    assert decoded.digest.hex() == "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53"
    signed = key.attach(payload, CHAINS)
    assert signed.raw.hex() == (
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a0"
        "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a0"
        "67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
    )


def test_the_access_list_transaction_of_go_ethereum() -> None:
    # go-ethereum, core/types/transaction_test.go, signedEip2718Tx: the key is not published, the signature is
    fields = {
        "type": 1,
        "chainId": 1,
        "nonce": 3,
        "to": "0xb94f5374fce5edbc8e2a8697c15331677e6ebf0b",
        "value": 10,
        "gas": 25000,
        "gasPrice": 1,
        "data": "0x5544",
        "accessList": [],
    }
    payload = requests.transaction(fields, KEY.address)
    decoded = KEY.decode(payload, CHAINS)
    assert decoded.digest.hex() == "49b486f0ec0a60dfbbca2d30cb07c9e8ffb2a2ff41f29a1ab6737475f6ff69f3"


def test_the_access_list_of_eip_2930_in_eth_accounts_tests() -> None:
    # eth-account, tests/core/test_typed_transactions.py, "test case from EIP-2930"
    fields = {
        "gas": "0x186a0",
        "gasPrice": "0x3b9aca00",
        "data": "0x616263646566",
        "nonce": "0x22",
        "to": TO,
        "value": "0x5af3107a4000",
        "accessList": (
            {
                "address": "0xde0b295669a9fd93d5f28d9ec85e40f4cb697bae",
                "storageKeys": ("0x" + "00" * 31 + "03", "0x" + "00" * 31 + "07"),
            },
            {"address": "0xbb9bc244d798123fde783fcc1c72d3bb8c189413", "storageKeys": ()},
        ),
        "chainId": "0x76c",
    }
    decoded = KEY.decode(requests.transaction(fields, KEY.address), CHAINS)
    assert decoded.digest.hex() == "8d46e14b6259a070e0c4a7be7ed73bb18838cfb022b9c381e426cf7b3e22ec12"


def test_the_dynamic_fee_transactions_of_eth_account() -> None:
    # the digest: tests/core/test_typed_transactions.py; the signed one: docstring of Account.sign_transaction
    fields: dict[str, Any] = {
        "gas": 100000,
        "maxFeePerGas": 2000000000,
        "maxPriorityFeePerGas": 2000000000,
        "data": "0x5544",
        "nonce": 2,
        "to": "0x96216849c49358B10257cb55b28eA603c874b05E",
        "value": 100000000000000,
        "type": 2,
        "chainId": 1337,
        "accessList": (),
    }
    decoded = KEY.decode(requests.transaction(fields, KEY.address), CHAINS)
    assert decoded.digest.hex() == "a1ea3121940930f7e7b54506d80717f14c5163807951624c36354202a8bffda6"
    access = [{"address": "0x0000000000000000000000000000000000000001", "storageKeys": ["0x01" + "00" * 31]}]
    fields |= {"nonce": 34, "data": "0x616263646566", "to": TO, "accessList": access}
    signed = DOCUMENTED.attach(requests.transaction(fields, DOCUMENTED.address), CHAINS)
    assert signed.id == "0x2721b2ac99d878695e410af9e8968859b6f6e94f544840be0eb2935bead7deba"
    assert signed.details["v"] == 1
    assert int(str(signed.details["r"]), 16) == (
        48949965662841329840326477994465373664672499148507933176648302825256944281697
    )


def test_the_authorization_of_eth_accounts_documentation() -> None:
    # EIP-7702; eth-account, documentation of Account.sign_authorization
    key = LocalKey(b"\xaa" * 32)
    fields = {"chainId": 1337, "address": "0x5ce9454909639d2d17a3f753ce7d93fa0b9ab12e", "nonce": 1}
    payload = requests.authorization(fields, key.address)
    signed = key.attach(payload, CHAINS)
    assert signed.id == "0x9026f77ed6740d6d08f0cdc0591a86b2232700020a816718fbf760785e9ca2f2"
    assert signed.details["yParity"] == 0
    assert int(str(signed.details["r"]), 16) == (
        52163433520757118830640642673035732532535423029712132518776649895118143897479
    )
    chain_id, address, nonce, parity, r, s = rlp.decode(signed.raw)
    assert (chain_id, address.hex(), nonce, parity) == (b"\x05\x39", fields["address"][2:], b"\x01", b"")
    assert (r, s) == (
        bytes.fromhex(str(signed.details["r"])[2:]),
        bytes.fromhex(str(signed.details["s"])[2:]),
    )


@pytest.mark.parametrize(
    "fields",
    [
        LEGACY,
        ACCESS,
        DYNAMIC,
        {**DYNAMIC, "accessList": ACCESS["accessList"], "value": 0, "nonce": MAX_NONCE},
        {**DYNAMIC, "to": None, "value": 0},
        set_code(),
        set_code(authorizationList=[authorization(), authorization()]),
    ],
    ids=[
        "legacy",
        "access-list",
        "dynamic-fee",
        "dynamic-fee-with-list",
        "creation",
        "set-code",
        "set-code-twice",
    ],
)
def test_every_type_is_signed_as_eth_account_signs_it(fields: dict[str, Any]) -> None:
    signed = KEY.attach(requests.transaction(fields, KEY.address), CHAINS)
    theirs = Account.sign_transaction({**fields, "to": fields["to"] or ""}, KEY.secret)
    assert signed.raw == bytes(theirs.raw_transaction)
    assert signed.id == "0x" + theirs.hash.hex()
    assert signed.details == {
        "r": hex(theirs.r),
        "s": hex(theirs.s),
        "v": theirs.v,
        "yParity": (theirs.v - 35) % 2 if fields is LEGACY else theirs.v,
    }


def test_a_gas_price_with_an_access_list_makes_type_1() -> None:
    fields = {**ACCESS, "accessList": []}
    assert requests.transaction({**LEGACY, "accessList": []}, KEY.address) == requests.transaction(
        fields, KEY.address
    )


def test_text_and_numbers_give_one_payload() -> None:
    text = {
        **DYNAMIC,
        "nonce": "0x7",
        "gas": "0x186a0",
        "value": hex(10**15),
        "data": bytes.fromhex("abcdef"),
    }
    assert requests.transaction(text, KEY.address) == requests.transaction(DYNAMIC, KEY.address)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({**DYNAMIC, "to": TO.replace("C", "c")}, "to: the address's upper and lower case"),
        ({**DYNAMIC, "to": "0x1234"}, "to: an address is 0x and 40"),
        ({**DYNAMIC, "to": "alice.eth"}, "to: an address is 0x and 40"),
        ({**DYNAMIC, "to": None, "data": ""}, "to: missing, and there is no code"),
        ({**DYNAMIC, "value": -1}, "value: negative"),
        ({**DYNAMIC, "value": 1 << 256}, "value: .* is more than"),
        ({**DYNAMIC, "value": 1.5}, "value: expected a whole number"),
        ({**DYNAMIC, "value": True}, "value: expected a whole number"),
        ({**DYNAMIC, "value": "10"}, "value: expected a whole number or 0x"),
        ({**DYNAMIC, "value": "0x1_0"}, "value: expected a whole number or 0x"),
        ({**DYNAMIC, "value": "0x" + "f" * 65}, "value: expected a whole number or 0x"),
        ({**DYNAMIC, "nonce": -1}, "nonce: negative"),
        ({**DYNAMIC, "nonce": 1 << 64}, "nonce: .* is more than"),
        ({**DYNAMIC, "nonce": MAX_NONCE + 1}, "nonce: .* is more than"),
        ({**DYNAMIC, "gas": 0}, "gas: 0 pays for nothing"),
        ({**DYNAMIC, "gas": 1 << 64}, "gas: .* is more than"),
        ({**DYNAMIC, "maxPriorityFeePerGas": 31 * 10**9}, "maxPriorityFeePerGas: more than maxFeePerGas"),
        ({**DYNAMIC, "maxFeePerGas": (1 << 256) - 1}, "gas: fee and value together exceed"),
        ({**DYNAMIC, "data": "0xabc"}, "data: expected 0x and an even number"),
        ({**DYNAMIC, "data": "hello"}, "data: expected 0x and an even number"),
        ({**DYNAMIC, "data": "0xzz"}, "data: expected 0x and an even number"),
        ({**DYNAMIC, "data": 7}, "data: expected 0x and an even number"),
        ({**DYNAMIC, "type": 9}, "type: unknown transaction type 9"),
        ({**DYNAMIC, "type": "two"}, "type: expected a whole number"),
        ({**DYNAMIC, "gasPrice": 1}, "gasPrice: not a field of a type 2"),
        ({**DYNAMIC, "gasLimit": 21000}, "gasLimit: not a field"),
        ({**DYNAMIC, "hint": 1}, "hint: not a field"),
        ({**LEGACY, "type": 0, "accessList": []}, "accessList: not a field of a legacy"),
        ({**DYNAMIC, "from": "0x" + "12" * 20}, "from: the wallet signs for"),
        ({key: value for key, value in DYNAMIC.items() if key != "nonce"}, "nonce: missing"),
        ({key: value for key, value in DYNAMIC.items() if key != "chainId"}, "chainId: missing"),
        ({key: value for key, value in DYNAMIC.items() if key != "maxFeePerGas"}, "maxFeePerGas: missing"),
        ({**DYNAMIC, "accessList": "0x"}, "accessList: expected a list"),
        ({**DYNAMIC, "accessList": [TO]}, "accessList: expected exactly the fields"),
        ({**DYNAMIC, "accessList": [{"address": TO}]}, "accessList: expected exactly the fields"),
        ({**DYNAMIC, "accessList": [{"address": "0x1", "storageKeys": []}]}, "accessList address"),
        (
            {**DYNAMIC, "accessList": [{"address": TO, "storageKeys": ["0x01"]}]},
            "storage key: 1 bytes instead of 32",
        ),
        ({**DYNAMIC, "accessList": [{"address": TO, "storageKeys": [-1]}]}, "storage key: expected 0x"),
        (set_code(to=None), "to: a type 4 transaction cannot create"),
        (set_code(authorizationList=[]), "authorizationList: a type 4 transaction has at least one"),
        (set_code(authorizationList=[{}]), "authorizationList: expected exactly the fields"),
        (set_code(authorizationList=[authorization(yParity=2)]), "recovery id is 0 or 1"),
        (set_code(authorizationList=[authorization(r=0)]), "r and s lie between"),
        (set_code(authorizationList=[authorization(s=(1 << 256) - 1)]), "r and s lie between"),
        (set_code(authorizationList=[authorization(s=(1 << 255) + 1)]), "upper half"),
        (
            set_code(authorizationList=[authorization(chainId=5)]),
            "has no effect in a transaction for chain 1",
        ),
        (set_code(authorizationList=[authorization(nonce=1 << 64)]), "authorization nonce: at most"),
        ({**DYNAMIC, "type": 2, "authorizationList": [authorization()]}, "authorizationList: not a field"),
        ({**DYNAMIC, "chainId": 0}, "a chain id is a number from 1"),
        ({**DYNAMIC, "chainId": 1 << 63}, "a chain id is a number from 1"),
    ],
)
def test_a_malformed_field_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(Malformed, match=message):
        requests.transaction(fields, KEY.address)


def test_access_lists_and_authorization_lists_have_limits() -> None:
    entry = {"address": TO, "storageKeys": list(range(MAX_ACCESS_KEYS - 1))}
    requests.transaction({**DYNAMIC, "accessList": [entry]}, KEY.address)
    with pytest.raises(LimitExceeded, match="accessList"):
        requests.transaction({**DYNAMIC, "accessList": [entry, entry]}, KEY.address)
    requests.transaction(set_code(authorizationList=[authorization()] * MAX_AUTHORIZATIONS), KEY.address)
    with pytest.raises(LimitExceeded, match="authorizationList"):
        requests.transaction(
            set_code(authorizationList=[authorization()] * (MAX_AUTHORIZATIONS + 1)), KEY.address
        )


@pytest.mark.parametrize(
    "fields",
    [{**DYNAMIC, "type": 3}, {**DYNAMIC, "maxFeePerBlobGas": 1}, {**DYNAMIC, "blobVersionedHashes": []}],
)
def test_blob_transactions_are_refused_by_name(fields: dict[str, Any]) -> None:
    del fields["maxFeePerGas"], fields["maxPriorityFeePerGas"]
    with pytest.raises(Refused, match="blob") as caught:
        requests.transaction(fields, KEY.address)
    assert caught.value.code == "unsupported-transaction"


@pytest.mark.parametrize("changes", [{"chainId": None}, {}])
def test_a_legacy_transaction_without_a_chain_id_is_refused(changes: dict[str, Any]) -> None:
    fields = {key: value for key, value in LEGACY.items() if key != "chainId"} | changes
    with pytest.raises(Refused, match="every chain") as caught:
        requests.transaction(fields, KEY.address)
    assert caught.value.code == "no-chain-id"


def body_of(fields: dict[str, Any]) -> bytes:
    return Request.from_payload(requests.transaction(fields, KEY.address)).body


def decode_body(body: bytes, chain: str = "eip155:1") -> None:
    KEY.decode(Request(1, chain, KEY.address, "transaction", body).to_payload(), CHAINS)


def rewritten(fields: dict[str, Any], change: Callable[[list[Any]], object]) -> bytes:
    body = body_of(fields)
    kind, payload = (body[:1], body[1:]) if body[0] < 0xC0 else (b"", body)
    items = rlp.decode(payload)
    change(items)
    return kind + bytes(rlp.encode(items))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "empty"),
        (b"\x00", "unknown type 0"),
        (b"\x05\xc0", "unknown type 5"),
        (b"\x7f\xc0", "unknown type 127"),
        (b"\x80", "unknown type 128"),
        (b"\x02", "RLP"),
        (b"\x02\xc1", "RLP"),
        (b"\x02\x80", "expected a list"),
        (b"\x02\xc0", "0 fields instead of 9"),
        (b"\xc0", "0 fields instead of 9"),
        (b"\x02" + b"\xf9\xff\xff", "RLP"),
        (body_of(DYNAMIC) + b"\0", "RLP"),
        (body_of(DYNAMIC)[:-1], "RLP"),
        (rewritten(DYNAMIC, lambda items: items.append(b"")), "10 fields instead of 9"),
        (
            rewritten(DYNAMIC, lambda items: items.__setitem__(1, b"\0\x07")),
            "nonce: a number has no leading zeros",
        ),
        (
            rewritten(DYNAMIC, lambda items: items.__setitem__(1, b"\0")),
            "nonce: a number has no leading zeros",
        ),
        (rewritten(DYNAMIC, lambda items: items.__setitem__(6, b"\x01" * 33)), "value: more than 256 bits"),
        (rewritten(DYNAMIC, lambda items: items.__setitem__(5, b"\x01" * 19)), "to: 19 bytes instead of 20"),
        (rewritten(DYNAMIC, lambda items: items.__setitem__(7, [b"x"])), "data: expected bytes"),
        (rewritten(DYNAMIC, lambda items: items.__setitem__(1, [b"x"])), "nonce: expected bytes"),
        (rewritten(DYNAMIC, lambda items: items.__setitem__(8, b"x")), "accessList: expected a list"),
        (
            rewritten(DYNAMIC, lambda items: items.__setitem__(8, [[b"x"]])),
            "accessList: 1 fields instead of 2",
        ),
        (rewritten(LEGACY, lambda items: items.__setitem__(7, b"\x01")), "already signed"),
        (
            rewritten(set_code(), lambda items: items.__setitem__(9, b"")),
            "authorizationList: expected a list",
        ),
        (rewritten(set_code(), lambda items: items[9][0].pop()), "authorizationList: 5 fields instead of 6"),
    ],
)
def test_bytes_that_are_no_canonical_transaction_are_malformed(body: bytes, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        decode_body(body)


def test_a_length_spelled_long_is_malformed() -> None:
    body = body_of(DYNAMIC)
    assert body[1] == 0xC0 + len(body) - 2
    with pytest.raises(Malformed, match="RLP"):
        decode_body(body[:1] + bytes([0xF8, len(body) - 2]) + body[2:])


def test_lists_within_lists_are_refused_before_a_decoder_recurses_into_them() -> None:
    body = b"\xc0"
    while len(body) < 100_000:
        size = len(body).to_bytes(4, "big").lstrip(b"\0")
        body = (bytes([0xC0 + len(body)]) if len(body) < 56 else bytes([0xF7 + len(size)]) + size) + body
    for nested in (body, b"\x02" + body, b"\x02" + b"\xf9\xff\xff" * 30_000):
        with pytest.raises(Malformed, match="nested deeper"):
            decode_body(nested)


def test_six_fields_are_a_transaction_for_every_chain_and_refused() -> None:
    with pytest.raises(Refused) as caught:
        decode_body(rewritten(LEGACY, lambda items: items.__delitem__(slice(6, 9))))
    assert caught.value.code == "no-chain-id"


def test_a_blob_transaction_in_bytes_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        decode_body(b"\x03\xc0")
    assert caught.value.code == "unsupported-transaction"


@pytest.mark.parametrize("fields", [LEGACY, ACCESS, DYNAMIC, set_code()])
def test_a_transaction_for_another_chain_than_named_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="is for chain 1, the request names eip155:1337") as caught:
        decode_body(body_of(fields), "eip155:1337")
    assert caught.value.code == "chain-mismatch"


def test_two_encoders_that_disagree_sign_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        def hash(self) -> bytes:
            return keccak(b"something else")

    monkeypatch.setattr("quorate.chains.ethereum.transaction._eth_account_form", lambda _: Other())
    with pytest.raises(Malformed, match="two encoders disagree"):
        decode_body(body_of(DYNAMIC))


def test_a_decoder_more_lenient_than_rlp_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    items = rlp.decode(body_of(DYNAMIC)[1:])
    monkeypatch.setattr("quorate.chains.ethereum.transaction.unpack", lambda *_: items)
    decode_body(body_of(DYNAMIC))
    with pytest.raises(Malformed, match="not the canonical encoding"):
        decode_body(body_of(DYNAMIC) + b"\0")


def test_a_decoder_more_lenient_than_rlp_changes_no_authorization(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [b"\x01", b"\xab" * 20, b""]
    body = b"\x05" + rlp.encode(items)
    monkeypatch.setattr("quorate.chains.ethereum.transaction.unpack", lambda *_: items)
    for changed in (body, body + b"\0"):
        payload = Request(1, "eip155:1", KEY.address, "authorization", changed).to_payload()
        if changed == body:
            KEY.decode(payload, CHAINS)
        else:
            with pytest.raises(Malformed, match="not the canonical encoding"):
                KEY.decode(payload, CHAINS)
