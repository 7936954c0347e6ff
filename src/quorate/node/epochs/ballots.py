"""What the nodes of a committee settle among themselves: vouchers, certificates, the sessions that choose.

docs/protocols/resharing.md, "Choosing". Two questions are asked in each epoch: which record follows
(`succession_question`), and which inventories make the list of keys (`inventory_question`). A node vouches
for each candidate once, ever; it begins the session of a question with the certificates that it knows by
then, which it has written down, since a session that is taken up again must begin with the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from quorate.account.committee import CommitteeRecord
from quorate.encoding import Canonical, decode, encode
from quorate.errors import Malformed, Refused
from quorate.groups import group_named
from quorate.node.committee import Committee
from quorate.node.epochs.means import Means
from quorate.node.epochs.talk import Vouch
from quorate.node.standing.protocol import Seat, StandingProtocol, Write
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import Party, SessionSpec
from quorate.sharing.avss import ReadyCertificate
from quorate.sharing.choosing import CHOOSE, GROUP_NAME, Question, choose
from quorate.sharing.epochs import committee_epoch
from quorate.transport.links import NotNow
from quorate.vault import Vault

MAX_ATTEMPTS: Final = 16
"""Records that one node may put forward for one epoch. More than an operator tries; a bound for a liar."""

_KIND: Final = "ballot"


class _Vouched(Canonical, frozen=True):
    thing: bytes
    signature: bytes


def succession_question(parent: CommitteeRecord) -> Question:
    """Step B: which record follows on this one? One of those that its nodes put forward."""
    candidates = tuple(
        candidate_of(parent, name, attempt) for name in parent.names for attempt in range(MAX_ATTEMPTS)
    )
    subject = digest(Tag.COMMITTEE_QUESTION, b"succession", parent.digest)
    return Question(subject, parent.epoch + 1, parent.names, parent.quorums, candidates, 1)


def inventory_question(old: CommitteeRecord, new: CommitteeRecord) -> Question:
    """Step C: whose inventories make the list? R of those of the old nodes."""
    candidates = tuple(candidate_of(old, name) for name in old.names)
    subject = digest(Tag.COMMITTEE_QUESTION, b"inventories", new.digest)
    return Question(subject, new.epoch, old.names, old.quorums, candidates, old.quorums.ready)


def candidate_of(committee: CommitteeRecord, name: str, attempt: int = 0) -> str:
    """The label of what a node puts forward: its point, and how often it has done so before."""
    return f"{committee.names.index(name) + 1}-{attempt}"


class Ballots(StandingProtocol):
    """The questions of one node's committee. All but the sessions runs in the worker, within transactions."""

    def __init__(self, me: str, vault: Vault, committee: Committee, chosen: Callable[[], None]) -> None:
        self._me = me
        self._vault = vault
        self._committee = committee
        self._chosen = chosen
        self._open: dict[bytes, tuple[Question, CommitteeRecord]] = {}

    def ask(self, question: Question, committee: CommitteeRecord) -> None:
        """From now on this question is known here. Repeatable; after a restart ask again."""
        self._open[question.payload] = (question, committee)

    # --- vouching ------------------------------------------------------------------------------------

    def vouch(self, question: Question, candidate: str, thing: bytes) -> Vouch:
        """Step 1: our word for a candidate, durable. Raises `Refused` if it was given for another thing."""
        scope = f"committee-vouch-{question.subject.hex()}"
        if self._vault.slots.write_once(scope, candidate, thing) != thing:
            raise Refused("this node has vouched for something else of that node's", code="voted")
        signature = self._committee.keys_of(question.epoch - 1).sign(question.to_vouch(candidate, thing))
        vouch = Vouch(question.epoch, question.subject, candidate, thing, signature)
        self.take(question, self._me, vouch)
        return vouch

    def vouched(self, question: Question, candidate: str) -> bytes | None:
        """What we have vouched for."""
        return self._vault.slots.read(f"committee-vouch-{question.subject.hex()}", candidate)

    def take(self, question: Question, sender: str, vouch: Vouch) -> None:
        """A node's word; its first for each candidate counts. Raises `ProofRejected`, `Malformed`."""
        known = self._open.get(question.payload)
        if known is None or vouch.subject != question.subject:
            return  # answered since
        _, committee = known
        if vouch.candidate not in question.candidates or sender not in question.nodes:
            raise Malformed("a voucher for nobody, or of nobody")
        committee.identities[sender].verify(question.to_vouch(vouch.candidate, vouch.thing), vouch.signature)
        name = f"{question.subject.hex()}/vouch/{vouch.candidate}/{sender}"
        self._once(name, encode(_Vouched(vouch.thing, vouch.signature)))

    def certificates(self, question: Question) -> dict[str, ReadyCertificate]:
        """Step 2: the candidates for whom R have vouched alike."""
        begins, by_thing = f"{question.subject.hex()}/vouch/", dict[tuple[str, bytes], dict[str, bytes]]()
        for entry in self._vault.records.list(_KIND):
            if entry.name.startswith(begins):
                candidate, _, sender = entry.name.removeprefix(begins).partition("/")
                found = decode(_Vouched, entry.value)
                by_thing.setdefault((candidate, found.thing), {})[sender] = found.signature
        made = {}
        for (candidate, thing), vouchers in sorted(by_thing.items()):
            certificate = question.certificate(thing, vouchers)
            if certificate is not None:
                made[candidate] = certificate
        return made

    # --- the session ---------------------------------------------------------------------------------

    def begin(self, question: Question) -> bool:
        """Step 3: write down what we know, if that is enough to begin with; whether the session may begin."""
        if self._input(question) is not None:
            return True
        known = self.certificates(question)
        if len(known) < question.needed:
            return False
        self._once(f"{question.subject.hex()}/input", encode(tuple(sorted(known.items()))))
        return True

    async def start(self, means: Means, question: Question, committee: CommitteeRecord) -> None:
        """Begin the session, if enough is known and it has not begun."""
        if await means.background(self._may_begin, question) and await means.worker(self.begin, question):
            spec = question.spec(committee.identities)
            if await means.background(self._vault.standing.state, spec.id) is None:
                await means.standing.start(spec)

    def _may_begin(self, question: Question) -> bool:
        return self._input(question) is not None or len(self.certificates(question)) >= question.needed

    def chosen(self, question: Question) -> dict[str, bytes] | None:
        """Step 4: by candidate, the digests of what was chosen; None while it is not decided here."""
        kept = self._vault.records.get(_KIND, f"{question.subject.hex()}/chosen")
        return None if kept is None else dict(decode(tuple[tuple[str, bytes], ...], kept.value))

    def clear(self) -> None:
        """Part of the switch: what was asked is answered. What was vouched for stays in its slots."""
        self._open.clear()
        for entry in self._vault.records.list(_KIND):
            self._vault.records.delete(_KIND, entry.name, expected=entry.version)

    @property
    def name(self) -> str:
        return CHOOSE.name

    @property
    def lasts(self) -> bool:
        return True

    def consider(self, spec: SessionSpec, proposer: str) -> None:
        question, _ = self._find(spec)
        if not self.begin(question):
            raise NotNow("too little is certified here yet to choose")

    def seat(self, spec: SessionSpec) -> Seat:
        question, committee = self._find(spec)
        known = self._input(question)
        if known is None:
            raise Refused("this choice was never begun here", code="epoch", parties=[self._me])
        certificates: Mapping[str, ReadyCertificate] = known

        async def run(party: Party) -> dict[str, bytes]:
            return await choose(party, question, certificates)

        identity = self._committee.keys_of(committee.epoch)
        return Seat(identity, committee.identities, CHOOSE, group_named(GROUP_NAME), run)

    def keep(self, spec: SessionSpec, value: Any) -> Write:
        question, _ = self._find(spec)
        found: dict[str, bytes] = value

        def write() -> None:
            self._once(f"{question.subject.hex()}/chosen", encode(tuple(sorted(found.items()))))
            with self._vault.transaction() as tx:
                tx.after_commit(self._chosen)

        return write

    # --- inside --------------------------------------------------------------------------------------

    def _find(self, spec: SessionSpec) -> tuple[Question, CommitteeRecord]:
        if committee_epoch(spec.epoch) <= self._committee.epoch:
            raise Refused("that committee epoch has begun", code="epoch", parties=[self._me])
        found = self._open.get(spec.payload)
        if found is None:
            raise NotNow("that question is not asked here yet")
        return found

    def _input(self, question: Question) -> dict[str, ReadyCertificate] | None:
        kept = self._vault.records.get(_KIND, f"{question.subject.hex()}/input")
        return None if kept is None else dict(decode(tuple[tuple[str, ReadyCertificate], ...], kept.value))

    def _once(self, name: str, value: bytes) -> None:
        with self._vault.transaction():
            if self._vault.records.get(_KIND, name) is None:
                self._vault.records.put(_KIND, name, value, expected=0)


__all__ = [
    "MAX_ATTEMPTS",
    "Ballots",
    "candidate_of",
    "inventory_question",
    "succession_question",
]
