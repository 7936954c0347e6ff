"""SS58: an account of 32 bytes as text, with a number for the chain and two bytes of checksum.

One account has one address on each chain, and they differ only in the number: the same key may stand behind
``1...`` on Polkadot and ``5...`` on a test network. The checksum catches mistyping, nothing else.
"""

from __future__ import annotations

from typing import Final

from quorate.chains.polkadot.blake2 import blake2b_512
from quorate.encoding import base58
from quorate.errors import Malformed

ACCOUNT_BYTES: Final = 32

GENERIC: Final = 42
"""The number of no chain in particular."""

_CHECKSUM_BYTES: Final = 2
_RESERVED: Final = (46, 47)


def to_address(account: bytes, prefix: int) -> str:
    """The address of a 32-byte account on the chain of that number (0..16383)."""
    if len(account) != ACCOUNT_BYTES:
        raise Malformed(f"account: {len(account)} bytes instead of {ACCOUNT_BYTES}")
    head = _head(prefix) + account
    return base58.encode(head + _checksum(head))


def from_address(text: object, where: str) -> tuple[bytes, int]:
    """(account, the chain's number). Raises `Malformed` naming `where`."""
    data = _decoded(text, where)
    if data[0] < 64:
        prefix, head = data[0], 1
    else:
        prefix, head = (data[0] & 0x3F) << 2 | data[1] >> 6 | (data[1] & 0x3F) << 8, 2
    if prefix in _RESERVED or _head(prefix) != data[:head]:
        raise Malformed(f"{where}: no chain has that number")
    body, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if _checksum(body) != checksum:
        raise Malformed(f"{where}: the address's checksum is wrong; was it mistyped?")
    return body[head:], prefix


def _decoded(text: object, where: str) -> bytes:
    short = 1 + ACCOUNT_BYTES + _CHECKSUM_BYTES
    try:
        data = base58.decode(text, short, where)
    except Malformed:
        data = base58.decode(text, short + 1, where)
    if (data[0] < 64) != (len(data) == short) or data[0] >= 128:
        raise Malformed(f"{where}: not the address of an account")
    return data


def _head(prefix: int) -> bytes:
    if not 0 <= prefix < 1 << 14:
        raise Malformed("address: the number of a chain lies between 0 and 16383")
    if prefix < 64:
        return bytes([prefix])
    return bytes([0x40 | (prefix & 0xFC) >> 2, prefix >> 8 | (prefix & 3) << 6])


def _checksum(head: bytes) -> bytes:
    return blake2b_512(b"SS58PRE" + head)[:_CHECKSUM_BYTES]
