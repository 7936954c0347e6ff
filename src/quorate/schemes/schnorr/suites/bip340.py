"""Bitcoin's Schnorr signatures: BIP 340, made by FROST in the flavour of BIP 445, with the tweaks of BIP 341.

BIP 340 knows a point by its x coordinate and means the one with even y. So the key is negated where its y is
odd, and the nonces where R's is; both signs are public, and `Package` applies them to what each signer holds
(steps F2 and F5 of docs/protocols/frost.md; section "BIP 340" there).

Where RFC 9591 has a binding factor for each signer, BIP 445 (draft, version 0.8.0; the variant that is called
FROST3) has one coefficient b for all: a hash of the signers, the *sums* of the commitments, the tweaked key
and the message. R = R1 + b*R2 then needs one multiplication however many sign.

Differs from BIP 445 in two points, neither of which a verifier sees: nonces are drawn by our own hash
(`nonce`), not by the BIP's NonceGen, and identifiers are the signers' places in the sorted list, since an
access structure has no common numbering.
Partial signatures for the same identifiers, nonces and shares are the BIP's, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quorate.errors import LocalError, Malformed, ProofRejected
from quorate.groups import SECP256K1, Point, Scalar
from quorate.schemes.schnorr.hashing import tagged
from quorate.schemes.schnorr.scheme import Schnorr
from quorate.schemes.schnorr.suite import Commitment, Suite
from quorate.schemes.tweak import Accumulated, Tweak, has_even_y

KEY_BYTES: Final = 32
MERKLE_ROOT_BYTES: Final = 32

_INFINITY: Final = bytes(33)
"""cbytes_ext of BIP 327: how a sum of commitments that cancel each other is hashed."""


class Bip340(Suite):
    """The suite of taproot outputs."""

    name = "bip340"
    curve = "secp256k1"

    def nonce(self, random: bytes, secret: Scalar) -> Scalar:
        # 256 bits modulo this order are uniform to within 2^-128
        return self._scalar(tagged("Quorate/BIP0340/nonce", random, secret.to_bytes()))

    def binding_factors(self, key: Point, message: bytes, commitments: Sequence[Commitment]) -> list[Scalar]:
        coefficient = self.coefficient(key, message, commitments)
        return [coefficient] * len(commitments)

    def coefficient(self, key: Point, message: bytes, commitments: Sequence[Commitment]) -> Scalar:
        """b of BIP 445: H(count, identifiers, R1, R2, x(Q), message). Its identifiers count from 0."""
        identifiers = b"".join((row.identifier - 1).to_bytes(4, "big") for row in commitments)
        count = len(commitments).to_bytes(4, "big")
        hiding = self.group.sum(row.hiding for row in commitments)
        binding = self.group.sum(row.binding for row in commitments)
        nonce = _extended(hiding) + _extended(binding)
        return self._scalar(
            tagged("BIP0445/noncecoef", count, identifiers, nonce, x_only_bytes(key), message)
        )

    def challenge(self, nonce: Point, key: Point, message: bytes) -> Scalar:
        return self._scalar(tagged("BIP0340/challenge", x_only_bytes(nonce), x_only_bytes(key), message))

    def key(self, root: Point, tweak: Tweak) -> Accumulated:
        return tweak.accumulated(root).even()

    def negates(self, nonce: Point) -> bool:
        return not has_even_y(nonce)

    def encode(self, nonce: Point, response: Scalar) -> bytes:
        return x_only_bytes(nonce) + response.to_bytes()

    def verify(self, public_key: Point, message: bytes, signature: bytes) -> None:
        if public_key.group is not SECP256K1 or public_key.is_identity:
            raise ProofRejected("not a public key of secp256k1")
        verify(x_only_bytes(public_key), message, signature)

    def _scalar(self, hashed: bytes) -> Scalar:
        return self.group.scalar(int.from_bytes(hashed, "big"))


def verify(key: bytes, message: bytes, signature: bytes) -> None:
    """Check a BIP 340 signature under a 32-byte key, by libsecp256k1. Raises `ProofRejected`."""
    group = SECP256K1
    if len(key) != KEY_BYTES or len(signature) != 64:
        raise ProofRejected("a BIP 340 key has 32 bytes, a signature 64")
    handle = group.ffi.new("secp256k1_xonly_pubkey *")
    if not group.lib.secp256k1_xonly_pubkey_parse(group.context, handle, bytes(key)):
        raise ProofRejected("not the x coordinate of a point of secp256k1")
    if not group.lib.secp256k1_schnorrsig_verify(
        group.context, bytes(signature), bytes(message), len(message), handle
    ):
        raise ProofRejected("the BIP 340 signature does not verify under this key")


def taproot_tweak(internal: Point, merkle_root: bytes = b"") -> bytes:
    """t of BIP 341: H_TapTweak(x(P) || root), as `Tweak.x_only` and `quorate.chains.Digest` want it.

    `internal` is the key before the tweak (a derived one, where a path is used). Without a script tree the
    key still commits to the *empty* tree, as BIP 341 recommends: an output that showed a jointly made key as
    it is could hide a script path of whoever contributed last. Raises `LocalError` once in 2^128.
    """
    if len(merkle_root) not in (0, MERKLE_ROOT_BYTES):
        raise Malformed(f"a merkle root has {MERKLE_ROOT_BYTES} bytes, or is empty")
    tweak = tagged("TapTweak", x_only_bytes(internal), merkle_root)
    if int.from_bytes(tweak, "big") >= SECP256K1.order:
        raise LocalError("this key has no taproot output; take the next index")
    return tweak


def taproot_output(internal: Point, merkle_root: bytes = b"") -> bytes:
    """The 32-byte output key Q of BIP 341, as it stands in a ``OP_1 <Q>`` script. Raises `LocalError`."""
    tweak = Tweak(SECP256K1.scalar(0), taproot_tweak(internal, merkle_root))
    return x_only_bytes(tweak.child(internal))


def x_only_bytes(point: Point) -> bytes:
    """The 32 bytes of BIP 340: x alone."""
    return point.to_bytes()[1:]


def _extended(point: Point) -> bytes:
    return _INFINITY if point.is_identity else point.to_bytes()


SUITE: Final = Bip340()
SCHEME: Final = Schnorr(SUITE)
