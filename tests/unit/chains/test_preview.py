"""What a person reads: snapshots, warnings, and nothing that lies or hides."""

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_utils import function_signature_to_4byte_selector
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chains.keys import LocalKey

from quorate.chains import Chains, Level, Risk
from quorate.chains.ethereum import requests
from quorate.chains.ethereum.calls import KNOWN, PRACTICALLY_UNLIMITED, decode_call
from quorate.chains.sheet import MAX_MESSAGE_LINES

CHAINS = Chains()
KEY = LocalKey(b"\x11" * 32)
ME = KEY.address
TO = "0x09616C3d61b3331fc4109a9E41a8BDB7d9776609"
TOKEN = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
SPENDER = "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"
UNLIMITED = (1 << 256) - 1

TRANSFER: dict[str, Any] = {
    "chainId": 1,
    "nonce": 7,
    "gas": 21_000,
    "maxFeePerGas": 30 * 10**9,
    "maxPriorityFeePerGas": 10**9,
    "to": TO,
    "value": 15 * 10**17,
}


def show(fields: dict[str, Any]):  # type: ignore[no-untyped-def]
    return KEY.decode(requests.transaction(fields, ME), CHAINS)


def call(signature: str, *arguments: Any, **changes: Any) -> dict[str, Any]:
    types = signature[signature.index("(") + 1 : -1].split(",")
    data = function_signature_to_4byte_selector(signature) + encode(types, arguments)
    return {**TRANSFER, "to": TOKEN, "value": 0, "gas": 60_000, "data": data, **changes}


def test_a_transfer() -> None:
    decoded = show(TRANSFER)
    assert decoded.preview.text() == (
        "Send 1.5 ETH on Ethereum\n"
        "   Network        Ethereum (eip155:1)\n"
        f"   Account        {ME}\n"
        f"   To             {TO}\n"
        "   Amount         1.5 ETH\n"
        "   Fee at most    0.00063 ETH (21000 gas at up to 30 gwei)\n"
        "   Total at most  1.50063 ETH\n"
        "   Nonce          7, type 2 (EIP-1559)"
    )
    assert decoded.preview.level is Level.PLAIN
    assert not decoded.risks
    assert decoded.fields["to"] == TO
    assert decoded.fields["value"] == 15 * 10**17
    assert decoded.fields["max_fee_total"] == 630_000 * 10**9


def test_the_preview_as_data() -> None:
    data = show(TRANSFER).preview.as_dict()
    assert data["title"] == "Send 1.5 ETH on Ethereum"
    assert data["level"] == "plain"
    assert data["lines"][2] == {"label": "To", "value": TO, "level": "plain"}


def test_another_chain_has_its_own_coin() -> None:
    assert show({**TRANSFER, "chainId": 137}).preview.title == "Send 1.5 POL on Polygon"


def test_a_fee_above_the_amount_is_marked() -> None:
    decoded = show({**TRANSFER, "value": 1})
    assert decoded.risks == {Risk.HIGH_FEE}
    assert "more than the amount sent" in decoded.preview.text()


def test_a_contract_creation_is_shown_as_such() -> None:
    decoded = show({**TRANSFER, "to": None, "value": 0, "data": "0x6001"})
    assert decoded.preview.title == "Deploy a contract on Ethereum"
    assert "a new contract from 2 bytes of code" in decoded.preview.text()
    assert decoded.risks == {Risk.CONTRACT_CREATION}
    assert decoded.fields["creates_contract"] is True
    assert decoded.fields["to"] == ""


def test_a_token_transfer() -> None:
    decoded = show(call("transfer(address,uint256)", SPENDER, 5_000_000))
    text = decoded.preview.text()
    assert decoded.preview.title == "Transfer tokens on Ethereum"
    assert f"Asks contract  {TOKEN} to transfer; only its code decides what happens" in text
    assert f"Tokens to      {SPENDER}" in text
    assert "Token amount   5000000 smallest units" in text
    assert not decoded.risks
    fields = {name: decoded.fields[name] for name in ("call", "token", "recipient", "amount", "selector")}
    assert fields == {
        "call": "transfer(address,uint256)",
        "token": TOKEN,
        "recipient": SPENDER,
        "amount": 5_000_000,
        "selector": "0xa9059cbb",
    }


def test_a_token_transfer_of_somebody_elses() -> None:
    decoded = show(call("transferFrom(address,address,uint256)", TO, SPENDER, 9))
    assert f"Tokens of      {TO}" in decoded.preview.text()
    assert "9 smallest units, or the token of that number" in decoded.preview.text()
    assert decoded.fields["owner"] == TO


