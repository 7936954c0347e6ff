"""How many nodes must say a thing before it is so: the quorums of a committee.

A committee of n nodes shares by degree d, expects at most t liars, and goes on with f further nodes away.
Three thresholds, kept apart everywhere: d + 1 shares sign and d reveal nothing; t is what agreement and
robustness stand; f only waits for nodes to come back.

The echo quorum E makes two different answers impossible (two sets of E share an honest node); the ready
quorum R is all that can be waited for, and enough to make a new epoch real. The asynchronous protocols need
n >= 3t + 2f + 1, so that E <= R, and t <= d <= n - 2t - f - 1, so that R ready nodes hold d + 1 honest ones
(Cachin, Kursawe, Lysyanskaya, Strobl, CCS 2002; Kate, Huang, Goldberg, ePrint 2012/377). A committee whose
users revoke devices needs more: `Quorums.require_revocation`.
"""

from __future__ import annotations

from dataclasses import dataclass

from quorate.errors import Malformed


@dataclass(frozen=True, slots=True)
class Quorums:
    """A choice of (n, d, t, f) within the protocols' bounds. Raises `Malformed` for any other."""

    nodes: int
    degree: int
    liars: int
    away: int

    def __post_init__(self) -> None:
        n, d, t, f = self.nodes, self.degree, self.liars, self.away
        if min(d, t, f) < 0 or n < 3 * t + 2 * f + 1 or not t <= d <= n - 2 * t - f - 1:
            raise Malformed(
                f"{n} nodes of degree {d} do not stand {t} liars and {f} away: "
                f"n >= 3t+2f+1 and t <= d <= n-2t-f-1 must hold"
            )

    @classmethod
    def standard(cls, nodes: int, degree: int) -> Quorums:
        """As many liars as n and d allow where devices are revoked, then as many away."""
        if not 0 <= degree < nodes:
            raise Malformed(f"{nodes} nodes cannot share by degree {degree}")
        room = min(degree, nodes - 1 - degree)
        return cls(nodes, degree, room // 2, room % 2).require_revocation()

    def require_revocation(self) -> Quorums:
        """Itself. Raises `Malformed` unless d >= 2t + f, without which no revocation is real.

        A flip that R nodes certified is obeyed by R - t honest ones. The t liars, and the t + f honest nodes
        that may not have heard of it, still serve the old epoch: together they must not reach d + 1.
        """
        d, t, f = self.degree, self.liars, self.away
        if d < 2 * t + f:
            raise Malformed(
                f"{self.nodes} nodes of degree {d} do not stand {t} liars and {f} away: "
                f"2t+f <= d must hold, or a revoked device could still sign"
            )
        return self

    @property
    def echo(self) -> int:
        """E = ceil((n + t + 1) / 2)."""
        return (self.nodes + self.liars + 2) // 2

    @property
    def ready(self) -> int:
        """R = n - t - f."""
        return self.nodes - self.liars - self.away

    @property
    def outlasts_crashes(self) -> bool:
        """Whether all that is begun is finished even if the f nodes never come back: d <= n - 2t - 2f - 1."""
        return self.degree <= self.nodes - 2 * self.liars - 2 * self.away - 1
