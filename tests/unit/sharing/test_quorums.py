"""The quorums: what the protocols need, and which committees make a revocation real."""

import itertools
from collections.abc import Iterator

import pytest

from quorate.errors import Malformed
from quorate.sharing.quorums import Quorums


def sound(largest: int = 20) -> Iterator[Quorums]:
    """Every choice of (n, d, t, f) up to `largest` nodes that is accepted."""
    for n in range(1, largest):
        for d, t, f in itertools.product(range(n), range(n // 3 + 1), range(n // 2 + 1)):
            try:
                yield Quorums(n, d, t, f)
            except Malformed:
                continue


@pytest.mark.parametrize(
    ("nodes", "degree", "liars", "away", "echo", "ready"),
    [
        (1, 0, 0, 0, 1, 1),
        (2, 1, 0, 0, 2, 2),
        (3, 1, 0, 1, 2, 2),
        (3, 2, 0, 0, 2, 3),
        (5, 2, 1, 0, 4, 4),
        (5, 4, 0, 0, 3, 5),
        (6, 2, 1, 0, 4, 5),
        (7, 2, 1, 0, 5, 6),
        (7, 3, 1, 1, 5, 5),
        (9, 4, 2, 0, 6, 7),
        (13, 6, 3, 0, 9, 10),
    ],
)
def test_the_standard_choice(nodes: int, degree: int, liars: int, away: int, echo: int, ready: int) -> None:
    quorums = Quorums.standard(nodes, degree)
    assert (quorums.liars, quorums.away, quorums.echo, quorums.ready) == (liars, away, echo, ready)


@pytest.mark.parametrize(
    ("nodes", "liars", "away", "lasting", "returning"),
    [
        (4, 1, 0, 1, 1),
        (5, 1, 0, 2, 2),
        (6, 1, 1, 1, 2),
        (6, 1, 0, 3, 3),
        (7, 2, 0, 2, 2),
        (7, 1, 1, 2, 3),
        (7, 1, 0, 4, 4),
        (9, 2, 1, 2, 3),
        (9, 2, 0, 4, 4),
        (10, 3, 0, 3, 3),
        (10, 2, 1, 3, 4),
    ],
)
def test_the_largest_degree_of_a_committee(
    nodes: int, liars: int, away: int, lasting: int, returning: int
) -> None:
    """`lasting`: with crashes for good; `returning`: where whoever crashed comes back."""
    of_size = [q for q in sound(nodes + 1) if (q.nodes, q.liars, q.away) == (nodes, liars, away)]
    assert max(q.degree for q in of_size) == returning
    assert max(q.degree for q in of_size if q.outlasts_crashes) == lasting
    assert min(q.degree for q in of_size) == liars


@pytest.mark.parametrize(
    "choice",
    [
        (3, 1, 1, 0),  # n < 3t+1
        (5, 2, 1, 1),  # n < 3t+2f+1
        (6, 3, 1, 1),  # d > n-2t-f-1
        (4, 2, 1, 0),
        (7, 1, 2, 0),  # d < t
        (5, 2, -1, 0),
        (5, 2, 0, -1),
        (5, -1, 0, 0),
        (0, 0, 0, 0),
    ],
)
def test_a_committee_outside_the_bounds_is_refused(choice: tuple[int, int, int, int]) -> None:
    with pytest.raises(Malformed, match="must hold"):
        Quorums(*choice)


@pytest.mark.parametrize("choice", [(4, 1, 1, 0), (7, 2, 2, 0), (7, 2, 1, 1), (10, 3, 3, 0)])
def test_a_committee_that_revokes_nothing_generates_keys_all_the_same(
    choice: tuple[int, int, int, int],
) -> None:
    quorums = Quorums(*choice)
    with pytest.raises(Malformed, match="2t\\+f <= d must hold, or a revoked device could still sign"):
        quorums.require_revocation()


@pytest.mark.parametrize(
    "choice",
    [(5, 2, 1, 0), (6, 2, 1, 0), (6, 3, 1, 0), (7, 2, 1, 0), (7, 4, 1, 0), (7, 3, 1, 1), (9, 4, 2, 0)],
)
def test_a_committee_that_makes_revocation_real(choice: tuple[int, int, int, int]) -> None:
    quorums = Quorums(*choice)
    assert quorums.require_revocation() is quorums


def test_every_accepted_choice_has_the_quorums_the_protocols_count_on() -> None:
    seen = 0
    for quorums in sound():
        n, d, t = quorums.nodes, quorums.degree, quorums.liars
        assert 2 * quorums.echo - n > t
        assert max(quorums.echo, d + 1) <= quorums.ready
        assert quorums.ready - t >= d + 1
        assert 2 * quorums.ready - n > t  # of any R votes and R ready nodes, one honest node is in both
        seen += 1
    assert seen > 1000


def test_what_still_serves_an_old_epoch_is_too_few_where_revocation_is_real() -> None:
    for quorums in sound():
        try:
            quorums.require_revocation()
        except Malformed:
            continue
        obeying = quorums.ready - quorums.liars
        assert quorums.nodes - obeying <= quorums.degree


def test_standard_choices_are_sound_for_every_size_and_degree() -> None:
    for nodes in range(1, 20):
        for degree in range(nodes):
            quorums = Quorums.standard(nodes, degree)
            assert quorums.require_revocation() is quorums
            assert 2 * quorums.echo - nodes > quorums.liars
            assert quorums.ready >= quorums.degree + 1 + quorums.liars


@pytest.mark.parametrize(("nodes", "degree"), [(3, 3), (3, -1), (0, 0)])
def test_an_impossible_degree_has_no_quorums(nodes: int, degree: int) -> None:
    with pytest.raises(Malformed, match="cannot share"):
        Quorums.standard(nodes, degree)
