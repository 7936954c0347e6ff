"""The same links over real sockets: two nodes behind uvicorn, each dialing the other."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
import uvicorn
from tests.support.standing import until

from quorate.entropy import system_rng
from quorate.node.app import make_app
from quorate.node.links import LinkPeer
from quorate.node.node import Node
from quorate.testing.committee import LocalCommittee
from quorate.transport.frames import MAX_FRAME_BYTES
from quorate.transport.links import MAX_PARCEL_BYTES, Introduction, SocketWire, Wire, WireClosed, call
from quorate.transport.links import dispatch as dispatch_module

PAIR = ("node1", "node2")


class Served(LocalCommittee):
    """Nodes of a committee whose links go over the loopback interface."""

    client: aiohttp.ClientSession

    def __init__(self, home: Path) -> None:
        self.ports: dict[str, int] = {}
        self.servers: dict[str, tuple[uvicorn.Server, asyncio.Task[None]]] = {}
        super().__init__(home, 3, 1, stock=0)

    async def serve(self, name: str) -> None:
        listener = socket.create_server(("127.0.0.1", self.ports.get(name, 0)))
        self.ports[name] = listener.getsockname()[1]
        config = uvicorn.Config(
            make_app(self.nodes[name]),
            ws="websockets-sansio",
            ws_max_size=MAX_FRAME_BYTES,
            log_config=None,
            lifespan="off",
        )
        server = uvicorn.Server(config)
        server.capture_signals = _none  # type: ignore[method-assign]
        self.servers[name] = server, asyncio.create_task(server.serve([listener]))
        await until(lambda: server.started)
        self.nodes[name].start_links()

    async def silence(self, name: str) -> None:
        server, task = self.servers.pop(name)
        server.should_exit = server.force_exit = True
        await task

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports.get(name, 9)}/v1/links"

    def _connector(self, near: str):  # type: ignore[no-untyped-def]
        async def connect(peer: LinkPeer) -> Wire:
            return await SocketWire.connect(self.client, self.url(peer.name), peer.name)

        return connect


@contextlib.contextmanager
def _none() -> Iterator[None]:
    yield


@pytest.fixture
async def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setattr(dispatch_module, "MAX_PAUSE_SECONDS", 0.1)
    committee = Served(tmp_path)
    async with aiohttp.ClientSession() as client:
        committee.client = client
        for name in PAIR:
            await committee.serve(name)
        yield committee
        for name in list(committee.servers):
            await committee.silence(name)
        await committee.close()


def hearing(node: Node) -> list[tuple[str, bytes]]:
    heard: list[tuple[str, bytes]] = []

    async def handle(sender: str, body: bytes) -> None:
        heard.append((sender, body))

    node.links.on("test", handle)
    return heard


async def post(node: Node, peer: str, body: bytes) -> None:
    await node.background.run(node.links.post, peer, "test", body)


async def test_parcels_of_all_sizes_go_both_ways(pair: Served) -> None:
    one, two = (pair.nodes[name] for name in PAIR)
    heard = {name: hearing(pair.nodes[name]) for name in PAIR}
    bodies = [b"x", bytes(100_000), bytes(MAX_PARCEL_BYTES)]
    for body in bodies:
        await post(one, "node2", body)
        await post(two, "node1", body)
    await until(lambda: [len(heard[name]) for name in PAIR] == [3, 3])
    assert heard["node2"] == [("node1", body) for body in bodies]
    assert heard["node1"] == [("node2", body) for body in bodies]
    await until(lambda: one.vault.outbox.depth("node2").rows == 0)
    statuses = {status.peer: status.connected for status in await one.links.status()}
    assert statuses == {"node2": True, "node3": False}


async def test_a_server_that_goes_and_comes_back_misses_nothing(pair: Served) -> None:
    one, two = (pair.nodes[name] for name in PAIR)
    heard = hearing(two)
    await post(one, "node2", b"before")
    await until(lambda: len(heard) == 1)
    await pair.silence("node2")
    await post(one, "node2", b"meanwhile")
    await asyncio.sleep(0.3)
    assert len(heard) == 1
    await pair.serve("node2")
    await until(lambda: ("node1", b"meanwhile") in heard)


async def test_a_newer_connection_replaces_the_older_one(pair: Served) -> None:
    two = pair.nodes["node2"]
    me = Introduction("test", "node1", pair.nodes["node1"].identity)
    peer = LinkPeer("node2", "", two.identity.public)
    links = []
    for _ in range(2):
        wire = await SocketWire.connect(pair.client, pair.url("node2"), "node2")
        links.append(await call(wire, me, peer, system_rng))
        await asyncio.sleep(0.05)
    with pytest.raises(WireClosed):
        await links[0].receive()
    answer = asyncio.ensure_future(links[1].receive())
    await asyncio.sleep(0.05)
    assert not answer.done()
    answer.cancel()


async def test_strangers_garbage_and_giants_are_hung_up_on_and_the_link_stays(pair: Served) -> None:
    one, two = (pair.nodes[name] for name in PAIR)
    heard = hearing(two)
    await post(one, "node2", b"before")
    await until(lambda: len(heard) == 1)
    for block in (b"", b"garbage", bytes(MAX_FRAME_BYTES + 1)):
        async with pair.client.ws_connect(pair.url("node2")) as stranger:
            with contextlib.suppress(aiohttp.ClientError, ConnectionError):
                await stranger.send_bytes(block)
            message = await stranger.receive(timeout=3)
            assert message.type is not aiohttp.WSMsgType.BINARY
    async with pair.client.ws_connect(pair.url("node2")) as stranger:
        await stranger.send_str("text")
        assert (await stranger.receive(timeout=3)).type is not aiohttp.WSMsgType.BINARY
    await post(one, "node2", b"after")
    await until(lambda: len(heard) == 2)
    assert 'quorate_links_refused_total{reason="Malformed"}' in two.metrics.text()
