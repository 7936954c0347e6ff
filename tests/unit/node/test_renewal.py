"""Renewal by schedule: whose turn it is, when it is due, and when it is put off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.successions import renewal, reshare_by_hand

from quorate.clock import unix_time
from quorate.errors import Missing, Refused
from quorate.node.epochs import Driver
from quorate.node.epochs.driver import RENEWAL_SECONDS, TURN_SECONDS
from quorate.node.epochs.talk import Plan
from quorate.node.node import Node
from quorate.testing.committee import LocalCommittee


class Time:
    """The clock of all nodes."""

    def __init__(self) -> None:
        self.now = unix_time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def nodes(tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path, stock=0, clock=time)
    for node in made.nodes.values():
        node.driver._renewal_seconds = RENEWAL_SECONDS
        node.led = []  # type: ignore[attr-defined]
        monkeypatch.setattr(node.driver, "lead", leads(node))
    yield made
    await made.close()


def leads(node: Node, *, missing: tuple[str, ...] = ()):  # type: ignore[no-untyped-def]
    async def lead(plan: Plan) -> None:
        if missing:
            raise Missing("no answer", parties=missing, needed=len(missing))
        node.led.append(plan)  # type: ignore[attr-defined]

    return lead


async def ended(driver: Driver) -> None:
    assert driver._driving is not None
    await driver._driving


def driver(nodes: LocalCommittee, name: str) -> Driver:
    return nodes.nodes[name].driver


async def test_a_renewal_is_due_after_a_week_and_one_node_after_the_other_has_its_turn(
    nodes: LocalCommittee, time: Time
) -> None:
    assert not any([await driver(nodes, name).look() for name in nodes.names])
    begun = time.now
    for turn, name in enumerate(nodes.names):
        time.now = begun + RENEWAL_SECONDS + turn * TURN_SECONDS - 1
        assert not await driver(nodes, name).look()
        time.now = begun + RENEWAL_SECONDS + (turn + 1) * TURN_SECONDS
        assert await driver(nodes, name).look()
        await ended(driver(nodes, name))
        node = nodes.nodes[name]
        assert node.led == [Plan.of(node.committee.record)]  # type: ignore[attr-defined]
    assert "quorate_renewals_begun_total 1" in nodes.nodes["node1"].metrics.text()


async def test_a_renewal_is_put_off_while_a_node_is_down(
    nodes: LocalCommittee, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = nodes.nodes["node1"]
    await node.driver.look()
    time.now += RENEWAL_SECONDS + 2 * TURN_SECONDS
    monkeypatch.setattr(node.driver, "lead", leads(node, missing=("node4",)))
    assert await node.driver.look()
    await ended(node.driver)
    assert "quorate_renewals_skipped_total 1" in node.metrics.text()
    assert "quorate_epoch_changes_failed_total" not in node.metrics.text()
    monkeypatch.setattr(node.driver, "lead", leads(node))
    assert not await node.driver.look()
    time.now += TURN_SECONDS
    assert await node.driver.look()
    await ended(node.driver)
    assert node.led  # type: ignore[attr-defined]


async def test_without_a_period_there_is_no_renewal(nodes: LocalCommittee, time: Time) -> None:
    node = nodes.nodes["node1"]
    node.driver._renewal_seconds = 0.0
    await node.driver.look()
    time.now += 10 * RENEWAL_SECONDS
    assert not await node.driver.look()


async def test_a_node_outside_the_committee_begins_nothing(nodes: LocalCommittee) -> None:
    nodes.add("node6")
    waiting = nodes.nodes["node6"]
    assert not await waiting.driver.look()
    with pytest.raises(Refused) as refused:
        Driver.start(waiting.driver, Plan.of(waiting.committee.record))
    assert refused.value.code == "committee"


async def test_after_a_renewal_the_next_one_is_due_in_a_week(nodes: LocalCommittee, time: Time) -> None:
    node = nodes.nodes["node1"]
    await node.driver.look()
    time.now += RENEWAL_SECONDS + TURN_SECONDS
    assert await node.driver.look()
    await ended(node.driver)
    reshare_by_hand(nodes, *renewal(nodes))
    node.epochs.store.begin_epoch(time.now)
    time.now += 24 * TURN_SECONDS
    assert not await node.driver.look()
    time.now += RENEWAL_SECONDS
    assert await node.driver.look()
    await ended(node.driver)
