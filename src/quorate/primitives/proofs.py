"""Two proofs about discrete logarithms, made non-interactive by hashing (Fiat and Shamir).

- `SchnorrProof`: knowledge of x with X = x*G (Schnorr 1991; RFC 8235 with our own transcript).
- `DleqProof`: one x with X = x*G and Y = x*B (Chaum and Pedersen 1992).

Both hash the whole statement, the commitments and a mandatory context ("strong" Fiat-Shamir: leaving the
statement out has broken real systems), under a tag the caller chooses for the use. The context names the
session and the prover, so that no proof can be moved. Sound in the random oracle model; extraction rewinds.
Statements about the identity are refused on both sides. Step numbers: docs/protocols/proofs.md.
"""

from __future__ import annotations

from quorate.encoding import Canonical
from quorate.entropy import Rng
from quorate.errors import LocalError, ProofRejected
from quorate.groups.group import Group, Point, Scalar
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import Transcript, scalar


class SchnorrProof(Canonical, frozen=True):
    """Shows that its maker knows the logarithm of a point. A field of messages; 70 bytes on secp256k1."""

    commitment: Point
    response: Scalar

    @classmethod
    def prove(cls, tag: Tag, context: bytes, secret: Scalar, point: Point, rng: Rng) -> SchnorrProof:
        """Steps 1 to 3: prove knowledge of `secret`, where `point` is its multiple of the generator."""
        group = point.group
        _refuse_identity(point)
        nonce = _nonce(tag, context, secret, (point,), rng)
        commitment = group.generator.multiply(nonce)
        return cls(commitment, nonce + _schnorr_challenge(tag, context, point, commitment) * secret)

    def verify(self, tag: Tag, context: bytes, point: Point) -> None:
        """Step 4: check that the prover knew the logarithm of `point`. Raises `ProofRejected`."""
        group = point.group
        _check_statement(group, (point, self.commitment), self.response)
        challenge = _schnorr_challenge(tag, context, point, self.commitment)
        expected = self.commitment + point.multiply_public(challenge)
        if group.generator.multiply_public(self.response) != expected:
            raise ProofRejected("the proof of knowledge does not verify")


class DleqProof(Canonical, frozen=True):
    """Shows that two points are the same multiple of the generator and of another base."""

    commitment: Point
    other_commitment: Point
    response: Scalar

    @classmethod
    def prove(
        cls, tag: Tag, context: bytes, secret: Scalar, point: Point, base: Point, other: Point, rng: Rng
    ) -> DleqProof:
        """Steps 5 to 7: prove `point` = secret * G and `other` = secret * `base`."""
        group = point.group
        _refuse_identity(point, base, other)
        nonce = _nonce(tag, context, secret, (point, base, other), rng)
        commitments = group.generator.multiply(nonce), base.multiply(nonce)
        challenge = _dleq_challenge(tag, context, (point, base, other, *commitments))
        return cls(*commitments, nonce + challenge * secret)

    def verify(self, tag: Tag, context: bytes, point: Point, base: Point, other: Point) -> None:
        """Step 8: check that log_G(point) = log_base(other). Raises `ProofRejected`."""
        group = point.group
        statement = (point, base, other, self.commitment, self.other_commitment)
        _check_statement(group, statement, self.response)
        challenge = _dleq_challenge(tag, context, statement)
        first = self.commitment + point.multiply_public(challenge)
        second = self.other_commitment + other.multiply_public(challenge)
        if (
            group.generator.multiply_public(self.response) != first
            or base.multiply_public(self.response) != second
        ):
            raise ProofRejected("the proof of equal logarithms does not verify")


def _schnorr_challenge(tag: Tag, context: bytes, point: Point, commitment: Point) -> Scalar:
    transcript = Transcript(tag).append("context", context)
    transcript.append_point("point", point).append_point("commitment", commitment)
    return transcript.challenge(point.group)


def _dleq_challenge(tag: Tag, context: bytes, statement: tuple[Point, ...]) -> Scalar:
    transcript = Transcript(tag).append("context", context)
    names = ("point", "base", "other", "commitment", "other commitment")
    for name, value in zip(names, statement, strict=True):
        transcript.append_point(name, value)
    return transcript.challenge(statement[0].group)


def _nonce(tag: Tag, context: bytes, secret: Scalar, statement: tuple[Point, ...], rng: Rng) -> Scalar:
    """Steps 1 and 5, hedged: randomness hashed with the secret and the statement. A generator that repeats
    itself then repeats a nonce only for the very same proof; one that is guessed gives no nonce away.
    """
    fields = (point.to_bytes() for point in statement)
    nonce = scalar(
        Tag.PROOF_NONCE, secret.group, rng(32), secret.to_bytes(), tag.value.encode(), context, *fields
    )
    if nonce.is_zero:
        raise LocalError("a proof's nonce came out as zero; try again")
    return nonce


def _refuse_identity(*points: Point) -> None:
    if any(point.is_identity for point in points):
        raise LocalError("there is nothing to prove about the identity")


def _check_statement(group: Group, points: tuple[Point, ...], response: Scalar) -> None:
    if response.group is not group or any(point.group is not group for point in points):
        raise ProofRejected("the proof is about another group")
    if any(point.is_identity for point in points):
        raise ProofRejected("a proof cannot be about the identity")
