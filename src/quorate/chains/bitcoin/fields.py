"""The fields of a PSBT and the form each must have (BIP 174, 370, 371). Pure tables and one check.

A field whose type is unknown, and a proprietary one, is kept as it is, as BIP 174 asks, and never affects
what is signed. A known one has the length its definition gives, because two readers that disagree about a
malformed field may disagree about the transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from quorate.chains.bitcoin.wire import Reader
from quorate.errors import Malformed

UNSIGNED: Final = b"\x00"
XPUB: Final = 0x01
TX_VERSION: Final = b"\x02"
FALLBACK_LOCKTIME: Final = b"\x03"
INPUT_COUNT: Final = b"\x04"
OUTPUT_COUNT: Final = b"\x05"
MODIFIABLE: Final = b"\x06"
VERSION: Final = b"\xfb"

PREVIOUS: Final = b"\x00"
SPENT: Final = b"\x01"
PARTIAL: Final = 0x02
SIGHASH: Final = b"\x03"
FINAL_SCRIPT: Final = b"\x07"
FINAL_WITNESS: Final = b"\x08"
PREVIOUS_ID: Final = b"\x0e"
OUTPUT_INDEX: Final = b"\x0f"
SEQUENCE: Final = b"\x10"
LOCK_TIME: Final = b"\x11"
LOCK_HEIGHT: Final = b"\x12"
TAPROOT_SIGNATURE: Final = b"\x13"
INTERNAL_KEY: Final = b"\x17"
MERKLE_ROOT: Final = b"\x18"

AMOUNT: Final = b"\x03"
SCRIPT: Final = b"\x04"
OUTPUT_INTERNAL_KEY: Final = b"\x05"
OUTPUT_TREE: Final = b"\x06"

LengthCheck: TypeAlias = Callable[[int], bool]
Shape: TypeAlias = tuple[LengthCheck, LengthCheck]
"""Which lengths of the key's data (after the type) and of the value are right."""


def _exactly(*lengths: int) -> LengthCheck:
    return lambda length: length in lengths


def _some(length: int) -> bool:
    return length > 0


def _any(length: int) -> bool:
    return True


def _path(length: int) -> bool:
    return length >= 4 and length % 4 == 0


def _control_block(length: int) -> bool:
    return length >= 33 and (length - 33) % 32 == 0


_NOTHING: Final = _exactly(0)
_KEY: Final = _exactly(33, 65)

GLOBAL: Final[Mapping[int, Shape]] = {
    0x00: (_NOTHING, _some),
    XPUB: (_exactly(78), _path),
    0x02: (_NOTHING, _exactly(4)),
    0x03: (_NOTHING, _exactly(4)),
    0x04: (_NOTHING, _exactly(1, 3, 5, 9)),
    0x05: (_NOTHING, _exactly(1, 3, 5, 9)),
    0x06: (_NOTHING, _exactly(1)),
    0xFB: (_NOTHING, _exactly(4)),
}

INPUT: Final[Mapping[int, Shape]] = {
    0x00: (_NOTHING, _some),
    0x01: (_NOTHING, _some),
    PARTIAL: (_KEY, _some),
    0x03: (_NOTHING, _exactly(4)),
    0x04: (_NOTHING, _any),
    0x05: (_NOTHING, _any),
    0x06: (_KEY, _path),
    0x07: (_NOTHING, _any),
    0x08: (_NOTHING, _some),
    0x0A: (_exactly(20), _any),
    0x0B: (_exactly(32), _any),
    0x0C: (_exactly(20), _any),
    0x0D: (_exactly(32), _any),
    0x0E: (_NOTHING, _exactly(32)),
    0x0F: (_NOTHING, _exactly(4)),
    0x10: (_NOTHING, _exactly(4)),
    0x11: (_NOTHING, _exactly(4)),
    0x12: (_NOTHING, _exactly(4)),
    0x13: (_NOTHING, _exactly(64, 65)),
    0x14: (_exactly(64), _exactly(64, 65)),
    0x15: (_control_block, _some),
    0x16: (_exactly(32), _some),
    0x17: (_NOTHING, _exactly(32)),
    0x18: (_NOTHING, _exactly(32)),
}

OUTPUT: Final[Mapping[int, Shape]] = {
    0x00: (_NOTHING, _any),
    0x01: (_NOTHING, _any),
    0x02: (_KEY, _path),
    0x03: (_NOTHING, _exactly(8)),
    0x04: (_NOTHING, _any),
    0x05: (_NOTHING, _exactly(32)),
    0x06: (_NOTHING, _some),
    0x07: (_exactly(32), _some),
}

ONLY_VERSION_2: Final = {
    "global": frozenset([TX_VERSION, FALLBACK_LOCKTIME, INPUT_COUNT, OUTPUT_COUNT, MODIFIABLE]),
    "input": frozenset([PREVIOUS_ID, OUTPUT_INDEX, SEQUENCE, LOCK_TIME, LOCK_HEIGHT]),
    "output": frozenset([AMOUNT, SCRIPT]),
}
"""Fields that BIP 370 brought and forbids in version 0, by the kind of map they belong to."""

_WITH_LEAVES: Final = frozenset([("input", 0x16), ("output", 0x07)])
"""BIP 371's derivations: a count of leaf hashes, these, and a path."""

_SHAPES: Final[Mapping[str, Mapping[int, Shape]]] = {"global": GLOBAL, "input": INPUT, "output": OUTPUT}


def known(kind: str, key: bytes) -> bool:
    """Whether this field means something here."""
    return key[0] in _SHAPES[kind]


def check_field(kind: str, key: bytes, value: bytes, where: str) -> None:
    """The lengths of a known field. Raises `Malformed`."""
    shape = _SHAPES[kind].get(key[0])
    if shape is not None and not (shape[0](len(key) - 1) and shape[1](len(value))):
        raise Malformed(f"{where}: field 0x{key[0]:02x} does not have the form it must have")
    if (kind, key[0]) in _WITH_LEAVES:
        # counted before embit sees it, which believes the count and reads on past the end
        reader = Reader(value, f"{where}: a taproot derivation")
        reader.take(32 * reader.count(32))
        if not _path(len(value) - reader.at):
            raise Malformed(f"{where}: a taproot derivation without its path")
