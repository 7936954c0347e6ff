"""SNIP-12: the published hashes, what is shown, and every document that is refused."""

import copy
import json
from typing import Any

import pytest
from crypto_cpp_py.cpp_bindings import cpp_verify
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.signers import DealtKey

from quorate.chains import Chains, Request
from quorate.chains.chain import Level, Risk
from quorate.chains.starknet import requests
from quorate.chains.starknet.account import deployment_of
from quorate.chains.starknet.family import DEFAULT_CLASS, TypedMessage
from quorate.chains.starknet.felts import address
from quorate.chains.starknet.hashes import selector
from quorate.chains.starknet.typed_data import (
    DOMAIN,
    MAX_DEPTH,
    TypedData,
    from_document,
    parse,
    type_text,
)
from quorate.chains.typed import MAX_LEAVES, MAX_MEMBERS, MAX_TYPES
from quorate.encoding import encode
from quorate.errors import LimitExceeded, Malformed, ProofRejected, Refused
from quorate.groups import group_named
from quorate.groups.stark import FIELD, ORDER

CHAINS = Chains()
MAIN = "starknet:SN_MAIN"
KEY = group_named("stark").generator.to_bytes()
OWN = deployment_of(KEY, DEFAULT_CLASS)
ACCOUNT = 0xCD2A3D9F938E13CD947EC05ABC7FE734DF8DD826

DOMAIN_TYPE = [{"name": name, "type": "shortstring"} for name in ("name", "version", "chainId", "revision")]
MAIL = {"name": "StarkNet Mail", "version": "1", "chainId": "1", "revision": "1"}
TRANSFER = 0x83AFD3F4CAEDC6EEBF44246FE54E38C95E3179A5EC9EA81740ECA5B482D12E


def document(rows: dict[str, Any], domain: dict[str, Any] = MAIL, **types: Any) -> dict[str, Any]:
    """A document of one struct ``Example``; `rows` maps a member to its type and value."""
    example = [{"name": name, "type": kind} for name, (kind, _) in rows.items()]
    return {
        "types": {DOMAIN: DOMAIN_TYPE, "Example": example, **types},
        "primaryType": "Example",
        "domain": dict(domain),
        "message": {name: value for name, (_, value) in rows.items()},
    }


# starknet.js: __mocks__/typedData/example_baseTypes.json and example_presetTypes.json, with the hashes of
# __tests__/utils/typedData.test.ts.
LOREM = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et "
    "dolore magna aliqua."
)
BASE = document(
    {
        "n0": ("felt", "0x3e8"),
        "n1": ("bool", True),
        "n2": ("string", LOREM),
        "n3": ("selector", "transfer"),
        "n4": ("u128", 10),
        "n5": ("i128", -10),
        "n6": ("ContractAddress", "0x3e8"),
        "n7": ("ClassHash", "0x3e8"),
        "n8": ("timestamp", 1000),
        "n9": ("shortstring", "transfer"),
    }
)
TOKEN = "0x049d36570d4e46f48e99674bd3fcc84644ddd6b96f7c741b1562b82f9e004dc7"
PRESET = document(
    {
        "n0": ("TokenAmount", {"token_address": TOKEN, "amount": {"low": "0x3e8", "high": "0x0"}}),
        "n1": ("NftId", {"collection_address": TOKEN, "token_id": {"low": "0x3e8", "high": "0x0"}}),
    }
)


@pytest.mark.parametrize(
    ("example", "type_hash", "message_hash"),
    [
        (
            BASE,
            0x1F94CD0BE8B4097A41486170FDF09A4CD23AEFBC74BB2344718562994C2C111,
            0xDB7829DB8909C0C5496F5952BCFC4FC894341CE01842537FC4F448743480B6,
        ),
        (
            PRESET,
            0x1A25A8BB84B761090B1FADAEBE762C4B679B0D8883D2BEDDA695EA340839A55,
            0x185B339D5C566A883561A88FB36DA301051E2C0225DEB325C91BB7AA2F3473A,
        ),
    ],
)
def test_the_published_documents(example: dict[str, Any], type_hash: int, message_hash: int) -> None:
    data = parse(example)
    domain = 0x555F72E550B308E50C1A4F8611483A174026C982A9893A05C185EEB85399657
    assert data.struct_hash(DOMAIN, data.domain) == domain
    assert selector(type_text(data.types, "Example")) == type_hash
    assert data.hash(ACCOUNT) == message_hash
    assert from_document(data.document()) == data


def test_the_published_text_of_a_type() -> None:
    assert type_text(parse(PRESET).types, "Example") == (
        '"Example"("n0":"TokenAmount","n1":"NftId")'
        '"NftId"("collection_address":"ContractAddress","token_id":"u256")'
        '"TokenAmount"("token_address":"ContractAddress","amount":"u256")'
        '"u256"("low":"u128","high":"u128")'
    )


def on_main(**changes: Any) -> dict[str, Any]:
    found = copy.deepcopy(BASE)
    found["domain"] |= {"name": "Shop", "chainId": "SN_MAIN", **changes}
    return found


