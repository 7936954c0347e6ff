"""What a group of prime order is to the rest of the package: `Group`, `Point` and `Scalar`.

Protocols are written for any group and never name a curve. A backend is one file that subclasses `Group`
and `Point` (see `quorate.groups.pure` for how); `Scalar` is shared, an integer modulo the order.

Assumes of its caller: values of one group are not mixed with those of another (checked, raises TypeError),
and `multiply_public`, `hash_to_point` and comparison see public values only. Does not promise constant-time
scalar arithmetic: scalars are Python integers, see SECURITY.md for what that means.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final, cast, overload

from quorate.entropy import Rng
from quorate.errors import LocalError, Malformed

WIDE_MARGIN: Final = 16
"""Extra bytes of a value that is reduced modulo the order: the bias is then below 2^-128."""

MAX_HASH_ATTEMPTS: Final = 256
"""Candidates tried by `Group.hash_to_point`. On secp256k1 half of all candidates fit, so the chance to
need more is 2^-256; the limit only turns a programming error into an exception."""


class Group(ABC):
    """A group of prime order. There is one instance per curve and backend; they compare by identity."""

    name: str
    order: int
    scalar_length: int
    """Bytes of an encoded scalar, big-endian."""
    point_length: int
    """Bytes of an encoded point; every point but the identity has exactly one encoding."""
    generator: Point
    identity: Point

    @abstractmethod
    def point_from_bytes(self, data: bytes) -> Point:
        """The point that `data` encodes. Raises `Malformed` for anything else, the identity included."""

    @abstractmethod
    def hash_to_point(self, transcript_bytes: bytes) -> Point:
        """A point whose discrete logarithm nobody knows, from public bytes (a transcript's digest).

        Try-and-increment: how long it takes depends on the input, so a secret must not go in.
        """

    @abstractmethod
    def x_coordinate(self, point: Point) -> int:
        """The x coordinate as an integer, equal for P and -P. Raises `Malformed` for the identity."""

    def scalar(self, value: int) -> Scalar:
        """`value` modulo the order."""
        return Scalar(value % self.order, self)

    def scalar_from_bytes(self, data: bytes) -> Scalar:
        """The scalar that `data` encodes; zero is one. Raises `Malformed` on a wrong length or >= order."""
        if len(data) != self.scalar_length:
            raise Malformed(f"a {self.name} scalar has {self.scalar_length} bytes, not {len(data)}")
        value = int.from_bytes(data, "big")
        if value >= self.order:
            raise Malformed(f"a {self.name} scalar must be below the group order")
        return Scalar(value, self)

    def scalar_from_wide(self, data: bytes) -> Scalar:
        """Uniform bytes reduced modulo the order, at least `WIDE_MARGIN` more than a scalar has."""
        if len(data) < self.scalar_length + WIDE_MARGIN:
            raise Malformed(f"a uniform {self.name} scalar needs {self.scalar_length + WIDE_MARGIN} bytes")
        return Scalar(int.from_bytes(data, "big") % self.order, self)

    def random_scalar(self, rng: Rng) -> Scalar:
        """A uniform scalar other than zero."""
        wide = int.from_bytes(rng(self.scalar_length + WIDE_MARGIN), "big")
        return Scalar(wide % (self.order - 1) + 1, self)

    def sum(self, points: Iterable[Point]) -> Point:
        """The sum of all `points`; the identity if there are none."""
        total = self.identity
        for point in points:
            total = total + point
        return total

    def combination(self, points: Sequence[Point], weights: Sequence[int]) -> Point:
        """The sum of weight times point over both sequences; the identity if they are empty.

        Everything is public: the time depends on it. Weights are taken modulo the order. Raises `ValueError`
        if the lengths differ, since a sum that silently leaves terms out proves nothing. Backends pause in it
        for whoever is more urgent (`quorate.courtesy`), since batches spend most of their time here.
        """
        same_length(points, weights)
        return self.sum(
            point.multiply_public(self.scalar(weight)) for point, weight in zip(points, weights, strict=True)
        )

    def read_points(self, data: bytes, count: int) -> list[Point]:
        """Exactly `count` encodings, one after the other. Raises `Malformed`, as `point_from_bytes` does."""
        length = self.point_length
        exact_length(data, count, length, f"{self.name} points")
        read = self.point_from_bytes
        return [read(data[i : i + length]) for i in range(0, len(data), length)]

    def read_and_combine(self, data: bytes, count: int, weights: Sequence[int]) -> tuple[list[Point], Point]:
        """`read_points` and the `combination` of what was read: one pass where the backend gains by it."""
        points = self.read_points(data, count)
        return points, self.combination(points, weights)

    def read_scalars(self, data: bytes, count: int) -> list[int]:
        """Exactly `count` encoded scalars as integers below the order. Raises `Malformed`.

        Integers and not `Scalar`: these are the long vectors of batched protocols, where an object for each
        value would cost more than the arithmetic.
        """
        length = self.scalar_length
        exact_length(data, count, length, f"{self.name} scalars")
        read = int.from_bytes
        values = [read(data[i : i + length], "big") for i in range(0, len(data), length)]
        if values and max(values) >= self.order:
            raise Malformed(f"a {self.name} scalar must be below the group order")
        return values

    def write_scalars(self, values: Iterable[int]) -> bytes:
        """The encodings of `values`, one after the other. Each must lie in 0..order-1 (ValueError)."""
        length, order = self.scalar_length, self.order
        values = list(values)
        if values and not (min(values) >= 0 and max(values) < order):
            raise ValueError(f"not every value is a {self.name} scalar")
        return b"".join([value.to_bytes(length, "big") for value in values])

    def __repr__(self) -> str:
        return f"<group {self.name}>"


class Scalar:
    """An integer modulo the group's order. Immutable; most scalars are secret, so it does not print.

    Not a frozen dataclass, whose construction takes three times as long: a signature makes hundreds.
    `Scalar(value, group)` trusts 0 <= value < order; `Group.scalar` reduces, `scalar_from_bytes` checks.
    """

    __slots__ = ("group", "value")

    def __init__(self, value: int, group: Group) -> None:
        self.value: Final = value
        self.group: Final = group

    @property
    def is_zero(self) -> bool:
        """Whether this is 0."""
        return self.value == 0

    def inverse(self) -> Scalar:
        """1/self. Raises `LocalError` for zero."""
        if self.value == 0:
            raise LocalError("zero has no inverse")
        return Scalar(pow(self.value, -1, self.group.order), self.group)

    def to_bytes(self) -> bytes:
        """Big-endian, `Group.scalar_length` bytes."""
        return self.value.to_bytes(self.group.scalar_length, "big")

    def __add__(self, other: Scalar) -> Scalar:
        group = self.group
        if other.group is not group:
            raise mixed(group, other.group)
        return Scalar((self.value + other.value) % group.order, group)

    def __sub__(self, other: Scalar) -> Scalar:
        group = self.group
        if other.group is not group:
            raise mixed(group, other.group)
        return Scalar((self.value - other.value) % group.order, group)

    def __neg__(self) -> Scalar:
        return Scalar(-self.value % self.group.order, self.group)

    @overload
    def __mul__(self, other: Scalar) -> Scalar: ...
    @overload
    def __mul__(self, other: Point) -> Point: ...
    def __mul__(self, other: Scalar | Point) -> Scalar | Point:
        """Product with a scalar, or with a point as `Point.multiply` (the one fit for secrets)."""
        if (
            type(other) is not Scalar
        ):  # isinstance with Point, an abstract class, would cost more than the rest
            return cast(Point, other).multiply(self)
        group = self.group
        if other.group is not group:
            raise mixed(group, other.group)
        return Scalar(self.value * other.value % group.order, group)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Scalar):
            return NotImplemented
        return self.value == other.value and self.group is other.group

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return f"<{self.group.name} scalar>"


class Point(ABC):
    """A group element. Immutable. The identity exists as a value but is never encoded and never decoded."""

    __slots__ = ("group",)

    group: Group

    @property
    @abstractmethod
    def is_identity(self) -> bool:
        """Whether this is the neutral element."""

    @abstractmethod
    def multiply(self, scalar: Scalar) -> Point:
        """scalar * self where the scalar may be secret: constant time where the backend promises it.

        Scalar zero takes another path, outside the backend, and gives the identity: an honest secret is
        zero with negligible probability.
        """

    @abstractmethod
    def multiply_public(self, scalar: Scalar) -> Point:
        """scalar * self for a public scalar, in variable time."""

    @abstractmethod
    def to_bytes(self) -> bytes:
        """The one encoding, `Group.point_length` bytes. Raises `Malformed` for the identity."""

    @abstractmethod
    def __add__(self, other: Point) -> Point: ...

    @abstractmethod
    def __neg__(self) -> Point: ...

    @abstractmethod
    def __eq__(self, other: object) -> bool: ...

    @abstractmethod
    def __hash__(self) -> int: ...

    def __sub__(self, other: Point) -> Point:
        return self + -other

    def __repr__(self) -> str:
        shown = "identity" if self.is_identity else self.to_bytes().hex()
        return f"<{self.group.name} point {shown}>"


def mixed(ours: Group, theirs: Group) -> TypeError:
    """The error for an operation across two groups (or two backends of one)."""
    return TypeError(f"values of {ours!r} and {theirs!r} do not mix")


def no_encoding(group: Group) -> Malformed:
    """The error for an attempt to encode the identity."""
    return Malformed(f"the identity of {group.name} has no encoding")


def same_length(points: Sequence[Point], weights: Sequence[int]) -> None:
    """Raises `ValueError` unless there is one weight for each point."""
    if len(points) != len(weights):
        raise ValueError(f"{len(weights)} weights for {len(points)} points")


def exact_length(data: bytes, count: int, length: int, what: str) -> None:
    """Raises `Malformed` unless `data` holds `count` encodings of `length` bytes."""
    if len(data) != count * length:
        raise Malformed(f"{count} {what} have {count * length} bytes, not {len(data)}")


def hash_candidate(group: Group, data: bytes, attempt: int, length: int) -> bytes:
    """`length` uniform bytes for attempt number `attempt` of a `Group.hash_to_point`.

    Byte for byte what `quorate.primitives.transcript.digest` gives for the tag ``group/hash-to-point`` with
    the fields (group name, data, attempt); written out because groups lie below transcripts. A test holds
    the two together.
    """
    framed = b"".join(
        (
            _hash_prefix(group.name),
            len(data).to_bytes(8, "big"),
            data,
            _FOUR,
            attempt.to_bytes(4, "big"),
            _EIGHT,
            length.to_bytes(8, "big"),
        )
    )
    return hashlib.shake_256(framed).digest(length)


@cache
def _hash_prefix(name: str) -> bytes:
    # kept, because an OT setup hashes to the curve more than a thousand times
    fields = (b"quorate/v1", b"group/hash-to-point", name.encode())
    return b"".join(len(field).to_bytes(8, "big") + field for field in fields)


_FOUR: Final = (4).to_bytes(8, "big")
_EIGHT: Final = (8).to_bytes(8, "big")
