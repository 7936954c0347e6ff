"""Operators' requests: who may make them, what each does, and that nothing else passes for one."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import AsyncTestClient

from quorate.encoding import encode
from quorate.entropy import system_rng
from quorate.identity import prove_request
from quorate.node.app import make_app
from quorate.node.epochs.talk import Plan
from quorate.session import KeyPair
from quorate.testing.committee import LocalCommittee

Client = AsyncTestClient[Any]
OPERATOR = KeyPair.generate(system_rng)
APPROVE, CHANGE = "/v1/committee/approve", "/v1/committee/change"


@pytest.fixture
async def committee(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path, stock=0)
    for node in made.nodes.values():
        node.config = replace(node.config, operator_key=OPERATOR.public)
    yield made
    await made.close()


@pytest.fixture
async def client(committee: LocalCommittee) -> AsyncIterator[Client]:
    async with AsyncTestClient(make_app(committee.nodes["node1"])) as client:
        yield client
    committee.nodes.pop("node1")  # the application's lifespan has closed it


def body_of(plan: Plan | None) -> bytes:
    return msgspec.json.encode({"plan": "" if plan is None else base64.b64encode(encode(plan)).decode()})


async def ask(
    client: Client,
    committee: LocalCommittee,
    path: str,
    plan: Plan | None,
    *,
    key: KeyPair = OPERATOR,
    node: str = "node1",
    nonce: bytes | None = None,
    proven: bytes | None = None,
) -> Any:
    fresh = bytes.fromhex((await client.get("/v1/challenge")).json()["nonce"]) if nonce is None else nonce
    body = body_of(plan)
    covered = body if proven is None else proven
    proof = prove_request(key, b"operator", committee.identities[node], "POST", path, covered, fresh)
    headers = {"quorate-operator": base64.b64encode(proof).decode(), "content-type": "application/json"}
    return await client.post(path, content=body, headers=headers)


async def test_anybody_sees_how_far_a_change_has_come(client: Client) -> None:
    view = (await client.get(CHANGE)).json()
    assert (view["live"], view["epoch"], view["stage"]) == (0, 0, "idle")


async def test_the_operator_approves_a_committee_and_only_that_is_signed_afterwards(
    client: Client, committee: LocalCommittee
) -> None:
    node = committee.nodes["node1"]
    plan = replace_degree(Plan.of(node.committee.record))
    assert (await ask(client, committee, APPROVE, plan)).status_code == 200
    assert node.epochs.store.approved(Plan.of(node.committee.record).digest) == plan.digest
    assert node.epochs.store.approved(b"x" * 32) is None


def replace_degree(plan: Plan) -> Plan:
    return msgspec.structs.replace(plan, liars=0, away=1)


async def test_nobody_else_approves_or_changes_anything(client: Client, committee: LocalCommittee) -> None:
    node = committee.nodes["node1"]
    plan = Plan.of(node.committee.record)
    stranger = KeyPair.generate(system_rng)
    used = bytes.fromhex((await client.get("/v1/challenge")).json()["nonce"])
    assert (await ask(client, committee, APPROVE, plan, nonce=used)).status_code == 200
    answers = [
        await ask(client, committee, CHANGE, plan, key=stranger),
        await ask(client, committee, CHANGE, plan, node="node2"),
        await ask(client, committee, CHANGE, plan, nonce=used),
        await ask(client, committee, CHANGE, plan, nonce=bytes(32)),
        await ask(client, committee, CHANGE, plan, proven=body_of(None)),
        await client.post(CHANGE, content=body_of(None), headers={"content-type": "application/json"}),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert node.driver._driving is None


async def test_a_node_without_an_operator_key_takes_no_such_requests(
    client: Client, committee: LocalCommittee
) -> None:
    node = committee.nodes["node1"]
    node.config = replace(node.config, operator_key=None)
    refused = await ask(client, committee, CHANGE, None)
    assert (refused.status_code, refused.json()["code"]) == (401, "operator")


@pytest.mark.parametrize("text", ["%", base64.b64encode(b"no plan").decode()])
async def test_what_is_no_plan_is_refused(client: Client, committee: LocalCommittee, text: str) -> None:
    fresh = bytes.fromhex((await client.get("/v1/challenge")).json()["nonce"])
    body = msgspec.json.encode({"plan": text})
    node = committee.identities["node1"]
    proof = prove_request(OPERATOR, b"operator", node, "POST", APPROVE, body, fresh)
    headers = {"quorate-operator": base64.b64encode(proof).decode(), "content-type": "application/json"}
    assert (await client.post(APPROVE, content=body, headers=headers)).status_code == 400
    assert (await ask(client, committee, APPROVE, None)).status_code == 400


async def test_a_plan_of_another_network_is_refused(client: Client, committee: LocalCommittee) -> None:
    plan = msgspec.structs.replace(Plan.of(committee.nodes["node1"].committee.record), network="other")
    assert (await ask(client, committee, APPROVE, plan)).json()["code"] == "plan"


async def test_a_change_that_cannot_be_made_says_why_and_one_is_made_at_a_time(
    client: Client, committee: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quorate.node.epochs.driver.ANSWER_SECONDS", 0.5)
    assert (await ask(client, committee, CHANGE, None)).status_code == 200
    assert (await ask(client, committee, CHANGE, None)).json()["code"] == "busy"
    for _ in range(100):
        view = (await client.get(CHANGE)).json()
        if view["stage"] == "failed":
            break
        await asyncio.sleep(0.05)
    assert "no answer from node2, node3, node4, node5" in view["text"]
    assert "quorate_epoch_changes_failed_total 1" in (await client.get("/v1/metrics")).text
