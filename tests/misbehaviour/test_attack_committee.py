"""Changes of the committee that one liar, a user or a crash at the wrong moment would end for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
from tests.support.owner import Owner
from tests.support.successions import renewal

from quorate.account.carrying import Holding
from quorate.account.changing import PAGE_BYTES, Assembly, Chunk, HeldRow, pages_of
from quorate.account.committee import CommitteeRecord
from quorate.encoding import encode
from quorate.errors import LimitExceeded, Unavailable
from quorate.node.epochs import change as change_module
from quorate.node.epochs import consenting as consenting_module
from quorate.node.epochs import resharing as resharing_module
from quorate.node.epochs.change import EpochChange
from quorate.node.epochs.consenting import lately
from quorate.node.epochs.resharing import MAX_JOINED
from quorate.node.epochs.store import Under
from quorate.node.epochs.talk import AskPages, Choose, Froze, Holds, Plan, Planned
from quorate.node.standing import sessions as sessions_module
from quorate.testing.committee import LocalCommittee
from quorate.transport.links import NotNow

HONEST = ("node1", "node2", "node3", "node4")
LIAR = "node5"


@pytest.fixture
async def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalCommittee]:
    for name, seconds in (
        ("change.GRACE_SECONDS", 1.0),
        ("change.LOOK_SECONDS", 0.1),
        ("listing.CHOICE_SECONDS", 2.0),
        ("listing.ASK_SECONDS", 0.5),
        ("driver.RENEWAL_PAUSE_SECONDS", 0.0),
    ):
        monkeypatch.setattr(f"quorate.node.epochs.{name}", seconds)
    made = LocalCommittee(tmp_path, stock=2)
    yield made
    await made.close()


async def until(done: Callable[[], bool], seconds: float = 60.0) -> None:
    ends = asyncio.get_running_loop().time() + seconds
    while not done():
        assert asyncio.get_running_loop().time() < ends, "it took too long"
        await asyncio.sleep(0.05)


def in_epoch(nodes: LocalCommittee, epoch: int, *names: str) -> bool:
    return all(nodes.nodes[name].committee.epoch == epoch for name in names or HONEST)


async def renew(nodes: LocalCommittee, leader: str = "node2") -> None:
    node = nodes.nodes[leader]
    await node.driver.lead(Plan.of(node.committee.record))
    epoch = node.committee.epoch
    await until(lambda: in_epoch(nodes, epoch))


def coming(nodes: LocalCommittee) -> Under:
    """A certified change that nothing has been said about yet."""
    parent = nodes.nodes["node1"].committee.record
    succession, _ = renewal(nodes)
    return Under(parent, (succession,))


async def test_a_peer_that_takes_nothing_in_keeps_nobody_from_changing(nodes: LocalCommittee) -> None:
    """Its outbox is full everywhere; what is said to all is said to the others, and so are the last words of
    the register."""
    nodes.link()

    def fill(name: str) -> None:
        outbox = nodes.nodes[name].vault.outbox
        put, room = outbox.put, outbox.room

        def refusing(peer: str, *rest: object, **more: object) -> int:
            if peer == LIAR:
                raise LimitExceeded("full")
            return put(peer, *rest, **more)  # type: ignore[arg-type]

        outbox.put = refusing  # type: ignore[assignment]
        outbox.room = lambda peer, *a, **k: peer != LIAR and room(peer, *a, **k)  # type: ignore[method-assign]

    leading = asyncio.create_task(renew(nodes))
    await until(lambda: all(nodes.nodes[name].epochs.under is not None for name in HONEST))
    for name in HONEST:
        fill(name)
    await leading
    await until(lambda: all(nodes.nodes[name].register.service.office.epoch == 1 for name in HONEST))


async def test_a_vote_that_a_crash_kept_from_being_said_is_said_afterwards(
    nodes: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is silent, so all others are needed: nobody's vote may be lost between the slot and the outbox."""
    liar, victim = nodes.nodes[LIAR].epochs, nodes.nodes["node1"].epochs
    monkeypatch.setattr(liar, "_sign_frozen", lambda *_: None)
    monkeypatch.setattr(liar, "_sign_stored", lambda *_: None)
    crashed = []
    put_froze, put_holds = victim.store.put_froze, victim.store.put_holds

    def frail(put: Callable[..., None], kind: str) -> Callable[..., None]:
        def put_once_more(name: str, vote: Froze | Holds) -> None:
            if name == "node1" and kind not in crashed:
                crashed.append(kind)
                raise Unavailable("the disk went away")
            put(name, vote)

        return put_once_more

    monkeypatch.setattr(victim.store, "put_froze", frail(put_froze, "froze"))
    monkeypatch.setattr(victim.store, "put_holds", frail(put_holds, "holds"))
    nodes.link()
    await renew(nodes)
    assert crashed == ["froze", "holds"]