def decoded(found: dict[str, Any], key: Any = KEY) -> Any:
    return CHAINS.decode(requests.typed_data(found, OWN), key)


def test_every_value_is_shown_and_the_application_is_named() -> None:
    ready = decoded(on_main())
    text = ready.preview.text()
    assert ready.preview.title == "Sign typed data: Example"
    for expected in ("Shop version 0x1 (its own words)", "n1 ", "true (bool)", "-10 (i128)", "transfer (sh"):
        assert expected in text
    assert f"0x{TRANSFER:x} (selector)" in text
    assert ready.fields == {"primary_type": "Example", "domain_name": "Shop", "domain_version": "0x1"}
    assert ready.digest == parse(on_main()).hash(OWN.address()).to_bytes(32, "big")


def test_starkwares_verifier_accepts_our_signature_on_typed_data() -> None:
    shared = DealtKey("stark")
    made = deployment_of(shared.public_key.to_bytes(), DEFAULT_CLASS)
    ready = CHAINS.decode(requests.typed_data(on_main(), made), shared.public_key)
    signature = shared.sign("ecdsa", ready.digest)
    r, s = (int(part, 16) for part in json.loads(CHAINS.attach(ready, [signature]).raw))
    x = int.from_bytes(shared.public_key.to_bytes()[1:], "big")
    assert cpp_verify(int.from_bytes(ready.digest, "big"), r, pow(s, -1, ORDER), x)
    assert not cpp_verify(int.from_bytes(ready.digest, "big") ^ 1, r, pow(s, -1, ORDER), x)
    with pytest.raises(ProofRejected):
        CHAINS.attach(ready, [signature[:9] + bytes([signature[9] ^ 1]) + signature[10:]])


def test_calls_that_somebody_else_may_run_are_a_danger() -> None:
    found = on_main()
    found["types"]["OutsideExecution"] = found["types"].pop("Example")
    found["primaryType"] = "OutsideExecution"
    ready = decoded(found)
    assert ready.risks == {Risk.PERMIT}
    assert ready.preview.level == Level.DANGER


def test_another_chain_in_the_domain_is_refused() -> None:
    payload = requests.typed_data(on_main(), OWN, "starknet:SN_SEPOLIA")
    with pytest.raises(Refused) as refusal:
        CHAINS.decode(payload, KEY)
    assert refusal.value.code == "chain-mismatch"
    assert Request.from_payload(requests.typed_data(on_main(), OWN)).chain == MAIN
    with pytest.raises(Malformed, match="starknet:<"):
        requests.typed_data(BASE, OWN)


def test_a_long_text_is_shown_in_part_and_hidden_characters_are_spelled() -> None:
    ready = decoded(document({"t": ("string", "a\u202eb" + "x" * 500)}, on_main()["domain"]))
    text = ready.preview.text()
    assert "a\\u{202e}b" in text
    assert "more characters are not shown" in text
    assert ready.preview.level == Level.CAUTION


def test_arrays_and_structs_within_structs_are_hashed_and_shown() -> None:
    call = [{"name": "To", "type": "ContractAddress"}, {"name": "Calldata", "type": "felt*"}]
    value = [{"To": "0x1", "Calldata": [1, "0x2"]}, {"To": "2", "Calldata": []}]
    found = document({"Calls": ("Call*", value)}, on_main()["domain"], Call=call)
    data = parse(found)
    assert [(leaf.path, leaf.value) for leaf in data.leaves()] == [
        ("Calls[0].To", "0x1"),
        ("Calls[0].Calldata[0]", "0x1"),
        ("Calls[0].Calldata[1]", "0x2"),
        ("Calls[1].To", "0x2"),
        ("Calls[1].Calldata", []),
    ]
    assert "empty (felt*)" in decoded(found).preview.text()
    other = parse(document({"Calls": ("Call*", value[:1])}, on_main()["domain"], Call=call))
    assert other.hash(1) != data.hash(1)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("felt", FIELD),
        ("felt", -1),
        ("felt", "x" * 32),
        ("felt", "é"),
        ("bool", 1),
        ("bool", "true"),
        ("u128", 1 << 128),
        ("u128", -1),
        ("u128", "ten"),
        ("u128", True),
        ("i128", 1 << 127),
        ("i128", -(1 << 127) - 1),
        ("ContractAddress", FIELD),
        ("ClassHash", "hash"),
        ("timestamp", 1 << 128),
        ("shortstring", "x" * 32),
        ("shortstring", "0xZZ"),
        ("shortstring", "a\n"),
        ("selector", "1-2"),
        ("string", 5),
        ("string", "\ud800"),
        ("felt*", "0x1"),
        ("u256", {"low": 1}),
        ("Nothing", 1),
        ("felt**", [[1]]),
    ],
)
def test_a_value_that_its_type_does_not_have_is_refused(kind: str, value: Any) -> None:
    with pytest.raises(Malformed, match=r"typed data|short string"):
        parse(document({"v": (kind, value)}))


