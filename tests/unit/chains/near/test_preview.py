"""What a person reads of NEAR's requests: what they say, nothing that hides, and dangers as such."""

import json
from typing import Any

import pytest
from tests.chains.scalar_key import ScalarKey

from quorate.chains import Decoded, Level, Risk
from quorate.chains.chain import Request
from quorate.chains.near import Near, hashing, requests
from quorate.chains.near.accounts import AccessKey
from quorate.chains.near.actions import (
    Action,
    AddKey,
    CallPermission,
    CreateAccount,
    Delegate,
    DelegateAction,
    DeleteAccount,
    DeleteKey,
    DeployContract,
    DeployGlobalContract,
    FunctionCall,
    Stake,
    Transfer,
    UseGlobalContract,
)
from quorate.chains.near.calls import MAX_AMOUNT, MAX_ARGUMENTS, decode_call
from quorate.chains.near.preview import MAX_SHOWN
from quorate.chains.near.transaction import Transaction

NEAR = Near()
KEY = ScalarKey(12345)
OWN = AccessKey.of(KEY.public_key)
OTHER = AccessKey(0, bytes([7]) * 32)
ME = NEAR.address(KEY.public_key)
CODE = b"\0asm code"
N = 10**24


def show(*actions: Action, to: str = "bob.near", account: str = ME) -> Decoded:
    body = Transaction(account, OWN, 7, to, bytes(32), actions).to_bytes()
    return NEAR.decode(Request(1, "near:mainnet", account, "transaction", body).to_payload(), KEY.public_key)


def call(method: str, arguments: Any, deposit: int = 1, gas: int = 30 * 10**12) -> FunctionCall:
    data = arguments if isinstance(arguments, bytes) else json.dumps(arguments).encode()
    return FunctionCall(method, data, gas, deposit)


def test_a_transfer() -> None:
    decoded = show(Transfer(1_500 * 10**21))
    assert decoded.preview.text() == (
        "Send 1.5 NEAR on NEAR\n"
        "   Asked on  NEAR (near:mainnet); the signature names no network but by a block\n"
        f"   Account   {ME}\n"
        "   Acts on   bob.near\n"
        "   1.        send 1.5 NEAR to bob.near\n"
        "   Total     1.5 NEAR and the fee, which the bytes do not bound\n"
        "   Nonce     7, valid for about a day after its block"
    )
    assert not decoded.risks
    assert dict(decoded.fields) == {
        "key": str(OWN),
        "implicit": True,
        "to": "bob.near",
        "actions": ("transfer",),
        "value": 1_500 * 10**21,
        "staked": 0,
        "gas": 0,
        "methods": (),
        "unknown_calls": 0,
        "recipients": ("bob.near",),
        "spenders": (),
        "keys_added": (),
        "full_access_keys_added": 0,
        "keys_deleted": (),
        "nonce": 7,
    }


def test_a_named_account_is_said_to_be_the_chains_to_confirm() -> None:
    decoded = show(Transfer(1), account="alice.near")
    assert f"Key       {OWN}; whether the account has it, and with which rights" in decoded.preview.text()
    assert decoded.fields["implicit"] is False


def test_several_actions_add_up() -> None:
    decoded = show(Transfer(5), call("anything", b"", 7), Transfer(6))
    assert decoded.preview.title == "Do 3 things on NEAR"
    assert decoded.fields["value"] == 18
    assert decoded.fields["gas"] == 30 * 10**12
    assert "Gas       30 Tgas at most" in decoded.preview.text()


