"""One node's side of the agreement: who leads, what it is locked on, what is decided.

Synchronous: the protocol that owns it hands in completed dealings (`completed`), messages (`receive`) and
the passing of time (`tick`), and looks at `decided`. Our own messages do not come back to us; what we say we
also hear, by a direct call. Steps carry the numbers of docs/protocols/dkg.md.

Safety rests on four rules, each with a mutant that a test kills: one echo and one ready a view; no echo and
no ready in a view below one that was voted for, so that among any R votes there is the lock of somebody
who readied; a lock gives way only to a newer certificate; certificates count distinct voters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from quorate.errors import ProofRejected
from quorate.session import Exhibit, Message, Party, PartyId, Path
from quorate.sharing.agreement.checks import Terms, Verify, check, locked_by
from quorate.sharing.agreement.claims import Claim, claims_of, contradict
from quorate.sharing.agreement.messages import (
    FORK,
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

FIRST_DELAY: Final = 2
"""Ticks that the first leader is given: two, because the next tick may come at once."""

MAX_DELAY: Final = 64
"""Ticks that any leader is given at most: delays double, and after a long outage nobody waits for ever."""


@dataclass(frozen=True, slots=True)
class _Said:
    """A signature and the message in which it came: of this kind, in this view, from this sender."""

    claim: Claim
    view: int
    message: type[Message]
    sender: PartyId


def delay_of(view: int) -> int:
    """Ticks that the leader of a view is given."""
    return min(FIRST_DELAY << min(view, MAX_VIEWS), MAX_DELAY)


class Agreement:
    """See the module. A party that is none of `nodes` only listens, and decides with them.

    `subject` names the run in every signature; `needed` dealers at least make a decision. `verify` raises
    `ProofRejected` for a certificate that does not show a dealer's sharing to complete everywhere.
    """

    def __init__(
        self,
        party: Party,
        quorums: Quorums,
        nodes: Sequence[PartyId],
        dealers: Sequence[PartyId],
        needed: int,
        verify: Verify,
        subject: bytes,
    ) -> None:
        self._verify = verify
        self._verified: set[tuple[PartyId, ReadyCertificate]] = set()
        identities = {name: party.identity_of(name) for name in nodes}
        self.terms = Terms(
            subject, quorums, tuple(nodes), tuple(dealers), needed, identities, self._verify_once
        )
        self.view = 0
        self.decided: tuple[PartyId, ...] | None = None
        self.certificate: Certificate | None = None
        """What decided."""
        self._votes_here = party.me in nodes
        self._me = party.me
        self._party = party.fork(FORK)
        self._seats: dict[int, Party] = {}
        self._proofs: dict[PartyId, ReadyCertificate] = {}
        self._lock: Certificate | None = None
        self._timer: int | None = None
        self._promised = 0
        """The latest view voted for: nothing is echoed or readied below it."""
        self._proposed: set[int] = set()
        self._echoed: set[int] = set()
        self._readied: set[int] = set()
        self._voted: set[int] = set()
        self._told: set[tuple[int, PartyId]] = set()
        self._echoes: dict[int, dict[PartyId, Echo]] = {}
        self._readies: dict[int, dict[PartyId, Ready]] = {}
        self._changes: dict[int, dict[PartyId, Vote]] = {}
        self._heard: dict[PartyId, dict[tuple[str, int], _Said]] = {}

    # --- what its owner calls ------------------------------------------------------------------------

    @property
    def proofs(self) -> Mapping[PartyId, ReadyCertificate]:
        """The certificates known here, own or learned from others, verified."""
        return self._proofs

    def completed(self, dealer: PartyId, certificate: ReadyCertificate) -> None:
        """Step 1 and 2: a sharing has completed here; with enough of them the leader proposes."""
        self._know(dealer, certificate)

    def receive(self, sender: PartyId, message: Message, path: Path) -> None:
        """Take in one of `MESSAGES`, which came on `path`. What is false is noted, and changes nothing."""
        at_root = path == self._party.path
        view = 0 if at_root else self._view_of(path)
        if view is None:
            return
        if self.decided is not None:
            if isinstance(message, Change):
                self._tell(sender, view)
            return
        if isinstance(message, Proposal) and view < self.view:
            return
        try:
            check(self.terms, view, sender, message)
        except ProofRejected as error:
            seat = self._party if at_root else self._seat(view)
            seat.accuse(type(message), sender, str(error))
            return
        self._compare(view, sender, message)
        if isinstance(message, Decided):
            self._decide(message.certificate)
        elif isinstance(message, Proposal):
            self._on_proposal(view, message)
        elif isinstance(message, Echo):
            self._on_echo(view, sender, message)
        elif isinstance(message, Ready):
            self._on_ready(view, sender, message)
        elif isinstance(message, Change):
            self._on_change(view, sender, message)

    def tick(self) -> None:
        """Step 7: time passes; when the leader's is over, vote for the next."""
        if self.decided is not None or self._timer is None:
            return
        self._timer -= 1
        if self._timer <= 0:
            self._timer = None
            self._vote(self.view + 1)

    # --- step 2 and 9: proposing ---------------------------------------------------------------------

    def _know(self, dealer: PartyId, certificate: ReadyCertificate) -> None:
        self._proofs.setdefault(dealer, certificate)
        if self.decided is not None or not self._votes_here or len(self._proofs) < self.terms.needed:
            return
        if self._timer is None and self.view + 1 not in self._voted:
            self._timer = delay_of(self.view)
        self._lead()

    def _lead(self) -> None:
        """Propose, if this view is ours: what is certified, else the first dealings that completed."""
        view, votes = self.view, self._changes.get(self.view, {})
        if self.terms.leader(view) != self._me or view in self._proposed or self.decided is not None:
            return
        if view > 0 and len(votes) < self.terms.quorums.ready:
            return
        if not self._has_reasons() or (self._lock is not None and self._lock.view >= view):
            return
        self._proposed.add(view)
        shown = tuple(votes[name] for name in sorted(votes)) if view > 0 else ()
        self._propose(view, shown)

    def _propose(self, view: int, votes: tuple[Vote, ...]) -> None:
        if self._lock is not None:
            proposal = Proposal(self._lock.dealers, (), self._lock, votes)
        else:
            proposal = Proposal(*self._fresh(), None, votes)
        self._say(view, proposal)
        self._on_proposal(view, proposal)

    def _has_reasons(self) -> bool:
        """Whether we can show others why something may be proposed."""
        return self._lock is not None or len(self._proofs) >= self.terms.needed

    def _learn(self, dealers: Sequence[PartyId], proofs: Sequence[ReadyCertificate]) -> None:
        if proofs:
            for dealer, proof in zip(dealers, proofs, strict=True):
                self._know(dealer, proof)

    def _fresh(self) -> tuple[tuple[PartyId, ...], tuple[ReadyCertificate, ...]]:
        dealers = tuple(sorted(list(self._proofs)[: self.terms.needed]))
        return dealers, tuple(self._proofs[dealer] for dealer in dealers)

    # --- step 3 to 6: one view -----------------------------------------------------------------------

    def _on_proposal(self, view: int, proposal: Proposal) -> None:
        """Step 3: echo a proposal, unless we are locked on other dealers by something newer."""
        self._learn(proposal.dealers, proposal.proofs)
        if proposal.certificate is not None:
            self._adopt(proposal.certificate)
        if view > self.view:
            self._move(view)
        if self._lock is not None and self._lock.dealers != proposal.dealers:
            return
        if not self._may_speak(view) or view in self._echoed:
            return
        self._echoed.add(view)
        signature = self._party.sign(to_echo(self.terms.bound, view, proposal.dealers))
        echo = Echo(proposal.dealers, signature)
        self._say(view, echo)
        self._on_echo(view, self._me, echo)

    def _on_echo(self, view: int, sender: PartyId, echo: Echo) -> None:
        """Step 4: E echoes lock."""
        self._echoes.setdefault(view, {}).setdefault(sender, echo)
        if _count(self._echoes[view], echo.dealers) >= self.terms.quorums.echo:
            self._lock_and_ready(view, echo.dealers, ready=False)

    def _on_ready(self, view: int, sender: PartyId, ready: Ready) -> None:
        """Step 5: t+1 readies lock as well. Step 6: R of them decide, in whatever view."""
        self._readies.setdefault(view, {}).setdefault(sender, ready)
        count = _count(self._readies[view], ready.dealers)
        if count >= self.terms.quorums.ready:
            self._decide(self._certificate(view, ready.dealers, ready=True))
        elif count >= self.terms.quorums.liars + 1:
            self._lock_and_ready(view, ready.dealers, ready=True)

    def _lock_and_ready(self, view: int, dealers: tuple[PartyId, ...], *, ready: bool) -> None:
        if not self._may_speak(view) or view in self._readied or self.decided is not None:
            return
        self._readied.add(view)
        self._adopt(self._certificate(view, dealers, ready=ready))
        signature = self._party.sign(to_ready(self.terms.bound, view, dealers))
        mine = Ready(dealers, signature)
        self._say(view, mine)
        self._on_ready(view, self._me, mine)

    def _may_speak(self, view: int) -> bool:
        """Not in a view that is past, nor below one we have voted for: our vote has told our lock."""
        return self._votes_here and view >= max(self.view, self._promised)

    def _certificate(self, view: int, dealers: tuple[PartyId, ...], *, ready: bool) -> Certificate:
        heard: Mapping[PartyId, Echo] | Mapping[PartyId, Ready]
        heard = self._readies[view] if ready else self._echoes[view]
        names = sorted(name for name, message in heard.items() if message.dealers == dealers)
        return Certificate(view, dealers, ready, tuple((name, heard[name].signature) for name in names))

    def _adopt(self, certificate: Certificate) -> None:
        """A lock gives way to a newer one only. One of a later view shows that the view was made."""
        if self._lock is None or certificate.view > self._lock.view:
            self._lock = certificate
        if certificate.view > self.view:
            self._move(certificate.view)

    # --- step 7 to 9: the next leader ----------------------------------------------------------------

    def _vote(self, view: int) -> None:
        if not self._votes_here or view in self._voted or view >= MAX_VIEWS or self.decided is not None:
            return
        if not self._has_reasons():
            return
        self._voted.add(view)
        self._promised = max(self._promised, view)
        dealers, proofs = ((), ()) if self._lock is not None else self._fresh()
        signature = self._party.sign(to_change(self.terms.bound, view, *locked_by(self._lock)))
        change = Change(self._lock, dealers, proofs, signature)
        self._say(view, change)
        self._on_change(view, self._me, change)

    def _on_change(self, view: int, sender: PartyId, change: Change) -> None:
        """Step 8: learn what it carries, join when somebody honest asks. Step 9: R votes make the view."""
        self._learn(change.dealers, change.proofs)
        if change.lock is not None:
            self._adopt(change.lock)
        vote = Vote(sender, *locked_by(change.lock), change.signature)
        self._changes.setdefault(view, {}).setdefault(sender, vote)
        if len(self._changes[view]) >= self.terms.quorums.ready and view >= self.view:
            if view > self.view:
                self._move(view)
            self._lead()
        self._join()

    def _join(self) -> None:
        """Step 8: vote for every later view asked for, up to the latest that somebody honest wants to be in.

        Not for the earliest alone: it may lack a vote for ever, because others have passed it by.
        """
        wanting: set[PartyId] = set()
        for latest in sorted(self._changes, reverse=True):
            wanting |= set(self._changes[latest])
            if len(wanting) >= self.terms.move:
                for asked in sorted(self._changes):
                    if self.view < asked <= latest:
                        self._vote(asked)
                return

    def _move(self, view: int) -> None:
        """Enter a view, and vote for it if that was not needed: others may need the vote to follow."""
        self.view = view
        self._timer = delay_of(view)
        if self._lock is None or self._lock.view < view:
            self._vote(view)

    # --- step 6 and 10: the end ----------------------------------------------------------------------

    def _decide(self, certificate: Certificate) -> None:
        if self.decided is not None:
            return
        self.decided, self.certificate, self._timer = certificate.dealers, certificate, None
        for other in self._party.others:
            self._party.send(other, Decided(certificate))

    def _tell(self, voter: PartyId, view: int) -> None:
        """Whoever still asks for a leader has not heard; we no longer vote, so it may need to be told."""
        if self.certificate is not None and (view, voter) not in self._told:
            self._told.add((view, voter))
            self._seat(view).send(voter, Decided(self.certificate))

    def _compare(self, view: int, sender: PartyId, message: Message) -> None:
        """Accuse whose signatures contradict each other; a certificate may bring what we were not told."""
        for claim in claims_of(view, sender, message):
            heard = self._heard.setdefault(claim.voter, {})
            said = _Said(claim, view, type(message), sender)
            for earlier in heard.values():
                if reason := contradict(earlier.claim, claim):
                    self._accuse(claim.voter, reason, (said, earlier))
            heard.setdefault((claim.kind, claim.view), said)

    def _accuse(self, voter: PartyId, reason: str, shown: tuple[_Said, _Said]) -> None:
        """With a message of the voter's own, without which nobody is convicted, and the other beside it."""
        for own, other in (shown, shown[::-1]):
            envelope = self._seat(other.view).envelopes(other.message).get(other.sender)
            if own.sender == voter and own.message is not Decided and envelope is not None:
                self._seat(own.view).accuse(own.message, voter, reason, beside=[Exhibit(envelope, b"")])
                return

    # --- small things --------------------------------------------------------------------------------

    def _verify_once(self, dealer: PartyId, certificate: ReadyCertificate) -> None:
        if (dealer, certificate) not in self._verified:
            self._verify(dealer, certificate)
            self._verified.add((dealer, certificate))

    def _say(self, view: int, message: Message) -> None:
        self._seat(view).broadcast(message)

    def _seat(self, view: int) -> Party:
        if view not in self._seats:
            self._seats[view] = self._party.fork(str(view))
        return self._seats[view]

    def _view_of(self, path: Path) -> int | None:
        label = path.removeprefix(f"{self._party.path}/")
        # the rules admit party names here as well, and a party may be called by a number
        view = int(label) if label.isascii() and label.isdigit() else MAX_VIEWS
        return view if view < MAX_VIEWS and str(view) == label else None


def _count(heard: Mapping[PartyId, Echo] | Mapping[PartyId, Ready], dealers: tuple[PartyId, ...]) -> int:
    return sum(message.dealers == dealers for message in heard.values())
