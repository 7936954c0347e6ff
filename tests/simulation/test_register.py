"""A hundred seeds of each set of the register, and of its write-once slots."""

from collections import Counter

import pytest

from quorate.testing.register import SETS, play, slots

SEEDS = 100


# The smallest, one with a node away, and both of the larger where E has no slack; the others take longer
# than they find more.
ALWAYS = {(4, 1, 0), (5, 1, 0), (6, 1, 1), (7, 2, 0), (9, 2, 0)}


@pytest.mark.parametrize(
    "which",
    [
        pytest.param(i, id="-".join(map(str, s)), marks=[] if s in ALWAYS else pytest.mark.long)
        for i, s in enumerate(SETS)
    ],
)
def test_a_hundred_seeds_of_a_set_hold(which: int) -> None:
    happened: Counter[str] = Counter()
    versions = 0
    for seed in range(which, which + SEEDS * len(SETS), len(SETS)):
        world = play(seed)
        happened += world.happened
        versions += len(world.decided)
    assert versions > SEEDS
    assert happened["written"] > SEEDS
    assert happened["read"] > SEEDS
    for event in (
        "decided in a slot",
        "change of committee",
        "power cut",
        "crash",
        "lost DECIDED",
        "duplicate",
    ):
        assert happened[event] > 0, event


def test_a_seed_repeats() -> None:
    for seed in range(len(SETS)):
        assert play(seed).trace == play(seed).trace


@pytest.mark.parametrize(("n", "t"), [(4, 1), (5, 1), (7, 2), (9, 2)])
def test_no_slot_has_two_owners_over_three_committees(n: int, t: int) -> None:
    owned = Counter(len(slots.play(seed, n, t)) for seed in range(SEEDS))
    assert owned[0] < SEEDS // 2
    assert owned.total() == SEEDS
