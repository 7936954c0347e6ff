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
from quorate.account.committee import Activation, Succession
from quorate.account.pool import Ask, Claim, Offered, Votes
from quorate.clock import monotonic
from quorate.device.network import Network
from quorate.encoding import decode, encode
from quorate.errors import Abort, LocalError, Malformed, Missing, Refused, Remedy
from quorate.identity import prove_request
from quorate.session import NONCE_BYTES, Identity
from quorate.transport.channel import Channel, ChannelClosed
from quorate.transport.reports import plain
from quorate.transport.websocket import WebSocketChannel

T = TypeVar("T")
P = TypeVar("P", Offered, Votes)

REQUEST_SECONDS: Final = 30.0
"""A plain request; the longest is a node making its instances with four others on a busy machine."""

CONNECT_SECONDS: Final = 3.0
"""Opening a connection. A node that takes longer is passed over where others can do its part."""

MAX_ANSWER_BYTES: Final = 1 << 20
"""A node answers with at most 64 records of about two kilobytes."""


NONCE_SECONDS: Final = 45.0
"""How long a nonce that came with an answer is tried; nodes take it back for a minute."""

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


class _PoolAnswer(msgspec.Struct, frozen=True):
    answer: str


class _Committee(msgspec.Struct, frozen=True):
    successions: list[str]
    activation: str = ""


class Nodes:
    """Reaches the nodes of `network` as the device with this identity; `credential` gives its login token."""

    def __init__(self, network: Network, identity: Identity, credential: Callable[[], bytes]) -> None:
        self._network = network
        self._identity = identity
        self._credential = credential
        self._client: aiohttp.ClientSession | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._nonces: dict[str, tuple[bytes, float]] = {}

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

    def follow(self, network: Network) -> None:
        """From now on the nodes are these."""
        self._network = network

    async def committee(self, name: str, since: int) -> tuple[list[Succession], Activation | None]:
        """How the committee went on after an epoch, as a node tells; unchecked."""
        told = _read(_Committee, await self._send(name, "GET", f"/v1/committee?since={since}", b"", {}), name)
        try:
            chain = [decode(Succession, _octets(one, name)) for one in told.successions]
            proof = decode(Activation, _octets(told.activation, name)) if told.activation else None
        except Malformed:
            raise _strange(name) from None
        return chain, proof

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

    async def offer_pool(self, name: str, ask: Ask) -> Offered:
        """Which committee keys a node offers this account."""
        return await self._ask_pool(name, "offer", ask, Offered)

    async def claim_pool(self, name: str, claim: Claim) -> Votes:
        """A node's votes on the claimed keys, unchecked."""
        return await self._ask_pool(name, "claim", claim, Votes)

    async def register(self, name: str, question: bytes) -> bytes:
        """A node's reply to a question of the account's register, unchecked."""
        return await self._ask(name, "POST", "/v1/register", question)

    async def close(self) -> None:
        """Close every connection."""
        if self._closing:
            await asyncio.wait(self._closing, timeout=2.0)
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _ask_pool(self, name: str, verb: str, asked: Ask | Claim, kind: type[P]) -> P:
        body = msgspec.json.encode({"request": base64.b64encode(encode(asked)).decode()})
        answer = _read(_PoolAnswer, await self._ask(name, "POST", f"/v1/pool/{verb}", body), name)
        try:
            return decode(kind, _octets(answer.answer, name))
        except LocalError:
            raise _strange(name) from None

    async def _ask(self, name: str, method: str, path: str, body: bytes = b"") -> bytes:
        """A request that proves who asks, signed over all of it and a nonce of the node's.

        The nonce came with an earlier answer, or is fetched: also where the earlier one is not good any more,
        because the node was started anew.
        """
        kept = self._nonces.pop(name, None)
        if kept is not None and monotonic() < kept[1] + NONCE_SECONDS:
            try:
                return await self._prove(name, method, path, body, kept[0])
            except Refused as error:
                if error.code != "challenge":
                    raise
        challenge = _read(_Challenge, await self._send(name, "GET", "/v1/challenge", b"", {}), name)
        try:
            nonce = bytes.fromhex(challenge.nonce)
        except ValueError:
            raise _strange(name) from None
        return await self._prove(name, method, path, body, nonce)

    async def _prove(self, name: str, method: str, path: str, body: bytes, nonce: bytes) -> bytes:
        node = self._network.identities.get(name)
        if node is None:
            raise Missing(f"{name} is not of the committee any more", parties=[name], needed=1)
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
                self._keep_nonce(name, response.headers.get("Quorate-Nonce", ""))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Missing(
                f"{name} cannot be reached: {type(error).__name__}", parties=[name], needed=1
            ) from None
        if status >= 300:
            raise _explained(name, status, data)
        return data

    def _keep_nonce(self, name: str, text: str) -> None:
        try:
            nonce = bytes.fromhex(text)
        except ValueError:
            return
        if len(nonce) == NONCE_BYTES:
            self._nonces[name] = nonce, monotonic()

    def _url(self, name: str, path: str) -> str:
        row = self._network.nodes.get(name)
        if row is None:
            raise Missing(f"{name} is not of the committee any more", parties=[name], needed=1)
        return row.url.rstrip("/") + path

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
