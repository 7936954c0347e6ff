"""Which nodes a signature is asked of: the ones that answered last, never the ones that just failed.

Remembers failures for half a minute, so that a dead node costs one signature a moment and not every one;
prefers the last set that worked, since its setups and presignatures are there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from quorate.clock import Clock, monotonic

REMEMBER_SECONDS: Final = 30.0
"""A restarted node is used again after this long; asking a dead one costs a few seconds at worst."""


class Reachability:
    """What this process has seen of the nodes."""

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._failed: dict[str, float] = {}
        self._good: frozenset[str] = frozenset()

    def failed(self, name: str) -> None:
        """The node has not answered just now."""
        self._failed[name] = self._clock()

    def worked(self, names: Iterable[str]) -> None:
        """These nodes have just served together."""
        self._good = frozenset(names)
        for name in self._good:
            self._failed.pop(name, None)

    def ranked(self, nodes: Sequence[str], penalties: Counter[str] | None = None) -> list[str]:
        """All `nodes`, the one to ask first coming first."""
        counted = penalties or Counter()
        order = {name: position for position, name in enumerate(nodes)}

        def rank(name: str) -> tuple[bool, int, bool, int]:
            return self._lately(name), counted[name], name not in self._good, order[name]

        return sorted(nodes, key=rank)

    def _lately(self, name: str) -> bool:
        return name in self._failed and self._clock() - self._failed[name] < REMEMBER_SECONDS
