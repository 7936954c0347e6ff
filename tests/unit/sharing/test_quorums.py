"""The two quorums, and which committees make a revocation real."""

import pytest

from quorate.errors import Malformed
from quorate.sharing.quorums import Quorums


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


@pytest.mark.parametrize("choice", [(4, 1, 1, 0), (7, 2, 2, 0), (10, 3, 3, 0), (5, 2, 1, 1), (5, 2, -1, 0)])
def test_an_unsound_committee_is_refused(choice: tuple[int, int, int, int]) -> None:
    with pytest.raises(Malformed, match="must hold"):
        Quorums(*choice)


def test_two_echo_quorums_share_an_honest_node() -> None:
    for nodes in range(1, 20):
        for degree in range(nodes):
            quorums = Quorums.standard(nodes, degree)
            assert 2 * quorums.echo - nodes > quorums.liars
            assert quorums.ready >= quorums.degree + 1 + quorums.liars


@pytest.mark.parametrize(("nodes", "degree"), [(3, 3), (3, -1), (0, 0)])
def test_an_impossible_degree_has_no_quorums(nodes: int, degree: int) -> None:
    with pytest.raises(Malformed, match="cannot share"):
        Quorums.standard(nodes, degree)
