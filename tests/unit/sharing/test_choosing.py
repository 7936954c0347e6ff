"""Choosing among what was vouched for: certificates, and the choice under schedules, accidents and liars."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import pytest

from quorate.errors import Malformed, ProofRejected
from quorate.session import Party
from quorate.sharing.agreement import Agreement
from quorate.sharing.avss import ReadyCertificate
from quorate.sharing.choosing import CHOOSE, Question, Shown, choose
from quorate.sharing.epochs import epoch_number
from quorate.sharing.quorums import Quorums
from quorate.testing import Dice, Faults, Result, Simulation, unsafe_identity
from quorate.testing.cheats import Aimed, Draft
from quorate.testing.liars import LIARS
from quorate.testing.network import any_scheduler

SETS = (Quorums(4, 1, 1, 0), Quorums(5, 2, 1, 0), Quorums(6, 2, 1, 1), Quorums(7, 2, 2, 0))
STORM = Faults(duplicate=0.05, lose=0.05, damage=0.01, crash=0.01, deadline=0.002, forget=True)
SUBJECT = bytes(32)


def question(quorums: Quorums, needed: int = 1) -> Question:
    nodes = tuple(f"p{number}" for number in range(1, quorums.nodes + 1))
    return Question(SUBJECT, 1, nodes, quorums, nodes, needed)


def identities(asked: Question) -> dict[str, Any]:
    return {node: unsafe_identity(node).public for node in asked.nodes}


def thing(candidate: str, version: int = 0) -> bytes:
    return f"{candidate} {version}".encode().ljust(32, b".")


def vouched(asked: Question, candidate: str, by: tuple[str, ...], version: int = 0) -> ReadyCertificate:
    said = asked.to_vouch(candidate, thing(candidate, version))
    signed = tuple((name, unsafe_identity(name).sign(said)) for name in by)
    return ReadyCertificate(thing(candidate, version), signed)


def certified(asked: Question, candidate: str, version: int = 0) -> ReadyCertificate:
    return vouched(asked, candidate, asked.nodes[: asked.quorums.ready], version)


# --- certificates --------------------------------------------------------------------------------------

FIVE = question(SETS[1])


def test_r_vouchers_make_a_certificate() -> None:
    said = FIVE.to_vouch("p3", thing("p3"))
    vouchers = {name: unsafe_identity(name).sign(said) for name in FIVE.nodes}
    made = FIVE.certificate(thing("p3"), vouchers)
    assert made == certified(FIVE, "p3")
    FIVE.verify("p3", made, identities(FIVE))
    few = dict(list(vouchers.items())[:3])
    assert FIVE.certificate(thing("p3"), few) is None


@pytest.mark.parametrize(
    ("candidate", "false"),
    [
        ("p3", vouched(FIVE, "p3", FIVE.nodes[:3])),
        ("p3", vouched(FIVE, "p3", FIVE.nodes)),  # one spelling only
        ("p3", vouched(FIVE, "p3", ("p1", "p2", "p3", "p3"))),
        ("p3", vouched(FIVE, "p3", ("p2", "p1", "p3", "p4"))),
        ("p3", vouched(FIVE, "p3", ("p1", "p2", "p3", "p9"))),
        ("p3", certified(FIVE, "p2")),
        ("p9", certified(FIVE, "p9")),
        ("p3", msgspec.structs.replace(certified(FIVE, "p3"), digest=bytes(32))),
        ("p3", certified(dataclasses.replace(FIVE, subject=bytes([1]) * 32), "p3")),
        ("p3", certified(dataclasses.replace(FIVE, epoch=2), "p3")),
        ("p3", certified(dataclasses.replace(FIVE, needed=2), "p3")),
    ],
)
def test_what_is_no_certificate_is_refused(candidate: str, false: ReadyCertificate) -> None:
    with pytest.raises(ProofRejected):
        FIVE.verify(candidate, false, identities(FIVE))


def test_two_things_of_one_candidate_are_not_both_certified_by_nodes_that_vouch_once() -> None:
    for quorums in SETS:
        assert 2 * quorums.ready - quorums.nodes > quorums.liars


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": b""},
        {"needed": 0},
        {"needed": 6},
        {"candidates": ()},
        {"candidates": ("p1", "p1")},
        {"nodes": ("p1",)},
        {"nodes": ("p1",) * 5},
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        dataclasses.replace(FIVE, **wrong)


def test_every_question_is_a_session_of_its_own() -> None:
    others = [
        FIVE,
        dataclasses.replace(FIVE, subject=bytes([1]) * 32),
        dataclasses.replace(FIVE, epoch=2),
        dataclasses.replace(FIVE, needed=2),
        dataclasses.replace(FIVE, nodes=FIVE.nodes[::-1]),
        dataclasses.replace(FIVE, candidates=FIVE.nodes[::-1]),
        dataclasses.replace(FIVE, quorums=Quorums(5, 2, 0, 1)),
    ]
    assert len({one.spec(identities(one)).id for one in others}) == len(others)


# --- the choice ----------------------------------------------------------------------------------------


def simulate(
    asked: Question,
    known: Mapping[str, Mapping[str, ReadyCertificate]],
    seed: int,
    *,
    liars: Mapping[str, type[Agreement]] | None = None,
    **more: Any,
) -> Result[Any]:
    def seat(name: str, voting: type[Agreement]) -> Callable[[Party], Awaitable[Any]]:
        async def run(party: Party) -> Any:
            return await choose(party, asked, known[name], voting=voting)

        return run

    return Simulation(
        CHOOSE,
        {name: seat(name, Agreement) for name in asked.nodes},
        asked.nodes,
        seed=seed,
        payload=asked.payload,
        epoch=epoch_number(1, 0),
        by_hand={name: seat(name, kind) for name, kind in (liars or {}).items()},
        **more,
    ).run()


def check(asked: Question, result: Result[Any]) -> dict[str, bytes]:
    result.assert_nobody_honest_blamed()
    result.assert_blames_are_proved()
    chosen = [result.values[name] for name in result.honest if name in result.values]
    assert len(chosen) == len(result.honest), result.story()[-3000:]
    assert all(one == chosen[0] for one in chosen)
    assert len(chosen[0]) == asked.needed
    assert all(digest in (thing(name), thing(name, 1)) for name, digest in chosen[0].items())
    return dict(chosen[0])


@pytest.mark.parametrize("quorums", SETS, ids=lambda quorums: f"n{quorums.nodes}")
@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_all_choose_the_same_whatever_each_knew_before(quorums: Quorums, many: bool) -> None:
    asked = question(quorums, quorums.ready if many else 1)
    for seed in range(10):
        dice = Dice("choosing", seed, quorums.nodes)
        liars = {
            name: dice.choose(LIARS) for name in asked.nodes[-quorums.liars :] if seed % 2 and quorums.liars
        }
        known = {}
        for name in asked.nodes:
            left = list(asked.nodes)
            while len(left) > asked.needed and dice.below(3):
                left.pop(dice.below(len(left)))
            known[name] = {candidate: certified(asked, candidate) for candidate in left}
        result = simulate(
            asked,
            known,
            seed,
            liars=liars,
            faults=STORM if seed % 3 == 0 else Faults(),
            scheduler=any_scheduler(asked.nodes, dice),
        )
        check(asked, result)


def test_a_certificate_that_one_node_alone_has_heard_of_is_shown_to_all() -> None:
    """A liar wished for something, was vouched for, and told one node."""
    for seed in range(6):
        known = {name: {name: certified(FIVE, name)} for name in FIVE.nodes}
        chosen = check(FIVE, simulate(FIVE, known, seed))
        assert len(chosen) == 1


def test_who_shows_false_certificates_is_named() -> None:
    class Lie(Aimed):
        def lie(self, draft: Draft, everybody: Any) -> Any:
            false = vouched(FIVE, "p1", FIVE.nodes[:2], 1)
            return [dataclasses.replace(draft, message=Shown((("p1", false),)))]

    known = {name: {name: certified(FIVE, name)} for name in FIVE.nodes}
    named = 0
    for seed in range(8):
        result = simulate(FIVE, known, seed, cheats=[Lie("p2", Shown)])
        assert result.blamed() <= {"p2"}
        named += len(result.blamed())
        check(FIVE, result)
    assert named


def test_a_session_about_another_question_is_not_begun() -> None:
    other = dataclasses.replace(FIVE, subject=bytes([1]) * 32)

    async def run(party: Party) -> Any:
        return await choose(party, other, {})

    simulation = Simulation(CHOOSE, run, FIVE.nodes, payload=FIVE.payload, epoch=epoch_number(1, 0))
    assert all(isinstance(error, Malformed) for error in simulation.run().errors.values())
