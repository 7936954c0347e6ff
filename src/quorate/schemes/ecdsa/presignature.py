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

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock
from typing import Annotated, Final, TypeVar, cast

import msgspec

from quorate.encoding import Confidential, decode, encode
from quorate.errors import AlreadyUsed, Malformed
from quorate.groups import Group, Point, Scalar, group_named
from quorate.secret import Secret
from quorate.session import PartyId

T = TypeVar("T")

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


class ReadyPresignature:
    """A presignature that is good for one use, whose secrets are gone afterwards.

    It takes ownership: whoever makes it hands the presignature over. `use` is the only way in, from any
    thread.
    """

    __slots__ = ("_held", "_lock", "_result", "_used_for", "public")

    def __init__(self, presignature: Presignature) -> None:
        self.public = PublicPresignature.of(presignature)
        self._held: Presignature | None = presignature
        self._used_for: bytes | None = None
        self._result: object = None
        self._lock = Lock()

    def use(self, purpose: bytes, compute: Callable[[Presignature], T]) -> T:
        """What `compute` makes of the presignature, for the one use that `purpose` (a hash) names.

        The same purpose again gives the same result, without computing. Any other purpose, and any use after
        a `compute` that failed or after `burn`, raises `AlreadyUsed`.
        """
        with self._lock:
            if self._held is not None:
                held, self._held, self._used_for = self._held, None, purpose
                self._result = compute(held)
            if self._used_for != purpose or self._result is None:
                raise AlreadyUsed("this presignature was used for another request; it is refused for ever")
            return cast(T, self._result)

    def burn(self) -> None:
        """Let go of the secrets; every use that has not been made is refused."""
        with self._lock:
            self._held = None

    def __repr__(self) -> str:
        return f"<presignature {self.public.id.hex()[:8]}, {'ready' if self._held else 'used'}>"


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
