"""A hundred seeds of each protocol, and the command that plays ten thousand."""

import json
import subprocess
import sys

import pytest

from quorate.testing import simulate
from quorate.testing.scenarios import SCENARIOS, Conditions, Report, Scenario

SEEDS = 100


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "register"])  # see test_register.py
def test_a_hundred_seeds_hold(name: str) -> None:
    total = Report()
    for seed in range(SEEDS):
        report = SCENARIOS[name].play(seed)
        total.outcomes += report.outcomes
        total.happened += report.happened
        total.lie += report.lie
    assert total.outcomes["done"] > SEEDS // 2
    assert total.outcomes["Blame"] + total.outcomes["Blame, and went on"] > 0
    for accident in ("lose", "duplicate", "damage"):
        assert total.happened[accident] > 0
    assert total.happened["crash before"] + total.happened["crash after"] > 0


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_seed_of_a_scenario_repeats(name: str) -> None:
    for seed in range(5):
        first, second = SCENARIOS[name].play(seed), SCENARIOS[name].play(seed)
        assert (first.trace, first.outcomes, first.lie) == (second.trace, second.outcomes, second.lie)


def test_a_trace_does_not_depend_on_the_process() -> None:
    def trace(hash_seed: str) -> str:
        command = [sys.executable, "-m", "quorate.testing.simulate", "--seed", "7", "--json"]
        environment = {"PYTHONHASHSEED": hash_seed}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert trace("1") == trace("2")


def test_work_is_divided_evenly_and_whole() -> None:
    chunks = list(simulate.shares(["toss", "keygen", "sign"], 1000, 7))
    assert sum(count for _, _, count in chunks) == 1000
    seeds = [(name, first + i) for name, first, count in chunks for i in range(count)]
    assert len(set(seeds)) == 1000
    assert min(seed for _, seed in seeds) == 7


def test_the_command_counts_and_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--protocol", "toss", "--count", "40", "--workers", "1"]) == 0
    assert "toss: 40 runs" in capsys.readouterr().out
    assert simulate.main(["--protocol", "toss", "--count", "10", "--workers", "1", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["protocols"]["toss"]["runs"] == 10
    assert printed["failure"] is None


def test_the_command_replays_one_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--protocol", "toss", "--seed", "3"]) == 0
    assert SCENARIOS["toss"].play(3).trace in capsys.readouterr().out


class Broken(Scenario):
    name = "toss"

    def _play(self, seed: int, conditions: Conditions, report: Report) -> None:
        if seed == 12:
            raise AssertionError("this one does not hold")


def test_a_failing_seed_is_named_with_the_command_that_plays_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "SCENARIOS", {"toss": Broken()})
    _, tally, failure = simulate.play(("toss", 10, 5))
    assert tally.runs == 2
    assert failure is not None
    assert failure.command == "python -m quorate.testing.simulate --protocol toss --seed 12"
    assert "this one does not hold" in failure.trace


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_fails_with_the_command_that_plays_it_again(
    as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failure = simulate.Failure("toss", 12, "Traceback: this one does not hold")
    monkeypatch.setattr(simulate, "simulate", lambda *_: ({"toss": simulate.Tally()}, failure))
    assert simulate.main(["--protocol", "toss", "--count", "5", *(["--json"] if as_json else [])]) == 1
    printed = capsys.readouterr().out
    assert failure.command in printed
    assert "this one does not hold" in printed
    if as_json:
        assert json.loads(printed)["failure"]["command"] == failure.command
