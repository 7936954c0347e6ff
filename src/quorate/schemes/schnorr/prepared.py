"""What one party keeps between the rounds when the first is made in advance: a nonce pair, and everybody's
commitments.

The pair is worth a share: used for two requests it gives the part of the key it is used with. So it is stored
sealed, taken out once for one whole request in the transaction that computes the share (`quorate.vault`), and
never restored from a copy. It belongs to one quorum: another signer set, another epoch or a refreshed record
is another digest of the quorum, and is refused.

The key's part is not in here: it is opened from the active epoch's share when the request comes, so that an
erased epoch leaves nothing that could still sign.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec

from quorate.encoding import Confidential, decode, encode
from quorate.errors import Malformed
from quorate.groups import Group, group_named
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.schemes.oneuse import OneUse
from quorate.schemes.schnorr.frost import Nonces
from quorate.schemes.schnorr.suite import Commitment
from quorate.secret import Secret
from quorate.session import PartyId

ID_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Preparation:
    """The public half: `commitments` has one row for each signer, in the order of `signers`.

    `quorum` is the digest of the quorum it was made by, `scheme` the suite's name.
    """

    id: bytes
    scheme: str
    key_id: bytes
    epoch: int
    quorum: bytes
    signers: tuple[PartyId, ...]
    me: PartyId
    commitments: tuple[Commitment, ...]

    def __post_init__(self) -> None:
        if len(self.id) != ID_BYTES or self.me not in self.signers:
            raise Malformed("prepared nonces: the id has 32 bytes, and we are one of the signers")
        if [row.identifier for row in self.commitments] != list(range(1, len(self.signers) + 1)):
            raise Malformed("prepared nonces: one row for each signer, numbered from 1")

    @property
    def group(self) -> Group:
        return self.commitments[0].hiding.group

    def identifier(self, name: PartyId) -> int:
        """A signer's place in the sorted list, from 1 on."""
        return self.signers.index(name) + 1

    def list_hash(self) -> bytes:
        """Commits to who showed which nonces."""
        rows = [
            part
            for name, row in zip(self.signers, self.commitments, strict=True)
            for part in (name.encode(), row.hiding.to_bytes(), row.binding.to_bytes())
        ]
        return digest(Tag.SCHNORR_LIST, self.id, *rows)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Both halves: what a vault stores."""

    public: Preparation
    nonces: Nonces = field(repr=False)

    @property
    def id(self) -> bytes:
        """The public half's: what a vault files it under."""
        return self.public.id

    def to_bytes(self) -> bytes:
        """The canonical encoding, secrets inside: for the vault only."""
        public = self.public
        return encode(
            _Stored(
                public.group.name,
                public.id,
                public.scheme,
                public.key_id,
                public.epoch,
                public.quorum,
                public.signers,
                public.me,
                tuple(point.to_bytes() for row in public.commitments for point in (row.hiding, row.binding)),
                self.nonces.hiding.reveal().to_bytes(),
                self.nonces.binding.reveal().to_bytes(),
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Prepared:
        """Read `to_bytes`. Raises `Malformed`."""
        stored = decode(_Stored, data)
        group = group_named(stored.group)
        if len(stored.points) != 2 * len(stored.signers):
            raise Malformed("prepared nonces: two points for each signer")
        points = [group.point_from_bytes(point) for point in stored.points]
        rows = zip(points[::2], points[1::2], strict=True)
        public = Preparation(
            stored.id,
            stored.scheme,
            stored.key_id,
            stored.epoch,
            stored.quorum,
            stored.signers,
            stored.me,
            tuple(Commitment(place, *row) for place, row in enumerate(rows, start=1)),
        )
        hiding, binding = (group.scalar_from_bytes(value) for value in (stored.hiding, stored.binding))
        if hiding.is_zero or binding.is_zero:
            # what is left of nonces that somebody wiped: a share made with them would be c times the part
            raise Malformed("prepared nonces: wiped")
        return cls(public, Nonces(Secret(hiding), Secret(binding)))


class ReadyNonces(OneUse[Prepared]):
    """Prepared nonces that are good for one request in this process."""

    __slots__ = ("public",)

    def __init__(self, prepared: Prepared) -> None:
        super().__init__(prepared, "these nonces were used")
        self.public = prepared.public


class _Stored(Confidential, frozen=True):
    group: str
    id: bytes
    scheme: str
    key_id: bytes
    epoch: Annotated[int, msgspec.Meta(ge=0)]
    quorum: bytes
    signers: tuple[str, ...]
    me: str
    points: tuple[bytes, ...]
    hiding: bytes
    binding: bytes
