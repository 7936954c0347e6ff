"""BIP 32 for keys that nobody has: public derivation of non-hardened children, and the xpub's text.

``ExtendedKey(X, c).child(i)`` is CKDpub of BIP 32: I = HMAC-SHA512(c, ser_P(X) || ser_32(i)), the child is
X + parse_256(I_L)*G with chain code I_R. I_L is public, so each signer of a shared key computes it alone.
There is no CKDpriv here and no hardened child: both need the parent's private key.

An invalid index (I_L not below the order, or a child at infinity) is an error and never skipped silently: a
wallet that skips and one that doesn't would show two addresses for one index.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from quorate.encoding import base58
from quorate.errors import LimitExceeded, LocalError, Malformed, Unavailable
from quorate.groups import SECP256K1, Point
from quorate.schemes.derivation.child import Child, checked_chain_code, no_child
from quorate.schemes.derivation.path import checked_path

HARDENED: Final = 1 << 31
"""Added to the number of a hardened step. Ours occur in recorded origins only."""

MAX_DEPTH: Final = 255
"""One byte in the serialisation."""

_SERIALISED_BYTES: Final = 78


class Version(Enum):
    """First bytes of an extended public key, which say the network and make the text begin so."""

    XPUB = bytes.fromhex("0488b21e")
    TPUB = bytes.fromhex("043587cf")


@dataclass(frozen=True, slots=True)
class ExtendedKey:
    """A public key with its chain code, and where in the tree it stands.

    `parent` is the first four bytes of the parent's HASH160 and `index` its own number (hardened ones
    included); both are zero at depth 0. A key that merely records an origin has depth and index and a
    parent of zero bytes, since there is none.
    """

    point: Point
    chain_code: bytes
    depth: int = 0
    parent: bytes = bytes(4)
    index: int = 0

    def __post_init__(self) -> None:
        if self.point.group is not SECP256K1:
            raise LocalError(f"BIP 32 is defined for secp256k1, not for {self.point.group.name}")
        checked_chain_code(self.chain_code)
        if not 0 <= self.depth <= MAX_DEPTH or not 0 <= self.index < 1 << 32 or len(self.parent) != 4:
            raise Malformed("extended key: depth, parent or index out of range")
        if self.depth == 0 and (self.index or any(self.parent)):
            raise Malformed("extended key: a root has no parent and no index")

    @property
    def identifier(self) -> bytes:
        """HASH160 of the public key."""
        return hash160(self.point.to_bytes())

    @property
    def fingerprint(self) -> bytes:
        """Its first four bytes."""
        return self.identifier[:4]

    def child(self, index: int) -> ExtendedKey:
        """CKDpub. Raises `NoChild` for an index without a key, `LimitExceeded` below depth 255."""
        if self.depth == MAX_DEPTH:
            raise LimitExceeded(f"an extended key has at most depth {MAX_DEPTH}")
        found = child_of(self.point, self.chain_code, index)
        return ExtendedKey(found.point, found.chain_code, self.depth + 1, self.fingerprint, index)

    def descend(self, path: Iterable[int]) -> ExtendedKey:
        """The key at the end of a path."""
        key = self
        for index in checked_path(path):
            key = key.child(index)
        return key

    def to_text(self, version: Version = Version.XPUB) -> str:
        """``xpub...``, or ``tpub...`` for test networks."""
        data = (
            version.value
            + self.depth.to_bytes(1, "big")
            + self.parent
            + self.index.to_bytes(4, "big")
            + self.chain_code
            + self.point.to_bytes()
        )
        return base58.encode(data + _checksum(data))

    @classmethod
    def from_text(cls, text: str) -> tuple[ExtendedKey, Version]:
        """Read `to_text`. Raises `Malformed`, for private keys too."""
        octets = base58.decode(text, _SERIALISED_BYTES + 4, "extended key")
        data, checksum = octets[:_SERIALISED_BYTES], octets[_SERIALISED_BYTES:]
        if checksum != _checksum(data):
            raise Malformed("extended key: the checksum is wrong; a character was changed")
        try:
            version = Version(data[:4])
        except ValueError:
            raise Malformed("extended key: neither an xpub nor a tpub") from None
        key = cls(
            SECP256K1.point_from_bytes(data[45:]),
            data[13:45],
            data[4],
            data[5:9],
            int.from_bytes(data[9:13], "big"),
        )
        return key, version


def child_of(parent: Point, chain_code: bytes, index: int) -> Child:
    """CKDpub on bare values. Raises `NoChild`."""
    (index,) = checked_path([index])
    data = parent.to_bytes() + index.to_bytes(4, "big")
    return read_child(parent, hmac.digest(chain_code, data, "sha512"), index)


def read_child(parent: Point, derived: bytes, index: int) -> Child:
    """What the 64 bytes of the HMAC make of `parent`. Raises `NoChild`."""
    group = parent.group
    left = int.from_bytes(derived[:32], "big")
    if left >= group.order:
        raise no_child(index)
    return Child.of(parent, group.scalar(left), derived[32:], index)


def hash160(data: bytes) -> bytes:
    """RIPEMD-160 of SHA-256. Raises `Unavailable` where OpenSSL was built without the former."""
    try:
        outer = hashlib.new("ripemd160", usedforsecurity=False)
    except ValueError:
        raise Unavailable(
            "this Python's OpenSSL has no RIPEMD-160, which BIP 32 needs; use OpenSSL 3.0.7 or later"
        ) from None
    outer.update(hashlib.sha256(data).digest())
    return outer.digest()


def _checksum(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4]
