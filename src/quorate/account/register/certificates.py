"""What members of a committee sign in the register, and when their signatures are a certificate.

A certificate is E signatures of *distinct members* over one statement; members are counted by their index,
never by the length of a list. LOCK and COMMIT are over the same five values under tags of their own: network,
account, version, view, hash of the entry; never over the bytes of another certificate, so that two nodes that
saw different ones still agree. Two proofs of one entry may differ: compare hashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, ClassVar, Final

import msgspec

from quorate.account.register.entries import Digest, Epoch, SignatureBytes, Version, View
from quorate.encoding import Canonical, encode
from quorate.errors import ProofRejected
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import PublicIdentity

MAX_MEMBERS: Final = 32
"""Of a committee; the limit of an access structure."""

Member = Annotated[int, msgspec.Meta(ge=0, lt=MAX_MEMBERS)]
Signatures = Annotated[tuple[tuple[Member, SignatureBytes], ...], msgspec.Meta(max_length=MAX_MEMBERS)]


@dataclass(frozen=True, slots=True)
class Committee:
    """The nodes of one epoch as the register needs them; a member's index is its place.

    `echo` is E and `ready` is R of the committee's quorums. `record` is the canonical committee record, which
    tells a device that asks in a past epoch where the present is.
    """

    epoch: int
    names: tuple[str, ...]
    identities: tuple[PublicIdentity, ...]
    echo: int
    ready: int
    record: bytes = field(default=b"", repr=False)

    def check(self, statement: bytes, signatures: Sequence[tuple[int, bytes]]) -> None:
        """Raises `ProofRejected` unless E distinct members, and nobody else, have signed `statement`.

        Ascending order makes the members distinct and the certificate's spelling one. A bad signature spoils
        it whole: whoever collected it should have dropped that one.
        """
        members = [member for member, _ in signatures]
        if any(left >= right for left, right in pairwise(members)):
            raise ProofRejected("certificate: its members are not distinct and ascending")
        if len(members) < self.echo:
            raise ProofRejected(f"certificate: {len(members)} members, {self.echo} are needed")
        for member, signature in signatures:
            self.check_one(member, statement, signature)

    def check_one(self, member: int, statement: bytes, signature: bytes) -> None:
        """Raises `ProofRejected` unless this member has signed `statement`."""
        if not 0 <= member < len(self.identities):
            raise ProofRejected(f"committee {self.epoch} has no member {member}")
        self.identities[member].verify(statement, signature)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose register: the first two values of every statement."""

    network: str
    account: bytes

    def statement(self, tag: Tag, *values: object) -> bytes:
        """The 32 bytes to sign."""
        return digest(tag, encode((self.network, self.account, *values)))

    def voted(self, tag: Tag, version: int, view: View, entry: bytes) -> bytes:
        """LOCK or COMMIT."""
        return self.statement(tag, version, view.epoch, view.slot, entry)


class Votes(Canonical, frozen=True):
    """E signatures over one entry at one view. Base; subclasses say of which kind."""

    kind: ClassVar[Tag]

    version: Version
    view: View
    hash: Digest
    signatures: Signatures

    def check(self, subject: Subject, committee: Committee | None) -> None:
        """Raises `ProofRejected` unless this is a certificate of `committee` about this subject."""
        if committee is None or committee.epoch != self.view.epoch:
            raise ProofRejected("certificate: of a committee that is not known here")
        committee.check(subject.voted(self.kind, self.version, self.view, self.hash), self.signatures)


class Certificate(Votes, frozen=True):
    """E LOCKs: the one entry that can be decided in this view."""

    kind = Tag.REGISTER_LOCK


class Proof(Votes, frozen=True):
    """E COMMITs: the entry is decided."""

    kind = Tag.REGISTER_COMMIT


class State(Canonical, frozen=True):
    """A member's word, with its promise for a view, about the highest certificate it holds."""

    member: Member
    certificate: Certificate | None
    signature: SignatureBytes

    @staticmethod
    def statement(subject: Subject, version: int, view: View, certificate: Certificate | None) -> bytes:
        """What the member signs."""
        return subject.statement(Tag.REGISTER_STATE, version, view.epoch, view.slot, certificate)


def installed_statement(subject: Subject, version: int, entry: bytes) -> bytes:
    """INSTALLED: this node acts on the entry."""
    return subject.statement(Tag.REGISTER_INSTALLED, version, entry)


def prepare_statement(subject: Subject, version: int, view: View) -> bytes:
    """What the owner of a slot signs to be given the nodes' states."""
    return subject.statement(Tag.REGISTER_PREPARE, version, view.epoch, view.slot)


class SlotCertificate(Canonical, frozen=True):
    """E signatures over the value of a write-once slot."""

    epoch: Epoch
    slot: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    value: Annotated[bytes, msgspec.Meta(min_length=1, max_length=64)]
    signatures: Signatures

    @staticmethod
    def statement(network: str, epoch: int, slot: str, value: bytes) -> bytes:
        """What each member signs."""
        return digest(Tag.REGISTER_SLOT, encode((network, epoch, slot, value)))

    def check(self, network: str, committee: Committee | None) -> None:
        """Raises `ProofRejected` unless this is a certificate of `committee`."""
        if committee is None or committee.epoch != self.epoch:
            raise ProofRejected("slot certificate: of a committee that is not known here")
        committee.check(self.statement(network, self.epoch, self.slot, self.value), self.signatures)
