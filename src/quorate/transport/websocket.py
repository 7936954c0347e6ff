"""Frames over a WebSocket, the client's end (aiohttp). One connection carries one session after another."""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp

from quorate.encoding import encode
from quorate.transport.channel import ChannelClosed
from quorate.transport.frames import MAX_FRAME_BYTES, Frame, read_frame

CONNECT_SECONDS: Final = 5.0
"""A node that does not even accept a connection in this time counts as missing."""


class WebSocketChannel:
    """Made by `connect`; one binary WebSocket message a frame."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, name: str) -> None:
        self._socket = socket
        self._name = name

    @classmethod
    async def connect(cls, client: aiohttp.ClientSession, url: str, name: str) -> WebSocketChannel:
        """Open a connection to `url` (http or ws). Raises `ChannelClosed`, naming `name`."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                socket = await client.ws_connect(
                    url,
                    max_msg_size=MAX_FRAME_BYTES,
                    compress=0,  # ciphertext does not compress; compressing secrets beside it leaks (CRIME)
                    timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ChannelClosed(f"{name} cannot be reached: {error}") from None
        return cls(socket, name)

    async def send(self, frame: Frame) -> None:
        try:
            await self._socket.send_bytes(encode(frame))
        except (aiohttp.ClientError, ConnectionError, RuntimeError) as error:
            raise ChannelClosed(f"the connection to {self._name} is closed: {error}") from None

    async def receive(self) -> Frame:
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.BINARY:
            return read_frame(message.data)
        raise ChannelClosed(f"{self._name} closed the connection")

    async def close(self) -> None:
        await self._socket.close()
