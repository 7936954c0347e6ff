"""A tiny group with real algebra and no security, so that the simulator can run thousands of sessions.

The signed quadratic residues modulo a safe prime p = 2q + 1 (Hofheinz and Kiltz, "The group of signed
quadratic residues and applications"): the classes {r, -r} modulo p, each written as the smaller of its two
members, under multiplication. Its order is the prime q of 61 bits, every integer in 1..q is an element, and
membership needs no exponentiation. Discrete logarithms cost about 2^30 steps: seconds. Written additively
here, as every `Group` is: `a + b` multiplies residues.

Refused by name unless a caller opts in, see `quorate.groups.registry.allow_toy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quorate.errors import Malformed
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

ORDER: Final = 2305843009213688669
MODULUS: Final = 2 * ORDER + 1


class ToyPoint(Point):
    """A class {r, p - r}, held as its smaller member."""

    __slots__ = ("residue",)

    def __init__(self, group: ToyGroup, residue: int) -> None:
        self.group: ToyGroup = group
        self.residue: Final = residue

    @property
    def is_identity(self) -> bool:
        return self.residue == 1

    def multiply(self, scalar: Scalar) -> Point:
        if scalar.group is not self.group:
            raise mixed(self.group, scalar.group)
        return ToyPoint(self.group, _smaller(pow(self.residue, scalar.value, MODULUS)))

    multiply_public = multiply

    def to_bytes(self) -> bytes:
        if self.residue == 1:
            raise no_encoding(self.group)
        return self.residue.to_bytes(8, "big")

    def __add__(self, other: Point) -> Point:
        if not isinstance(other, ToyPoint) or other.group is not self.group:
            raise mixed(self.group, other.group)
        return ToyPoint(self.group, _smaller(self.residue * other.residue % MODULUS))

    def __neg__(self) -> Point:
        return ToyPoint(self.group, _smaller(pow(self.residue, -1, MODULUS)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ToyPoint):
            return NotImplemented
        return self.group is other.group and self.residue == other.residue

    def __hash__(self) -> int:
        return hash(self.residue)


class ToyGroup(Group):
    """See the module; 8-byte points and scalars."""

    name = "toy"
    order = ORDER
    scalar_length = 8
    point_length = 8

    def __init__(self) -> None:
        self.identity = ToyPoint(self, 1)
        self.generator = ToyPoint(self, 4)

    def point_from_bytes(self, data: bytes) -> Point:
        if len(data) != 8:
            raise Malformed(f"a toy point has 8 bytes, not {len(data)}")
        residue = int.from_bytes(data, "big")
        if not 1 < residue <= ORDER:
            raise Malformed("not a point of the toy group")
        return ToyPoint(self, residue)

    def read_points(self, data: bytes, count: int) -> list[Point]:
        exact_length(data, count, 8, "toy points")
        residues = [int.from_bytes(data[i : i + 8], "big") for i in range(0, len(data), 8)]
        if residues and not (min(residues) > 1 and max(residues) <= ORDER):
            raise Malformed("not a point of the toy group")
        return [ToyPoint(self, residue) for residue in residues]

    def combination(self, points: Sequence[Point], weights: Sequence[int]) -> Point:
        same_length(points, weights)
        product = 1
        for point, weight in zip(points, weights, strict=True):
            if not isinstance(point, ToyPoint) or point.group is not self:
                raise mixed(self, point.group)
            product = product * pow(point.residue, weight % ORDER, MODULUS) % MODULUS
        return ToyPoint(self, _smaller(product))

    def hash_to_point(self, transcript_bytes: bytes) -> Point:
        for attempt in range(MAX_HASH_ATTEMPTS):
            residue = int.from_bytes(hash_candidate(self, transcript_bytes, attempt, 8), "big") >> 3
            if 1 < residue <= ORDER:
                return ToyPoint(self, residue)
        raise Malformed("no point found; the hash function is broken")

    def x_coordinate(self, point: Point) -> int:
        # r + 1/r: as on a curve, a point and its negative share it, on which low-s signatures rely
        residue = int.from_bytes(point.to_bytes(), "big")
        return _smaller((residue + pow(residue, -1, MODULUS)) % MODULUS)


def _smaller(residue: int) -> int:
    return residue if residue <= ORDER else MODULUS - residue


TOY_GROUP: Final = ToyGroup()
