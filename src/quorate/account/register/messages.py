"""What devices ask of nodes in the register, and what nodes answer. One canonical encoding each.

A vote (Stated, Voted, Installed, Headed) is signed over its statement; a refusal is signed over the question
and itself, and carries what the device needs next. An absent value is nil.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from quorate.account.register.certificates import Certificate, Member, Proof, SlotCertificate, State, Subject
from quorate.account.register.entries import Digest, Entry, Epoch, Key, SignatureBytes, Version, View
from quorate.encoding import Canonical, encode
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest

MAX_TRAIL = 64
"""Entries in one answer to `Trail`: whoever was away for longer asks again."""

SlotName = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
SlotValue = Annotated[bytes, msgspec.Meta(min_length=1, max_length=64)]
Height = Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 1)]
Just = Annotated[tuple[State, ...], msgspec.Meta(max_length=32)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=(1 << 48) - 1)]


class Head(Canonical, frozen=True, tag="head"):
    """What is the head, and what is pending above it? `known`: the hash whose entry need not be sent."""

    account: Digest
    epoch: Epoch
    nonce: Digest
    known: Digest


class Lock(Canonical, frozen=True, tag="lock"):
    """Lock this entry at this view. `just`: E states for it, none in the open view."""

    view: View
    entry: Entry
    just: Just = ()

    @property
    def account(self) -> bytes:
        return self.entry.account


class Prepare(Canonical, frozen=True, tag="prepare"):
    """Promise this view to the owner of its slot, and say which certificate is the highest."""

    account: Digest
    version: Version
    view: View
    owner: Key
    signature: SignatureBytes


class Commit(Canonical, frozen=True, tag="commit"):
    """Keep this certificate and sign that it is kept. `entry` for nodes that have not locked it."""

    account: Digest
    certificate: Certificate
    entry: Entry | None = None


class Decided(Canonical, frozen=True, tag="decided"):
    """This entry is decided: take it as the head and act on it."""

    entry: Entry
    proof: Proof

    @property
    def account(self) -> bytes:
        return self.entry.account


class Trail(Canonical, frozen=True, tag="trail"):
    """The entries of the chain from this version on, as far as they are kept."""

    account: Digest
    since: Version


class Once(Canonical, frozen=True, tag="once"):
    """Sign this value for this write-once slot."""

    account: Digest
    slot: SlotName
    value: SlotValue


Question: TypeAlias = Head | Lock | Prepare | Commit | Decided | Trail | Once


class Headed(Canonical, frozen=True, tag="headed"):
    """The head with its proof, the certificate of the version above it, and our COMMIT on that if given."""

    member: Member
    nonce: Digest
    epoch: Epoch
    version: Height
    hash: Digest
    entry: Entry | None
    proof: Proof | None
    pending: Certificate | None
    body: Entry | None
    commit: SignatureBytes | None
    signature: SignatureBytes

    @staticmethod
    def statement(
        subject: Subject, nonce: bytes, epoch: int, version: int, entry: bytes, pending: Certificate | None
    ) -> bytes:
        """Covers the pending certificate too: an answer stripped of it would be an old one."""
        return subject.statement(Tag.REGISTER_HEAD, nonce, epoch, version, entry, pending)


class Voted(Canonical, frozen=True, tag="voted"):
    """A LOCK or COMMIT signature, as was asked."""

    member: Member
    signature: SignatureBytes


class Stated(Canonical, frozen=True, tag="stated"):
    """A promise with its state, and the entry of the certificate in it."""

    state: State
    body: Entry | None


class Installed(Canonical, frozen=True, tag="installed"):
    """This node acts on the entry."""

    member: Member
    signature: SignatureBytes


class Trailed(Canonical, frozen=True, tag="trailed"):
    """Entries, ascending. Believed by their hashes."""

    entries: Annotated[tuple[Entry, ...], msgspec.Meta(max_length=MAX_TRAIL)]


class SlotVoted(Canonical, frozen=True, tag="slot-voted"):
    """A signature over the slot's value."""

    member: Member
    epoch: Epoch
    signature: SignatureBytes


class VersionConflict(Canonical, frozen=True, tag="version-conflict"):
    """That version is decided: here is the head."""

    entry: Entry
    proof: Proof


class Behind(Canonical, frozen=True, tag="behind"):
    """We have not heard of the version before: send DECIDED of it and ask again."""

    version: Height


class Conflict(Canonical, frozen=True, tag="locked"):
    """We are locked on another entry at this view, or at a later one."""

    view: View
    hash: Digest


class Pending(Canonical, frozen=True, tag="pending"):
    """Another entry has a certificate and may be decided already: finish that first."""

    certificate: Certificate
    body: Entry


class StaleView(Canonical, frozen=True, tag="stale-view"):
    """A later view was promised."""

    promised: View


class WrongSlot(Canonical, frozen=True, tag="wrong-slot"):
    """It is not that slot by our clock."""

    now: Seconds


class WrongEpoch(Canonical, frozen=True, tag="wrong-epoch"):
    """Another committee is in office; its record."""

    epoch: Epoch
    record: Annotated[bytes, msgspec.Meta(max_length=32 << 10)]


class Denied(Canonical, frozen=True, tag="denied"):
    """A rule forbids it. `rule` is stable, for programs."""

    rule: Annotated[str, msgspec.Meta(max_length=64)]
    why: Annotated[str, msgspec.Meta(max_length=512)]


class NeedEntry(Canonical, frozen=True, tag="need-entry"):
    """Send the entry along."""


class SlotTaken(Canonical, frozen=True, tag="slot-taken"):
    """The slot holds another value (empty: it is closed to everybody)."""

    value: Annotated[bytes, msgspec.Meta(max_length=64)]


Reason: TypeAlias = (
    VersionConflict
    | Behind
    | Conflict
    | Pending
    | StaleView
    | WrongSlot
    | WrongEpoch
    | Denied
    | NeedEntry
    | SlotTaken
)


class Refusal(Canonical, frozen=True, tag="refusal"):
    """Why not, signed over the question."""

    member: Member
    reason: Reason
    signature: SignatureBytes

    @staticmethod
    def statement(network: str, question: Question, reason: Reason) -> bytes:
        """What is signed."""
        return digest(Tag.REGISTER_REFUSAL, network.encode(), encode(question), encode(reason))


Reply: TypeAlias = Headed | Voted | Stated | Installed | Trailed | SlotVoted | Refusal

__all__ = [
    "Behind",
    "Commit",
    "Conflict",
    "Decided",
    "Denied",
    "Head",
    "Headed",
    "Installed",
    "Lock",
    "NeedEntry",
    "Once",
    "Pending",
    "Prepare",
    "Question",
    "Reason",
    "Refusal",
    "Reply",
    "SlotCertificate",
    "SlotTaken",
    "SlotVoted",
    "StaleView",
    "Stated",
    "Trail",
    "Trailed",
    "VersionConflict",
    "Voted",
    "WrongEpoch",
    "WrongSlot",
]
