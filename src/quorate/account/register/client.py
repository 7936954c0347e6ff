"""What a device knows of its register, and how it judges an answer. No IO, no waiting; see `procedures`.

A node's answer is its word: signatures are checked over what was asked, heads over the nonce of the question,
certificates and proofs as what they are. What does not check is treated as no answer at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from quorate.account.register.certificates import (
    Certificate,
    Committee,
    Proof,
    State,
    Subject,
    Votes,
    installed_statement,
    prepare_statement,
)
from quorate.account.register.entries import NOTHING, Entry, View
from quorate.account.register.messages import (
    Commit,
    Decided,
    Head,
    Headed,
    Installed,
    Lock,
    Once,
    Pending,
    Prepare,
    Question,
    Refusal,
    Reply,
    SlotVoted,
    Stated,
    Trail,
    Trailed,
    VersionConflict,
    Voted,
    WrongEpoch,
)
from quorate.errors import LocalError, ProofRejected

V = TypeVar("V", bound=Votes)


@dataclass(frozen=True, slots=True)
class Signer:
    """A factor, or for the first entry the device that is logged in: its public bytes and its signature."""

    key: bytes
    sign: Callable[[bytes], bytes]


@dataclass(slots=True)
class Client:
    """One account's register as one device sees it. `head` is what is proven to it so far.

    `committees` gives past committees by epoch; `follow` reads a committee record that a node shows and gives
    it if it is a proven successor, as often as it is asked. Without `signer` it reads only.
    """

    subject: Subject
    committee: Committee
    committees: Callable[[int], Committee | None]
    follow: Callable[[bytes], Committee | None]
    signers: Callable[[Entry], tuple[bytes, ...]]
    signer: Signer | None = None
    entry: Entry | None = None
    proof: Proof | None = None

    @property
    def version(self) -> int:
        """Of the head; 0 for none."""
        return 0 if self.entry is None else self.entry.version

    @property
    def hash(self) -> bytes:
        """Of the head."""
        return NOTHING if self.proof is None else self.proof.hash

    def advance(self, entry: Entry, proof: Proof) -> bool:
        """Take a proven head if it is newer. The proof has been checked."""
        if entry.version <= self.version:
            return False
        self.entry, self.proof = entry, proof
        return True

    # --- what an answer is worth ---------------------------------------------------------------------

    def believes(self, question: Question, member: int, reply: Reply) -> bool:
        """Whether this reply is the member's to that question, and all that it shows is proven."""
        try:
            self._check(question, member, reply)
        except ProofRejected:
            return False
        return True

    def _check(self, question: Question, member: int, reply: Reply) -> None:
        if isinstance(reply, Refusal):
            self._check_refusal(question, member, reply)
            return
        signed = self.committee.check_one
        match question, reply:
            case Head(), Headed() if reply.nonce == question.nonce:
                self._check_head(question, member, reply)
            case Lock(), Voted():
                entry = question.entry
                statement = self.subject.voted(Certificate.kind, entry.version, question.view, entry.hash)
                signed(member, statement, reply.signature)
            case Commit(), Voted():
                held = question.certificate
                statement = self.subject.voted(Proof.kind, held.version, held.view, held.hash)
                signed(member, statement, reply.signature)
            case Prepare(), Stated() if reply.state.member == member:
                self._check_state(question, reply)
            case Decided(), Installed():
                statement = installed_statement(self.subject, question.entry.version, question.proof.hash)
                signed(member, statement, reply.signature)
            case (Trail(), Trailed()) | (Once(), SlotVoted()):
                pass  # by hashes, and by who collects the slot's votes
            case _:
                raise ProofRejected("register: no answer to that question")

    def _check_refusal(self, question: Question, member: int, refusal: Refusal) -> None:
        reason = refusal.reason
        statement = Refusal.statement(self.subject.network, question, reason)
        self.committee.check_one(member, statement, refusal.signature)
        match reason:
            case VersionConflict():
                self.check_votes(reason.proof, reason.entry)
                if reason.entry.version < _version(question):
                    raise ProofRejected("register: a head that conflicts with nothing")
            case Pending():
                self.check_votes(reason.certificate, reason.body)
                if not isinstance(question, Lock) or reason.body.version != question.entry.version:
                    raise ProofRejected("register: a certificate that is not in the way")
            case WrongEpoch() if reason.epoch > self.committee.epoch and self._next(reason) is None:
                raise ProofRejected("register: a committee that is not shown to be one")

    def _check_head(self, question: Head, member: int, reply: Headed) -> None:
        if reply.epoch != self.committee.epoch:
            raise ProofRejected("register: a head of another epoch")
        statement = Headed.statement(
            self.subject, reply.nonce, reply.epoch, reply.version, reply.hash, reply.pending
        )
        self.committee.check_one(member, statement, reply.signature)
        if reply.version:
            entry = self.entry if reply.hash == question.known else reply.entry
            if entry is None or reply.proof is None:
                raise ProofRejected("register: a head without its entry and proof")
            if (entry.version, entry.hash) != (reply.version, reply.hash):
                raise ProofRejected("register: a head of another name than its entry")
            self.check_votes(reply.proof, entry)
        if reply.pending is not None:
            if reply.pending.version != reply.version + 1 or reply.body is None:
                raise ProofRejected("register: a pending certificate of another version, or no entry")
            self.check_votes(reply.pending, reply.body)

    def _check_state(self, question: Prepare, reply: Stated) -> None:
        state, version, view = reply.state, question.version, question.view
        statement = State.statement(self.subject, version, view, state.certificate)
        self.committee.check_one(state.member, statement, state.signature)
        if state.certificate is None:
            return
        if state.certificate.version != version or state.certificate.view >= view or reply.body is None:
            raise ProofRejected("register: a state whose certificate justifies nothing")
        self.check_votes(state.certificate, reply.body)

    def check_votes(self, votes: Votes, entry: Entry) -> None:
        """Raises `ProofRejected` unless these are a certificate of exactly this entry of this account."""
        if (entry.account, entry.version, entry.hash) != (self.subject.account, votes.version, votes.hash):
            raise ProofRejected("register: the entry is not the one that is certified")
        votes.check(self.subject, self.committees(votes.view.epoch))

    # --- what answers add up to ----------------------------------------------------------------------

    def learn(self, replies: Iterable[Reply]) -> bool:
        """Take newer heads and a newer committee from refusals; gives whether anything moved."""
        moved = False
        for reply in replies:
            match reply:
                case Refusal(reason=VersionConflict(entry=entry, proof=proof)):
                    moved |= self.advance(entry, proof)
                case Refusal(reason=WrongEpoch() as reason) if reason.epoch > self.committee.epoch:
                    found = self._next(reason)
                    if found is not None:
                        self.committee, moved = found, True
        return moved

    def _next(self, reason: WrongEpoch) -> Committee | None:
        """The committee after ours that a node shows, if it is proven to be one."""
        found = self.follow(reason.record)
        return found if found is not None and found.epoch > self.committee.epoch else None

    def votes(
        self, kind: type[V], version: int, view: View, entry: bytes, replies: Mapping[int, Reply]
    ) -> V | None:
        """The certificate that these votes make, if they are enough."""
        signed = tuple(
            (member, reply.signature) for member, reply in sorted(replies.items()) if isinstance(reply, Voted)
        )
        return kind(version, view, entry, signed) if len(signed) >= self.committee.echo else None

    def prepare(self, version: int, view: View) -> Prepare:
        """PREPARE, signed; only a factor has a slot to do so."""
        if self.signer is None:
            raise LocalError("a reader has no slots")
        signature = self.signer.sign(prepare_statement(self.subject, version, view))
        return Prepare(self.subject.account, version, view, self.signer.key, signature)

    def turns(self) -> tuple[bytes, ...] | None:
        """Who takes turns above the head; None while there is none."""
        return None if self.entry is None else self.signers(self.entry)


def _version(question: Question) -> int:
    """The version that a question is about; 0 for one about whatever there is."""
    match question:
        case Lock() | Decided():
            return question.entry.version
        case Prepare():
            return question.version
        case Commit():
            return question.certificate.version
        case _:
            return 0
