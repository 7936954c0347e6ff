"""The network of a simulation: parcels under way, who decides which goes next, and what goes wrong.

A `Scheduler` is the adversary that owns the wires: it may hold back and reorder at will. `Faults` are the
accidents on top. Time is what the schedule makes of it; a deadline passes when nothing else can happen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from quorate.session import PartyId
from quorate.testing.dice import Dice

GUESSES: Final = 16
"""Parcels drawn at random before all are looked through: what is wanted is seldom rarer than one in nine."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One envelope on its way to one party."""

    sender: PartyId
    to: PartyId
    data: bytes


@dataclass(frozen=True, slots=True)
class Faults:
    """Chances, each per delivery.

    A lost parcel comes again once the network has recovered, as a transport that retransmits sees to. A
    crashed party whose sessions are journaled comes back; another one stays dead. `damage` sends a spoilt
    copy ahead of the parcel; `deadline` lets one party's time run out early. At a `power_cut`, once in a run,
    everybody crashes. With `forget`, what comes to a party that is down is gone, and when it is back it asks
    the others for help: give that to protocols whose hosts do so.
    """

    duplicate: float = 0.0
    lose: float = 0.0
    damage: float = 0.0
    crash: float = 0.0
    deadline: float = 0.0
    power_cut: float = 0.0
    forget: bool = False

    @property
    def any(self) -> bool:
        """Whether anything can go wrong at all."""
        return self != NO_FAULTS


NO_FAULTS = Faults()


class Scheduler(ABC):
    """Chooses the parcel that is delivered next."""

    @abstractmethod
    def pick(self, pending: Sequence[Parcel], dice: Dice, step: int) -> int:
        """The index of one of `pending`, which are in the order of sending and at least one."""

    def __str__(self) -> str:
        return type(self).__name__.lower()


class InOrder(Scheduler):
    """First sent, first delivered."""

    def pick(self, pending: Sequence[Parcel], dice: Dice, step: int) -> int:
        return 0


class LastFirst(Scheduler):
    """Last sent, first delivered: every message that can be overtaken is."""

    def pick(self, pending: Sequence[Parcel], dice: Dice, step: int) -> int:
        return len(pending) - 1


class Uniform(Scheduler):
    """Any parcel, with equal chance."""

    def pick(self, pending: Sequence[Parcel], dice: Dice, step: int) -> int:
        return dice.below(len(pending))


@dataclass(frozen=True, slots=True)
class Starve(Scheduler):
    """One party hears nothing as long as anybody else can be told something."""

    victim: PartyId

    def pick(self, pending: Sequence[Parcel], dice: Dice, step: int) -> int:
        return _one_of(pending, dice, lambda parcel: parcel.to != self.victim)

    def __str__(self) -> str:
        return f"starve {self.victim}"


@dataclass(frozen=True, slots=True)
class Partition(Scheduler):
    """Nothing crosses between `side` and the rest until step `until`, or until nothing else is left."""

    side: frozenset[PartyId]
    until: int

    def pick(self, pending: Sequence[Parcel], dice: Dice, step: int) -> int:
        if step < self.until:
            return _one_of(pending, dice, lambda p: (p.sender in self.side) == (p.to in self.side))
        return dice.below(len(pending))

    def __str__(self) -> str:
        return f"partition {'+'.join(sorted(self.side))} until {self.until}"


@dataclass(frozen=True, slots=True)
class Prefer(Scheduler):
    """Who stands earlier in `order` hears what there is for it before a later one hears anything.

    The best at finding what goes wrong when two are told different things: one has acted on its version
    before another has heard of it. It looks at what was sent last and at a few others, not at everything
    that is under way, so now and then somebody later comes first.
    """

    order: tuple[PartyId, ...]

    def pick(self, pending: Sequence[Parcel], dice: Dice, step: int) -> int:
        count = len(pending)
        seen = list(range(max(0, count - GUESSES), count))
        seen += [dice.below(count) for _ in range(GUESSES // 4)]
        ranks = {party: rank for rank, party in enumerate(self.order)}
        return min(seen, key=lambda index: ranks.get(pending[index].to, len(ranks)))

    def __str__(self) -> str:
        return f"prefer {'>'.join(self.order)}"


def _one_of(pending: Sequence[Parcel], dice: Dice, wanted: Callable[[Parcel], bool]) -> int:
    """The index of any wanted parcel, or of any at all if none is. Looks through all of them only in need."""
    for _ in range(GUESSES):
        index = dice.below(len(pending))
        if wanted(pending[index]):
            return index
    found = [index for index, parcel in enumerate(pending) if wanted(parcel)]
    return dice.choose(found) if found else dice.below(len(pending))


def any_scheduler(parties: Sequence[PartyId], dice: Dice) -> Scheduler:
    """One of all kinds."""
    kind = dice.below(7)
    if kind == 0:
        return InOrder()
    if kind == 1:
        return LastFirst()
    if kind == 2:
        return Starve(dice.choose(parties))
    if kind == 3:
        side = frozenset(party for party in parties if dice.below(2))
        return Partition(side, dice.below(40))
    if kind == 4:
        left = list(parties)
        return Prefer(tuple(left.pop(dice.below(len(left))) for _ in parties))
    return Uniform()
