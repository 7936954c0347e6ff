"""The one way this package hashes: a tag, then fields, each with its length in front.

Every other use of a hash function is a bug unless the scan in tests/unit/primitives/test_transcript.py
lists it with a reason. Byte-exact definition and vectors: docs/protocols/transcript.md.

The input is a list of byte strings, each preceded by its length as 8 bytes big-endian:

    "quorate/v1", tag, field 1, ..., field n, output length as 8 bytes big-endian

so two different lists never hash the same bytes. 32 bytes of output come from SHA-256, any other number
from SHAKE256 (FIPS 180-4, FIPS 202); the length is hashed too, or a short output would be the beginning of
a longer one. Assumes nothing of the fields. Does not hide them: a hash of a guessable secret needs a salt.
"""

from __future__ import annotations

import hashlib
from typing import Final

from quorate.groups.group import WIDE_MARGIN, Group, Point, Scalar
from quorate.primitives.tags import Tag

VERSION: Final = b"quorate/v1"
"""First field of every hash; a change of any protocol's bytes is a change of this."""


class Transcript:
    """Fields added one by one under labels. A label and its data are two consecutive fields."""

    __slots__ = ("_parts",)

    def __init__(self, tag: Tag) -> None:
        self._parts = [_PREFIXES[tag]]

    def append(self, label: str, data: bytes) -> Transcript:
        """Add bytes; returns itself, so that calls chain."""
        name = label.encode()
        self._parts += (len(name).to_bytes(8, "big"), name, len(data).to_bytes(8, "big"), data)
        return self

    def append_point(self, label: str, point: Point) -> Transcript:
        """Add a point's encoding. Raises `Malformed` for the identity."""
        return self.append(label, point.to_bytes())

    def append_scalar(self, label: str, scalar: Scalar) -> Transcript:
        """Add a scalar's encoding."""
        return self.append(label, scalar.to_bytes())

    def append_int(self, label: str, value: int, length: int) -> Transcript:
        """Add an integer >= 0 as `length` bytes big-endian. Raises OverflowError if it does not fit."""
        return self.append(label, value.to_bytes(length, "big"))

    def digest(self, length: int = 32) -> bytes:
        """The hash of all that was added; the transcript can go on."""
        return _finish(b"".join(self._parts), length)

    def challenge(self, group: Group) -> Scalar:
        """A scalar uniform to within 2^-128; the group's name is added as the last field."""
        return _wide(b"".join(self._parts), group)


def digest(tag: Tag, *fields: bytes, length: int = 32) -> bytes:
    """The hash of `fields` under `tag`."""
    return _finish(framed(tag, *fields), length)


def scalar(tag: Tag, group: Group, *fields: bytes) -> Scalar:
    """A scalar of `group` from `fields`; the group's name is added as the last field."""
    return _wide(framed(tag, *fields), group)


def point(tag: Tag, group: Group, *fields: bytes) -> Point:
    """A point of `group` whose discrete logarithm nobody knows, from public `fields`."""
    return group.hash_to_point(digest(tag, *fields))


def framed(tag: Tag, *fields: bytes) -> bytes:
    """The bytes before the final length field; also the ``info`` of key derivations."""
    parts = [_PREFIXES[tag]]
    for field in fields:
        parts += (len(field).to_bytes(8, "big"), field)
    return b"".join(parts)


def _wide(parts: bytes, group: Group) -> Scalar:
    name = group.name.encode()
    parts += len(name).to_bytes(8, "big") + name
    return group.scalar_from_wide(_finish(parts, group.scalar_length + WIDE_MARGIN))


def _finish(parts: bytes, length: int) -> bytes:
    if length < 1:
        raise ValueError("a hash has at least one byte")
    parts += _EIGHT + length.to_bytes(8, "big")
    if length == 32:
        return hashlib.sha256(parts).digest()
    return hashlib.shake_256(parts).digest(length)


_EIGHT: Final = (8).to_bytes(8, "big")
_PREFIXES: Final = {
    tag: b"".join(len(field).to_bytes(8, "big") + field for field in (VERSION, tag.value.encode()))
    for tag in Tag
}
