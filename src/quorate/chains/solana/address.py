"""Addresses of Solana: 32 bytes in base 58, which are the Ed25519 public key of whoever can sign for them.

Not every address is a key: those of programs' accounts are off the curve on purpose. A wallet's own must be
a point of the prime-order subgroup, because strict verifiers and our signing refuse all others.
"""

from __future__ import annotations

from typing import Any

from quorate.encoding import base58
from quorate.errors import Malformed

LENGTH = 32


def public_key_bytes(public_key: Any) -> bytes:
    """The 32 bytes of a key given as such or as a point. Raises `Malformed` for what can sign nothing."""
    from nacl.bindings import crypto_core_ed25519_is_valid_point

    if isinstance(public_key, bytes):
        data = public_key
    elif isinstance(public_key, int) or not hasattr(public_key, "to_bytes"):
        raise Malformed(f"public key: expected bytes or a point, not {type(public_key).__name__}")
    else:
        data = bytes(public_key.to_bytes())
    if len(data) != LENGTH or not crypto_core_ed25519_is_valid_point(data):
        raise Malformed("public key: not a point of ed25519's prime-order subgroup in 32 bytes")
    return data


def parse_address(text: object, where: str) -> bytes:
    """The 32 bytes of an address. Raises `Malformed` naming `where`."""
    return base58.decode(text, LENGTH, where)
