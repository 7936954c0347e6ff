"""What makes a message of the agreement true: pure functions of public values.

Each raises `ProofRejected` with the reason. The handlers call them before they believe anything, and a
stranger who is shown a message as evidence calls `check` on it, with `Terms` made from the session's
agreement. Thresholds, members and the epoch come from the terms and never from what is checked; members
are counted by name, each once, and never by the length of a list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from quorate.encoding import encode
from quorate.errors import Malformed, ProofRejected
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import Message, PartyId, PublicIdentity
from quorate.sharing.agreement.messages import (
    MAX_VIEWS,
    Certificate,
    Change,
    Decided,
    Echo,
    Proposal,
    Ready,
    Vote,
    to_change,
    to_echo,
    to_ready,
)
from quorate.sharing.avss import ReadyCertificate
from quorate.sharing.quorums import Quorums

Verify = Callable[[PartyId, ReadyCertificate], None]
"""Raises `ProofRejected` unless the certificate shows that this dealer's sharing completes everywhere."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What all voters agree on beforehand. `needed` dealers at least make a decision.

    `subject` names the run; `verify` judges the proof that a dealer's sharing completes everywhere. Raises
    `Malformed` if the numbers do not fit each other.
    """

    subject: bytes
    quorums: Quorums
    nodes: tuple[PartyId, ...]
    dealers: tuple[PartyId, ...]
    needed: int
    identities: Mapping[PartyId, PublicIdentity]
    verify: Verify
    bound: bytes = field(init=False)
    """The subject with all that the votes are about; in every signature."""

    def __post_init__(self) -> None:
        if len(set(self.nodes)) != self.quorums.nodes or len(self.nodes) != self.quorums.nodes:
            raise Malformed("agreement: the quorums are of another number of voters")
        if len(set(self.dealers)) != len(self.dealers) or not 1 <= self.needed <= len(self.dealers):
            raise Malformed("agreement: not that many distinct dealers")
        q = self.quorums
        agreed = encode((self.nodes, self.dealers, self.needed, q.degree, q.liars, q.away))
        object.__setattr__(self, "bound", digest(Tag.AGREEMENT_SUBJECT, self.subject, agreed))

    @property
    def move(self) -> int:
        """Votes for later views that show that somebody honest wants one: t + f + 1."""
        return self.quorums.liars + self.quorums.away + 1

    def leader(self, view: int) -> PartyId:
        """Who proposes in a view: the first is drawn by the subject's hash, then each in turn."""
        first = int.from_bytes(digest(Tag.AGREEMENT_LEADER, self.subject), "big")
        return self.nodes[(first + view) % len(self.nodes)]


def check(terms: Terms, view: int, sender: PartyId, message: Message) -> None:
    """Raises `ProofRejected` unless an honest party may have said this in this view."""
    if isinstance(message, Decided):
        check_decided(terms, message.certificate)
        return
    if sender not in terms.nodes:
        raise ProofRejected(f"{sender} is no voter")
    if isinstance(message, Proposal):
        check_proposal(terms, view, sender, message)
    elif isinstance(message, Echo):
        check_dealers(terms, message.dealers)
        terms.identities[sender].verify(to_echo(terms.bound, view, message.dealers), message.signature)
    elif isinstance(message, Ready):
        check_dealers(terms, message.dealers)
        terms.identities[sender].verify(to_ready(terms.bound, view, message.dealers), message.signature)
    elif isinstance(message, Change):
        check_change(terms, view, sender, message)
    else:
        raise ProofRejected("not a message of the agreement")


def check_dealers(terms: Terms, dealers: Sequence[PartyId]) -> None:
    """Distinct, in order, all of the committee, and enough of them."""
    if list(dealers) != sorted(set(dealers)):
        raise ProofRejected("dealers are named once each, in order")
    if not set(dealers) <= set(terms.dealers):
        raise ProofRejected("somebody is named who deals nothing here")
    if len(dealers) < terms.needed:
        raise ProofRejected(f"{len(dealers)} dealers, {terms.needed} are needed")


def check_certificate(terms: Terms, certificate: Certificate) -> None:
    """E echoes, or t+1 readies, of distinct voters on exactly this view and these dealers."""
    quorum = terms.quorums.liars + 1 if certificate.ready else terms.quorums.echo
    _check_signatures(terms, certificate, quorum)


