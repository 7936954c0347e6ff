"""Proofs of possession for plain requests: this device asks this node for exactly this, now.

The proof covers the node's identity, method, path, body and a nonce that the node gave out, so it can be
shown neither to another node nor twice. Sessions need none: their agreement is signed and holds the nonce.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from quorate.encoding import Canonical, decode, encode
from quorate.errors import Malformed, ProofRejected, Refused
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import Identity, PublicIdentity


class RequestProof(Canonical, frozen=True):
    """`credential` is the login token; `nonce` the node's; `signature` the device's."""

    credential: Annotated[bytes, msgspec.Meta(max_length=4096)]
    nonce: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]

    @classmethod
    def parse(cls, data: bytes) -> RequestProof:
        """Raises `Refused` with code ``login``."""
        try:
            return decode(cls, data, limit=8192)
        except Malformed as error:
            raise Refused(f"the request carries no readable proof: {error}", code="login") from None


def prove_request(
    device: Identity,
    credential: bytes,
    node: PublicIdentity,
    method: str,
    path: str,
    body: bytes,
    nonce: bytes,
) -> bytes:
    """The encoded proof for one request."""
    signature = device.sign(_covered(node, method, path, body, nonce))
    return encode(RequestProof(credential, nonce, signature))


def verify_request(
    proof: RequestProof, device: PublicIdentity, node: PublicIdentity, method: str, path: str, body: bytes
) -> None:
    """Raises `Refused` unless `device` made `proof` for this request to `node`.

    That the nonce is the node's, fresh and unused, is the node's own check.
    """
    try:
        device.verify(_covered(node, method, path, body, proof.nonce), proof.signature)
    except ProofRejected:
        raise Refused("the request is not signed by the device the login names", code="proof") from None


def _covered(node: PublicIdentity, method: str, path: str, body: bytes, nonce: bytes) -> bytes:
    return digest(Tag.REQUEST, node.to_bytes(), method.encode(), path.encode(), body, nonce)
