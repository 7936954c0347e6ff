"""SSZ's hash tree roots, as far as validators' messages need them (consensus-specs, ssz/simple-serialize.md).

A value becomes 32-byte chunks, chunks become a binary tree padded with zeros to a power of two, and what has
no fixed length is hashed with its length. Only roots: nothing here is serialised. The hash is SHA-256 because
the chain says so; it is no transcript of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from typing import Final

from quorate.errors import Malformed

CHUNK: Final = 32
_ZERO: Final = bytes(CHUNK)


def uint64(value: int) -> bytes:
    """The root of a number: little-endian in one chunk."""
    return value.to_bytes(8, "little").ljust(CHUNK, b"\0")


def octets(value: bytes) -> bytes:
    """The root of a byte vector of fixed length (ByteVector[N], N = len(value))."""
    return merkleize(_chunks(value))


def container(*fields: bytes) -> bytes:
    """The root of a container from the roots of its fields, in order."""
    return merkleize(fields)


def bitvector(value: bytes, bits: int) -> bytes:
    """The root of Bitvector[bits] from its serialisation. Raises `Malformed` unless it is one."""
    if len(value) != -(-bits // 8) or (bits % 8 and value[-1] >> bits % 8):
        raise Malformed(f"not a bit vector of {bits} bits")
    return merkleize(_chunks(value), limit=-(-bits // 256))


def bitlist(value: bytes, limit: int) -> bytes:
    """The root of Bitlist[limit] from its serialisation, with its delimiting bit. Raises `Malformed`."""
    length = bitlist_length(value, limit)
    bits = int.from_bytes(value, "little") ^ (1 << length)
    root = merkleize(_chunks(bits.to_bytes(-(-length // 8), "little")), limit=-(-limit // 256))
    return sha256(root + uint64(length)).digest()


def bitlist_length(value: bytes, limit: int) -> int:
    """How many bits the serialisation of a Bitlist[limit] holds. Raises `Malformed`."""
    if not value or not value[-1]:
        raise Malformed("a bit list ends in a byte with its delimiting bit")
    length = 8 * (len(value) - 1) + value[-1].bit_length() - 1
    if length > limit:
        raise Malformed(f"a bit list of {length} bits, at most {limit}")
    return length


def merkleize(chunks: Sequence[bytes], limit: int = 0) -> bytes:
    """The root of a tree over `chunks`, as deep as `limit` chunks (or as many as there are) ask for."""
    width = max(limit, len(chunks), 1)
    depth = (width - 1).bit_length()
    layer = list(chunks)
    for height in range(depth):
        if len(layer) % 2:
            layer.append(_zeros(height))
        layer = [sha256(left + right).digest() for left, right in zip(layer[::2], layer[1::2], strict=True)]
    return layer[0] if layer else _zeros(depth)


@cache
def _zeros(height: int) -> bytes:
    """The root of a tree of that height without anything in it."""
    return _ZERO if height == 0 else sha256(_zeros(height - 1) * 2).digest()


def _chunks(value: bytes) -> list[bytes]:
    return [value[i : i + CHUNK].ljust(CHUNK, b"\0") for i in range(0, len(value), CHUNK)]
