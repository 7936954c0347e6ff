"""Base 58 with Bitcoin's alphabet and without a checksum; who needs one (BIP 32, SS58) adds its own.

Leading zero bytes become leading ones, the rest is a number. Assumes short values: the conversion takes time
quadratic in the length, so `decode` bounds it first.
"""

from __future__ import annotations

from typing import Final

from quorate.errors import Malformed

ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

_VALUES: Final = {digit: value for value, digit in enumerate(ALPHABET)}


def encode_base58(data: bytes) -> str:
    """The text of `data`."""
    number, digits = int.from_bytes(data, "big"), []
    while number:
        number, digit = divmod(number, 58)
        digits.append(ALPHABET[digit])
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + "".join(reversed(digits))


def decode_base58(text: str, length: int, what: str) -> bytes:
    """Exactly `length` bytes. Raises `Malformed`, naming `what`."""
    # 58^1.4 > 256, so a longer text has too many bytes
    if not 0 < len(text) <= length * 7 // 5 + 1 or not all(digit in _VALUES for digit in text):
        raise Malformed(f"{what}: not {length} bytes in base 58")
    number = 0
    for digit in text:
        number = number * 58 + _VALUES[digit]
    zeros = len(text) - len(text.lstrip("1"))
    data = b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(data) != length:
        raise Malformed(f"{what}: {len(data)} bytes in base 58, not {length}")
    return data
