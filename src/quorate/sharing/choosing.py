"""Choosing between things that nodes have put forward, so that no liar can split the vote on them.

A node puts a thing forward under a name of its own, a *candidate*: a record it wishes for, an inventory. The
others *vouch* for it by a signature over its digest, for each candidate at most once, ever, and only for what
they would accept and have stored. R vouchers make it certified: since two sets of R share more nodes than may
lie, a candidate who shows different nodes different things is certified with one of them at most, and spoils
nothing but its own. Which of the certified candidates count is then agreed on with views and locks, as key
generation agrees on dealings (`quorate.sharing.agreement`; steps 2 to 10 of docs/protocols/dkg.md).

A vote that each node gives once for ever would do without all this if all were honest and nobody hurried.
With one liar who asks first, or two honest nodes who ask at once, half of the nodes have voted for one thing
and half for another, and the question is never decided. Steps: docs/protocols/resharing.md, "Choosing".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from quorate.encoding import encode
from quorate.errors import Malformed, ProofRejected
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import (
    Declaration,
    Message,
    Party,
    PartyId,
    PublicIdentity,
    Rule,
    SessionSpec,
    roster_digest,
)
from quorate.sharing import agreement
from quorate.sharing.agreement import Agreement
from quorate.sharing.avss import ReadyCertificate
from quorate.sharing.epochs import epoch_number
from quorate.sharing.expression import MAX_MEMBERS
from quorate.sharing.quorums import Quorums

GROUP_NAME: Final = "secp256k1"
"""No message of a choice holds a point; a session names a group all the same."""


class Shown(Message, frozen=True, tag="choose.shown"):
    """Step 4: what was chosen, with the vouchers of each, for those who have heard the decision alone."""

    certificates: Annotated[tuple[tuple[str, ReadyCertificate], ...], msgspec.Meta(max_length=MAX_MEMBERS)]


SHOWN_LIMIT: Final = MAX_MEMBERS * (MAX_MEMBERS * 112 + 128)

CHOOSE: Final = Declaration(
    "choose",
    1,
    *agreement.rules(),
    Rule(Shown, limit=SHOWN_LIMIT),
    sender_limit=16 << 20,
    tolerant=True,
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be chosen: `subject` names it; who chooses, among which candidates, how many of them.

    `subject` is 32 bytes that commit to what is asked and when; no two questions have the same. `candidates`
    are labels that everybody knows beforehand. Raises `Malformed` for what cannot be.
    """

    subject: bytes
    epoch: int
    nodes: tuple[PartyId, ...]
    quorums: Quorums
    candidates: tuple[str, ...]
    needed: int

    def __post_init__(self) -> None:
        if len(self.subject) != 32 or not len(set(self.nodes)) == self.quorums.nodes == len(self.nodes):
            raise Malformed("a question has a subject of 32 bytes and is put to the whole committee")
        if len(set(self.candidates)) != len(self.candidates) or not 1 <= self.needed <= len(self.candidates):
            raise Malformed("a question has distinct candidates, and as many as are needed")

    @property
    def payload(self) -> bytes:
        """What the session is about, canonically."""
        q = self.quorums
        among = (q.degree, q.liars, q.away)
        return encode((self.subject, self.epoch, self.nodes, among, self.candidates, self.needed))

    def to_vouch(self, candidate: str, thing: bytes) -> bytes:
        """Step 1: the 32 bytes that a voucher signs. `thing` is the digest of what was put forward."""
        return digest(Tag.CHOICE_VOUCHER, self.payload, candidate.encode(), thing)

    def certificate(self, thing: bytes, vouchers: Mapping[PartyId, bytes]) -> ReadyCertificate | None:
        """Step 2: of exactly R vouchers (verified before); None while there are fewer."""
        names = sorted(vouchers)[: self.quorums.ready]
        if len(names) < self.quorums.ready:
            return None
        return ReadyCertificate(thing, tuple((name, vouchers[name]) for name in names))

    def verify(
        self, candidate: str, certificate: ReadyCertificate, identities: Mapping[PartyId, PublicIdentity]
    ) -> None:
        """Raises `ProofRejected` unless exactly R distinct nodes have vouched for the candidate's thing."""
        signers = [name for name, _ in certificate.signatures]
        if len(signers) != self.quorums.ready or signers != sorted(set(signers)):
            raise ProofRejected(f"choice: {self.quorums.ready} distinct vouchers, in their order, are needed")
        if candidate not in self.candidates or not set(signers) <= set(self.nodes):
            raise ProofRejected("choice: no such candidate, or a voucher who is not of the committee")
        said = self.to_vouch(candidate, certificate.digest)
        for name, signature in certificate.signatures:
            identities[name].verify(said, signature)

    def spec(self, roster: Mapping[PartyId, PublicIdentity]) -> SessionSpec:
        """The session's agreement, the same for all; nonces follow from the question, which is asked once."""
        payload, parties = self.payload, tuple(sorted(self.nodes))
        spec = SessionSpec(
            CHOOSE.name,
            CHOOSE.version,
            GROUP_NAME,
            b"",
            epoch_number(self.epoch, 0),
            parties,
            roster_digest({party: roster[party] for party in parties}),
            self.quorums.ready,
            "choose",
            payload,
        )
        return spec.with_nonces({p: digest(Tag.CHOICE_NONCE, payload, p.encode()) for p in parties})


async def choose(
    party: Party,
    question: Question,
    certificates: Mapping[str, ReadyCertificate],
    *,
    voting: type[Agreement] = Agreement,
) -> dict[str, bytes]:
    """Steps 3 and 4: the chosen candidates, each with the digest of what it put forward; equal for all.

    Begin with at least `needed` certificates, verified; the same ones again after a restart.
    """
    if party.spec.payload != question.payload or set(party.parties) != set(question.nodes):
        raise Malformed("choice: the session is about another question")
    identities = {node: party.identity_of(node) for node in question.nodes}

    def verify(candidate: str, certificate: ReadyCertificate) -> None:
        question.verify(candidate, certificate, identities)

    votes = voting(
        party,
        question.quorums,
        question.nodes,
        question.candidates,
        question.needed,
        verify,
        party.session_id,
    )
    known = dict(certificates)
    for candidate in sorted(known):
        votes.completed(candidate, known[candidate])
    arrivals = party.stream(*agreement.MESSAGES, Shown)
    while True:
        if votes.decided is not None:
            known = {**votes.proofs, **known}
            if set(votes.decided) <= set(known):
                break
        arrival = await anext(arrivals)
        if arrival is None:
            votes.tick()
        elif isinstance(arrival.message, Shown):
            _learn(party, question, identities, arrival.sender, arrival.message, known)
        else:
            votes.receive(arrival.sender, arrival.message, arrival.path)
    party.broadcast(Shown(tuple((name, known[name]) for name in votes.decided)))
    return {name: known[name].digest for name in votes.decided}


def _learn(
    party: Party,
    question: Question,
    identities: Mapping[PartyId, PublicIdentity],
    sender: PartyId,
    shown: Shown,
    known: dict[str, ReadyCertificate],
) -> None:
    """Take certificates from who has decided. A candidate has one thing certified, whoever shows it."""
    for candidate, certificate in shown.certificates:
        if candidate in known:
            continue
        try:
            question.verify(candidate, certificate, identities)
        except ProofRejected as error:
            party.accuse(Shown, sender, str(error), step="4")
            return
        known[candidate] = certificate
