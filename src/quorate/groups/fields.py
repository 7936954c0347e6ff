"""Points and scalars as fields of messages: the hook that `quorate.encoding.decode` needs.

On the wire both are byte strings of the group's fixed length. A field of type `Point` or `Scalar` belongs
to the session's group; one of type `Secp256k1Point` is always of secp256k1 (sealing keys, base OT).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from quorate.encoding.canonical import Parse
from quorate.errors import Malformed
from quorate.groups.group import Group, Point, Scalar
from quorate.groups.secp256k1 import SECP256K1, Secp256k1Point


@lru_cache(maxsize=64)
def parser_for(group: Group) -> Parse:
    """The hook of `group`: one object per group, because decoders are cached by it."""
    readers = {
        Point: group.point_from_bytes,
        Scalar: group.scalar_from_bytes,
        Secp256k1Point: SECP256K1.point_from_bytes,
    }

    def parse(kind: type, value: Any) -> Any:
        reader = readers.get(kind)
        if reader is None:
            raise Malformed(f"a field of type {kind.__name__} cannot be read from a message")
        if type(value) is not bytes:
            raise Malformed(f"a {kind.__name__.lower()} is a byte string")
        return reader(value)

    return parse
