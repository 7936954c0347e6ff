"""The device's connections to its nodes: plain requests with a proof of possession, and sessions.

One HTTP client for all nodes; one WebSocket for each session and node. A node that cannot be reached is
`Missing`, named. What a node answers is its word: whoever needs more checks signatures.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable
from typing import Final, TypeVar

import aiohttp
import msgspec

from quorate.account import KeyRecord
from quorate.account.requests import LiveRequest
from quorate.device.network import Network
from quorate.encoding import decode, encode
from quorate.errors import Abort, Malformed, Missing, Refused, Remedy
from quorate.identity import prove_request
from quorate.session import Identity
from quorate.transport.channel import Channel, ChannelClosed
from quorate.transport.reports import plain
from quorate.transport.websocket import WebSocketChannel

T = TypeVar("T")

REQUEST_SECONDS: Final = 30.0
"""A plain request; the longest is a node making its instances with four others on a busy machine."""

CONNECT_SECONDS: Final = 3.0
"""Opening a connection. A node that takes longer is passed over where others can do its part."""

MAX_ANSWER_BYTES: Final = 1 << 20
"""A node answers with at most 64 records of about two kilobytes."""


_NO_JSON: Final = (ValueError, RecursionError)
"""msgspec's own errors are ValueErrors, and so is text that is no UTF-8, which it raises as it is."""


class _Answer(msgspec.Struct, frozen=True):
    code: str = "http"
    message: str = "no explanation"
    remedy: str = "ask"


class _Challenge(msgspec.Struct, frozen=True):
    nonce: str


class _Wallet(msgspec.Struct, frozen=True):
    record: str


class _Live(msgspec.Struct, frozen=True):
    statement: str
    signature: str


class Nodes:
    """Reaches the nodes of `network` as the device with this identity; `credential` gives its login token."""

    def __init__(self, network: Network, identity: Identity, credential: Callable[[], bytes]) -> None:
        self._network = network
        self._identity = identity
        self._credential = credential
        self._client: aiohttp.ClientSession | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def connect(self, name: str) -> Channel:
        """A channel for one session. Raises `Missing`."""
        url = self._url(name, "/v1/sessions")
        try:
            return await asyncio.wait_for(WebSocketChannel.connect(self._http(), url, name), CONNECT_SECONDS)
        except (ChannelClosed, TimeoutError) as error:
            raise Missing(f"{name} cannot be reached: {error}", parties=[name], needed=1) from None

    def release(self, channel: Channel) -> None:
        """Close a channel without waiting for the other end to agree."""
        task = asyncio.ensure_future(channel.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def ready(self, name: str) -> bool:
        """Whether the node takes sessions now; False also when it does not answer."""
        try:
            async with self._http().get(self._url(name, "/v1/ready")) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def wallets(self, name: str) -> list[KeyRecord]:
        """The records that a node keeps of this account's keys."""
        rows = _read(list[_Wallet], await self._ask(name, "GET", "/v1/wallets"), name)
        try:
            return [decode(KeyRecord, _octets(row.record, name)) for row in rows]
        except Malformed:
            raise _strange(name) from None

    async def make_instances(self, name: str) -> None:
        """Let a node make what it needs with the other nodes to sign for this account."""
        await self._ask(name, "POST", "/v1/instances")

    async def make_live(self, name: str, request: LiveRequest) -> tuple[bytes, bytes]:
        """Show a certificate to a node; its KEY-LIVE statement and the signature, both unchecked."""
        body = msgspec.json.encode({"request": base64.b64encode(encode(request)).decode()})
        answer = _read(_Live, await self._send(name, "POST", "/v1/keys/live", body, {}), name)
        return _octets(answer.statement, name), _octets(answer.signature, name)

    async def close(self) -> None:
        """Close every connection."""
        if self._closing:
            await asyncio.wait(self._closing, timeout=2.0)
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _ask(self, name: str, method: str, path: str, body: bytes = b"") -> bytes:
        """A request that proves who asks: fetch the node's nonce, sign over all of it."""
        challenge = _read(_Challenge, await self._send(name, "GET", "/v1/challenge", b"", {}), name)
        try:
            nonce = bytes.fromhex(challenge.nonce)
        except ValueError:
            raise _strange(name) from None
        node = self._network.identities[name]
        proof = prove_request(self._identity, self._credential(), node, method, path, body, nonce)
        headers = {"Quorate-Proof": base64.b64encode(proof).decode()}
        return await self._send(name, method, path, body, headers)

    async def _send(self, name: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        if body:
            headers = {**headers, "Content-Type": "application/json"}
        try:
            async with self._http().request(
                method, self._url(name, path), data=body or None, headers=headers, allow_redirects=False
            ) as response:
                data = await _whole(response.content, name)
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Missing(
                f"{name} cannot be reached: {type(error).__name__}", parties=[name], needed=1
            ) from None
        if status >= 300:
            raise _explained(name, status, data)
        return data

    def _url(self, name: str, path: str) -> str:
        return self._network.nodes[name].url.rstrip("/") + path

    def _http(self) -> aiohttp.ClientSession:
        if self._client is None:
            self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS))
        return self._client


async def _whole(stream: aiohttp.StreamReader, name: str) -> bytes:
    """All of an answer; one `read` of a stream gives what has come so far."""
    data = bytearray()
    async for chunk in stream.iter_any():
        data += chunk
        if len(data) > MAX_ANSWER_BYTES:
            raise _strange(name)
    return bytes(data)


def _explained(name: str, status: int, data: bytes) -> Abort:
    try:
        answer = msgspec.json.decode(data, type=_Answer)
    except _NO_JSON:
        answer = _Answer()
    message = f"{name}: {plain(answer.message[:512])}"
    remedy = Remedy(answer.remedy) if answer.remedy in set(Remedy) else None
    if status in (429, 503):
        return Missing(message, parties=[name], needed=1)
    return Refused(message, code=plain(answer.code[:64]), parties=[name], remedy=remedy)


def _read(kind: type[T], data: bytes, name: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except _NO_JSON:
        raise _strange(name) from None


def _octets(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _strange(name) from None


def _strange(name: str) -> Abort:
    return Abort(f"{name} answered with something that is no answer to that request", parties=[name])
