"""Keccak-256, addresses from public keys, and EIP-55's mixed-case checksum.

Written here rather than taken from eth-utils because a node shows an address long before it signs, and
importing eth-utils costs a quarter of a second; the tests compare the two.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from quorate.errors import Malformed


def address_of(public_key: Any) -> str:
    """The EIP-55 address of a secp256k1 public key: 33 or 65 bytes (SEC 1), or a point with ``to_bytes()``.

    Raises `Malformed` for anything that is no point of the curve.
    """
    return _address_of(public_key_bytes(public_key))


def public_key_bytes(public_key: Any) -> bytes:
    """The compressed form (33 bytes). Raises `Malformed` like `address_of`."""
    if isinstance(public_key, bytes):
        data = public_key
    elif isinstance(public_key, int) or not hasattr(public_key, "to_bytes"):
        raise Malformed(f"public key: expected bytes or a point, not {type(public_key).__name__}")
    else:
        data = public_key.to_bytes()
    return _reserialize(data, compressed=True)


def keccak(data: bytes) -> bytes:
    """Keccak-256 as Ethereum uses it (not SHA3-256: the padding differs)."""
    from eth_hash.auto import keccak as hash_

    return bytes(hash_(data))


def checksummed(address: bytes) -> str:
    """20 bytes to ``0x`` and 40 digits whose case is a checksum (EIP-55)."""
    digits = address.hex()
    pattern = keccak(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(nibble, 16) >= 8 else digit
        for digit, nibble in zip(digits, pattern, strict=False)
    )


def parse_address(value: object, where: str) -> bytes:
    """20 bytes from text or bytes. `where` names the field in errors.

    All lower or all upper case carries no checksum and passes; mixed case must be right (EIP-55).
    """
    if isinstance(value, bytes | bytearray):
        if len(value) != 20:
            raise Malformed(f"{where}: an address has 20 bytes, not {len(value)}")
        return bytes(value)
    if not isinstance(value, str):
        raise Malformed(f"{where}: an address is text like 0x… or 20 bytes, not {type(value).__name__}")
    digits = value[2:]
    if value[:2] != "0x" or len(digits) != 40 or not digits.isascii():
        raise Malformed(f"{where}: an address is 0x and 40 hexadecimal digits")
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        raise Malformed(f"{where}: an address is 0x and 40 hexadecimal digits") from None
    if len(data) != 20:
        raise Malformed(f"{where}: an address is 0x and 40 hexadecimal digits")
    if digits not in (digits.lower(), digits.upper()) and value != checksummed(data):
        raise Malformed(
            f"{where}: the address's upper and lower case do not match its checksum; was it mistyped?"
        )
    return data


@lru_cache(maxsize=1024)
def _address_of(public_key: bytes) -> str:
    return checksummed(keccak(_reserialize(public_key, compressed=False)[1:])[12:])


def _reserialize(data: bytes, *, compressed: bool) -> bytes:
    from btclib_secp256k1 import keys

    try:
        return bytes(keys.serialize(keys.parse(data), compressed))
    except (ValueError, TypeError):
        raise Malformed("public key: not a point of secp256k1 in 33 or 65 bytes") from None
