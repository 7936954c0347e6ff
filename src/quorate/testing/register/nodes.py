"""A simulated node of the register: real handlers, rows on a disk that survives, its end of an epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from quorate.account.register import Committee, Entry, Login
from quorate.account.register.handlers import FINISHED, Context, step
from quorate.account.register.handover import FinalWord, Shown, adopt, show, verify_final
from quorate.account.register.messages import Commit, Question, Reply, Trail, Trailed, Voted
from quorate.account.register.rows import Row, learned
from quorate.errors import Missing, ProofRejected
from quorate.testing.identities import unsafe_identity
from quorate.testing.register.factors import ACCOUNT, NETWORK, RULES

if TYPE_CHECKING:
    from quorate.testing.register.world import World

SHARD: Final = ACCOUNT[0]


class Node:
    """One node: rows on disk, its member index, and whether it answers. A liar says whatever suits."""

    def __init__(self, world: World, name: str, *, liar: bool) -> None:
        self.world, self.name, self.liar = world, name, liar
        self.identity = unsafe_identity(name)
        self.rows: dict[bytes, Row] = {}
        self.kept: dict[bytes, Entry] = {}
        self.slots: dict[str, bytes] = {}
        self.epoch: int | None = None
        self.finished = False
        self.dead = False
        self.down_until = 0.0
        self.skew = (world.dice.below(1001) - 500) / 1000
        self.finals: dict[int, dict[int, tuple[FinalWord, Shown]]] = {}
        self.successor: Committee | None = None

    @property
    def answers(self) -> bool:
        """Whether it is up and in office, or was."""
        return not self.dead and self.world.now >= self.down_until and self.epoch is not None

    def context(self, login: Login | None) -> Context:
        """Of the next step."""
        committee = self.world.committees[self.epoch or 0]
        return Context(
            NETWORK,
            committee.names.index(self.name),
            committee,
            self.world.committee_of,
            RULES,
            self.world.now + self.skew,
            self.identity.sign,
            login,
            FINISHED if self.finished else "",
            self.successor,
        )

    def answer(self, question: Question, login: Login | None) -> Reply | None:
        """One question; the row is on disk when this returns."""
        if not self.answers:
            return None
        context = self.context(login)
        if self.liar:
            return self.world.thief.lie(self, question, context)
        if isinstance(question, Trail):
            found = [entry for entry in self.kept.values() if entry.version >= question.since]
            return Trailed(tuple(sorted(found, key=lambda entry: entry.version)))
        before = self.rows.get(ACCOUNT) or Row.fresh(context.committee.epoch)
        after, reply = step(before, question, context)
        self.rows[ACCOUNT] = after
        for entry in learned(before, after):
            self.kept[entry.hash] = entry
        if isinstance(question, Commit) and isinstance(reply, Voted):
            self.world.committed(self, question)
        return reply

    def finish(self, successor: Committee) -> None:
        """Stop voting, durably; then FINAL to every member of the next committee."""
        if self.dead or self.epoch is None or self.finished:
            return
        if self.world.now < self.down_until:
            self.world.later(self.down_until + 0.1 - self.world.now, lambda: self.finish(successor))
            return
        self.finished, self.successor = True, successor
        shown = show({} if self.liar and self.world.dice.below(2) else self.rows, self.slots)
        member = self.world.committees[self.epoch].names.index(self.name)
        word = FinalWord.signed(NETWORK, self.epoch, SHARD, member, shown.root, self.identity.sign)
        for name in successor.names:
            self._hand_over(self.world.nodes[name], word, shown, successor)
        if self.name in successor.names:
            self.enter(successor)

    def _hand_over(self, to: Node, word: FinalWord, shown: Shown, successor: Committee) -> None:
        self.world.send(self.name, to.name, lambda: to.take(word, shown, successor), durable=True)

    def take(self, word: FinalWord, shown: Shown, successor: Committee) -> None:
        """A FINAL has come."""
        if self.dead:
            return
        if self.world.now < self.down_until:
            self.world.later(
                self.down_until + 0.1 - self.world.now, lambda: self.take(word, shown, successor)
            )
            return
        try:
            verify_final(word, shown, NETWORK, self.world.committee_of)
        except ProofRejected:
            return
        self.finals.setdefault(word.epoch, {})[word.member] = (word, shown)
        self.enter(successor)

    def enter(self, successor: Committee) -> None:
        """Begin in the next epoch, with FINALs of E old members and, if it stays, after its own."""
        old = self.world.committees[successor.epoch - 1]
        if self.epoch is not None and (self.epoch >= successor.epoch or not self.finished):
            return
        if self.name in old.names and not self.finished:
            return
        try:
            finals = self.finals.get(old.epoch, {}).values()
            rows, slots = adopt(finals, old, successor.epoch, self.rows, self.slots)
        except Missing:
            return
        self.rows, self.slots, self.epoch = rows, slots, successor.epoch
        for row in rows.values():
            if row.entry is not None:
                self.kept[row.hash] = row.entry
        self.finished, self.successor = False, None
