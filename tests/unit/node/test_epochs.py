"""Committees that change while their nodes run: renewal, five that become seven, and what comes between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.owner import Owner

from quorate.account import KeyRecord
from quorate.account.carrying import carried_share, check_carried
from quorate.account.committee import CommitteeRecord
from quorate.chains.ethereum.requests import message
from quorate.chains.registry import Chains
from quorate.errors import Missing, Refused
from quorate.node.epochs.talk import Plan, Planned
from quorate.node.node import Node
from quorate.schemes.ecdsa import verify
from quorate.sharing.formation import Formed
from quorate.testing.committee import LocalCommittee

CHAINS = Chains()


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path, stock=4)
    made.link()
    yield made
    await made.close()


async def until(done: Callable[[], bool], seconds: float = 60.0) -> None:
    ends = asyncio.get_running_loop().time() + seconds
    while not done():
        assert asyncio.get_running_loop().time() < ends, "it took too long"
        await asyncio.sleep(0.05)


def all_in(nodes: LocalCommittee, epoch: int) -> bool:
    return all(node.committee.epoch == epoch for node in nodes.nodes.values())


async def live_wallet(nodes: LocalCommittee, user: str = "alice") -> tuple[Owner, Formed, KeyRecord]:
    owner = Owner(nodes, user)
    formed, record, signatures = await owner.form()
    owner.make_live(formed, signatures)
    return owner, formed, record


async def signs(owner: Owner, formed: Formed, record: KeyRecord, quorum: tuple[str, ...]) -> None:
    for node in quorum:
        if node not in owner.pairs:
            await owner.set_up(node)
    payload = message("hello", CHAINS.address("eip155:1", record.public_key), "eip155:1")
    digest = CHAINS.decode(payload, record.public_key).digest
    verify(record.point, digest, await owner.sign(formed, quorum, payload, digest))


def carried(formed: Formed, record: KeyRecord) -> Formed:
    return replace(formed, share=carried_share(formed.share, record))


def plan_with(nodes: LocalCommittee, names: tuple[str, ...], degree: int, liars: int, away: int) -> Plan:
    members = tuple(Planned(n, "memory:", nodes.nodes[n].identity.public.verifying) for n in names)
    return Plan(nodes.network, members, degree, liars, away)


async def approve_everywhere(nodes: LocalCommittee, plan: Plan) -> None:
    for node in nodes.nodes.values():
        if node.committee.is_member:
            await node.driver.approve(plan)


def pool_of(node: Node) -> dict[str, bytes]:
    found = {}
    for batch in node.vault.pool.batches():
        for at, part in node.vault.pool.live_parts(batch.curve, batch.number, node.committee.epoch).items():
            found[f"{batch.curve}/{batch.number}/{at}"] = part.reveal()
    return found


async def test_a_committee_renews_itself_and_every_key_stays(nodes: LocalCommittee) -> None:
    owner, formed, record = await live_wallet(nodes)
    before = {name: pool_of(node) for name, node in nodes.nodes.items()}
    node = nodes.nodes["node2"]
    await node.driver.lead(Plan.of(node.committee.record))
    await until(lambda: all_in(nodes, 1))
    now: CommitteeRecord = node.committee.record
    nodes.follow(now)
    after = node.keybook.record(record.key)
    check_carried(record, after, now)
    await signs(owner, carried(formed, after), after, ("node1", "node2", "node5"))
    for name, one in nodes.nodes.items():
        pool = pool_of(one)
        assert pool.keys() == before[name].keys()
        assert all(pool[place] != before[name][place] for place in pool)
        assert not one.vault.data_keys.exists(f"epoch:{record.key.hex()}:0")
    # and a wallet is made with a key of the pool
    await live_wallet(nodes, "bob")
    await until(lambda: all(len(one.epochs.farewells.erased) == 5 for one in nodes.nodes.values()))
    assert all(not one.vault.journal.open_sessions() for one in nodes.nodes.values())


async def test_five_become_seven_and_one_is_removed(nodes: LocalCommittee) -> None:
    owner, formed, record = await live_wallet(nodes)
    for name in ("node6", "node7", "node8"):
        nodes.add(name)
    names = ("node2", "node3", "node4", "node5", "node6", "node7", "node8")
    plan = plan_with(nodes, names, 3, 1, 1)
    node = nodes.nodes["node1"]
    with pytest.raises(Refused, match="has not approved"):
        await node.driver.lead(plan)
    await approve_everywhere(nodes, plan)
    await node.driver.lead(plan)
    await until(lambda: all_in(nodes, 1))
    nodes.follow(nodes.nodes["node8"].committee.record)
    assert nodes.names == names
    after = nodes.nodes["node8"].keybook.record(record.key)
    check_carried(record, after, nodes.nodes["node8"].committee.record)
    await signs(owner, carried(formed, after), after, ("node3", "node6", "node7", "node8"))
    assert not node.committee.is_member
    assert (node.keybook.holdings(), pool_of(node)) == ([], {})
    assert len(pool_of(nodes.nodes["node8"])) == 3
    await nodes.stop("node1")
    await live_wallet(nodes, "bob")


async def test_a_node_that_is_away_finishes_when_it_is_back(
    nodes: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quorate.node.epochs.change.GRACE_SECONDS", 1.0)
    owner, formed, record = await live_wallet(nodes)
    node = nodes.nodes["node2"]
    leading = asyncio.create_task(node.driver.lead(Plan.of(node.committee.record)))
    await until(lambda: all(one.epochs.under is not None for one in nodes.nodes.values()))
    await nodes.stop("node5")
    await leading
    await until(lambda: all_in(nodes, 1))
    nodes.start("node5")
    await until(lambda: all_in(nodes, 1))
    nodes.follow(nodes.nodes["node5"].committee.record)
    after = nodes.nodes["node5"].keybook.record(record.key)
    await signs(owner, carried(formed, after), after, ("node1", "node2", "node5"))


async def test_without_all_of_its_members_no_change_is_begun_and_nothing_is_lost(
    nodes: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quorate.node.epochs.driver.ANSWER_SECONDS", 0.5)
    owner, formed, record = await live_wallet(nodes)
    await nodes.stop("node5")
    node = nodes.nodes["node2"]
    with pytest.raises(Missing, match="node5"):
        await node.driver.lead(Plan.of(node.committee.record))
    assert all(one.epochs.under is None for one in nodes.nodes.values())
    await signs(owner, formed, record, ("node1", "node2", "node3"))


async def test_every_node_is_killed_in_the_middle_and_all_go_on(nodes: LocalCommittee) -> None:
    owner, formed, record = await live_wallet(nodes)
    node = nodes.nodes["node2"]
    leading = asyncio.create_task(node.driver.lead(Plan.of(node.committee.record)))
    await until(lambda: all(one.epochs.under is not None for one in nodes.nodes.values()))
    leading.cancel()
    for name in nodes.names:
        await nodes.stop(name)
    for name in nodes.names:
        nodes.start(name)
    await until(lambda: all_in(nodes, 1))
    nodes.follow(nodes.nodes["node1"].committee.record)
    after = nodes.nodes["node1"].keybook.record(record.key)
    await signs(owner, carried(formed, after), after, ("node1", "node2", "node3"))


async def test_a_dead_node_is_replaced_by_a_new_one(
    nodes: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quorate.node.epochs.driver.ANSWER_SECONDS", 8.0)
    monkeypatch.setattr("quorate.node.epochs.listing.CHOICE_SECONDS", 0.5)
    owner, formed, record = await live_wallet(nodes)
    await nodes.stop("node5")
    nodes.add("node6")
    names = ("node1", "node2", "node3", "node4", "node6")
    plan = plan_with(nodes, names, 2, 1, 0)
    await approve_everywhere(nodes, plan)
    await nodes.nodes["node2"].driver.lead(plan)
    await until(lambda: all_in(nodes, 1))
    nodes.follow(nodes.nodes["node6"].committee.record)
    after = nodes.nodes["node6"].keybook.record(record.key)
    await signs(owner, carried(formed, after), after, ("node1", "node4", "node6"))


async def test_a_node_joins_a_committee_that_has_changed_since_its_configuration_was_written(
    nodes: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quorate.node.epochs.driver.RENEWAL_PAUSE_SECONDS", 0.0)
    owner, formed, record = await live_wallet(nodes)
    node = nodes.nodes["node2"]
    await node.driver.lead(Plan.of(node.committee.record))
    await until(lambda: all_in(nodes, 1))
    nodes.follow(node.committee.record)
    nodes.add("node6")
    assert nodes.nodes["node6"].committee.epoch == 0
    names = ("node2", "node3", "node4", "node5", "node6")
    plan = plan_with(nodes, names, 2, 1, 0)
    await approve_everywhere(nodes, plan)
    await node.driver.lead(plan)
    await until(lambda: all_in(nodes, 2))
    nodes.follow(node.committee.record)
    assert [one.record.epoch for one in nodes.nodes["node6"].committee.chain] == [1, 2]
    after = nodes.nodes["node6"].keybook.record(record.key)
    check_carried(record, after, node.committee.record)
    await signs(owner, carried(formed, after), after, ("node2", "node4", "node6"))
