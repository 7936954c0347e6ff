"""HKDF with SHA-256 (RFC 5869), its two halves apart because HPKE uses them apart.

Kept on the standard library's HMAC: the class in `cryptography` offers no faster path and builds an object
per call. Only `sealed` and `hpke` use this; all other derivations go through a transcript.
"""

from __future__ import annotations

import hmac
from typing import Final

HASH_LENGTH: Final = 32
MAX_OUTPUT: Final = 255 * HASH_LENGTH
"""RFC 5869 section 2.3: the block counter is one byte."""


def extract(salt: bytes, material: bytes) -> bytes:
    """A uniform 32-byte key from `material` that has enough entropy but is not uniform."""
    return hmac.digest(salt or bytes(HASH_LENGTH), material, "sha256")


def expand(key: bytes, info: bytes, length: int) -> bytes:
    """`length` bytes bound to `info`. Raises ValueError above `MAX_OUTPUT`."""
    if not 0 < length <= MAX_OUTPUT:
        raise ValueError(f"HKDF gives 1 to {MAX_OUTPUT} bytes, not {length}")
    block = output = b""
    counter = 1
    while len(output) < length:
        block = hmac.digest(key, block + info + counter.to_bytes(1, "big"), "sha256")
        output += block
        counter += 1
    return output[:length]
