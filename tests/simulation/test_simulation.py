"""The simulator itself: what a seed fixes, what befalls messages, and what it finds."""

import re
from pathlib import Path
from typing import Any

import pytest

from quorate.errors import Blame, LimitExceeded, LocalError, Malformed, Missing
from quorate.session import KeyPair, Party
from quorate.testing import (
    Crashed,
    Faults,
    InOrder,
    LastFirst,
    Partition,
    Simulation,
    Starve,
    Tamper,
    Uniform,
    Wild,
    simulation,
    unsafe_identity,
)
from quorate.testing.dice import Dice, seed_of
from quorate.testing.mutations import FLIP_FIRST, fields_of, mutations_for, with_field
from quorate.testing.toss import TOSS, Commit, Open, toss

STORMY = Faults(duplicate=0.1, lose=0.1, damage=0.1, crash=0.05, deadline=0.01)


def storm(seed: int) -> Simulation[bytes]:
    return Simulation(TOSS, toss, 4, seed=seed, faults=STORMY, cheats=[Wild("p2", seed % 2, seed)])


def test_the_same_seed_gives_the_same_trace() -> None:
    for seed in range(20):
        first, second = storm(seed).run(), storm(seed).run()
        assert first.trace == second.trace
        assert first.trace_hash == second.trace_hash
        assert first.story() == second.story()


def test_different_seeds_give_different_traces() -> None:
    assert len({storm(seed).run().trace_hash for seed in range(20)}) == 20


@pytest.mark.parametrize(
    "scheduler",
    [InOrder(), LastFirst(), Uniform(), Starve("p1"), Partition(frozenset({"p1", "p2"}), 20)],
    ids=str,
)
def test_every_order_of_messages_gives_the_same_coin(scheduler: Any) -> None:
    calm = Simulation(TOSS, toss, 4, scheduler=InOrder()).run()
    result = Simulation(TOSS, toss, 4, scheduler=scheduler).run()
    result.assert_sound()
    assert result.values == calm.values


def test_schedulers_do_what_they_say() -> None:
    starved = Simulation(TOSS, toss, 4, scheduler=Starve("p1")).run()
    told = [event.party for event in starved.trace]
    assert told.index("p1") > max(told.index(name) for name in ("p2", "p3", "p4"))
    halves = Simulation(TOSS, toss, 4, scheduler=Partition(frozenset({"p1", "p2"}), 4)).run()
    sides = [{event.party, str(event).split()[-3]} for event in halves.trace[:4]]
    assert all(side <= {"p1", "p2"} or side <= {"p3", "p4"} for side in sides)


def test_journaled_parties_come_back_and_finish() -> None:
    crashes = 0
    for seed in range(50):
        result = Simulation(TOSS, toss, 3, seed=seed, faults=Faults(crash=0.2)).run()
        result.assert_sound()
        assert len(result.values) == 3
        crashes += result.happened["crash before"] + result.happened["crash after"]
    assert crashes > 50


def test_a_party_without_a_journal_dies_and_is_missed() -> None:
    died = 0
    for seed in range(50):
        result = Simulation(TOSS, toss, 3, seed=seed, faults=Faults(crash=0.1), journaled=["p1"]).run()
        result.assert_sound()
        dead = {party for party, error in result.errors.items() if isinstance(error, Crashed)}
        assert "p1" not in dead
        died += len(dead)
        for error in result.errors.values():
            if isinstance(error, Missing):
                assert set(error.parties) <= dead | set(result.errors)
    assert died > 10


def test_lost_messages_come_again() -> None:
    result = Simulation(TOSS, toss, 4, faults=Faults(lose=0.5)).run()
    assert result.happened["lose"] > 5
    assert len(result.values) == 4


def test_spoilt_copies_are_dropped() -> None:
    result = Simulation(TOSS, toss, 4, faults=Faults(damage=1.0)).run()
    result.assert_sound()
    assert len(result.values) == 4
    assert all(sum(counts.values()) for counts in result.dropped.values())


def test_real_identities_play_too() -> None:
    from quorate.secret import Secret

    identities = {name: KeyPair(Secret(seed_of(name))) for name in ("alice", "bob")}
    result = Simulation(TOSS, toss, ("alice", "bob"), identities=identities, faults=STORMY, seed=5).run()
    result.assert_sound()
    assert set(result.values) == {"alice", "bob"}


# --- it finds what is wrong ---------------------------------------------------------------------------


def test_a_party_that_waits_for_ever_is_found() -> None:
    with pytest.raises(AssertionError, match="still waiting"):
        Simulation(TOSS, _deaf_to_deadlines, 2).run().assert_sound()


