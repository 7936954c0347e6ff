"""The pool's rules, without a vault and without a wire: who gets a vote, and what a device chooses."""

import pytest

from quorate.account.pool import (
    HOLD_SECONDS,
    MAX_NEW_A_DAY,
    MAX_NEW_AN_HOUR,
    MAX_OPEN,
    REASONS,
    Given,
    Index,
    Limits,
    Offered,
    Own,
    Slot,
    choose,
    judge,
    no_key,
    slot_name,
)
from quorate.errors import Refused, Remedy

ALICE, BOB = b"a" * 32, b"b" * 32
ONE, TWO = b"1" * 32, b"2" * 32
NOW = 1_800_000_000.0
NOTHING = Given(0, 0, 0)


def refusal(slot: Slot, *, account: bytes = ALICE, given: Given = NOTHING, now: float = NOW) -> str:
    with pytest.raises(Refused) as refused:
        judge(slot, account, ONE, given, now)
    return refused.value.code


def test_a_free_key_is_voted_for_and_again_for_the_same_account() -> None:
    judge(Slot(), ALICE, ONE, NOTHING, NOW)
    judge(Slot(ALICE, ONE, NOW), ALICE, ONE, NOTHING, NOW)


def test_a_key_voted_on_is_for_one_account_for_ever() -> None:
    assert refusal(Slot(BOB, ONE, NOW)) == "pool-taken"
    assert refusal(Slot(BOB, ONE, NOW), now=NOW + 10**9) == "pool-taken"


def test_a_key_that_is_kept_used_or_burned_is_nobodys() -> None:
    assert refusal(Slot(ALICE, ONE, NOW, spent=True)) == "pool-taken"
    assert refusal(Slot(spent=True)) == "pool-taken"


def test_another_commitment_waits_until_the_first_device_has_had_its_time() -> None:
    held = Slot(ALICE, TWO, NOW)
    assert refusal(held, now=NOW + HOLD_SECONDS - 0.1) == "pool-held"
    judge(held, ALICE, ONE, NOTHING, NOW + HOLD_SECONDS)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (Given(MAX_OPEN, 0, 0), "pool-open"),
        (Given(0, MAX_NEW_A_DAY, 0), "pool-day"),
        (Given(0, 0, MAX_NEW_AN_HOUR), "pool-hour"),
    ],
)
def test_each_limit_stops_new_votes_and_no_renewal(given: Given, code: str) -> None:
    assert refusal(Slot(), given=given) == code
    judge(Slot(ALICE, ONE, NOW), ALICE, ONE, given, NOW)
    judge(Slot(), ALICE, ONE, given, NOW, Limits(100, 100, 10_000))
    fewer = Given(*(max(0, number - 1) for number in (given.open, given.day, given.hour)))
    judge(Slot(), ALICE, ONE, fewer, NOW)


def test_every_reason_has_words_and_waiting_helps_with_some() -> None:
    assert all(str(no_key(code)) == text for code, text in REASONS.items())
    assert no_key("pool-empty").remedy is Remedy.RETRY
    assert no_key("pool-day").remedy is Remedy.ASK
    assert no_key("anything else").code == "pool"


def test_a_slot_is_named_by_its_key() -> None:
    assert slot_name("secp256k1", (3, 17)) == "pool/secp256k1/3/17"


# --- what a device chooses -----------------------------------------------------------------------------


def offered(free: int = 20, own: tuple[Index, ...] = (), held: bool = False) -> Offered:
    window = tuple((1, at) for at in range(free) if (1, at) not in own)
    return Offered(tuple(Own(index, held) for index in own), window)


def chosen(offers: list[Offered], count: int = 2, **changes: object) -> tuple[Index, ...]:
    arguments: dict[str, object] = {"account": ALICE, "commitment": ONE, "tried": ()}
    arguments |= changes
    return choose(offers, 4, count=count, **arguments)  # type: ignore[arg-type]


def test_choices_are_distinct_and_the_same_for_the_same_question() -> None:
    found = chosen([offered()] * 5)
    assert len(set(found)) == 2
    assert found == chosen([offered()] * 5)


def test_accounts_and_devices_choose_apart() -> None:
    """Users that come together rarely choose the same; nor do two devices of one account."""
    by_account = {chosen([offered(64)] * 5, 1, account=bytes([n]) * 32) for n in range(20)}
    by_device = {chosen([offered(64)] * 5, 1, commitment=bytes([n]) * 32) for n in range(20)}
    assert len(by_account) > 14
    assert len(by_device) > 14


def test_only_what_a_quorum_could_vote_for_is_chosen() -> None:
    few = offered(20)
    none = offered(0)
    assert len(chosen([few] * 4 + [none])) == 2
    assert chosen([few] * 3 + [none] * 2) == ()
    assert chosen([replace_free(few, ((9, 9),))] * 3 + [few] * 2) == ()


def replace_free(offer: Offered, free: tuple[Index, ...]) -> Offered:
    return Offered(offer.own, free)


def test_a_node_that_lists_a_key_twice_counts_once() -> None:
    twice = Offered((), ((7, 7),) * 9)
    assert chosen([twice] + [offered(0)] * 4) == ()


def test_keys_the_account_has_votes_for_come_first() -> None:
    mine: Index = (1, 13)
    offers = [offered(own=(mine,))] * 2 + [offered()] * 3  # two have voted for us, three still could
    assert chosen(offers)[0] == mine
    assert mine not in chosen([offered(own=(mine,))] * 3 + [offered(0)] * 2)


def test_a_key_held_for_another_device_is_left_to_it() -> None:
    mine: Index = (1, 13)
    offers = [offered(own=(mine,), held=True)] + [offered(own=(mine,))] * 4
    assert mine not in chosen(offers)
    assert len(chosen(offers)) == 2


def test_what_was_tried_is_not_tried_again() -> None:
    first = chosen([offered()] * 5)
    second = chosen([offered()] * 5, tried=first)
    assert not set(first) & set(second)


def test_an_empty_pool_gives_nothing_and_a_small_one_what_it_has() -> None:
    assert chosen([offered(0)] * 5) == ()
    assert len(chosen([offered(1)] * 5)) == 1
