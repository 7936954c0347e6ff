"""Running a node: configuration in, service out, until a signal says stop.

After a change of committee the process replaces itself (`quorate.node.forgetting`)."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Final

import aiohttp
import uvicorn

from quorate.node.app import make_app
from quorate.node.committee import Committee
from quorate.node.config import load_config
from quorate.node.forgetting import Forgetting, start_anew, take_passphrase
from quorate.node.identity import open_vault
from quorate.node.lock import NodeLock
from quorate.node.log import Log
from quorate.node.node import Node
from quorate.transport.channel import Channel
from quorate.transport.frames import MAX_FRAME_BYTES
from quorate.transport.links import LinkPeer, SocketWire, Wire
from quorate.transport.websocket import WebSocketChannel

STARTUP_FAILURE: Final = 3
"""Exit code of a node that could not start to serve."""


def run(path: Path) -> None:
    """Serve the node of a configuration file until SIGTERM or SIGINT. Raises `BadConfig`, `Unavailable`."""
    with NodeLock.hold(path.resolve().parent) as lock:
        _serve(path, lock)


def _serve(path: Path, lock: NodeLock) -> None:
    config = load_config(path)
    log = Log(config.name)
    passphrase = take_passphrase()
    vault = open_vault(config.storage, config.keys, config.seal)
    connector = _Connector()
    node = Node(config, vault, connect=connector, connect_link=connector.link, log=log)
    connector.committee = node.committee
    log("starting", port=config.port, nodes=len(node.committee.names), epoch=node.committee.epoch)
    settings = uvicorn.Config(
        make_app(node),
        host=config.host,
        port=config.port,
        ws="websockets-sansio",
        ws_max_size=MAX_FRAME_BYTES,
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=6,
    )
    server = uvicorn.Server(settings)

    def stop() -> None:
        server.should_exit = True

    forgetting = Forgetting(node, stop)
    node.companions.append(forgetting.watch)
    with contextlib.suppress(KeyboardInterrupt):  # the server has been told, and raises it once more
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)
    if forgetting.due:
        start_anew(passphrase, lock)


class _Connector:
    """Opens WebSockets to the other nodes of the committee over one HTTP client."""

    committee: Committee

    def __init__(self) -> None:
        self._client: aiohttp.ClientSession | None = None

    async def __call__(self, name: str) -> Channel:
        url = self.committee.url(name).rstrip("/") + "/v1/sessions"
        return await WebSocketChannel.connect(self._http(), url, name)

    async def link(self, peer: LinkPeer) -> Wire:
        """A wire for a link; raises `WireClosed`."""
        return await SocketWire.connect(self._http(), peer.url.rstrip("/") + "/v1/links", peer.name)

    def _http(self) -> aiohttp.ClientSession:
        if self._client is None:
            self._client = aiohttp.ClientSession()
        return self._client
