"""However a connection is lost, it is the same to those who use it."""

from __future__ import annotations

from typing import Any

import pytest
from litestar.exceptions import WebSocketDisconnect

from quorate.errors import LimitExceeded
from quorate.node.sockets import LinkEnd, SessionEnd
from quorate.transport.channel import ChannelClosed
from quorate.transport.frames import MAX_FRAME_BYTES, Nonce
from quorate.transport.links import WireClosed
from quorate.transport.links.frames import MAX_LINK_FRAME_BYTES


class Lost:
    """A WebSocket whose every action fails as a server lets it fail, or that receives one block."""

    def __init__(self, error: Exception | None, block: bytes = b"") -> None:
        self.error = error
        self.block = block
        self.closings = 0

    async def send_bytes(self, block: bytes) -> None:
        if self.error is not None:
            raise self.error

    async def receive_bytes(self) -> bytes:
        if self.error is not None:
            raise self.error
        return self.block

    async def close(self) -> None:
        self.closings += 1
        if self.error is not None:
            raise self.error


WAYS = [WebSocketDisconnect(detail="gone"), RuntimeError("closed"), OSError("reset"), BrokenPipeError()]


@pytest.mark.parametrize("error", WAYS, ids=lambda error: type(error).__name__)
async def test_a_lost_connection_is_a_closed_one_and_closing_it_twice_does_nothing(error: Exception) -> None:
    socket: Any = Lost(error)
    session, link = SessionEnd(socket), LinkEnd(socket)
    with pytest.raises(ChannelClosed):
        await session.send(Nonce(bytes(32)))
    with pytest.raises(WireClosed):
        await link.send(b"block")
    for end in (session, link):
        await end.close()
        await end.close()
    assert socket.closings == 2
    with pytest.raises(ChannelClosed):
        await session.receive()
    with pytest.raises(WireClosed):
        await link.receive()


async def test_what_has_gone_is_not_closed_again() -> None:
    socket: Any = Lost(KeyError("a text message"))
    for end, gone in ((SessionEnd(socket), ChannelClosed), (LinkEnd(socket), WireClosed)):
        with pytest.raises(gone):
            await end.receive()
        await end.close()
    assert socket.closings == 0


async def test_giants_are_not_read() -> None:
    long: Any = Lost(None, bytes(max(MAX_FRAME_BYTES, MAX_LINK_FRAME_BYTES) + 1))
    with pytest.raises(LimitExceeded):
        await SessionEnd(long).receive()
    with pytest.raises(WireClosed):
        await LinkEnd(long).receive()
