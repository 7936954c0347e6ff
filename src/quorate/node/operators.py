"""What a node's operator asks of it over HTTP: to approve a committee, and to change to it.

Each request is signed by the operator key of the node's configuration over everything in it and a nonce of
the node (`quorate.identity.requests`); without a key in the configuration there are no such requests. How far
a change has come is no secret.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from quorate.encoding import decode
from quorate.errors import Malformed, Refused
from quorate.identity import RequestProof, verify_request
from quorate.node.epochs.talk import Plan
from quorate.node.limits import MAX_BODY_BYTES
from quorate.node.node import Node

OPERATOR_HEADER: Final = "quorate-operator"
OPERATOR: Final = b"operator"
"""What stands in a request's proof in place of a login: none is needed."""


class PlanBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A committee (`quorate.node.epochs.talk.Plan`), canonical bytes in base64; empty for the present one."""

    plan: Annotated[str, msgspec.Meta(max_length=MAX_BODY_BYTES)] = ""


class ChangeView(msgspec.Struct, frozen=True):
    """How far a change of committee has come at this node; see `quorate.node.epochs.Progress`."""

    node: str
    live: int
    epoch: int
    stage: str
    text: str
    chunks: int
    done: int
    stored: int
    members: int
    erased: int


@get("/v1/committee/change", tags=["network"], summary="How far a change of the committee has come")
async def change_progress(node: NamedDependency[Node]) -> ChangeView:
    """How far a change of the committee has come."""
    return await _view(node)


@post("/v1/committee/approve", tags=["operation"], summary="Approve the next committee", status_code=200)
async def change_approve(
    node: NamedDependency[Node], request: Request[Any, Any, Any], data: JSONBody[PlanBody]
) -> ChangeView:
    """This node's operator wants that committee next."""
    _authorise(node, request, await request.body())
    plan = _plan(data)
    if plan is None:
        raise Malformed("approve which committee?")
    await node.driver.approve(plan)
    return await _view(node)


@post("/v1/committee/change", tags=["operation"], summary="Change the committee", status_code=200)
async def change_begin(
    node: NamedDependency[Node], request: Request[Any, Any, Any], data: JSONBody[PlanBody]
) -> ChangeView:
    """Lead a change to a committee, or a renewal of the present one; returns when it has begun."""
    _authorise(node, request, await request.body())
    node.driver.start(_plan(data))
    return await _view(node)


async def _view(node: Node) -> ChangeView:
    now = await node.driver.progress()
    return ChangeView(
        node.config.name,
        node.committee.epoch,
        now.epoch,
        now.stage,
        now.text,
        now.chunks,
        now.done,
        now.stored,
        now.members,
        now.erased,
    )


def _plan(data: PlanBody) -> Plan | None:
    try:
        return decode(Plan, base64.b64decode(data.plan, validate=True)) if data.plan else None
    except ValueError:
        raise Malformed("not base64") from None


def _authorise(node: Node, request: Request[Any, Any, Any], body: bytes) -> None:
    """Raises `Refused` unless the operator made this request, now."""
    operator = node.config.operator_key
    if operator is None:
        raise Refused("this node's configuration names no operator_key", code="operator")
    header = request.headers.get(OPERATOR_HEADER)
    if header is None:
        raise Refused("this is for the node's operator: sign the request", code="operator")
    try:
        proof = RequestProof.parse(base64.b64decode(header, validate=True))
    except ValueError:
        raise Malformed("not base64") from None
    verify_request(proof, operator, node.identity.public, request.method, request.url.path, body)
    node.challenges.take(proof.nonce)


OPERATOR_HANDLERS: Final = [change_progress, change_approve, change_begin]
