"""Whatever arrives, `decode` answers with a `Decoded`, `Malformed`, `Refused` or `LimitExceeded`."""

import time
from typing import Any

import pytest
import rlp
from eth_account import Account
from eth_account._utils.legacy_transactions import serializable_unsigned_transaction_from_dict
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chains.keys import LocalKey

from quorate.chains import Chains, Request
from quorate.chains.ethereum import requests
from quorate.chains.ethereum.transaction import Transaction, parse_preimage
from quorate.chains.ethereum.typed_data import from_body, parse
from quorate.errors import LimitExceeded, Malformed, Refused

CHAINS = Chains()
KEY = LocalKey(b"\x11" * 32)
AUTHORIZATION = Account.sign_authorization(
    {"chainId": 1, "address": "0x" + "ab" * 20, "nonce": 1}, KEY.secret
).model_dump(by_alias=True)

addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
prices = st.integers(0, 1 << 120)
common = {
    "chainId": st.just(1),
    "nonce": st.integers(0, (1 << 64) - 2),
    "gas": st.integers(1, (1 << 64) - 1),
    "to": addresses,
    "value": st.integers(0, 1 << 250),
    "data": st.binary(max_size=200),
}
access_lists = st.lists(
    st.fixed_dictionaries(
        {
            "address": addresses,
            "storageKeys": st.lists(
                st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex()), max_size=3
            ),
        }
    ),
    max_size=3,
)


def fees(fields: dict[str, Any]) -> dict[str, Any]:
    low, high = sorted((fields["maxPriorityFeePerGas"], fields["maxFeePerGas"]))
    return {**fields, "maxPriorityFeePerGas": low, "maxFeePerGas": high}


dynamic = {**common, "maxFeePerGas": prices, "maxPriorityFeePerGas": prices, "accessList": access_lists}
transactions = st.one_of(
    st.fixed_dictionaries({**common, "gasPrice": prices}),
    st.fixed_dictionaries({**common, "gasPrice": prices, "accessList": access_lists}),
    st.fixed_dictionaries(dynamic).map(fees),
    st.fixed_dictionaries({**dynamic, "authorizationList": st.just([AUTHORIZATION])}).map(fees),
)

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
kinds = st.sampled_from(
    ["uint8", "int256", "string", "bytes", "bytes4", "bool", "address", "uint8[]", "string[2]"]
)
EXAMPLES = {
    "uint8": "7",
    "int256": "-1",
    "string": "text",
    "bytes": "0x01",
    "bytes4": "0x01020304",
    "bool": True,
    "address": "0x" + "00" * 20,
    "uint8[]": ["1", "2"],
    "string[2]": ["a", "b"],
}


def decode(payload: bytes) -> None:
    """Decoding answers in one of the ways the port names; anything else fails the test."""
    try:
        decoded = CHAINS.decode(payload, KEY.public_key)
    except (Malformed, Refused, LimitExceeded):
        return
    assert decoded.payload == payload
    assert decoded.preview.text()
    assert len(decoded.digest) == 32


@given(st.binary(max_size=400))
def test_arbitrary_bytes(payload: bytes) -> None:
    decode(payload)


@settings(max_examples=300)
@given(
    st.sampled_from(["transaction", "message", "typed-data", "authorization", "blind"]),
    st.one_of(
        st.binary(max_size=200),
        st.sampled_from([b"\x01", b"\x02", b"\x04", b"\x05", b"\xf8"]).flatmap(
            lambda kind: st.binary(max_size=200).map(lambda rest: kind + rest)
        ),
    ),
)
def test_an_arbitrary_body_of_each_kind(kind: str, body: bytes) -> None:
    decode(Request(1, "eip155:1", KEY.address, kind, body).to_payload())


@settings(max_examples=200)
@given(transactions, st.data())
def test_a_transaction_with_bytes_changed(fields: dict[str, Any], data: st.DataObject) -> None:
    payload = bytearray(requests.transaction(fields, KEY.address))
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    decode(bytes(payload))


