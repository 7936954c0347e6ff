"""Base 58 with Bitcoin's alphabet and without a checksum: keys and hashes of Solana and NEAR, and what BIP 32
and SS58 add checksums of their own to.

Written here rather than taken from a chain's library because an address is shown long before its chain's
library is loaded, and both ways are ten lines; the tests compare with solders and embit.
"""

from __future__ import annotations

from typing import Final

from quorate.errors import Malformed

ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

_VALUES: Final = {digit: value for value, digit in enumerate(ALPHABET)}


def encode(data: bytes) -> str:
    """Each leading zero byte is a ``1``; the rest is a number."""
    number, digits = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        digits = ALPHABET[digit] + digits
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + digits


def decode(text: object, length: int, where: str) -> bytes:
    """Exactly `length` bytes, from their only spelling. Raises `Malformed` naming `where`."""
    # 58^1.4 > 256: longer text has too many bytes, and is not worth the quadratic time of a conversion
    if not isinstance(text, str) or not 0 < len(text) <= length * 7 // 5 + 1:
        raise Malformed(f"{where}: expected {length} bytes in base 58")
    number = 0
    for digit in text:
        if digit not in _VALUES:
            raise Malformed(f"{where}: has characters that base 58 does not use")
        number = number * 58 + _VALUES[digit]
    zeros = len(text) - len(text.lstrip("1"))
    data = b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(data) != length:
        raise Malformed(f"{where}: {len(data)} bytes instead of {length}")
    return data
