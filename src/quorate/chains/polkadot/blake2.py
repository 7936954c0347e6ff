"""BLAKE2b as Substrate chains use it: unkeyed, 32 bytes for hashes, 64 for the checksum of an address.

The chains fix these hashes, so they do not go through a transcript of ours.
"""

from __future__ import annotations

import hashlib


def blake2b_256(data: bytes) -> bytes:
    """Hashes of long payloads, of extrinsics, and of an ECDSA key to its account."""
    return hashlib.blake2b(data, digest_size=32).digest()


def blake2b_512(data: bytes) -> bytes:
    """The checksum of SS58 is the beginning of this."""
    return hashlib.blake2b(data, digest_size=64).digest()
