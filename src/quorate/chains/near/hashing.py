"""SHA-256, which NEAR signs instead of the bytes themselves, with the numbers that keep kinds apart.

A transaction begins with the length of an account's name, at most 64; the numbers in front of everything else
(NEP-461) are far above that, so no signature on one kind is one on another.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

DELEGATE: Final = (1 << 30) + 366
"""NEP-366: an action that somebody else submits and pays for."""

MESSAGE: Final = (1 << 31) + 413
"""NEP-413: a message off the chain."""


def plain(data: bytes) -> bytes:
    """The hash of a transaction, and of code."""
    return sha256(data).digest()


def prefixed(number: int, data: bytes) -> bytes:
    """The hash of a kind that has a number."""
    return sha256(number.to_bytes(4, "little") + data).digest()
