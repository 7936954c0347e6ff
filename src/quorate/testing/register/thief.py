"""Who attacks a simulated register: a thief that is an authorised factor, and the members that lie for it.

It sees every question and every signature, equivocates, pushes others' entries, prepares for ever, hoards
certificates and shows them late, replays, picks the states that suit it, forges certificates with fewer or
repeated members and with the liars' signatures, writes after it was removed, and stops halfway. Its liars
sign anything, show old heads, hide what they hold, or say nothing.
"""

from __future__ import annotations

from typing import Final

from quorate.account.register import Committee, Entry, Login, View
from quorate.account.register.certificates import (
    Certificate,
    Proof,
    State,
    Subject,
    Votes,
    installed_statement,
    prepare_statement,
)
from quorate.account.register.entries import NOTHING, next_slot, slot_at
from quorate.account.register.handlers import Context, refuse
from quorate.account.register.messages import (
    Commit,
    Decided,
    Denied,
    Head,
    Headed,
    Installed,
    Lock,
    Prepare,
    Question,
    Refusal,
    Reply,
    Stated,
    VersionConflict,
    Voted,
)
from quorate.testing.identities import unsafe_identity
from quorate.testing.register.factors import ACCOUNT, NETWORK, RULES, START, Factors, key_of, make_entry
from quorate.testing.register.nodes import Node
from quorate.testing.register.world import Witness, World

THIEF: Final = "thief"
OUTSIDER: Final = "outsider"
MAX_ACTIONS: Final = 80
"""In one run: about two in each second of the unquiet time; afterwards only its own slots are left to it."""

_SUBJECT: Final = Subject(NETWORK, ACCOUNT)
_Key = tuple[int, View, bytes]


