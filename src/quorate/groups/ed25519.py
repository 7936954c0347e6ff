"""The prime-order subgroup of edwards25519, on libsodium (RFC 8032 section 5.1 for curve and encoding).

The curve has eight times as many points as the subgroup, and a point outside it makes proofs and sharings
mean less than they say (`docs/adr/0017-the-subgroup-itself.md`). So nothing gets in: whoever decodes a point
here pays for the check that it is canonical and of prime order, and whoever multiplies a point that came from
outside by a weight (`read_and_combine`) gets the check with the product, since libsodium makes it in every
multiplication. Until the end of 2025 that check let points through whose other part has order 2
(CVE-2025-69277), so it is tried at import: PyNaCl can be built with the libsodium of a system, however old.

PyNaCl's bindings offer sums, constant-time products and that check, all on 32-byte encodings. There is no
variable-time product and no sum of many points, so a weighted sum costs a product a term. Scalars are
big-endian as everywhere in this package; they are turned around for libsodium, whose scalars, like those in
RFC 8032, are little-endian.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from nacl.bindings import (
    crypto_core_ed25519_add,
    crypto_core_ed25519_is_valid_point,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_scalarmult_ed25519_noclamp,
)

from quorate.courtesy import breathe
from quorate.errors import Malformed, Unavailable
from quorate.groups.group import (
    MAX_HASH_ATTEMPTS,
    Group,
    Point,
    Scalar,
    exact_length,
    hash_candidate,
    mixed,
    no_encoding,
    same_length,
)

ORDER: Final = 2**252 + 27742317777372353535851937790883648493
FIELD: Final = 2**255 - 19

_NEUTRAL: Final = (1).to_bytes(32, "little")
_SIGN: Final = 0x80
_BREATH: Final = 16
"""Products between two pauses for whoever is more urgent: a millisecond and a half."""

_MAX_ADDITIONS: Final = 4
"""Up to so many additions are cheaper than a product: 18 us against 89."""


class Ed25519Point(Point):
    """An element of the subgroup, held as its encoding; b"" is the identity."""

    __slots__ = ("encoded",)

    def __init__(self, group: Ed25519Group, encoded: bytes) -> None:
        """Trusts `encoded`; `Ed25519Group.point_from_bytes` checks."""
        self.group: Ed25519Group = group
        self.encoded: Final = encoded

    @property
    def is_identity(self) -> bool:
        return not self.encoded

    def multiply(self, scalar: Scalar) -> Point:
        group = self.group
        if scalar.group is not group:
            raise mixed(group, scalar.group)
        if not self.encoded or scalar.value == 0:
            return group.identity
        factor = scalar.value.to_bytes(32, "little")
        return Ed25519Point(group, crypto_scalarmult_ed25519_noclamp(factor, self.encoded))

    def multiply_public(self, scalar: Scalar) -> Point:
        group = self.group
        if scalar.group is not group:
            raise mixed(group, scalar.group)
        if not self.encoded or scalar.value == 0:
            return group.identity
        return Ed25519Point(group, _times(self.encoded, scalar.value))

    def to_bytes(self) -> bytes:
        if not self.encoded:
            raise no_encoding(self.group)
        return self.encoded

    def __add__(self, other: Point) -> Point:
        group = self.group
        if not isinstance(other, Ed25519Point) or other.group is not group:
            raise mixed(group, other.group)
        if not self.encoded:
            return other
        if not other.encoded:
            return self
        return group.sum_of([self.encoded, other.encoded])

    def __neg__(self) -> Point:
        return Ed25519Point(self.group, self.encoded and _negative(self.encoded))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ed25519Point):
            return NotImplemented
        return self.group is other.group and self.encoded == other.encoded

    def __hash__(self) -> int:
        return hash(self.encoded)


class _Generator(Ed25519Point):
    """B of RFC 8032, for whose multiples libsodium keeps tables: a fifth of another point's time."""

    __slots__ = ()

    def multiply(self, scalar: Scalar) -> Point:
        group = self.group
        if scalar.group is not group:
            raise mixed(group, scalar.group)
        if scalar.value == 0:
            return group.identity
        factor = scalar.value.to_bytes(32, "little")
        return Ed25519Point(group, crypto_scalarmult_ed25519_base_noclamp(factor))

    multiply_public = multiply


