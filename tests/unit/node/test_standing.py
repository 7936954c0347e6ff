"""Sessions among nodes that outlive processes, connections and peers."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.standing import StandingCommittee, result_at, spec_of, until

from quorate.clock import monotonic
from quorate.encoding import encode
from quorate.entropy import system_rng
from quorate.errors import Malformed, Refused, Unavailable
from quorate.node import links as node_links
from quorate.node.node import Node
from quorate.node.standing import sessions as sessions_module
from quorate.node.standing import steps as steps_module
from quorate.node.standing.talk import Announce, Carry, Done
from quorate.node.standing.turns import MAX_TOGETHER, Event, Kind, Turns
from quorate.session import Envelope, Session
from quorate.testing.committee import LocalCommittee
from quorate.transport.links import LinkPeer, MemoryWire, NotNow, WireClosed, call
from quorate.transport.links import dispatch as dispatch_module
from quorate.vault.outbox import Depth
from quorate.vault.standing import StandingState

FIVE = tuple(f"node{i}" for i in range(1, 6))


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_LATER_SECONDS", "MAX_PAUSE_SECONDS", "MAX_LATER_SECONDS"):
        monkeypatch.setattr(dispatch_module, name, 0.1)


@pytest.fixture
async def table(tmp_path: Path) -> AsyncIterator[StandingCommittee]:
    """Five nodes of which one may lie or be away."""
    committee = LocalCommittee(tmp_path)
    yield StandingCommittee(committee)
    await committee.close()


async def test_all_conclude_agree_and_keep_nothing_once_all_are_done(table: StandingCommittee) -> None:
    table.link()
    spec = spec_of(table.committee)
    await table.committee.nodes["node1"].standing.start(spec)
    await until(lambda: table.retired(spec.id))
    assert table.agreed(spec.id)
    for node in table.committee.nodes.values():
        assert node.vault.standing.open() == []
        assert node.vault.journal.open_sessions() == []
        await until(lambda node=node: node.standing.status() == [])  # type: ignore[misc]
        assert await node.standing.finished(spec.id) is StandingState.RETIRED
    await until(
        lambda: all(
            node.vault.outbox.depth(peer) == Depth(0, 0)
            for node in table.committee.nodes.values()
            for peer in FIVE
        )
    )
    assert table.deviations() == []


async def test_all_may_begin_at_once_and_again(table: StandingCommittee) -> None:
    table.link()
    spec = spec_of(table.committee)
    nodes = table.committee.nodes.values()
    await asyncio.gather(*(node.standing.start(spec) for node in nodes for _ in range(2)))
    await until(lambda: table.retired(spec.id))
    for node in nodes:
        await node.standing.start(spec)
    assert table.retired(spec.id)
    assert table.agreed(spec.id)


async def test_four_conclude_without_the_fifth_which_catches_up_when_it_comes(
    table: StandingCommittee,
) -> None:
    await table.stop("node5")
    table.link("node1", "node2", "node3", "node4")
    spec = spec_of(table.committee)
    await table.committee.nodes["node1"].standing.start(spec)
    await until(lambda: table.agreed(spec.id, "node1", "node2", "node3", "node4"))
    states = [node.vault.standing.state(spec.id) for node in table.committee.nodes.values()]
    assert states == [StandingState.CONCLUDED] * 4
    table.start("node5")
    await until(lambda: table.retired(spec.id))
    assert table.agreed(spec.id)
    assert table.deviations() == []


async def test_nodes_that_are_stopped_and_started_in_turn_say_nothing_in_two_ways(
    table: StandingCommittee,
) -> None:
    table.link()
    specs = [spec_of(table.committee, number) for number in range(3)]
    for index, spec in enumerate(specs):
        await table.committee.nodes["node1"].standing.start(spec)
        await asyncio.sleep(0.05 * index)
        for name in ("node1", "node3"):
            await table.stop(name)
            table.start(name)
    await until(lambda: all(table.retired(spec.id) for spec in specs))
    assert all(table.agreed(spec.id) for spec in specs)
    assert table.deviations() == []


async def test_a_partition_is_waited_out(table: StandingCommittee) -> None:
    table.link()
    await table.committee.part("node1", "node2")
    spec = spec_of(table.committee)
    for node in table.committee.nodes.values():
        await node.standing.start(spec)
    await asyncio.sleep(0.5)
    assert not any(table.results(spec.id).values())
    await table.committee.part()
    await until(lambda: table.retired(spec.id))
    assert table.agreed(spec.id)


async def test_a_node_that_refuses_takes_no_part_and_the_others_conclude(table: StandingCommittee) -> None:
    def judge(spec: Any, proposer: str) -> None:
        raise Refused("not this one", code="test")

    table.protocols["node5"].judge = judge
    table.link()
    spec = spec_of(table.committee)
    await table.committee.nodes["node1"].standing.start(spec)
    await until(lambda: table.agreed(spec.id, "node1", "node2", "node3", "node4"))
    node = table.committee.nodes["node5"]
    assert node.vault.standing.state(spec.id) is None
    with pytest.raises(Refused):
        await node.standing.start(spec)


async def test_a_session_whose_subject_was_used_is_refused_when_it_would_be_written(
    table: StandingCommittee,
) -> None:
    def used() -> None:
        raise Refused("that number was used", code="test")

    table.protocols["node5"].when_begun = used
    table.link()
    spec = spec_of(table.committee)
    with pytest.raises(Refused):
        await table.committee.nodes["node5"].standing.start(spec)
    await table.committee.nodes["node1"].standing.start(spec)
    await until(lambda: table.agreed(spec.id, "node1", "node2", "node3", "node4"))
    node = table.committee.nodes["node5"]
    assert node.vault.standing.state(spec.id) is None
    assert node.vault.journal.open_sessions() == []
    await until(lambda: table.committee.nodes["node1"].vault.outbox.depth("node5").rows == 0)


async def test_a_node_that_cannot_yet_is_asked_again(table: StandingCommittee) -> None:
    early = True

    def judge(spec: Any, proposer: str) -> None:
        if early:
            raise NotNow("of an epoch to come")

    table.protocols["node5"].judge = judge
    table.link()
    spec = spec_of(table.committee)
    await table.committee.nodes["node1"].standing.start(spec)
    await until(lambda: table.agreed(spec.id, "node1", "node2", "node3", "node4"))
    assert table.committee.nodes["node5"].vault.standing.state(spec.id) is None
    early = False
    await until(lambda: table.retired(spec.id))


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


async def test_a_node_that_is_behind_asks_for_help_when_it_starts_and_is_given_all_of_it(
    table: StandingCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what its peers' outboxes hold no more: here they were emptied behind their backs."""
    await table.committee.part("node5")
    table.link()
    spec = spec_of(table.committee)
    nodes = table.committee.nodes
    await nodes["node5"].standing.start(spec)
    await nodes["node1"].standing.start(spec)
    others = ("node1", "node2", "node3", "node4")
    await until(lambda: table.agreed(spec.id, *others))
    for name in others:
        nodes[name].vault.outbox.drop_peer("node5")
    await table.stop("node5")
    await table.committee.part()
    table.start("node5")
    await until(lambda: table.retired(spec.id))
    assert table.agreed(spec.id)
    assert table.deviations() == []


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


