"""Boxes sealed to a factor's key, to rest in storage until that factor opens them.

ECIES on secp256k1 in its hashed Diffie-Hellman form (Abdalla, Bellare, Rogaway, "DHIES"): a fresh R = r*G,
the x coordinate of r*recipient through HKDF-SHA256, AES-256-GCM. R, the recipient and the `SealContext` are
inputs of the key, so a box opens only for the factor, account, epoch and purpose it was made for. The key
is used once, therefore the nonce is derived beside it.

    box = R (33 bytes) || ciphertext || tag (16 bytes)

Assumes the recipient's key was checked to belong to the factor. Does not say who sealed (anybody can) and
gives no forward secrecy: whoever gets the factor's key opens its old boxes. Steps: docs/protocols/sealing.md.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from quorate.encoding import MAX_MESSAGE_BYTES, Canonical, encode
from quorate.entropy import Rng
from quorate.errors import LimitExceeded, Malformed, ProofRejected
from quorate.groups.group import Point, Scalar
from quorate.groups.secp256k1 import SECP256K1
from quorate.primitives import kdf
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import framed

OVERHEAD: Final = 33 + 16
"""Bytes a box is longer than what it holds."""

MAX_PLAINTEXT: Final = MAX_MESSAGE_BYTES
"""What one box may hold; boxes travel inside messages."""


class SealContext(Canonical, frozen=True):
    """What a box is for. Two boxes of one purpose never share a key, so it need not be unique."""

    account: str
    factor: str
    epoch: int
    purpose: str


def seal(recipient: Point, plaintext: bytes, *, context: SealContext, rng: Rng) -> bytes:
    """A box that the holder of `recipient`'s secret opens under the same context.

    Raises `Malformed` if `recipient` is no usable key, `LimitExceeded` above `MAX_PLAINTEXT`.
    """
    if recipient.group is not SECP256K1 or recipient.is_identity:
        raise Malformed("a box is sealed to a point of secp256k1 other than the identity")
    if len(plaintext) > MAX_PLAINTEXT:
        raise LimitExceeded(f"a box holds at most {MAX_PLAINTEXT} bytes, not {len(plaintext)}")
    ephemeral = SECP256K1.random_scalar(rng)  # step 1
    encapsulated = SECP256K1.generator.multiply(ephemeral)
    key, nonce = _derive(recipient.multiply(ephemeral), encapsulated, recipient, context)
    return encapsulated.to_bytes() + AESGCM(key).encrypt(nonce, plaintext, None)  # step 3


def open_sealed(secret: Scalar, box: bytes, context: SealContext) -> bytes:
    """What `box` holds. Raises `Malformed` if it is not a box, `ProofRejected` if it does not open:
    another recipient, another context, or altered bytes.
    """
    if len(box) < OVERHEAD:
        raise Malformed(f"a sealed box has at least {OVERHEAD} bytes, not {len(box)}")
    if len(box) > OVERHEAD + MAX_PLAINTEXT:
        raise LimitExceeded(f"a sealed box has at most {OVERHEAD + MAX_PLAINTEXT} bytes, not {len(box)}")
    if secret.group is not SECP256K1 or secret.is_zero:
        raise Malformed("a box is opened by a scalar of secp256k1 other than zero")
    encapsulated = SECP256K1.point_from_bytes(box[:33])  # step 4
    recipient = SECP256K1.generator.multiply(secret)
    key, nonce = _derive(encapsulated.multiply(secret), encapsulated, recipient, context)
    try:  # step 5
        return AESGCM(key).decrypt(nonce, box[33:], None)
    except InvalidTag:
        raise ProofRejected(
            "the sealed box does not open: made for another key or purpose, or altered"
        ) from None


def _derive(
    shared: Point, encapsulated: Point, recipient: Point, context: SealContext
) -> tuple[bytes, bytes]:
    """Step 2: AES key and nonce. The x coordinate keeps its leading zeros: 32 bytes always."""
    x = SECP256K1.x_coordinate(shared).to_bytes(32, "big")
    info = framed(Tag.SEALED_BOX, encapsulated.to_bytes(), recipient.to_bytes(), encode(context))
    output = kdf.expand(kdf.extract(b"", x), info, 44)
    return output[:32], output[32:]
