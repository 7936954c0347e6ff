"""The switch of a node's keys to the next committee epoch: all at once, or not at all; and what is erased."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs
from tests.support.owner import Owner
from tests.support.successions import keys_of, renewal, reshare_by_hand

from quorate.account import KeyRecord
from quorate.account.carrying import carried_share, check_carried
from quorate.account.pool import Ask, Claim
from quorate.account.presets import DEVICE
from quorate.chains.ethereum.requests import message
from quorate.chains.registry import Chains
from quorate.errors import AlreadyUsed, LocalError, Malformed, Refused, Unavailable
from quorate.schemes.ecdsa import verify
from quorate.sharing.epochs import committee_epoch, epoch_number
from quorate.sharing.formation import Formed
from quorate.testing.committee import LocalCommittee

CHAINS = Chains()


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path)
    yield made
    await made.close()


async def live_wallet(nodes: LocalCommittee) -> tuple[Owner, Formed, KeyRecord]:
    owner = Owner(nodes)
    formed, record, signatures = await owner.form()
    owner.make_live(formed, signatures)
    return owner, formed, record


async def signs(owner: Owner, formed: Formed, record: KeyRecord, quorum: tuple[str, ...]) -> None:
    for node in quorum:
        if node not in owner.pairs:
            await owner.set_up(node)
    payload = message("hello", CHAINS.address("eip155:1", record.public_key), "eip155:1")
    digest = CHAINS.decode(payload, record.public_key).digest
    verify(record.point, digest, await owner.sign(formed, quorum, payload, digest))


def carried(formed: Formed, record: KeyRecord) -> Formed:
    return replace(formed, share=carried_share(formed.share, record))


async def test_a_wallet_signs_with_the_reshared_key_and_its_old_epoch_is_refused(
    nodes: LocalCommittee,
) -> None:
    owner, formed, record = await live_wallet(nodes)
    await signs(owner, formed, record, ("node1", "node3", "node4"))
    change, proof = renewal(nodes)
    reshare_by_hand(nodes, change, proof)
    after = nodes.nodes["node2"].keybook.record(record.key)
    check_carried(record, after, change.record)
    with pytest.raises(Refused) as late:
        nodes.nodes["node2"].keybook.share(record)
    assert late.value.code == "epoch"
    assert (after.public_key, after.factors) == (record.public_key, record.factors)
    assert after.epoch == epoch_number(1, 0)
    with pytest.raises(Refused) as refused:
        await signs(owner, formed, record, ("node1", "node3", "node4"))
    assert refused.value.code in ("epoch", "roster")
    await signs(owner, carried(formed, after), after, ("node1", "node3", "node4"))


async def test_a_larger_committee_signs_also_with_its_new_members(nodes: LocalCommittee) -> None:
    owner, formed, record = await live_wallet(nodes)
    for name in ("node6", "node7", "node8"):
        nodes.add(name)
    names = (*nodes.names[1:], "node6", "node7", "node8")
    change, proof = renewal(nodes, names, degree=3)
    reshare_by_hand(nodes, change, proof)
    after = nodes.nodes["node8"].keybook.record(record.key)
    check_carried(record, after, change.record)
    await signs(owner, carried(formed, after), after, ("node3", "node6", "node7", "node8"))
    left_out = nodes.nodes["node1"]
    assert left_out.keybook.holdings() == []
    assert left_out.records_of(owner.account) == []
    with pytest.raises(Unavailable, match="erased"):
        left_out.vault.shares.get(record.key.hex(), 0)


async def test_a_wallet_that_is_being_finished_is_finished_in_the_next_epoch(nodes: LocalCommittee) -> None:
    owner = Owner(nodes)
    formed, record, signatures = await owner.form()
    nodes.add("node6")
    change, proof = renewal(nodes, (*nodes.names[:4], "node6"))
    # nobody says that it is live, and none of the nodes knows that it is
    holding = nodes.nodes["node2"].keybook.holdings()
    assert [h.record for h in holding] == [record]
    reshare_by_hand(nodes, change, proof, live=False)
    with pytest.raises(Refused):
        nodes.nodes["node6"].keybook.record(record.key)
    nodes.nodes.pop("node5")
    owner.make_live(formed, signatures)
    after = nodes.nodes["node6"].keybook.record(record.key)
    check_carried(record, after, change.record)
    await signs(owner, carried(formed, after), after, ("node1", "node3", "node6"))


async def test_old_shares_and_their_presignatures_are_erased_with_the_switch(nodes: LocalCommittee) -> None:
    _, _, record = await live_wallet(nodes)
    node = nodes.nodes["node1"]
    key, now = record.key.hex(), node.clock()
    node.vault.presignatures.put(
        b"p" * 32, b"value", key=key, epoch=0, signers=["node1"], pairs={}, expires=now + 60, now=now
    )
    change, proof = renewal(nodes)
    reshare_by_hand(nodes, change, proof)
    assert node.vault.presignatures.ready(key, 0, ["node1"], now) == []
    assert not node.vault.data_keys.exists(f"epoch:{key}:0")
    with pytest.raises(Unavailable, match="erased"):
        node.vault.shares.get(key, 0)
    assert node.vault.shares.active_epoch(key) == epoch_number(1, 0)


async def test_a_crash_in_the_switch_leaves_the_old_epoch_whole(nodes: LocalCommittee) -> None:
    owner, formed, record = await live_wallet(nodes)
    change, proof = renewal(nodes)
    node = nodes.nodes["node1"]

    class Crash(Exception):
        pass

    leave = node.keybook.leave_behind

    def crash(epoch: int) -> None:
        leave(epoch)
        raise Crash

    node.keybook.leave_behind = crash  # type: ignore[method-assign]
    with pytest.raises(Crash):
        reshare_by_hand(nodes, change, proof, switch=["node1"])
    assert (node.committee.epoch, node.keybook.record(record.key)) == (0, record)
    await nodes.stop("node1")
    nodes.start("node1")
    nodes.follow(nodes.nodes["node1"].committee.record)
    await signs(owner, formed, record, ("node1", "node2", "node3"))
    again = nodes.nodes["node1"]
    again.carrying.switch([change], proof)
    again.carrying.switch([change], proof)
    assert again.keybook.record(record.key).epoch == epoch_number(1, 0)
    assert again.keybook.share(again.keybook.record(record.key)).me == "node1"


async def test_what_was_not_reshared_is_of_no_more_use_and_is_erased(nodes: LocalCommittee) -> None:
    owner, _, record = await live_wallet(nodes)
    change, proof = renewal(nodes)
    node = nodes.nodes["node1"]
    node.carrying.switch([change], proof)
    assert node.committee.epoch == 1
    with pytest.raises(Refused) as refused:
        node.keybook.record(record.key)
    assert refused.value.code == "unknown-key"
    assert node.records_of(owner.account) == []
    with pytest.raises(Unavailable, match="erased"):
        node.vault.shares.get(record.key.hex(), 0)


async def test_a_node_that_was_dealt_nothing_knows_the_key_and_has_no_share(nodes: LocalCommittee) -> None:
    _, _, record = await live_wallet(nodes)
    change, proof = renewal(nodes)
    reshare_by_hand(nodes, change, proof, without_share=["node2"])
    behind = nodes.nodes["node2"]
    after = behind.keybook.record(record.key)
    assert after == nodes.nodes["node1"].keybook.record(record.key)
    with pytest.raises(Unavailable):
        behind.keybook.share(after)


async def test_an_abandoned_change_leaves_nothing_and_the_old_epoch_live(nodes: LocalCommittee) -> None:
    owner, formed, record = await live_wallet(nodes)
    change, proof = renewal(nodes)
    reshare_by_hand(nodes, change, proof, switch=())
    for node in nodes.nodes.values():
        node.carrying.abandon(1)
        node.carrying.abandon(1)
        assert list(node.vault.shares.epochs(record.key.hex())) == [0]
    await signs(owner, formed, record, ("node1", "node2", "node3"))
    # with fresh randomness the same epoch can be tried again
    reshare_by_hand(nodes, change, proof)
    after = nodes.nodes["node1"].keybook.record(record.key)
    await signs(owner, carried(formed, after), after, ("node1", "node2", "node3"))


async def test_a_second_staging_of_something_else_is_refused(nodes: LocalCommittee) -> None:
    _, _, record = await live_wallet(nodes)
    change, proof = renewal(nodes)
    reshare_by_hand(nodes, change, proof, switch=())
    with pytest.raises((AlreadyUsed, LocalError)):
        reshare_by_hand(nodes, change, proof, switch=())
    assert committee_epoch(record.epoch) == 0


async def test_a_carried_record_differs_in_its_committee_alone(nodes: LocalCommittee) -> None:
    _, _, record = await live_wallet(nodes)
    change, proof = renewal(nodes)
    reshare_by_hand(nodes, change, proof)
    after = nodes.nodes["node1"].keybook.record(record.key)
    for field, value in {
        "account": b"a" * 32,
        "public_key": after.committee[0].public_share,
        "chain_code": b"c" * 32,
        "epoch": after.epoch + 1,
        "factors": (structs.replace(after.factors[0], keys=after.committee[0].keys),),
        "committee": (
            structs.replace(after.committee[0], keys=record.committee[0].keys),
            *after.committee[1:],
        ),
    }.items():
        with pytest.raises(Malformed):
            check_carried(record, structs.replace(after, **{field: value}), change.record)
    other = structs.replace(
        after,
        committee=(structs.replace(after.committee[0], public_share=after.public_key), *after.committee[1:]),
    )
    with pytest.raises(Malformed, match="polynomial"):
        check_carried(record, other, change.record)
    with pytest.raises(Malformed, match="another committee epoch"):
        check_carried(after, record, change.record)
    assert DEVICE in after.access.factors
    assert keys_of(nodes, "node1", 1).public == change.record.identities["node1"]


async def test_nothing_is_given_away_or_begun_while_the_committee_changes(nodes: LocalCommittee) -> None:
    owner = Owner(nodes)
    formed, _, signatures = await owner.form()
    node = nodes.nodes["node1"]
    offered = node.pool.offer(owner.account, Ask("secp256k1"))
    claim = Claim(0, "secp256k1", offered.free[-1:], b"c" * 32)
    node.committee.changing = True
    with pytest.raises(Refused) as refused:
        node.pool.vote(owner.account, claim)
    assert refused.value.code == "changing"
    with pytest.raises(Refused) as refused:
        await owner.form()
    assert refused.value.code == "changing"
    node.committee.changing = False
    assert node.pool.vote(owner.account, claim).votes[0].signature
    # what this node has shown to the others is what it holds: nothing is added to it
    services = node._services
    services.check_epoch(formed_record_of(nodes, formed))
    node.committee.frozen = True
    with pytest.raises(Refused) as refused:
        services.check_epoch(formed_record_of(nodes, formed))
    assert refused.value.code == "epoch"
    assert signatures


def formed_record_of(nodes: LocalCommittee, formed: Formed) -> KeyRecord:
    (holding,) = nodes.nodes["node1"].keybook.holdings()
    assert holding.record.key == formed.share.key_id
    return holding.record
