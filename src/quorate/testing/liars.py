"""Voters that lie in the agreement of `quorate.sharing.agreement`, each in a way of its own.

A liar is a subclass that says something else than the honest class; a seat is given it with `by_hand`. They
conspire: all of them push the same two sets of dealers, the first that may be proposed and the last, the
one to half of the voters and the other to the rest. What they say is signed with their own keys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from quorate.session import Message, PartyId
from quorate.sharing.agreement import (
    MAX_VIEWS,
    Agreement,
    Certificate,
    Change,
    Decided,
    Echo,
    Proposal,
    Ready,
    Vote,
)
from quorate.sharing.agreement.messages import to_change, to_echo, to_ready
from quorate.testing.cheats import whisper
from quorate.testing.identities import unsafe_identity


class Liar(Agreement):
    """What all of them have: the two sets, who is told which, and the habit of ignoring promises."""

    @property
    def first(self) -> tuple[PartyId, ...]:
        return tuple(sorted(self.terms.dealers)[: self.terms.needed])

    @property
    def last(self) -> tuple[PartyId, ...]:
        return tuple(sorted(self.terms.dealers)[-self.terms.needed :])

    def sides(self) -> tuple[list[PartyId], list[PartyId]]:
        """Every other voter, and the rest."""
        return list(self._party.others[::2]), list(self._party.others[1::2])

    def knows(self, dealers: Sequence[PartyId]) -> bool:
        """Whether a set can be proposed with proofs."""
        return set(dealers) <= set(self._proofs)

    def sign_echo(self, view: int, dealers: tuple[PartyId, ...]) -> Echo:
        return Echo(dealers, self._party.sign(to_echo(self.terms.bound, view, dealers)))

    def sign_ready(self, view: int, dealers: tuple[PartyId, ...]) -> Ready:
        return Ready(dealers, self._party.sign(to_ready(self.terms.bound, view, dealers)))

    def whisper(self, view: int, message: Message, only: Sequence[PartyId]) -> None:
        whisper(self._seat(view), message, only)


class Silent(Liar):
    """Says nothing at all in any view."""

    def _say(self, view: int, message: Message) -> None:
        pass


class SilentLeader(Liar):
    """Never proposes."""

    def _lead(self) -> None:
        pass


class TwoFaced(Liar):
    """Proposes, echoes and readies one set to half of the voters and another to the rest.

    As a leader it waits until it can prove both.
    """

    def _lead(self) -> None:
        if self.knows(self.first) and self.knows(self.last):
            super()._lead()

    def _say(self, view: int, message: Message) -> None:
        left, right = self.sides()
        if isinstance(message, Proposal) and message.certificate is None:
            for dealers, side in ((self.first, left), (self.last, right)):
                proofs = tuple(self._proofs[dealer] for dealer in dealers)
                self.whisper(view, Proposal(dealers, proofs, None, message.votes), side)
        elif isinstance(message, Echo):
            self.whisper(view, self.sign_echo(view, self.first), left)
            self.whisper(view, self.sign_echo(view, self.last), right)
        elif isinstance(message, Ready):
            self.whisper(view, self.sign_ready(view, self.first), left)
            self.whisper(view, self.sign_ready(view, self.last), right)
        else:
            super()._say(view, message)


class Eager(TwoFaced):
    """Two-faced, and does not wait for reasons: echoes and readies in every view it hears of."""

    def receive(self, sender: PartyId, message: Message, path: str) -> None:
        view = self._view_of(path)
        if view is not None and view not in self._echoed:
            self._echoed.add(view)
            self._say(view, self.sign_echo(view, self.first))
        if view is not None and view not in self._readied and isinstance(message, Echo | Ready):
            self._readied.add(view)
            self._say(view, self.sign_ready(view, self.first))
        super().receive(sender, message, path)


class Storm(Liar):
    """Votes for every view there is as soon as it can show a reason, and speaks below what it voted for."""

    def _lead(self) -> None:
        for view in range(1, MAX_VIEWS):
            self._vote(view)
        super()._lead()

    def _may_speak(self, view: int) -> bool:
        return True


class Selective(Liar):
    """Says what is true, and each thing to some only; votes for later views whenever it hears of a vote."""

    def _say(self, view: int, message: Message) -> None:
        drawn = self._party.rng(1)[0]
        some = [other for place, other in enumerate(self._party.others) if drawn >> place % 8 & 1]
        self.whisper(view, message, some)

    def receive(self, sender: PartyId, message: Message, path: str) -> None:
        super().receive(sender, message, path)
        if isinstance(message, Change):
            for view in range(self.view, min(self.view + 3, MAX_VIEWS)):
                self._vote(view)


class Forgetful(Liar):
    """Says in its votes that it is locked on nothing, proposes as if nobody were, and breaks its promises."""

    def _vote(self, view: int) -> None:
        lock, self._lock = self._lock, None
        super()._vote(view)
        self._lock = lock

    def _propose(self, view: int, votes: tuple[Vote, ...]) -> None:
        free = tuple(vote for vote in votes if not vote.locked)
        dealers = self.last if self.knows(self.last) else self.first
        if self.knows(dealers):
            proofs = tuple(self._proofs[dealer] for dealer in dealers)
            self._say(view, Proposal(dealers, proofs, None, free))

    def _may_speak(self, view: int) -> bool:
        return True


class Forger(Liar):
    """Sends what no honest voter can take for true: one forgery after the other, one in each slot."""

    def _say(self, view: int, message: Message) -> None:
        ways = FORGERIES[type(message)]
        way = ways[(view + self._party.rng(1)[0]) % len(ways)]
        super()._say(view, way(self, view, message))

    def _decide(self, certificate: Certificate) -> None:
        for other in self._party.others if self.decided is None else ():
            self._party.send(other, Decided(few_signers(self, certificate)))
        self.decided, self.certificate = certificate.dealers, certificate


def repeated(liar: Liar, dealers: tuple[PartyId, ...]) -> tuple[PartyId, ...]:
    """One dealer as often as dealers are needed: its own key, if anybody believed it."""
    return (liar.terms.dealers[0],) * liar.terms.needed


def few_signers(liar: Liar, certificate: Certificate) -> Certificate:
    """One signature under every name."""
    signature = certificate.signatures[0][1]
    everybody = tuple((name, signature) for name in sorted(liar.terms.nodes))
    return msgspec.structs.replace(certificate, signatures=everybody)


def same_signer(liar: Liar, certificate: Certificate) -> Certificate:
    """One signer, again and again."""
    return msgspec.structs.replace(certificate, signatures=certificate.signatures[:1] * len(liar.terms.nodes))


def _own(liar: Liar, view: int, *, ready: bool) -> Certificate:
    """A certificate by oneself alone."""
    made = (liar.sign_ready if ready else liar.sign_echo)(view, liar.first)
    return Certificate(view, liar.first, ready, ((liar._me, made.signature),))


def _fewer(liar: Liar, view: int, message: Proposal) -> Message:
    return msgspec.structs.replace(message, dealers=message.dealers[:-1], proofs=message.proofs[:-1])


def _one_dealer(liar: Liar, view: int, message: Proposal) -> Message:
    dealers = repeated(liar, message.dealers)
    return msgspec.structs.replace(message, dealers=dealers, proofs=message.proofs[:1] * len(dealers))


def _stranger(liar: Liar, view: int, message: Proposal) -> Message:
    return msgspec.structs.replace(message, dealers=(*message.dealers[:-1], "zz"))


def _swapped_proofs(liar: Liar, view: int, message: Proposal) -> Message:
    if len(message.proofs) < 2:
        return _fewer(liar, view, message)
    return msgspec.structs.replace(message, proofs=message.proofs[::-1])


def _certified_by_oneself(liar: Liar, view: int, message: Proposal) -> Message:
    forged = few_signers(liar, _own(liar, max(view - 1, 0), ready=False))
    return Proposal(forged.dealers, (), forged, message.votes)


def _certified_often(liar: Liar, view: int, message: Proposal) -> Message:
    forged = same_signer(liar, _own(liar, max(view - 1, 0), ready=True))
    return Proposal(forged.dealers, (), forged, message.votes)


def _votes_by_one(liar: Liar, view: int, message: Proposal) -> Message:
    signature = unsafe_identity(liar._me).sign(to_change(liar.terms.bound, view, 0, ()))
    votes = tuple(Vote(name, 0, (), signature) for name in sorted(liar.terms.nodes))
    return msgspec.structs.replace(message, votes=votes)


def _one_vote_often(liar: Liar, view: int, message: Proposal) -> Message:
    signature = unsafe_identity(liar._me).sign(to_change(liar.terms.bound, view, 0, ()))
    vote = Vote(liar._me, 0, (), signature)
    return msgspec.structs.replace(message, votes=(vote,) * liar.terms.quorums.ready)


def _duplicate_dealers(liar: Liar, view: int, message: Message) -> Message:
    dealers = repeated(liar, liar.first)
    make = liar.sign_echo if isinstance(message, Echo) else liar.sign_ready
    return make(view, dealers)


def _another_view(liar: Liar, view: int, message: Message) -> Message:
    make = liar.sign_echo if isinstance(message, Echo) else liar.sign_ready
    return make(view + 1, liar.first)


def _another_kind(liar: Liar, view: int, message: Message) -> Message:
    if isinstance(message, Echo):
        return Echo(liar.first, liar.sign_ready(view, liar.first).signature)
    return Ready(liar.first, liar.sign_echo(view, liar.first).signature)


def _lock_by_oneself(liar: Liar, view: int, message: Message) -> Message:
    lock = few_signers(liar, _own(liar, view - 1, ready=True))
    signature = unsafe_identity(liar._me).sign(to_change(liar.terms.bound, view, view, lock.dealers))
    return Change(lock, (), (), signature)


def _unproved(liar: Liar, view: int, message: Message) -> Message:
    signature = unsafe_identity(liar._me).sign(to_change(liar.terms.bound, view, 0, ()))
    return Change(None, liar.first, (), signature)


def _nothing_attached(liar: Liar, view: int, message: Message) -> Message:
    signature = unsafe_identity(liar._me).sign(to_change(liar.terms.bound, view, 0, ()))
    return Change(None, (), (), signature)


def _other_lock_signed(liar: Liar, view: int, message: Change) -> Message:
    signature = unsafe_identity(liar._me).sign(to_change(liar.terms.bound, view, view, liar.last))
    return msgspec.structs.replace(message, signature=signature)


FORGERIES: Final[dict[type[Message], tuple[Callable[..., Message], ...]]] = {
    Proposal: (
        _fewer,
        _one_dealer,
        _stranger,
        _swapped_proofs,
        _certified_by_oneself,
        _certified_often,
        _votes_by_one,
        _one_vote_often,
    ),
    Echo: (_duplicate_dealers, _another_view, _another_kind),
    Ready: (_duplicate_dealers, _another_view, _another_kind),
    Change: (_lock_by_oneself, _unproved, _nothing_attached, _other_lock_signed),
}
"""Each is provable: whoever gets one notes its sender, with the message."""

LIARS: Final[tuple[type[Agreement], ...]] = (
    Silent,
    SilentLeader,
    TwoFaced,
    Eager,
    Storm,
    Selective,
    Forgetful,
    Forger,
)
