"""The other end of a node's WebSocket, by hand: any bytes, any order, any name.

`Line` is one connection; `Stranger` has keys and a login of its own and makes well-formed frames to spoil.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import msgspec

from quorate.account.shards import DEVICE_SHARD
from quorate.clock import unix_time
from quorate.device.network import Network
from quorate.encoding import encode
from quorate.entropy import system_rng
from quorate.identity import issue_token
from quorate.schemes.ecdsa import propose_setup
from quorate.session import KeyPair, PublicKeys, SessionSpec
from quorate.transport.frames import Begin, Failed, Nonce, Propose, read_frame

PATIENCE_SECONDS: Final = 10.0

CLOSED: Final = "closed"


class Line:
    """One connection to a node."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, frame: Any) -> None:
        await self.socket.send_bytes(frame if isinstance(frame, bytes) else encode(frame))

    async def hear(self) -> Any:
        """The next frame, or `CLOSED`. Fails when the node says nothing for ten seconds."""
        message = await self.socket.receive(PATIENCE_SECONDS)
        if message.type is aiohttp.WSMsgType.BINARY:
            return read_frame(message.data)
        return CLOSED

    async def ends(self) -> Failed | None:
        """The error that ends the session, or None if the connection just closes. Then it is closed."""
        told: Failed | None = None
        while (frame := await self.hear()) is not CLOSED:
            assert isinstance(frame, Failed), f"the node went on with {frame}"
            told = frame
        # 1011 is what servers close with when their own code has failed.
        assert self.socket.close_code != 1011
        return told


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[Line]:
    async with aiohttp.ClientSession() as client:
        async with client.ws_connect(f"{url}/v1/sessions", max_msg_size=0) as socket:
            yield Line(socket)


@dataclass(frozen=True)
class Stranger:
    """Somebody with keys and a login on a network; `login_key` signs logins."""

    network: Network
    login_key: KeyPair
    keys: KeyPair
    user: str
    token: bytes

    @classmethod
    def of(cls, network: Network, login_key: KeyPair, user: str) -> Stranger:
        keys = KeyPair.generate(system_rng)
        token = issue_token(network.name, login_key, user, keys.public, unix_time(), system_rng)
        return cls(network, login_key, keys, user, token)

    def roster(self, *nodes: str) -> Mapping[str, PublicKeys]:
        return {"device": self.keys.public, **{name: self.network.identities[name] for name in nodes}}

    def setup(self, node: str, generation: int) -> SessionSpec:
        """The proposal of an OT setup with a node: what any logged-in device may ask for."""
        return propose_setup(self.roster(node), DEVICE_SHARD, generation)

    def propose(self, spec: SessionSpec, **changes: Any) -> Propose:
        return Propose(**{"proposer": "device", "credential": self.token, "spec": spec, **changes})

    def begin(self, spec: SessionSpec, nonce: bytes, signer: KeyPair | None = None) -> Begin:
        """The agreement with the node's nonce and one of ours."""
        (node,) = (name for name in spec.parties if name != "device")
        full = spec.with_nonces({"device": bytes(32), node: nonce})
        roster = self.roster(node)
        encoded = tuple(roster[name].to_bytes() for name in full.parties)
        return Begin(full, encoded, (signer or self.keys).sign(full.id))

    async def opens(self, line: Line, spec: SessionSpec) -> Any:
        """Propose and begin; what the node then says."""
        await line.send(self.propose(spec))
        nonce = await line.hear()
        if not isinstance(nonce, Nonce):
            return nonce
        await line.send(self.begin(spec, nonce.nonce))
        return await line.hear()


def replaced(struct: Any, **changes: Any) -> bytes:
    """A struct's bytes with some fields changed, unchecked."""
    raw = msgspec.msgpack.decode(encode(struct))
    names = [field.encode_name for field in msgspec.structs.fields(type(struct))]
    offset = len(raw) - len(names)
    for name, value in changes.items():
        raw[names.index(name) + offset] = value
    return msgspec.msgpack.encode(raw)
