"""Identities without security, for simulations: a tenth of the time of real ones, and the same behaviour.

The "public" half holds the very key that the secret half uses: a signature is a keyed hash, a box is a
one-time pad with a keyed hash behind it. Whoever can check can forge. What a simulation needs of them holds:
another key does not verify, an altered box does not open, and an opening published for one box is accepted
for that box only. Nothing outside `quorate.testing` can be given one by configuration.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from quorate.entropy import Rng
from quorate.errors import Malformed, ProofRejected
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session.identity import SIGNATURE_BYTES, Identity, PublicIdentity

_NONCE: Final = 16
_MAC: Final = 16


class UnsafePublicIdentity(PublicIdentity):
    """See the module: this half can do all that the other can."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def verify(self, data: bytes, signature: bytes) -> None:
        if signature != digest(Tag.UNSAFE_SIGNATURE, self._key, data, length=SIGNATURE_BYTES):
            raise ProofRejected("signature: not by this key over these bytes")

    def seal(self, plaintext: bytes, info: bytes, rng: Rng) -> bytes:
        nonce = rng(_NONCE)
        hidden = self._pad(plaintext, nonce, info)
        return nonce + hidden + self._mac(nonce + hidden, info)

    def open_with(self, opening: bytes, box: bytes, info: bytes) -> bytes:
        if len(box) < _NONCE + _MAC:
            raise Malformed("not a box")
        if opening != self.opening(box):
            raise ProofRejected("opening: not of this box")
        plaintext = self.unseal(box, info)
        if plaintext is None:
            raise Malformed("a sealed body that does not open for its recipient")
        return plaintext

    def to_bytes(self) -> bytes:
        return self._key

    def opening(self, box: bytes) -> bytes:
        """What `open_with` asks for."""
        return digest(Tag.UNSAFE_OPENING, self._key, box)

    def unseal(self, box: bytes, info: bytes) -> bytes | None:
        """What a box holds, None if it does not open."""
        nonce, hidden, mac = box[:_NONCE], box[_NONCE:-_MAC], box[-_MAC:]
        if len(box) < _NONCE + _MAC or mac != self._mac(nonce + hidden, info):
            return None
        return self._pad(hidden, nonce, info)

    def _pad(self, data: bytes, nonce: bytes, info: bytes) -> bytes:
        if not data:
            return b""
        pad = digest(Tag.UNSAFE_PAD, self._key, nonce, info, length=len(data))
        return (int.from_bytes(data, "big") ^ int.from_bytes(pad, "big")).to_bytes(len(data), "big")

    def _mac(self, data: bytes, info: bytes) -> bytes:
        return digest(Tag.UNSAFE_MAC, self._key, info, data)[:_MAC]


class UnsafeIdentity(Identity):
    """An identity made from a name or any other seed."""

    __slots__ = ("public",)

    def __init__(self, seed: bytes) -> None:
        self.public: UnsafePublicIdentity = UnsafePublicIdentity(digest(Tag.UNSAFE_IDENTITY, seed))

    def sign(self, data: bytes) -> bytes:
        return digest(Tag.UNSAFE_SIGNATURE, self.public.to_bytes(), data, length=SIGNATURE_BYTES)

    def open(self, box: bytes, info: bytes) -> bytes:
        plaintext = self.public.unseal(box, info)
        if plaintext is None:
            raise ProofRejected("the box does not open: made for another key or place, or altered")
        return plaintext

    def opening(self, box: bytes, info: bytes, rng: Rng) -> bytes:
        return self.public.opening(box)


@lru_cache(maxsize=256)
def unsafe_identity(name: str) -> UnsafeIdentity:
    """The identity that a simulation gives to the party of this name."""
    return UnsafeIdentity(name.encode())
