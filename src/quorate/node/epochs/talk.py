"""What nodes say to each other about a change of committee, one parcel each.

`epoch` is always the one that begins. Who says it is established by the link.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec

from quorate.account.changing import Page
from quorate.account.committee import (
    MAX_NODES,
    Activation,
    Claim,
    CommitteeRecord,
    Erased,
    Name,
    Number,
    Signature,
    Stored,
    Succession,
)
from quorate.account.records import Digest
from quorate.encoding import Canonical, decode, encode
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.transport.links import MAX_PARCEL_BYTES

TOPIC: Final = "epoch"

Url = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Threshold = Annotated[int, msgspec.Meta(ge=0, le=MAX_NODES)]
Reason = Annotated[str, msgspec.Meta(max_length=512)]


class Planned(Canonical, frozen=True):
    """A node that an operator wants in the next committee: `verifying` is its signing key, kept for life."""

    name: Name
    url: Url
    verifying: Digest


class Plan(Canonical, frozen=True):
    """A committee as operators agree on it, before there are sealing keys for it."""

    network: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    members: Annotated[tuple[Planned, ...], msgspec.Meta(min_length=1, max_length=MAX_NODES)]
    degree: Threshold
    liars: Threshold
    away: Threshold

    @classmethod
    def of(cls, record: CommitteeRecord) -> Plan:
        """The plan that a record carries out."""
        members = tuple(Planned(seat.name, seat.url, seat.identity.verifying) for seat in record.members)
        return cls(record.network, members, record.degree, record.liars, record.away)

    @property
    def digest(self) -> bytes:
        """What operators compare."""
        return digest(Tag.COMMITTEE_PLAN, encode(self))

    @property
    def names(self) -> tuple[str, ...]:
        """The members, in the order of their points."""
        return tuple(member.name for member in self.members)


class Invite(Canonical, frozen=True, tag="invite"):
    """Will you take this seat? `ancestors` lead to the parent, for a node that is new."""

    epoch: Number
    parent: Digest
    url: Url
    ancestors: tuple[Succession, ...] = ()


class Claimed(Canonical, frozen=True, tag="claimed"):
    """Step A: yes, with this sealing key."""

    claim: Claim


class Wish(Canonical, frozen=True, tag="wish"):
    """Will you sign this record (`asked`: or would you, if you were asked to)?"""

    record: CommitteeRecord
    claims: Annotated[tuple[Claim, ...], msgspec.Meta(max_length=MAX_NODES)]
    asked: bool
    attempt: Annotated[int, msgspec.Meta(ge=0, lt=256)] = 0


class Consent(Canonical, frozen=True, tag="consent"):
    """Step B: the signature, or the word that it would be given (`asked`)."""

    epoch: Number
    record: Digest
    asked: bool
    signature: Annotated[bytes, msgspec.Meta(max_length=64)] = b""


class Declined(Canonical, frozen=True, tag="declined"):
    """No, and why not."""

    epoch: Number
    record: Digest
    asked: bool
    reason: Reason


class Vouch(Canonical, frozen=True, tag="vouch"):
    """The sender's word for a candidate of a question (docs/protocols/resharing.md, "Choosing")."""

    epoch: Number
    subject: Digest
    candidate: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    thing: Digest
    signature: Signature


class Signed(Canonical, frozen=True, tag="signed"):
    """Step B: the sender's signature over the record that was chosen, of this digest."""

    epoch: Number
    record: Digest
    signature: Signature


class Wished(Canonical, frozen=True, tag="wished"):
    """Step B: the record that was chosen, for who was never told of it."""

    record: CommitteeRecord


class Certified(Canonical, frozen=True, tag="certified"):
    """The succession: the last of `path`, which leads there from any earlier committee it names."""

    path: Annotated[tuple[Succession, ...], msgspec.Meta(min_length=1)]


class Show(Canonical, frozen=True, tag="show"):
    """Step C: a page of the sender's inventory."""

    epoch: Number
    page: Page


class Choose(Canonical, frozen=True, tag="choose"):
    """The list follows from the inventories of these nodes, of these digests."""

    epoch: Number
    record: Digest
    chosen: Annotated[tuple[tuple[Name, Digest], ...], msgspec.Meta(max_length=MAX_NODES)]


class AskPages(Canonical, frozen=True, tag="ask-pages"):
    """Step C: the inventory of this node that was chosen, of this digest, is not here."""

    epoch: Number
    name: Name
    inventory: Digest


class CopyPage(Canonical, frozen=True, tag="copy-page"):
    """Step C: a page of another node's inventory, as that has shown it to the sender."""

    epoch: Number
    name: Name
    page: Page


class Froze(Canonical, frozen=True, tag="froze"):
    """Step C: the sender's signature over FROZEN with this list."""

    epoch: Number
    keys: Digest
    signature: Signature


class Holds(Canonical, frozen=True, tag="holds"):
    """Step E: the sender's STORED."""

    stored: Stored
    signature: Signature


class InForce(Canonical, frozen=True, tag="in-force"):
    """Step F: ACTIVATE."""

    activation: Activation


class HasErased(Canonical, frozen=True, tag="has-erased"):
    """Step H: the sender's ERASED."""

    erased: Erased
    signature: Signature


Talk: TypeAlias = (
    Invite
    | Claimed
    | Wish
    | Consent
    | Declined
    | Vouch
    | Signed
    | Wished
    | Certified
    | Show
    | Choose
    | AskPages
    | CopyPage
    | Froze
    | Holds
    | InForce
    | HasErased
)


def read_talk(body: bytes) -> Talk:
    """Raises `Malformed`, `LimitExceeded`."""
    return decode(Talk, body, limit=MAX_PARCEL_BYTES)  # type: ignore[arg-type]
