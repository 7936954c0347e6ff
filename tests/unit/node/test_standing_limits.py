"""How many standing sessions there are, for how long, and how much of a core they take."""

import dataclasses
from typing import Any

import pytest
from tests.support.standing import StandingCommittee, spec_of, until

from quorate.clock import monotonic
from quorate.encoding import encode
from quorate.errors import Refused
from quorate.node.standing import sessions as sessions_module
from quorate.node.standing import steps as steps_module
from quorate.node.standing.talk import Announce, Carry
from quorate.node.standing.turns import MAX_TOGETHER, Event, Kind, Turns
from quorate.transport.links import NotNow
from quorate.vault.standing import StandingState

FIVE = tuple(f"node{i}" for i in range(1, 6))


async def test_an_ended_session_lingers_no_longer_than_its_time_and_its_place(
    table: StandingCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions_module, "MAX_LINGERING", 2)
    await table.stop("node5")
    table.link("node1", "node2", "node3", "node4")
    specs = [spec_of(table.committee, number) for number in range(4)]
    nodes = table.committee.nodes
    for spec in specs:
        await nodes["node1"].standing.start(spec)
        await nodes["node1"].standing.finished(spec.id)
    await until(lambda: table.retired(specs[0].id, "node1") and table.retired(specs[1].id, "node1"))
    left = [spec.id for spec in specs[2:]]
    await until(lambda: [view.session for view in nodes["node1"].standing.status()] == left)
    assert {row.session for row in nodes["node1"].vault.standing.open()} == set(left)
    monkeypatch.setattr(sessions_module, "LINGER_SECONDS", 0.0)
    await until(lambda: all(table.retired(spec.id, "node1", "node2", "node3", "node4") for spec in specs))
    assert nodes["node1"].vault.outbox.depth("node5").rows == 4, "one word for each: done"


async def test_a_session_that_never_ends_is_given_up(
    table: StandingCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("node4", "node5"):
        await table.stop(name)
    table.link()
    spec = spec_of(table.committee)
    await table.committee.nodes["node1"].standing.start(spec)
    await until(lambda: table.committee.nodes["node2"].vault.standing.state(spec.id) is not None)
    monkeypatch.setattr(sessions_module, "RUNNING_SECONDS", 0.0)
    state = await table.committee.nodes["node1"].standing.finished(spec.id)
    assert state is StandingState.FAILED
    assert table.committee.nodes["node1"].vault.journal.load(spec.id) is None
    await table.committee.nodes["node2"].standing.give_up(spec.id)
    assert table.retired(spec.id, "node2")


async def test_no_more_sessions_run_than_there_is_room_for(
    table: StandingCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps_module, "MAX_RUNNING", 2)
    for name in ("node4", "node5"):
        await table.stop(name)
    table.link()
    one, two, three = (spec_of(table.committee, number) for number in range(3))
    node = table.committee.nodes["node1"]
    await node.standing.start(one)
    await node.standing.start(two)
    with pytest.raises(NotNow, match="2 sessions are running"):
        await node.standing.start(three)
    await node.standing.start(one)
    await node.standing.give_up(one.id)
    await node.standing.start(three)


async def test_a_peer_without_room_in_the_outbox_is_given_the_session_later(
    table: StandingCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quorate.vault import outbox

    await table.stop("node5")
    monkeypatch.setattr(outbox, "MAX_OUTBOX_ROWS", 12)
    others = ("node1", "node2", "node3", "node4")
    table.link(*others)
    spec = spec_of(table.committee)
    nodes = table.committee.nodes
    for name in others:
        for _ in range(12):
            nodes[name].vault.outbox.put("node5", "test", b"something else")
    await nodes["node1"].standing.start(spec)
    await until(lambda: table.agreed(spec.id, *others))
    assert {nodes[name].vault.outbox.depth("node5").rows for name in others} == {12}
    for name in others:
        nodes[name].vault.outbox.drop_peer("node5")
    table.start("node5")
    await nodes["node5"].standing.start(spec)
    await until(lambda: table.agreed(spec.id))


async def test_refused_sessions_are_remembered_up_to_a_limit(
    table: StandingCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps_module, "MAX_REFUSED", 2)

    def judge(spec: Any, proposer: str) -> None:
        raise Refused("no", code="test")

    table.protocols["node1"].judge = judge
    table.link("node1")
    standing = table.committee.nodes["node1"].standing
    specs = [spec_of(table.committee, number) for number in range(3)]
    for spec in specs:
        await standing._take_in("node2", encode(Announce(spec)))
    for spec in specs[1:]:
        await standing._take_in("node2", encode(Carry(spec.id, b"x")))
    with pytest.raises(NotNow):
        await standing._take_in("node2", encode(Carry(specs[0].id, b"x")))


async def test_a_session_that_hears_nothing_is_ticked_more_and_more_seldom(
    table: StandingCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions_module, "MAX_TICK_SECONDS", 0.1)
    monkeypatch.setattr(sessions_module, "PATIENT_TICKS", 3)
    table.link("node1")
    node = table.committee.nodes["node1"]
    spec = spec_of(table.committee)
    await node.standing.start(spec)
    clockwork = node.standing._clockwork[spec.id]
    assert clockwork.pause == 0.05
    await until(lambda: clockwork.silent >= 1)
    assert clockwork.silent >= 3 or clockwork.pause == 0.05
    await until(lambda: clockwork.pause == 0.1)
    found = node.vault.journal.load(spec.id)
    assert found is not None
    assert len(found[1]) > 2, "each tick is a record"


async def test_turns_go_around_and_take_along_what_is_of_the_same_session() -> None:
    turns, a, b = Turns(), b"a" * 32, b"b" * 32
    for number in range(20):
        turns.put(Event(Kind.ENVELOPE, a, "flooder", str(number).encode()))
    turns.put(Event(Kind.ENVELOPE, b, "quiet", b"at last"))
    first = await turns.take()
    assert [event.envelope for event in first] == [str(n).encode() for n in range(MAX_TOGETHER)]
    second = await turns.take()
    assert [event.envelope for event in second] == [b"at last"]
    assert len(turns) == 20 - MAX_TOGETHER


async def test_background_work_stays_below_its_share(table: StandingCommittee) -> None:
    """A step that took 30 ms of a core whose half it may use is followed by as long a pause."""
    node = table.committee.nodes["node1"]
    node.standing.pace(0.5)
    node.standing.pace = lambda share: None  # type: ignore[method-assign]  # the pool's own idea of it
    steps, take = 0, node.standing._steps.take

    def costly(events: Any) -> Any:
        nonlocal steps
        steps += 1
        return dataclasses.replace(take(events), cpu=0.03)

    node.standing._steps.take = costly  # type: ignore[method-assign]
    table.link("node1")
    begun = monotonic()
    for number in range(5):
        await node.standing.start(spec_of(table.committee, number))
    await until(lambda: steps >= 10)
    assert monotonic() - begun > (steps - 1) * 0.06
