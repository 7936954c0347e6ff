"""One number for two kinds of epochs: the committee's and the user's.

A committee epoch begins when the nodes reshare all keys, a user epoch when the factors of one wallet change.
Sessions, key records and shares are of one of each. Both are counted from 0 and packed into one number that
grows with either, the committee's above: a reshare leaves every user epoch where it is.
"""

from __future__ import annotations

from typing import Final

from quorate.errors import LimitExceeded

EPOCH_BITS: Final = 16
"""Of each half. A committee that reshares every hour needs seven years to use them up, a wallet whose factors
change daily 179; the next is refused then, never wrapped round."""

MAX_EPOCH: Final = (1 << EPOCH_BITS) - 1


def epoch_number(committee: int, user: int) -> int:
    """The number of this pair of epochs. Raises `LimitExceeded` outside 0 to `MAX_EPOCH`."""
    for name, epoch in (("committee", committee), ("user", user)):
        if not 0 <= epoch <= MAX_EPOCH:
            raise LimitExceeded(f"{name} epoch {epoch}: epochs count from 0 to {MAX_EPOCH}")
    return committee << EPOCH_BITS | user


def committee_epoch(number: int) -> int:
    """The committee's half of an epoch number."""
    return _both(number)[0]


def user_epoch(number: int) -> int:
    """The user's half of an epoch number."""
    return _both(number)[1]


def in_committee_epoch(number: int, committee: int) -> int:
    """The same user epoch in another committee epoch: what a reshare makes of an epoch number."""
    return epoch_number(committee, user_epoch(number))


def _both(number: int) -> tuple[int, int]:
    committee, user = number >> EPOCH_BITS, number & MAX_EPOCH
    epoch_number(committee, user)
    return committee, user
