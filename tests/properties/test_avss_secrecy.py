"""What d nodes learn of a shared secret: nothing from scalars, and from commitments its public key.

Over a tiny field every polynomial is tried: a batch of the code under test is the set of all symmetric ones,
so that what is enumerated is what runs. The commitments are simulated.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product

import pytest
from tests.support.dealing import Batch, names

from quorate.entropy import SeededRng
from quorate.errors import ProofRejected
from quorate.groups import SECP256K1, Group
from quorate.groups.toy import TOY_GROUP
from quorate.sharing.avss import Setting
from quorate.sharing.avss.bivariate import evaluate, interpolate, pairs, row
from quorate.sharing.avss.commitments import Folded, pack
from quorate.sharing.quorums import Quorums

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


@pytest.mark.parametrize("group", [TOY_GROUP, SECP256K1], ids=lambda group: group.name)
@pytest.mark.parametrize(("nodes", "degree"), [(4, 1), (5, 2), (7, 3)])
def test_what_d_nodes_see_is_simulated_from_the_public_key_alone(
    group: Group, nodes: int, degree: int
) -> None:
    """Feldman's commitments add s G and nothing else: without s, everything that is public can be made.

    Take any sharing of any value s', and add (S - s' G) times Z(x) Z(y) / Z(0)^2 in the exponent, where Z is
    zero at the d corrupt points: the rows of the corrupt stay what they are, C_00 becomes S, and every check
    that they can make accepts.
    """
    order = group.order
    unknown = group.random_scalar(SeededRng(b"nobody knows it"))
    public_key = group.generator.multiply(unknown)
    setting = Setting(bytes(32), group, names(nodes), Quorums(nodes, degree, 1, 0), 1)
    for corrupt in combinations(range(1, nodes + 1), degree):
        batch = Batch(setting, bytes(corrupt))
        vanishing = [1]
        for x in corrupt:
            shifted = [0, *vanishing]
            vanishing = [(a - x * b) % order for a, b in zip(shifted, [*vanishing, 0], strict=True)]
        scale = pow(vanishing[0], -2, order)
        difference = public_key - batch.public[0][0]
        simulated = tuple(
            [column[0] + difference.multiply_public(group.scalar(vanishing[j] * vanishing[l] * scale))]
            for (j, l), column in zip(pairs(degree), batch.public, strict=True)
        )
        assert simulated[0][0] == public_key
        folded = Folded.read(setting, pack(simulated), SeededRng(b"weights"))
        for x in corrupt:
            folded.check_row(x, batch.rows(x))
            for y in range(1, nodes + 1):
                # what an honest y sends to x
                folded.check_values(x, y, group.read_scalars(batch.values(f"n{y}", f"n{x}"), 1))
        honest = next(x for x in range(1, nodes + 1) if x not in corrupt)
        with pytest.raises(ProofRejected):
            folded.check_row(honest, batch.rows(honest))
