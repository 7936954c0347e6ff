"""A connection that carries frames to one party, whatever it runs on.

`Channel` is the port. `MemoryChannel` joins two ends in one process; `WebSocketChannel` and `PipeChannel`
live in files of their own. A closed connection is `ChannelClosed`, which the hub turns into `Missing`.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from quorate.encoding import encode
from quorate.errors import Unavailable
from quorate.transport.frames import Frame, read_frame


class ChannelClosed(Unavailable):
    """The other end has gone."""


class Channel(Protocol):
    """One ordered, two-way stream of frames."""

    async def send(self, frame: Frame) -> None:
        """Raises `ChannelClosed`."""

    async def receive(self) -> Frame:
        """The next frame. Raises `ChannelClosed`, or `Malformed` for bytes that are no frame."""

    async def close(self) -> None:
        """Repeating it does nothing."""


class MemoryChannel:
    """One end of a pair made by `pair()`. Frames are encoded and read as on a real wire."""

    def __init__(self, outgoing: asyncio.Queue[bytes | None], incoming: asyncio.Queue[bytes | None]) -> None:
        self._outgoing = outgoing
        self._incoming = incoming
        self._closed = False

    @classmethod
    def pair(cls) -> tuple[MemoryChannel, MemoryChannel]:
        """Two joined ends."""
        there: asyncio.Queue[bytes | None] = asyncio.Queue()
        back: asyncio.Queue[bytes | None] = asyncio.Queue()
        return cls(there, back), cls(back, there)

    async def send(self, frame: Frame) -> None:
        if self._closed:
            raise ChannelClosed("the connection is closed")
        await self._outgoing.put(encode(frame))

    async def receive(self) -> Frame:
        data = await self._incoming.get()
        if data is None:
            self._closed = True
            raise ChannelClosed("the other end has closed the connection")
        return read_frame(data)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._outgoing.put(None)
