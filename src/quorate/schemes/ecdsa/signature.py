"""An ECDSA signature, and the last word on it: verification (SEC 1 section 4.1, FIPS 186-5).

Signatures are in the low-s form (s <= q/2), which makes a signature unique. Ethereum and Bitcoin demand it;
on P-256 and STARK some contracts do and nobody minds. Verifiers are libsecp256k1 on secp256k1, OpenSSL on
P-256, and Starknet's rules on STARK; on other groups the verification equation is written out.
"""

from __future__ import annotations

from dataclasses import dataclass

from quorate.errors import Malformed, ProofRejected
from quorate.groups import Point, Scalar, Secp256k1Point
from quorate.groups.secp256k1 import verify_ecdsa
from quorate.schemes.ecdsa.conventions import DIGEST_BYTES, convention, hash_scalar


@dataclass(frozen=True, slots=True)
class Signature:
    """(r, s) with s in the lower half. `recovery` is 0..3: parity of the nonce point's y, then r's overflow.

    It is 0 on curves whose chains do not recover keys, all but secp256k1.
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
    x, value = group.x_coordinate(nonce_point), s.value
    high = value > group.order // 2
    recovery = 0
    if convention(group).recovers:
        recovery = (nonce_point.to_bytes()[0] & 1) ^ high | (2 if x >= group.order else 0)
    return Signature(x % group.order, group.order - value if high else value, recovery)


def verify(public_key: Point, digest: bytes, signature: Signature) -> None:
    """Raise `ProofRejected` unless `signature` is a low-s signature by `public_key` on a 32-byte digest.

    The recovery id is not looked at: only recovery itself tells whether it is right.
    """
    r, s = signature.r, signature.s
    if isinstance(public_key, Secp256k1Point):
        verify_ecdsa(public_key, digest, r, s)
        return
    group = public_key.group
    if len(digest) != DIGEST_BYTES or public_key.is_identity:
        raise ProofRejected("not a 32-byte digest, or not a public key")
    if not (0 < r < group.order and 0 < s <= group.order // 2):
        raise ProofRejected("not a low-s signature")
    match group.name:
        case "p256":
            from quorate.groups import p256

            p256.verify_ecdsa(public_key, digest, r, s)
        case "stark":
            from quorate.groups import stark

            stark.verify_ecdsa(public_key, int.from_bytes(digest, "big"), r, s)
        case _:
            _verify_written_out(public_key, digest, r, s)


def _verify_written_out(public_key: Point, digest: bytes, r: int, s: int) -> None:
    group = public_key.group
    inverse = Scalar(s, group).inverse()
    point = group.generator.multiply_public(
        inverse * hash_scalar(group, digest)
    ) + public_key.multiply_public(inverse * Scalar(r, group))
    if point.is_identity or group.x_coordinate(point) % group.order != r:
        raise ProofRejected("the ECDSA signature does not verify under this key")