def test_a_full_access_key_is_a_danger() -> None:
    decoded = show(AddKey(OTHER, 0, None), to=ME)
    assert decoded.preview.title == "VERY DANGEROUS: let another key use an account on NEAR"
    assert (
        f"!! 1.        let the key {OTHER} do EVERYTHING with {ME}, now and later" in decoded.preview.text()
    )
    assert decoded.risks == {Risk.OWNERSHIP}
    assert decoded.fields["keys_added"] == (str(OTHER),)
    assert decoded.fields["full_access_keys_added"] == 1
    created = show(CreateAccount(), Transfer(5), AddKey(OTHER, 0, None), to="new.near")
    assert created.preview.level is Level.CAUTION
    assert created.risks == {Risk.OWNERSHIP}
    assert "create the account new.near" in created.preview.text()
    own = show(AddKey(OWN, 0, None), to=ME)
    assert not own.risks
    assert "it is this wallet's own key" in own.preview.text()


def test_a_limited_key_is_a_caution_that_says_its_limits() -> None:
    decoded = show(AddKey(OTHER, 0, CallPermission(N // 4, "app.near", ("play", "stop"))), to=ME)
    text = decoded.preview.text()
    assert f"let the key {OTHER} call a contract for {ME}, spending up to 0.25 NEAR of gas" in text
    assert "contract │ app.near" in text
    assert "methods │ play, stop" in text
    assert decoded.preview.level is Level.CAUTION
    assert decoded.fields["full_access_keys_added"] == 0
    free = show(AddKey(OTHER, 0, CallPermission(None, "app.near", ())), to=ME).preview.text()
    assert "spending gas without limit" in free
    assert "any of its methods" in free


def test_taking_the_own_key_away_is_a_danger() -> None:
    decoded = show(DeleteKey(OWN), to=ME)
    assert decoded.preview.level is Level.DANGER
    assert decoded.risks == {Risk.OWNERSHIP}
    assert "it can never sign for the account again" in decoded.preview.text()
    other = show(DeleteKey(OTHER), to=ME)
    assert other.preview.level is Level.CAUTION
    assert other.fields["keys_deleted"] == (str(OTHER),)


def test_deleting_an_account_is_a_danger() -> None:
    decoded = show(DeleteAccount("heir.near"), to=ME)
    assert decoded.preview.title == "VERY DANGEROUS: delete an account on NEAR"
    assert f"delete the account {ME}; its NEAR goes to heir.near" in decoded.preview.text()
    assert decoded.risks == {Risk.ACCOUNT_DELETION}
    assert decoded.fields["recipients"] == ("heir.near",)


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (
            DeployContract(CODE),
            f"run {len(CODE)} bytes of code (SHA-256 {hashing.plain(CODE).hex()}) as this account",
        ),
        (
            UseGlobalContract("lib.near"),
            "run the code that lib.near publishes, now and later, as this account",
        ),
        (
            UseGlobalContract(bytes(32)),
            f"run the published code with the SHA-256 hash {bytes(32).hex()} as this",
        ),
    ],
)
def test_handing_the_account_to_code_is_a_danger(action: Action, text: str) -> None:
    decoded = show(action, to=ME)
    assert decoded.preview.title == "VERY DANGEROUS: hand an account to code on NEAR"
    assert text in decoded.preview.text()
    assert decoded.risks == {Risk.DELEGATION}
    elsewhere = show(CreateAccount(), action, to="new.near")
    assert elsewhere.preview.level is Level.CAUTION
    assert elsewhere.risks == {Risk.CONTRACT_CREATION}


def test_publishing_code_is_a_caution() -> None:
    for by_account, text in ((True, "under this account's name"), (False, "under its hash")):
        decoded = show(DeployGlobalContract(CODE, by_account), to=ME)
        assert text in decoded.preview.text()
        assert decoded.risks == {Risk.CONTRACT_CREATION}


def test_staking_is_a_caution() -> None:
    decoded = show(Stake(5 * N, OTHER), to=ME)
    assert f"lock 5 NEAR in all as a validator's stake, with the key {OTHER}" in decoded.preview.text()
    assert decoded.fields["staked"] == 5 * N
    assert decoded.fields["value"] == 0
    assert decoded.preview.level is Level.CAUTION


def test_a_token_transfer() -> None:
    action = call("ft_transfer", {"receiver_id": "carol.near", "amount": "5000000", "memo": "rent"})
    decoded = show(action, to="usdt.near")
    text = decoded.preview.text()
    assert decoded.preview.title == "Transfer tokens on NEAR"
    assert (
        "ask contract usdt.near to transfer 5000000 smallest units to carol.near, "
        "with 0.000000000000000000000001 NEAR; only its code decides" in text
    )
    assert "memo │ rent" in text
    assert not decoded.risks
    assert decoded.fields["actions"] == ("ft_transfer",)
    assert decoded.fields["recipients"] == ("carol.near",)
    assert decoded.fields["methods"] == ("ft_transfer",)


def test_a_token_transfer_that_calls_its_receiver_says_what_it_is_told() -> None:
    action = call(
        "ft_transfer_call", {"receiver_id": "dex.near", "amount": "5", "memo": None, "msg": "swap\n!!"}
    )
    decoded = show(action, to="usdt.near")
    assert "which is told │ swap\\u{a}!!" in decoded.preview.text()
    assert decoded.preview.level is Level.CAUTION


def test_collectibles() -> None:
    sent = show(call("nft_transfer", {"receiver_id": "carol.near", "token_id": "7"}), to="art.near")
    assert "transfer one of its tokens to carol.near" in sent.preview.text()
    assert "token │ 7" in sent.preview.text()
    approved = show(call("nft_approve", {"account_id": "market.near", "token_id": "7"}), to="art.near")
    assert approved.risks == {Risk.TOKEN_APPROVAL}
    assert approved.fields["spenders"] == ("market.near",)
    for method, arguments in (
        ("nft_revoke", {"account_id": "market.near", "token_id": "7"}),
        ("nft_revoke_all", {"token_id": "7"}),
    ):
        assert not show(call(method, arguments), to="art.near").risks
    told = {"receiver_id": "dex.near", "token_id": "7", "msg": "sell"}
    assert show(call("nft_transfer_call", told), to="art.near").preview.level is Level.CAUTION


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("withdraw", {}),
        ("ft_transfer", {}),
        ("ft_transfer", {"receiver_id": "carol.near"}),
        ("ft_transfer", {"receiver_id": "carol.near", "amount": 5}),
        ("ft_transfer", {"receiver_id": "carol.near", "amount": "05"}),
        ("ft_transfer", {"receiver_id": "carol.near", "amount": "-5"}),
        ("ft_transfer", {"receiver_id": "carol.near", "amount": "٥"}),
        ("ft_transfer", {"receiver_id": "carol.near", "amount": str(MAX_AMOUNT + 1)}),
        ("ft_transfer", {"receiver_id": "Carol", "amount": "5"}),
        ("ft_transfer", {"receiver_id": "carol.near", "amount": "5", "extra": "x"}),
        ("ft_transfer", {"receiver_id": "carol.near", "amount": "5", "memo": 5}),
        ("ft_transfer", {"receiver_id": None, "amount": "5"}),
        ("ft_transfer", b'{"receiver_id":"carol.near","amount":"5","amount":"6"}'),
        ("ft_transfer", b'["receiver_id"]'),
        ("ft_transfer", b'{"receiver_id":"carol.near","amount":"5"} '.replace(b"5", b"\xff")),
        ("ft_transfer", b"[" * 5_000),
        ("ft_transfer", b'{"a":NaN}'),
        ("ft_transfer", b""),
        ("ft_transfer", b'{"receiver_id":"carol.near","amount":"5","memo":"' + b"x" * MAX_ARGUMENTS + b'"}'),
    ],
)
def test_what_is_not_exactly_a_known_call_is_unknown(method: str, arguments: Any) -> None:
    decoded = show(call(method, arguments), to="usdt.near")
    assert decoded.fields["actions"] == ("unknown",)
    assert decoded.fields["unknown_calls"] == 1
    assert decoded.risks == {Risk.UNKNOWN_CALL}
    assert f"method │ {method}" in decoded.preview.text()


