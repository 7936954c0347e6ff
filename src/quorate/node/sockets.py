"""The server's ends of WebSockets: blocks of bytes in both directions, and one word for "it has gone".

How a lost connection shows depends on the server below Litestar and on the moment; here it is always
`SocketGone`.
"""

from __future__ import annotations

import contextlib
from typing import Any

from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect

from quorate.encoding import encode
from quorate.errors import LimitExceeded
from quorate.transport.channel import ChannelClosed
from quorate.transport.frames import MAX_FRAME_BYTES, Frame, read_frame
from quorate.transport.links import WireClosed
from quorate.transport.links.frames import MAX_LINK_FRAME_BYTES

_GONE = (WebSocketDisconnect, RuntimeError, OSError)
"""The framework's word, what it says after that, and uvicorn's own."""


class SocketGone(Exception):
    """The other end has closed the connection, or it broke."""


class ServerSocket:
    """One accepted WebSocket."""

    def __init__(self, socket: WebSocket[Any, Any, Any]) -> None:
        self._socket = socket
        self._closed = False

    async def send(self, block: bytes) -> None:
        """One binary message. Raises `SocketGone`."""
        try:
            await self._socket.send_bytes(block)
        except _GONE:
            raise SocketGone from None

    async def receive(self) -> bytes:
        """The next binary message. Raises `SocketGone`, also for a text message."""
        try:
            return await self._socket.receive_bytes()
        except (*_GONE, KeyError):
            self._closed = True
            raise SocketGone from None

    async def close(self) -> None:
        """Repeating it does nothing, and so does closing what has gone."""
        if not self._closed:
            self._closed = True
            with contextlib.suppress(*_GONE):
                await self._socket.close()


class SessionEnd:
    """A `Channel`: one frame a message."""

    def __init__(self, socket: WebSocket[Any, Any, Any]) -> None:
        self._socket = ServerSocket(socket)
        self.close = self._socket.close

    async def send(self, frame: Frame) -> None:
        """Raises `ChannelClosed`."""
        try:
            await self._socket.send(encode(frame))
        except SocketGone:
            raise ChannelClosed("the connection is closed") from None

    async def receive(self) -> Frame:
        """Raises `ChannelClosed`, and `LimitExceeded` or `Malformed` for what is no frame."""
        try:
            data = await self._socket.receive()
        except SocketGone:
            raise ChannelClosed("the other end has closed the connection") from None
        if len(data) > MAX_FRAME_BYTES:
            raise LimitExceeded(f"a frame of {len(data)} bytes, at most {MAX_FRAME_BYTES} are read")
        return read_frame(data)


class LinkEnd:
    """A `Wire`: one block a message."""

    def __init__(self, socket: WebSocket[Any, Any, Any]) -> None:
        self._socket = ServerSocket(socket)
        self.close = self._socket.close

    async def send(self, block: bytes) -> None:
        """Raises `WireClosed`."""
        try:
            await self._socket.send(block)
        except SocketGone:
            raise WireClosed("the connection is closed") from None

    async def receive(self) -> bytes:
        """Raises `WireClosed`, also for a block that is too long."""
        try:
            block = await self._socket.receive()
        except SocketGone:
            raise WireClosed("the other end has closed the connection") from None
        if len(block) > MAX_LINK_FRAME_BYTES:
            raise WireClosed("a block of more bytes than a link carries")
        return block