async def test_a_node_that_does_not_run_its_links_serves_none(table: StandingCommittee) -> None:
    links = table.committee.nodes["node1"].links
    for begin in (False, True):
        near, far = MemoryWire.pair()
        if begin:
            links._loop = asyncio.get_running_loop()
        serving = asyncio.ensure_future(links.serve(far))
        await asyncio.sleep(0.01)
        links._loop = None  # it stops in the middle of a handshake
        caller = table.committee.nodes["node2"].links
        with contextlib.suppress(WireClosed):
            await call(near, caller.me, LinkPeer("node1", "", links.me.identity.public), system_rng)
        async with asyncio.timeout(5):
            await serving


async def test_what_is_no_talk_or_of_others_is_dropped_and_what_is_unknown_waits(
    table: StandingCommittee,
) -> None:
    table.link("node1")
    standing = table.committee.nodes["node1"].standing
    with pytest.raises(Malformed):
        await standing._take_in("node2", b"\xc1")
    for talk in (Carry(bytes(32), b"x"), Done(bytes(32))):
        with pytest.raises(NotNow):
            await standing._take_in("node2", encode(talk))
    spec = spec_of(table.committee)
    await standing.start(spec)
    with pytest.raises(Malformed):
        await standing._take_in("stranger", encode(Carry(spec.id, b"x")))
    await standing._take_in("node2", encode(Carry(spec.id, b"garbage")))


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


async def test_strangers_fill_their_places_and_a_member_gets_in_after_them(
    table: StandingCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_links, "MAX_LINK_CALLERS", 2)
    links = table.committee.nodes["node1"].links
    table.link("node1")
    await asyncio.sleep(0)
    silent = [MemoryWire.pair() for _ in range(3)]
    doors = [asyncio.ensure_future(links.serve(end)) for _, end in silent]
    await asyncio.sleep(0.05)
    assert [door.done() for door in doors] == [False, False, True]
    for wire, _ in silent:
        await wire.close()
    await asyncio.gather(*doors)
    text = table.committee.nodes["node1"].metrics.text()
    assert 'links_refused_total{reason="busy"} 1' in text
