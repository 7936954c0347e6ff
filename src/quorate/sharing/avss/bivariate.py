"""Symmetric bivariate polynomials over the integers modulo a prime, for a batch of secrets at a time.

phi(x, y) = sum of c_jl x^j y^l with c_jl = c_lj, degree d in each variable, phi(0, 0) the secret (Cachin,
Kursawe, Lysyanskaya and Strobl, CCS 2002, section 3.2; symmetric as in Kate, Huang and Goldberg, ePrint
2012/377). Node i gets its row a_i(y) = phi(i, y); since phi(i, m) = phi(m, i), two nodes hold one value in
common, which is how a node that got no row finds it.

A batch is kept in columns: one list of integers for each coefficient, one entry for each secret. List
comprehensions over columns cost a tenth of what an object for each scalar would.

All of it is secret but the points of evaluation, small integers. Time depends on values as Python's integers
do (SECURITY.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from quorate.entropy import Rng
from quorate.groups import Group
from quorate.groups.group import WIDE_MARGIN
from quorate.sharing.access import lagrange

Column: TypeAlias = Sequence[int]
"""One number of each polynomial of a batch."""


@cache
def pairs(degree: int) -> tuple[tuple[int, int], ...]:
    """The coefficients kept, (j, l) with j <= l, in their order: (0, 0), (0, 1), .., (0, d), (1, 1), ..

    The first d+1 of them are those of phi(0, y), on which the shares lie.
    """
    return tuple((j, l) for j in range(degree + 1) for l in range(j, degree + 1))


@cache
def places(degree: int) -> Mapping[tuple[int, int], int]:
    """Where in `pairs` each coefficient stands, (j, l) and (l, j) at the same place."""
    found = {}
    for place, (j, l) in enumerate(pairs(degree)):
        found[j, l] = found[l, j] = place
    return found


def draw(group: Group, degree: int, count: int, rng: Rng) -> list[list[int]]:
    """The coefficients of `count` random polynomials: a column for each of `pairs`.

    None is zero, whose commitment would have no encoding; the bias is 1/order.
    """
    width, below = group.scalar_length + WIDE_MARGIN, group.order - 1
    data = rng(width * count * len(pairs(degree)))
    read = int.from_bytes
    values = [read(data[i : i + width], "big") % below + 1 for i in range(0, len(data), width)]
    return [values[i : i + count] for i in range(0, len(values), count)]


def row(columns: Sequence[Column], degree: int, x: int, order: int) -> list[list[int]]:
    """The coefficients of phi(x, y) as a polynomial in y: d+1 columns."""
    place = places(degree)
    return [evaluate([columns[place[j, l]] for j in range(degree + 1)], x, order) for l in range(degree + 1)]


def evaluate(coefficients: Sequence[Column], x: int, order: int) -> list[int]:
    """A polynomial in one variable, constant term first, at `x`."""
    total: Column = coefficients[-1]
    for column in reversed(coefficients[:-1]):
        # reduced at the end only: x is small
        total = [value * x + c for value, c in zip(total, column, strict=True)]
    return [value % order for value in total]


def interpolate(points: Mapping[int, Column], at: int, order: int) -> list[int]:
    """The values at `at` of the polynomials of degree len(points)-1 through `points`."""
    xs = sorted(points)
    weights = [lagrange(xs, x, at, order) for x in xs]
    total = [weights[0] * value for value in points[xs[0]]]
    for x, weight in zip(xs[1:], weights[1:], strict=True):
        total = [sum_ + weight * value for sum_, value in zip(total, points[x], strict=True)]
    return [value % order for value in total]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Row:
    """What node i holds of a batch: a_i(0), its shares, and a_i(x) for each node x, as it is sent there."""

    shares: tuple[int, ...]
    packed: tuple[bytes, ...]

    @classmethod
    def of(cls, group: Group, nodes: int, coefficients: Sequence[Column]) -> Row:
        """From the row's own coefficients."""
        values = (evaluate(coefficients, x, group.order) for x in range(1, nodes + 1))
        return cls(tuple(coefficients[0]), tuple(group.write_scalars(column) for column in values))

    @classmethod
    def through(cls, group: Group, nodes: int, points: Mapping[int, Column]) -> Row:
        """From d+1 of its values."""
        values = (interpolate(points, x, group.order) for x in range(1, nodes + 1))
        shares = interpolate(points, 0, group.order)
        return cls(tuple(shares), tuple(group.write_scalars(column) for column in values))

    def at(self, x: int) -> bytes:
        """The values at a node's point, packed."""
        return self.packed[x - 1]
