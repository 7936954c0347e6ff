"""Hybrid public key encryption (RFC 9180), base mode, one message per encapsulation; and provable opening.

The suite is DHKEM(secp256k1, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM. The KEM is that of
draft-wahby-cfrg-hpke-kem-secp256k1 with its code point 0x0016; inside the key schedule points have the 65
bytes of that draft, on the wire ours have 33. Parties' messages travel in these boxes.

**Provable opening.** A party that got a bad message in a box must show a stranger what the box held without
giving up its key. It publishes the shared point secret*enc and proves (`DleqProof`) that it is the one that
its public key and the box determine; from it anybody derives the key and opens this box, and no other.

No other, because every box proves behind its point that its maker knows the point's logarithm, for this
place and these bytes (Shoup and Gennaro, "Securing threshold cryptosystems against chosen ciphertext
attack", 1998). Without that a thief copies the point of somebody's recorded box into a bad box of its own,
and the honest complaint about the bad one opens the recorded one.

Assumes the recipient's key is authentic. Does not authenticate the sender (envelopes are signed) and offers
no exporter, no sequence of messages. Steps: docs/protocols/sealing.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from quorate.encoding import Canonical, decode, encode
from quorate.entropy import Rng
from quorate.errors import Malformed, ProofRejected
from quorate.groups.fields import parser_for
from quorate.groups.group import Point, Scalar
from quorate.groups.secp256k1 import SECP256K1, uncompressed
from quorate.primitives import kdf
from quorate.primitives.proofs import DleqProof, SchnorrProof
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest

KEM_SECP256K1: Final = 0x0016
"""DHKEM(secp256k1, HKDF-SHA256), shared secret and encapsulation as RFC 9180 section 4.1."""

FRONT: Final = 33 + 65
"""Bytes before the ciphertext: the encapsulation, and its maker's proof (commitment 33, response 32)."""

OVERHEAD: Final = FRONT + 16
"""Bytes a box is longer than what it holds: the front, and the AEAD tag behind."""

Cipher: TypeAlias = AESGCM | ChaCha20Poly1305


@dataclass(frozen=True, slots=True)
class Suite:
    """A KEM and an AEAD by their code points; the KDF is HKDF-SHA256 (0x0001) throughout."""

    kem: int
    aead: int
    key_length: int
    cipher: Callable[[bytes], Cipher]

    @property
    def identifier(self) -> bytes:
        """``suite_id`` of RFC 9180 section 5.1."""
        return b"HPKE" + b"".join(code.to_bytes(2, "big") for code in (self.kem, 1, self.aead))


SUITE: Final = Suite(KEM_SECP256K1, 0x0002, 32, AESGCM)
"""What Quorate uses. AES-256-GCM rather than ChaCha20-Poly1305: both machines at an end have AES units."""


class Opening(Canonical, frozen=True):
    """The shared point of one box, and the proof that it is the right one.

    Always on secp256k1, so inside messages of other groups it travels as the bytes of `to_bytes`.
    """

    shared: Point
    proof: DleqProof

    def to_bytes(self) -> bytes:
        """The canonical encoding, 141 bytes."""
        return encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Opening:
        """Read an opening. Raises `Malformed`."""
        return decode(cls, data, parser_for(SECP256K1), limit=256)


def seal(recipient: Point, info: bytes, aad: bytes, plaintext: bytes, rng: Rng) -> bytes:
    """A box (enc, 33 bytes || proof, 65 || ciphertext || tag) for the holder of `recipient`'s secret.

    `info` says what the box is for, `aad` what it goes with; the opener must name the same. Raises
    `Malformed` if `recipient` is no usable key.
    """
    _require_key(recipient)
    ephemeral = SECP256K1.random_scalar(rng)  # step 6
    encapsulated = SECP256K1.generator.multiply(ephemeral)
    key, nonce = _box_key(recipient.multiply(ephemeral), encapsulated, recipient, info)
    sealed = SUITE.cipher(key).encrypt(nonce, plaintext, aad)  # step 9
    bound = _place(info, aad, sealed)
    proof = SchnorrProof.prove(Tag.HPKE_SENDER, bound, ephemeral, encapsulated, rng)
    return b"".join((encapsulated.to_bytes(), proof.commitment.to_bytes(), proof.response.to_bytes(), sealed))


def open(  # noqa: A001  # the word RFC 9180 uses; called as hpke.open
    secret: Scalar, info: bytes, aad: bytes, box: bytes, *, public: Point | None = None
) -> bytes:
    """What `box` holds. `public` is the secret's public key, if at hand (saves a multiplication).

    Raises `Malformed` if it is not a box made for this place, `ProofRejected` if it does not open.
    """
    encapsulated = encapsulation(box, info, aad)
    recipient = SECP256K1.generator.multiply(secret) if public is None else public
    plaintext = _open_from(encapsulated.multiply(secret), encapsulated, recipient, info, aad, box)
    if plaintext is None:
        raise ProofRejected("the box does not open: made for another key or place, or altered")
    return plaintext


