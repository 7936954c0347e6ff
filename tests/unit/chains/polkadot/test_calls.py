"""Calls: published bytes, every known one, and what must not be guessed."""

import pytest

from quorate.chains.polkadot.calls import MAX_CALLS, MAX_TARGETS, Call, read
from quorate.chains.polkadot.networks import BY_ID, KNOWN
from quorate.chains.polkadot.runtimes import ASSET_HUB, KUSAMA, POLKADOT, WESTEND, WESTEND_ASSET_HUB
from quorate.chains.polkadot.scale import compact
from quorate.errors import LimitExceeded, Malformed

TO = bytes.fromhex("9f7b0675db59d19b4bd9c8c72eaabba75a9863d02b30115b8b3c3ca5c20f0254")
SEND = b"\0" + TO + compact(10**10)

# BitGoJS, modules/sdk-coin-dot/test/resources/index.ts (Westend: Balances is pallet 4, Utility 16).
KEEP_ALIVE = "0403009f7b0675db59d19b4bd9c8c72eaabba75a9863d02b30115b8b3c3ca5c20f02540bfadb9bbae251"
ALL = "0404009f7b0675db59d19b4bd9c8c72eaabba75a9863d02b30115b8b3c3ca5c20f025400"
BOND_EXTRA = "06010bfadb9bbae251"
UNBOND = "06020b00203d88792d"
PAYOUT = "06129f7b0675db59d19b4bd9c8c72eaabba75a9863d02b30115b8b3c3ca5c20f025422130000"


def test_the_published_transfers_are_understood() -> None:
    (westend,) = WESTEND
    assert read(westend, bytes.fromhex(KEEP_ALIVE)) == Call(
        "balances.transfer_keep_alive", {"recipient": TO, "amount": 90034235235322}
    )
    assert read(westend, bytes.fromhex(ALL)) == Call(
        "balances.transfer_all", {"recipient": TO, "keep_alive": False}
    )


def test_the_published_staking_calls_are_understood_where_staking_has_that_number() -> None:
    # the same bytes on Kusama, whose staking is pallet 6 as Westend's was
    assert read(KUSAMA[0], bytes.fromhex(BOND_EXTRA)) == Call(
        "staking.bond_extra", {"amount": 90034235235322}
    )
    assert read(KUSAMA[0], bytes.fromhex(UNBOND)) == Call("staking.unbond", {"amount": 50000000000000})
    assert read(KUSAMA[0], bytes.fromhex("0606")) == Call("staking.chill")
    assert read(KUSAMA[0], bytes.fromhex("060300000000")) == Call(
        "staking.withdraw_unbonded", {"slashing_spans": 0}
    )
    assert read(KUSAMA[0], bytes.fromhex(PAYOUT)) == Call(
        "staking.payout_stakers", {"validator": TO, "era": 0x1322}
    )
    assert read(WESTEND[0], bytes.fromhex(UNBOND)) is None


@pytest.mark.parametrize(
    ("table", "balances", "utility", "staking"),
    [
        (POLKADOT[0], 5, 26, 7),
        (POLKADOT[1], 5, 26, None),
        (KUSAMA[0], 4, 24, 6),
        (KUSAMA[1], 4, 24, None),
        (WESTEND[0], 4, 16, None),
        (ASSET_HUB[0], 10, 40, None),
        (ASSET_HUB[1], 10, 40, 89),
        (WESTEND_ASSET_HUB[0], 10, 40, None),
    ],
)
def test_each_table_reads_its_own_numbers(
    table: object, balances: int, utility: int, staking: int | None
) -> None:
    transfer = bytes([balances, 3]) + SEND
    remark = b"\0\0" + compact(2) + b"hi"
    batch = bytes([utility, 2]) + compact(2) + transfer + remark
    call = read(table, batch)
    assert call is not None
    assert [each.name for each in call.flat()] == ["balances.transfer_keep_alive", "system.remark"]
    assert read(table, transfer) == call.calls[0]
    if staking is not None:
        nominate = bytes([staking, 5]) + compact(1) + b"\0" + TO
        assert read(table, nominate) == Call("staking.nominate", {"targets": (TO,)})


