"""The pool fills itself: real nodes with links between them make batches, whoever is down, slow or greedy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from quorate.account.pool import Ask
from quorate.entropy import system_rng
from quorate.errors import Refused, Unavailable
from quorate.groups import ED25519, SECP256K1
from quorate.node.generating import DEMANDED_KEYS, FIRST_BATCH, MAX_AHEAD, PoolBatches, turn
from quorate.node.node import Node
from quorate.node.pool import DEMAND_SECONDS, ON_DEMAND
from quorate.sharing.dkg import Batch
from quorate.sharing.generation import GeneratedKey
from quorate.testing.committee import LocalCommittee
from quorate.transport.links import NotNow
from quorate.vault.pool import BatchState

CURVES = (SECP256K1.name, ED25519.name)


@pytest.fixture
async def committee(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path, 4, 1, stock=0, pool_target=6, pool_batch=8)
    yield made
    await made.close()


async def until(done: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.05)


def stored(node: Node, curve: str) -> list[int]:
    return [b.number for b in node.vault.pool.batches(curve) if b.state is BatchState.STORED]


def parts(node: Node, curve: str, batch: int) -> list[GeneratedKey]:
    found = node.vault.pool.live_parts(curve, batch, node.committee.epoch)
    return [GeneratedKey.from_bytes(part.reveal()) for _, part in sorted(found.items())]


async def test_an_empty_pool_fills_with_keys_of_both_curves_that_all_nodes_share(
    committee: LocalCommittee,
) -> None:
    committee.link()
    nodes = list(committee.nodes.values())
    await until(lambda: all(stored(node, curve) == [1] for node in nodes for curve in CURVES))
    for curve in CURVES:
        public = [[key.public for key in parts(node, curve, 1)] for node in nodes]
        assert all(keys == public[0] for keys in public)
        assert len({key.key_id for key in public[0]}) == FIRST_BATCH
        assert all(key.nodes == committee.names for key in public[0])
        assert {node.vault.pool.depth(curve) for node in nodes} == {FIRST_BATCH}
    await asyncio.sleep(0.5)  # and then there are enough
    assert all(stored(node, curve) == [1] for node in nodes for curve in CURVES)
    text = nodes[0].metrics.text()
    assert 'quorate_pool_batches_total{curve="ed25519",outcome="stored"} 1' in text


async def test_keys_that_are_used_are_made_up_for(committee: LocalCommittee) -> None:
    committee.link()
    nodes = list(committee.nodes.values())
    await until(lambda: all(stored(node, CURVES[0]) == [1] for node in nodes))
    committee.grants(system_rng(32), system_rng(32), 3)
    for node in nodes:
        node.refill.look()
    await until(lambda: all(stored(node, CURVES[0]) == [1, 2] for node in nodes))


async def test_a_node_that_is_down_has_the_batch_when_it_is_back(committee: LocalCommittee) -> None:
    await committee.stop("node3")
    committee.link()
    nodes = list(committee.nodes.values())
    await until(lambda: all(stored(node, CURVES[0]) == [1] for node in nodes))
    committee.start("node3")
    late = committee.nodes["node3"]
    await until(lambda: stored(late, CURVES[0]) == [1])
    assert [k.public for k in parts(late, CURVES[0], 1)] == [k.public for k in parts(nodes[0], CURVES[0], 1)]


# --- what a node joins, and what not -------------------------------------------------------------------


@pytest.fixture
def batches(committee: LocalCommittee) -> PoolBatches:
    return committee.nodes["node1"].batches


def asked(batches: PoolBatches, **changes: object) -> Batch:
    return msgspec.structs.replace(batches.next(batches.level(CURVES[0])), **changes)


async def test_a_batch_follows_from_what_everybody_knows(committee: LocalCommittee) -> None:
    specs = {
        node.batches.spec(node.batches.next(node.batches.level(curve))).id
        for node in committee.nodes.values()
        for curve in CURVES
    }
    assert len(specs) == 2
    node = committee.nodes["node1"]
    batches = node.batches
    batches.consider(batches.spec(asked(batches)), "node2")


@pytest.mark.parametrize(
    "changes",
    [
        {"network": "other"},
        {"committee": bytes(32)},
        {"curve": "toy61"},
        {"number": 0},
        {"count": 9},
    ],
)
async def test_a_batch_of_another_committee_curve_or_size_is_refused(
    batches: PoolBatches, changes: dict[str, object]
) -> None:
    with pytest.raises(Refused):
        batches.consider(batches.spec(asked(batches, **changes)), "node2")


async def test_a_session_that_does_not_follow_from_its_batch_is_refused(batches: PoolBatches) -> None:
    spec = batches.spec(asked(batches))
    for changes in ({"purpose": "more"}, {"threshold": 1}, {"nonces": spec.nonces[::-1]}):
        with pytest.raises(Refused):
            batches.consider(msgspec.structs.replace(spec, **changes), "node2")
    with pytest.raises(Refused):
        batches.consider(msgspec.structs.replace(spec, payload=b"rubbish"), "node2")


async def test_a_batch_of_an_epoch_to_come_waits(batches: PoolBatches) -> None:
    with pytest.raises(NotNow):
        batches.consider(batches.spec(asked(batches, epoch=1)), "node2")


async def test_nobody_makes_a_node_generate_without_end(committee: LocalCommittee) -> None:
    """Two batches above the target, and no more; numbers are used once; few at a time."""
    node = committee.nodes["node1"]
    batches = node.batches
    for number in range(1, 10):
        spec = batches.spec(asked(batches, number=number))
        try:
            batches.consider(spec, "node2")
        except NotNow:
            break
        batches.begun(spec)
        with pytest.raises(Refused, match="used"):
            batches.consider(spec, "node2")
        keys = [(system_rng(32), b"part")] * FIRST_BATCH
        node.vault.pool.put(CURVES[0], number, keys)
    assert node.vault.pool.depth(CURVES[0]) == 2 * FIRST_BATCH


async def test_one_node_cannot_use_up_all_numbers(batches: PoolBatches) -> None:
    """The next batch has the number after the highest that was begun, and numbers end somewhere."""
    last = (1 << 32) - 1
    for number in (last, MAX_AHEAD + 1):
        with pytest.raises(Refused, match="nobody has come to"):
            batches.consider(batches.spec(asked(batches, number=number)), "node2")
    batches.consider(batches.spec(asked(batches, number=MAX_AHEAD)), "node2")


async def test_few_batches_are_under_way_at_a_time(batches: PoolBatches) -> None:
    for number in (1, 2):
        batches.begun(batches.spec(asked(batches, number=number, count=1)))
    with pytest.raises(NotNow, match="under way"):
        batches.consider(batches.spec(asked(batches, number=3, count=1)), "node2")
    assert not batches.level(CURVES[0]).is_low


async def test_a_failed_batch_makes_room_and_its_number_stays_used(batches: PoolBatches) -> None:
    spec = batches.spec(asked(batches))
    batches.begun(spec)
    assert batches.level(CURVES[0]).coming == FIRST_BATCH
    batches.failed(spec, Refused("over", code="over"))
    level = batches.level(CURVES[0])
    assert (level.coming, level.highest) == (0, 1)
    with pytest.raises(Refused):
        batches.begun(spec)


async def test_after_a_restored_database_a_node_makes_no_keys(committee: LocalCommittee) -> None:
    node = committee.nodes["node1"]
    with node.vault.transaction() as tx:
        node.vault.pool.forget(tx)
    with pytest.raises(Refused, match="restored"):
        node.batches.consider(node.batches.spec(asked(node.batches)), "node2")


async def test_keys_of_a_curve_without_stock_are_made_when_a_device_asks_and_only_a_few(
    committee: LocalCommittee,
) -> None:
    committee.link()
    nodes = list(committee.nodes.values())
    await until(lambda: all(stored(node, curve) == [1] for node in nodes for curve in CURVES))
    curve = ON_DEMAND[0]
    assert all(not stored(node, curve) for node in nodes)
    assert [level.curve for level in await nodes[0].refill.levels()] == list(CURVES)
    for node in nodes[1:]:  # one that was not asked makes them with the others all the same
        node.pool.offer(system_rng(32), Ask(curve))
    await until(lambda: all(stored(node, curve) == [1] for node in nodes))
    public = [[key.public for key in parts(node, curve, 1)] for node in nodes]
    assert all(keys == public[0] for keys in public)
    for node in nodes:
        node.pool.offer(system_rng(32), Ask(curve))
    await asyncio.sleep(0.5)
    assert all(node.vault.pool.depth(curve) == DEMANDED_KEYS for node in nodes)
    assert all(stored(node, CURVES[0]) == [1] for node in nodes)


async def test_nobody_makes_a_node_generate_keys_without_stock_without_end(batches: PoolBatches) -> None:
    level = msgspec.structs.replace(batches.next(batches.level(CURVES[0])), curve=ON_DEMAND[0])
    with pytest.raises(Refused, match="another curve or size"):
        batches.consider(batches.spec(msgspec.structs.replace(level, count=DEMANDED_KEYS + 1)), "node2")
    for number in range(1, 10):
        spec = batches.spec(msgspec.structs.replace(level, number=number, count=DEMANDED_KEYS))
        try:
            batches.consider(spec, "node2")
        except NotNow:
            break
        batches.begun(spec)
        keys = [(system_rng(32), b"part")] * DEMANDED_KEYS
        batches._vault.pool.put(ON_DEMAND[0], number, keys)
    assert batches.level(ON_DEMAND[0]).free == 3 * DEMANDED_KEYS


async def test_a_question_for_a_curve_without_stock_is_forgotten(tmp_path: Path) -> None:
    now = 2_000_000_000.0
    made = LocalCommittee(tmp_path, 4, 1, stock=0, pool_target=6, pool_batch=8, clock=lambda: now)
    try:
        node = made.nodes["node1"]
        assert node.batches.level(ON_DEMAND[0]).target == 0
        node.pool.offer(system_rng(32), Ask(ON_DEMAND[0]))
        assert node.batches.level(ON_DEMAND[0]).target == DEMANDED_KEYS
        now += DEMAND_SECONDS
        assert node.batches.level(ON_DEMAND[0]).target == 0
    finally:
        await made.close()


async def test_a_curve_whose_library_is_missing_is_refused_by_name(
    batches: PoolBatches, committee: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise Unavailable(f"{name} needs a library; install quorate[{name}]")

    monkeypatch.setattr("quorate.node.pool.group_named", missing)
    monkeypatch.setattr("quorate.node.generating.group_named", missing)
    with pytest.raises(Refused, match="install quorate") as error:
        committee.nodes["node1"].pool.offer(system_rng(32), Ask(ON_DEMAND[0]))
    assert error.value.code == "curve"
    with pytest.raises(Refused, match="install quorate"):
        batches.consider(batches.spec(asked(batches)), "node2")


async def test_batches_grow_to_the_configured_size(committee: LocalCommittee, tmp_path: Path) -> None:
    node = committee.nodes["node1"]
    large = PoolBatches(
        "node1", "test", node.committee, node.vault, target=500, batch=50, log=node.log, metrics=node.metrics
    )
    sizes = []
    for number in range(1, 6):
        batch = large.next(large.level(CURVES[0]))
        sizes.append(batch.count)
        node.vault.pool.begin(CURVES[0], number, batch.count)
    assert sizes == [8, 16, 32, 50, 50]


def test_nodes_take_turns_in_beginning() -> None:
    names = ("a", "b", "c")
    for number in range(1, 7):
        turns = [turn(name, names, number) for name in names]
        assert sorted(turns) == [0, 1, 2]
        assert turns.index(0) == number % 3


async def test_a_batch_that_never_ends_keeps_only_curves_without_stock_waiting(
    committee: LocalCommittee,
) -> None:
    """What a device asks for, and too few nodes have the library for, must not end all generation."""
    nodes = list(committee.nodes.values())
    for node in nodes:
        batch = node.batches.next(node.batches.level(ON_DEMAND[0]))
        node.vault.pool.begin(ON_DEMAND[0], batch.number, batch.count, epoch=batch.epoch)
        node.pool.offer(system_rng(32), Ask(ON_DEMAND[0]))
    committee.link()
    await until(lambda: all(stored(node, curve) == [1] for node in nodes for curve in CURVES))
    assert all(not stored(node, ON_DEMAND[0]) for node in nodes)
