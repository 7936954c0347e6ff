"""A few register nodes by hand: real handlers, unsafe signatures, and no scheduler but the test itself."""

from dataclasses import replace

import msgspec

from quorate.account.register import (
    Certificate,
    Context,
    Entry,
    Login,
    Proof,
    Question,
    Reply,
    Row,
    View,
    step,
)
from quorate.account.register.certificates import State, Subject, prepare_statement
from quorate.account.register.entries import SLOT_SECONDS, next_slot
from quorate.account.register.handlers import FINISHED
from quorate.account.register.handover import FinalWord, Shown, adopt, show, verify_final
from quorate.account.register.messages import Commit, Decided, Lock, Prepare, Reason, Refusal, Stated, Voted
from quorate.testing.identities import unsafe_identity
from quorate.testing.register.factors import (
    ACCOUNT,
    NETWORK,
    RULES,
    START,
    Factors,
    key_of,
    make_committee,
    make_entry,
)

SUBJECT = Subject(NETWORK, ACCOUNT)
OWNERS = ("alice", "bob")


def entry_of(author: str, parent: Entry | None, note: bytes, *, expires: int = int(START) + 10_000) -> Entry:
    """An entry in which alice and bob are the factors."""
    record = Factors(tuple(key_of(name) for name in OWNERS), expires, note)
    return make_entry(author, parent, record, note.ljust(16, b"."))


class Nodes:
    """`n` nodes of one committee; the test says which of them hears what."""

    def __init__(self, n: int = 4, t: int = 1, *, committee=None, rows=None) -> None:
        names = tuple(f"n{index}" for index in range(n))
        self.committee = committee or make_committee(0, names, t, 0)
        self.committees = {self.committee.epoch: self.committee}
        self.rows = rows or [Row.fresh(self.committee.epoch) for _ in self.committee.names]
        self.now = START
        self.silent = [""] * n
        self.login = Login(ACCOUNT, key_of("alice"))
        self.past: Certificate | None = None
        """Of the version that `decide` has decided last."""

    def context(self, member: int) -> Context:
        return Context(
            NETWORK,
            member,
            self.committee,
            self.committees.get,
            RULES,
            self.now,
            unsafe_identity(self.committee.names[member]).sign,
            self.login,
            self.silent[member],
        )

    def ask(self, member: int, question: Question) -> Reply:
        """One question; the row is replaced."""
        self.rows[member], reply = step(self.rows[member], question, self.context(member))
        return reply

    def reason(self, member: int, question: Question) -> Reason:
        """Why it is refused; the row stays as it was."""
        before = self.rows[member]
        reply = self.ask(member, question)
        assert isinstance(reply, Refusal), reply
        assert self.rows[member] == before
        return reply.reason

    # --- votes ------------------------------------------------------------------------------------------

    def lock(self, members, entry: Entry, view: View | None = None, just=()) -> Certificate:
        """A certificate from the locks of these members, all of whom must give theirs."""
        view = view or View(self.committee.epoch)
        votes = []
        for member in members:
            reply = self.ask(member, Lock(view, entry, tuple(just)))
            assert isinstance(reply, Voted), reply
            votes.append((member, reply.signature))
        return Certificate(entry.version, view, entry.hash, tuple(votes))

    def commit(self, members, certificate: Certificate, entry: Entry) -> Proof:
        """A proof from the commits of these members."""
        votes = []
        for member in members:
            reply = self.ask(member, Commit(ACCOUNT, certificate, entry))
            assert isinstance(reply, Voted), reply
            votes.append((member, reply.signature))
        return Proof(certificate.version, certificate.view, certificate.hash, tuple(votes))

    def prepare(self, members, view: View, version: int, owner: str) -> list[State]:
        """The states of these members, the clock being in the slot."""
        self.now = view.slot * SLOT_SECONDS + 0.5
        found = []
        for member in members:
            reply = self.ask(member, self.preparation(view, version, owner))
            assert isinstance(reply, Stated), reply
            found.append(reply.state)
        return found

    def preparation(self, view: View, version: int, owner: str) -> Prepare:
        signature = unsafe_identity(owner).sign(prepare_statement(SUBJECT, version, view))
        return Prepare(ACCOUNT, version, view, key_of(owner), signature)

    def slot(self, owner: str, after: int | None = None) -> View:
        """The owner's next slot."""
        signers = None if self.rows[0].entry is None else RULES.signers(self.rows[0].entry)
        base = int(self.now // SLOT_SECONDS) if after is None else after
        found = next_slot(base, key_of(owner), signers)
        assert found is not None
        return View(self.committee.epoch, found)

    def decide(self, entry: Entry, members=None) -> Proof:
        """Lock, commit and show an entry to everybody."""
        members = list(members or range(len(self.rows)))[: self.committee.echo]
        certificate = self.past = self.lock(members, entry)
        proof = self.commit(members, certificate, entry)
        for member in range(len(self.rows)):
            self.ask(member, Decided(entry, proof))
        return proof

    def fresh(self) -> "Nodes":
        """The same nodes with the same head, and nothing begun above it."""
        rows = [Row.fresh(self.committee.epoch, row.entry, row.proof) for row in self.rows]
        after = Nodes(len(rows), committee=self.committee, rows=rows)
        after.past = self.past
        return after

    # --- lies ---------------------------------------------------------------------------------------------

    def forged_lock(self, member: int, entry: Entry, view: View) -> tuple[int, bytes]:
        """A lock of a member that signs anything."""
        statement = SUBJECT.voted(Certificate.kind, entry.version, view, entry.hash)
        return member, unsafe_identity(self.committee.names[member]).sign(statement)

    def forged_commit(self, member: int, entry: Entry, view: View) -> tuple[int, bytes]:
        """A commit of a member that signs anything."""
        statement = SUBJECT.voted(Proof.kind, entry.version, view, entry.hash)
        return member, unsafe_identity(self.committee.names[member]).sign(statement)

    def forged_state(self, member: int, version: int, view: View, certificate=None) -> State:
        """A state of a member that signs anything."""
        statement = State.statement(SUBJECT, version, view, certificate)
        return State(member, certificate, unsafe_identity(self.committee.names[member]).sign(statement))

    # --- the end of the epoch -----------------------------------------------------------------------------

    def final(self, member: int, shown: Shown | None = None) -> tuple[FinalWord, Shown]:
        """A member stops voting and says its last word; a liar's is what it likes."""
        if shown is None:
            self.silent[member] = FINISHED
            shown = show({ACCOUNT: self.rows[member]}, {})
        sign = unsafe_identity(self.committee.names[member]).sign
        epoch = self.committee.epoch
        return FinalWord.signed(NETWORK, epoch, ACCOUNT[0], member, shown.root, sign), shown

    def next(self, finals, *, n: int = 4, t: int = 1) -> "Nodes":
        """The committee of the next epoch, all new, each having adopted these FINALs."""
        epoch = self.committee.epoch + 1
        committee = make_committee(epoch, tuple(f"m{index}" for index in range(n)), t, 0)
        for final in finals:
            verify_final(*final, NETWORK, self.committees.get)
        rows, _ = adopt(finals, self.committee, epoch, {}, {})
        after = Nodes(n, t, committee=committee, rows=[rows.get(ACCOUNT, Row.fresh(epoch))] * n)
        after.committees |= self.committees
        after.now = self.now
        return after


def without(certificate, *, count: int):
    """A certificate cut to its first signatures."""
    return msgspec.structs.replace(certificate, signatures=certificate.signatures[:count])


__all__ = ["Nodes", "entry_of", "replace", "without"]
