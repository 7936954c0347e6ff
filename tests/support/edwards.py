"""edwards25519 in Python integers: the oracle of `quorate.groups.ed25519`, and the rest of the curve.

Written from RFC 8032 section 5.1 alone. `Edwards` is any point of the curve, so tests can make those outside
the subgroup; `PURE_ED25519` is the subgroup as a `Group`.
"""

from __future__ import annotations

from dataclasses import dataclass

from quorate.errors import Malformed
from quorate.groups.group import MAX_HASH_ATTEMPTS, Group, Point, Scalar, hash_candidate, mixed, no_encoding

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


@dataclass(frozen=True)
class Edwards:
    """Extended coordinates: x = X/Z, y = Y/Z, x y = T/Z."""

    X: int
    Y: int
    Z: int
    T: int

    @classmethod
    def affine(cls, x: int, y: int) -> Edwards:
        assert (-x * x + y * y - 1 - D * x * x * y * y) % P == 0
        return cls(x, y, 1, x * y % P)

    @classmethod
    def decode(cls, data: bytes) -> Edwards:
        """RFC 8032 section 5.1.3, strictly."""
        number = int.from_bytes(data, "little")
        y, sign = number & ~(1 << 255), number >> 255
        if y >= P:
            raise Malformed("y is not reduced")
        u, v = (y * y - 1) % P, (D * y * y + 1) % P
        x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
        if v * x * x % P == -u % P:
            x = x * ROOT_OF_MINUS_ONE % P
        if v * x * x % P != u or (x == 0 and sign):
            raise Malformed("no point has this y")
        return cls.affine(x if x & 1 == sign else P - x, y)

    def coordinates(self) -> tuple[int, int]:
        inverse = pow(self.Z, -1, P)
        return self.X * inverse % P, self.Y * inverse % P

    def encode(self) -> bytes:
        x, y = self.coordinates()
        return (y | (x & 1) << 255).to_bytes(32, "little")

    def __add__(self, other: Edwards) -> Edwards:
        # complete, so that it doubles as well
        a = (self.Y - self.X) * (other.Y - other.X) % P
        b = (self.Y + self.X) * (other.Y + other.X) % P
        c, d = 2 * self.T * other.T * D % P, 2 * self.Z * other.Z % P
        e, f, g, h = b - a, d - c, d + c, b + a
        return Edwards(e * f % P, g * h % P, f * g % P, e * h % P)

    def times(self, factor: int) -> Edwards:
        total = NEUTRAL
        for bit in bin(factor)[2:]:
            total = total + total
            if bit == "1":
                total = total + self
        return total


NEUTRAL = Edwards(0, 1, 1, 0)
BASE = Edwards.decode(bytes.fromhex("58" + "66" * 31))


def torsion() -> list[Edwards]:
    """The eight points whose order divides 8: the identity first, then multiples of one of order 8."""
    y = 2
    while True:
        y += 1
        try:
            point = Edwards.decode(y.to_bytes(32, "little")).times(L)
        except Malformed:
            continue
        if point.times(4).encode() != NEUTRAL.encode():
            return [point.times(i) for i in range(8)]


class PurePoint(Point):
    __slots__ = ("encoded", "inner")

    def __init__(self, group: PureGroup, inner: Edwards) -> None:
        self.group: PureGroup = group
        self.inner = inner
        self.encoded = inner.encode()

    @property
    def is_identity(self) -> bool:
        return self.encoded == NEUTRAL.encode()

    def multiply(self, scalar: Scalar) -> Point:
        if scalar.group is not self.group:
            raise mixed(self.group, scalar.group)
        return PurePoint(self.group, self.inner.times(scalar.value))

    multiply_public = multiply

    def to_bytes(self) -> bytes:
        if self.is_identity:
            raise no_encoding(self.group)
        return self.encoded

    def __add__(self, other: Point) -> Point:
        if not isinstance(other, PurePoint):
            raise mixed(self.group, other.group)
        return PurePoint(self.group, self.inner + other.inner)

    def __neg__(self) -> Point:
        x, y = self.inner.coordinates()
        return PurePoint(self.group, Edwards.affine(-x % P, y))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PurePoint) and self.encoded == other.encoded

    def __hash__(self) -> int:
        return hash(self.encoded)


class PureGroup(Group):
    name = "ed25519"
    order = L
    scalar_length = 32
    point_length = 32

    def __init__(self) -> None:
        self.identity = PurePoint(self, NEUTRAL)
        self.generator = PurePoint(self, BASE)

    def point_from_bytes(self, data: bytes) -> Point:
        if len(data) != 32:
            raise Malformed("an ed25519 point has 32 bytes")
        point = PurePoint(self, Edwards.decode(data))
        if point.is_identity or point.inner.times(L).encode() != NEUTRAL.encode():
            raise Malformed("not in the subgroup")
        return point

    def hash_to_point(self, transcript_bytes: bytes) -> Point:
        for attempt in range(MAX_HASH_ATTEMPTS):
            try:
                found = Edwards.decode(hash_candidate(self, transcript_bytes, attempt, 32)).times(8)
            except Malformed:
                continue
            if found.encode() != NEUTRAL.encode():
                return PurePoint(self, found)
        raise Malformed("no point found; the hash function is broken")

    def x_coordinate(self, point: Point) -> int:
        assert isinstance(point, PurePoint)
        point.to_bytes()
        return point.inner.coordinates()[1]


PURE_ED25519 = PureGroup()
