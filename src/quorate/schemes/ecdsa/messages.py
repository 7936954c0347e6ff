"""The four messages of presigning, and their slots (steps 2.1 and 2.5 of docs/protocols/ecdsa.md).

What others may have to be shown is broadcast and signed; what only one peer may read is sealed to it.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from quorate.groups import Point, Scalar
from quorate.schemes.ecdsa.setup import Octets32
from quorate.session import Declaration, Message, Path, Rule, echo
from quorate.session.spec import MAX_PARTIES


class Commitment(Message, frozen=True, tag="ecdsa.presign.commitment"):
    """Step 2.1, to all: what the sender takes the session to be, and its commitment to R_i."""

    ssid: Octets32
    commitment: Octets32


class Extension(Message, frozen=True, tag="ecdsa.presign.extension"):
    """Step 2.1, sealed to each peer: the instance it is made on, and the receiver's message of the OLE."""

    instance: Octets32
    body: bytes


class Opening(Message, frozen=True, tag="ecdsa.presign.opening"):
    """Step 2.5, to all: R_i with its salt, pk_i, and one zero point Z_ij for each other signer, in order.

    `view` is the digest of all commitments as they came.
    """

    view: Octets32
    nonce_point: Point
    salt: Octets32
    key_point: Point
    zeros: Annotated[tuple[Point, ...], msgspec.Meta(max_length=MAX_PARTIES)]


class Multiplication(Message, frozen=True, tag="ecdsa.presign.multiplication"):
    """Step 2.5, sealed to each peer: the sender's message of the OLE, Gamma^u, Gamma^v, psi_ij, and our share
    of kappa if both of us are keepers (else empty)."""

    body: bytes
    gamma_nonce: Point
    gamma_key: Point
    offset: Scalar
    entropy: Annotated[bytes, msgspec.Meta(max_length=32)]


def rules(path: Path = "") -> tuple[Rule, ...]:
    """The slots of one presigning on `path`; ``*`` for a batch of numbered forks."""
    return (
        Rule(Commitment, path, limit=256),
        Rule(Extension, path, unicast=True, limit=16_000),
        Rule(Opening, path, limit=8_192),
        Rule(Multiplication, path, unicast=True, limit=64_000),
        Rule(echo.Seen, path, limit=64_000),
    )


PRESIGN: Final = Declaration("ecdsa.presign", 1, *rules())
