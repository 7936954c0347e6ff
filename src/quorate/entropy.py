"""Where randomness enters. One of two modules allowed to import a source of it (lint enforces this).

Everything else takes an `Rng` as a parameter: protocols get `party.rng`, so the simulator replays a run
from its seed and a journaled session replays it after a crash.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import TypeAlias

Rng: TypeAlias = Callable[[int], bytes]
"""``rng(n)`` gives n random bytes."""


def system_rng(count: int) -> bytes:
    """The operating system's generator; the one real processes use."""
    return os.urandom(count)


class SeededRng:
    """A deterministic stream from a 32-byte seed: SHAKE-256(seed || counter), one block per call.

    Used where a run must be repeatable: the simulator (public seed) and journaled sessions (a secret seed
    that is sealed into the journal's first record).
    """

    __slots__ = ("_calls", "_seed")

    def __init__(self, seed: bytes) -> None:
        self._seed = bytes(seed)
        self._calls = 0

    def __call__(self, count: int) -> bytes:
        block = self._seed + self._calls.to_bytes(8, "big")
        self._calls += 1
        return hashlib.shake_256(b"quorate/seeded-rng/v1" + block).digest(count)
