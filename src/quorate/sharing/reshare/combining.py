"""From dealings of old shares to new shares: Lagrange's formula, over batches and in the exponent.

Old node i dealt its share x_i by a polynomial f_i with f_i(0) = x_i. Any d+1 of them at points S give
x' = sum of lam_i f_i at the new points, where lam_i is Lagrange's coefficient of i over S at 0: a polynomial
with the old key at 0 and otherwise fresh (Desmedt and Jajodia 1997; Cachin, Kursawe, Lysyanskaya and Strobl,
CCS 2002, section 5). Step 6 of docs/protocols/resharing.md.

Pure functions; what they are given was verified: each share lies on its dealer's commitment.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from math import lcm, prod

from quorate.errors import LocalError
from quorate.groups import Group, Point
from quorate.session import PartyId

Columns = Sequence[Sequence[Point]]
"""A dealer's commitments: a column for each coefficient, a point for each key."""


def choose(
    dealers: Sequence[PartyId], gaps: Mapping[PartyId, Collection[int]], count: int, needed: int
) -> tuple[dict[tuple[PartyId, ...], list[int]], tuple[int, ...]]:
    """Step 6a: for each key the first `needed` of the decided dealers that have it; and what keys are lost.

    The former as the keys of each set of dealers: almost always one set, of all keys. Everybody who knows
    the same dealings chooses the same.
    """
    if len(set(dealers)) != len(dealers):
        # a dealer that counts twice would take one polynomial for two
        raise LocalError("resharing: a dealer was decided twice")
    chosen: dict[tuple[PartyId, ...], list[int]] = {}
    lost = []
    for index in range(count):
        able = [dealer for dealer in dealers if index not in gaps.get(dealer, ())]
        if len(able) < needed:
            lost.append(index)
        else:
            chosen.setdefault(tuple(able[:needed]), []).append(index)
    return chosen, tuple(lost)


def coefficients(points: Sequence[int]) -> tuple[list[int], int]:
    """Lagrange's coefficients at 0 over `points`, as integers over one common denominator.

    Over the integers, not modulo the order: committees have small points, so these are small numbers, and a
    point is multiplied by one of them in a fifth of the time.
    """
    fractions = [
        Fraction(prod(-x for x in points if x != i), prod(i - x for x in points if x != i)) for i in points
    ]
    denominator = lcm(*(fraction.denominator for fraction in fractions))
    return [int(fraction * denominator) for fraction in fractions], denominator


def combine_shares(group: Group, points: Sequence[int], dealt: Sequence[Sequence[int]]) -> list[int]:
    """Step 6b: one node's new shares from what the dealers at `points` dealt to it, in the same order."""
    if len(points) != len(dealt):
        raise ValueError("as many dealings as points are combined")
    factors, denominator = coefficients(points)
    inverse = pow(denominator, -1, group.order)
    weights = [factor * inverse % group.order for factor in factors]
    return [
        sum(weight * share for weight, share in zip(weights, shares, strict=True)) % group.order
        for shares in zip(*dealt, strict=True)
    ]


def combine_commitments(
    group: Group, points: Sequence[int], dealt: Sequence[Columns], public_keys: Sequence[Point]
) -> list[list[Point]]:
    """Step 6c: the columns of the new commitments. Raises `LocalError` unless the keys are the old ones.

    That they are follows from the comparison of each dealer's constant with its public share; nobody's key
    shall depend on that having been done.
    """
    factors, denominator = coefficients(points)
    if len(points) != len(dealt) or len({len(columns) for columns in dealt}) != 1:
        raise ValueError("as many dealings as points, all of one degree, are combined")
    factor = group.scalar(denominator)
    for constants, public_key in zip(
        zip(*(columns[0] for columns in dealt), strict=True), public_keys, strict=True
    ):
        if _combine(group, constants, factors) != public_key.multiply_public(factor):
            raise LocalError("resharing: the dealings do not combine to the key that was shared")
    inverse = factor.inverse()
    combined = [list(public_keys)]
    for column in range(1, len(dealt[0])):
        rows = zip(*(columns[column] for columns in dealt), strict=True)
        sums = [_combine(group, row, factors) for row in rows]
        combined.append(sums if denominator == 1 else [total.multiply_public(inverse) for total in sums])
    return combined


def _combine(group: Group, points: Sequence[Point], factors: Sequence[int]) -> Point:
    """The weighted sum; a negative factor is taken to its point, since modulo the order it is a long one."""
    signed = [point if factor > 0 else -point for point, factor in zip(points, factors, strict=True)]
    return group.combination(signed, [abs(factor) for factor in factors])
