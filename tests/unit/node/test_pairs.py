"""Instances between nodes: made by one side, waited for by the other, renewed, frozen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.successions import renewal, reshare_by_hand

from quorate.account.shards import SHARDS
from quorate.errors import Missing
from quorate.schemes.ecdsa.setup import MAX_SHARDS
from quorate.testing.committee import LocalCommittee
from quorate.vault.instances import MAX_UNVERIFIED, Direction


@pytest.fixture
async def committee(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path, size=3, degree=1)
    yield made
    await made.close()


async def test_both_ends_come_to_hold_one_instance(committee: LocalCommittee) -> None:
    first, second = committee.nodes["node1"], committee.nodes["node2"]
    await asyncio.gather(first.ensure("node2", 5), second.ensure("node1", 5))
    ours, theirs = first.pairs.load("node2", 5), second.pairs.load("node1", 5)
    assert ours.fingerprint == theirs.fingerprint
    assert ours.generation == theirs.generation


async def test_sessions_that_need_it_at_once_make_it_once(committee: LocalCommittee) -> None:
    first = committee.nodes["node1"]
    await asyncio.gather(*(first.ensure("node2", 1) for _ in range(4)))
    assert first.metrics.text().count('quorate_instances_total{peer="node2"} 1\n') == 1


async def test_the_second_by_name_waits_and_names_the_other_when_it_does_not_come(
    committee: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quorate.node.pairs.ENSURE_SECONDS", 0.2)
    with pytest.raises(Missing) as missing:
        await committee.nodes["node2"].ensure("node1", 3)
    assert missing.value.parties == ("node1",)


async def test_a_node_that_stops_gives_up_what_it_is_making(
    committee: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would go on with a vault that is closed, after those who waited have gone."""
    first = committee.nodes["node1"]
    begun, ended = asyncio.Event(), asyncio.Event()

    async def never(peer: str, shard: int, generation: int) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(first.pairs.ensure("node2", 4, never))
    await begun.wait()
    waiting.cancel()
    await asyncio.sleep(0)
    assert not ended.is_set(), "others may wait for it too"
    await first.pairs.close()
    assert ended.is_set()


async def test_a_frozen_instance_is_made_afresh_by_the_nodes_themselves(committee: LocalCommittee) -> None:
    first = committee.nodes["node1"]
    await first.ensure("node2", 0)
    before = first.pairs.load("node2", 0)
    await first.worker(lambda: first.pairs.freeze("node2", 0, "a check failed", leak_bearing=True))
    await first.ensure("node2", 0)
    after = first.pairs.load("node2", 0)
    assert after.generation > before.generation
    assert after.fingerprint != before.fingerprint


async def test_an_instance_with_too_many_open_checks_is_replaced(committee: LocalCommittee) -> None:
    first = committee.nodes["node1"]
    await first.ensure("node2", 0)
    before = first.pairs.load("node2", 0)
    for _ in range(MAX_UNVERIFIED):
        first.vault.instances.begin_session("node2", 0, Direction.SENDER, before.generation)
    await first.ensure("node2", 0)
    assert first.pairs.load("node2", 0).generation > before.generation


async def test_the_third_leak_bearing_failure_in_a_day_suspends_the_pair(committee: LocalCommittee) -> None:
    first = committee.nodes["node1"]
    for _ in range(3):
        await first.worker(lambda: first.pairs.freeze("node2", 0, "a check failed", leak_bearing=True))
    with pytest.raises(Exception, match="suspended"):
        await first.ensure("node2", 0)


async def test_an_instance_that_only_the_second_node_knows_to_be_frozen_is_made_anew(
    committee: LocalCommittee,
) -> None:
    first, second = committee.nodes["node1"], committee.nodes["node2"]
    await first.ensure("node2", 0)
    await second.worker(lambda: second.pairs.freeze("node1", 0, "a check failed", leak_bearing=True))
    await second.ensure("node1", 0)
    assert first.pairs.load("node2", 0).fingerprint == second.pairs.load("node1", 0).fingerprint


async def test_both_ends_may_make_an_instance_at_once_and_hold_the_same_one(
    committee: LocalCommittee,
) -> None:
    first, second = committee.nodes["node1"], committee.nodes["node2"]
    made = (
        first.pairs.make("node2", 0, first._open_setup),
        second.pairs.make("node1", 0, second._open_setup),
    )
    await asyncio.gather(*made, return_exceptions=True)
    assert first.pairs.load("node2", 0).fingerprint == second.pairs.load("node1", 0).fingerprint


async def test_the_two_ends_never_give_one_generation_to_two_instances(committee: LocalCommittee) -> None:
    first, second = committee.nodes["node1"].pairs, committee.nodes["node2"].pairs
    made = [first.next_generation("node2", 0) for _ in range(3)]
    made += [second.next_generation("node1", 0) for _ in range(3)]
    assert len(set(made)) == 6


async def test_instances_are_kept_under_a_data_key_and_survive_a_restart(committee: LocalCommittee) -> None:
    first = committee.nodes["node1"]
    await first.ensure("node2", 7)
    fingerprint = first.pairs.load("node2", 7).fingerprint
    await committee.stop("node1")
    committee.start("node1")
    assert committee.nodes["node1"].pairs.load("node2", 7).fingerprint == fingerprint
    assert committee.nodes["node1"].vault.instances.load("node2", 7, Direction.SENDER).sessions == 0


async def test_a_node_that_has_lost_its_newest_instance_counts_on_above_the_other_ends(
    committee: LocalCommittee,
) -> None:
    """As after a crash between the two ends' writes, within the second in which generations are counted."""
    first, second = committee.nodes["node1"], committee.nodes["node2"]
    await first.ensure("node2", 0)
    kept = second.pairs.load("node1", 0)
    ahead = replace(kept, generation=kept.generation + 5)
    await second.worker(second.pairs.store, "node1", ahead)
    await first.worker(lambda: first.pairs.freeze("node2", 0, "lost", leak_bearing=False))
    await first.ensure("node2", 0)
    assert first.pairs.load("node2", 0).generation > ahead.generation


def test_every_shard_of_an_account_is_one_that_a_setup_may_have() -> None:
    assert SHARDS == MAX_SHARDS


async def test_an_instance_of_a_past_committee_epoch_is_due_for_replacement(
    committee: LocalCommittee,
) -> None:
    first = committee.nodes["node1"]
    await first.ensure("node2", 0)
    assert first.pairs._due() == []
    reshare_by_hand(committee, *renewal(committee, degree=1, liars=0))
    first.epochs.store.begin_epoch(first.clock() + 1)
    (due,) = first.pairs._due()
    assert (due.peer, due.shard) == ("node2", 0)