@settings(max_examples=200)
@given(transactions)
def test_decoding_inverts_encoding_and_the_digest_is_that_of_eth_account(fields: dict[str, Any]) -> None:
    payload = requests.transaction(fields, KEY.address)
    decoded = KEY.decode(payload, CHAINS)
    transaction: Transaction = decoded.content
    assert parse_preimage(transaction.preimage()) == transaction
    assert requests.transaction(transaction.as_rpc(), KEY.address) == payload
    theirs = {**fields, "to": bytes.fromhex(fields["to"][2:])}
    assert decoded.digest == bytes(serializable_unsigned_transaction_from_dict(theirs).hash())


@settings(max_examples=200)
@given(json_values)
def test_arbitrary_json_is_no_typed_data(document: Any) -> None:
    with pytest.raises(Malformed):
        parse(document)


@settings(max_examples=200)
@given(st.lists(kinds, min_size=1, max_size=4), json_values, st.integers(0, 3))
def test_typed_data_with_one_value_replaced(types: list[str], other: Any, position: int) -> None:
    names = [f"field{index}" for index in range(len(types))]
    document: dict[str, Any] = {
        "types": {"Thing": [{"name": name, "type": kind} for name, kind in zip(names, types, strict=True)]},
        "primaryType": "Thing",
        "domain": {"chainId": 1},
        "message": {name: EXAMPLES[kind] for name, kind in zip(names, types, strict=True)},
    }
    data = parse(document)
    assert from_body(data.body()) == data
    document["message"][names[position % len(names)]] = other
    try:
        payload = requests.typed_data(document, KEY.address)
    except (Malformed, LimitExceeded):
        return
    decode(payload)
    assert KEY.decode(payload, CHAINS).digest


@given(
    st.dictionaries(
        st.sampled_from(["type", "chainId", "nonce", "gas", "to", "value", "data", "gasPrice"]), json_values
    )
)
def test_an_arbitrary_dictionary_is_no_transaction(fields: dict[str, Any]) -> None:
    try:
        payload = requests.transaction(fields, KEY.address)
    except (Malformed, Refused, LimitExceeded):
        return
    decode(payload)


SIZE = 130_000
FIELDS = [b"\x01", b"\x07", b"\x01", b"\x02", b"\x10\x00", b"\xab" * 20, b""]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("typed-data", b'"' + b'\\"' * (SIZE // 2)),
        ("typed-data", b'"' * SIZE),
        ("typed-data", b"\\" * SIZE),
        ("typed-data", b"[" + b'"",' * (SIZE // 3 - 2) + b'""]'),
        ("message", b"\xff" * SIZE),
        ("message", b"\n" * SIZE),
        ("message", "\u0301".encode() * (SIZE // 2)),
        ("transaction", b"\x02" + rlp.encode([b"\x01"] * (SIZE - 10))),
        ("transaction", b"\x02" + rlp.encode([[]] * (SIZE - 10))),
        ("transaction", b"\x02" + rlp.encode([*FIELDS, b"\x11" * (SIZE - 100), []])),
        ("transaction", b"\x02" + rlp.encode([*FIELDS, b"", [[b"\xab" * 20, []]] * 5_000])),
        ("transaction", b"\x02" + rlp.encode([*FIELDS, b"", [[b"\xab" * 20, [b"\x01" * 32] * 1_000]]])),
        (
            "transaction",
            b"\x04"
            + rlp.encode([*FIELDS, b"", [], [[b"\x01", b"\xab" * 20, b"", b"", b"\x05", b"\x01"]] * 64]),
        ),
    ],
)
def test_no_payload_takes_long_to_judge(kind: str, body: bytes) -> None:
    payload = Request(1, "eip155:1", KEY.address, kind, body).to_payload()
    decode(requests.message("warm", KEY.address, "eip155:1"))
    before = time.process_time()
    decode(payload)
    assert time.process_time() - before < 3