class Thief(Witness):
    """All attackers of one run, who share what they know."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = world.dice
        self._locks: dict[_Key, dict[int, bytes]] = {}
        self._commits: dict[_Key, dict[int, bytes]] = {}
        self._states: dict[tuple[int, View], dict[int, Stated]] = {}
        self._certificates: list[Certificate] = []
        self._heads: list[tuple[Entry, Proof]] = []
        self._questions: list[Question] = []
        self._version = 0
        self._left = MAX_ACTIONS
        self._slot = 0

    # --- what it sees ----------------------------------------------------------------------------------

    def see_question(self, question: Question) -> None:
        """Everything on the wire."""
        world = self._world
        match question:
            case Lock(entry=entry) | Decided(entry=entry):
                world.entries.setdefault(entry.hash, entry)
                self._version = max(self._version, entry.version)
        if isinstance(question, Decided):
            self._heads.append((question.entry, question.proof))
        if isinstance(question, Commit) and question.certificate not in self._certificates:
            self._certificates.append(question.certificate)
        if not isinstance(question, Head) and len(self._questions) < 200:
            self._questions.append(question)

    def see_reply(self, question: Question, reply: Reply) -> None:
        """Every signature."""
        match question, reply:
            case Lock(), Voted():
                at = (question.entry.version, question.view, question.entry.hash)
                self._collect(Certificate, self._locks, at, reply)
            case Commit(), Voted():
                held = question.certificate
                at = (held.version, held.view, held.hash)
                self._collect(Proof, self._commits, at, reply)
            case Prepare(), Stated():
                states = self._states.setdefault((question.version, question.view), {})
                states[reply.state.member] = reply
            case _, Refusal(reason=VersionConflict(entry=entry, proof=proof)):
                self._heads.append((entry, proof))

    def _collect(self, kind: type[Votes], votes: dict[_Key, dict[int, bytes]], at: _Key, vote: Voted) -> None:
        version, view, wanted = at
        committee = self._world.committees[view.epoch]
        signed = votes.setdefault(at, {})
        signed[vote.member] = vote.signature
        # What the liars can add, they add.
        statement = _SUBJECT.voted(kind.kind, version, view, wanted)
        for member in self._liars(committee):
            signed[member] = unsafe_identity(committee.names[member]).sign(statement)
        if len(signed) < committee.echo:
            return
        found = kind(version, view, wanted, tuple(sorted(signed.items())))
        if isinstance(found, Certificate):
            self._certificates.append(found)
        elif isinstance(found, Proof) and wanted in self._world.entries:
            self._heads.append((self._world.entries[wanted], found))

    def _liars(self, committee: Committee) -> list[int]:
        nodes = self._world.nodes
        return [index for index, name in enumerate(committee.names) if nodes[name].liar]

    # --- what it does ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin; once there is an account to steal."""
        self._again()

    def _again(self) -> None:
        world = self._world
        if self._left > 0 and not world.calm:
            self._left -= 1
            acts = (
                self._equivocate,
                self._push,
                self._show_certificate,
                self._show_head,
                self._replay,
                self._forge_certificate,
                self._forge_head,
                self._justify,
                self._intrude,
            )
            self._dice.choose(acts)()
        self._prepare()
        world.later((1 + self._dice.below(1500)) / 1000, self._again)

    def _committee(self) -> Committee:
        return self._world.committees[max(self._world.committees)]

    def _some(self, question: Question, sender: str = THIEF, chance: float = 0.6) -> None:
        """To some members of some committee, mostly the newest."""
        committees = self._world.committees
        which = self._dice.choose(sorted(committees)) if self._dice.happens(0.2) else max(committees)
        login = Login(ACCOUNT, key_of(sender))
        for name in committees[which].names:
            if self._dice.happens(chance):
                self._world.ask(sender, name, question, login, _ignore)

    def _head(self) -> Entry | None:
        return max((entry for entry, _ in self._heads), key=lambda entry: entry.version, default=None)

    def _own_entry(self, author: str = THIEF) -> Entry | None:
        head = self._head()
        if head is None:
            return None
        record = RULES.record(head)
        keys = (*record.keys, key_of(OUTSIDER)) if self._dice.below(2) else record.keys
        keys = tuple(dict.fromkeys(keys))
        note = b"%d" % self._dice.below(1 << 16)
        made = make_entry(author, head, Factors(keys, int(START) + 10_000, note), self._operation())
        self._world.entries[made.hash] = made
        return made

    def _operation(self) -> bytes:
        return self._dice.below(1 << 30).to_bytes(16, "big")

    def _equivocate(self) -> None:
        for _ in range(2):
            entry = self._own_entry()
            if entry is not None:
                self._some(Lock(View(self._committee().epoch), entry), chance=0.5)

    def _push(self) -> None:
        """Others' entries, also of versions past, where and when it suits."""
        if not self._world.entries:
            return
        entry = self._world.entries[self._dice.choose(sorted(self._world.entries))]
        self._some(Lock(View(self._committee().epoch), entry))

    def _show_certificate(self) -> None:
        if self._certificates:
            certificate = self._dice.choose(self._certificates)
            entry = self._world.entries.get(certificate.hash)
            self._some(Commit(ACCOUNT, certificate, entry), chance=0.5)

    def _show_head(self) -> None:
        if self._heads:
            self._some(Decided(*self._dice.choose(self._heads)), chance=0.3)

    def _replay(self) -> None:
        if self._questions:
            self._some(self._dice.choose(self._questions), chance=0.5)

    def _forge_certificate(self) -> None:
        """Too few members, repeated ones, or a view of its own making."""
        if not self._locks:
            return
        version, view, wanted = self._dice.choose(sorted(self._locks))
        signed = sorted(self._locks[version, view, wanted].items())
        kind = self._dice.below(3)
        if kind == 0:
            signed = signed[: self._committee().echo - 1]
        elif kind == 1:
            signed = (signed * self._committee().echo)[: self._committee().echo]
        else:
            view = View(view.epoch, view.slot + 1)
        forged = Certificate(version, view, wanted, tuple(signed[:32]))
        self._some(Commit(ACCOUNT, forged, self._world.entries.get(wanted)))

    def _forge_head(self) -> None:
        if not self._commits:
            return
        version, view, wanted = self._dice.choose(sorted(self._commits))
        signed = sorted(self._commits[version, view, wanted].items())
        echo = self._committee().echo
        signed = signed[: echo - 1] if self._dice.below(2) else (signed * echo)[:echo]
        if wanted in self._world.entries:
            self._some(Decided(self._world.entries[wanted], Proof(version, view, wanted, tuple(signed))))

    def _intrude(self) -> None:
        """An outsider's entry, and what the thief writes on an old head or after its removal."""
        author = OUTSIDER if self._dice.below(2) else THIEF
        head = self._dice.choose(self._heads)[0] if self._heads else None
        record = Factors((key_of(author),), int(START) + 10_000)
        entry = make_entry(author, head, record, self._operation())
        self._world.entries[entry.hash] = entry
        self._some(Lock(View(self._committee().epoch), entry), sender=author)

    def _prepare(self) -> None:
        """In every slot of its own, for ever: PREPARE to some; the states come by `see_reply`."""
        head = self._head()
        if head is None or key_of(THIEF) not in RULES.signers(head):
            return
        slot = next_slot(slot_at(self._world.now) - 1, key_of(THIEF), RULES.signers(head))
        if slot is None or slot == self._slot or slot != slot_at(self._world.now):
            return
        self._slot = slot
        committee = self._committee()
        view, version = View(committee.epoch, slot), head.version + 1
        signature = unsafe_identity(THIEF).sign(prepare_statement(_SUBJECT, version, view))
        self._some(Prepare(ACCOUNT, version, view, key_of(THIEF), signature), chance=0.9)
        self._world.later(0.6, self._justify)

    def _justify(self) -> None:
        """LOCK in a slot, with the states that suit: those that show least, and the liars' empty ones."""
        if not self._states:
            return
        version, view = max(self._states)
        committee = self._world.committees[view.epoch]
        states = {member: stated.state for member, stated in self._states[version, view].items()}
        for member in self._liars(committee):
            states[member] = self._lying_state(committee, member, version, view)
        order = sorted(states, key=lambda member: _shown(states[member]))
        chosen = sorted(order[: committee.echo - (self._dice.below(8) == 0)])
        just = tuple(states[member] for member in chosen)
        shown = [state.certificate for state in just if state.certificate is not None]
        highest = max(shown, key=lambda certificate: certificate.view, default=None)
        entry = None if highest is None else self._world.entries.get(highest.hash)
        if entry is None or self._dice.below(3) == 0:
            entry = self._own_entry()
        if entry is not None:
            self._some(Lock(view, entry, just), chance=0.8)

    def _lying_state(self, committee: Committee, member: int, version: int, view: View) -> State:
        certificate = None
        if self._dice.below(4) == 0 and self._world.entries:
            wanted = self._dice.choose(sorted(self._world.entries))
            lie = _SUBJECT.voted(Certificate.kind, version, View(view.epoch), wanted)
            forged = tuple(
                (liar, unsafe_identity(committee.names[liar]).sign(lie)) for liar in self._liars(committee)
            )
            certificate = Certificate(version, View(view.epoch), wanted, forged)
        statement = State.statement(_SUBJECT, version, view, certificate)
        return State(member, certificate, unsafe_identity(committee.names[member]).sign(statement))

    # --- what its members say ----------------------------------------------------------------------------

    def lie(self, node: Node, question: Question, context: Context) -> Reply | None:
        """An answer of a liar: any signature that is asked for, an old head, a refusal, or nothing."""
        kind = self._dice.below(8)
        if kind == 0:
            return None
        if kind == 1:
            return refuse(question, Denied("whim", "no"), context)
        if kind == 2 and self._heads:
            return refuse(question, VersionConflict(*self._dice.choose(self._heads)), context)
        member = context.member
        match question:
            case Lock(entry=entry, view=view):
                statement = _SUBJECT.voted(Certificate.kind, entry.version, view, entry.hash)
                return Voted(member, context.sign(statement))
            case Commit(certificate=held):
                statement = _SUBJECT.voted(Proof.kind, held.version, held.view, held.hash)
                return Voted(member, context.sign(statement))
            case Prepare(version=version, view=view):
                return Stated(self._lying_state(context.committee, member, version, view), None)
            case Decided(entry=entry):
                return Installed(
                    member, context.sign(installed_statement(_SUBJECT, entry.version, entry.hash))
                )
            case Head():
                return self._old_head(question, context)
        return None

    def _old_head(self, question: Head, context: Context) -> Headed:
        entry, proof = self._dice.choose(self._heads) if self._heads else (None, None)
        version, hashed = (0, NOTHING) if entry is None else (entry.version, entry.hash)
        epoch = context.committee.epoch
        statement = Headed.statement(_SUBJECT, question.nonce, epoch, version, hashed, None)
        signature = context.sign(statement)
        return Headed(
            context.member, question.nonce, epoch, version, hashed, entry, proof, None, None, None, signature
        )


def _shown(state: State) -> View:
    return View(0) if state.certificate is None else state.certificate.view


def _ignore(reply: Reply) -> None:
    """The thief has seen it already."""


__all__ = ["OUTSIDER", "THIEF", "Thief"]