def check_decided(terms: Terms, certificate: Certificate) -> None:
    """R readies of distinct voters."""
    if not certificate.ready:
        raise ProofRejected("echoes decide nothing")
    _check_signatures(terms, certificate, terms.quorums.ready)


def check_proposal(terms: Terms, view: int, sender: PartyId, proposal: Proposal) -> None:
    """Step 3: from the view's leader, made by R votes, and in line with the highest lock among them."""
    if sender != terms.leader(view):
        raise ProofRejected(f"{sender} does not lead view {view}")
    check_dealers(terms, proposal.dealers)
    highest = _check_votes(terms, view, proposal.votes)
    certificate = proposal.certificate
    if certificate is None:
        if highest:
            raise ProofRejected("voters are locked, and the leader proposes something fresh")
        check_proofs(terms, proposal.dealers, proposal.proofs)
        return
    if proposal.proofs or certificate.dealers != proposal.dealers:
        raise ProofRejected("a certificate for other dealers, or proofs beside one")
    if not highest <= certificate.view + 1 <= view:
        raise ProofRejected("a certificate older than a lock among the votes, or not older than the view")
    check_certificate(terms, certificate)


def check_change(terms: Terms, view: int, sender: PartyId, change: Change) -> None:
    """Step 8: signed with the lock it carries, one older than the view asked for, or else fresh dealers."""
    if view == 0:
        raise ProofRejected("nobody votes for the first view")
    statement = to_change(terms.bound, view, *locked_by(change.lock))
    terms.identities[sender].verify(statement, change.signature)
    if change.lock is None:
        check_dealers(terms, change.dealers)
        check_proofs(terms, change.dealers, change.proofs)
        return
    if change.dealers or change.proofs or change.lock.view >= view:
        raise ProofRejected("a lock with other attachments, or of a view that was still to come")
    check_certificate(terms, change.lock)


def check_proofs(terms: Terms, dealers: Sequence[PartyId], proofs: Sequence[ReadyCertificate]) -> None:
    """Each dealer's sharing completes everywhere: R ready signatures for each, on one digest."""
    if len(proofs) != len(dealers):
        raise ProofRejected("a proof for each dealer is needed")
    for dealer, proof in zip(dealers, proofs, strict=True):
        terms.verify(dealer, proof)


def locked_by(lock: Certificate | None) -> tuple[int, tuple[PartyId, ...]]:
    """A lock as votes sign it: its view plus one, its dealers; 0 and nobody without one."""
    return (0, ()) if lock is None else (lock.view + 1, lock.dealers)


def _check_votes(terms: Terms, view: int, votes: Sequence[Vote]) -> int:
    """R distinct voters want this view; gives the highest lock they claim. The first view needs none."""
    voters = [vote.voter for vote in votes]
    if voters != sorted(set(voters)) or not set(voters) <= set(terms.nodes):
        raise ProofRejected("voters are named once each, in order, and are of the committee")
    if view == 0:
        if votes:
            raise ProofRejected("the first view is made by no votes")
        return 0
    if len(voters) < terms.quorums.ready:
        raise ProofRejected(f"{len(voters)} votes, {terms.quorums.ready} make a view")
    for vote in votes:
        if vote.locked > view or (vote.locked == 0) != (not vote.dealers):
            raise ProofRejected(f"{vote.voter} cannot have voted with such a lock")
        statement = to_change(terms.bound, view, vote.locked, vote.dealers)
        terms.identities[vote.voter].verify(statement, vote.signature)
    return max(vote.locked for vote in votes)


def _check_signatures(terms: Terms, certificate: Certificate, quorum: int) -> None:
    check_dealers(terms, certificate.dealers)
    if not 0 <= certificate.view < MAX_VIEWS:
        raise ProofRejected("a view beyond the last")
    signers = [name for name, _ in certificate.signatures]
    if signers != sorted(set(signers)) or not set(signers) <= set(terms.nodes):
        raise ProofRejected("signers are named once each, in order, and are of the committee")
    if len(signers) < quorum:
        raise ProofRejected(f"{len(signers)} signatures, {quorum} make a certificate")
    state = to_ready if certificate.ready else to_echo
    statement = state(terms.bound, certificate.view, certificate.dealers)
    for name, signature in certificate.signatures:
        terms.identities[name].verify(statement, signature)
