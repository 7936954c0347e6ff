"""The node's HTTP face: resources, errors a client can act on, and limits."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import AsyncTestClient
from tests.support.owner import Owner

from quorate.account import KeyRecord
from quorate.account.register import Reply
from quorate.account.register.messages import Head, Headed
from quorate.encoding import decode, encode
from quorate.identity import prove_request
from quorate.metadata.service import MAX_QUESTION_BYTES
from quorate.node import limits
from quorate.node.app import make_app
from quorate.testing.committee import LocalCommittee

Client = AsyncTestClient[Any]


@pytest.fixture
async def committee(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path)
    yield made
    await made.close()


@pytest.fixture
async def client(committee: LocalCommittee) -> AsyncIterator[Client]:
    async with AsyncTestClient(make_app(committee.nodes["node1"])) as client:
        yield client
    committee.nodes.pop("node1")  # the application's lifespan has closed it


async def nonce(client: Client) -> bytes:
    return bytes.fromhex((await client.get("/v1/challenge")).json()["nonce"])


async def wallets(client: Client, owner: Owner, with_nonce: bytes) -> Any:
    node = owner.committee.identities["node1"]
    proof = prove_request(owner.keys, owner.token, node, "GET", "/v1/wallets", b"", with_nonce)
    return await client.get("/v1/wallets", headers={"quorate-proof": base64.b64encode(proof).decode()})


async def asked(client: Client, owner: Owner, question: bytes) -> Any:
    """A question of a register, with the owner's proof."""
    node = owner.committee.identities["node1"]
    fresh = await nonce(client)
    proof = prove_request(owner.keys, owner.token, node, "POST", "/v1/register", question, fresh)
    headers = {"quorate-proof": base64.b64encode(proof).decode()}
    return await client.post("/v1/register", content=question, headers=headers)


async def test_health_and_readiness_answer(client: Client, committee: LocalCommittee) -> None:
    assert (await client.get("/v1/health")).json()["name"] == "node1"
    assert (await client.get("/v1/ready")).json() == {"ready": True, "reason": ""}
    committee.nodes["node1"].closing = True
    refused = await client.get("/v1/ready")
    assert refused.status_code == 503
    assert refused.json()["reason"] == "shutting down"


async def test_the_network_is_described(client: Client, committee: LocalCommittee) -> None:
    view = (await client.get("/v1/network")).json()
    assert (view["degree"], view["echo_quorum"], view["ready_quorum"]) == (2, 4, 4)
    assert [member["name"] for member in view["committee"]] == list(committee.names)
    assert view["identity"] == committee.identities["node1"].to_bytes().hex()


async def test_metrics_are_prometheus_text(client: Client) -> None:
    await client.get("/v1/challenge")
    answer = await client.get("/v1/metrics")
    assert answer.headers["content-type"].startswith("text/plain")


async def test_the_openapi_description_names_every_resource(client: Client) -> None:
    paths = (await client.get("/schema/openapi.json")).json()["paths"]
    assert {"/v1/health", "/v1/network", "/v1/wallets", "/v1/instances", "/v1/register"} <= set(paths)


@pytest.mark.parametrize("path", ["/schema", "/schema/swagger", "/schema/redoc", "/schema/elements"])
async def test_no_page_of_a_node_loads_scripts_of_others(client: Client, path: str) -> None:
    assert "<script" not in (await client.get(path)).text


async def test_a_decided_key_is_live_and_listed_to_its_owner(
    client: Client, committee: LocalCommittee
) -> None:
    owner = Owner(committee)
    formed, record, signatures = await owner.form()
    owner.make_live(formed, signatures)
    listed = (await wallets(client, owner, await nonce(client))).json()
    assert decode(KeyRecord, base64.b64decode(listed[0]["record"])) == record
    stranger = Owner(committee, user="mallory")
    assert (await wallets(client, stranger, await nonce(client))).json() == []


async def test_the_register_answers_its_account_and_gives_the_next_nonce(
    client: Client, committee: LocalCommittee
) -> None:
    owner, stranger = Owner(committee), Owner(committee, user="mallory")
    formed, _, signatures = await owner.form()
    owner.make_live(formed, signatures)
    question = encode(Head(owner.account, 0, bytes(32), bytes(32)))
    answer = await asked(client, owner, question)
    assert answer.status_code == 200, answer.text
    head: Reply = decode(Reply, answer.content)  # type: ignore[arg-type]
    assert isinstance(head, Headed)
    assert (head.version, len(bytes.fromhex(answer.headers["quorate-nonce"]))) == (1, 32)
    refused = await asked(client, stranger, question)
    assert (refused.status_code, refused.json()["code"]) == (403, "account")
    assert (await client.post("/v1/register", content=question)).status_code == 401
    assert (await asked(client, owner, b"\xc1")).status_code == 400
    large = await client.post("/v1/register", content=bytes(MAX_QUESTION_BYTES + 1))
    assert large.status_code == 413


async def test_a_proof_is_good_for_one_request(client: Client, committee: LocalCommittee) -> None:
    owner = Owner(committee)
    fresh = await nonce(client)
    assert (await wallets(client, owner, fresh)).status_code == 200
    again = await wallets(client, owner, fresh)
    assert (again.status_code, again.json()["code"]) == (401, "challenge")
    unknown = await wallets(client, owner, bytes(32))
    assert (unknown.status_code, unknown.json()["code"]) == (401, "challenge")


async def test_without_a_proof_nothing_is_listed(client: Client) -> None:
    for headers in ({}, {"quorate-proof": "%%%"}, {"quorate-proof": "AAAA"}):
        answer = await client.get("/v1/wallets", headers=headers)
        assert answer.status_code in (400, 401)
        assert answer.json()["remedy"] == "ask"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"request": 1}', b'{"request": "AAAA", "more": 1}', b'{"request": "\xff"}', b"\xff"],
)
async def test_a_body_that_does_not_read_is_a_clear_error(client: Client, body: bytes) -> None:
    answer = await client.post("/v1/pool/offer", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["message"]


async def test_a_body_beyond_the_limit_is_not_read(client: Client) -> None:
    body = json.dumps({"request": "A" * (limits.MAX_BODY_BYTES + 1)}).encode()
    answer = await client.post("/v1/pool/offer", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 413


async def test_challenges_are_bounded_and_the_oldest_go_first(committee: LocalCommittee) -> None:
    challenges = committee.nodes["node1"].challenges
    first = challenges.give()
    for _ in range(limits.MAX_CHALLENGES):
        last = challenges.give()
    with pytest.raises(Exception, match="unknown, used or old"):
        challenges.take(first)
    challenges.take(last)