def prove_opening(secret: Scalar, info: bytes, aad: bytes, box: bytes, rng: Rng) -> Opening:
    """Step 11: what lets anybody open `box`, made by its recipient.

    Raises `Malformed` if it is not a box made for this place: that shows without an opening, and an opening
    would give its sender a shared point that it may not know.
    """
    encapsulated = encapsulation(box, info, aad)
    shared = encapsulated.multiply(secret)
    recipient = SECP256K1.generator.multiply(secret)
    proof = DleqProof.prove(Tag.HPKE_OPENING, box, secret, recipient, encapsulated, shared, rng)
    return Opening(shared, proof)


def open_with(opening: Opening, recipient: Point, info: bytes, aad: bytes, box: bytes) -> bytes | None:
    """Step 12: what `box` held for `recipient`, learned by a stranger.

    None says that the opening is right and the box opens to nothing under it: its sender's fault. Raises
    `ProofRejected` if the opening is not that of this box and key: its publisher's fault. Raises `Malformed`
    if the box has no point in front or no proof of it; that needs no opening and is the sender's fault too.
    """
    _require_key(recipient)
    encapsulated = encapsulation(box, info, aad)
    opening.proof.verify(Tag.HPKE_OPENING, box, recipient, encapsulated, opening.shared)
    return _open_from(opening.shared, encapsulated, recipient, info, aad, box)


def encapsulation(box: bytes, info: bytes, aad: bytes) -> Point:
    """Step 10: the point in front of a box, whose logarithm its maker has proven to know for this place.

    Raises `Malformed` if there is none, the proof fails or the box is too short. Anybody can tell.
    """
    if len(box) < OVERHEAD:
        raise Malformed(f"a box has at least {OVERHEAD} bytes, not {len(box)}")
    encapsulated = SECP256K1.point_from_bytes(box[:33])
    commitment = SECP256K1.point_from_bytes(box[33:66])
    proof = SchnorrProof(commitment, SECP256K1.scalar_from_bytes(box[66:FRONT]))
    try:
        proof.verify(Tag.HPKE_SENDER, _place(info, aad, box[FRONT:]), encapsulated)
    except ProofRejected:
        raise Malformed("the box does not open: made for another place, copied, or altered") from None
    return encapsulated


def extract_and_expand(kem: int, exchanged: bytes, context: bytes) -> bytes:
    """Step 7: the KEM's 32-byte shared secret from the Diffie-Hellman value (RFC 9180 section 4.1)."""
    suite = b"KEM" + kem.to_bytes(2, "big")
    pseudorandom = _labeled_extract(suite, b"", b"eae_prk", exchanged)
    return _labeled_expand(suite, pseudorandom, b"shared_secret", context, 32)


def key_schedule(suite: Suite, shared_secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Step 8: key and base nonce of base mode, no pre-shared key (RFC 9180 section 5.1)."""
    name = suite.identifier
    psk_id_hash = _labeled_extract(name, b"", b"psk_id_hash", b"")
    info_hash = _labeled_extract(name, b"", b"info_hash", info)
    context = b"\x00" + psk_id_hash + info_hash
    secret = _labeled_extract(name, shared_secret, b"secret", b"")
    key = _labeled_expand(name, secret, b"key", context, suite.key_length)
    return key, _labeled_expand(name, secret, b"base_nonce", context, 12)


def _open_from(
    shared: Point, encapsulated: Point, recipient: Point, info: bytes, aad: bytes, box: bytes
) -> bytes | None:
    key, nonce = _box_key(shared, encapsulated, recipient, info)
    try:
        return SUITE.cipher(key).decrypt(nonce, box[FRONT:], aad)
    except InvalidTag:
        return None


def _place(info: bytes, aad: bytes, sealed: bytes) -> bytes:
    # hashed once here: the proof hashes its context twice, and a box may be long
    return digest(Tag.HPKE_SENDER, info, aad, sealed)


def _box_key(shared: Point, encapsulated: Point, recipient: Point, info: bytes) -> tuple[bytes, bytes]:
    exchanged = SECP256K1.x_coordinate(shared).to_bytes(32, "big")
    context = uncompressed(encapsulated) + uncompressed(recipient)
    return key_schedule(SUITE, extract_and_expand(KEM_SECP256K1, exchanged, context), info)


def _require_key(recipient: Point) -> None:
    if recipient.group is not SECP256K1 or recipient.is_identity:
        raise Malformed("a box goes to a point of secp256k1 other than the identity")


def _labeled_extract(suite: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
    return kdf.extract(salt, b"HPKE-v1" + suite + label + material)


def _labeled_expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    return kdf.expand(key, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, length)
