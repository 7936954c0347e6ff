"""The pool's rules: which committee key an account is given, and when a node votes for it.

Keys are made ahead (`quorate.vault.pool`); an account gets one by the votes of an echo quorum. A node votes
on a key for one account at most, ever (a write-once slot, named ``pool/<curve>/<batch>/<position>``); so at
most one account has a certificate, and a key whose votes are split is dead. Nobody locks and nobody waits: a
device asks all nodes what they offer (`Ask`, `Offered`), chooses (`choose`), and asks for their votes
(`Claim`, `Votes`); with E of them it has the certificate (`quorate.sharing.statements.Grant`).

The choice prefers keys the account has votes for already, which a device that stopped has left behind, also
another one of its devices. New ones are spread by a hash over what E nodes offer: were it the lowest index,
users that come together would split each other's votes and burn several times as many keys. The hash is also
over the device's commitment, so that two devices of one account, at their first login together, choose apart.

With its vote a node signs the device's commitment H(U, salt). The same account may commit anew (a second
device resumes), but not while another device of it may be at work with the first (`HOLD_SECONDS`), and not
once the key is kept for a wallet. The committee's public key is shown to nobody before E nodes have signed
the commitment; that nothing is lost even when it is known, is the formation's proof of knowledge.

Pure. What each limit keeps away: one account cannot drain the pool in a day, nor hold more than a few keys
open; many accounts together cannot empty it faster than it fills.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias

import msgspec

from quorate.encoding import Canonical
from quorate.errors import Refused, Remedy
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.sharing.statements import BatchNumber, CommitteeEpoch, Digest, Name, Position

MAX_OPEN: Final = 8
"""Keys that one account has votes for and has not used: enough for the creations of a few devices at once."""

OPEN_SECONDS: Final = 24 * 3600.0
"""How long such a key counts: one whose votes were split, or whose formation failed at some nodes, is used by
nobody, ever, and nobody can show it."""

MAX_NEW_A_DAY: Final = 8
"""New votes for one account in 24 hours: four wallets with a backup, or eight without."""

MAX_NEW_AN_HOUR: Final = 1024
"""New votes of one node for all accounts together: above what a busy service needs, below what its nodes make
in the background, so that a crowd of accounts made for it delays others at most."""

HOLD_SECONDS: Final = 5.0
"""How long a key is left to the device that committed last: several times what it takes to use it."""

WINDOW: Final = 64
"""Free keys that a node lists: users that ask at one moment rarely choose the same."""

MAX_OWN: Final = 32
"""Open keys of an account that a node lists, the newest ones."""

MAX_CLAIMED: Final = 2
"""Keys in one claim: a wallet takes one, and one more for its first refresh."""

DAY_SECONDS: Final = 24 * 3600.0
HOUR_SECONDS: Final = 3600.0

Index: TypeAlias = tuple[BatchNumber, Position]
"""A key of a curve: the number of its batch, its position in it."""


class Ask(Canonical, frozen=True):
    """Of a device: which keys of this curve could we have?"""

    curve: Name


class Own(Canonical, frozen=True):
    """A key that a node has voted for this account on. `held`: another commitment with it is too young."""

    index: Index
    held: bool


class Offered(Canonical, frozen=True):
    """Of a node: the account's own open keys, and free ones."""

    own: Annotated[tuple[Own, ...], msgspec.Meta(max_length=MAX_OWN)]
    free: Annotated[tuple[Index, ...], msgspec.Meta(max_length=WINDOW)]


class Claim(Canonical, frozen=True):
    """Of a device: give us these; H(U, salt) is our commitment. `epoch` is the committee's."""

    epoch: CommitteeEpoch
    curve: Name
    indices: Annotated[tuple[Index, ...], msgspec.Meta(min_length=1, max_length=MAX_CLAIMED)]
    commitment: Digest


class Vote(Canonical, frozen=True):
    """A node's answer about one key: a signature over `KeyAssigned`, or why not (see `REASONS`)."""

    index: Index
    signature: Annotated[bytes, msgspec.Meta(max_length=64)]
    reason: Annotated[str, msgspec.Meta(max_length=32)] = ""