def test_a_collectible_transfer() -> None:
    decoded = show(call("safeTransferFrom(address,address,uint256)", ME, SPENDER, 9))
    assert "Token id       9" in decoded.preview.text()
    assert decoded.fields["token_id"] == 9


@pytest.mark.parametrize("function", ["approve", "increaseAllowance"])
def test_an_approval_is_a_caution(function: str) -> None:
    decoded = show(call(f"{function}(address,uint256)", SPENDER, 1_000))
    assert f"!  Spender        {SPENDER} may spend up to 1000 smallest units" in decoded.preview.text()
    assert decoded.risks == {Risk.TOKEN_APPROVAL}
    assert decoded.fields["spender"] == SPENDER


@pytest.mark.parametrize("amount", [UNLIMITED, PRACTICALLY_UNLIMITED, (1 << 160) - 1])
def test_an_unlimited_approval_is_a_danger(amount: int) -> None:
    decoded = show(call("approve(address,uint256)", SPENDER, amount))
    assert f"!! Spender        {SPENDER} may spend these tokens WITHOUT LIMIT" in decoded.preview.text()
    assert decoded.risks == {Risk.TOKEN_APPROVAL, Risk.UNLIMITED_APPROVAL}


def test_withdrawing_an_approval_is_no_risk() -> None:
    for fields in (
        call("approve(address,uint256)", SPENDER, 0),
        call("setApprovalForAll(address,bool)", SPENDER, False),
    ):
        decoded = show(fields)
        assert decoded.preview.title == "Withdraw a token approval on Ethereum"
        assert not decoded.risks


def test_an_approval_for_all_is_a_danger() -> None:
    decoded = show(call("setApprovalForAll(address,bool)", SPENDER, True))
    assert decoded.preview.level is Level.DANGER
    assert decoded.risks == {Risk.TOKEN_APPROVAL, Risk.UNLIMITED_APPROVAL}


def test_a_permit_submitted_by_transaction() -> None:
    signature = "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"
    decoded = show(call(signature, TO, SPENDER, UNLIMITED, 99, 27, b"r" * 32, b"s" * 32))
    assert decoded.fields["deadline"] == 99
    assert Risk.UNLIMITED_APPROVAL in decoded.risks


@pytest.mark.parametrize(
    "data",
    [
        "0xdeadbeef",
        "0xa9",
        "0xa9059cbb",
        "0xa9059cbb" + "00" * 63,
        "0xa9059cbb" + "00" * 65,
        "0xa9059cbb" + "01" + "00" * 63,
        "0xa22cb465" + "00" * 63 + "02",
    ],
)
def test_a_call_that_is_not_exactly_a_known_one_is_unknown(data: str) -> None:
    decoded = show({**TRANSFER, "data": data})
    assert decoded.risks == {Risk.UNKNOWN_CALL}
    assert f"selector {data[:10]}, {len(data) // 2 - 1} bytes in all" in decoded.preview.text()
    assert "what it does is not known here" in decoded.preview.text()
    assert decoded.fields["selector"] == data[:10]
    assert "call" not in decoded.fields


@pytest.mark.parametrize(("selector", "known"), KNOWN.items())
def test_every_known_selector_is_that_of_its_signature(
    selector: str, known: tuple[str, tuple[str, ...]]
) -> None:
    assert function_signature_to_4byte_selector(known[0]).hex() == selector
    assert len(known[1]) == known[0].count(",") + 1


@given(st.sampled_from(sorted(KNOWN)), st.binary(max_size=300))
def test_arguments_that_do_not_fit_never_crash(selector: str, rest: bytes) -> None:
    decode_call(bytes.fromhex(selector) + rest)


def test_a_delegation_says_whose_code_becomes_what() -> None:
    signed = Account.sign_authorization({"chainId": 0, "address": SPENDER, "nonce": 8}, KEY.secret)
    decoded = show({**TRANSFER, "authorizationList": [signed]})
    assert decoded.preview.title == "VERY DANGEROUS: delegate to code on Ethereum"
    line = f"!! Delegation     the code of {ME} on every chain becomes {SPENDER} (at nonce 8)"
    assert line in decoded.preview.text()
    assert decoded.risks == {Risk.DELEGATION, Risk.ANY_CHAIN}
    assert decoded.fields["delegates"] == (SPENDER,)


def test_a_delegation_nobody_signed_is_not_attributed() -> None:
    # x = 5 is no abscissa of secp256k1, so no key is recovered
    entry = {"chainId": 1, "address": SPENDER, "nonce": 0, "yParity": 0, "r": 5, "s": 1}
    assert "an account that cannot be told" in show({**TRANSFER, "authorizationList": [entry]}).preview.text()


