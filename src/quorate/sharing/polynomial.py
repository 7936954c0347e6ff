"""Shamir's sharing and Feldman's commitments over any group (Shamir 1979; Feldman 1987).

A `Polynomial` has secret coefficients; share i is its value at i. Its `Commitment` holds one point for
each coefficient, so that anybody checks a share in the exponent. Lengths are exact everywhere: a
commitment that is longer than agreed raises the threshold silently, the flaw that was found in ten key
generations at once (Trail of Bits, 2024), and `zip` would hide it.

Points of evaluation are small public integers; commitments are evaluated by Horner's rule with variable
time, since everything in them is public. Secret values meet the constant-time multiplication only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quorate.entropy import Rng
from quorate.errors import Malformed, ProofRejected
from quorate.groups import Group, Point, Scalar
from quorate.secret import Secret
from quorate.sharing.access import lagrange


@dataclass(frozen=True, slots=True)
class Polynomial:
    """Coefficients from the constant term up. All of it is secret."""

    group: Group
    coefficients: Secret[tuple[Scalar, ...]]

    @classmethod
    def random(cls, group: Group, degree: int, rng: Rng, *, constant: Scalar | None = None) -> Polynomial:
        """A fresh polynomial of exactly `degree`, with `constant` at 0 if given."""
        first = group.random_scalar(rng) if constant is None else constant
        rest = (group.random_scalar(rng) for _ in range(degree))
        return cls(group, Secret((first, *rest)))

    @property
    def degree(self) -> int:
        return len(self.coefficients.reveal()) - 1

    def at(self, x: int) -> Secret[Scalar]:
        """The value at `x`: the share of the party at that point."""
        total = 0
        for coefficient in reversed(self.coefficients.reveal()):
            total = (total * x + coefficient.value) % self.group.order
        return Secret(self.group.scalar(total))

    def commit(self) -> Commitment:
        """Feldman's commitment: each coefficient times the generator."""
        generator = self.group.generator
        return Commitment(tuple(generator.multiply(c) for c in self.coefficients.reveal()))


@dataclass(frozen=True, slots=True)
class Commitment:
    """A polynomial in the exponent: public, constant term first, at least one point."""

    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        if not self.points:
            raise Malformed("a commitment has at least one point")

    @property
    def degree(self) -> int:
        return len(self.points) - 1

    @property
    def constant(self) -> Point:
        """The public key of the shared value."""
        return self.points[0]

    def at(self, x: int) -> Point:
        """The public share of the party at the small point `x`."""
        total = self.points[-1]
        group = total.group
        factor = group.scalar(x)
        for point in reversed(self.points[:-1]):
            total = total.multiply_public(factor) + point
        return total

    def check(self, x: int, share: Scalar) -> None:
        """Raises `ProofRejected` unless `share` is the committed polynomial's value at `x`."""
        group = self.constant.group
        if group.generator.multiply(share) != self.at(x):
            raise ProofRejected(f"the share for point {x} does not lie on the committed polynomial")

    def to_bytes(self) -> bytes:
        """The points' encodings, one after the other; the count follows from the length."""
        return b"".join(point.to_bytes() for point in self.points)


def total(commitments: Sequence[Commitment]) -> Commitment:
    """The commitment to the sum of the polynomials. Raises `Malformed` unless all degrees are equal."""
    if len({commitment.degree for commitment in commitments}) != 1:
        raise Malformed("commitments of different degree, or none, have no sum")
    group = commitments[0].constant.group
    columns = zip(*(commitment.points for commitment in commitments), strict=True)
    return Commitment(tuple(group.sum(column) for column in columns))


def interpolate(group: Group, shares: Mapping[int, Scalar], *, at: int = 0) -> Scalar:
    """The value at `at` of the one polynomial of degree len(shares)-1 through `shares`."""
    points = sorted(shares)
    values = (shares[x].value * lagrange(points, x, at, group.order) for x in points)
    return group.scalar(sum(values) % group.order)


def interpolate_public(group: Group, shares: Mapping[int, Point], *, at: int = 0) -> Point:
    """`interpolate` in the exponent."""
    points = sorted(shares)
    return group.sum(
        shares[x].multiply_public(group.scalar(lagrange(points, x, at, group.order))) for x in points
    )
