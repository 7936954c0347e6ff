"""FROST(P-256, SHA-256), RFC 9591 section 6.4. No chain verifies it; vectors exist, and the curve is here."""

from __future__ import annotations

from typing import Final

from quorate.schemes.schnorr.scheme import Schnorr
from quorate.schemes.schnorr.suites.secp256k1 import Compressed


class P256(Compressed):
    """The RFC's suite."""

    name = "frost-p256"
    curve = "p256"
    context = b"FROST-P256-SHA256-v1"


SUITE: Final = P256()
SCHEME: Final = Schnorr(SUITE)
