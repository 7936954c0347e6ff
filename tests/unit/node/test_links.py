"""Who gets a link to a node, and when."""

import asyncio
import contextlib

import pytest
from tests.support.standing import StandingCommittee

from quorate.entropy import system_rng
from quorate.node import links as node_links
from quorate.transport.links import LinkPeer, MemoryWire, WireClosed, call

FIVE = tuple(f"node{i}" for i in range(1, 6))


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
