"""How many nodes must say a thing before it is so: the two quorums of a committee.

A committee of n nodes shares by degree d, expects at most t liars, and goes on with f further nodes away.
The echo quorum E makes two different answers impossible (two sets of E share an honest node); the ready
quorum R is all that can be waited for, and enough to make a new epoch real. A revocation is real only if
what old nodes remain cannot reach d+1: hence d >= 2t + f.
"""

from __future__ import annotations

from dataclasses import dataclass

from quorate.errors import Malformed


@dataclass(frozen=True, slots=True)
class Quorums:
    """A sound choice of (n, d, t, f). Raises `Malformed` for an unsound one."""

    nodes: int
    degree: int
    liars: int
    away: int

    def __post_init__(self) -> None:
        n, d, t, f = self.nodes, self.degree, self.liars, self.away
        if min(d, t, f) < 0 or not 2 * t + f <= d <= n - 2 * t - f - 1:
            raise Malformed(
                f"{n} nodes of degree {d} do not stand {t} liars and {f} away: "
                f"2t+f <= d <= n-2t-f-1 must hold, or a revoked device could still sign"
            )

    @classmethod
    def standard(cls, nodes: int, degree: int) -> Quorums:
        """As many liars as n and d allow, then as many away."""
        if not 0 <= degree < nodes:
            raise Malformed(f"{nodes} nodes cannot share by degree {degree}")
        room = min(degree, nodes - 1 - degree)
        return cls(nodes, degree, room // 2, room % 2)

    @property
    def echo(self) -> int:
        """E = ceil((n + t + 1) / 2)."""
        return (self.nodes + self.liars + 2) // 2

    @property
    def ready(self) -> int:
        """R = n - t - f."""
        return self.nodes - self.liars - self.away
