"""The hashes Starknet fixes: Pedersen and Poseidon over felts, and Keccak for the names of functions.

Pedersen and Poseidon come from libraries over StarkWare's own code (extra ``starknet``), imported when a hash
is first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

from quorate.errors import Unavailable

_KECCAK_BITS: Final = 250


def poseidon(values: Sequence[int]) -> int:
    """Poseidon over a sequence of felts (``poseidon_hash_many``)."""
    return int(_libraries()[0](list(values)))


def pedersen_chain(values: Sequence[int]) -> int:
    """Pedersen over a sequence: a chain from 0 that ends with its length (``compute_hash_on_elements``)."""
    pedersen = _libraries()[1]
    total = 0
    for value in values:
        total = pedersen(total, value)
    return int(pedersen(total, len(values)))


def selector(name: str) -> int:
    """What a call names a function by: the low 250 bits of Keccak-256 of its name."""
    from eth_hash.auto import keccak

    return int.from_bytes(keccak(name.encode()), "big") & ((1 << _KECCAK_BITS) - 1)


def load() -> None:
    """Import the libraries. Raises `Unavailable` where they are missing."""
    _libraries()


@cache
def _libraries() -> tuple[Callable[..., Any], Callable[..., Any]]:
    try:
        from crypto_cpp_py.cpp_bindings import cpp_hash  # type: ignore[import-untyped]
        from poseidon_py.poseidon_hash import poseidon_hash_many  # type: ignore[import-untyped]
    except ImportError:
        raise Unavailable("Starknet's hashes are not installed; install quorate[starknet]") from None
    return poseidon_hash_many, cpp_hash
