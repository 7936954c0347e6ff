"""What distinguishes one Schnorr signature from another: the contract of a suite (RFC 9591 section 6).

FROST is one protocol; a *suite* gives it a group, five hashes, encodings and the final verifier. Beyond the
RFC there are two hooks, for BIP 340, which knows points by their x coordinate only: `key` (what the root key
becomes, with the sign its shares then carry) and `negates` (whether the nonces are taken negative).

A suite is one file that subclasses `Suite` and puts a `Schnorr(suite)` named ``SCHEME`` beside it, and one
row in `quorate.schemes.registry`. `Rfc9591` below leaves only hashes and encodings to say.

Assumes that points are in the prime-order group: our groups parse no others. A suite decides nothing about
who signs or when; that is `frost`, `presign` and `online`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from quorate.errors import LocalError, Malformed, ProofRejected
from quorate.groups import Group, Point, Scalar, group_named
from quorate.schemes.tweak import Accumulated, Tweak


@dataclass(frozen=True, slots=True)
class Commitment:
    """One signer's row of the commitment list: D (hiding) and E (binding) of RFC 9591 section 4.

    `identifier` is the signer's place in the sorted list of signers, from 1 on.
    """

    identifier: int
    hiding: Point
    binding: Point


class Suite(ABC):
    """One kind of Schnorr signature. Stateless; one instance serves all sessions."""

    name: str
    """The scheme's name: `quorate.chains.Digest.scheme`."""
    curve: str
    signature_length: ClassVar[int] = 64

    @cached_property
    def group(self) -> Group:
        """The curve's group. Raises `Unavailable` where its library is an extra that is not installed."""
        return group_named(self.curve)

    @property
    def session_suite(self) -> str:
        """The `suite` of a session that signs with this: the group's name, then ours."""
        return f"{self.curve}/{self.name}"

    # --- what FROST hashes -------------------------------------------------------------------------------

    @abstractmethod
    def nonce(self, random: bytes, secret: Scalar) -> Scalar:
        """H3(random32 || secret): one nonce, hedged, so that neither a bad generator nor a known share alone
        gives it away. Never deterministic: equal randomness with other co-signers would reveal the share."""

    @abstractmethod
    def binding_factors(self, key: Point, message: bytes, commitments: Sequence[Commitment]) -> list[Scalar]:
        """rho_i for each row of the list, in its order: bound to (child) key, message and whole list."""

    @abstractmethod
    def challenge(self, nonce: Point, key: Point, message: bytes) -> Scalar:
        """c: what the signature's verifier hashes (H2). `nonce` is R before `negates`."""

    # --- parity ------------------------------------------------------------------------------------------

    def key(self, root: Point, tweak: Tweak) -> Accumulated:
        """The key that signs, ``sign * root + total * G``. Raises `LocalError` where there is none."""
        if tweak.x_only:
            raise LocalError(f"an x-only tweak belongs to BIP 340, not to {self.name}")
        return tweak.accumulated(root)

    def negates(self, nonce: Point) -> bool:
        """Whether R is used as -R, and so every nonce negative (BIP 340: R has odd y)."""
        return False

    # --- the result --------------------------------------------------------------------------------------

    @abstractmethod
    def encode(self, nonce: Point, response: Scalar) -> bytes:
        """The signature of R (already negated where it must be) and z, as its verifiers read it."""

    @abstractmethod
    def verify(self, public_key: Point, message: bytes, signature: bytes) -> None:
        """Raise `ProofRejected` unless `signature` is valid under the (child) key by the strictest rules."""

    def __repr__(self) -> str:
        return f"<schnorr suite {self.name}>"


class Rfc9591(Suite):
    """Sections 4.4 to 4.6 of the RFC, for suites that follow it to the letter; five hashes are left open."""

    context: bytes
    """contextString of section 6."""

    @abstractmethod
    def h1(self, data: bytes) -> Scalar:
        """Binding factors."""

    @abstractmethod
    def h2(self, data: bytes) -> Scalar:
        """The challenge."""

    @abstractmethod
    def h3(self, data: bytes) -> Scalar:
        """Nonces."""

    @abstractmethod
    def h4(self, data: bytes) -> bytes:
        """The message inside the binding factor."""

    @abstractmethod
    def h5(self, data: bytes) -> bytes:
        """The commitment list inside the binding factor."""

    @abstractmethod
    def encode_scalar(self, scalar: Scalar) -> bytes:
        """SerializeScalar."""

    @abstractmethod
    def decode_scalar(self, data: bytes) -> Scalar:
        """DeserializeScalar. Raises `Malformed` for anything but the one encoding."""

    def nonce(self, random: bytes, secret: Scalar) -> Scalar:
        return self.h3(random + self.encode_scalar(secret))

    def binding_factor_inputs(
        self, key: Point, message: bytes, commitments: Sequence[Commitment]
    ) -> list[bytes]:
        """What H1 is computed of, for each row (section 4.4)."""
        rows = [
            self.encode_scalar(self.group.scalar(row.identifier))
            + row.hiding.to_bytes()
            + row.binding.to_bytes()
            for row in commitments
        ]
        prefix = key.to_bytes() + self.h4(message) + self.h5(b"".join(rows))
        return [prefix + self.encode_scalar(self.group.scalar(row.identifier)) for row in commitments]

    def binding_factors(self, key: Point, message: bytes, commitments: Sequence[Commitment]) -> list[Scalar]:
        return [self.h1(data) for data in self.binding_factor_inputs(key, message, commitments)]

    def challenge(self, nonce: Point, key: Point, message: bytes) -> Scalar:
        return self.h2(nonce.to_bytes() + key.to_bytes() + message)

    def encode(self, nonce: Point, response: Scalar) -> bytes:
        return nonce.to_bytes() + self.encode_scalar(response)

    def verify(self, public_key: Point, message: bytes, signature: bytes) -> None:
        """Section 4.6 and appendix B, written out: z*G = R + c*X with R and z in their only encoding."""
        length = self.group.point_length
        if public_key.group is not self.group or public_key.is_identity:
            raise ProofRejected(f"not a public key of {self.curve}")
        if len(signature) != self.signature_length:
            raise ProofRejected(f"a {self.name} signature has {self.signature_length} bytes")
        try:
            nonce = self.group.point_from_bytes(signature[:length])
            response = self.decode_scalar(signature[length:])
        except Malformed as error:
            raise ProofRejected(f"{self.name} signature: {error}") from None
        challenge = self.challenge(nonce, public_key, message)
        wanted = nonce + public_key.multiply_public(challenge)
        if self.group.generator.multiply_public(response) != wanted:
            raise ProofRejected(f"the {self.name} signature does not verify under this key")
