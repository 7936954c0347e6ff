"""EIP-712: the published example, strict types, one canonical form."""

import copy
import json
import sys
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_typed_data
from tests.chains.keys import LocalKey

from quorate.chains import Chains, Request
from quorate.chains.ethereum import requests
from quorate.chains.ethereum.address import keccak
from quorate.chains.ethereum.typed_data import MAX_DEPTH, parse
from quorate.chains.typed import MAX_LEAVES
from quorate.errors import LimitExceeded, Malformed, Refused

CHAINS = Chains()
COW = LocalKey(keccak(b"cow"))

# EIP-712, assets/eip-712/Example.js
MAIL: dict[str, Any] = {
    "types": {
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ],
        "Person": [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}],
        "Mail": [
            {"name": "from", "type": "Person"},
            {"name": "to", "type": "Person"},
            {"name": "contents", "type": "string"},
        ],
    },
    "primaryType": "Mail",
    "domain": {
        "name": "Ether Mail",
        "version": "1",
        "chainId": 1,
        "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
    },
    "message": {
        "from": {"name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
        "to": {"name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
        "contents": "Hello, Bob!",
    },
}


def changed(*path: Any, value: Any = None, base: dict[str, Any] = MAIL) -> dict[str, Any]:
    """A copy with the value at `path` replaced, or removed when `value` is None."""
    document = copy.deepcopy(base)
    inner: Any = document
    for step in path[:-1]:
        inner = inner[step]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return document


def one(kind: str, value: Any, **types: Any) -> dict[str, Any]:
    """A message with one field `it` of a type."""
    return {
        "types": {"One": [{"name": "it", "type": kind}], **types},
        "primaryType": "One",
        "domain": {"chainId": 1},
        "message": {"it": value},
    }


def test_the_example_of_eip_712() -> None:
    payload = requests.typed_data(MAIL, COW.address)
    signed = COW.attach(payload, CHAINS)
    assert COW.address == "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"
    assert signed.id == "0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"
    assert signed.details == {
        "r": "0x4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d",
        "s": "0x7299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b91562",
        "v": 28,
        "yParity": 1,
    }


def test_the_domain_type_may_be_left_out() -> None:
    assert requests.typed_data(changed("types", "EIP712Domain"), COW.address) == requests.typed_data(
        MAIL, COW.address
    )


def test_the_body_is_canonical_json_and_every_other_form_is_refused() -> None:
    body = Request.from_payload(requests.typed_data(MAIL, COW.address)).body
    assert json.loads(body)["domain"]["chainId"] == "1"

    def decode(other: bytes) -> None:
        COW.decode(Request(1, "eip155:1", COW.address, "typed-data", other).to_payload(), CHAINS)

    decode(body)
    for other in (
        body + b" ",
        body.replace(b'"1"', b"1", 1),
        body.replace(b'"chainId":"1"', b'"chainId":"01"'),
        body.replace(b'"chainId":"1"', b'"chainId":"0x1"'),
        body.replace(b'"chainId":"1"', b'"chainId":"1","chainId":"1"'),
        body.replace(b'"chainId":"1"', b'"chainId":NaN'),
        body.replace(b'"chainId":"1"', b'"chainId":1.0'),
        body.replace(b"0xCcCCcccc", b"0xcccccccc"),
        body.replace(b"Hello", b"\\u0048ello"),
        body.replace(b"Hello", b"\xff"),
        body.replace(b"Hello", b"\\ud800"),
        b"]" * 100_000,
        b"{}",
        b"[]",
        b"null",
        b"",
        b"\xef\xbb\xbf" + body,
    ):
        with pytest.raises(Malformed):
            decode(other)


@pytest.mark.parametrize(
    "document",
    [
        MAIL,
        one("uint256", (1 << 256) - 1),
        one("int8", -128),
        one("int256", -1),
        one("bool", False),
        one("bytes", b""),
        one("bytes", "0xDEADbeef"),
        one("bytes3", b"abc"),
        one("string", "Grüße \U0001f600\n\x7f\x01"),
        one("uint8[]", [1, "2", "0x3"]),
        one("uint8[]", []),
        one("uint8[2][3]", [[1, 2], [3, 4], [5, 6]]),
        one("string[]", ["a", "b"]),
        one("Two[]", [{"a": 1}, {"a": 2}], Two=[{"name": "a", "type": "uint8"}]),
        one("address", "0x" + "ab" * 20),
        {**one("bool", True), "domain": {"chainId": 1, "salt": "0x" + "07" * 32}},
    ],
)
def test_the_digest_is_that_of_eth_account(document: dict[str, Any]) -> None:
    ours = COW.decode(requests.typed_data(document, COW.address), CHAINS).digest
    theirs = copy.deepcopy(document)
    if document["message"].get("it") == [1, "2", "0x3"]:
        theirs["message"]["it"] = [1, 2, 3]
    if document["message"].get("it") == "0xDEADbeef":
        theirs["message"]["it"] = bytes.fromhex("deadbeef")
    assert ours == bytes(_hash_eip191_message(encode_typed_data(full_message=theirs)))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (changed("primaryType"), "primaryType is missing"),
        (changed("primaryType", value="Letter"), "primaryType: not one of the types"),
        (changed("primaryType", value="EIP712Domain"), "primaryType: not one of the types"),
        (changed("extra", value=1), "'extra' is in none of the types"),
        (
            changed("message", "cc", value="x"),
            "'cc' is in none of the types, so it would be shown but not signed",
        ),
        (changed("message", "to"), "to is missing"),
        (changed("message", "to", "name"), "to: name is missing"),
        (changed("message", "to", "name", value=7), "to.name: expected text"),
        (changed("message", "to", "wallet", value="0x1"), "to.wallet: an address is"),
        (
            changed("message", "to", "wallet", value="0xBbBBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"),
            "to.wallet: the address's upper and lower case",
        ),
        (changed("domain", "owner", value="x"), "domain: only name, version"),
        (changed("domain", "version"), "EIP712Domain: must list exactly"),
        (
            changed("types", "EIP712Domain", value=MAIL["types"]["EIP712Domain"][::-1]),
            "EIP712Domain: must list",
        ),
        (changed("types", "Unused", value=[]), "Unused: the primary type does not use it"),
        (changed("types", "bool", value=[]), "a type's name is an identifier that Solidity does not use"),
        (changed("types", "A(uint256 x)", value=[]), "a type's name is an identifier"),
        (changed("types", "Person", value="x"), "types.Person: expected a list"),
        (changed("types", "Person", value=[{"name": "a"}]), "type is missing"),
        (
            changed("types", "Person", value=[{"name": "a b", "type": "bool"}]),
            "member's name is an identifier",
        ),
        (changed("types", "Person", 0, "type", value="strin"), "types.Person.name: unknown type"),
        (changed("types", "Person", 0, "type", value="uint"), "types.Person.name: unknown type"),
        (changed("types", "Person", 0, "type", value="uint7"), "types.Person.name: unknown type"),
        (changed("types", "Person", 0, "type", value="bytes33"), "types.Person.name: unknown type"),
        (changed("types", "Person", 0, "type", value="string[0]"), "types.Person.name: unknown type"),
        (
            changed("types", "Person", 0, "type", value="string" + "[]" * 20),
            "types.Person.name: unknown type",
        ),
        (changed("types", "Person", 1, "name", value="name"), "two members of one name"),
        (changed("types", value={}), "expected 1 to"),
        (
            one("EIP712Domain", {}, EIP712Domain=MAIL["types"]["EIP712Domain"][2:3]),
            "a message cannot contain it",
        ),
        (one("bool", 1), "it: expected true or false"),
        (one("bool", "false"), "it: expected true or false"),
        (one("uint8", 256), "it: out of range for uint8"),
        (one("uint8", -1), "it: out of range for uint8"),
        (one("int8", 128), "it: out of range for int8"),
        (one("uint256", 1 << 256), "it: out of range for uint256"),
        (one("uint8", True), "it: expected a whole number"),
        (one("uint8", 1.0), "it: expected a whole number"),
        (one("uint8", "1e3"), "it: expected a whole number"),
        (one("uint8", "١"), "it: expected a whole number"),
        (one("bytes3", "0x01"), "it: 1 bytes instead of 3"),
        (one("bytes", "text"), "it: expected 0x"),
        (one("string", b"x"), "it: expected text"),
        (one("string", "\ud800"), "half a surrogate pair"),
        (one("uint8[2]", [1]), "it: expected a list for uint8"),
        (one("uint8[]", "12"), "it: expected a list"),
        (one("Two", None, Two=[{"name": "a", "type": "bool"}]), "expected the fields of Two"),
        ({**one("bool", True), "message": []}, "expected the fields of One"),
        ({**one("bool", True), "domain": []}, "domain: only name"),
        ([], "typed data: expected named fields"),
    ],
)
def test_what_does_not_fit_its_type_is_malformed(document: Any, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        requests.typed_data(document, COW.address, "eip155:1")


def test_types_that_need_each_other_without_a_root_are_malformed() -> None:
    types = {"A": [{"name": "b", "type": "B[]"}], "B": [{"name": "a", "type": "A[]"}]}
    document = {"types": types, "primaryType": "A", "domain": {}, "message": {"b": []}}
    with pytest.raises(Malformed):
        COW.decode(requests.typed_data(document, COW.address, "eip155:1"), CHAINS)


def test_a_message_with_more_values_than_a_person_reads_is_refused() -> None:
    parse(one("uint8[]", [1] * (MAX_LEAVES - 1)))
    with pytest.raises(LimitExceeded, match="nobody could read"):
        parse(one("uint8[]", [1] * MAX_LEAVES))
    with pytest.raises(LimitExceeded, match="nobody could read"):
        parse(one("uint8[][]", [[]] * (MAX_LEAVES + 1)))


def test_a_message_nested_deeper_than_a_person_follows_is_refused() -> None:
    node = [{"name": "next", "type": "Node[]"}]
    inner: dict[str, Any] = {"next": []}
    for _ in range(MAX_DEPTH // 2 - 1):
        inner = {"next": [inner]}
    document = {"types": {"Node": node}, "primaryType": "Node", "domain": {}, "message": inner}
    parse(document)
    with pytest.raises(LimitExceeded, match="nested deeper"):
        parse({**document, "message": {"next": [{"next": [inner]}]}})


@pytest.mark.parametrize("text", ["[", '{"a":', '["\\"]",'])
def test_brackets_without_end_are_refused_before_a_parser_recurses_into_them(text: str) -> None:
    # eth-account's import raises the recursion limit so far that the parser would overflow the C stack
    payload = Request(1, "eip155:1", COW.address, "typed-data", text.encode() * 15_000).to_payload()
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 100_000))
    try:
        with pytest.raises(LimitExceeded, match="nested deeper"):
            COW.decode(payload, CHAINS)
    finally:
        sys.setrecursionlimit(limit)


def test_a_domain_for_another_chain_than_named_is_refused() -> None:
    with pytest.raises(Refused, match="domain is for chain 1, the request names eip155:10") as caught:
        COW.decode(requests.typed_data(MAIL, COW.address, "eip155:10"), CHAINS)
    assert caught.value.code == "chain-mismatch"


def test_a_domain_without_a_chain_needs_one_named_and_is_flagged() -> None:
    document = {**one("bool", True), "domain": {"name": "Anywhere"}}
    with pytest.raises(Malformed, match="names no chainId"):
        requests.typed_data(document, COW.address)
    decoded = COW.decode(requests.typed_data(document, COW.address, "eip155:10"), CHAINS)
    assert "any-chain" in decoded.risks


def test_the_signature_is_the_one_eth_account_makes() -> None:
    signed = COW.attach(requests.typed_data(MAIL, COW.address), CHAINS)
    assert signed.raw == bytes(Account.sign_typed_data(COW.secret, full_message=MAIL).signature)
