"""The hashes of Bitcoin's formats: SHA-256 once or twice, and BIP 340's tagged hashes.

These are fixed by the chain, so they carry none of our own domain tags. The tagged hash is libsecp256k1's.
"""

from __future__ import annotations

from hashlib import sha256


def single(data: bytes) -> bytes:
    """SHA-256."""
    return sha256(data).digest()


def double(data: bytes) -> bytes:
    """SHA-256 of SHA-256: ids of transactions, and the digests of BIP 143."""
    return sha256(sha256(data).digest()).digest()


def tagged(tag: str, data: bytes) -> bytes:
    """``SHA-256(SHA-256(tag) || SHA-256(tag) || data)`` (BIP 340)."""
    from btclib_secp256k1 import hashes

    return bytes(hashes.tagged_sha256(tag.encode(), data))
