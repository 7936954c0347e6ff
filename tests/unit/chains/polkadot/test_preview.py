"""What a person and a policy are told of an extrinsic."""

from typing import Any

import pytest
from tests.support.polkadot import (
    POLKADOT,
    TO,
    TO_DOT,
    decoded,
    transfer,
)

from quorate.chains.chain import Level, Risk
from quorate.chains.polkadot.blake2 import blake2b_256
from quorate.chains.polkadot.networks import BY_ID
from quorate.chains.polkadot.scale import compact


def test_the_preview_of_a_transfer_says_what_is_signed() -> None:
    ready = decoded(transfer(tip=10**8))
    text = ready.preview.text()
    assert ready.preview.title == "Send 1.5 DOT on Polkadot"
    for expected in (
        TO_DOT,
        "1.5 DOT",
        "64 blocks",
        "200, ed25519 key",
        "0.01 DOT to whoever makes the block",
    ):
        assert expected in text
    assert ready.risks == frozenset()
    assert ready.preview.level == Level.CAUTION
    assert ready.fields == {
        "scheme": "ed25519",
        "calls": ("balances.transfer_keep_alive",),
        "recipients": (TO_DOT,),
        "amount": 15 * 10**9,
        "sends_all": False,
        "bonded": 0,
        "payees": (),
        "tip": 10**8,
        "nonce": 200,
        "immortal": False,
        "spec_version": 1_003_000,
        "transaction_version": 26,
        "call_hash": "0x" + blake2b_256(transfer().call).hex(),
        "call_length": 41,
    }


def test_a_tip_above_the_amount_or_of_a_whole_coin_is_a_high_fee() -> None:
    remark = b"\0\0\x08hi"
    for fields, high in (
        (transfer(tip=15 * 10**9 + 1), True),
        (transfer(tip=10**10 - 1), False),
        (transfer(tip=10**10), True),
        (transfer(call=remark, tip=10**10 - 1), False),
        (transfer(call=remark, tip=10**10), True),
    ):
        ready = decoded(fields)
        assert (Risk.HIGH_FEE in ready.risks) is high
        assert (ready.preview.level == Level.DANGER) is high


def test_everything_and_an_immortal_extrinsic_are_said_aloud() -> None:
    call = b"\5\4\0" + TO + b"\0"
    genesis = BY_ID[POLKADOT].genesis
    ready = decoded(transfer(call=call, era=b"\0", block_hash=genesis))
    assert ready.fields["sends_all"] is True
    assert ready.fields["immortal"] is True
    assert ready.risks == {Risk.ACCOUNT_DELETION}
    text = ready.preview.text()
    assert "all that can be transferred" in text
    assert "for ever, until this account uses the nonce" in text


def test_a_batch_shows_each_call_and_sums_what_leaves() -> None:
    send = b"\5\0\0" + TO + compact(10**10)
    bond = b"\7\0" + compact(3 * 10**10) + b"\3" + TO
    nominate = b"\7\5" + compact(1) + b"\0" + TO
    remark = b"\0\7" + compact(5) + "Grü!".encode()
    ready = decoded(transfer(call=bytes([26, 2]) + compact(5) + send + send + bond + nominate + remark))
    assert ready.preview.title == "5 calls in one batch on Polkadot"
    assert ready.fields["amount"] == 2 * 10**10
    assert ready.fields["bonded"] == 3 * 10**10
    assert ready.fields["recipients"] == (TO_DOT, TO_DOT)
    text = ready.preview.text()
    for expected in ("Call 5", "all or none", "│ Grü!", f"{TO_DOT}, now and later", "3 DOT, locked"):
        assert expected in text
    assert decoded(transfer(call=bytes([26, 0]) + b"\0")).preview.title == "0 calls in one batch on Polkadot"


@pytest.mark.parametrize(
    "changes",
    [
        {"call": b"\x1d\0" + b"\1" * 300},
        {"spec_version": 1_002_004},
        {"spec_version": 3_000_000},
        {"transaction_version": 27},
    ],
)
def test_what_is_not_understood_is_shown_raw(changes: dict[str, Any]) -> None:
    ready = decoded(transfer(**changes))
    assert ready.risks == {Risk.UNKNOWN_CALL}
    assert ready.fields["calls"] == ()
    assert ready.fields["recipients"] == ()
    text = ready.preview.text()
    assert f"pallet {ready.content.call[0]}, call" in text
    assert ready.content.call[:40].hex() in text


def test_every_shown_staking_call_has_its_line() -> None:
    for call, expected in (
        (b"\7\1" + compact(10**10), "Bond 1 DOT"),
        (b"\7\2" + compact(10**10), "Unbond 1 DOT"),
        (b"\7\3\0\0\0\0", "Withdraw what was unbonded"),
        (b"\7\6", "Stop nominating"),
        (b"\7\7\1", "Choose where rewards go"),
        (b"\7\x12" + TO + b"\1\0\0\0", "Pay out rewards of era 1"),
        (b"\7\x13" + compact(10**10), "Bond again 1 DOT"),
        (b"\0\0" + compact(2) + b"\xff\xfe", "Leave a remark"),
    ):
        assert decoded(transfer(call=call)).preview.title.startswith(expected)
