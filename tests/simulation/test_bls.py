"""Threshold BLS under schedules and lies that a seed chooses: no honest party blamed, no wrong signature."""

import pytest
from tests.support.bls import MESSAGE, SIGNERS, table

from quorate.errors import Abort
from quorate.schemes.bls import verify
from quorate.schemes.bls.suites import POSSESSION, POSSESSION_SHORT
from quorate.testing import Faults, Result, Wild
from quorate.testing.dice import Dice
from quorate.testing.network import any_scheduler


def check(result: Result[bytes | None]) -> None:
    result.assert_sound()
    signature = result.values.get("device")
    if signature is not None:
        verify(POSSESSION, table(POSSESSION).public_key, MESSAGE, signature)


def test_schedules_and_accidents_do_no_harm() -> None:
    done = 0
    for seed in range(60):
        scheduler = any_scheduler(SIGNERS, Dice("schedule", seed))
        faults = Faults(duplicate=0.1, lose=0.1, damage=0.1, crash=0.02, deadline=0.02)
        result = table(POSSESSION).signing(seed=seed, scheduler=scheduler, faults=faults)
        check(result)
        assert not result.blamed()
        done += result.values.get("device") is not None
    assert done > 30


@pytest.mark.parametrize("liar", ["n1", "n2"])
def test_one_lie_anywhere_never_blames_the_honest_nor_yields_a_wrong_signature(liar: str) -> None:
    ends = set()
    for seed in range(60):
        result = table(POSSESSION).signing(seed=seed, cheats=[Wild(liar, 0, seed)])
        check(result)
        ends |= {type(error).__name__ for error in result.errors.values() if isinstance(error, Abort)}
    assert {"Blame", "Missing", "Disagreement"} <= ends


def test_equal_seeds_give_equal_traces() -> None:
    key = table(POSSESSION_SHORT)
    first, again, other = (key.signing(seed=seed) for seed in (4, 4, 5))
    assert first.trace_hash == again.trace_hash != other.trace_hash
