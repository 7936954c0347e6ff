"""Standing sessions on a failing disk, beside a second process, and where our own code stumbles."""

from typing import Any

import pytest
from tests.support.standing import StandingCommittee, result_at, spec_of, until

from quorate.errors import Unavailable
from quorate.node.node import Node
from quorate.node.standing import steps as steps_module
from quorate.session import Envelope, Session
from quorate.vault.standing import StandingState

FIVE = tuple(f"node{i}" for i in range(1, 6))


async def test_a_journal_that_cannot_be_written_costs_the_object_and_nothing_else(
    table: StandingCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the object had computed never left, and the next one computes it again."""
    await table.stop("node5")
    node = table.committee.nodes["node2"]
    append, fails = node.vault.journal.append, iter([False, True, False, True, True])

    def now_and_then(*arguments: Any, number: int) -> None:
        if next(fails, False):
            raise Unavailable("the disk is full")
        append(*arguments, number=number)

    monkeypatch.setattr(node.vault.journal, "append", now_and_then)
    table.link()
    spec = spec_of(table.committee)
    await node.standing.start(spec)
    await until(lambda: table.agreed(spec.id, "node1", "node2", "node3", "node4"))
    assert list(fails) == []
    assert replays(node, spec.id)
    table.start("node5")
    await until(lambda: table.retired(spec.id))
    assert table.deviations() == []


def more_steps(node: Node) -> steps_module.Steps:
    """What another process on the same database would have."""
    return steps_module.Steps(
        node.config.name,
        node.vault,
        node.links,
        node.standing._protocols.get,
        clock=node.clock,
        rng=node.rng,
        log=node.log,
        metrics=node.metrics,
    )


def replays(node: Node, session: bytes) -> bool:
    """Whether what the journal holds leads to the conclusion once more."""
    steps = more_steps(node)
    live = steps._known(session)
    return live is not None and steps._session(live).concluded


async def test_two_processes_on_one_database_do_not_contradict_each_other(
    table: StandingCommittee,
) -> None:
    """Nobody should run two; here every fifth step of one node is taken by a second set of objects."""
    node = table.committee.nodes["node2"]
    await table.stop("node5")
    first = node.standing._steps
    second = more_steps(node)
    first_take, turn = first.take, 0

    def by_turns(events: Any) -> Any:
        nonlocal turn
        turn += 1
        return first_take(events) if turn % 5 else second.take(events)

    first.take = by_turns  # type: ignore[method-assign]
    table.link()
    spec = spec_of(table.committee)
    await table.committee.nodes["node1"].standing.start(spec)
    await until(lambda: table.agreed(spec.id, "node1", "node2", "node3", "node4"), 40)
    assert replays(node, spec.id), "what both have written is one journal"
    assert turn >= 5, "the second set of objects took its turn"
    assert table.deviations() == []


async def test_a_result_that_cannot_be_stored_is_stored_later_and_once(table: StandingCommittee) -> None:
    left = 3

    def fail() -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise Unavailable("the disk is full")

    table.protocols["node2"].before_keeping = fail
    table.link()
    spec = spec_of(table.committee)
    await table.committee.nodes["node1"].standing.start(spec)
    await until(lambda: table.retired(spec.id))
    assert table.agreed(spec.id)
    assert left == -1
    assert table.deviations() == []


async def test_an_envelope_that_our_code_stumbles_over_is_as_if_it_had_never_come(
    table: StandingCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive, stumbled = Session.receive, 0

    def now_and_then(session: Any, data: bytes) -> list[bytes]:
        nonlocal stumbled
        if session.me == "node2" and Envelope.parse(data).sender == "node5":
            stumbled += 1
            session._close(Unavailable("broken"))
            raise ZeroDivisionError
        return receive(session, data)

    monkeypatch.setattr(Session, "receive", now_and_then)
    table.link()
    spec = spec_of(table.committee)
    await table.committee.nodes["node1"].standing.start(spec)
    await until(lambda: table.agreed(spec.id))
    assert stumbled == steps_module.MAX_MISTAKES, "then node5 is not listened to any more"
    assert table.deviations() == []


async def test_a_session_whose_journal_is_gone_fails_and_never_begins_again(
    table: StandingCommittee,
) -> None:
    await table.stop("node5")
    await table.stop("node4")
    table.link()
    spec = spec_of(table.committee)
    await table.committee.nodes["node1"].standing.start(spec)
    await until(lambda: table.committee.nodes["node2"].vault.standing.state(spec.id) is not None)
    table.committee.nodes["node2"].vault.journal.end(spec.id)
    await table.stop("node2")
    table.start("node2")
    await until(lambda: table.committee.nodes["node2"].vault.standing.state(spec.id) is StandingState.FAILED)
    assert len(table.protocols["node2"].failures) == 1
    await table.committee.nodes["node2"].standing.start(spec)
    for name in ("node4", "node5"):
        table.start(name)
    await until(lambda: table.agreed(spec.id, "node1", "node3", "node4", "node5"))
    assert result_at(table.committee.nodes["node2"], spec.id) is None
    await until(lambda: table.retired(spec.id))
    assert table.deviations() == []


async def test_a_session_that_does_not_replay_is_abandoned(
    table: StandingCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    await table.stop("node4")
    await table.stop("node5")
    table.link()
    spec = spec_of(table.committee)
    await table.committee.nodes["node1"].standing.start(spec)
    await until(lambda: table.committee.nodes["node2"].vault.standing.state(spec.id) is not None)
    await table.stop("node2")
    table.committee.start("node2")
    table._prepare("node2")
    journal = table.committee.nodes["node2"].vault.journal
    load = journal.load

    def other_seed(session: bytes) -> Any:
        found = load(session)
        return None if found is None else (bytes(32), found[1])

    monkeypatch.setattr(journal, "load", other_seed)
    table.link("node2")
    await until(lambda: table.committee.nodes["node2"].vault.standing.state(spec.id) is StandingState.FAILED)
    assert table.deviations() == []
