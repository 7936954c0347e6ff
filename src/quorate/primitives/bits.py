"""Bit matrices for the oblivious-transfer extension: packing, transposing, check hash, row oracle.

Bits are numbered from the least significant of byte 0. All operations take the same steps whatever the
bits are; a table look-up per byte would be quicker for the hash, but its addresses would be the secret.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from quorate.primitives.limbs import Octets

KEY_BYTES: Final = 32

_SWAPS: Final = (
    (np.uint64(7), np.uint64(0x00AA00AA00AA00AA)),
    (np.uint64(14), np.uint64(0x0000CCCC0000CCCC)),
    (np.uint64(28), np.uint64(0x00000000F0F0F0F0)),
)
"""Distance and mask of the three exchanges that transpose the 8x8 bits of a 64-bit word."""


def octets(data: bytes, *shape: int) -> Octets:
    """A read-only array over `data` of the given shape."""
    return np.frombuffer(data, np.uint8).reshape(shape)


def unpack(packed: Octets) -> Octets:
    """One byte, 0 or 1, per bit of the last axis."""
    return np.unpackbits(packed, axis=-1, bitorder="little")


def pack(bits: Octets) -> Octets:
    """The inverse of `unpack`."""
    return np.packbits(bits, axis=-1, bitorder="little")


def masks(bits: Octets) -> Octets:
    """0x00 for 0 and 0xff for 1, with a trailing axis of one: a factor for ``&`` on rows of bytes."""
    return (-bits.view(np.int8)).view(np.uint8)[..., None]


def transpose(packed: Octets) -> Octets:
    """An 8r x 8c bit matrix, given as (8r, c) bytes, as its transpose, (8c, r) bytes."""
    rows, columns = packed.shape[0] // 8, packed.shape[1]
    blocks = packed.reshape(rows, 8, columns).transpose(2, 0, 1).copy().view(np.uint64)
    for distance, mask in _SWAPS:
        moved = blocks >> distance
        moved ^= blocks
        moved &= mask
        blocks ^= moved
        moved <<= distance
        blocks ^= moved
    # blocks[c, r] holds, byte by byte, the eight columns 8c.. of the rows 8r..8r+7
    return np.ascontiguousarray(blocks.view(np.uint8).reshape(columns, rows, 8).transpose(0, 2, 1)).reshape(
        8 * columns, rows
    )


class CheckHash:
    """A random linear hash of bit strings, h(y) = M * y' + y'', where y'' is the last `length` bits of y.

    M is the binary matrix of `length` rows that `seed` expands to. Two different strings collide for a
    fraction 2^-length of all matrices, so the seed must be drawn after the strings are fixed.
    """

    __slots__ = ("_index", "groups")

    def __init__(self, seed: bytes, inputs: int, length: int) -> None:
        """`inputs` and `length` are multiples of 8; strings have the sum of both."""
        self.groups: Final = inputs // 8
        self._index = octets(hashlib.shake_128(seed).digest(length * self.groups), length, self.groups)

    def of_string(self, packed: Octets) -> Octets:
        """h(y) for one string, shape ((inputs + length) / 8,), packed likewise."""
        chosen = np.bitwise_xor.reduce(self._index & packed[: self.groups], axis=1)
        return pack(np.bitwise_count(chosen) & np.uint8(1)) ^ packed[self.groups :]

    def of_columns(self, columns: Octets) -> Octets:
        """h of many strings, given and returned as columns.

        Row i of `columns`, shape (inputs + length, width), holds bit i of 8 * width strings. Works through
        M eight bits at a time, with a table of the 256 sums of the eight rows concerned: the addresses are
        bytes of M, which is public, the contents are secret.
        """
        words = columns.view(_word(columns.shape[1]))
        groups, width = self.groups, words.shape[1]
        # entry [v, g]: the sum of those of group g's eight rows whose bit in v is one
        tables = np.empty((256, groups * width), words.dtype)
        tables[0] = 0
        eights = words[: 8 * groups].reshape(groups, 8, width).transpose(1, 0, 2).copy().reshape(8, -1)
        for bit in range(8):
            size = 1 << bit
            np.bitwise_xor(tables[:size], eights[bit], out=tables[size : 2 * size])
        places = self._index.T * np.intp(groups)
        places += np.arange(groups)[:, None]
        picked = tables.reshape(256 * groups, width).take(places, axis=0)
        hashes = np.bitwise_xor.reduce(picked, axis=0)
        hashes ^= words[8 * groups :]
        for secret in (tables, eights, picked):
            secret.fill(0)
        result: Octets = hashes.view(np.uint8)
        return result


def expand(key: bytes, indices: npt.NDArray[np.uint32], rows: Octets, length: int) -> Octets:
    """A random oracle on every row: SHAKE128(key || index || row), `length` bytes, shape (n, length).

    `key` is a 32-byte transcript digest, so it carries tag, version and session; everything has a fixed
    length, so nothing needs framing. This loop is half the time of a multiplication. BLAKE2b is twice as
    quick per call but gives 64 bytes (two calls per pad: 10 % off the whole), BLAKE3 measures the same, and
    a fixed-key AES hash needs the ideal-cipher model: none was worth leaving the standard for.
    """
    count, width = rows.shape
    block = np.empty((count, KEY_BYTES + 4 + width), np.uint8)
    block[:, :KEY_BYTES] = octets(key, KEY_BYTES)
    block[:, KEY_BYTES : KEY_BYTES + 4] = indices.astype("<u4")[:, None].view(np.uint8)
    block[:, KEY_BYTES + 4 :] = rows
    inputs: list[bytes] = block.view(f"V{block.shape[1]}").ravel().tolist()
    shake = hashlib.shake_128
    data = b"".join([shake(row).digest(length) for row in inputs])
    block.fill(0)
    return octets(data, count, length)


def _word(width: int) -> type[np.unsignedinteger[Any]]:
    """The widest type that `width` bytes are a whole number of."""
    return np.uint64 if width % 8 == 0 else np.uint16 if width % 2 == 0 else np.uint8
