"""SCALE, strictly and only as far as calls and extrinsics need it (docs.polkadot.com, "SCALE codec").

Integers are little-endian; a compact integer spends two bits on saying how long it is, and only its shortest
form is accepted: the reference decoder in Rust refuses the others too. A `Reader` never guesses: what is
missing, left over or out of range raises `Malformed`.
"""

from __future__ import annotations

from quorate.errors import Malformed


def compact(value: int) -> bytes:
    """A compact integer, below 2^536."""
    if value < 0:
        raise ValueError("a compact integer is not negative")
    if value < 1 << 6:
        return bytes([value << 2])
    if value < 1 << 14:
        return (value << 2 | 1).to_bytes(2, "little")
    if value < 1 << 30:
        return (value << 2 | 2).to_bytes(4, "little")
    length = (value.bit_length() + 7) // 8
    if length > 67:
        raise ValueError("a compact integer has at most 536 bits")
    return bytes([(length - 4) << 2 | 3]) + value.to_bytes(length, "little")


def u32(value: int) -> bytes:
    """Four bytes, little-endian."""
    return value.to_bytes(4, "little")


def sequence(data: bytes) -> bytes:
    """A vector of bytes: its length as a compact integer in front."""
    return compact(len(data)) + data


class Reader:
    """Takes values off the front of `data`; `where` names what is read in errors."""

    __slots__ = ("_data", "_position", "_where")

    def __init__(self, data: bytes, where: str) -> None:
        self._data = data
        self._position = 0
        self._where = where

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._position

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > self.left:
            raise Malformed(f"{self._where}: ends {count - self.left} bytes too early")
        start = self._position
        self._position += count
        return self._data[start : self._position]

    def u8(self) -> int:
        """One byte."""
        return self.take(1)[0]

    def u32(self) -> int:
        """Four bytes, little-endian."""
        return int.from_bytes(self.take(4), "little")

    def boolean(self) -> bool:
        """00 or 01."""
        value = self.u8()
        if value > 1:
            raise Malformed(f"{self._where}: a boolean is 00 or 01, not {value:02x}")
        return value == 1

    def compact(self, bits: int) -> int:
        """A compact integer below 2^`bits`, in its shortest form."""
        first = self.u8()
        mode, high = first & 3, first >> 2
        if mode == 3:
            value = int.from_bytes(self.take(high + 4), "little")
        else:
            rest = self.take((1 << mode) - 1)
            value = (int.from_bytes(rest, "little") << 8 | first) >> 2
        if value >> bits:
            raise Malformed(f"{self._where}: a number of more than {bits} bits")
        if len(compact(value)) != (high + 5 if mode == 3 else 1 << mode):
            raise Malformed(f"{self._where}: a number that is not in its shortest form")
        return value

    def octets(self) -> bytes:
        """A vector of bytes."""
        return self.take(self.compact(32))

    def end(self) -> None:
        """Raises `Malformed` unless everything was read."""
        if self.left:
            raise Malformed(f"{self._where}: {self.left} bytes too many")
