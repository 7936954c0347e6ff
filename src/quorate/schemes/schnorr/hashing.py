"""The hashes that Schnorr's standards fix: RFC 9591's suites, and the tagged hash of BIP 340.

Here and not through `quorate.primitives.transcript`, because others compute the same bytes. What only our
own parties hash (requests, contexts) goes through the transcript as everywhere.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Final

from quorate.groups import Group, Scalar

FIELD_BYTES: Final = 48
"""L of RFC 9380 for an order of 256 bits and 128 bits of security."""

_SHA256_BLOCK: Final = 64
_SHA256_OUTPUT: Final = 32


def sha512(*parts: bytes) -> bytes:
    """SHA-512 of the concatenation."""
    return hashlib.sha512(b"".join(parts)).digest()


def sha256(*parts: bytes) -> bytes:
    """SHA-256 of the concatenation."""
    return hashlib.sha256(b"".join(parts)).digest()


def tagged(tag: str, *parts: bytes) -> bytes:
    """The tagged hash of BIP 340: SHA-256 with the tag's hash, twice, in front."""
    return hashlib.sha256(_prefix(tag) + b"".join(parts)).digest()


def little_endian_scalar(group: Group, digest: bytes) -> Scalar:
    """64 uniform bytes as an integer, little-endian, modulo the order (RFC 8032 section 5.1.7)."""
    return group.scalar(int.from_bytes(digest, "little"))


def hash_to_scalar(group: Group, message: bytes, domain: bytes) -> Scalar:
    """hash_to_field of RFC 9380 section 5.2 with expand_message_xmd and SHA-256, for one scalar."""
    return group.scalar(int.from_bytes(expand_message(message, domain, FIELD_BYTES), "big"))


def expand_message(message: bytes, domain: bytes, length: int) -> bytes:
    """expand_message_xmd of RFC 9380 section 5.3.1, with SHA-256.

    `domain` has at most 255 bytes, `length` is at most 255 blocks of 32; ours are constants within both.
    """
    blocks = -(-length // _SHA256_OUTPUT)
    if len(domain) > 255 or blocks > 255:
        raise ValueError("expand_message_xmd: the domain or the output is too long")
    domain_prime = domain + bytes([len(domain)])
    first = sha256(bytes(_SHA256_BLOCK), message, length.to_bytes(2, "big"), b"\x00", domain_prime)
    output = block = sha256(first, b"\x01", domain_prime)
    for index in range(2, blocks + 1):
        mixed = bytes(a ^ b for a, b in zip(first, block, strict=True))
        block = sha256(mixed, bytes([index]), domain_prime)
        output += block
    return output[:length]


@cache
def _prefix(tag: str) -> bytes:
    hashed = hashlib.sha256(tag.encode()).digest()
    return hashed + hashed
