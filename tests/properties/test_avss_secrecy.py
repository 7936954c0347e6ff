"""The scalars of a sharing, all of them: over a tiny field every polynomial is tried.

A batch of the code under test is the set of all symmetric polynomials, so that what is enumerated is what
runs.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product

import pytest

from quorate.sharing.avss.bivariate import evaluate, interpolate, pairs, row

CASES = [(5, 1), (5, 2), (7, 1), (7, 2)]
NODES = 4


def everything(order: int, degree: int) -> list[list[int]]:
    """All polynomials, as columns of one batch."""
    return [list(column) for column in zip(*product(range(order), repeat=len(pairs(degree))), strict=True)]


@pytest.mark.parametrize(("order", "degree"), CASES)
def test_what_d_nodes_see_is_distributed_the_same_for_every_secret(order: int, degree: int) -> None:
    columns = everything(order, degree)
    rows = {x: list(zip(*row(columns, degree, x, order), strict=True)) for x in range(1, NODES + 1)}
    for coalition in combinations(range(1, NODES + 1), degree):
        views: dict[int, Counter[tuple[tuple[int, ...], ...]]] = {s: Counter() for s in range(order)}
        for secret, *seen in zip(columns[0], *(rows[x] for x in coalition), strict=True):
            views[secret][tuple(seen)] += 1
        first = views[0]
        assert sum(first.values()) == len(columns[0]) // order
        assert all(views[secret] == first for secret in range(order))


@pytest.mark.parametrize(("order", "degree"), CASES)
def test_d_and_one_more_nodes_find_the_secret(order: int, degree: int) -> None:
    columns = everything(order, degree)
    rows = {x: row(columns, degree, x, order) for x in range(1, NODES + 1)}
    for coalition in combinations(range(1, NODES + 1), degree + 1):
        assert interpolate({x: rows[x][0] for x in coalition}, 0, order) == columns[0]


@pytest.mark.parametrize(("order", "degree"), CASES)
def test_what_is_sent_to_a_node_lies_on_its_own_row(order: int, degree: int) -> None:
    """So echoes and readies tell a corrupt node nothing that its row does not."""
    columns = everything(order, degree)
    for x, y in product(range(1, NODES + 1), repeat=2):
        sent = evaluate(row(columns, degree, x, order), y, order)
        assert sent == evaluate(row(columns, degree, y, order), x, order)


@pytest.mark.parametrize(("order", "degree"), CASES)
def test_any_d_and_one_more_values_of_a_row_give_it_back(order: int, degree: int) -> None:
    columns = everything(order, degree)
    own = row(columns, degree, 2, order)
    for chosen in combinations(range(1, NODES + 1), degree + 1):
        points = {x: evaluate(own, x, order) for x in chosen}
        for x in range(NODES + 1):
            assert interpolate(points, x, order) == evaluate(own, x, order)