def test_a_run_without_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "MAX_STEPS", 5)
    with pytest.raises(LimitExceeded, match="more than 5 steps"):
        Simulation(TOSS, toss, 3).run()


def test_a_party_crashes_a_few_times_at_most() -> None:
    result = Simulation(TOSS, toss, 2, faults=Faults(crash=1.0)).run()
    assert len(result.values) == 2
    assert 0 < result.happened["crash before"] + result.happened["crash after"] <= 2 * simulation.MAX_CRASHES


async def _deaf_to_deadlines(party: Party) -> None:
    while True:
        try:
            await party.gather(Commit)
        except Missing:
            continue


def test_a_protocol_that_blames_the_honest_is_found() -> None:
    async def unfair(party: Party) -> None:
        party.broadcast(Commit(bytes(32)))
        commits = await party.gather(Commit)
        party.blame(Commit, commits, "I don't like it")

    with pytest.raises(AssertionError, match="honest and blamed"):
        Simulation(TOSS, unfair, 2).run().assert_sound()


def test_a_protocol_that_suspects_the_honest_is_found() -> None:
    async def wary(party: Party) -> None:
        party.suspect(party.others[0], "one never knows")

    with pytest.raises(AssertionError, match="suspects the honest"):
        Simulation(TOSS, wary, 2).run().assert_sound()


def test_a_blame_without_evidence_is_found() -> None:
    async def accuses(party: Party) -> None:
        raise Blame("just so", parties=["p2"])

    async def honest(party: Party) -> None:
        return None

    with pytest.raises(AssertionError, match="shows nothing"):
        Simulation(TOSS, {"p1": accuses, "p2": honest}, 2, cheats=[Wild("p2", 9, 0)]).run().assert_sound()


def test_an_error_without_a_name_is_found() -> None:
    async def vague(party: Party) -> None:
        raise LocalError("something")

    with pytest.raises(AssertionError, match="ended with"):
        Simulation(TOSS, vague, 2).run().assert_sound()


def test_a_needless_failure_is_found() -> None:
    async def lazy(party: Party) -> None:
        await party.gather(Commit)

    with pytest.raises(AssertionError, match="nothing stood in the way"):
        Simulation(TOSS, lazy, 2).run().assert_sound()


def test_an_error_in_a_protocols_code_comes_with_the_seed() -> None:
    async def broken(party: Party) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        Simulation(TOSS, broken, 2, seed=41).run()
    assert "seed 41" in caught.value.__notes__[0]


def test_a_cheater_takes_part() -> None:
    with pytest.raises(Malformed, match="takes no part"):
        Simulation(TOSS, toss, 2, cheats=[Tamper("p9", Open, "coin", FLIP_FIRST)])


# --- its parts ----------------------------------------------------------------------------------------


def test_dice_are_fair_enough() -> None:
    dice = Dice("fair")
    counts = [0] * 6
    for _ in range(6000):
        counts[dice.below(6)] += 1
    assert min(counts) > 850
    assert sum(dice.happens(0.25) for _ in range(4000)) in range(850, 1150)
    assert not any(dice.happens(0.0) for _ in range(100))
    assert all(dice.happens(1.0) for _ in range(100))


def test_every_mutation_changes_what_is_encoded() -> None:
    from quorate.encoding import encode
    from quorate.groups import Point, Scalar
    from quorate.groups.toy import TOY_GROUP
    from quorate.session import Message

    class Everything(Message, frozen=True, tag="test.everything"):
        text: str
        data: bytes
        flag: bool
        number: int
        scalar: Scalar
        point: Point
        several: tuple[bytes, ...]

    group = TOY_GROUP
    message = Everything(
        "a", b"data", True, 5, group.scalar(3), 3 and group.generator + group.generator, (b"a", b"b")
    )
    whole = encode(message)
    fields = list(fields_of(message))
    assert [path for path, _ in fields] == [
        "text", "data", "flag", "number", "scalar", "point", "several", "several.0", "several.1",
    ]  # fmt: skip
    for path, value in fields:
        mutations = mutations_for(value)
        assert mutations
        for mutation in mutations:
            assert encode(with_field(message, path, mutation)) != whole, (path, mutation)
    with pytest.raises(LookupError):
        with_field(message, "nothing", FLIP_FIRST)


def test_unsafe_identities_are_told_apart() -> None:
    assert unsafe_identity("p1").public.to_bytes() != unsafe_identity("p2").public.to_bytes()


# --- the page -----------------------------------------------------------------------------------------

PAGE = Path(__file__).resolve().parents[2] / "docs/testing.md"


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
def test_the_examples_of_the_page_run(example: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(example, str(PAGE), "exec"), {})
