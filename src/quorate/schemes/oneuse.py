"""A secret that is good for one use, and gone afterwards: the second line behind the vault.

Nonces and presignatures give the key away when they are used twice. Durable consumption is the vault's, in
the transaction that computes the answer; this is the same rule within a process.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, Generic, NoReturn, TypeVar, cast

from quorate.errors import AlreadyUsed

H = TypeVar("H")
T = TypeVar("T")


class OneUse(Generic[H]):
    """Takes ownership: whoever makes it hands the secret over. `use` is the only way in, from any thread."""

    __slots__ = ("_held", "_lock", "_result", "_used_for", "_what")

    def __init__(self, held: H, what: str) -> None:
        self._held: H | None = held
        self._what = what
        self._used_for: bytes | None = None
        self._result: object = None
        self._lock = Lock()

    def use(self, purpose: bytes, compute: Callable[[H], T]) -> T:
        """What `compute` makes of the secret, for the one use that `purpose` (a hash) names.

        The same purpose again gives the same result, without computing. Any other purpose, and any use after
        a `compute` that failed or after `burn`, raises `AlreadyUsed`.
        """
        with self._lock:
            if self._held is not None:
                held, self._held, self._used_for = self._held, None, purpose
                self._result = compute(held)
            if self._used_for != purpose or self._result is None:
                raise AlreadyUsed(f"{self._what} for another request; it is refused for ever")
            return cast(T, self._result)

    def burn(self) -> None:
        """Let go of the secret; every use that has not been made is refused."""
        with self._lock:
            self._held = None

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        # copy.copy takes this way, too: a copy would be a second use
        raise TypeError(f"{type(self).__name__} is good for one use, so there is no copy of it")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {'ready' if self._held is not None else 'used'}>"
