"""The two groups of BLS12-381 of order r, G1 and G2, on arkworks (the pairing between them is here too).

Encodings are those of ZCash's protocol specification (section 5.4.9.2), which RFC 9380's and the IETF's BLS
drafts take over: 48 bytes for G1, 96 for G2, big-endian x with three flags in the first byte. Both curves
have many more points than r; whoever decodes a point here pays for the check that it is of order r. The
library reads more than we do: anything with the infinity flag is the identity to it, whatever follows. So a
point must also be what it encodes to, and the identity is refused by its flag.

Hashing to a point is RFC 9380's, with a domain of our own for `Group.hash_to_point` and any other through
`Bls12381Group.hash_with`.

arkworks is not written for constant time: a multiplication's time depends on the scalar, secret or not
(SECURITY.md says what that means and what bounds it). Needs the extra ``bls``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Final

from quorate.courtesy import breathe
from quorate.errors import Malformed, Unavailable
from quorate.groups.group import Group, Point, Scalar, mixed, no_encoding, same_length

ORDER: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001

_COMPRESSED: Final = 0x80
_INFINITY: Final = 0x40
_FLAGS: Final = 0xE0

_CHUNK: Final = 128
"""Points of one native sum, between two pauses for whoever is more urgent: 5 ms in G1, 16 in G2."""


class Bls12381Point(Point):
    """An element of G1 or of G2."""

    __slots__ = ("_encoded", "_identity", "native")

    def __init__(self, group: Bls12381Group, native: Any) -> None:
        """Trusts that `native` is of order r; `Bls12381Group.point_from_bytes` checks."""
        self.group: Bls12381Group = group
        self.native: Final = native
        self._encoded: bytes | None = None
        self._identity: bool | None = None

    @property
    def is_identity(self) -> bool:
        if self._identity is None:
            self._identity = bool(self.native == self.group.neutral)
        return self._identity

    def multiply(self, scalar: Scalar) -> Point:
        group = self.group
        if scalar.group is not group:
            raise mixed(group, scalar.group)
        if scalar.value == 0:
            return group.identity
        return Bls12381Point(group, self.native * _factor(scalar.value))

    # the library's one multiplication, in variable time
    multiply_public = multiply

    def to_bytes(self) -> bytes:
        if self.is_identity:
            raise no_encoding(self.group)
        if self._encoded is None:
            self._encoded = bytes(self.native.to_compressed_bytes())
        return self._encoded

    def __add__(self, other: Point) -> Point:
        if not isinstance(other, Bls12381Point) or other.group is not self.group:
            raise mixed(self.group, other.group)
        return Bls12381Point(self.group, self.native + other.native)

    def __neg__(self) -> Point:
        return Bls12381Point(self.group, -self.native)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bls12381Point):
            return NotImplemented
        return self.group is other.group and bool(self.native == other.native)

    def __hash__(self) -> int:
        return hash(self.native)


class Bls12381Group(Group):
    """G1 or G2. There is one of each, `BLS12381_G1` and `BLS12381_G2`."""

    order = ORDER
    scalar_length = 32

    def __init__(self, name: str, native: Any, point_length: int) -> None:
        self.name = name
        self.native: Final = native
        self.point_length = point_length
        self.neutral: Final = native.identity()
        self.identity = Bls12381Point(self, self.neutral)
        self.generator = Bls12381Point(self, native())
        self._domain: Final = f"QUORATE-V01-{name.upper()}_XMD:SHA-256_SSWU_RO_".encode()

    def point_from_bytes(self, data: bytes) -> Point:
        if len(data) != self.point_length:
            raise Malformed(f"a {self.name} point has {self.point_length} bytes, not {len(data)}")
        data = bytes(data)
        if data[0] & (_COMPRESSED | _INFINITY) != _COMPRESSED:
            raise Malformed(f"not the compressed encoding of a {self.name} point other than the identity")
        try:
            # below the field's prime, on the curve, of order r
            native = self.native.from_compressed_bytes(data)
        except ValueError:
            raise Malformed(f"not the encoding of a point of {self.name}'s prime-order subgroup") from None
        point = Bls12381Point(self, native)
        if point.to_bytes() != data:
            raise Malformed(f"not the one encoding of this {self.name} point")
        return point

    def hash_to_point(self, transcript_bytes: bytes) -> Point:
        return self.hash_with(self._domain, transcript_bytes)

    def hash_with(self, domain: bytes, message: bytes) -> Point:
        """hash_to_curve of RFC 9380, suite ``BLS12381G1_XMD:SHA-256_SSWU_RO_`` or its sister for G2.

        `domain` is the domain separation tag, 1 to 255 bytes.
        """
        if not 0 < len(domain) <= 255:
            raise ValueError("a domain separation tag has 1 to 255 bytes")
        return Bls12381Point(self, self.native.hash_to_curve(bytes(message), bytes(domain)))

    def x_coordinate(self, point: Point) -> int:
        # in G2 x is a pair; read as one number it is as good a name for {P, -P}
        octets = point.to_bytes()
        return int.from_bytes(bytes([octets[0] & ~_FLAGS]) + octets[1:], "big")

    def sum(self, points: Iterable[Point]) -> Point:
        total = self.neutral
        for point in points:
            total = total + self._native(point)
        return Bls12381Point(self, total)

    def combination(self, points: Sequence[Point], weights: Sequence[int]) -> Point:
        breathe()
        same_length(points, weights)
        natives, factors = [], []
        for point, weight in zip(points, weights, strict=True):
            native = self._native(point)
            weight %= ORDER
            if weight:
                natives.append(native)
                factors.append(_factor(weight))
        if len(natives) == 1:  # cheaper without buckets
            return Bls12381Point(self, natives[0] * factors[0])
        total = self.neutral
        for begin in range(0, len(natives), _CHUNK):
            end = begin + _CHUNK
            total = total + self.native.multiexp_unchecked(natives[begin:end], factors[begin:end])
            breathe()
        return Bls12381Point(self, total)

    def _native(self, point: Point) -> Any:
        if not isinstance(point, Bls12381Point) or point.group is not self:
            raise mixed(self, point.group)
        return point.native


def pairings_cancel(pairs: Iterable[tuple[Point, Point]]) -> bool:
    """Whether the product of e(P, Q) over all `pairs` (P of G1, Q of G2) is one.

    Says nothing about where the points came from: decoding has checked their order, and that none is the
    identity is the caller's business.
    """
    firsts, seconds = [], []
    for first, second in pairs:
        if not isinstance(first, Bls12381Point) or first.group is not BLS12381_G1:
            raise mixed(BLS12381_G1, first.group)
        if not isinstance(second, Bls12381Point) or second.group is not BLS12381_G2:
            raise mixed(BLS12381_G2, second.group)
        firsts.append(first.native)
        seconds.append(second.native)
    return bool(_LIBRARY.GT.pairing_check(firsts, seconds))


def _factor(value: int) -> Any:
    return _LIBRARY.Scalar.from_be_bytes(value.to_bytes(32, "big"))


def load() -> Any:
    """The library. Raises `Unavailable` where it is not installed."""
    try:
        return import_module("py_arkworks_bls12381")
    except ImportError:
        raise Unavailable("BLS12-381 needs py-arkworks-bls12381; install quorate[bls]") from None


_LIBRARY: Final = load()

BLS12381_G1: Final = Bls12381Group("bls12381g1", _LIBRARY.G1Point, 48)
BLS12381_G2: Final = Bls12381Group("bls12381g2", _LIBRARY.G2Point, 96)
