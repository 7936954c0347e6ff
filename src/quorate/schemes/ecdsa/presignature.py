"""What one party keeps between the offline and the online phase: secret, and good for one request.

The presignature shares of all signers together give the key, and two different answers from one of them give
it to the other signers: u - u' = (delta - delta') * phi reveals phi. So a presignature is stored like a key
share and used once, whatever crashes, and keyed by the whole request, since another nonce beside the *same*
digest is enough for another delta (docs/protocols/ecdsa.md, "One answer").

Durable consumption is the vault's, keyed by `Request.hash`: a signer's `answer` runs inside the transaction
that consumes, a combiner consumes before it reads any answer. The `ReadyPresignature` here is the second
line, within a process: its secrets come out for one request only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from quorate.encoding import Confidential, decode, encode
from quorate.errors import Malformed
from quorate.groups import Group, Point, Scalar, group_named
from quorate.schemes.oneuse import OneUse
from quorate.secret import Secret
from quorate.session import PartyId

ID_BYTES: Final = 32


class Derivation(StrEnum):
    """Which keys a presignature may sign for; fixed when it is made."""

    ROOT = "root"
    """The key itself; the only tweak is zero."""
    PATH = "path"
    """A child key, its path and tweak chosen online. Safe only with the re-randomisation of step 3.2."""


@dataclass(frozen=True, slots=True)
class Presignature:
    """One party's share. `ssid` binds it to session, key, epoch, quorum and derivation.

    `nonce_point` is R, `public_key` the key before any tweak; `mask`, `nonce_share`, `key_share` are phi_i,
    u_i and v_i. `entropy_key` is kappa, or None for a party that must not know it. `expires` is unix time; a
    host burns what is older, nothing here reads a clock.
    """

    id: bytes
    ssid: bytes
    key_id: bytes
    epoch: int
    signers: tuple[PartyId, ...]
    keepers: tuple[PartyId, ...]
    me: PartyId
    derivation: Derivation
    public_key: Point
    nonce_point: Point
    mask: Secret[Scalar] = field(repr=False)
    nonce_share: Secret[Scalar] = field(repr=False)
    key_share: Secret[Scalar] = field(repr=False)
    entropy_key: Secret[bytes] | None = field(repr=False)
    expires: int = 0

    def __post_init__(self) -> None:
        if len(self.id) != ID_BYTES or len(self.ssid) != 32 or self.me not in self.signers:
            raise Malformed("presignature: id and ssid have 32 bytes, and we are one of its signers")
        if (self.entropy_key is not None) != (self.me in self.keepers):
            raise Malformed("presignature: exactly the keepers hold the entropy key")

    @property
    def group(self) -> Group:
        return self.public_key.group

    def expired(self, now: float) -> bool:
        """Whether it may no longer be used at unix time `now`. An `expires` of 0 sets no bound."""
        return bool(self.expires) and now >= self.expires

    def to_bytes(self) -> bytes:
        """The canonical encoding, secrets inside: for the vault only."""
        kappa = b"" if self.entropy_key is None else self.entropy_key.reveal()
        return encode(
            _Stored(
                self.group.name,
                self.id,
                self.ssid,
                self.key_id,
                self.epoch,
                self.signers,
                self.keepers,
                self.me,
                self.derivation,
                self.public_key.to_bytes(),
                self.nonce_point.to_bytes(),
                self.mask.reveal().to_bytes(),
                self.nonce_share.reveal().to_bytes(),
                self.key_share.reveal().to_bytes(),
                kappa,
                self.expires,
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Presignature:
        """Read `to_bytes`. Raises `Malformed`."""
        stored = decode(_Stored, data)
        group = group_named(stored.group)
        return cls(
            stored.id,
            stored.ssid,
            stored.key_id,
            stored.epoch,
            stored.signers,
            stored.keepers,
            stored.me,
            stored.derivation,
            group.point_from_bytes(stored.public_key),
            group.point_from_bytes(stored.nonce_point),
            Secret(group.scalar_from_bytes(stored.mask)),
            Secret(group.scalar_from_bytes(stored.nonce_share)),
            Secret(group.scalar_from_bytes(stored.key_share)),
            Secret(stored.entropy_key) if stored.entropy_key else None,
            stored.expires,
        )


class ReadyPresignature(OneUse[Presignature]):
    """A presignature that is good for one use, whose secrets are gone afterwards."""

    __slots__ = ("public",)

    def __init__(self, presignature: Presignature) -> None:
        super().__init__(presignature, "this presignature was used")
        self.public = PublicPresignature.of(presignature)


@dataclass(frozen=True, slots=True)
class PublicPresignature:
    """What of a presignature may be looked at without using it."""

    id: bytes
    ssid: bytes
    key_id: bytes
    epoch: int
    signers: tuple[PartyId, ...]
    keepers: tuple[PartyId, ...]
    me: PartyId
    derivation: Derivation
    public_key: Point
    nonce_point: Point

    @classmethod
    def of(cls, whole: Presignature) -> PublicPresignature:
        return cls(
            whole.id,
            whole.ssid,
            whole.key_id,
            whole.epoch,
            whole.signers,
            whole.keepers,
            whole.me,
            whole.derivation,
            whole.public_key,
            whole.nonce_point,
        )


class _Stored(Confidential, frozen=True):
    group: str
    id: bytes
    ssid: bytes
    key_id: bytes
    epoch: Annotated[int, msgspec.Meta(ge=0)]
    signers: tuple[str, ...]
    keepers: tuple[str, ...]
    me: str
    derivation: Derivation
    public_key: bytes
    nonce_point: bytes
    mask: bytes
    nonce_share: bytes
    key_share: bytes
    entropy_key: bytes
    expires: Annotated[int, msgspec.Meta(ge=0)]
