"""RLP, strictly: nested lists of bytes, and what a field may be.

pyrlp decodes and encodes; the checks that Ethereum adds (lengths, no leading zeros) are here, with the name
of the field in every error. Source: Ethereum yellow paper, appendix B.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from quorate.errors import Malformed

MAX_DEPTH: Final = 4
"""Lists within each other: the transaction, its access list, an entry, its keys. The RLP library recurses and
copies at each level, so that 128 KiB of nested headers would cost ten seconds of CPU."""


def unpack(data: bytes, where: str) -> Any:
    """RLP to nested lists of bytes, at most `MAX_DEPTH` within each other. Raises `Malformed`."""
    import rlp
    from rlp.exceptions import RLPException

    _check_depth(data, where)
    try:
        return rlp.decode(data)
    except (RLPException, ValueError, TypeError, IndexError):
        raise Malformed(f"{where}: not one well-formed RLP value") from None


def number(value: int) -> bytes:
    """An RLP scalar: big-endian without leading zeros; zero is empty."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def items(value: Any, length: int | None, where: str) -> Sequence[Any]:
    """A list, of `length` fields if given. Raises `Malformed`."""
    if not isinstance(value, list):
        raise Malformed(f"{where}: expected a list")
    if length is not None and len(value) != length:
        raise Malformed(f"{where}: {len(value)} fields instead of {length}")
    return value


def octets(value: Any, length: int | None, where: str) -> bytes:
    """A byte string, of `length` bytes if given. Raises `Malformed`."""
    if not isinstance(value, bytes):
        raise Malformed(f"{where}: expected bytes")
    if length is not None and len(value) != length:
        raise Malformed(f"{where}: {len(value)} bytes instead of {length}")
    return value


def integer(value: Any, where: str) -> int:
    """A number below 2^256, big-endian without leading zeros. Raises `Malformed`."""
    data = octets(value, None, where)
    if len(data) > 32:
        raise Malformed(f"{where}: more than 256 bits")
    if data[:1] == b"\0":
        raise Malformed(f"{where}: a number has no leading zeros")
    return int.from_bytes(data, "big")


def _check_depth(data: bytes, where: str) -> None:
    """Walk the list headers without recursion; anything inconsistent is left for the decoder to refuse."""
    ends: list[int] = []
    position = 0
    while position < len(data):
        while ends and position >= ends[-1]:
            ends.pop()
        prefix = data[position]
        if prefix < 0x80:
            position += 1
            continue
        base = 0xC0 if prefix >= 0xC0 else 0x80
        size = prefix - base
        position += 1
        if size > 55:
            width = size - 55
            size = int.from_bytes(data[position : position + width], "big")
            position += width
        if base == 0x80:
            position += size
            continue
        ends.append(position + size)
        if len(ends) > MAX_DEPTH:
            raise Malformed(f"{where}: lists nested deeper than in any transaction")
