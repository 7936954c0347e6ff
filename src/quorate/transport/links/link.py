"""A wire with its two ends known to each other and every frame sealed.

AES-256-GCM under one key for each direction; the nonce is the frame's number on this connection, which is not
sent. A frame that was dropped, repeated, reordered, reflected or altered on the way does not open, and one
that does not open ends the connection: parcels are sent again on the next, so nothing is lost by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from quorate.encoding import encode
from quorate.entropy import Rng
from quorate.errors import Malformed, ProofRejected
from quorate.transport.links.frames import Confirm, LinkFrame, read_hello, read_link_frame, read_welcome
from quorate.transport.links.handshake import Answering, Calling, Introduction, LinkPeer
from quorate.transport.links.wire import Wire

HANDSHAKE_SECONDS: Final = 5.0
"""Three messages. Whoever connects and then says nothing keeps a place no longer than this."""

_NONCE_BYTES: Final = 12


class Link:
    """One established connection with `peer`. Not for several senders or several receivers at a time."""

    def __init__(self, peer: str, wire: Wire, sealing: bytes, opening: bytes) -> None:
        self.peer = peer
        self._wire = wire
        self._sealing = AESGCM(sealing)
        self._opening = AESGCM(opening)
        self._sent = 0
        self._received = 0

    async def send(self, frame: LinkFrame) -> None:
        """Raises `WireClosed`."""
        # the number is taken before anything waits: a nonce is never used twice, also if sending is cancelled
        nonce = self._sent.to_bytes(_NONCE_BYTES, "big")
        self._sent += 1
        await self._wire.send(self._sealing.encrypt(nonce, encode(frame), None))

    async def receive(self) -> LinkFrame:
        """The next frame. Raises `WireClosed`; `ProofRejected` or `Malformed` for what is none."""
        block = await self._wire.receive()
        nonce = self._received.to_bytes(_NONCE_BYTES, "big")
        self._received += 1
        try:
            plain = self._opening.decrypt(nonce, block, None)
        except InvalidTag:
            raise ProofRejected("a frame that was not sealed for this place on this link") from None
        return read_link_frame(plain)

    async def close(self) -> None:
        """Repeating it does nothing."""
        await self._wire.close()


async def call(wire: Wire, me: Introduction, peer: LinkPeer, rng: Rng) -> Link:
    """Steps 1 to 4, as the caller. Raises `WireClosed`, `ProofRejected`, `Malformed`, `TimeoutError`."""
    async with asyncio.timeout(HANDSHAKE_SECONDS):
        calling = Calling(me, peer, rng)
        await wire.send(encode(calling.hello))
        keys, confirm = calling.welcomed(read_welcome(await wire.receive()))
        link = Link(peer.name, wire, keys.forth.reveal(), keys.back.reveal())
        await link.send(confirm)
        return link


async def answer(wire: Wire, me: Introduction, find: Callable[[str], LinkPeer | None], rng: Rng) -> Link:
    """Steps 1 to 5, as the callee: `find` gives the peer that the caller says it is.

    Raises `WireClosed`, `ProofRejected`, `Malformed`, `LimitExceeded`, `TimeoutError`.
    """
    async with asyncio.timeout(HANDSHAKE_SECONDS):
        hello = read_hello(await wire.receive())
        peer = find(hello.caller)
        if peer is None:
            raise Malformed("a link from a stranger")
        answering = Answering(me, peer, hello, rng)
        await wire.send(encode(answering.welcome))
        link = Link(peer.name, wire, answering.keys.back.reveal(), answering.keys.forth.reveal())
        confirm = await link.receive()
        if not isinstance(confirm, Confirm):
            raise Malformed("a link that begins without its third message")
        answering.confirmed(confirm)
        return link
