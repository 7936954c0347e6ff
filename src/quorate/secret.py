"""A value that does not print, does not pickle, and compares in constant time.

CPython can neither wipe an `int` nor a `bytes`; `Secret` does not pretend to. What it prevents is the
common accident: a key in a log line, a traceback, a debugger's repr, a pickle, a JSON dump.
"""

from __future__ import annotations

import hmac
from typing import Any, Generic, NoReturn, TypeVar

T = TypeVar("T")


class Secret(Generic[T]):
    """Holds one value; `reveal()` is the only way to it, so that a search for that word finds every use."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """The value itself. Keep the result in the smallest scope that works."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_octets(self._value), _octets(other._value))

    def __hash__(self) -> NoReturn:
        raise TypeError("a Secret is no dictionary key")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a Secret is not pickled; seal it with the vault instead")


def _octets(value: object) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str):
        return value.encode()
    to_bytes = getattr(value, "to_bytes", None)
    if isinstance(value, int):
        return value.to_bytes((value.bit_length() + 8) // 8, "big", signed=True)
    if callable(to_bytes):
        return bytes(to_bytes())
    raise TypeError("this kind of secret has no constant-time comparison")