@pytest.mark.parametrize("kind", ["enum", "merkletree"])
def test_what_is_not_read_is_refused_by_name(kind: str) -> None:
    found = document({"v": (kind, [])})
    found["types"]["Example"][0]["contains"] = "Example"
    with pytest.raises(Refused) as refusal:
        parse(found)
    assert refusal.value.code == "unsupported-type"


def test_revision_0_is_refused() -> None:
    for revision in ("0", "2", 0):
        with pytest.raises(Refused) as refusal:
            parse(document({"v": ("felt", 1)}, {**MAIL, "revision": revision}))
        assert refusal.value.code == "unsupported-revision"
    assert parse(document({"v": ("felt", 1)}, {**MAIL, "revision": 1})).domain["revision"] == "0x1"


def test_a_document_of_another_shape_is_refused() -> None:
    good = document({"v": ("felt", 1)})
    felt = [{"name": "v", "type": "felt"}]
    for changed in (
        None,
        {},
        {**good, "more": 1},
        {**good, "primaryType": DOMAIN},
        {**good, "primaryType": "Else"},
        {**good, "message": {}},
        {**good, "message": {"v": 1, "w": 2}},
        {**good, "domain": {"name": "a"}},
        {**good, "types": []},
        {**good, "types": {"Example": felt}},
        {**good, "types": {**good["types"], DOMAIN: felt}},
        {**good, "types": {**good["types"], "Unused": felt}},
        {**good, "types": {**good["types"], "u128": felt}},
        {**good, "types": {**good["types"], 'Q"': felt}},
        {**good, "types": {**good["types"], "Example": "felt"}},
        {**good, "types": {**good["types"], "Example": [{"name": 'v"', "type": "felt"}]}},
        {**good, "types": {**good["types"], "Example": [{"name": "v"}]}},
        {**good, "types": {**good["types"], "Example": [*felt, {"name": "d", "type": DOMAIN}]}},
        # one value of two types, each with a hash of its own
        {**good, "types": {**good["types"], "Example": [*felt, {"name": "v", "type": "u128"}]}},
    ):
        with pytest.raises(Malformed, match="typed data"):
            parse(changed)


def test_more_than_can_be_shown_is_refused() -> None:
    assert parse(document({"v": ("felt*", [1] * (MAX_LEAVES - 4))}))
    with pytest.raises(LimitExceeded, match=str(MAX_LEAVES)):
        parse(document({"v": ("felt*", [1] * (MAX_LEAVES - 3))}))
    felt = [{"name": "v", "type": "felt"}]
    chain = {f"T{i}": [{"name": "v", "type": f"T{i + 1}"}] for i in range(MAX_DEPTH)}
    value: Any = {"v": 1}
    for _ in range(MAX_DEPTH):
        value = {"v": value}
    with pytest.raises(LimitExceeded, match="deeper"):
        parse(document({"v": ("T0", value)}, **chain, **{f"T{MAX_DEPTH}": felt}))
    many = {f"T{i}": felt for i in range(MAX_TYPES)}
    with pytest.raises(Malformed, match=str(MAX_TYPES)):
        parse(document({"v": ("felt", 1)}, **many))
    wide = {f"m{i}": ("felt", 1) for i in range(MAX_MEMBERS + 1)}
    with pytest.raises(Malformed, match=str(MAX_MEMBERS)):
        parse(document(wide))


def test_a_document_has_one_spelling() -> None:
    canonical = parse(BASE).document()
    assert from_document(canonical).document() == canonical
    spaced = json.dumps(json.loads(canonical), separators=(", ", ": ")).encode()
    for other in (
        spaced,
        canonical.replace(b'"0x3e8"', b'"0x03e8"'),
        canonical.replace(b'"10"', b'"0xa"'),
        canonical.replace(b'"10"', b"10"),
        canonical + b" ",
        b"\xff",
        b"[" * 5000,
        b'{"a":' * 40 + b"1" + b"}" * 40,
    ):
        with pytest.raises((Malformed, LimitExceeded), match="typed data"):
            from_document(other)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
kinds = st.sampled_from(
    ["felt", "bool", "string", "u128", "shortstring", "felt*", "u256", "selector", "i128"]
)


@settings(max_examples=150)
@given(kinds, values)
def test_whatever_the_value_it_is_read_back_or_refused(kind: str, value: Any) -> None:
    try:
        data = parse(document({"v": (kind, value)}))
    except (Malformed, Refused, LimitExceeded):
        return
    assert isinstance(data, TypedData)
    assert from_document(data.document()) == data
    assert 0 < data.hash(1) < FIELD


@settings(max_examples=100)
@given(st.binary(max_size=80) | st.sampled_from([b"{}", b"[]", b"null", b'"a"']))
def test_arbitrary_documents_are_answered(data: bytes) -> None:
    body = encode(TypedMessage(OWN, data))
    payload = Request(1, MAIN, address(OWN.address()), "typed-data", body).to_payload()
    with pytest.raises((Malformed, Refused, LimitExceeded)):
        CHAINS.decode(payload, KEY)
