"""The device's HTTP: what nodes may answer, and what a device makes of it."""

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from quorate.device.network import Network, NodeRow
from quorate.device.nodes import MAX_ANSWER_BYTES, Nodes
from quorate.entropy import system_rng
from quorate.errors import Abort, Missing, Refused, Remedy
from quorate.identity import RequestProof, verify_request
from quorate.session import KeyPair
from quorate.sharing.quorums import Quorums

NODE = KeyPair.generate(system_rng)
DEVICE = KeyPair.generate(system_rng)
NONCE = bytes(range(32))

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Fake:
    """A node that answers as a test wants."""

    def __init__(self) -> None:
        self.status = 200
        self.body: bytes = b"[]"
        self.proofs: list[RequestProof] = []
        self.nonce = NONCE.hex()
        self.next_nonce: str | None = None
        self.challenged = 0

    async def challenge(self, _: web.Request) -> web.StreamResponse:
        self.challenged += 1
        return web.json_response({"nonce": self.nonce})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if "Quorate-Proof" in request.headers:
            proof = RequestProof.parse(base64.b64decode(request.headers["Quorate-Proof"]))
            body = await request.read()
            verify_request(proof, DEVICE.public, NODE.public, request.method, request.path, body)
            self.proofs.append(proof)
        headers = {} if self.next_nonce is None else {"Quorate-Nonce": self.next_nonce}
        return web.Response(body=self.body, status=self.status, headers=headers)


@pytest.fixture
async def fake() -> AsyncIterator[tuple[Fake, Nodes]]:
    found = Fake()
    app = web.Application()
    app.router.add_get("/v1/challenge", found.challenge)

    async def answer(request: web.Request) -> web.StreamResponse:
        return await found.answer(request)

    app.router.add_route("*", "/{rest:.*}", answer)
    async with TestServer(app) as server:
        row = NodeRow("node1", str(server.make_url("")), NODE.public.to_bytes().hex())
        network = Network.of("test", Quorums(1, 0, 0, 0), [row])
        nodes = Nodes(network, DEVICE, lambda: b"token")
        yield found, nodes
        await nodes.close()


async def test_a_request_proves_who_asks_this_node_for_exactly_this(fake: tuple[Fake, Nodes]) -> None:
    node, nodes = fake
    assert await nodes.wallets("node1") == []
    await nodes.make_instances("node1")
    assert [(proof.credential, proof.nonce) for proof in node.proofs] == [(b"token", NONCE)] * 2


async def test_a_nonce_that_comes_with_an_answer_saves_asking_for_one(fake: tuple[Fake, Nodes]) -> None:
    node, nodes = fake
    for text in ("ff" * 32, "no hex", "ff"):
        node.next_nonce = text
        await nodes.wallets("node1")
    assert [proof.nonce for proof in node.proofs] == [NONCE, b"\xff" * 32, NONCE]
    assert node.challenged == 2


async def test_a_nonce_of_before_a_restart_is_replaced_by_a_fresh_one(fake: tuple[Fake, Nodes]) -> None:
    node, nodes = fake
    node.next_nonce = "ee" * 32
    await nodes.wallets("node1")
    node.next_nonce, answer = None, node.answer

    async def knows_it_no_more(request: web.Request) -> web.StreamResponse:
        answered = await answer(request)
        stale = node.proofs[-1].nonce != NONCE
        said = {"code": "challenge", "message": "old", "remedy": "ask"}
        return web.json_response(said, status=401) if stale else answered

    node.answer = knows_it_no_more  # type: ignore[method-assign]
    assert await nodes.wallets("node1") == []
    assert [proof.nonce for proof in node.proofs] == [NONCE, b"\xee" * 32, NONCE]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "login", Refused),
        (403, "policy", Refused),
        (404, "unknown-key", Refused),
        (503, "busy", Missing),
    ],
)
async def test_an_explained_refusal_keeps_its_code_and_names_the_node(
    fake: tuple[Fake, Nodes], status: int, code: str, kind: type[Abort]
) -> None:
    node, nodes = fake
    node.status = status
    node.body = json.dumps({"code": code, "message": "because", "remedy": "retry"}).encode()
    with pytest.raises(kind, match="node1: because") as error:
        await nodes.wallets("node1")
    assert error.value.parties == ("node1",)
    if isinstance(error.value, Refused):
        assert (error.value.code, error.value.remedy) == (code, Remedy.RETRY)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'[{"record": "!"}]', b'{"a": 1}', b"[" * 10_000])
async def test_what_is_no_answer_is_said_to_be_none(fake: tuple[Fake, Nodes], body: bytes) -> None:
    node, nodes = fake
    node.body = body
    with pytest.raises(Abort) as error:
        await nodes.wallets("node1")
    assert error.value.parties == ("node1",)


async def test_a_record_that_does_not_read_names_the_node(fake: tuple[Fake, Nodes]) -> None:
    node, nodes = fake
    node.body = msgspec.json.encode([{"record": base64.b64encode(b"\x00").decode()}])
    with pytest.raises(Abort, match="node1 answered"):
        await nodes.wallets("node1")


async def test_a_nonce_that_is_none_is_not_signed(fake: tuple[Fake, Nodes]) -> None:
    node, nodes = fake
    node.nonce = "zz"
    with pytest.raises(Abort, match="no answer to that request"):
        await nodes.wallets("node1")
    assert node.proofs == []


async def test_an_endless_answer_is_cut_off(fake: tuple[Fake, Nodes]) -> None:
    node, nodes = fake
    node.body = b"[" + b" " * (2 * MAX_ANSWER_BYTES) + b"]"
    with pytest.raises(Abort):
        await nodes.wallets("node1")


async def test_readiness_is_a_plain_yes_or_no(fake: tuple[Fake, Nodes]) -> None:
    node, nodes = fake
    assert await nodes.ready("node1")
    node.status = 503
    assert not await nodes.ready("node1")


async def test_a_node_that_is_not_there_is_missing_by_name() -> None:
    row = NodeRow("node1", "http://127.0.0.1:9", NODE.public.to_bytes().hex())
    nodes = Nodes(Network.of("test", Quorums(1, 0, 0, 0), [row]), DEVICE, lambda: b"")
    try:
        for asked in (nodes.connect("node1"), nodes.wallets("node1"), nodes.make_instances("node1")):
            with pytest.raises(Missing, match="node1 cannot be reached") as error:
                await asked
            assert error.value.parties == ("node1",)
        assert not await nodes.ready("node1")
    finally:
        await nodes.close()
