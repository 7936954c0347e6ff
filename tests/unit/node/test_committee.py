"""A node's committee: configured at first, then what its vault has learned; and what a change needs."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from litestar.testing import AsyncTestClient
from msgspec import structs
from tests.support.successions import activation, keys_of, next_record, renewal, succession

from quorate.account.committee import Activation, Succession
from quorate.encoding import decode
from quorate.entropy import system_rng
from quorate.errors import ProofRejected, Refused, Unavailable
from quorate.node.app import make_app
from quorate.node.committee import Committee, configured_record
from quorate.session import KeyPair
from quorate.testing.committee import LocalCommittee


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path)
    yield made
    await made.close()


def of(nodes: LocalCommittee, name: str = "node1") -> Committee:
    return nodes.nodes[name].committee


async def test_it_begins_with_what_the_operator_wrote(nodes: LocalCommittee) -> None:
    committee = of(nodes)
    assert committee.record == configured_record(nodes.nodes["node1"].config)
    assert (committee.epoch, committee.names, committee.chain) == (0, nodes.names, ())
    assert committee.identities == nodes.identities
    assert committee.keys.public == nodes.identities["node1"]
    assert committee.others == nodes.names[1:]
    assert committee.activation is None


async def test_after_a_change_everything_is_of_the_new_epoch_also_after_a_restart(
    nodes: LocalCommittee,
) -> None:
    change, proof = renewal(nodes, ("node2", "node1", "node3", "node4", "node5"))
    called: list[int] = []
    committee = of(nodes)
    committee.follow(lambda: called.append(committee.epoch))
    committee.succeed([change], proof)
    committee.succeed([change], proof)
    assert called == [1]
    before = committee.root
    await nodes.stop("node1")
    nodes.start("node1")
    for known in (committee, of(nodes)):
        assert (known.epoch, known.names[0], known.activation) == (1, "node2", proof)
        assert known.chain == (change,)
        assert known.keys.public == known.identities["node1"] != before.identities["node1"]
        assert known.keys.public.verifying == before.identities["node1"].verifying
        assert (known.at(0), known.at(1), known.at(2)) == (before, change.record, None)


async def test_an_aborted_transaction_leaves_the_old_committee(nodes: LocalCommittee) -> None:
    change, proof = renewal(nodes)
    committee, vault = of(nodes), nodes.nodes["node1"].vault

    class Crash(Exception):
        pass

    with pytest.raises(Crash), vault.transaction():
        committee.succeed([change], proof)
        assert committee.epoch == 0
        raise Crash
    assert committee.epoch == 0
    assert Committee(nodes.nodes["node1"].config, vault, system_rng).epoch == 0


async def test_a_record_that_was_not_activated_is_not_adopted(nodes: LocalCommittee) -> None:
    change, proof = renewal(nodes)
    committee = of(nodes)
    with pytest.raises(ProofRejected, match="signatures"):
        committee.succeed([change], structs.replace(proof, signatures=proof.signatures[:3]))
    other, _ = renewal(nodes, nodes.names[::-1])
    with pytest.raises(ProofRejected, match="another epoch"):
        committee.succeed([other], proof)
    assert committee.epoch == 0


async def test_a_record_that_too_few_signed_is_not_adopted(nodes: LocalCommittee) -> None:
    change, proof = renewal(nodes)
    few = {name: nodes.nodes[name].identity for name in nodes.names[:3]}
    with pytest.raises(ProofRejected):
        of(nodes).succeed([succession(change.record, few)], proof)
    assert of(nodes).epoch == 0


async def test_a_node_that_was_left_out_takes_no_sessions(nodes: LocalCommittee) -> None:
    joined = KeyPair.generate(system_rng)
    parent = of(nodes).record
    fresh = {name: keys_of(nodes, name, 1) for name in nodes.names[1:]} | {"node6": joined}
    record = next_record(parent, fresh, degree=2)
    old = {name: nodes.nodes[name].identity for name in nodes.names}
    of(nodes).succeed([succession(record, old)], activation(record, fresh))
    assert not of(nodes).is_member
    assert of(nodes).keys.public not in record.identities.values()
    with pytest.raises(Unavailable, match="not of the committee"):
        of(nodes).url("node1")
    with pytest.raises(Refused) as refused:
        await nodes.nodes["node1"].ensure("node2", 0)
    assert refused.value.code == "committee"


async def test_keys_of_an_epoch_that_is_over_can_be_erased(nodes: LocalCommittee) -> None:
    committee = of(nodes)
    change, proof = renewal(nodes)
    committee.succeed([change], proof)
    committee.erase_keys(0)
    with pytest.raises(Unavailable, match="erased"):
        committee.keys_of(0)
    assert committee.keys_of(1).public == committee.keys.public


async def test_a_node_that_waits_to_be_taken_in_has_the_keys_it_was_made_with(
    nodes: LocalCommittee,
) -> None:
    node = nodes.nodes["node5"]
    peers = {name: peer for name, peer in node.config.committee.items() if name != "node5"}
    four = replace(node.config.quorums, nodes=4, degree=1, liars=0, away=0)
    known = {name: nodes.identities[name] for name in peers}
    config = replace(node.config, committee=peers, identities=known, quorums=four)
    waiting = Committee(config, node.vault, system_rng)
    assert not waiting.is_member
    assert waiting.keys.public == nodes.identities["node5"]


async def test_a_node_shows_how_the_committee_came_to_be_and_what_put_it_in_force(
    nodes: LocalCommittee,
) -> None:
    change, proof = renewal(nodes)
    of(nodes).succeed([change], proof)
    async with AsyncTestClient(make_app(nodes.nodes["node1"])) as client:
        told = (await client.get("/v1/committee", params={"since": 0})).json()
        none = (await client.get("/v1/committee", params={"since": 1})).json()
        network = (await client.get("/v1/network")).json()
    nodes.nodes.pop("node1")  # the application's lifespan has closed it
    assert told["epoch"] == none["epoch"] == network["epoch"] == 1
    assert [decode(Succession, base64.b64decode(one)) for one in told["successions"]] == [change]
    assert decode(Activation, base64.b64decode(told["activation"])) == proof
    assert none["successions"] == []
    assert network["identity"] == change.record.identities["node1"].to_bytes().hex()
