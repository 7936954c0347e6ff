"""FROST, the mathematics: RFC 9591 sections 4 and 5, pure, for additive parts of a key.

Steps F1 to F6 of docs/protocols/frost.md. The RFC's signer computes z = d + e*rho + lambda*s*c with its
Lagrange coefficient lambda; ours holds the product lambda*s, its *part*, for whichever access structure gave
the coefficient (`quorate.schemes.quorum`). Everything else is the RFC, value for value.

Assumes that every party of the list computes the same `Package`, which the protocols around this see to by
hashing its contents into the share messages. Nonces serve one package, once: two responses with one pair of
nonces are two equations in three unknowns, three give the part away. Nothing here counts that; `OneUse` in a
process and the vault across processes do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from quorate.entropy import Rng
from quorate.errors import LocalError, ProofRejected
from quorate.groups import Group, Point, Scalar
from quorate.schemes.schnorr.suite import Commitment, Suite
from quorate.schemes.tweak import Accumulated, Tweak
from quorate.secret import Secret

NONCE_RANDOM_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Nonces:
    """One signer's d and e, with what it shows of them."""

    hiding: Secret[Scalar] = field(repr=False)
    binding: Secret[Scalar] = field(repr=False)

    @classmethod
    def draw(cls, suite: Suite, secret: Scalar, rng: Rng) -> Nonces:
        """Step F1 (RFC section 4.1): H3 of 32 fresh random bytes and the secret, twice."""
        hiding = suite.nonce(rng(NONCE_RANDOM_BYTES), secret)
        binding = suite.nonce(rng(NONCE_RANDOM_BYTES), secret)
        return cls(Secret(hiding), Secret(binding))

    def commit(self, identifier: int) -> Commitment:
        """Step F1: D = d*G and E = e*G."""
        group = self.hiding.reveal().group
        return Commitment(
            identifier,
            group.generator.multiply(self.hiding.reveal()),
            group.generator.multiply(self.binding.reveal()),
        )

    def bound(self, factor: Scalar) -> Scalar:
        """d + rho*e, the one nonce that a package makes of the two."""
        return self.hiding.reveal() + factor * self.binding.reveal()


@dataclass(frozen=True, slots=True)
class Package:
    """All that is public about one signature in the making: steps F2 to F4.

    `nonce` is R, the sum of D + rho*E over all rows, before any negation; the generator where they cancel
    each other.
    """

    suite: Suite
    key: Accumulated
    message: bytes
    commitments: tuple[Commitment, ...]
    factors: Mapping[int, Scalar]
    nonce: Point
    challenge: Scalar
    negated: bool

    @classmethod
    def of(
        cls,
        suite: Suite,
        root: Point,
        tweak: Tweak,
        message: bytes,
        commitments: Sequence[Commitment],
        *,
        own: tuple[int, Nonces] | None = None,
    ) -> Package:
        """Compute it. `own` are our identifier and nonces, which save time: (d + rho*e)*G is a cheap product.

        Raises `LocalError` for a list that is not in ascending order or a tweak that leaves no key.
        """
        identifiers = [row.identifier for row in commitments]
        if identifiers != sorted(set(identifiers)) or not identifiers or identifiers[0] < 1:
            raise LocalError("a commitment list has each identifier once, in ascending order from 1")
        key = suite.key(root, tweak)
        factors = dict(zip(identifiers, suite.binding_factors(key.point, message, commitments), strict=True))
        nonce = _group_commitment(suite.group, commitments, factors, own)
        if nonce.is_identity:
            # As BIP 445 does. Where all rows have one factor (BIP 340), whoever speaks last can show the
            # negative of what the others showed. Stopping here would let it spoil every signature unnamed; it
            # does not know the nonces it showed, so the share that it cannot make names it.
            nonce = suite.group.generator
        challenge = suite.challenge(nonce, key.point, message)
        negated = suite.negates(nonce)
        return cls(suite, key, message, tuple(commitments), factors, nonce, challenge, negated)

    @property
    def group(self) -> Group:
        return self.suite.group

    def share(self, identifier: int, nonces: Nonces, part: Scalar) -> Scalar:
        """Step F5 (section 5.2): z_i = +-(d + rho*e) + c * (+-part). Once for these nonces, ever."""
        nonce = nonces.bound(self.factors[identifier])
        signed = part if self.key.sign > 0 else -part
        return (-nonce if self.negated else nonce) + self.challenge * signed

    def check(self, identifier: int, public_part: Point, share: Scalar) -> None:
        """Section 5.4: raise `ProofRejected` unless `share` is the signer's for this package.

        Verifying a share is for naming who spoilt a signature; it makes no statement about the message.
        """
        row = next(row for row in self.commitments if row.identifier == identifier)
        nonce = _point(row, self.factors[identifier])
        weight = self.challenge if self.key.sign > 0 else -self.challenge
        wanted = (-nonce if self.negated else nonce) + public_part.multiply_public(weight)
        if self.group.generator.multiply_public(share) != wanted:
            raise ProofRejected("this signature share is not the signer's")

    def aggregate(self, shares: Mapping[int, Scalar]) -> bytes:
        """Step F6 (section 5.3): the encoded signature, not yet verified. The tweak is added here, once."""
        if set(shares) != set(self.factors):
            raise LocalError("shares of exactly the signers in the list are needed")
        total = self.challenge * self.key.total
        for share in shares.values():
            total = total + share
        return self.suite.encode(-self.nonce if self.negated else self.nonce, total)


def _group_commitment(
    group: Group,
    commitments: Sequence[Commitment],
    factors: Mapping[int, Scalar],
    own: tuple[int, Nonces] | None,
) -> Point:
    """Step F3. One factor for all (BIP 340) needs one product; else one for each row but our own."""
    common = set(factors.values())
    if len(common) == 1 and len(commitments) > 1:
        binding = group.sum(row.binding for row in commitments)
        return group.sum(row.hiding for row in commitments) + binding.multiply_public(common.pop())
    points = []
    for row in commitments:
        factor = factors[row.identifier]
        if own is not None and own[0] == row.identifier:
            points.append(group.generator.multiply(own[1].bound(factor)))
        else:
            points.append(_point(row, factor))
    return group.sum(points)


def _point(row: Commitment, factor: Scalar) -> Point:
    return row.hiding + row.binding.multiply_public(factor)
