"""The node behind HTTP and WebSocket (Litestar): resources with an OpenAPI description, sessions as frames.

Resources are read with a proof of possession in the header ``Quorate-Proof`` (base64; see
`quorate.identity.requests`), or carry their own authority as a certificate. Every error is
``{"code", "message", "remedy"}`` with a status a client can act on.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any

import msgspec
from litestar import Litestar, MediaType, Request, Response, WebSocket, get, post, websocket
from litestar.config.response_cache import ResponseCacheConfig
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.params import FromQuery, JSONBody

from quorate import __version__
from quorate.account.pool import Ask, Claim, Offered, Votes
from quorate.encoding import decode, encode
from quorate.errors import Abort, LimitExceeded, Malformed, Missing, QuorateError, Refused, Unavailable
from quorate.node.limits import MAX_BODY_BYTES, MAX_SUCCESSIONS
from quorate.node.mistakes import note_mistake
from quorate.node.node import Node
from quorate.node.operators import OPERATOR_HANDLERS
from quorate.node.proofs import NONCE_HEADER, caller_of, from_base64
from quorate.node.register_resource import register
from quorate.node.sockets import LinkEnd, SessionEnd
from quorate.transport.reports import public_text


class ErrorBody(msgspec.Struct, frozen=True):
    """Every error's body. `remedy`: retry, exclude, quarantine or ask."""

    code: str
    message: str
    remedy: str


class Health(msgspec.Struct, frozen=True):
    """The process answers."""

    name: str
    version: str


class Readiness(msgspec.Struct, frozen=True):
    """Whether sessions are taken; `reason` says why not."""

    ready: bool
    reason: str = ""


class MemberView(msgspec.Struct, frozen=True):
    """A node of the committee; `identity` is hex, 65 bytes."""

    name: str
    url: str
    identity: str


class NetworkView(msgspec.Struct, frozen=True):
    """What a client needs to know of the network; the committee is the present one."""

    network: str
    node: str
    identity: str
    degree: int
    echo_quorum: int
    ready_quorum: int
    committee: list[MemberView]
    epoch: int = 0


class CommitteeView(msgspec.Struct, frozen=True):
    """The present epoch, successions in order, and what put the present one in force: canonical bytes in
    base64 (`quorate.account.committee`)."""

    epoch: int
    successions: list[str]
    activation: str = ""


class Challenge(msgspec.Struct, frozen=True):
    """A nonce in hex, good for one request to this node."""

    nonce: str


class WalletView(msgspec.Struct, frozen=True):
    """The record of one key, canonical bytes in base64 (`quorate.account.KeyRecord`)."""

    key: str
    epoch: int
    record: str


class LevelView(msgspec.Struct, frozen=True):
    """One curve of the pool: free keys, keys of batches under way, how many are kept ahead."""

    curve: str
    free: int
    coming: int
    target: int
    batches: list[int]


class StandingView(msgspec.Struct, frozen=True):
    """A session among the nodes that stands: messages heard, nodes that are done, nodes caught lying."""

    protocol: str
    state: str
    since: float
    heard: int
    done: list[str]
    caught: list[str]


class PoolView(msgspec.Struct, frozen=True):
    """The pool of this node, and the sessions that concern it and others."""

    node: str
    epoch: int
    levels: list[LevelView]
    sessions: list[StandingView]


class PoolBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request about pool keys, canonical bytes in base64 (`quorate.account.pool`)."""

    request: Annotated[str, msgspec.Meta(max_length=4096)]


class PoolAnswer(msgspec.Struct, frozen=True):
    """The answer, canonical bytes in base64."""

    answer: str


@get("/v1/health", tags=["operation"], summary="The process answers")
async def health(node: NamedDependency[Node]) -> Health:
    """The process answers."""
    return Health(node.config.name, __version__)


@get("/v1/ready", tags=["operation"], summary="Whether sessions are taken")
async def ready(node: NamedDependency[Node]) -> Response[Readiness]:
    """Whether sessions are taken."""
    if node.closing:
        return Response(Readiness(False, "shutting down"), status_code=503)
    if node.vault.rolled_back:
        return Response(
            Readiness(False, "the database was restored; see the operator's guide"), status_code=503
        )
    return Response(Readiness(True))


@get("/v1/metrics", tags=["operation"], media_type=MediaType.TEXT, summary="Prometheus metrics")
async def metrics(node: NamedDependency[Node]) -> str:
    """Prometheus metrics."""
    return node.metrics.text()


@get("/v1/network", tags=["network"], summary="Committee, thresholds and identities")
async def network(node: NamedDependency[Node]) -> NetworkView:
    """Committee, thresholds and identities."""
    record = node.committee.record
    return NetworkView(
        record.network,
        node.config.name,
        node.identity.public.to_bytes().hex(),
        record.quorums.degree,
        record.quorums.echo,
        record.quorums.ready,
        [MemberView(seat.name, seat.url, seat.keys.hex()) for seat in record.members],
        record.epoch,
    )


@get("/v1/committee", tags=["network"], summary="The chain of committees up to the present one")
async def committee(node: NamedDependency[Node], since: FromQuery[int] = 0) -> CommitteeView:
    """The successions after the committee epoch `since`; each is signed by the one before it."""
    epoch, chain, activation = node.committee.proof_since(since)
    return CommitteeView(
        epoch,
        [base64.b64encode(encode(one)).decode() for one in chain[:MAX_SUCCESSIONS]],
        "" if activation is None else base64.b64encode(encode(activation)).decode(),
    )


@get("/v1/challenge", tags=["accounts"], summary="A nonce for one request")
async def challenge(node: NamedDependency[Node]) -> Challenge:
    """A nonce for one request."""
    return Challenge(node.challenges.give().hex())


@get("/v1/wallets", tags=["accounts"], summary="The keys of the caller's account")
async def wallets(node: NamedDependency[Node], request: Request[Any, Any, Any]) -> list[WalletView]:
    """The keys of the caller's account."""
    account = _account(node, request, b"")
    records = await node.worker(node.records_of, account)
    return [
        WalletView(record.key.hex(), record.epoch, base64.b64encode(encode(record)).decode())
        for record in records
    ]


@post(
    "/v1/instances", tags=["accounts"], summary="Make what the nodes need among themselves", status_code=200
)
async def instances(node: NamedDependency[Node], request: Request[Any, Any, Any]) -> Readiness:
    """Returns when this node's own part for the caller's account is there; ask every node."""
    account = _account(node, request, await request.body())
    await node.ensure_shard(account)
    return Readiness(True)


@get("/v1/pool", tags=["operation"], summary="How many committee keys are ready")
async def pool(node: NamedDependency[Node]) -> PoolView:
    """How many committee keys are ready, and what is being made."""
    return await _pool_view(node)


@post("/v1/pool/refill", tags=["operation"], summary="Look at the pool now", status_code=200)
async def pool_refill(node: NamedDependency[Node]) -> PoolView:
    """Needs no login: the node begins now what it would begin within seconds, and no more than that."""
    node.refill.look()
    return await _pool_view(node)


@post("/v1/pool/offer", tags=["accounts"], summary="Committee keys the caller may claim", status_code=200)
async def pool_offer(
    node: NamedDependency[Node], request: Request[Any, Any, Any], data: JSONBody[PoolBody]
) -> Response[PoolAnswer]:
    """`Ask` in, `Offered` out."""
    account = _account(node, request, await request.body())
    ask = decode(Ask, from_base64(data.request), limit=MAX_BODY_BYTES)
    return _pool_answer(node, await node.worker(node.pool.offer, account, ask))


@post("/v1/pool/claim", tags=["accounts"], summary="Vote for the caller on committee keys", status_code=200)
async def pool_claim(
    node: NamedDependency[Node], request: Request[Any, Any, Any], data: JSONBody[PoolBody]
) -> Response[PoolAnswer]:
    """`Claim` in, `Votes` out: signed, and durable before they leave."""
    account = _account(node, request, await request.body())
    claim = decode(Claim, from_base64(data.request), limit=MAX_BODY_BYTES)
    return _pool_answer(node, await node.worker(node.pool.vote, account, claim))


