"""sr25519: schnorrkel's Schnorr signatures on ristretto255, as Substrate chains and Polkadot verify them.

The challenge is a Merlin transcript (context "substrate", the message, the key, R); a signature is R, then
the response in little-endian with its highest bit set, which marks it as schnorrkel's. Nonces and binding
factors are between our own parties and follow RFC 9591's ristretto255 suite under a context of their own.
See docs/protocols/frost.md, section "sr25519".

Message and key stand in the binding factor and in the challenge, so a signature for a derived account is the
re-randomised FROST of Gouvea and Komlo (ePrint 2024/436) with a public tweak for the randomiser.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from quorate.errors import ProofRejected
from quorate.groups import Point, Scalar
from quorate.primitives.merlin import Transcript
from quorate.schemes.schnorr.scheme import Schnorr
from quorate.schemes.schnorr.suites.ed25519 import LittleEndian

SIGNING_CONTEXT: Final = b"substrate"
"""What every Substrate chain signs under; schnorrkel leaves it to the application."""

MARKER: Final = 0x80
"""Set in a signature's last byte. Without it schnorrkel takes the bytes for Ed25519's and refuses."""


class Sr25519(LittleEndian):
    """The suite of Polkadot's usual accounts."""

    name = "sr25519"
    curve = "ristretto255"
    context = b"QUORATE-FROST-SR25519-SHA512-v1"

    def challenge(self, nonce: Point, key: Point, message: bytes) -> Scalar:
        transcript = _context().copy().append(b"sign-bytes", message)
        transcript.append(b"proto-name", b"Schnorr-sig").append(b"sign:pk", key.to_bytes())
        transcript.append(b"sign:R", nonce.to_bytes())
        return transcript.challenge_scalar(b"sign:c", self.group)

    def encode(self, nonce: Point, response: Scalar) -> bytes:
        scalar = self.encode_scalar(response)
        return nonce.to_bytes() + scalar[:31] + bytes([scalar[31] | MARKER])

    def verify(self, public_key: Point, message: bytes, signature: bytes) -> None:
        if len(signature) != self.signature_length or not signature[63] & MARKER:
            raise ProofRejected("an sr25519 signature has 64 bytes, the last of them marked")
        plain = signature[:63] + bytes([signature[63] & ~MARKER])
        super().verify(public_key, message, plain)


@cache
def _context() -> Transcript:
    # two of the permutations of every challenge are the same
    return Transcript(b"SigningContext").append(b"", SIGNING_CONTEXT)


SUITE: Final = Sr25519()
SCHEME: Final = Schnorr(SUITE)
