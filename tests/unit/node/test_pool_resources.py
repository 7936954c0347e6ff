"""Pool keys over a node's HTTP face: a login each time, two round trips, durable before it is said."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import AsyncTestClient
from tests.support.owner import Owner

from quorate.account.pool import WINDOW, Ask, Claim, Offered, Votes
from quorate.encoding import Canonical, decode, encode
from quorate.entropy import system_rng
from quorate.identity import prove_request
from quorate.node.app import make_app
from quorate.sharing.statements import KeyAssigned, to_sign
from quorate.testing.committee import LocalCommittee
from quorate.vault.pool import KeyState, PoolIndex

CURVE = "secp256k1"
Client = AsyncTestClient[Any]


@pytest.fixture
async def committee(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path, size=1, degree=0, stock=0)
    made.stock(WINDOW + 6)
    yield made
    await made.close()


@pytest.fixture
async def client(committee: LocalCommittee) -> AsyncIterator[Client]:
    async with AsyncTestClient(make_app(committee.nodes["node1"])) as client:
        yield client
    committee.nodes.pop("node1")  # the application's lifespan has closed it


async def nonce(client: Client) -> bytes:
    return bytes.fromhex((await client.get("/v1/challenge")).json()["nonce"])


async def post(client: Client, owner: Owner, verb: str, asked: Canonical, fresh: bytes) -> Any:
    path = f"/v1/pool/{verb}"
    body = json.dumps({"request": base64.b64encode(encode(asked)).decode()}).encode()
    node = owner.committee.identities["node1"]
    proof = prove_request(owner.keys, owner.token, node, "POST", path, body, fresh)
    headers = {"quorate-proof": base64.b64encode(proof).decode(), "content-type": "application/json"}
    return await client.post(path, content=body, headers=headers)


async def test_an_offer_is_followed_by_a_claim_with_the_nonce_that_came_along(
    client: Client, committee: LocalCommittee
) -> None:
    owner, commitment = Owner(committee), system_rng(32)
    answer = await post(client, owner, "offer", Ask(CURVE), await nonce(client))
    assert answer.status_code == 200, answer.text
    offered = decode(Offered, base64.b64decode(answer.json()["answer"]))
    assert (len(offered.free), offered.own) == (WINDOW, ())
    claim = Claim(0, CURVE, offered.free[:2], commitment)
    answer = await post(client, owner, "claim", claim, bytes.fromhex(answer.headers["quorate-nonce"]))
    votes = decode(Votes, base64.b64decode(answer.json()["answer"])).votes
    for index, vote in zip(claim.indices, votes, strict=True):
        statement = KeyAssigned(committee.network, 0, CURVE, *index, owner.account, commitment)
        committee.identities["node1"].verify(to_sign(statement), vote.signature)
        key = committee.nodes["node1"].vault.pool.get(PoolIndex(CURVE, *index))
        assert key is not None
        assert (key.state, key.account) == (KeyState.SIGNED, owner.account)
    answer = await post(client, owner, "offer", Ask(CURVE), bytes.fromhex(answer.headers["quorate-nonce"]))
    offered = decode(Offered, base64.b64decode(answer.json()["answer"]))
    assert {(own.index, own.held) for own in offered.own} == {(index, True) for index in claim.indices}
    assert not set(claim.indices) & set(offered.free)
    assert 'pool_votes_total{outcome="signed"} 2' in (await client.get("/v1/metrics")).text


@pytest.mark.parametrize("verb", ["offer", "claim"])
async def test_nobody_learns_or_claims_anything_without_a_login(
    client: Client, committee: LocalCommittee, verb: str
) -> None:
    owner = Owner(committee)
    asked = Ask(CURVE) if verb == "offer" else Claim(0, CURVE, ((1, 0),), system_rng(32))
    body = {"request": base64.b64encode(encode(asked)).decode()}
    assert (await client.post(f"/v1/pool/{verb}", json=body)).status_code == 401
    fresh = await nonce(client)
    assert (await post(client, owner, verb, asked, fresh)).status_code == 200
    again = await post(client, owner, verb, asked, fresh)
    assert (again.status_code, again.json()["code"]) == (401, "challenge")
    owner.token = committee.token("mallory", owner.keys.public)[:-1] + b"x"
    assert (await post(client, owner, verb, asked, await nonce(client))).status_code == 401


@pytest.mark.parametrize("asked", [Ask("p-256"), Claim(0, CURVE, ((1, 0), (1, 0)), bytes(32))])
async def test_what_makes_no_sense_is_refused(
    client: Client, committee: LocalCommittee, asked: Canonical
) -> None:
    owner = Owner(committee)
    verb = "offer" if isinstance(asked, Ask) else "claim"
    answer = await post(client, owner, verb, asked, await nonce(client))
    assert (answer.status_code, answer.json()["code"]) == (403, "payload")
    answer = await post(
        client, owner, verb, KeyAssigned("n", 0, CURVE, 1, 0, bytes(32), bytes(32)), await nonce(client)
    )
    assert answer.status_code == 400
