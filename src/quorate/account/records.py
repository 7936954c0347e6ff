"""The authority record of a key: everything public that signing and refreshing it depends on.

Nodes keep it in clear and compute every coefficient, signer set and roster from it; a device's request never
dictates one. One record describes one epoch; a flip replaces it by the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import msgspec

from quorate.encoding import Canonical
from quorate.errors import Malformed
from quorate.groups import Group, Point
from quorate.groups.registry import group_named
from quorate.session import PublicKeys, SessionSpec, roster_digest
from quorate.sharing.access import AccessStructure
from quorate.sharing.expression import MAX_EXPRESSION

Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Keys = Annotated[bytes, msgspec.Meta(min_length=65, max_length=65)]
Encoded = Annotated[bytes, msgspec.Meta(min_length=1, max_length=128)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]


class FactorKind(StrEnum):
    """What holds a share beside the committee."""

    DEVICE = "device"
    BACKUP = "backup"


class Member(Canonical, frozen=True):
    """A node: its name in the structure, its public identity, the public value of its share."""

    name: Name
    keys: Keys
    public_share: Encoded


class Factor(Canonical, frozen=True):
    """A device or backup: `keys` hold its signing key (F_sign) and its sealing key (F_enc)."""

    name: Name
    kind: FactorKind
    keys: Keys
    public_share: Encoded


Holder = Member | Factor
"""Whoever holds a share."""


class KeyRecord(Canonical, frozen=True):
    """One key in one epoch.

    `key` is the key id, `curve` the group's name, `structure` the canonical expression whose names are
    those of `committee` and `factors`. Points are encoded in the group of `curve`.
    """

    network: Name
    account: Digest
    key: Digest
    curve: Name
    epoch: Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 1)]
    public_key: Encoded
    chain_code: Digest
    structure: Annotated[str, msgspec.Meta(max_length=MAX_EXPRESSION)]
    committee: Annotated[tuple[Member, ...], msgspec.Meta(max_length=32)]
    factors: Annotated[tuple[Factor, ...], msgspec.Meta(max_length=32)]

    def __post_init__(self) -> None:
        named = [holder.name for holder in self.holders]
        if sorted(named) != sorted(self.access.leaves):
            raise Malformed("key record: its holders are not the names of its structure")

    @property
    def holders(self) -> tuple[Holder, ...]:
        """Nodes, then factors."""
        return (*self.committee, *self.factors)

    @property
    def access(self) -> AccessStructure:
        """The parsed structure."""
        return AccessStructure.parse(self.structure)

    @property
    def group(self) -> Group:
        """The group of the key."""
        return group_named(self.curve)

    @property
    def point(self) -> Point:
        """The public key X."""
        return self.group.point_from_bytes(self.public_key)

    @property
    def identities(self) -> Mapping[str, PublicKeys]:
        """Public identities of all holders, by name."""
        return {holder.name: PublicKeys.from_bytes(holder.keys) for holder in self.holders}

    @property
    def public_shares(self) -> Mapping[str, Point]:
        """The public value of every share, by name."""
        group = self.group
        return {holder.name: group.point_from_bytes(holder.public_share) for holder in self.holders}

    def factor_with(self, keys: PublicKeys) -> Factor | None:
        """The factor whose keys these are."""
        return next((factor for factor in self.factors if factor.keys == keys.to_bytes()), None)

    def roster(self, parties: tuple[str, ...]) -> Mapping[str, PublicKeys]:
        """The identities of these holders; `KeyError` names a stranger."""
        identities = self.identities
        return {party: identities[party] for party in parties}

    def agrees_with(self, spec: SessionSpec) -> bool:
        """Whether a session's key, epoch and identities are those of this record."""
        known = self.identities
        if (spec.key, spec.epoch) != (self.key, self.epoch) or not set(spec.parties) <= set(known):
            return False
        return spec.roster == roster_digest(self.roster(spec.parties))