class Votes(Canonical, frozen=True):
    """One answer for each claimed key, in the order asked."""

    votes: Annotated[tuple[Vote, ...], msgspec.Meta(min_length=1, max_length=MAX_CLAIMED)]


REASONS: Final[Mapping[str, str]] = {
    "pool-unknown": "this node has no such key, or never votes on it",
    "pool-taken": "that key is another account's, or is used",
    "pool-held": "another device of this account is using that key at this moment",
    "pool-open": "this account has as many keys open as it may; finish a wallet first, or wait a day",
    "pool-day": "this account has been given as many new keys as it may have in a day",
    "pool-hour": "too many keys are asked for at this moment; try again later",
    "pool-empty": "no committee key is left; the nodes are making more",
    "pool-split": "the nodes did not agree on a key; try again",
}
"""Why there is no key, by code."""

OF_THE_ACCOUNT: Final = frozenset({"pool-open", "pool-day", "pool-hour"})
"""Reasons that another key would meet as well."""


def no_key(code: str, *, node: str = "") -> Refused:
    """The error of a code; `node` is who said so."""
    wait = code in ("pool-hour", "pool-empty", "pool-split", "pool-held")
    return Refused(
        REASONS.get(code, "no committee key is to be had"),
        code=code if code in REASONS else "pool",
        parties=[node] if node else (),
        remedy=Remedy.RETRY if wait else Remedy.ASK,
    )


def slot_name(curve: str, index: Index) -> str:
    """What the write-once slot of a key is called between committees."""
    return f"pool/{curve}/{index[0]}/{index[1]}"


# --- at a node -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Slot:
    """What a node knows of a key: whom it voted for (empty: nobody), what that account committed to and when.

    `spent`: the key was kept for a wallet, used or burned.
    """

    account: bytes = b""
    commitment: bytes = b""
    committed: float = 0.0
    spent: bool = False

    def is_held(self, commitment: bytes, now: float) -> bool:
        """Whether another device of the account may be at work with it."""
        return self.commitment not in (b"", commitment) and now < self.committed + HOLD_SECONDS


@dataclass(frozen=True, slots=True)
class Given:
    """How often a node has voted: for what this account has open, for it in 24 hours, in all in an hour."""

    open: int
    day: int
    hour: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The same, at most. An operator may set other numbers for accounts."""

    open: int = MAX_OPEN
    day: int = MAX_NEW_A_DAY
    hour: int = MAX_NEW_AN_HOUR


def judge(
    slot: Slot, account: bytes, commitment: bytes, given: Given, now: float, limits: Limits = Limits()
) -> None:
    """Whether a node votes for this account on this key. Raises `Refused` with a code of `REASONS`."""
    if slot.spent or slot.account not in (b"", account):
        raise no_key("pool-taken")
    if slot.account == account:
        if slot.is_held(commitment, now):
            raise no_key("pool-held")
        return
    if given.open >= limits.open:
        raise no_key("pool-open")
    if given.day >= limits.day:
        raise no_key("pool-day")
    if given.hour >= limits.hour:
        raise no_key("pool-hour")


# --- at a device ---------------------------------------------------------------------------------------


def choose(
    offers: Collection[Offered],
    quorum: int,
    account: bytes,
    commitment: bytes,
    count: int,
    tried: Collection[Index] = (),
) -> tuple[Index, ...]:
    """Up to `count` keys to claim, of those on which `quorum` of the offering nodes could vote for us."""
    own: Counter[Index] = Counter()
    free: Counter[Index] = Counter()
    held: set[Index] = set()
    for offer in offers:
        own.update({entry.index for entry in offer.own})
        free.update(set(offer.free))
        held |= {entry.index for entry in offer.own if entry.held}
    possible = {index for index in own | free if own[index] + free[index] >= quorum} - set(tried)
    chosen = sorted(index for index in possible - held if own[index])[:count]
    window = sorted(index for index in possible if not own[index])
    for attempt in range(count - len(chosen)):
        if not window:
            break
        number = digest(Tag.POOL_CANDIDATE, account, commitment, (len(tried) + attempt).to_bytes(4, "big"))
        chosen.append(window.pop(int.from_bytes(number[:8], "big") % len(window)))
    return tuple(chosen)
