"""The register behind HTTP: one question in, one signed reply out, as canonical bytes.

`quorate.account.register.messages` says what both are. The caller proves its login as for every resource;
each answer brings the nonce for the next question, so that a question costs one round trip.
"""

from __future__ import annotations

from typing import Any

from litestar import MediaType, Request, Response, post
from litestar.di import NamedDependency

from quorate.metadata.service import MAX_QUESTION_BYTES
from quorate.node.node import Node
from quorate.node.proofs import NONCE_HEADER, caller_of


@post(
    "/v1/register",
    tags=["accounts"],
    summary="Ask the register of the caller's account",
    status_code=200,
    media_type=MediaType.TEXT,
    request_max_body_size=MAX_QUESTION_BYTES,
)
async def register(node: NamedDependency[Node], request: Request[Any, Any, Any]) -> Response[bytes]:
    """`Question` in, `Reply` out; what was signed is durable."""
    body = await request.body()
    claims = caller_of(node, request, body)
    device = claims.device.to_bytes()
    reply = await node.worker(node.register.answer, body, claims.account, device)
    headers = {NONCE_HEADER: node.challenges.give().hex()}
    return Response(reply, media_type="application/octet-stream", headers=headers)
