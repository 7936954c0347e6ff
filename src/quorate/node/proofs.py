"""Who makes a plain request: the proof in its header, checked against what was asked."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from litestar import Request

from quorate.errors import Malformed, Refused
from quorate.identity import RequestProof, verify_request
from quorate.identity.login import Claims
from quorate.node.node import Node

PROOF_HEADER: Final = "quorate-proof"

NONCE_HEADER: Final = "quorate-nonce"
"""On an answer: the nonce for the caller's next request, which saves it asking for one."""


def caller_of(node: Node, request: Request[Any, Any, Any], body: bytes) -> Claims:
    """The login of the device that made this request. Raises `Refused`."""
    header = request.headers.get(PROOF_HEADER)
    if header is None:
        raise Refused("this needs a login: send the proof header", code="login")
    proof = RequestProof.parse(from_base64(header))
    claims = node.login.verify(proof.credential, node.clock())
    verify_request(proof, claims.device, node.identity.public, request.method, request.url.path, body)
    node.challenges.take(proof.nonce)
    return claims


def from_base64(text: str) -> bytes:
    """Raises `Malformed`."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("not base64") from None