def test_the_longest_arguments_that_are_parsed() -> None:
    head, tail = b'{"receiver_id":"carol.near","amount":"5","memo":"', b'"}'
    memo = b"x" * (MAX_ARGUMENTS - len(head) - len(tail))
    assert decode_call(call("ft_transfer", head + memo + tail)) is not None
    assert decode_call(call("ft_transfer", head + memo + b"x" + tail)) is None
    assert (
        decode_call(call("ft_transfer", {"receiver_id": "carol.near", "amount": str(MAX_AMOUNT)})) is not None
    )


def test_arguments_of_an_unknown_call_are_shown_raw() -> None:
    text = show(call("draw\u202e", b'{"all":true}')).preview.text()
    assert "UNKNOWN call of contract bob.near" in text
    assert "method │ draw\\u{202e}" in text
    assert 'arguments │ {"all":true} (12 bytes)' in text
    assert (
        f"arguments 0x{'ff' * MAX_SHOWN} ({MAX_SHOWN} bytes)"
        in show(call("x", b"\xff" * MAX_SHOWN)).preview.text()
    )
    cut = show(call("x", b"\xff" * (MAX_SHOWN + 1))).preview.text()
    assert f"arguments 0x{'ff' * MAX_SHOWN}… ({MAX_SHOWN + 1} bytes)" in cut