@pytest.mark.parametrize(
    ("payee", "shown"),
    [("00", "bonded as well"), ("01", "this account"), ("02", "the controller"), ("04", "nobody")],
)
def test_where_rewards_go(payee: str, shown: str) -> None:
    assert read(POLKADOT[0], bytes.fromhex("0707" + payee)) == Call("staking.set_payee", {"payee": shown})
    bond = bytes.fromhex("0700") + compact(5) + b"\3" + TO
    assert read(POLKADOT[0], bond) == Call("staking.bond", {"amount": 5, "payee": TO})
    with pytest.raises(Malformed, match="destination"):
        read(POLKADOT[0], bytes.fromhex("070705"))


@pytest.mark.parametrize(
    "unknown",
    [
        "0502" + "00" * 66,  # balances.force_transfer
        "1d00",  # proxy
        "1a01" + "0000",  # utility.as_derivative
        "0700",  # nothing behind a pallet that has arguments: see the test of truncation
    ],
)
def test_a_call_that_is_not_in_the_table_is_unknown_and_not_guessed(unknown: str) -> None:
    if unknown == "0700":
        assert read(POLKADOT[1], bytes.fromhex(unknown)) is None
        return
    assert read(POLKADOT[0], bytes.fromhex(unknown)) is None


@pytest.mark.parametrize("address", ["01", "02" + "0c616263", "03" + "11" * 32, "04" + "22" * 20])
def test_an_account_only_the_chain_can_resolve_makes_the_call_unknown(address: str) -> None:
    call = b"\5\3" + bytes.fromhex(address) + compact(7)
    assert read(POLKADOT[0], call) is None
    batch = bytes([26, 0]) + compact(2) + b"\5\3" + SEND + call
    assert read(POLKADOT[0], batch) is None


def test_a_batch_with_one_unknown_call_or_a_batch_inside_is_unknown() -> None:
    inner = bytes([26, 2]) + compact(1) + b"\5\3" + SEND
    assert read(POLKADOT[0], inner) is not None
    assert read(POLKADOT[0], bytes([26, 0]) + compact(1) + inner) is None
    assert read(POLKADOT[0], bytes([26, 0]) + compact(2) + b"\5\3" + SEND + b"\x1d\0") is None


def test_a_known_call_that_does_not_fit_its_arguments_is_refused() -> None:
    good = b"\5\3" + SEND
    for bad in (good[:-1], good + b"\0", b"\5\3" + b"\5" + TO + compact(1), b"\5\4\0" + TO + b"\2"):
        with pytest.raises(Malformed, match="call"):
            read(POLKADOT[0], bad)


def test_more_calls_or_nominations_than_can_be_shown_are_refused() -> None:
    remark = b"\0\0\0"
    assert read(POLKADOT[0], bytes([26, 0]) + compact(MAX_CALLS) + remark * MAX_CALLS) is not None
    with pytest.raises(LimitExceeded, match=str(MAX_CALLS)):
        read(POLKADOT[0], bytes([26, 0]) + compact(MAX_CALLS + 1) + remark * (MAX_CALLS + 1))
    target = b"\0" + TO
    assert read(POLKADOT[0], b"\7\5" + compact(MAX_TARGETS) + target * MAX_TARGETS) is not None
    with pytest.raises(LimitExceeded, match=str(MAX_TARGETS)):
        read(POLKADOT[0], b"\7\5" + compact(MAX_TARGETS + 1) + target * (MAX_TARGETS + 1))


def test_a_table_holds_only_for_its_versions() -> None:
    polkadot = BY_ID["polkadot:91b171bb158e2d3848fa23a9f1c25182"]
    assert polkadot.runtime(1_002_005, 26) is POLKADOT[0]
    assert polkadot.runtime(2_000_001, 26) is POLKADOT[1]
    for spec, transaction in ((1_002_004, 26), (3_000_000, 26), (1_003_000, 25), (1_003_000, 27)):
        assert polkadot.runtime(spec, transaction) is None


def test_the_ranges_of_one_chain_do_not_overlap() -> None:
    for network in KNOWN:
        for earlier, later in zip(network.runtimes, network.runtimes[1:], strict=False):
            assert earlier.last < later.first
