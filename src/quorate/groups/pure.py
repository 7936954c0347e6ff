"""Any short Weierstrass curve y^2 = x^3 + ax + b of prime order, in Python integers (SEC 1 encodings).

The oracle that the native backends are tested against, and the pattern for a new curve. **Not constant
time**: secret scalars leak through time, so no product curve runs on it.

How to add a curve:

1. Write one file beside this one: a subclass of `Point` for its elements, a subclass of `Group` that sets
   `name`, `order`, `scalar_length`, `point_length`, `generator`, `identity`, and one instance of it.
2. Name the instance under the entry point group ``quorate.groups``; `quorate.groups.registry` finds it.
3. Run the tests of tests/properties/test_groups.py with the new instance in their list: they are the
   contract (group laws, strict decoding, the identity's behaviour, agreement with an oracle).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from quorate.errors import Malformed
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

Jacobian: TypeAlias = tuple[int, int, int]
"""(X, Y, Z) with x = X/Z^2 and y = Y/Z^3; the identity has Z = 0."""


class WeierstrassPoint(Point):
    """An affine point; x is None for the identity."""

    __slots__ = ("x", "y")

    def __init__(self, group: WeierstrassGroup, x: int | None, y: int) -> None:
        """Trusts that (x, y) lies on the curve; `WeierstrassGroup.point` checks."""
        self.group: WeierstrassGroup = group
        self.x: Final = x
        self.y: Final = y

    @property
    def is_identity(self) -> bool:
        return self.x is None

    def multiply(self, scalar: Scalar) -> Point:
        group = self.group
        if scalar.group is not group:
            raise mixed(group, scalar.group)
        base = self.jacobian()
        total: Jacobian = (1, 1, 0)
        for bit in bin(scalar.value)[2:]:
            total = group.double(total)
            if bit == "1":
                total = group.add(total, base)
        return group.from_jacobian(total)

    multiply_public = multiply

    def to_bytes(self) -> bytes:
        if self.x is None:
            raise no_encoding(self.group)
        return bytes([2 + (self.y & 1)]) + self.x.to_bytes(self.group.point_length - 1, "big")

    def __add__(self, other: Point) -> Point:
        group = self.group
        if not isinstance(other, WeierstrassPoint) or other.group is not group:
            raise mixed(group, other.group)
        return group.from_jacobian(group.add(self.jacobian(), other.jacobian()))

    def __neg__(self) -> Point:
        return WeierstrassPoint(self.group, self.x, -self.y % self.group.field)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WeierstrassPoint):
            return NotImplemented
        return self.group is other.group and self.x == other.x and self.y == other.y

    def __hash__(self) -> int:
        return hash((self.x, self.y))

    def jacobian(self) -> Jacobian:
        """Projective coordinates of this point."""
        return (1, 1, 0) if self.x is None else (self.x, self.y, 1)


class WeierstrassGroup(Group):
    """The points of one curve. The field must be 3 modulo 4 (plain square roots) and the cofactor 1."""

    def __init__(
        self, name: str, *, field: int, a: int, b: int, order: int, generator: tuple[int, int]
    ) -> None:
        if field % 4 != 3:
            raise ValueError("this backend takes square roots only where the field is 3 modulo 4")
        self.name = name
        self.field: Final = field
        self.a: Final = a % field
        self.b: Final = b % field
        self.order = order
        self.scalar_length = (order.bit_length() + 7) // 8
        self.point_length = 1 + (field.bit_length() + 7) // 8
        self.identity = WeierstrassPoint(self, None, 0)
        self.generator = self.point(*generator)

    def point(self, x: int, y: int) -> Point:
        """The point with these coordinates. Raises `Malformed` if they are not on the curve."""
        if not (0 <= x < self.field and 0 <= y < self.field) or (y * y - self._cubic(x)) % self.field:
            raise Malformed(f"not a point of {self.name}")
        return WeierstrassPoint(self, x, y)

    def point_from_bytes(self, data: bytes) -> Point:
        if len(data) != self.point_length:
            raise Malformed(f"a {self.name} point has {self.point_length} bytes, not {len(data)}")
        if data[0] not in (2, 3):
            raise Malformed(f"a {self.name} point begins with 02 or 03")
        point = self._lift(int.from_bytes(data[1:], "big"), data[0] & 1)
        if point is None:
            raise Malformed(f"not the x coordinate of a point of {self.name}")
        return point

    def combination(self, points: Sequence[Point], weights: Sequence[int]) -> Point:
        # bit by bit over all points at once (Straus 1964): the doublings are shared
        same_length(points, weights)
        terms = []
        for point, weight in zip(points, weights, strict=True):
            if not isinstance(point, WeierstrassPoint) or point.group is not self:
                raise mixed(self, point.group)
            terms.append((point.jacobian(), weight % self.order))
        total: Jacobian = (1, 1, 0)
        for place in reversed(range(max((weight.bit_length() for _, weight in terms), default=0))):
            total = self.double(total)
            for term, weight in terms:
                if weight >> place & 1:
                    total = self.add(total, term)
        return self.from_jacobian(total)

    def hash_to_point(self, transcript_bytes: bytes) -> Point:
        for attempt in range(MAX_HASH_ATTEMPTS):
            candidate = hash_candidate(self, transcript_bytes, attempt, self.point_length)
            point = self._lift(int.from_bytes(candidate[1:], "big"), candidate[0] & 1)
            if point is not None:
                return point
        raise Malformed("no point found; the hash function is broken")

    def x_coordinate(self, point: Point) -> int:
        return int.from_bytes(point.to_bytes()[1:], "big")

    def double(self, point: Jacobian) -> Jacobian:
        """2 * point."""
        x, y, z = point
        p = self.field
        if not z or not y:
            return (1, 1, 0)
        square = y * y % p
        s = 4 * x * square % p
        m = (3 * x * x + self.a * pow(z, 4, p)) % p
        x3 = (m * m - 2 * s) % p
        return x3, (m * (s - x3) - 8 * square * square) % p, 2 * y * z % p

    def add(self, one: Jacobian, two: Jacobian) -> Jacobian:
        """one + two, any two points."""
        x1, y1, z1 = one
        x2, y2, z2 = two
        p = self.field
        if not z1:
            return two
        if not z2:
            return one
        z1z1, z2z2 = z1 * z1 % p, z2 * z2 % p
        u1, u2 = x1 * z2z2 % p, x2 * z1z1 % p
        s1, s2 = y1 * z2 * z2z2 % p, y2 * z1 * z1z1 % p
        if u1 == u2:
            return self.double(one) if s1 == s2 else (1, 1, 0)
        h, r = (u2 - u1) % p, (s2 - s1) % p
        hh = h * h % p
        hhh, v = h * hh % p, u1 * hh % p
        x3 = (r * r - hhh - 2 * v) % p
        return x3, (r * (v - x3) - s1 * hhh) % p, h * z1 * z2 % p

    def from_jacobian(self, point: Jacobian) -> Point:
        """The affine point."""
        x, y, z = point
        if not z:
            return self.identity
        inverse = pow(z, -1, self.field)
        square = inverse * inverse % self.field
        return WeierstrassPoint(self, x * square % self.field, y * square * inverse % self.field)

    def _cubic(self, x: int) -> int:
        return (x * x * x + self.a * x + self.b) % self.field

    def _lift(self, x: int, parity: int) -> Point | None:
        """The point with this x and the parity of y, if there is one."""
        if x >= self.field:
            return None
        cubic = self._cubic(x)
        y = pow(cubic, (self.field + 1) // 4, self.field)
        if y * y % self.field != cubic or (y == 0 and parity):
            return None
        return WeierstrassPoint(self, x, y if y & 1 == parity else self.field - y)


PURE_SECP256K1: Final = WeierstrassGroup(
    "secp256k1",
    field=0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_FFFFFC2F,
    a=0,
    b=7,
    order=0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141,
    generator=(
        0x79BE667E_F9DCBBAC_55A06295_CE870B07_029BFCDB_2DCE28D9_59F2815B_16F81798,
        0x483ADA77_26A3C465_5DA4FBFC_0E1108A8_FD17B448_A6855419_9C47D08F_FB10D4B8,
    ),
)
"""The oracle of `quorate.groups.secp256k1`; the same curve and name, a group object of its own."""
