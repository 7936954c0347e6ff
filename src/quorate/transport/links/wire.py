"""A connection that carries blocks of bytes, in order, to one other end; whatever it runs on.

`Wire` is the port. `MemoryWire` joins two ends in one process, `SocketWire` is a WebSocket's dialing end
(aiohttp); its answering end lives with the server. A closed wire is `WireClosed`, for reader and writer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Final, Protocol, TypeVar

import aiohttp

from quorate.errors import Unavailable
from quorate.transport.links.frames import MAX_LINK_FRAME_BYTES

T = TypeVar("T")

CONNECT_SECONDS: Final = 5.0
"""A node that does not even accept a connection in this time is away."""

HEARTBEAT_SECONDS: Final = 15.0
"""How often the dialing end asks whether the other machine is still there, when nothing else passes."""

MEMORY_BLOCKS: Final = 64
"""What fits between two ends in memory: about what a socket's buffers hold."""


class WireClosed(Unavailable):
    """The other end has gone, or cannot be reached."""


class Wire(Protocol):
    """One ordered, two-way stream of blocks."""

    async def send(self, block: bytes) -> None:
        """Raises `WireClosed`; waits while the other end reads nothing."""

    async def receive(self) -> bytes:
        """The next block. Raises `WireClosed`, also for a block above `MAX_LINK_FRAME_BYTES`."""

    async def close(self) -> None:
        """Repeating it does nothing."""


class MemoryWire:
    """One end of a pair made by `pair()`."""

    def __init__(self) -> None:
        self._incoming: asyncio.Queue[bytes] = asyncio.Queue(MEMORY_BLOCKS)
        self._closed = asyncio.Event()
        self._other = self

    @classmethod
    def pair(cls) -> tuple[MemoryWire, MemoryWire]:
        """Two joined ends."""
        near, far = cls(), cls()
        near._other, far._other = far, near
        return near, far

    async def send(self, block: bytes) -> None:
        await self._unless_closed(self._other._incoming.put(block))

    async def receive(self) -> bytes:
        block = await self._unless_closed(self._incoming.get())
        if len(block) > MAX_LINK_FRAME_BYTES:
            await self.close()
            raise WireClosed("a block of more bytes than a link carries")
        return block

    async def close(self) -> None:
        self._closed.set()
        self._other._closed.set()

    async def _unless_closed(self, action: Coroutine[Any, Any, T]) -> T:
        work = asyncio.ensure_future(action)
        closing = asyncio.ensure_future(self._closed.wait())
        try:
            await asyncio.wait((work, closing), return_when=asyncio.FIRST_COMPLETED)
            if self._closed.is_set():
                raise WireClosed("the connection is closed")
            return work.result()
        finally:
            work.cancel()
            closing.cancel()


class SocketWire:
    """The dialing end of a WebSocket; one binary message a block."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, name: str) -> None:
        self._socket = socket
        self._name = name

    @classmethod
    async def connect(cls, client: aiohttp.ClientSession, url: str, name: str) -> SocketWire:
        """Open a connection to `url` (http or ws). Raises `WireClosed`, naming `name`."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                socket = await client.ws_connect(
                    url,
                    max_msg_size=MAX_LINK_FRAME_BYTES,
                    compress=0,  # ciphertext does not compress
                    heartbeat=HEARTBEAT_SECONDS,
                    timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
                )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise WireClosed(f"{name} cannot be reached: {type(error).__name__}") from None
        return cls(socket, name)

    async def send(self, block: bytes) -> None:
        try:
            await self._socket.send_bytes(block)
        except (aiohttp.ClientError, ConnectionError, RuntimeError):
            raise WireClosed(f"the connection to {self._name} is closed") from None

    async def receive(self) -> bytes:
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.BINARY:
            return bytes(message.data)
        raise WireClosed(f"{self._name} closed the connection")

    async def close(self) -> None:
        with contextlib.suppress(aiohttp.ClientError, ConnectionError, RuntimeError):
            await self._socket.close()
