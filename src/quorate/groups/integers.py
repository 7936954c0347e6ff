"""Large integers for field arithmetic: gmpy2's where it is installed (``quorate[curves]``), else Python's.

gmpy2 is two to ten times as fast and changes no result. Neither is constant time.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TypeAlias, cast

Convert: TypeAlias = Callable[[int], int]
"""Makes of an integer one whose arithmetic is fast. What comes out counts as `int` to its users."""

LucasV: TypeAlias = Callable[[int, int, int, int], int]
"""The k-th term of the Lucas sequence V(P, Q) modulo n, for (P, Q, k, n)."""


def lucas_v(p: int, q: int, k: int, n: int) -> int:
    """V_k(p, 1) modulo n by doubling; `q`, which must be 1, stands for gmpy2's parameter list."""
    if q != 1 or k < 0:
        raise ValueError("this ladder is for Q = 1 and terms from 0 on")
    low, high = 2 % n, p % n
    for bit in bin(k)[2:]:
        middle = (low * high - p) % n
        if bit == "1":
            low, high = middle, (high * high - 2) % n
        else:
            low, high = (low * low - 2) % n, middle
    return low


def fastest() -> tuple[Convert, LucasV]:
    """The conversion and the ladder of the best library there is."""
    try:
        gmpy2 = import_module("gmpy2")
    except ImportError:
        return int, lucas_v
    return cast(Convert, gmpy2.mpz), cast(LucasV, gmpy2.lucasv_mod)
