"""Opening a completed sharing again: any d+1 right values of a secret give it, and wrong ones are seen.

For tests, drills and tools. In the protocols of this package nobody ever opens a shared key.
"""

from __future__ import annotations

from collections.abc import Mapping

from quorate.errors import ProofRejected
from quorate.groups import Scalar
from quorate.sharing.polynomial import Commitment, interpolate


def reconstruct(commitment: Commitment, shares: Mapping[int, Scalar]) -> tuple[Scalar, tuple[int, ...]]:
    """The secret, and the points of wrong shares. Raises `ProofRejected` for less than d+1 right ones.

    Every share is checked against the commitment, and d+1 of the right ones are interpolated.
    """
    right, wrong = {}, []
    for x, share in sorted(shares.items()):
        try:
            commitment.check(x, share)
            right[x] = share
        except ProofRejected:
            wrong.append(x)
    needed = commitment.degree + 1
    if len(right) < needed:
        raise ProofRejected(f"{needed} right shares are needed, {len(right)} were given")
    chosen = {x: right[x] for x in sorted(right)[:needed]}
    return interpolate(commitment.constant.group, chosen), tuple(wrong)