def test_submitting_somebodys_actions_costs_their_deposits() -> None:
    inner = DelegateAction(
        "carol.near", "carol.near", (Transfer(5), AddKey(OTHER, 0, None), call("x", b"", 6)), 1, 2, OTHER
    )
    decoded = show(Delegate(inner, 0, bytes(64)), to="carol.near")
    text = decoded.preview.text()
    assert "submit what carol.near asks of carol.near and pay for it, deposits too" in text
    assert "1.1.      send 0.000000000000000000000005 NEAR to carol.near" in text
    assert decoded.fields["value"] == 11
    assert decoded.fields["gas"] == 30 * 10**12
    assert decoded.preview.level is Level.CAUTION
    assert not decoded.risks
    own = DelegateAction(ME, ME, (AddKey(OTHER, 0, None),), 1, 2, OWN)
    loud = show(Delegate(own, 0, bytes(64)), to=ME)
    assert loud.preview.level is Level.DANGER
    assert loud.risks == {Risk.OWNERSHIP}


def test_a_delegate_action_is_a_permit() -> None:
    action = DelegateAction(ME, "bob.near", (Transfer(5),), 8, 99, OWN)
    decoded = NEAR.decode(requests.delegate(action.to_bytes()), KEY.public_key)
    assert decoded.preview.title == "Let a relayer: send 0.000000000000000000000005 NEAR on NEAR"
    assert "whoever gets the signature may submit this once, until block 99" in decoded.preview.text()
    assert decoded.risks == {Risk.PERMIT}
    assert decoded.fields["max_block_height"] == 99
    assert decoded.fields["nonce"] == 8


def test_a_message() -> None:
    payload = requests.message("Hello\nthere", bytes(32), "app\u202e", ME, callback_url="https://x/")
    decoded = NEAR.decode(payload, KEY.public_key)
    assert decoded.preview.text() == (
        "Sign a message (NEP-413)\n"
        "   Asked on   NEAR (near:mainnet); the signature itself names no chain\n"
        f"   Account    {ME}\n"
        "   Message    │ Hello\n"
        "              │ there\n"
        "   Recipient  │ app\\u{202e}\n"
        "   Sent to    │ https://x/"
    )
    assert dict(decoded.fields) == {
        "length": 11,
        "text": "Hello\nthere",
        "recipient": "app\u202e",
        "nonce": bytes(32).hex(),
        "callback_url": "https://x/",
        "key": str(OWN),
        "implicit": True,
    }
