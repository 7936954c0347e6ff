"""An ECDSA signature, and the last word on it: verification (SEC 1 section 4.1, FIPS 186-5).

Signatures are in the low-s form (s <= q/2), which chains demand and which makes a signature unique. On
secp256k1 libsecp256k1 verifies; on other groups the verification equation is written out.
"""

from __future__ import annotations

from dataclasses import dataclass

from quorate.errors import Malformed, ProofRejected
from quorate.groups import Group, Point, Scalar, Secp256k1Point
from quorate.groups.secp256k1 import verify_ecdsa

DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Signature:
    """(r, s) with s in the lower half. `recovery` is 0..3: parity of the nonce point's y, then r's overflow.

    Groups whose points have no y coordinate (the simulator's) always have recovery 0.
    """

    r: int
    s: int
    recovery: int

    def to_bytes(self) -> bytes:
        """r, s (32 bytes each, big-endian) and the recovery id: 65 bytes."""
        return self.r.to_bytes(32, "big") + self.s.to_bytes(32, "big") + bytes([self.recovery])

    @classmethod
    def from_bytes(cls, data: bytes) -> Signature:
        """Read `to_bytes`; raises `Malformed`. Nothing is verified."""
        if len(data) != 65 or data[64] > 3:
            raise Malformed("a signature is 65 bytes: r, s and a recovery id of 0 to 3")
        return cls(int.from_bytes(data[:32], "big"), int.from_bytes(data[32:64], "big"), data[64])


def normalised(nonce_point: Point, s: Scalar) -> Signature:
    """The signature of s and the nonce point R, brought to the low form.

    Negating s belongs to -R, which has R's x coordinate and the other parity.
    """
    group = nonce_point.group
    x = group.x_coordinate(nonce_point)
    recovery = _parity(nonce_point) | (2 if x >= group.order else 0)
    value = s.value
    if value > group.order // 2:
        value = group.order - value
        recovery ^= 1 if _has_parity(group) else 0
    return Signature(x % group.order, value, recovery)


def verify(public_key: Point, digest: bytes, signature: Signature) -> None:
    """Raise `ProofRejected` unless `signature` is a low-s signature by `public_key` on a 32-byte digest."""
    if isinstance(public_key, Secp256k1Point):
        verify_ecdsa(public_key, digest, signature.r, signature.s)
        return
    group = public_key.group
    order = group.order
    if len(digest) != DIGEST_BYTES or public_key.is_identity:
        raise ProofRejected("not a 32-byte digest, or not a public key")
    if not (0 < signature.r < order and 0 < signature.s <= order // 2):
        raise ProofRejected("not a low-s signature")
    inverse = Scalar(signature.s, group).inverse()
    point = group.generator.multiply_public(
        inverse * hash_scalar(group, digest)
    ) + public_key.multiply_public(inverse * Scalar(signature.r, group))
    if point.is_identity or group.x_coordinate(point) % order != signature.r:
        raise ProofRejected("the ECDSA signature does not verify under this key")


def hash_scalar(group: Group, digest: bytes) -> Scalar:
    """The digest as the scalar that is signed: its leftmost bits, as many as the order has (SEC 1, 4.1.3)."""
    surplus = max(0, 8 * len(digest) - group.order.bit_length())
    return group.scalar(int.from_bytes(digest, "big") >> surplus)


def _has_parity(group: Group) -> bool:
    # the compressed encoding of SEC 1 begins with 02 or 03; it is one byte longer than a coordinate
    return group.point_length == group.scalar_length + 1


def _parity(point: Point) -> int:
    return point.to_bytes()[0] & 1 if _has_parity(point.group) else 0
