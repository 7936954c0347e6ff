"""Frames over a pipe, each behind its length in four bytes: for a party that is a child process.

The backup's secret is made by such a process. It talks to its parent through standard input and output and
to nobody else; what it sends is public (its keys, its envelopes), what it keeps never crosses the pipe.
"""

from __future__ import annotations

import asyncio
from typing import Final

from quorate.encoding import encode
from quorate.errors import LimitExceeded
from quorate.transport.channel import ChannelClosed
from quorate.transport.frames import MAX_FRAME_BYTES, Frame, read_frame

_LENGTH_BYTES: Final = 4


class PipeChannel:
    """Both directions as asyncio streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, frame: Frame) -> None:
        await self.send_block(encode(frame))

    async def receive(self) -> Frame:
        return read_frame(await self.receive_block())

    async def send_block(self, data: bytes) -> None:
        """Bytes that are no frame: what parent and child say before and after their session."""
        try:
            self._writer.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
            await self._writer.drain()
        except (ConnectionError, RuntimeError) as error:
            raise ChannelClosed(f"the pipe is closed: {error}") from None

    async def receive_block(self) -> bytes:
        """The next block, whatever it holds. Raises `ChannelClosed`, `LimitExceeded`."""
        try:
            length = int.from_bytes(await self._reader.readexactly(_LENGTH_BYTES), "big")
            if length > MAX_FRAME_BYTES:
                raise LimitExceeded(
                    f"a frame of {length} bytes on the pipe, at most {MAX_FRAME_BYTES} are read"
                )
            return await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise ChannelClosed("the other end of the pipe has closed") from None

    async def close(self) -> None:
        self._writer.close()


async def standard_streams() -> PipeChannel:
    """The channel of a child process: its standard input and output, in binary."""
    import sys

    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MAX_FRAME_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout.buffer)
    return PipeChannel(reader, asyncio.StreamWriter(transport, protocol, reader, loop))
