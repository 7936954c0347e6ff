"""Points of a short Weierstrass curve of prime order in our own arithmetic: what P-256 and STARK share.

For **public** values: additions, sums with public weights, square roots, all in variable time. Products with
secret scalars are the backends' own (`quorate.groups.p256`, `quorate.groups.stark`). Points are affine, since
with gmpy2 an inversion costs less than an addition; longer sums run in Jacobian coordinates (Bernstein and
Lange, "Explicit-formulas database"), several points at once by the method of Straus (1964) with signed
digits. Encodings are SEC 1's compressed ones.

`quorate.groups.pure` is another implementation of the same mathematics, kept apart on purpose: it is the
simple one that tests hold against this one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from quorate.courtesy import breathe
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
from quorate.groups.integers import Convert, LucasV

Affine: TypeAlias = tuple[int, int]
Jacobian: TypeAlias = tuple[int, int, int]
"""(X, Y, Z) with x = X/Z^2 and y = Y/Z^3; the identity has Z = 0."""

_DIGIT_BITS: Final = 4
"""Width of the signed digits of public weights: four odd multiples of each point, a digit every five bits."""
_BREATH: Final = 32
"""Points whose doublings are shared, between two pauses for whoever is more urgent: three milliseconds."""


class Curve:
    """y^2 = x^3 + ax + b over a prime field, with some kind of integers. Trusts its input."""

    __slots__ = ("a", "b", "convert", "identity", "lucas_v", "p")

    def __init__(self, convert: Convert, lucas_v: LucasV, *, field: int, a: int, b: int) -> None:
        self.convert: Final = convert
        self.lucas_v: Final = lucas_v
        self.p: Final = convert(field)
        self.a: Final = convert(a)
        self.b: Final = convert(b)
        self.identity: Final = (convert(1), convert(1), convert(0))

    def double(self, point: Jacobian) -> Jacobian:
        """2 * point; there is no point with y = 0, since the order is odd."""
        x, y, z = point
        p = self.p
        zz, yy = z * z % p, y * y % p
        s = 4 * x * yy % p
        m = (3 * x * x + self.a * (zz * zz % p)) % p
        x3 = (m * m - 2 * s) % p
        return x3, (m * (s - x3) - 8 * yy * yy) % p, 2 * y * z % p

    def add(self, one: Jacobian, two: Jacobian) -> Jacobian:
        """one + two, any two points."""
        x1, y1, z1 = one
        x2, y2, z2 = two
        p = self.p
        if not z1:
            return two
        if not z2:
            return one
        z1z1, z2z2 = z1 * z1 % p, z2 * z2 % p
        u1, s1 = x1 * z2z2 % p, y1 * z2 % p * z2z2 % p
        h, r = (x2 * z1z1 - u1) % p, (y2 * z1 % p * z1z1 - s1) % p
        if not h:
            return self.identity if r else self.double(one)
        hh = h * h % p
        hhh, v = h * hh % p, u1 * hh % p
        x3 = (r * r - hhh - 2 * v) % p
        return x3, (r * (v - x3) - s1 * hhh) % p, h * z1 % p * z2 % p

    def add_affine(self, one: Jacobian, two: Affine) -> Jacobian:
        """one + two, where two is not the identity."""
        x1, y1, z1 = one
        x2, y2 = two
        p = self.p
        if not z1:
            return x2, y2, self.identity[0]
        z1z1 = z1 * z1 % p
        h, r = (x2 * z1z1 - x1) % p, (y2 * z1 % p * z1z1 - y1) % p
        if not h:
            return self.identity if r else self.double(one)
        hh = h * h % p
        hhh, v = h * hh % p, x1 * hh % p
        x3 = (r * r - hhh - 2 * v) % p
        return x3, (r * (v - x3) - y1 * hhh) % p, h * z1 % p

    def sum_of_two(self, one: Affine, two: Affine) -> Affine | None:
        """one + two; None for the identity."""
        x1, y1 = one
        x2, y2 = two
        p = self.p
        if x1 == x2:
            if (y1 + y2) % p == 0:
                return None
            slope = (3 * x1 * x1 + self.a) * pow(2 * y1, -1, p) % p
        else:
            slope = (y2 - y1) * pow(x2 - x1, -1, p) % p
        x3 = (slope * slope - x1 - x2) % p
        return x3, (slope * (x1 - x3) - y1) % p

    def to_affine(self, points: Sequence[Jacobian]) -> list[Affine]:
        """All of them with one inversion (Montgomery 1987); none may be the identity."""
        p = self.p
        products = []
        total = self.identity[0]
        for _, _, z in points:
            products.append(total)
            total = total * z % p
        inverse = pow(total, -1, p)
        found = []
        for (x, y, z), before in zip(reversed(points), reversed(products), strict=True):
            one = inverse * before % p
            inverse = inverse * z % p
            square = one * one % p
            found.append((x * square % p, y * square % p * one % p))
        found.reverse()
        return found

    def combination(self, terms: Sequence[tuple[Affine, int]]) -> Jacobian:
        """The sum of weight * point, in variable time, for weights above 0."""
        table = self.to_affine([multiple for point, _ in terms for multiple in self._odd_multiples(point)])
        width = 1 << (_DIGIT_BITS - 2)
        additions: list[list[Affine]] = []
        for number, (_, weight) in enumerate(terms):
            begin = number * width
            for place, digit in _signed_digits(weight):
                while len(additions) <= place:
                    additions.append([])
                x, y = table[begin + (abs(digit) >> 1)]
                additions[place].append((x, y) if digit > 0 else (x, self.p - y))
        total = self.identity
        double, add = self.double, self.add_affine
        for here in reversed(additions):
            if total[2]:
                total = double(total)
            for point in here:
                total = add(total, point)
        return total

    def lift(self, x: int, parity: int) -> Affine | None:
        """The point with this x and the parity of y, if there is one; x is public and any integer >= 0."""
        p = self.p
        if x >= p:
            return None
        x = self.convert(x)
        y = self._root((x * x * x + self.a * x + self.b) % p)
        if y is None or (y == 0 and parity):
            return None
        return x, (y if y & 1 == parity else p - y)

    def _odd_multiples(self, point: Affine) -> list[Jacobian]:
        base = (*point, self.identity[0])
        twice = self.double(base)
        multiples = [base]
        while len(multiples) < 1 << (_DIGIT_BITS - 2):
            multiples.append(self.add(multiples[-1], twice))
        return multiples

    def _root(self, square: int) -> int | None:
        """A square root in the field, or None.

        One power if the field is 3 modulo 4. Else by a Lucas sequence (Mueller, "On the computation of square
        roots in finite fields", 2004): the field of STARK is 1 modulo 2^192, and the method of Tonelli and
        Shanks would take 18,000 products there.
        """
        p = self.p
        if p % 4 == 3:
            root = pow(square, (p + 1) // 4, p)
        elif not square:
            return square
        else:
            t = self.identity[0]
            while self._is_square((square * t * t - 4) % p):
                t += 1
            root = self.lucas_v((square * t * t - 2) % p, 1, (p - 1) // 4, p) * pow(t, -1, p) % p
        return root if root * root % p == square else None

    def _is_square(self, value: int) -> bool:
        return not value or pow(value, (self.p - 1) // 2, self.p) == 1


def _signed_digits(weight: int) -> list[tuple[int, int]]:
    """(place, odd digit) with digits below 2^(_DIGIT_BITS - 1) in magnitude, whose sum is the weight."""
    whole, half, digits, place = 1 << _DIGIT_BITS, 1 << (_DIGIT_BITS - 1), [], 0
    while weight:
        zeros = (weight & -weight).bit_length() - 1
        weight >>= zeros
        place += zeros
        digit = weight & (whole - 1)
        if digit >= half:
            digit -= whole
        digits.append((place, digit))
        weight -= digit
    return digits


class CurvePoint(Point):
    """An affine point, or the identity. A backend adds `multiply` for secret scalars."""

    __slots__ = ("at",)

    group: CurveGroup

    def __init__(self, group: CurveGroup, at: Affine | None) -> None:
        """Trusts that `at` lies on the curve; `CurveGroup.point_from_bytes` checks."""
        self.group = group
        self.at: Final = at

    @property
    def is_identity(self) -> bool:
        return self.at is None

    def multiply_public(self, scalar: Scalar) -> Point:
        group = self.group
        if scalar.group is not group:
            raise mixed(group, scalar.group)
        return group.weighted([(self, scalar.value)])

    def to_bytes(self) -> bytes:
        if self.at is None:
            raise no_encoding(self.group)
        x, y = self.at
        return (b"\x03" if y & 1 else b"\x02") + int(x).to_bytes(32, "big")

    def __add__(self, other: Point) -> Point:
        group = self.group
        if not isinstance(other, CurvePoint) or other.group is not group:
            raise mixed(group, other.group)
        if self.at is None:
            return other
        if other.at is None:
            return self
        return group.made(group.curve.sum_of_two(self.at, other.at))

    def __neg__(self) -> Point:
        if self.at is None:
            return self
        x, y = self.at
        return self.group.made((x, self.group.curve.p - y))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CurvePoint):
            return NotImplemented
        return self.group is other.group and self.at == other.at

    def __hash__(self) -> int:
        return hash(self.at)


class CurveGroup(Group):
    """A group of such points, with 32-byte coordinates. Subclasses set name, order and generator."""

    scalar_length = 32
    point_length = 33
    curve: Curve

    @abstractmethod
    def made(self, at: Affine | None) -> CurvePoint:
        """The point with coordinates that are known to be right."""

    def affine(self, point: Jacobian) -> CurvePoint:
        """The point with these projective coordinates."""
        return self.made(self.curve.to_affine([point])[0] if point[2] else None)

    def point_from_bytes(self, data: bytes) -> Point:
        if len(data) != 33:
            raise Malformed(f"a {self.name} point has 33 bytes, not {len(data)}")
        if data[0] not in (2, 3):
            raise Malformed(f"a {self.name} point begins with 02 or 03")
        at = self.curve.lift(int.from_bytes(data[1:], "big"), data[0] & 1)
        if at is None:
            raise Malformed(f"not the x coordinate of a point of {self.name}")
        return self.made(at)

    def hash_to_point(self, transcript_bytes: bytes) -> Point:
        bits = (1 << self.curve.p.bit_length()) - 1
        for attempt in range(MAX_HASH_ATTEMPTS):
            candidate = hash_candidate(self, transcript_bytes, attempt, 33)
            # only as many bits as a coordinate has: of 256 bits, one in 32 would be below STARK's prime
            x = int.from_bytes(candidate[1:], "big") & bits
            at = self.curve.lift(x, candidate[0] & 1)
            if at is not None:
                return self.made(at)
        raise Malformed("no point found; the hash function is broken")

    def x_coordinate(self, point: Point) -> int:
        if not isinstance(point, CurvePoint) or point.group is not self:
            raise mixed(self, point.group)
        if point.at is None:
            raise no_encoding(self)
        return int(point.at[0])

    def sum(self, points: Iterable[Point]) -> Point:
        total, curve = self.curve.identity, self.curve
        for point in points:
            if not isinstance(point, CurvePoint) or point.group is not self:
                raise mixed(self, point.group)
            if point.at is not None:
                total = curve.add_affine(total, point.at)
        return self.affine(total)

    def combination(self, points: Sequence[Point], weights: Sequence[int]) -> Point:
        same_length(points, weights)
        return self.weighted(list(zip(points, weights, strict=True)))

    def weighted(self, terms: Sequence[tuple[Point, int]]) -> Point:
        """The sum of weight * point, in variable time."""
        chosen = []
        for point, weight in terms:
            if not isinstance(point, CurvePoint) or point.group is not self:
                raise mixed(self, point.group)
            weight %= self.order
            if weight and point.at is not None:
                chosen.append((point.at, weight))
        total = self.curve.identity
        for begin in range(0, len(chosen), _BREATH):
            breathe()
            total = self.curve.add(total, self.curve.combination(chosen[begin : begin + _BREATH]))
        return self.affine(total)
