"""Signing under schedules and lies that a seed chooses: no honest party blamed, no wrong signature."""

import pytest
from tests.support.signing import Table, table

from quorate.errors import Abort
from quorate.groups import group_named
from quorate.schemes.ecdsa import verify
from quorate.testing import Faults, Result, Wild
from quorate.testing.dice import Dice
from quorate.testing.network import any_scheduler

SIGNERS = ("n1", "n2", "device")
STRUCTURE = "2 of (2 of (n1 n2 n3), device)"
MESSAGES = 8
"""A node sends 2 broadcasts, 4 sealed messages and an answer; one number more does nothing."""


def check(result: Result, key: Table) -> None:
    result.assert_sound()
    signature = result.values.get("device")
    if signature is not None:
        verify(key.public_key, key.digest, signature)


@pytest.mark.parametrize("batch", range(4))
def test_schedules_and_accidents_do_no_harm(batch: int) -> None:
    key = table(STRUCTURE, SIGNERS)
    done = 0
    for seed in range(batch * 40, batch * 40 + 40):
        scheduler = any_scheduler(SIGNERS, Dice("schedule", seed))
        faults = Faults(duplicate=0.1, lose=0.1, damage=0.1, crash=0.01, deadline=0.005)
        result = key.signing("device", seed=seed, scheduler=scheduler, faults=faults)
        check(result, key)
        assert not result.blamed()
        done += result.values.get("device") is not None
    assert done > 20


@pytest.mark.parametrize("liar", SIGNERS)
def test_one_lie_anywhere_never_blames_the_honest_nor_yields_a_wrong_signature(liar: str) -> None:
    key = table(STRUCTURE, SIGNERS)
    ends = set()
    for seed in range(120):
        cheat = Wild(liar, seed % MESSAGES, seed)
        result = key.signing("device", seed=seed, cheats=[cheat])
        check(result, key)
        ends |= {type(error).__name__ for error in result.errors.values() if isinstance(error, Abort)}
    # every kind of end was met, so the seeds did reach the checks
    assert {"Blame", "Missing", "Suspicion"} <= ends


@pytest.mark.parametrize("curve", ["p256", "stark"])
def test_lies_and_schedules_on_other_curves_do_no_harm_either(curve: str) -> None:
    key = table(STRUCTURE, SIGNERS, group_named(curve))
    ends, done = set(), 0
    for seed in range(40):
        scheduler = any_scheduler(SIGNERS, Dice("schedule", seed))
        cheats = [Wild(SIGNERS[seed % 3], seed % MESSAGES, seed)] if seed % 5 else []
        result = key.signing("device", seed=seed, cheats=cheats, scheduler=scheduler)
        check(result, key)
        done += result.values.get("device") is not None
        ends |= {type(error).__name__ for error in result.errors.values() if isinstance(error, Abort)}
    assert {"Blame", "Missing", "Suspicion"} <= ends
    assert done > 5


def test_equal_seeds_give_equal_traces() -> None:
    key = table(STRUCTURE, SIGNERS)
    first, again, other = (key.signing("device", seed=seed) for seed in (4, 4, 5))
    assert first.trace_hash == again.trace_hash != other.trace_hash
