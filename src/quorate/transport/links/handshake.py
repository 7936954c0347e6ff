"""How two nodes make sure of each other and agree on keys: signed Diffie-Hellman, three messages.

Protocol SIG-DH of Canetti and Krawczyk ("Analysis of key-exchange protocols and their use for building secure
channels", EUROCRYPT 2001, section 5), with X25519. Each end signs both fresh keys and both names with its
identity's signing key, so a recorded message is good for nothing: the other end's fresh key is not under it.
Fresh keys are forgotten with the connection; whoever takes a node's keys later reads nothing of what was
recorded before.

Pure: bytes in, bytes out. Assumes that the peers' signing keys are authentic. Steps: docs/protocols/links.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from quorate.encoding import encode
from quorate.entropy import Rng
from quorate.errors import Malformed, ProofRejected
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.secret import Secret
from quorate.session import Identity, PublicIdentity
from quorate.transport.links.frames import (
    LINK_VERSION,
    Confirm,
    Hello,
    Welcome,
)

AEAD_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class LinkPeer:
    """Another node: its name, where it listens (empty in memory), and whose signatures are its own."""

    name: str
    url: str
    identity: PublicIdentity


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a node says of itself in a handshake; the same in all of them."""

    network: str
    name: str
    identity: Identity


@dataclass(frozen=True, slots=True)
class LinkKeys:
    """One key for each direction; each seals frames under a counter that begins at 0."""

    forth: Secret[bytes]
    """From the caller to the callee."""
    back: Secret[bytes]


class Calling:
    """The caller's half: `hello`, then `welcomed`."""

    def __init__(self, me: Introduction, peer: LinkPeer, rng: Rng) -> None:
        self._me = me
        self._peer = peer
        self._fresh, own = _fresh_key(rng)
        self.hello = Hello(LINK_VERSION, me.network, me.name, peer.name, own)  # step 1

    def welcomed(self, welcome: Welcome) -> tuple[LinkKeys, Confirm]:
        """Steps 3 and 4. Raises `ProofRejected` unless the peer itself answers this very hello."""
        transcript = _transcript(self.hello, welcome.key)
        self._peer.identity.verify(digest(Tag.LINK_WELCOME, transcript), welcome.signature)
        keys = _keys(self._fresh, welcome.key, transcript)
        return keys, Confirm(self._me.identity.sign(digest(Tag.LINK_CONFIRM, transcript)))


class Answering:
    """The callee's half: `welcome`, then `confirmed`. Nothing is worth anything before that one returns."""

    def __init__(self, me: Introduction, peer: LinkPeer, hello: Hello, rng: Rng) -> None:
        """Step 2. Raises `Malformed` for a hello that is not from this peer to us."""
        if (hello.version, hello.network, hello.callee) != (LINK_VERSION, me.network, me.name):
            raise Malformed("a link of another version, network or node")
        if hello.caller != peer.name:
            raise Malformed("a link from somebody else")
        self._peer = peer
        fresh, own = _fresh_key(rng)
        self._transcript = _transcript(hello, own)
        self.keys = _keys(fresh, hello.key, self._transcript)
        self.welcome = Welcome(own, me.identity.sign(digest(Tag.LINK_WELCOME, self._transcript)))

    def confirmed(self, confirm: Confirm) -> None:
        """Step 5. Raises `ProofRejected` unless it is the peer that calls, now."""
        self._peer.identity.verify(digest(Tag.LINK_CONFIRM, self._transcript), confirm.signature)


def _fresh_key(rng: Rng) -> tuple[X25519PrivateKey, bytes]:
    secret = X25519PrivateKey.from_private_bytes(rng(32))
    return secret, secret.public_key().public_bytes_raw()


def _transcript(hello: Hello, answered: bytes) -> bytes:
    return digest(Tag.LINK_TRANSCRIPT, encode(hello), answered)


def _keys(own: X25519PrivateKey, theirs: bytes, transcript: bytes) -> LinkKeys:
    """Step 3. Raises `ProofRejected` for a key of small order: everybody would know the result."""
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(theirs))
    except ValueError:
        raise ProofRejected("a link's key that lets everybody read") from None
    wide = digest(Tag.LINK_KEYS, shared, transcript, length=2 * AEAD_KEY_BYTES)
    return LinkKeys(Secret(wide[:AEAD_KEY_BYTES]), Secret(wide[AEAD_KEY_BYTES:]))