def test_an_authorization_is_a_danger_and_names_the_code() -> None:
    payload = requests.authorization({"chainId": 1, "address": SPENDER, "nonce": 3}, ME)
    decoded = KEY.decode(payload, CHAINS)
    assert decoded.preview.title == "VERY DANGEROUS: hand this account to code"
    assert f"this account's code becomes {SPENDER}" in decoded.preview.text()
    assert decoded.preview.level is Level.DANGER
    assert decoded.risks == {Risk.DELEGATION}
    assert decoded.fields["delegate"] == SPENDER


def test_an_authorization_of_the_zero_address_takes_code_away() -> None:
    payload = requests.authorization({"chainId": 1, "address": "0x" + "00" * 20, "nonce": 3}, ME)
    decoded = KEY.decode(payload, CHAINS)
    assert decoded.preview.level is Level.CAUTION
    assert "code is removed" in decoded.preview.text()


def test_a_bare_digest_is_a_danger() -> None:
    decoded = KEY.decode(requests.blind(b"\x07" * 32, ME, "eip155:1"), CHAINS)
    assert decoded.preview.level is Level.DANGER
    assert "it may be any transaction" in decoded.preview.text()


def message(content: str | bytes):  # type: ignore[no-untyped-def]
    return KEY.decode(requests.message(content, ME, "eip155:1"), CHAINS)


def test_a_message_of_several_lines_cannot_imitate_ours() -> None:
    decoded = message("hello\r\n   To  0x00\n\x1b[2Jthere")
    assert decoded.preview.text() == (
        "Sign a message\n"
        "   Asked on  Ethereum (eip155:1); the signature itself names no chain\n"
        f"   Account   {ME}\n"
        "   Message   │ hello\n"
        "             │    To  0x00\n"
        "             │ \\u{1b}[2Jthere"
    )
    assert decoded.fields["text"] == "hello\r\n   To  0x00\n\x1b[2Jthere"
    assert not decoded.risks


def test_a_message_too_long_to_show_says_so() -> None:
    decoded = message("line\n" * (MAX_MESSAGE_LINES + 4))
    assert "5 more lines are signed but not shown" in decoded.preview.text()
    assert decoded.preview.level is Level.CAUTION
    assert message("x" * 10_000).preview.level is Level.CAUTION


def test_a_message_of_bytes_is_opaque() -> None:
    decoded = message(b"\xff\x00\x01")
    assert "0xff0001 (3 bytes, not text)" in decoded.preview.text()
    assert decoded.risks == {Risk.OPAQUE_MESSAGE}
    assert "…" in message(b"\xff" * 201).preview.text()


@pytest.mark.parametrize("content", [b"a" * 32, "0x" + "ab" * 32, "AB" * 32 + "\n"])
def test_a_hash_in_disguise_is_opaque(content: str | bytes) -> None:
    decoded = message(content)
    assert decoded.risks == {Risk.OPAQUE_MESSAGE}
    assert decoded.preview.level is Level.DANGER


def typed(primary: str, rows: dict[str, list[tuple[str, str]]], value: dict[str, Any], **domain: Any):  # type: ignore[no-untyped-def]
    types = {name: [{"name": n, "type": t} for n, t in row] for name, row in rows.items()}
    document = {
        "types": types,
        "primaryType": primary,
        "domain": {"name": "USD Coin", "version": "2", "chainId": 1, "verifyingContract": TOKEN, **domain},
        "message": value,
    }
    return KEY.decode(requests.typed_data(document, ME), CHAINS)


ERC_2612 = [
    ("owner", "address"),
    ("spender", "address"),
    ("value", "uint256"),
    ("nonce", "uint256"),
    ("deadline", "uint256"),
]


def test_an_erc_2612_permit_is_a_danger() -> None:
    value = {"owner": ME, "spender": SPENDER, "value": 1_000, "nonce": 0, "deadline": 99}
    decoded = typed("Permit", {"Permit": ERC_2612}, value)
    assert decoded.preview.text() == (
        "Sign a permit: somebody else can take tokens with it\n"
        "   Network      Ethereum (eip155:1)\n"
        f"   Account      {ME}\n"
        "   Application  USD Coin version 2 (its own words)\n"
        f"   Contract     {TOKEN}\n"
        "!! Warning      this signature alone lets the spender take tokens; no transaction of yours follows\n"
        f"   Token        {TOKEN}\n"
        f"!  Spender      {SPENDER} may spend up to 1000 smallest units\n"
        f"   owner        {ME} (address)\n"
        f"   spender      {SPENDER} (address)\n"
        "   value        1000 (uint256)\n"
        "   nonce        0 (uint256)\n"
        "   deadline     99 (uint256)"
    )
    assert decoded.risks == {Risk.PERMIT, Risk.TOKEN_APPROVAL}
    fields = {
        name: decoded.fields[name] for name in ("token", "spender", "amount", "deadline", "primary_type")
    }
    assert fields == {
        "token": TOKEN,
        "spender": SPENDER,
        "amount": 1000,
        "deadline": 99,
        "primary_type": "Permit",
    }


