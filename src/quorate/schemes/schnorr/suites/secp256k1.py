"""FROST(secp256k1, SHA-256), RFC 9591 section 6.5. Not BIP 340: R and key are hashed with their parity."""

from __future__ import annotations

from typing import ClassVar, Final

from quorate.groups import Scalar
from quorate.schemes.schnorr.hashing import hash_to_scalar, sha256
from quorate.schemes.schnorr.scheme import Schnorr
from quorate.schemes.schnorr.suite import Rfc9591


class Compressed(Rfc9591):
    """What the two suites of SEC 1 curves have in common: RFC 9380's hash to the scalars, big-endian."""

    signature_length: ClassVar[int] = 65

    def h1(self, data: bytes) -> Scalar:
        return hash_to_scalar(self.group, data, self.context + b"rho")

    def h2(self, data: bytes) -> Scalar:
        return hash_to_scalar(self.group, data, self.context + b"chal")

    def h3(self, data: bytes) -> Scalar:
        return hash_to_scalar(self.group, data, self.context + b"nonce")

    def h4(self, data: bytes) -> bytes:
        return sha256(self.context, b"msg", data)

    def h5(self, data: bytes) -> bytes:
        return sha256(self.context, b"com", data)

    def encode_scalar(self, scalar: Scalar) -> bytes:
        return scalar.to_bytes()

    def decode_scalar(self, data: bytes) -> Scalar:
        return self.group.scalar_from_bytes(data)


class Secp256k1(Compressed):
    """The RFC's suite."""

    name = "frost-secp256k1"
    curve = "secp256k1"
    context = b"FROST-secp256k1-SHA256-v1"


SUITE: Final = Secp256k1()
SCHEME: Final = Schnorr(SUITE)
