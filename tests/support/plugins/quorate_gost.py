"""GOST R 34.10-2012 with 256 bits (RFC 7091) as a scheme that another package brings.

One file: a group, a suite and a scheme, named by two entry points (see docs/schemes.md). Nothing in the
package knows of it. The curve is that of the RFC's example, so that its numbers can be checked; a product
would take a curve of RFC 7836 and a backend in constant time.

An ElGamal signature that is linear in its secrets: s = r d + k e, with r the x coordinate of kG and e the
digest. Divided by e it is a Schnorr equation, z = k + c d with c = r / e, so FROST signs it: the suite signs
z, the scheme multiplies by e. What nobody has proved is that a challenge which binds the key neither hashed
nor otherwise keeps FROST's guarantees under many open sessions; this file shows how to plug a scheme in, and
is no offer to use it.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from quorate.errors import Malformed, ProofRejected
from quorate.groups import Point, Scalar
from quorate.groups.integers import fastest
from quorate.groups.weierstrass import Affine, Curve, CurveGroup, CurvePoint
from quorate.schemes.schnorr.scheme import Schnorr
from quorate.schemes.schnorr.suite import Rfc9591

# RFC 7091 section 7.1, "id-GostR3410-2001-TestParamSet"
FIELD: Final = 0x8000000000000000000000000000000000000000000000000000000000000431
ORDER: Final = 0x8000000000000000000000000000000150FE8A1892976154C59CFC193ACCF5B3
A: Final = 7
B: Final = 0x5FBFF498AA938CE739B8E022FBAFEF40563F6E6A3472FC2A514C0CE9DAE23B7E
BASE: Final = (2, 0x8E2A8A0E65147D4BD6316030E16D19C85C97F0A9CA267122B96ABBCEA7E8FC8)


class GostPoint(CurvePoint):
    """A point of the curve."""

    __slots__ = ()

    def multiply(self, scalar: Scalar) -> Point:
        return self.multiply_public(scalar)


class GostGroup(CurveGroup):
    """The curve of the RFC's example."""

    name = "gost-test"
    order = ORDER

    def __init__(self) -> None:
        convert, ladder = fastest()
        self.curve = Curve(convert, ladder, field=FIELD, a=A, b=B)
        self.identity = self.made(None)
        self.generator = self.made((convert(BASE[0]), convert(BASE[1])))

    def made(self, at: Affine | None) -> GostPoint:
        return GostPoint(self, at)


class Linear(Rfc9591):
    """FROST's hashes and nonces, and GOST's challenge; its signatures are R and z."""

    name = "gost-2012"
    curve = "gost-test"
    context = b"FROST-GOST-R-34.10-2012-256"
    signature_length = 65

    def challenge(self, nonce: Point, key: Point, message: bytes) -> Scalar:
        return first_part(nonce) * digest_scalar(self.group, message).inverse()

    def h1(self, data: bytes) -> Scalar:
        return self._scalar(b"rho", data)

    def h2(self, data: bytes) -> Scalar:
        return self._scalar(b"chal", data)

    def h3(self, data: bytes) -> Scalar:
        return self._scalar(b"nonce", data)

    def h4(self, data: bytes) -> bytes:
        return self._hash(b"msg", data)

    def h5(self, data: bytes) -> bytes:
        return self._hash(b"com", data)

    def encode_scalar(self, scalar: Scalar) -> bytes:
        return scalar.to_bytes()

    def decode_scalar(self, data: bytes) -> Scalar:
        return self.group.scalar_from_bytes(data)

    def _scalar(self, use: bytes, data: bytes) -> Scalar:
        return self.group.scalar_from_wide(self._hash(use, data))

    def _hash(self, use: bytes, data: bytes) -> bytes:
        return hashlib.sha512(self.context + use + data).digest()


class Gost(Schnorr):
    """Signs 32-byte digests (Streebog's, big-endian); a signature is r, then s."""

    def __init__(self) -> None:
        super().__init__(Linear())
        self.signature_length = 64

    async def sign(self, party: Any, signer: Any, message: bytes, **options: Any) -> bytes | None:
        linear = await super().sign(party, signer, message, **options)
        if linear is None:
            return None
        group = self.schnorr.group
        nonce, response = group.point_from_bytes(linear[:33]), group.scalar_from_bytes(linear[33:])
        signature = first_part(nonce).to_bytes() + (digest_scalar(group, message) * response).to_bytes()
        tweak = options.get("tweak")
        key = signer.quorum.public_key
        self.verify(key if tweak is None else tweak.child(key), message, signature)
        return signature

    def verify(self, public_key: Point, message: bytes, signature: bytes) -> None:
        """Section 6.2 of the RFC."""
        group = self.schnorr.group
        try:
            r, s = group.scalar_from_bytes(signature[:32]), group.scalar_from_bytes(signature[32:])
        except Malformed as error:
            raise ProofRejected(f"GOST signature: {error}") from None
        if r.is_zero or s.is_zero or public_key.group is not group or public_key.is_identity:
            raise ProofRejected("GOST signature: r, s and the key are none of them zero")
        inverse = digest_scalar(group, message).inverse()
        point = group.generator.multiply_public(s * inverse) + public_key.multiply_public(-(r * inverse))
        if point.is_identity or first_part(point) != r:
            raise ProofRejected("the GOST signature does not verify under this key")


def first_part(nonce: Point) -> Scalar:
    """r: the x coordinate modulo the order."""
    return nonce.group.scalar(nonce.group.x_coordinate(nonce))


def digest_scalar(group: Any, digest: bytes) -> Scalar:
    """e: the digest modulo the order, or 1 where that is 0 (step 2 of section 6.1)."""
    if len(digest) != 32:
        raise Malformed(f"a GOST digest has 32 bytes, not {len(digest)}")
    value: Scalar = group.scalar(int.from_bytes(digest, "big"))
    return group.scalar(1) if value.is_zero else value


GROUP: Final = GostGroup()
SCHEME: Final = Gost()
