"""The agreement alone, over schedules, crashes and conspiring voters: nobody ever decides something else."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from tests.support.voting import SETS, all_decide_alike, play

from quorate.session import PartyId
from quorate.sharing.agreement import Agreement, Certificate
from quorate.sharing.quorums import Quorums
from quorate.testing import Dice, Faults
from quorate.testing.liars import LIARS, Eager, Forger, Storm

SEEDS = 100


def conspirators(quorums: Quorums, seed: int) -> list[type[Agreement]]:
    """As many as may lie: all of one kind, or each of its own."""
    dice = Dice("conspirators", seed)
    kinds = [dice.choose(LIARS) for _ in range(quorums.liars)]
    return kinds[:1] * quorums.liars if seed % 2 else kinds


@pytest.mark.parametrize("quorums", SETS, ids=lambda quorums: f"n{quorums.nodes}")
def test_a_hundred_seeds_of_the_most_that_may_go_wrong(quorums: Quorums) -> None:
    views: Counter[int] = Counter()
    happened: Counter[str] = Counter()
    for seed in range(SEEDS):
        result = play(
            quorums,
            seed,
            liars=conspirators(quorums, seed),
            away=quorums.away if seed % 3 == 0 else 0,
            faults=Faults() if seed % 4 == 0 else None,
        )
        all_decide_alike(result)
        views[max(result.values[name][1] for name in result.honest)] += 1
        happened += result.happened
    assert views[0], "most runs need no second leader"
    assert sum(views.values()) > views[0] + views[1], "and some need a third"
    for accident in ("crash before", "crash after", "power cut", "help", "early deadline", "lose"):
        assert happened[accident], accident


@pytest.mark.parametrize("quorums", SETS, ids=lambda quorums: f"n{quorums.nodes}")
def test_without_liars_and_accidents_the_first_leader_is_enough(quorums: Quorums) -> None:
    for seed in range(20):
        result = play(quorums, seed, faults=Faults())
        all_decide_alike(result)
        assert not result.happened["early deadline"]
        deviations = [result.deviations[name] for name in result.honest]
        assert not any(deviations)


def test_a_storm_of_votes_by_the_few_changes_no_leader() -> None:
    for seed in range(6):
        result = play(SETS[3], seed, liars=[Storm, Storm], faults=Faults())
        all_decide_alike(result)
        assert {result.values[name][1] for name in result.honest} <= {0, 1}, "at most because of a late tick"


def test_forgers_are_named_by_somebody() -> None:
    named = 0
    for seed in range(40):
        result = play(SETS[0], seed, liars=[Forger], faults=Faults())
        all_decide_alike(result)
        named += bool(result.blamed())
    assert named > 20


class Mute(Agreement):
    """Decides in silence: the agreement without its last step."""

    def _decide(self, certificate: Certificate) -> None:
        if self.decided is None:
            self.decided, self.certificate, self._timer = certificate.dealers, certificate, None

    def _tell(self, voter: PartyId, view: int) -> None:
        pass


@pytest.mark.parametrize(("quorums", "seed"), [(SETS[0], 280), (SETS[0], 289), (SETS[1], 110)])
def test_without_decided_certificates_some_schedules_stall(quorums: Quorums, seed: int) -> None:
    """Who has decided stops voting, and the others lack votes: 4 of 1200 seeds, with the certificates none.

    Another order of random draws moves them to other seeds: search again with honest=Mute and liars=[Eager].
    """
    faults = Faults(deadline=0.05) if seed % 2 else Faults()
    stalled: Any = play(quorums, seed, liars=[Eager], honest=Mute, faults=faults)
    assert [name for name in stalled.hanging if name in stalled.honest]
    assert [name for name in stalled.values if name in stalled.honest]
    all_decide_alike(play(quorums, seed, liars=[Eager], faults=faults))
