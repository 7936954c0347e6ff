"""Choices from a seed: which message goes next, who crashes. Not for secrets; those come from an `Rng`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from quorate.entropy import SeededRng
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest

T = TypeVar("T")

_BLOCK: Final = 1024


def seed_of(*parts: str | int) -> bytes:
    """32 bytes that depend on every part, for `Dice` and `SeededRng`."""
    return digest(Tag.SIMULATION_SEED, *(str(part).encode() for part in parts))


class Dice:
    """A stream of choices. Equal seeds give equal streams."""

    __slots__ = ("_block", "_position", "_rng")

    def __init__(self, *seed: str | int) -> None:
        self._rng = SeededRng(seed_of(*seed))
        self._block = b""
        self._position = 0

    def below(self, count: int) -> int:
        """0 <= result < count; the bias of 32 bits modulo a small number is of no matter here."""
        if self._position + 4 > len(self._block):
            self._block, self._position = self._rng(_BLOCK), 0
        word = self._block[self._position : self._position + 4]
        self._position += 4
        return int.from_bytes(word, "big") % count

    def happens(self, chance: float) -> bool:
        """True with this probability."""
        return chance > 0 and self.below(1 << 30) < chance * (1 << 30)

    def choose(self, options: Sequence[T]) -> T:
        """One of them."""
        return options[self.below(len(options))]
