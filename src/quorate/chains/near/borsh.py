"""Borsh (https://borsh.io): little-endian numbers, lengths of four bytes, one byte for a choice.

Every value has exactly one encoding, and this reader accepts no other.
"""

from __future__ import annotations

from quorate.errors import Malformed


class Reader:
    """Takes values from the front of bytes; raises `Malformed` naming `what` where they are not there."""

    __slots__ = ("data", "position", "what")

    def __init__(self, data: bytes, what: str) -> None:
        self.data, self.position, self.what = data, 0, what

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        end = self.position + count
        if end > len(self.data):
            raise Malformed(f"{self.what}: ends in the middle of a field")
        taken, self.position = self.data[self.position : end], end
        return taken

    def number(self, size: int) -> int:
        """An unsigned number of `size` bytes."""
        return int.from_bytes(self.take(size), "little")

    def octets(self) -> bytes:
        """Bytes behind their length."""
        return self.take(self.number(4))

    def text(self) -> str:
        """UTF-8 behind its length in bytes."""
        try:
            return self.octets().decode()
        except UnicodeDecodeError:
            raise Malformed(f"{self.what}: text that is no UTF-8") from None

    def flag(self) -> bool:
        """Whether an optional value follows."""
        value = self.number(1)
        if value > 1:
            raise Malformed(f"{self.what}: an optional value is neither there nor absent")
        return value == 1

    def finish(self) -> None:
        """Raises `Malformed` when bytes are left."""
        if self.position != len(self.data):
            raise Malformed(f"{self.what}: bytes after its end")


def number(value: int, size: int) -> bytes:
    """An unsigned number. Raises `Malformed` where it does not fit."""
    if not 0 <= value < 1 << (8 * size):
        raise Malformed(f"a number of {8 * size} bits lies between 0 and 2^{8 * size} - 1, not at {value}")
    return value.to_bytes(size, "little")


def octets(value: bytes) -> bytes:
    """Bytes behind their length."""
    return number(len(value), 4) + value


def text(value: str) -> bytes:
    """UTF-8 behind its length. Raises `Malformed` for half a surrogate pair."""
    try:
        return octets(value.encode())
    except UnicodeEncodeError:
        raise Malformed("text with half a surrogate pair") from None


def option(value: bytes | None) -> bytes:
    """An encoded value that may be absent."""
    return b"\0" if value is None else b"\1" + value
