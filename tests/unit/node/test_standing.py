"""Sessions among nodes that outlive processes, connections and peers."""

import asyncio
from typing import Any

import pytest
from tests.support.standing import StandingCommittee, spec_of, until

from quorate.encoding import encode
from quorate.errors import Malformed, Refused
from quorate.node.standing.talk import Carry, Done
from quorate.transport.links import NotNow
from quorate.vault.outbox import Depth
from quorate.vault.standing import StandingState

FIVE = tuple(f"node{i}" for i in range(1, 6))


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
