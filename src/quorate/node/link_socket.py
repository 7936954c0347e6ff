"""The answering end of a link over a WebSocket: the endpoint ``/v1/links`` of a node."""

from __future__ import annotations

import contextlib
from typing import Any

from litestar import WebSocket, websocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect

from quorate.node.node import Node
from quorate.transport.links import WireClosed
from quorate.transport.links.frames import MAX_LINK_FRAME_BYTES


@websocket("/v1/links")
async def links(socket: WebSocket[Any, Any, Any], node: NamedDependency[Node]) -> None:
    """Parcels of another node, until the connection breaks (docs/protocols/links.md)."""
    await socket.accept()
    await node.links.serve(SocketEnd(socket))


class SocketEnd:
    """The server's end; one binary message a block. A `Wire`."""

    def __init__(self, socket: WebSocket[Any, Any, Any]) -> None:
        self._socket = socket
        self._closed = False

    async def send(self, block: bytes) -> None:
        try:
            await self._socket.send_bytes(block)
        except (WebSocketDisconnect, RuntimeError, OSError):  # the server's own word for it is an OSError
            raise WireClosed("the connection is closed") from None

    async def receive(self) -> bytes:
        try:
            block = await self._socket.receive_bytes()
        except (WebSocketDisconnect, RuntimeError, KeyError):
            self._closed = True
            raise WireClosed("the other end has closed the connection") from None
        if len(block) > MAX_LINK_FRAME_BYTES:
            raise WireClosed("a block of more bytes than a link carries")
        return block

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await self._socket.close()
