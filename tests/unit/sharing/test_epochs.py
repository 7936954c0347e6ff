"""The number that packs a committee epoch and a user epoch."""

import pytest

from quorate.errors import LimitExceeded
from quorate.sharing.epochs import (
    MAX_EPOCH,
    committee_epoch,
    epoch_number,
    in_committee_epoch,
    user_epoch,
)


@pytest.mark.parametrize("committee", [0, 1, 7, MAX_EPOCH])
@pytest.mark.parametrize("user", [0, 1, 9, MAX_EPOCH])
def test_both_epochs_come_back(committee: int, user: int) -> None:
    number = epoch_number(committee, user)
    assert (committee_epoch(number), user_epoch(number)) == (committee, user)
    assert 0 <= number < 1 << 32  # what a session's agreement and a key's record hold
    assert in_committee_epoch(number, 3) == epoch_number(3, user)


def test_the_first_committee_counts_as_user_epochs_alone_did() -> None:
    assert [epoch_number(0, user) for user in range(4)] == [0, 1, 2, 3]


def test_a_later_committee_epoch_is_above_every_user_epoch_of_an_earlier() -> None:
    assert epoch_number(1, 0) > epoch_number(0, MAX_EPOCH)


@pytest.mark.parametrize("pair", [(-1, 0), (0, -1), (MAX_EPOCH + 1, 0), (0, MAX_EPOCH + 1)])
def test_an_epoch_beyond_the_last_is_refused_and_not_wrapped(pair: tuple[int, int]) -> None:
    with pytest.raises(LimitExceeded, match="epochs count from 0"):
        epoch_number(*pair)


@pytest.mark.parametrize("number", [-1, 1 << 32])
def test_what_is_no_epoch_number_is_not_taken_apart(number: int) -> None:
    with pytest.raises(LimitExceeded):
        committee_epoch(number)
    with pytest.raises(LimitExceeded):
        user_epoch(number)
