"""ristretto255 (RFC 9496), on libsodium through rbcl: a group of prime order built on edwards25519.

Each element has one encoding, and there is no cofactor: what would be torsion on the curve is the same
element here. sr25519, the usual signature of Polkadot wallets, lives in it. The order is Ed25519's.

rbcl's functions work on 32-byte encodings, and their products are constant-time. They read two things that
this package does not: the identity (32 zero bytes), and encodings with the top bit set. Scalars are turned
around for libsodium, as in `quorate.groups.ed25519`.

The library is an extra: importing this module where it is missing raises `Unavailable`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Final

from quorate.courtesy import breathe
from quorate.errors import Malformed, Unavailable
from quorate.groups.ed25519 import ORDER
from quorate.groups.group import (
    MAX_HASH_ATTEMPTS,
    Group,
    Point,
    Scalar,
    hash_candidate,
    mixed,
    no_encoding,
    same_length,
)

_NEUTRAL: Final = bytes(32)
_TOP_BIT: Final = 0x80
_UNIFORM_BYTES: Final = 64
"""What the one-way map of RFC 9496 section 4.3.4 takes."""


class Ristretto255Point(Point):
    """An element, held as its encoding; 32 zero bytes are the identity."""

    __slots__ = ("encoded",)

    def __init__(self, group: Ristretto255Group, encoded: bytes) -> None:
        """Trusts `encoded`; `Ristretto255Group.point_from_bytes` checks."""
        self.group: Ristretto255Group = group
        self.encoded: Final = encoded

    @property
    def is_identity(self) -> bool:
        return self.encoded == _NEUTRAL

    def multiply(self, scalar: Scalar) -> Point:
        group = self.group
        if scalar.group is not group:
            raise mixed(group, scalar.group)
        if scalar.value == 0 or self.is_identity:  # the library refuses a product that is the identity
            return group.identity
        factor = scalar.value.to_bytes(32, "little")
        return Ristretto255Point(group, _LIBRARY.crypto_scalarmult_ristretto255(factor, self.encoded))

    def multiply_public(self, scalar: Scalar) -> Point:
        return self.multiply(scalar)

    def to_bytes(self) -> bytes:
        if self.is_identity:
            raise no_encoding(self.group)
        return self.encoded

    def __add__(self, other: Point) -> Point:
        group = self.group
        if not isinstance(other, Ristretto255Point) or other.group is not group:
            raise mixed(group, other.group)
        return Ristretto255Point(group, _LIBRARY.crypto_core_ristretto255_add(self.encoded, other.encoded))

    def __neg__(self) -> Point:
        return Ristretto255Point(self.group, _LIBRARY.crypto_core_ristretto255_sub(_NEUTRAL, self.encoded))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ristretto255Point):
            return NotImplemented
        return self.group is other.group and self.encoded == other.encoded

    def __hash__(self) -> int:
        return hash(self.encoded)


class _Generator(Ristretto255Point):
    """B, for whose multiples libsodium keeps tables: a third of another element's time."""

    __slots__ = ()

    def multiply(self, scalar: Scalar) -> Point:
        group = self.group
        if scalar.group is not group:
            raise mixed(group, scalar.group)
        if scalar.value == 0:
            return group.identity
        factor = scalar.value.to_bytes(32, "little")
        return Ristretto255Point(group, _LIBRARY.crypto_scalarmult_ristretto255_base(factor))


class Ristretto255Group(Group):
    """There is one, `RISTRETTO255`."""

    name = "ristretto255"
    order = ORDER
    scalar_length = 32
    point_length = 32

    def __init__(self) -> None:
        self.identity = Ristretto255Point(self, _NEUTRAL)
        one = (1).to_bytes(32, "little")
        self.generator = _Generator(self, _LIBRARY.crypto_scalarmult_ristretto255_base(one))

    def point_from_bytes(self, data: bytes) -> Point:
        if len(data) != 32:
            raise Malformed(f"a ristretto255 point has 32 bytes, not {len(data)}")
        data = bytes(data)
        # RFC 9496 section 4.3.1: canonical, not negative, of the group; and not the identity, which is ours.
        # libsodium looks past the top bit, which would give every element a second encoding.
        if (
            data == _NEUTRAL
            or data[31] & _TOP_BIT
            or not _LIBRARY.crypto_core_ristretto255_is_valid_point(data)
        ):
            raise Malformed("not the encoding of a ristretto255 element, or of the identity")
        return Ristretto255Point(self, data)

    def hash_to_point(self, transcript_bytes: bytes) -> Point:
        for attempt in range(MAX_HASH_ATTEMPTS):
            candidate = hash_candidate(self, transcript_bytes, attempt, _UNIFORM_BYTES)
            found = _LIBRARY.crypto_core_ristretto255_from_hash(candidate)
            if found != _NEUTRAL:
                return Ristretto255Point(self, found)
        raise Malformed("no point found; the hash function is broken")

    def x_coordinate(self, point: Point) -> int:
        # An element is a class of curve points and has no coordinate. What P and -P share is the smaller of
        # their two encodings.
        return min(int.from_bytes(one.to_bytes(), "little") for one in (point, -point))

    def sum(self, points: Iterable[Point]) -> Point:
        total = _NEUTRAL
        for point in points:
            if not isinstance(point, Ristretto255Point) or point.group is not self:
                raise mixed(self, point.group)
            total = _LIBRARY.crypto_core_ristretto255_add(total, point.encoded)
        return Ristretto255Point(self, total)

    def combination(self, points: Sequence[Point], weights: Sequence[int]) -> Point:
        breathe()
        same_length(points, weights)
        return self.sum(
            point.multiply(self.scalar(weight)) for point, weight in zip(points, weights, strict=True)
        )


def load() -> Any:
    """The library. Raises `Unavailable` where it is not installed."""
    try:
        return import_module("rbcl")
    except ImportError:
        raise Unavailable("ristretto255 needs rbcl; install quorate[sr25519]") from None


_LIBRARY: Final = load()

RISTRETTO255: Final = Ristretto255Group()
