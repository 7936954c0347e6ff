"""What key generation gives.

A committee of n nodes at points 1..n shares a fresh value by a polynomial of degree d: any d+1 nodes hold
it together, d learn nothing. `CommitteeKey` is what everybody may know of it, `GeneratedKey` what one node
keeps. Nobody ever holds the value itself.

Made by `quorate.sharing.dkg` (batches, over any network), by `quorate.sharing.keygen` (four rounds, all nodes
present), and out of an earlier committee's keys by `quorate.sharing.reshare`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quorate.encoding import Confidential, decode, encode
from quorate.errors import Malformed
from quorate.groups import Group, Point, Scalar, group_named
from quorate.secret import Secret
from quorate.session import PartyId
from quorate.sharing.access import AccessStructure
from quorate.sharing.expression import Leaf, Threshold
from quorate.sharing.polynomial import Commitment

MAX_BATCH: Final = 16
"""Keys of one run. The openings of 32 nodes, shown together when views differ, then fit one message; pools
are filled by repeating."""

KEY_ID_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class CommitteeKey:
    """The public side of a shared value: its id, who shares it (at points 1..n), the commitment."""

    key_id: bytes
    nodes: tuple[PartyId, ...]
    commitment: Commitment

    def __post_init__(self) -> None:
        if len(self.key_id) != KEY_ID_BYTES:
            raise Malformed(f"a key id has {KEY_ID_BYTES} bytes")
        if len(set(self.nodes)) != len(self.nodes) or not 0 <= self.degree < len(self.nodes):
            raise Malformed(f"{len(self.nodes)} nodes cannot share a key by degree {self.degree}")

    @property
    def group(self) -> Group:
        return self.public_key.group

    @property
    def degree(self) -> int:
        return self.commitment.degree

    @property
    def public_key(self) -> Point:
        return self.commitment.constant

    def point(self, node: PartyId) -> int:
        """Where a node stands on the polynomial."""
        return self.nodes.index(node) + 1

    def public_share(self, node: PartyId) -> Point:
        """The generator times the node's share."""
        return self.commitment.at(self.point(node))

    def structure(self) -> AccessStructure:
        """``d+1 of (nodes)``: this key as one of the nodes alone."""
        members = tuple(Leaf(name, i) for i, name in enumerate(self.nodes, 1))
        return AccessStructure(Threshold(self.degree + 1, members, 0))


@dataclass(frozen=True, slots=True)
class GeneratedKey:
    """One node's part of a generated key. `chain_code` is agreed by the nodes alone."""

    public: CommitteeKey
    me: PartyId
    share: Secret[Scalar]
    chain_code: bytes

    def __post_init__(self) -> None:
        own = self.public.group.generator.multiply(self.share.reveal())
        if own != self.public.public_share(self.me):
            raise Malformed(f"the share of {self.me} does not belong to this key")
        if len(self.chain_code) != 32:
            raise Malformed("a chain code has 32 bytes")

    @property
    def key_id(self) -> bytes:
        return self.public.key_id

    def to_bytes(self) -> bytes:
        """The canonical encoding, the secret share inside: for the vault only."""
        public = self.public
        points = tuple(point.to_bytes() for point in public.commitment.points)
        share = self.share.reveal().to_bytes()
        return encode(
            _Stored(public.group.name, public.key_id, public.nodes, points, self.me, share, self.chain_code)
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> GeneratedKey:
        """Read `to_bytes`; raises `Malformed` unless the share belongs to the commitment."""
        stored = decode(_Stored, data)
        group = group_named(stored.group)
        commitment = Commitment(tuple(group.point_from_bytes(point) for point in stored.points))
        public = CommitteeKey(stored.key_id, stored.nodes, commitment)
        if stored.me not in stored.nodes:
            raise Malformed(f"{stored.me} is none of the key's nodes")
        share = Secret(group.scalar_from_bytes(stored.share))
        return cls(public, stored.me, share, stored.chain_code)


class _Stored(Confidential):
    group: str
    key_id: bytes
    nodes: tuple[str, ...]
    points: tuple[bytes, ...]
    me: str
    share: bytes
    chain_code: bytes
