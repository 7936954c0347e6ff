"""What an online factor deals in a refresh: a mask polynomial per target, and auxiliary values for T > 2.

Masks hide the nodes' shares behind the items and the factor's old share behind its part; only their sum is
free of them (`quorate.sharing.line`). They are of the committee's degree, so any d+1 items cancel the same
constant. Auxiliary values r_{j,e} are never dealt to the nodes: R_j = r_j G is published with a proof, and
r_j enters the parts alone. Dealing it would let the committee and one factor find a key of threshold three.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quorate.encoding import encode
from quorate.entropy import Rng
from quorate.errors import ProofRejected
from quorate.groups import Group, Scalar
from quorate.primitives.proofs import SchnorrProof
from quorate.primitives.tags import Tag
from quorate.secret import Secret
from quorate.session import PartyId
from quorate.sharing import line
from quorate.sharing.line import Line
from quorate.sharing.polynomial import Commitment, Polynomial
from quorate.sharing.refresh_messages import Masks, MaskShares


@dataclass(frozen=True, slots=True)
class Deal:
    """An online factor's secrets of one request. Fresh each time: a mask used twice shows a difference."""

    group: Group
    polynomials: Mapping[int, Polynomial]
    auxiliary: Secret[tuple[Scalar, ...]]

    @classmethod
    def random(cls, group: Group, targets: Sequence[int], degree: int, extra: int, rng: Rng) -> Deal:
        """A mask of `degree` for each target's point, and `extra` auxiliary values (T - 2)."""
        masks = {tau: Polynomial.random(group, degree, rng) for tau in targets}
        return cls(group, masks, Secret(tuple(group.random_scalar(rng) for _ in range(extra))))

    def at(self, point: int) -> MaskShares:
        """The mask shares of the node at `point`, by target."""
        return MaskShares(tuple(polynomial.at(point).reveal() for polynomial in self.polynomials.values()))

    def opened(self, bound: bytes, rng: Rng) -> Masks:
        """The public side: Feldman commitments, R_j with proofs bound to `auxiliary_context`."""
        secrets = self.auxiliary.reveal()
        points = tuple(self.group.generator.multiply(secret) for secret in secrets)
        proofs = tuple(
            SchnorrProof.prove(Tag.REFRESH_AUXILIARY, encode((bound, j)), secret, point, rng)
            for j, (secret, point) in enumerate(zip(secrets, points, strict=True))
        )
        masks = tuple(polynomial.commit().points for polynomial in self.polynomials.values())
        return Masks(masks, points, proofs)

    def part(self, public: Line, online: int, tau: int, share: Scalar) -> Scalar:
        """D_{e,tau} of the factor whose old share stands at `online`."""
        mask = self.polynomials[tau].at(0).reveal()
        return line.part(public.basis(tau), public.weights[online], share, self.auxiliary.reveal(), mask)


def check_masks(message: Masks, bound: bytes, targets: int, degree: int, extra: int) -> None:
    """Raises `ProofRejected` unless all lengths are exact and every auxiliary point is proven."""
    if len(message.masks) != targets or {len(points) for points in message.masks} != {degree + 1}:
        raise ProofRejected("masks of another number or degree than asked for")
    if len(message.auxiliary) != extra or len(message.proofs) != extra:
        raise ProofRejected("auxiliary points of another number than the threshold asks for")
    for j, (point, proof) in enumerate(zip(message.auxiliary, message.proofs, strict=True)):
        proof.verify(Tag.REFRESH_AUXILIARY, encode((bound, j)), point)


def check_mask_shares(masks: Masks, point: int, shares: MaskShares) -> None:
    """Raises `ProofRejected` unless a node's mask shares lie on the masks, one for each target."""
    if len(shares.values) != len(masks.masks):
        raise ProofRejected("a mask share for each target is needed")
    for points, value in zip(masks.masks, shares.values, strict=True):
        Commitment(points).check(point, value)


def auxiliary_context(session_id: bytes, core_hash: bytes, name: PartyId) -> bytes:
    """What the proofs of knowledge of r_{j,e} are bound to, beside j."""
    return encode((session_id, core_hash, name))
