"""FROST(ristretto255, SHA-512), RFC 9591 section 6.2. No chain verifies it; it is where sr25519 begins."""

from __future__ import annotations

from typing import Final

from quorate.schemes.schnorr.scheme import Schnorr
from quorate.schemes.schnorr.suites.ed25519 import LittleEndian


class Ristretto255(LittleEndian):
    """Scalars and hashes are those of Ed25519's suite, under a context of its own."""

    name = "frost-ristretto255"
    curve = "ristretto255"
    context = b"FROST-RISTRETTO255-SHA512-v1"


SUITE: Final = Ristretto255()
SCHEME: Final = Schnorr(SUITE)
