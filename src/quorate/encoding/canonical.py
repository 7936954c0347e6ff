"""MessagePack with exactly one accepted encoding per value, for plain structs and for group elements."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import Any, Final, TypeVar, cast, dataclass_transform

import msgspec

from quorate.encoding.limits import MAX_MESSAGE_BYTES
from quorate.errors import LimitExceeded, Malformed


# Told to type checkers once, so that no subclass must repeat that it is frozen.
@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Canonical(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of every struct that crosses an edge: frozen, an array on the wire, no unknown fields."""


class Confidential(Canonical, frozen=True):
    """Base of structs with a secret inside: only their names print. For sealed rows, files and pipes."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """What `rich` would print of the fields: nothing."""
        return []


S = TypeVar("S")

Parse = Callable[[type, Any], Any]
"""Turns the plain value read for a field of a foreign type into that type, or raises `Malformed`."""


def encode(value: Any) -> bytes:
    """The canonical encoding. Foreign types encode through their own ``to_bytes()``."""
    return _ENCODER.encode(value)


def decode(kind: type[S], data: bytes, parse: Parse | None = None, *, limit: int = MAX_MESSAGE_BYTES) -> S:
    """Read one value of type `kind`.

    `parse` handles fields whose type is not a plain one (points, scalars). Raises `LimitExceeded` above
    `limit` bytes and `Malformed` for anything that is not the canonical encoding of a `kind`: wrong
    types, missing, extra or trailing data, an integer spelled wide.
    """
    if len(data) > limit:
        raise LimitExceeded(f"{_name(kind)}: {len(data)} bytes, at most {limit} are read")
    try:
        value: S = _decoder(cast(Any, kind), parse).decode(data)
    except Malformed:
        raise
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        # msgspec wraps errors of the hook: show the hook's own words where there are some
        raise Malformed(f"{_name(kind)}: {error.__cause__ or error}") from None
    if encode(value) != bytes(data):
        raise Malformed(f"{_name(kind)}: not the canonical encoding")
    return value


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", "value")  # a union of types has none


def _foreign(value: Any) -> Any:
    to_bytes = getattr(value, "to_bytes", None)
    if to_bytes is None:
        raise TypeError(f"{type(value).__name__} has no canonical encoding")
    return to_bytes()


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_foreign, order="deterministic")


_BUILDING: Final = Lock()
"""msgspec reads the annotations of a struct when it first meets it, in Python, and so another thread may run.
That one must not meet the same struct meanwhile: it would work with what is half there and take the process
down (seen with msgspec 0.22)."""


def _decoder(kind: Any, parse: Parse | None) -> msgspec.msgpack.Decoder[Any]:
    with _BUILDING:
        return _built(kind, parse)


@lru_cache(maxsize=1024)
def _built(kind: Any, parse: Parse | None) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(kind, dec_hook=parse)