class Ed25519Group(Group):
    """The subgroup of order `ORDER`. There is one, `ED25519`."""

    name = "ed25519"
    order = ORDER
    scalar_length = 32
    point_length = 32

    def __init__(self) -> None:
        self.identity = Ed25519Point(self, b"")
        one = (1).to_bytes(32, "little")
        self.generator = _Generator(self, crypto_scalarmult_ed25519_base_noclamp(one))
        if crypto_core_ed25519_is_valid_point(_outside(self.generator.encoded)):
            raise Unavailable(
                "this libsodium takes points outside the subgroup for points of it (CVE-2025-69277); install "
                "PyNaCl 1.6.2 or later, built with a libsodium of 2026 or later"
            )

    def point_from_bytes(self, data: bytes) -> Point:
        if len(data) != 32:
            raise Malformed(f"an ed25519 point has 32 bytes, not {len(data)}")
        data = bytes(data)
        # canonical y, on the curve, not of small order, times the order the identity
        if not crypto_core_ed25519_is_valid_point(data):
            raise Malformed("not the encoding of a point of ed25519's prime-order subgroup")
        return Ed25519Point(self, data)

    def hash_to_point(self, transcript_bytes: bytes) -> Point:
        for attempt in range(MAX_HASH_ATTEMPTS):
            candidate = hash_candidate(self, transcript_bytes, attempt, 32)
            try:
                found = _cleared(candidate)
            except RuntimeError:  # not a point of the curve
                continue
            if found != _NEUTRAL:
                return Ed25519Point(self, found)
        raise Malformed("no point found; the hash function is broken")

    def x_coordinate(self, point: Point) -> int:
        # what a point shares with its negative is y here; x is what tells the two apart
        octets = point.to_bytes()
        return int.from_bytes(octets, "little") & ~(1 << 255)

    def sum(self, points: Iterable[Point]) -> Point:
        encoded = []
        for point in points:
            if not isinstance(point, Ed25519Point) or point.group is not self:
                raise mixed(self, point.group)
            if point.encoded:
                encoded.append(point.encoded)
        return self.sum_of(encoded)

    def sum_of(self, encoded: Sequence[bytes]) -> Point:
        """The sum of elements given by their encodings, none of them the identity's."""
        total = encoded[0] if encoded else _NEUTRAL
        for one in encoded[1:]:
            total = crypto_core_ed25519_add(total, one)
        return self.identity if total == _NEUTRAL else Ed25519Point(self, total)

    def combination(self, points: Sequence[Point], weights: Sequence[int]) -> Point:
        breathe()
        same_length(points, weights)
        products = []
        for point, weight in zip(points, weights, strict=True):
            if not isinstance(point, Ed25519Point) or point.group is not self:
                raise mixed(self, point.group)
            weight %= ORDER
            if weight and point.encoded:
                products.append(_times(point.encoded, weight))
        return self.sum_of(products)

    def read_and_combine(self, data: bytes, count: int, weights: Sequence[int]) -> tuple[list[Point], Point]:
        # a product refuses every point that `point_from_bytes` refuses, and costs 46 us more than it does
        if len(weights) != count:
            raise ValueError(f"{len(weights)} weights for {count} points")
        exact_length(data, count, 32, "ed25519 points")
        data = bytes(data)
        points: list[Point] = []
        products = []
        for place, weight in enumerate(weights):
            encoded = data[32 * place : 32 * place + 32]
            weight %= ORDER
            if place % _BREATH == 0:
                breathe()
            if weight < 2:  # nothing to multiply, so nothing would check
                points.append(self.point_from_bytes(encoded))
                products += [encoded] * weight
                continue
            try:
                products.append(crypto_scalarmult_ed25519_noclamp(weight.to_bytes(32, "little"), encoded))
            except RuntimeError:
                raise Malformed("not the encoding of a point of ed25519's prime-order subgroup") from None
            points.append(Ed25519Point(self, encoded))
        return points, self.sum_of(products)


def _times(encoded: bytes, factor: int) -> bytes:
    """factor times an element in variable time; 0 < factor < order."""
    if factor.bit_length() + factor.bit_count() - 2 > _MAX_ADDITIONS:
        return crypto_scalarmult_ed25519_noclamp(factor.to_bytes(32, "little"), encoded)
    total = encoded
    for bit in bin(factor)[3:]:
        total = crypto_core_ed25519_add(total, total)
        if bit == "1":
            total = crypto_core_ed25519_add(total, encoded)
    return total


def _negative(encoded: bytes) -> bytes:
    # x changes its sign; no element but the identity has x = 0, of which there is no negative
    return encoded[:31] + bytes([encoded[31] ^ _SIGN])


def _outside(encoded: bytes) -> bytes:
    """The sum of an element and the point of order 2, (0, -1): both coordinates change their signs."""
    y = int.from_bytes(encoded, "little") & ~(1 << 255)
    return _negative((FIELD - y | int.from_bytes(encoded, "little") & 1 << 255).to_bytes(32, "little"))


def _cleared(candidate: bytes) -> bytes:
    """Eight times the curve's point that `candidate` encodes: in the subgroup, whatever the point was.

    Raises `RuntimeError` if it encodes none. Sums, other than products, are taken on the whole curve; they
    would also read a y that is not reduced, which is no encoding.
    """
    if int.from_bytes(candidate, "little") & ~(1 << 255) >= FIELD:
        raise RuntimeError("y is not below the field's prime")
    total = candidate
    for _ in range(3):
        total = crypto_core_ed25519_add(total, total)
    return total


ED25519: Final = Ed25519Group()
