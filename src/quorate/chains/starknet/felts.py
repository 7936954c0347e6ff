"""Field elements of Starknet: 32 bytes, big-endian, below the field's prime; and what they may spell.

Inside a request a felt is bytes of one length, because MessagePack's integers end at 64 bits and a felt must
have one spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Final, TypeAlias

import msgspec

from quorate.errors import Malformed
from quorate.groups.stark import FIELD

FELT_BYTES: Final = 32

Felt: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=FELT_BYTES, max_length=FELT_BYTES)]

_HEX: Final = re.compile(r"0x[0-9a-fA-F]{1,64}\Z")


def number(felt: bytes, where: str) -> int:
    """The felt as an integer. Raises `Malformed` for one that is not below the field's prime."""
    value = int.from_bytes(felt, "big")
    if len(felt) != FELT_BYTES or value >= FIELD:
        raise Malformed(f"{where}: not a field element in {FELT_BYTES} bytes")
    return value


def numbers(felts: Iterable[bytes], where: str) -> tuple[int, ...]:
    """`number` of each."""
    return tuple(number(felt, where) for felt in felts)


def felt(value: object, where: str) -> bytes:
    """A felt from an integer or from ``0x`` text, as libraries and RPC write it. Raises `Malformed`."""
    if isinstance(value, str) and _HEX.match(value):
        value = int(value, 16)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < FIELD:
        raise Malformed(f"{where}: expected a field element, as an integer or as 0x text")
    return value.to_bytes(FELT_BYTES, "big")


def short_string(text: str) -> int:
    """A short ASCII text as the number its bytes are (``SN_MAIN``, ``invoke``)."""
    if not 0 < len(text) < FELT_BYTES or not text.isascii():
        raise Malformed("short string: 1 to 31 ASCII characters")
    return int.from_bytes(text.encode(), "big")


def written(value: int) -> str:
    """A number as RPC writes it: ``0x`` and no leading zeros."""
    return hex(value)


def address(value: int) -> str:
    """An address as people see it: ``0x`` and all 64 digits."""
    return f"0x{value:064x}"