async def test_sessions_of_a_change_are_not_given_up_nor_retired_before_the_switch(
    nodes: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are begun once. A liar who lets one of them stand for a week would have ended it for good."""
    for name in ("RUNNING_SECONDS", "LINGER_SECONDS", "MAX_LINGERING"):
        monkeypatch.setattr(sessions_module, name, 0)
    nodes.link()
    await renew(nodes)
    await until(lambda: not nodes.nodes["node1"].standing.status())


async def test_nobody_is_made_to_begin_late_chunks_before_early_ones(
    nodes: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(MAX_JOINED + 1):
        nodes.stock(1)

    async def nothing(*_: object) -> None:
        return

    monkeypatch.setattr(EpochChange, "_reshare", nothing)
    nodes.link()
    node = nodes.nodes["node2"]
    leading = asyncio.create_task(node.driver.lead(Plan.of(node.committee.record)))
    await until(lambda: node.epochs._assembly is not None)
    resharing = node.epochs.resharing
    specs = resharing.specs()
    assert len(specs) == MAX_JOINED + 2
    resharing.consider(specs[MAX_JOINED - 1], LIAR)
    with pytest.raises(NotNow, match="earlier chunks"):
        resharing.consider(specs[MAX_JOINED], LIAR)
    node.epochs.store.put_result(0, bytes(32))
    resharing.consider(specs[MAX_JOINED], LIAR)
    leading.cancel()


async def test_more_chunks_than_run_at_once_are_reshared_all(
    nodes: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resharing_module, "MAX_JOINED", 1)
    monkeypatch.setattr(change_module, "MAX_AT_ONCE", 1)
    for _ in range(3):
        nodes.stock(1)
    nodes.link()
    await renew(nodes)
    assert len(nodes.nodes["node1"].vault.pool.unassigned("secp256k1", 64)) == 5


def signed_list(nodes: LocalCommittee, listed: list[Holding]) -> bool:
    """Whether a node gives its word for a list with these keys alone."""
    node, under = nodes.nodes["node1"], coming(nodes)
    chunk = Chunk(None, False, {one.label: one for one in listed}, {})  # type: ignore[arg-type]
    node.epochs._sign_frozen(under, Assembly((chunk,), frozenset(), {}, b"d" * 32))
    return node.epochs.store.voted("frozen", under.new.epoch) is not None


async def a_wallet(nodes: LocalCommittee) -> Holding:
    owner = Owner(nodes, "alice")
    formed, _, signatures = await owner.form()
    owner.make_live(formed, signatures)
    (holding,) = nodes.nodes["node1"].keybook.holdings()
    return holding


async def test_who_has_not_heard_of_a_keys_last_epoch_does_not_stand_in_the_way(
    nodes: LocalCommittee,
) -> None:
    """A device that tells one node less than all of its flip, and one silent liar, would end all changes."""
    holding = await a_wallet(nodes)
    later = msgspec.structs.replace(holding.record, epoch=holding.record.epoch + 1)
    listed = msgspec.structs.replace(holding, record=later)
    assert listed.label != holding.label
    assert signed_list(nodes, [listed])


async def test_a_list_without_a_key_that_has_long_been_live_is_never_signed(
    nodes: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_wallet(nodes)
    monkeypatch.setattr(change_module, "FORGO_SECONDS", -1.0)
    monkeypatch.setattr(nodes.nodes["node1"].keybook, "proof", lambda key: b"")
    assert not signed_list(nodes, [])


async def test_a_key_that_one_node_alone_has_heard_of_is_forgone_after_a_while(
    nodes: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_wallet(nodes)
    monkeypatch.setattr(nodes.nodes["node1"].keybook, "proof", lambda key: b"certificate")
    assert not signed_list(nodes, [])
    monkeypatch.setattr(change_module, "FORGO_SECONDS", -1.0)
    assert signed_list(nodes, [])


async def test_a_member_cannot_renew_approvals_away(nodes: LocalCommittee) -> None:
    """What operators have approved holds over renewals, which need no approval and come when a liar likes."""
    nodes.link()
    node = nodes.nodes["node1"]
    plan = Plan.of(node.committee.record)
    other = msgspec.structs.replace(plan, members=(*plan.members[:4], Planned("node6", "memory:", b"6" * 32)))
    await node.driver.approve(other)
    await renew(nodes, "node3")
    assert node.committee.epoch == 1
    now = Plan.of(node.committee.record)
    assert node.epochs.store.approved(now.digest) == other.digest
    node.epochs.store.settle(now, other)
    assert node.epochs.store.approved(now.digest) is None
    # and an approved renewal is one, not leave to renew for ever
    await node.driver.approve(now)
    node.epochs.store.settle(now, now)
    assert node.epochs.store.approved(now.digest) is None


async def test_a_node_that_waits_is_not_led_into_a_change_of_others(nodes: LocalCommittee) -> None:
    """It would wait for the end of that, which nobody tells it, when its own change comes."""
    nodes.add("node6")
    succession, _ = renewal(nodes)
    waiting = nodes.nodes["node6"].epochs
    await waiting.certify((succession,))
    assert waiting.under is None
    theirs, _ = renewal(nodes, ("node2", "node3", "node4", "node5", "node6"))
    await waiting.certify((theirs,))
    assert waiting.under is not None


async def test_a_removed_node_hears_of_it_though_all_others_were_started_anew(
    nodes: LocalCommittee,
) -> None:
    """Or it would keep its old shares for as long as its disk lasts."""
    nodes.add("node6")
    nodes.link()
    await nodes.part(LIAR)
    parent = Plan.of(nodes.nodes["node1"].committee.record)
    six = Planned("node6", "memory:", nodes.nodes["node6"].identity.public.verifying)
    plan = msgspec.structs.replace(parent, members=(*parent.members[:4], six))
    for name in HONEST:
        await nodes.nodes[name].driver.approve(plan)
    await nodes.nodes["node1"].driver.lead(plan)
    there = (*HONEST, "node6")
    await until(lambda: in_epoch(nodes, 1, *there))
    for name in there:
        await nodes.stop(name)
        nodes.start(name)
    await nodes.part()
    await until(lambda: in_epoch(nodes, 1, LIAR))
    assert not nodes.nodes[LIAR].committee.is_member
    assert not nodes.nodes[LIAR].vault.pool.live_parts("secp256k1", 1, 0)


async def test_a_long_chain_still_fits_a_parcel(
    nodes: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = renewal(nodes)
    chain = (one,) * 5
    assert lately(chain) == chain
    monkeypatch.setattr(consenting_module, "PATH_BYTES", 2 * len(encode(one)))
    assert lately(chain) == chain[3:]
    assert lately(()) == ()


async def test_what_users_write_into_their_records_makes_no_page_too_large(nodes: LocalCommittee) -> None:
    holding = await a_wallet(nodes)
    rows = [HeldRow(holding, True, bytes(1 << 14)) for _ in range(120)]
    pages = pages_of(bytes(32), rows, [])
    assert [row for page in pages for row in page.held] == rows
    assert len(pages) > 1
    assert all(len(encode(page)) < PAGE_BYTES + 1024 for page in pages)


async def test_nobody_is_made_to_look_for_inventories_that_were_not_chosen(
    nodes: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, under = nodes.nodes["node1"], coming(nodes)
    new: CommitteeRecord = under.new
    listing, looked = node.epochs._listing, []
    monkeypatch.setattr(listing, "_copy_of", lambda *found: looked.append(found[2]))
    ask = AskPages(new.epoch, "node2", b"w" * 32)
    listing._answer(under, LIAR, ask)
    node.epochs.store.choose("node1", Choose(new.epoch, new.digest, (("node2", b"c" * 32),)))
    listing._answer(under, LIAR, ask)
    assert looked == []
    listing._answer(under, LIAR, msgspec.structs.replace(ask, inventory=b"c" * 32))
    assert looked == [b"c" * 32]
