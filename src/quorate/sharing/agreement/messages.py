"""What voters say to each other, where it is said, and the 32 bytes under each signature.

Everything of view v travels on the path ``view/v``, so one voter has one slot for each kind of message in
each view; a decided certificate may travel beside them, on ``view``. The signatures inside the messages are
what certificates are made of: unlike an envelope's, they cover only the subject, the view and the dealers,
and so can be handed on by anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from quorate.encoding import Canonical, encode
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import Message, PartyId, Path, Rule
from quorate.session.identity import SIGNATURE_BYTES
from quorate.session.message import MAX_FORKS_BY_NUMBER
from quorate.sharing.avss import ReadyCertificate
from quorate.sharing.expression import MAX_MEMBERS

FORK: Final = "view"
"""The label under which all views live; no dealer's sharing does."""

MAX_VIEWS: Final = MAX_FORKS_BY_NUMBER
"""Views of one run. Once the network is timely, 2(t + f) + 2 of them are enough; with delays that double the
last of these is thousands of ticks away, and a run that has not decided by then is given up for a new one."""

Signature = Annotated[bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
View = Annotated[int, msgspec.Meta(ge=0, lt=MAX_VIEWS)]
Dealers = Annotated[tuple[Name, ...], msgspec.Meta(max_length=MAX_MEMBERS)]
Proofs = Annotated[tuple[ReadyCertificate, ...], msgspec.Meta(max_length=MAX_MEMBERS)]
Signatures = Annotated[tuple[tuple[Name, Signature], ...], msgspec.Meta(max_length=MAX_MEMBERS)]

_NAMES: Final = MAX_MEMBERS * 34
_SIGNED: Final = 34 + 66 + 8
CERTIFICATE_LIMIT: Final = _NAMES + MAX_MEMBERS * _SIGNED + 64
PROOFS_LIMIT: Final = MAX_MEMBERS * (MAX_MEMBERS * _SIGNED + 64)
VOTES_LIMIT: Final = MAX_MEMBERS * (_NAMES + _SIGNED + 16)


class Certificate(Canonical):
    """M: signatures of distinct voters on exactly (view, dealers).

    E of echoes or t+1 of readies lock a voter on the dealers; R of readies decide.
    """

    view: View
    dealers: Dealers
    ready: bool
    signatures: Signatures


class Vote(Canonical):
    """A vote for a new view as its leader shows it.

    `locked` is the view of the voter's lock plus one, and `dealers` are what it is on; 0 and nobody without.
    """

    voter: Name
    locked: Annotated[int, msgspec.Meta(ge=0, le=MAX_VIEWS)]
    dealers: Dealers
    signature: Signature


class Proposal(Message, tag="agreement.proposal"):
    """Step 2 and 9, L-SEND: the dealers, and why they may be proposed.

    `proofs` shows for each dealer that its sharing will complete everywhere; or `certificate` shows that
    these dealers were locked on before. `votes` made this view.
    """

    dealers: Dealers
    proofs: Proofs
    certificate: Certificate | None
    votes: Annotated[tuple[Vote, ...], msgspec.Meta(max_length=MAX_MEMBERS)]


class Echo(Message, tag="agreement.echo"):
    """Step 3, L-ECHO: these dealers were properly proposed in this view. One for each view."""

    dealers: Dealers
    signature: Signature


class Ready(Message, tag="agreement.ready"):
    """Step 4 and 5, L-READY: the sender is locked on these dealers. One for each view."""

    dealers: Dealers
    signature: Signature


class Change(Message, tag="agreement.change"):
    """Step 7, LEAD-CH: a vote for the view on whose path it travels.

    With the sender's lock, or, if it has none, dealers enough to propose with the proof of each.
    """

    lock: Certificate | None
    dealers: Dealers
    proofs: Proofs
    signature: Signature


class Decided(Message, tag="agreement.decided"):
    """Step 10: R readies. Whoever reads it has decided too."""

    certificate: Certificate


MESSAGES: Final = (Proposal, Echo, Ready, Change, Decided)
"""All kinds, for `Party.stream`."""


def rules(path: Path = "") -> tuple[Rule, ...]:
    """The slots of an agreement among the parties of a fork at `path`."""
    views = f"{path}/{FORK}" if path else FORK
    each = f"{views}/*"
    return (
        Rule(Proposal, each, limit=_NAMES + PROOFS_LIMIT + CERTIFICATE_LIMIT + VOTES_LIMIT),
        Rule(Echo, each, limit=_NAMES + 128),
        Rule(Ready, each, limit=_NAMES + 128),
        Rule(Change, each, limit=_NAMES + PROOFS_LIMIT + CERTIFICATE_LIMIT + 128),
        Rule(Decided, each, unicast=True, limit=CERTIFICATE_LIMIT + 64),
        Rule(Decided, views, unicast=True, limit=CERTIFICATE_LIMIT + 64),
    )


def sender_limit(voters: int, dealers: int) -> int:
    """The most that an honest voter sends to another, in all views."""
    names = dealers * 34
    certificate = names + voters * _SIGNED + 64
    proposal = names + dealers * (voters * _SIGNED + 64) + certificate + voters * (names + _SIGNED + 16)
    # a proposal and a change that is no larger, an echo, a ready, and twice the end
    return (MAX_VIEWS + 1) * (2 * proposal + 2 * (names + 128) + 2 * certificate + 6 * 2048)


def to_echo(subject: bytes, view: int, dealers: Sequence[PartyId]) -> bytes:
    """What an `Echo` signs."""
    return _statement(Tag.AGREEMENT_ECHO, subject, view, dealers)


def to_ready(subject: bytes, view: int, dealers: Sequence[PartyId]) -> bytes:
    """What a `Ready` signs."""
    return _statement(Tag.AGREEMENT_READY, subject, view, dealers)


def to_change(subject: bytes, view: int, locked: int, dealers: Sequence[PartyId]) -> bytes:
    """What a `Change` for `view` signs: the vote and the lock it carries, 0 and no dealers without one."""
    return digest(Tag.AGREEMENT_CHANGE, subject, encode((view, locked, tuple(dealers))))


def _statement(tag: Tag, subject: bytes, view: int, dealers: Sequence[PartyId]) -> bytes:
    return digest(tag, subject, encode((view, tuple(dealers))))
