"""One party's share of one key in one epoch: what signing, refresh and export start from.

A `KeyShare` knows the whole public side (structure, public key, everybody's public share), so its holder
computes coefficients itself and dictates or trusts none. It holds exactly one secret: this party's share.
A party that should hold two shares of a key is a mistake the access structure refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec

from quorate.encoding import Confidential, decode, encode
from quorate.errors import Malformed
from quorate.groups import Group, Point, Scalar, group_named
from quorate.secret import Secret
from quorate.session import PartyId
from quorate.sharing.access import AccessStructure
from quorate.sharing.generation import GeneratedKey


@dataclass(frozen=True, slots=True)
class KeyShare:
    """`public_shares` names exactly the leaves of `structure`; `share` is that of `me`."""

    key_id: bytes
    epoch: int
    structure: AccessStructure
    public_key: Point
    public_shares: Mapping[PartyId, Point]
    me: PartyId
    share: Secret[Scalar]
    chain_code: bytes

    def __post_init__(self) -> None:
        if set(self.public_shares) != set(self.structure.leaves) or self.me not in self.public_shares:
            raise Malformed("a key share names the public shares of exactly the structure's members")
        if len(self.key_id) != 32 or len(self.chain_code) != 32 or self.epoch < 0:
            raise Malformed("a key id and a chain code have 32 bytes, an epoch is not negative")
        if self.group.generator.multiply(self.share.reveal()) != self.public_shares[self.me]:
            raise Malformed(f"the share of {self.me} does not fit its public share")

    @classmethod
    def of_committee(cls, key: GeneratedKey) -> KeyShare:
        """A generated key as a key of the nodes alone, ``d+1 of (nodes)``, epoch 0."""
        public = key.public
        shares = {node: public.public_share(node) for node in public.nodes}
        return cls(
            key.key_id, 0, public.structure(), public.public_key, shares, key.me, key.share, key.chain_code
        )

    @property
    def group(self) -> Group:
        return self.public_key.group

    def check(self) -> None:
        """Raise `Malformed` unless every public share lies where the structure says, for this public key.

        For each member an exact signer set with it must rebuild the public key in the exponent: about one
        multiplication per member of each set, so this is for the birth and the restore of a share.
        """
        for name in self.structure.leaves:
            if self._rebuilt(name) != self.public_key:
                raise Malformed(f"the public share of {name} does not belong to the public key")

    def _rebuilt(self, name: PartyId) -> Point:
        signers = self.structure.minimal(self.structure.leaves, including=name)
        weights = self.structure.coefficients(signers, self.group.order)
        return self.group.sum(
            self.public_shares[signer].multiply_public(self.group.scalar(weight))
            for signer, weight in weights.items()
        )

    def additive(self, signers: frozenset[PartyId]) -> Scalar:
        """This party's summand of the key for an exact set of signers. Secret."""
        return self.group.scalar(self.structure.coefficient(self.me, signers, self.group.order)) * (
            self.share.reveal()
        )

    def to_bytes(self) -> bytes:
        """The canonical encoding, the secret inside: for the vault only."""
        return encode(
            _Stored(
                self.group.name,
                self.key_id,
                self.epoch,
                str(self.structure),
                self.public_key.to_bytes(),
                tuple(self.public_shares[name].to_bytes() for name in self.structure.leaves),
                self.me,
                self.share.reveal().to_bytes(),
                self.chain_code,
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> KeyShare:
        """Read `to_bytes`. Raises `Malformed`; the share is checked against its own public share."""
        stored = decode(_Stored, data)
        group = group_named(stored.group)
        structure = AccessStructure.parse(stored.structure)
        if str(structure) != stored.structure:
            raise Malformed("the access structure is not in its canonical spelling")
        if len(stored.public_shares) != len(structure.leaves):
            raise Malformed("a key share names the public shares of exactly the structure's members")
        points = (group.point_from_bytes(point) for point in stored.public_shares)
        return cls(
            stored.key_id,
            stored.epoch,
            structure,
            group.point_from_bytes(stored.public_key),
            dict(zip(structure.leaves, points, strict=True)),
            stored.me,
            Secret(group.scalar_from_bytes(stored.share)),
            stored.chain_code,
        )


class _Stored(Confidential):
    group: str
    key_id: bytes
    epoch: Annotated[int, msgspec.Meta(ge=0)]
    structure: str
    public_key: bytes
    public_shares: tuple[bytes, ...]
    me: str
    share: bytes
    chain_code: bytes
