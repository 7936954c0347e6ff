"""A node that answers plain requests with whatever might confuse or stop the device that asked."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator

import msgspec
import pytest

from quorate.device.network import Network, NodeRow
from quorate.device.nodes import MAX_ANSWER_BYTES, Nodes
from quorate.entropy import system_rng
from quorate.errors import Abort
from quorate.session import KeyPair
from quorate.sharing.quorums import Quorums

NODE, DEVICE = KeyPair.generate(system_rng), KeyPair.generate(system_rng)
CHALLENGE = b'{"nonce":"' + b"00" * 32 + b'"}'


class Server:
    """Speaks just enough HTTP to answer each request with given bytes, in pieces."""

    def __init__(self) -> None:
        self.status = b"200 OK"
        self.headers = b""
        self.pieces: list[bytes] = []
        self.asked: list[bytes] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        self.asked.append(line)
        while (await reader.readline()).strip():
            pass
        is_challenge = b"/v1/challenge" in line
        pieces = [CHALLENGE] if is_challenge else self.pieces
        status, headers = (b"200 OK", b"") if is_challenge else (self.status, self.headers)
        length = str(sum(map(len, pieces))).encode()
        writer.write(b"HTTP/1.1 " + status + b"\r\n" + headers + b"Content-Length: " + length)
        writer.write(b"\r\nConnection: close\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)
        writer.close()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def nodes(server: Server) -> AsyncIterator[Nodes]:
    listening = await asyncio.start_server(server.answer, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    row = NodeRow("node1", f"http://127.0.0.1:{port}", NODE.public.to_bytes().hex())
    found = Nodes(Network.of("test", Quorums(1, 0, 0, 0), [row]), DEVICE, lambda: b"token")
    yield found
    await found.close()
    listening.close()


@pytest.mark.parametrize(
    "body",
    [
        b'{"message":"\xff\xfe"}',
        b'[{"record":"\xff"}]',
        b"\xff",
        b"[" * 200_000,
        b'{"message":' + b"[" * 200_000,
        b'[{"record":"' + base64.b64encode(b"\xc1") + b'"}]',
        b'{"code":"' + b"x" * 4096 + b'","message":"\\u001b[2J","remedy":"dance"}',
    ],
)
@pytest.mark.parametrize("status", [b"200 OK", b"400 Bad Request", b"503 Busy"])
async def test_no_answer_is_more_than_that_nodes_failure(
    server: Server, nodes: Nodes, body: bytes, status: bytes
) -> None:
    server.status, server.pieces = status, [body]
    with pytest.raises(Abort) as abort:
        await nodes.wallets("node1")
    assert abort.value.parties == ("node1",)
    assert str(abort.value).isprintable()


async def test_an_answer_that_comes_in_pieces_is_read_to_its_end(server: Server, nodes: Nodes) -> None:
    server.pieces = [b"[", b" " * 70_000, b"]"]
    assert await nodes.wallets("node1") == []


async def test_an_answer_without_end_is_not_read_to_its_end(server: Server, nodes: Nodes) -> None:
    server.pieces = [b"[" + b" " * MAX_ANSWER_BYTES, b"]"]
    with pytest.raises(Abort):
        await nodes.wallets("node1")


async def test_a_node_does_not_send_the_device_elsewhere(server: Server, nodes: Nodes) -> None:
    """The proof is good for that node alone, but whom the device asks is not for a node to choose."""
    server.status, server.headers = b"307 Moved", b"Location: /elsewhere\r\n"
    with pytest.raises(Abort):
        await nodes.wallets("node1")
    assert not any(b"elsewhere" in line for line in server.asked)
    assert msgspec.json.decode(CHALLENGE) == {"nonce": "00" * 32}
