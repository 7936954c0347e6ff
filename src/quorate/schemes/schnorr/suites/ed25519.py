"""FROST(Ed25519, SHA-512), RFC 9591 section 6.1: signatures as RFC 8032 verifies them.

What leaves is verified by libsodium, the strictest verifier in use: it refuses keys and R of small order and
encodings that are not canonical, and needs the equation without the cofactor, so that every other verifier
accepts too (Chalkias, Garillot, Nikolaenko, ePrint 2020/1244). An honest signature passes them all.

There is no seed behind a shared key: the scalar is neither clamped nor expanded from 32 bytes.
"""

from __future__ import annotations

from typing import Final

import nacl.exceptions
from nacl.bindings import crypto_sign_open

from quorate.errors import Malformed, ProofRejected
from quorate.groups import Point, Scalar
from quorate.schemes.schnorr.hashing import little_endian_scalar, sha512
from quorate.schemes.schnorr.scheme import Schnorr
from quorate.schemes.schnorr.suite import Rfc9591


class LittleEndian(Rfc9591):
    """What the two suites of edwards25519 have in common: SHA-512 reduced, scalars little-endian."""

    def h1(self, data: bytes) -> Scalar:
        return little_endian_scalar(self.group, sha512(self.context, b"rho", data))

    def h2(self, data: bytes) -> Scalar:
        return little_endian_scalar(self.group, sha512(self.context, b"chal", data))

    def h3(self, data: bytes) -> Scalar:
        return little_endian_scalar(self.group, sha512(self.context, b"nonce", data))

    def h4(self, data: bytes) -> bytes:
        return sha512(self.context, b"msg", data)

    def h5(self, data: bytes) -> bytes:
        return sha512(self.context, b"com", data)

    def encode_scalar(self, scalar: Scalar) -> bytes:
        return scalar.value.to_bytes(32, "little")

    def decode_scalar(self, data: bytes) -> Scalar:
        if len(data) != 32:
            raise Malformed(f"a scalar has 32 bytes, not {len(data)}")
        return self.group.scalar_from_bytes(data[::-1])


class Ed25519(LittleEndian):
    """The suite of Solana, NEAR, and Polkadot's ed25519 accounts."""

    name = "ed25519"
    curve = "ed25519"
    context = b"FROST-ED25519-SHA512-v1"

    def h2(self, data: bytes) -> Scalar:
        # no context: the challenge is RFC 8032's
        return little_endian_scalar(self.group, sha512(data))

    def verify(self, public_key: Point, message: bytes, signature: bytes) -> None:
        # Elements of ristretto255 have 32 bytes too, and many of them read as a key of Ed25519.
        if public_key.group is not self.group or public_key.is_identity:
            raise ProofRejected("not a public key of ed25519")
        if len(signature) != self.signature_length:
            raise ProofRejected("an ed25519 signature has 64 bytes")
        try:
            crypto_sign_open(signature + message, public_key.to_bytes())
        except nacl.exceptions.BadSignatureError:
            raise ProofRejected("the ed25519 signature does not verify under this key") from None


SUITE: Final = Ed25519()
SCHEME: Final = Schnorr(SUITE)
