"""Pool keys over a node's HTTP face: a login each time, two round trips, durable before it is said."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import AsyncTestClient
from tests.support.owner import Owner

from quorate.account.pool import WINDOW, Ask, Claim, Offered, Votes
from quorate.account.presets import DEVICE, formation_structure
from quorate.encoding import Canonical, decode, encode
from quorate.entropy import system_rng
from quorate.errors import Malformed, Refused
from quorate.groups import SECP256K1
from quorate.identity import prove_request
from quorate.node.app import make_app
from quorate.node.callers import DeviceCaller
from quorate.sharing.formation import DECLARATION as FORMATION
from quorate.sharing.formation import DeviceSecret
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


async def test_a_key_in_a_formation_takes_no_second_one_and_is_free_again_when_it_failed(
    committee: LocalCommittee,
) -> None:
    owner, node = Owner(committee), committee.nodes["node1"]
    secret = DeviceSecret.draw(SECP256K1, system_rng)
    place: dict[str, Any] = {"network": committee.network, "account": owner.account, "index": 0}
    commitment = secret.commitment(SECP256K1, **place)
    grants = committee.grants(owner.account, commitment, 2)
    node.pool.redeem(owner.account, CURVE, commitment, grants[:1])
    with pytest.raises(Refused) as refused:
        node.pool.redeem(owner.account, CURVE, commitment, grants)
    assert refused.value.code == "pool-held"
    structure = formation_structure(committee.names, committee.quorums.degree)
    payload = encode(secret.request(SECP256K1, **place, structure=structure, grants=grants[1:]))
    proposal = owner.proposal(FORMATION, ("node1", DEVICE), payload=payload, roster=bytes(32))
    spec = proposal.with_nonces({"node1": bytes(32), DEVICE: bytes(32)})
    caller = DeviceCaller(owner.account, owner.keys.public, 0)
    with pytest.raises(Malformed):  # the identities are not the agreed ones: the session never begins
        await node.offer(spec).open(caller, spec, owner.roster(spec.parties))
    node.pool.release(CURVE, grants[:1])
    assert len(node.pool.redeem(owner.account, CURVE, commitment, grants)) == 2


@pytest.mark.parametrize("wrong", ["account", "commitment", "curve", "position", "epoch", "signature"])
async def test_a_certificate_over_anything_else_redeems_nothing(
    committee: LocalCommittee, wrong: str
) -> None:
    node, commitment = committee.nodes["node1"], system_rng(32)
    asked: dict[str, Any] = {"account": system_rng(32), "curve": CURVE, "commitment": commitment}
    (grant,) = committee.grants(asked["account"], commitment, 1)
    changes: dict[str, Any] = {
        "position": grant.position + 1,
        "epoch": 7,
        "signature": (("node1", bytes(64)),),
    }
    if wrong in changes:
        field = "signatures" if wrong == "signature" else wrong
        grant = msgspec.structs.replace(grant, **{field: changes[wrong]})
    else:
        asked[wrong] = "ed25519" if wrong == "curve" else system_rng(32)
    with pytest.raises(Refused) as refused:
        node.pool.redeem(asked["account"], asked["curve"], asked["commitment"], (grant,))
    assert refused.value.code == "certificate"
    assert node.vault.pool.kept() == []