@websocket("/v1/links")
async def links(socket: WebSocket[Any, Any, Any], node: NamedDependency[Node]) -> None:
    """Parcels of another node, until the connection breaks (docs/protocols/links.md)."""
    await socket.accept()
    await node.links.serve(LinkEnd(socket))


@websocket("/v1/sessions")
async def sessions(socket: WebSocket[Any, Any, Any], node: NamedDependency[Node]) -> None:
    """One session a connection, as frames (`quorate.transport.frames`)."""
    await socket.accept()
    channel = SessionEnd(socket)
    await node.serve(channel)
    await channel.close()


def make_app(node: Node) -> Litestar:
    """The ASGI application of a node. Its lifespan closes the node."""

    async def provide_node() -> Node:
        return node

    def explain_any(request: Request[Any, Any, Any], error: Exception) -> Response[ErrorBody]:
        if isinstance(error, RecursionError):  # JSON nested as deep as the body is long
            return _explain(request, Malformed("the body is nested too deeply"))
        if isinstance(error, UnicodeDecodeError):
            return _explain(request, Malformed("the body is no UTF-8"))
        note_mistake(node.log, node.metrics, error)
        return Response(ErrorBody("internal", "this node has made a mistake", "retry"), status_code=500)

    async def stop(_: Litestar) -> None:
        await node.close()

    async def start(_: Litestar) -> None:
        node.start_background()

    return Litestar(
        route_handlers=[
            health,
            ready,
            metrics,
            network,
            committee,
            challenge,
            wallets,
            instances,
            register,
            pool,
            pool_refill,
            pool_offer,
            pool_claim,
            sessions,
            links,
            *OPERATOR_HANDLERS,
        ],
        dependencies={"node": provide_node},
        exception_handlers={
            QuorateError: _explain,
            HTTPException: _explain_http,
            Exception: explain_any,
        },
        on_startup=[start],
        on_shutdown=[stop],
        request_max_body_size=MAX_BODY_BYTES,
        # The description alone: the pages that could show it would load scripts of others into this origin.
        openapi_config=OpenAPIConfig(
            title="Quorate node", version=__version__, path="/schema", render_plugins=[JsonRenderPlugin()]
        ),
        response_cache_config=ResponseCacheConfig(default_expiration=None),
        logging_config=None,
    )


def _account(node: Node, request: Request[Any, Any, Any], body: bytes) -> bytes:
    """The account whose device made this request. Raises `Refused`."""
    return caller_of(node, request, body).account


async def _pool_view(node: Node) -> PoolView:
    levels = [
        LevelView(level.curve, level.free, level.coming, level.target, list(level.under_way))
        for level in await node.refill.levels()
    ]
    sessions = [
        StandingView(
            view.protocol,
            view.state.value,
            view.since,
            view.heard,
            sorted(view.done),
            sorted(view.deviations),
        )
        for view in node.standing.status()
    ]
    return PoolView(node.config.name, node.committee.epoch, levels, sessions)


def _pool_answer(node: Node, answer: Offered | Votes) -> Response[PoolAnswer]:
    body = PoolAnswer(base64.b64encode(encode(answer)).decode())
    return Response(body, headers={NONCE_HEADER: node.challenges.give().hex()})


def _explain(_: Request[Any, Any, Any], error: QuorateError) -> Response[ErrorBody]:
    code = error.code if isinstance(error, Refused) else type(error).__name__.lower()
    return Response(ErrorBody(code, public_text(error), error.remedy.value), status_code=_status(error))


def _explain_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[ErrorBody]:
    return Response(ErrorBody("http", str(error.detail)[:1024], "ask"), status_code=error.status_code)


def _status(error: QuorateError) -> int:
    match error:
        case Refused(code="login" | "challenge" | "proof" | "operator"):
            return 401
        case Refused(code="unknown-key" | "nothing-staged"):
            return 404
        case Refused():
            return 403
        case Malformed():
            return 400
        case LimitExceeded():
            return 429
        case Missing() | Unavailable():
            return 503
        case Abort():
            return 409
        case _:
            return 500
