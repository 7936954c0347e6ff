"""Write-once slots from a seed: accounts that race for a few slots, liars, restarts, changes of committee.

What must hold: no slot has certificates for two values, ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from quorate.account.register import Committee, Login
from quorate.account.register.certificates import SlotCertificate
from quorate.account.register.handlers import FINISHED, Context
from quorate.account.register.handover import FinalWord, Shown, adopt, show
from quorate.account.register.messages import Once, SlotVoted
from quorate.account.register.slots import once
from quorate.testing.dice import Dice
from quorate.testing.identities import unsafe_identity
from quorate.testing.register.factors import ACCOUNT, NETWORK, RULES, START, make_committee

SLOTS = ("pool/a/0", "pool/a/1", "pool/a/2")
ACCOUNTS = (b"anna", b"ben", b"carl")


@dataclass(slots=True)
class Keeper:
    """A node and its slots on disk."""

    name: str
    liar: bool
    slots: dict[str, bytes] = field(default_factory=dict)
    finished: bool = False
    in_office: bool = False


def play(seed: int, n: int, t: int, epochs: int = 3) -> dict[str, bytes]:
    """One run; gives who has which slot. Raises `AssertionError`."""
    dice = Dice("slots", seed, n, t)
    keepers = {f"n{i}": Keeper(f"n{i}", i < t, in_office=True) for i in range(n)}
    committees = {0: make_committee(0, tuple(keepers), t, 0)}
    signed: dict[tuple[int, str, bytes], dict[int, bytes]] = {}
    owners: dict[str, bytes] = {}
    finals: list[tuple[FinalWord, Shown]] = []

    def ask(committee: Committee) -> None:
        slot, value = dice.choose(SLOTS), dice.choose(ACCOUNTS)
        for member, name in enumerate(committee.names):
            keeper = keepers[name]
            if dice.happens(0.3) or (not keeper.liar and not keeper.in_office):
                continue
            question = Once(ACCOUNT, slot, value)
            context = _context(committee, committees, keeper, member)
            if keeper.liar:
                _, reply = once(None, question, context)
            else:
                held, reply = once(keeper.slots.get(slot), question, context)
                if held is not None:
                    keeper.slots[slot] = held
            if isinstance(reply, SlotVoted):
                votes = signed.setdefault((reply.epoch, slot, value), {})
                votes[member] = reply.signature
                if len(votes) >= committee.echo:
                    made = SlotCertificate(reply.epoch, slot, value, tuple(sorted(votes.items())))
                    made.check(NETWORK, committee)
                    _hold(owners.setdefault(slot, value) == value, seed, n, t)

    for epoch in range(epochs):
        committee = committees[epoch]
        for _ in range(4 + dice.below(12)):
            ask(committee)
        if epoch == epochs - 1:
            break
        names = tuple(
            name if dice.below(2) else f"{name}+" for name in (name.rstrip("+") for name in committee.names)
        )
        committees[epoch + 1] = make_committee(epoch + 1, names, t, 0)
        finals.clear()
        order = sorted(range(n), key=lambda _: dice.below(1 << 30))
        for member in order:
            keeper = keepers[committee.names[member]]
            keeper.finished = True
            finals.append(_final(committee, keeper, member, dice))
            ask(committee)  # others have not finished yet
            if len(finals) >= committee.echo:
                _enter(committee, committees[epoch + 1], keepers, finals, dice)
        for name in names:
            keepers[name].finished = False
            keepers[name].in_office = True
    return owners


def _enter(
    old: Committee,
    new: Committee,
    keepers: dict[str, Keeper],
    finals: list[tuple[FinalWord, Shown]],
    dice: Dice,
) -> None:
    """New members, each with FINALs of its own choice; some wait for more."""
    for index, name in enumerate(new.names):
        keeper = keepers.setdefault(name, Keeper(name, keepers[old.names[index]].liar))
        if keeper.in_office and name not in old.names:
            continue
        if name in old.names and not keeper.finished:
            continue
        chosen = sorted(finals, key=lambda _: dice.below(1 << 30))[: old.echo]
        _, keeper.slots = adopt(chosen, old, new.epoch, {}, keeper.slots)


def _final(committee: Committee, keeper: Keeper, member: int, dice: Dice) -> tuple[FinalWord, Shown]:
    shown = show({}, {} if keeper.liar and dice.below(2) else keeper.slots)
    sign = unsafe_identity(keeper.name).sign
    return FinalWord.signed(NETWORK, committee.epoch, 0, member, shown.root, sign), shown


def _context(committee: Committee, committees: dict[int, Committee], keeper: Keeper, member: int) -> Context:
    silent = FINISHED if keeper.finished and not keeper.liar else ""
    sign = unsafe_identity(keeper.name).sign
    login = Login(ACCOUNT, b"")
    return Context(NETWORK, member, committee, committees.get, RULES, START, sign, login, silent)


def _hold(holds: bool, seed: int, n: int, t: int) -> None:
    if not holds:
        raise AssertionError(
            "a slot is certified for two accounts\nto play it again: "
            f"python -c 'from quorate.testing.register.slots import play; play({seed}, {n}, {t})'"
        )