def test_an_unlimited_permit_of_each_known_shape() -> None:
    details = [("token", "address"), ("amount", "uint160"), ("expiration", "uint48"), ("nonce", "uint48")]
    dai = [
        ("holder", "address"),
        ("spender", "address"),
        ("nonce", "uint256"),
        ("expiry", "uint256"),
        ("allowed", "bool"),
    ]
    permitted = [("token", "address"), ("amount", "uint256")]
    shapes = [
        typed(
            "Permit",
            {"Permit": ERC_2612},
            {"owner": ME, "spender": SPENDER, "value": UNLIMITED, "nonce": 0, "deadline": 1},
        ),
        typed(
            "Permit",
            {"Permit": dai},
            {"holder": ME, "spender": SPENDER, "nonce": 0, "expiry": 1, "allowed": True},
        ),
        typed(
            "PermitSingle",
            {
                "PermitSingle": [
                    ("details", "PermitDetails"),
                    ("spender", "address"),
                    ("sigDeadline", "uint256"),
                ],
                "PermitDetails": details,
            },
            {
                "details": {"token": TOKEN, "amount": (1 << 160) - 1, "expiration": 1, "nonce": 0},
                "spender": SPENDER,
                "sigDeadline": 1,
            },
        ),
        typed(
            "PermitTransferFrom",
            {
                "PermitTransferFrom": [
                    ("permitted", "TokenPermissions"),
                    ("spender", "address"),
                    ("nonce", "uint256"),
                    ("deadline", "uint256"),
                ],
                "TokenPermissions": permitted,
            },
            {
                "permitted": {"token": TOKEN, "amount": UNLIMITED},
                "spender": SPENDER,
                "nonce": 0,
                "deadline": 1,
            },
        ),
    ]
    for decoded in shapes:
        assert decoded.risks == {Risk.PERMIT, Risk.TOKEN_APPROVAL, Risk.UNLIMITED_APPROVAL}
        assert decoded.fields["token"] == TOKEN
        assert decoded.fields["spender"] == SPENDER
        assert decoded.fields["deadline"] == 1


def test_a_permit_of_an_unknown_shape_is_still_a_permit() -> None:
    decoded = typed(
        "PermitThing",
        {"PermitThing": [("details", "uint8[]"), ("value", "string")]},
        {"details": [1], "value": "9"},
    )
    assert decoded.risks == {Risk.PERMIT, Risk.TOKEN_APPROVAL}
    assert "details[0]   1 (uint8)" in decoded.preview.text()


def test_every_value_of_typed_data_is_shown_and_harmless() -> None:
    rows = {
        "Order": [
            ("note", "string"),
            ("flag", "bool"),
            ("none", "uint8[]"),
            ("empty", "string"),
            ("raw", "bytes"),
        ]
    }
    value = {"note": "a\u202eb\nTo 0x00", "flag": True, "none": [], "empty": "", "raw": "0x"}
    decoded = typed("Order", rows, value, name="Evil\u202e", salt="0x" + "07" * 32)
    text = decoded.preview.text()
    assert "Application  Evil\\u{202e} version 2 (its own words)" in text
    assert "note         a\\u{202e}b\\u{a}To 0x00 (string)" in text
    assert "flag         true (bool)" in text
    assert "none         empty (uint8[])" in text
    assert "empty        empty (string)" in text
    assert "raw          0x (bytes)" in text
    assert "Salt         0x0707" in text
    assert "whoever holds this signature can use it" in text


@settings(max_examples=50)
@given(st.text(), st.text())
def test_no_preview_lets_a_control_character_through(first: str, second: str) -> None:
    surrogates = {ord(character): "" for character in first + second if "\ud800" <= character <= "\udfff"}
    first, second = first.translate(surrogates), second.translate(surrogates)
    rows = {"Order": [("note", "string")]}
    for decoded in (typed("Order", rows, {"note": first}, name=second), message(first)):
        for line in decoded.preview.lines:
            assert line.label.isprintable()
            assert line.value.isprintable()
        assert decoded.preview.title.isprintable()
