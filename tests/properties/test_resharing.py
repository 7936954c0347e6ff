"""What old and new shares together say about a key: exact ranks over a field, for every set of thieves (P6).

Every value that anybody holds in an epoch change is a linear form in independent uniform unknowns: the old
polynomial's coefficients and each dealer's own. A set of values determines a target exactly if the target is
in their span, and says nothing at all about it otherwise.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import pytest
from tests.unit.sharing.test_secrecy import Form, knows

from quorate.groups.toy import ORDER, TOY_GROUP
from quorate.sharing.access import lagrange
from quorate.sharing.polynomial import interpolate
from quorate.sharing.quorums import Quorums
from quorate.testing import Dice
from quorate.testing.resharings import OldCommittee


def unknown(name: str) -> Form:
    return Form({name: 1})


def value(coefficients: Iterable[Form], x: int) -> Form:
    total = Form({})
    for power, coefficient in enumerate(coefficients):
        total = total + coefficient * x**power
    return total


class Epochs:
    """One key from n nodes by degree d to m nodes by degree e, dealt by the nodes at `dealers`."""

    def __init__(self, d: int, dealers: tuple[int, ...], e: int) -> None:
        self.dealers = dealers
        self.key = unknown("a0")
        self.old = [unknown(f"a{power}") for power in range(d + 1)]
        self.dealt = {
            i: [self.old_share(i), *(unknown(f"f{i}.{power}") for power in range(1, e + 1))] for i in dealers
        }

    def old_share(self, node: int) -> Form:
        return value(self.old, node)

    def point(self, dealer: int, node: int) -> Form:
        """What a dealer gives a new node."""
        return value(self.dealt[dealer], node)

    def new_share(self, node: int) -> Form:
        total = Form({})
        for dealer in self.dealers:
            total = total + self.point(dealer, node) * lagrange(self.dealers, dealer, 0, ORDER)
        return total

    def stolen_old(self, nodes: Iterable[int]) -> list[Form]:
        """Everything that old nodes know: shares, and what they dealt by."""
        return [form for i in nodes for form in [self.old_share(i), *self.dealt.get(i, [])]]

    def stolen_new(self, nodes: Iterable[int]) -> list[Form]:
        """Everything that new nodes know: each dealer's value, of which the new share is a sum."""
        return [self.point(i, j) for j in nodes for i in self.dealers]


def subsets(names: Iterable[int], size: int) -> Iterator[tuple[int, ...]]:
    return itertools.combinations(names, size)


SHAPES = [
    # nodes and degree before, nodes and degree after
    (4, 1, 4, 1),
    (5, 2, 5, 2),
    (5, 2, 7, 3),
    (7, 3, 5, 2),
    (4, 1, 7, 3),
    (3, 0, 4, 1),
]


@pytest.mark.parametrize(("n", "d", "m", "e"), SHAPES)
def test_d_old_and_e_new_nodes_together_know_nothing_of_the_key(n: int, d: int, m: int, e: int) -> None:
    """Whoever they are: the thieves of the two epochs are other people, or the same."""
    epochs = Epochs(d, tuple(range(1, d + 2)), e)
    for before in subsets(range(1, n + 1), d):
        for after in subsets(range(1, m + 1), e):
            view = epochs.stolen_old(before) + epochs.stolen_new(after)
            assert not knows(view, epochs.key)


@pytest.mark.parametrize(("n", "d", "m", "e"), SHAPES)
def test_nor_any_share_that_is_not_theirs(n: int, d: int, m: int, e: int) -> None:
    epochs = Epochs(d, tuple(range(1, d + 2)), e)
    for before in subsets(range(1, n + 1), d):
        for after in subsets(range(1, m + 1), e):
            view = epochs.stolen_old(before) + epochs.stolen_new(after)
            rest = set(range(1, m + 1)) - set(after)
            # one more new share would be enough: so they know none
            assert not any(knows(view, epochs.new_share(node)) for node in rest)
            # and one more old share as well
            assert not any(knows(view, epochs.old_share(i)) for i in set(range(1, n + 1)) - set(before))


@pytest.mark.parametrize(("n", "d", "m", "e"), SHAPES)
def test_one_more_of_either_epoch_know_it(n: int, d: int, m: int, e: int) -> None:
    """The bound is exact, and so the test before could fail."""
    epochs = Epochs(d, tuple(range(1, d + 2)), e)
    for before in subsets(range(1, n + 1), d + 1):
        assert knows([epochs.old_share(i) for i in before], epochs.key)
    for after in subsets(range(1, m + 1), e + 1):
        assert knows([epochs.new_share(j) for j in after], epochs.key)


def test_thieves_know_the_new_polynomial_only_if_they_are_all_its_dealers() -> None:
    """Of d+1 dealers one is honest where d are thieves, and what it draws is nobody else's."""
    epochs = Epochs(2, (1, 2, 3), 2)
    view = epochs.stolen_old((1, 2)) + epochs.stolen_new((4, 5))
    assert not knows(view, epochs.new_share(1))
    everybody = epochs.stolen_old((1, 2, 3))
    assert all(knows(everybody, epochs.new_share(j)) for j in range(1, 6))


def test_a_removed_nodes_share_adds_nothing_to_new_ones() -> None:
    """Its old point may belong to somebody else now, or to itself again: the polynomial is another."""
    for n, d, m, e in SHAPES:
        if d == 0:
            continue  # by degree 0 every share is the key
        epochs = Epochs(d, tuple(range(1, d + 2)), e)
        for removed in range(1, n + 1):
            for after in subsets(range(1, m + 1), e):
                view = [epochs.old_share(removed), *(epochs.new_share(j) for j in after)]
                assert not knows(view, epochs.key)


@pytest.mark.parametrize("seed", range(3))
def test_no_mixture_of_old_and_new_shares_interpolates_to_the_key(seed: int) -> None:
    """On real numbers: at most d old with at most e new ones, as points of one polynomial of any degree."""
    old = OldCommittee(tuple("abcde"), Quorums(5, 2, 1, 0), count=1, seed=seed)
    d, e, key = 2, 3, old.secrets[0]
    dice = Dice("mixture", seed)
    dealt = {i: [old.shares["abcde"[i - 1]][0] or 0] + [_number(dice) for _ in range(e)] for i in (1, 3, 4)}
    new = {
        j: sum(
            lagrange((1, 3, 4), i, 0, ORDER) * sum(c * j**k for k, c in enumerate(dealt[i])) for i in dealt
        )
        for j in range(1, 8)
    }
    fresh = {j: TOY_GROUP.scalar(share) for j, share in new.items()}
    assert interpolate(TOY_GROUP, {j: fresh[j] for j in (2, 3, 6, 7)}) == key
    tried = 0
    for few in range(1, d + 1):
        for many in range(1, e + 1):
            for before in subsets(range(1, 6), few):
                for after in subsets([j for j in range(1, 8) if j not in before], many):
                    mixed = {i: TOY_GROUP.scalar(old.shares["abcde"[i - 1]][0] or 0) for i in before}
                    assert interpolate(TOY_GROUP, {**mixed, **{j: fresh[j] for j in after}}) != key
                    tried += 1
    assert tried > 400


def _number(dice: Dice) -> int:
    return dice.below(1 << 30) << 30 | dice.below(1 << 30)
