"""P-256, also called secp256r1 and prime256v1 (SEC 2 section 2.4.2, FIPS 186-5), on OpenSSL and gmpy2.

Secret scalars go to OpenSSL, whose P-256 is constant time, through the two operations that `cryptography`
offers: k*G is the public key of the private key k, and the x coordinate of k*P is a key agreement with P.
Two agreements, with k and k + 1, give the whole point: y follows from x(kP) and x((k+1)P) without a square
root (Okeya and Sakurai, CHES 2001, section 3). What is constant time is the multiplication; that formula and
loading the scalar are Python's, so it suits products that are published, hashed or compared with published
ones, which is all that protocols here do with them.

Everything public runs in `quorate.groups.weierstrass`, on gmpy2 where it is installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from quorate.courtesy import breathe
from quorate.errors import ProofRejected
from quorate.groups.group import Point, Scalar, mixed
from quorate.groups.integers import Convert, LucasV, fastest
from quorate.groups.weierstrass import Affine, Curve, CurveGroup, CurvePoint

ORDER: Final = 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551
FIELD: Final = 0xFFFFFFFF_00000001_00000000_00000000_00000000_FFFFFFFF_FFFFFFFF_FFFFFFFF
B: Final = 0x5AC635D8_AA3A93E7_B3EBBD55_769886BC_651D06B0_CC53B0F6_3BCE3C3E_27D2604B

_OWN_BITS: Final = 80
"""Public weights up to so many bits are multiplied faster here than in two of OpenSSL's key agreements."""
_OWN_POINTS: Final = 5
"""From so many points on a sum shares enough doublings to be faster here, however long the weights are."""

_OPENSSL: Final = ec.SECP256R1()
_AGREEMENT: Final = ec.ECDH()
_DIGEST: Final = ec.ECDSA(Prehashed(hashes.SHA256()))


class P256Point(CurvePoint):
    """A point of P-256."""

    __slots__ = ()

    group: P256Group

    def multiply(self, scalar: Scalar) -> Point:
        group, at, k = self.group, self.at, scalar.value
        if scalar.group is not group:
            raise mixed(group, scalar.group)
        if at is None or k == 0:
            return group.identity
        if k == ORDER - 1:  # k + 1 is no private key
            return -self
        public = native(at)
        here = ec.derive_private_key(k, _OPENSSL).exchange(_AGREEMENT, public)
        next_ = ec.derive_private_key(k + 1, _OPENSSL).exchange(_AGREEMENT, public)
        return group.made(group.recovered(at, here, next_))

    def multiply_public(self, scalar: Scalar) -> Point:
        if scalar.value.bit_length() > _OWN_BITS:
            return self.multiply(scalar)
        return CurvePoint.multiply_public(self, scalar)


class _Generator(P256Point):
    """G, for whose multiples OpenSSL keeps tables: a fifth of another point's time."""

    __slots__ = ()

    def multiply(self, scalar: Scalar) -> Point:
        group = self.group
        if scalar.group is not group:
            raise mixed(group, scalar.group)
        if scalar.value == 0:
            return group.identity
        numbers = ec.derive_private_key(scalar.value, _OPENSSL).public_key().public_numbers()
        convert = group.curve.convert
        return group.made((convert(numbers.x), convert(numbers.y)))

    multiply_public = multiply


class P256Group(CurveGroup):
    """The curve with one kind of integers. The package uses `P256`."""

    name = "p256"
    order = ORDER

    def __init__(self, convert: Convert, lucas_v: LucasV) -> None:
        self.curve = curve = Curve(convert, lucas_v, field=FIELD, a=-3, b=B)
        self.identity = self.made(None)
        one = ec.derive_private_key(1, _OPENSSL).public_key().public_numbers()
        self.generator = _Generator(self, (curve.convert(one.x), curve.convert(one.y)))

    def made(self, at: Affine | None) -> P256Point:
        return P256Point(self, at)

    def weighted(self, terms: Sequence[tuple[Point, int]]) -> Point:
        longest = max((weight % ORDER for _, weight in terms), default=0).bit_length()
        if len(terms) >= _OWN_POINTS or longest <= _OWN_BITS:
            return super().weighted(terms)
        breathe()
        return self.sum(point.multiply_public(self.scalar(weight)) for point, weight in terms)

    def recovered(self, base: Affine, here: bytes, next_: bytes) -> Affine:
        """Q = (x1, y1) from the affine P = (x, y), x1 = x(Q) and x2 = x(Q + P), Q not the identity:

        2 y y1 = 2b + (a + x x1)(x + x1) - x2 (x - x1)^2.
        """
        x, y = base
        curve = self.curve
        p, convert = curve.p, curve.convert
        x1, x2 = convert(int.from_bytes(here, "big")), convert(int.from_bytes(next_, "big"))
        apart = x - x1
        y1 = 2 * curve.b + (curve.a + x * x1) % p * (x + x1) - x2 * (apart * apart % p)
        return x1, y1 * pow(2 * y, -1, p) % p


def native(at: Affine) -> ec.EllipticCurvePublicKey:
    """OpenSSL's form of a point, which it checks to be on the curve."""
    return ec.EllipticCurvePublicNumbers(int(at[0]), int(at[1]), _OPENSSL).public_key()


def verify_ecdsa(public: Point, digest: bytes, r: int, s: int) -> None:
    """Check an ECDSA signature on a 32-byte digest by OpenSSL. Raises `ProofRejected`.

    FIPS 186-5 knows no low form: s and its negative both pass.
    """
    if not isinstance(public, P256Point) or public.at is None:
        raise ProofRejected("not a public key of p256")
    if len(digest) != 32 or not (0 < r < ORDER and 0 < s < ORDER):
        raise ProofRejected("not a signature on a 32-byte digest")
    try:
        native(public.at).verify(encode_dss_signature(r, s), bytes(digest), _DIGEST)
    except InvalidSignature:
        raise ProofRejected("the ECDSA signature does not verify under this key") from None


P256: Final = P256Group(*fastest())
