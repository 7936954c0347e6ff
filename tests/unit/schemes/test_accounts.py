"""Accounts of a key: numbers, names, and no gap that a search would not cross."""

import pytest

from quorate.encoding import decode, encode
from quorate.errors import LimitExceeded, LocalError, Malformed
from quorate.schemes.derivation import GAP_LIMIT, Account, Accounts, accounts


def full() -> Accounts:
    """As many unused accounts as a search would find."""
    state = Accounts()
    for number in range(GAP_LIMIT):
        state, _ = state.add(f"account {number}")
    return state


def test_accounts_are_numbered_from_zero_and_survive_their_encoding() -> None:
    state, first = Accounts().add("savings")
    state, second = state.add("taxes")
    assert (first.index, second.index) == (0, 1)
    assert decode(Accounts, encode(state)) == state


def test_the_lowest_free_number_is_taken_and_one_without_a_key_is_skipped() -> None:
    state = Accounts((Account(0, "a"), Account(2, "c")))
    state, added = state.add("b")
    assert added.index == 1
    _, added = state.add("e", skip=frozenset({3}))
    assert added.index == 4


def test_no_account_is_handed_out_behind_the_gap() -> None:
    state = full()
    with pytest.raises(LimitExceeded, match="use one first"):
        state.add("one more")
    state, added = state.use(3).add("one more")
    assert added.index == GAP_LIMIT


def test_a_search_looks_twenty_beyond_the_last_used_one() -> None:
    assert Accounts().searched == range(GAP_LIMIT)
    assert full().use(4).searched == range(4 + 1 + GAP_LIMIT)
    assert Accounts((Account(accounts.MAX_INDEX, "last", True),)).searched.stop == accounts.MAX_INDEX + 1


def test_whatever_is_handed_out_is_found_by_the_search() -> None:
    state = Accounts()
    for number in range(60):
        state, added = state.add(f"account {number}")
        assert added.index in state.searched
        if number % 7 == 0:
            state = state.use(added.index)


def test_accounts_are_found_by_name_or_number() -> None:
    state = Accounts((Account(0, "savings"), Account(1, "0")))
    assert state.named("savings").index == 0
    assert state.named("0").index == 1
    assert state.named("1").index == 1
    with pytest.raises(LocalError, match="no account 'rent'"):
        state.named("rent")


def test_names_are_changed_and_never_shared() -> None:
    state = Accounts((Account(0, "savings"), Account(1, "taxes", True)))
    assert state.rename(1, "rent").rows == (Account(0, "savings"), Account(1, "rent", True))
    assert state.rename(1, "taxes") == state
    for change in (lambda: state.rename(1, "savings"), lambda: state.add("taxes")):
        with pytest.raises(LocalError, match="already"):
            change()
    for change in (lambda: state.rename(9, "x"), lambda: state.use(9)):
        with pytest.raises(LocalError, match="number 9"):
            change()


@pytest.mark.parametrize("name", ["", " a", "a ", "a\nb", "x" * (accounts.MAX_NAME + 1), "\u202e"])
def test_a_name_is_a_line_of_text(name: str) -> None:
    with pytest.raises(Malformed):
        Account(0, name)
    with pytest.raises(Malformed):
        decode(Account, encode((0, name, False)))


def test_the_longest_name_is_taken() -> None:
    assert Account(0, "x" * accounts.MAX_NAME)


@pytest.mark.parametrize(
    "rows",
    [
        [(1, "a", False), (0, "b", False)],
        [(0, "a", False), (0, "b", False)],
        [(0, "a", False), (1, "a", False)],
    ],
)
def test_a_list_out_of_order_or_with_doubles_is_malformed(rows: list[tuple[int, str, bool]]) -> None:
    with pytest.raises(Malformed):
        decode(Accounts, encode((rows,)))


def test_an_account_beyond_the_last_index_is_malformed() -> None:
    with pytest.raises(Malformed):
        decode(Account, encode((accounts.MAX_INDEX + 1, "a", False)))


def test_a_device_keeps_two_thousand_rows_and_no_more() -> None:
    longest = (f"{n:04}" + "\U0001d4b3" * (accounts.MAX_NAME - 4) for n in range(accounts.MAX_ACCOUNTS))
    state = Accounts(tuple(Account(n, name, True) for n, name in enumerate(longest)))
    assert decode(Accounts, encode(state)) == state
    with pytest.raises(LimitExceeded, match="2000"):
        state.add("one more")
    with pytest.raises(Malformed):
        decode(Accounts, encode(([(n, str(n), True) for n in range(accounts.MAX_ACCOUNTS + 1)],)))
