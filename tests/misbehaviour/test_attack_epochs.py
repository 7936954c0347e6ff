"""Nodes that would keep a committee from changing: who ask twice, show two things, speak of what is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from quorate.account.changing import Page
from quorate.account.committee import Claim, CommitteeRecord, Seat
from quorate.encoding import encode
from quorate.node.epochs.ballots import candidate_of, inventory_question, succession_question
from quorate.node.epochs.store import Under
from quorate.node.epochs.talk import TOPIC, Choose, Holds, Plan, Planned, Show, Talk, Wish
from quorate.node.identity import _SIGNING
from quorate.node.node import Node
from quorate.secret import Secret
from quorate.session import KeyPair
from quorate.testing.committee import LocalCommittee


@pytest.fixture
async def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalCommittee]:
    for name, seconds in (
        ("change.GRACE_SECONDS", 2.0),
        ("change.LOOK_SECONDS", 0.1),
        ("listing.CHOICE_SECONDS", 2.0),
        ("listing.ASK_SECONDS", 0.5),
        ("driver.RENEWAL_PAUSE_SECONDS", 0.0),
    ):
        monkeypatch.setattr(f"quorate.node.epochs.{name}", seconds)
    made = LocalCommittee(tmp_path, stock=2)
    made.link()
    yield made
    await made.close()


async def until(done: Callable[[], bool], seconds: float = 60.0) -> None:
    ends = asyncio.get_running_loop().time() + seconds
    while not done():
        assert asyncio.get_running_loop().time() < ends, "it took too long"
        await asyncio.sleep(0.05)


def all_in(nodes: LocalCommittee, epoch: int) -> bool:
    return all(node.committee.epoch == epoch for node in nodes.nodes.values())


def say(node: Node, names: list[str], talk: Talk) -> None:
    with node.vault.transaction():
        for name in names:
            node.links.post(name, TOPIC, encode(talk))


def renewed(nodes: LocalCommittee, liar: str, sealing: bytes) -> tuple[CommitteeRecord, tuple[Claim, ...]]:
    """A renewal as any node may wish for it, in which the liar has a sealing key of its choice."""
    parent = nodes.nodes[liar].committee.record
    claims = []
    for name in parent.names:
        node = nodes.nodes[name]
        keys = node.committee.keys_of(parent.epoch + 1)
        if name == liar:
            keys = KeyPair.of(node.committee._own._kept(_SIGNING), Secret(sealing))
        claims.append(Claim.make(parent, Seat(name, "memory:", keys.public.to_bytes()), keys))
    thresholds = (parent.degree, parent.liars, parent.away)
    seats = tuple(claim.seat for claim in claims)
    return CommitteeRecord(parent.network, parent.epoch + 1, seats, *thresholds, parent.digest), tuple(claims)


async def test_renewals_begun_by_all_at_once_make_one_epoch(nodes: LocalCommittee) -> None:
    """With one vote for each node, ever, they would have split it, and there would be no next epoch."""
    plan = Plan.of(nodes.nodes["node1"].committee.record)
    leading = [asyncio.ensure_future(node.driver.lead(plan)) for node in nodes.nodes.values()]
    await until(lambda: all_in(nodes, 1))
    await asyncio.gather(*leading, return_exceptions=True)
    assert len({node.committee.record.digest for node in nodes.nodes.values()}) == 1


async def test_a_node_that_wishes_for_two_records_spoils_only_its_own_wish(nodes: LocalCommittee) -> None:
    liar = nodes.nodes["node5"]
    parent = liar.committee.record
    for sealing, told in ((b"a" * 32, ["node1", "node2"]), (b"b" * 32, ["node3", "node4"])):
        record, claims = renewed(nodes, "node5", sealing)
        say(liar, told, Wish(record, claims, False, 0))
    question, candidate = succession_question(parent), candidate_of(parent, "node5")

    def vouched() -> set[bytes | None]:
        honest = [nodes.nodes[f"node{i}"] for i in range(1, 5)]
        return {node.epochs.ballots.vouched(question, candidate) for node in honest}

    await until(lambda: len(vouched()) == 2 and None not in vouched())
    node = nodes.nodes["node2"]
    await node.driver.lead(Plan.of(parent))
    await until(lambda: all_in(nodes, 1))


async def test_a_node_that_shows_two_inventories_has_one_of_them_listed_or_none(
    nodes: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    liar = nodes.nodes["node4"]
    listing = liar.epochs._listing

    def publish(under: Under, pages: list[Page]) -> None:
        other = [msgspec.structs.replace(page, held=(), pooled=page.pooled[:1]) for page in pages]
        with liar.vault.transaction():
            for page in pages:
                liar.epochs.store.put_page("node4", page)
                say(liar, ["node1", "node2", "node3"], Show(under.new.epoch, page))
            for page in other:
                say(liar, ["node5"], Show(under.new.epoch, page))

    monkeypatch.setattr(listing, "_publish", publish)
    node = nodes.nodes["node1"]
    await node.driver.lead(Plan.of(node.committee.record))
    await until(lambda: all_in(nodes, 1))


async def test_one_node_alone_makes_no_new_node_believe_in_a_choice(nodes: LocalCommittee) -> None:
    """Nor an old one: they wait for their own agreement, or for more than may lie."""
    nodes.add("node6")
    one = nodes.nodes["node6"]
    parent = nodes.nodes["node1"].committee.record
    record, _ = renewed(nodes, "node5", b"a" * 32)
    under = Under(parent, ())
    store, listing = one.epochs.store, one.epochs._listing
    choice = Choose(1, record.digest, tuple((name, bytes(32)) for name in parent.names))
    store.choose("node5", choice)
    assert listing._adopted(under) is None
    store.choose("node2", msgspec.structs.replace(choice, chosen=choice.chosen[:4]))
    assert listing._adopted(under) is None
    store.choose("node3", choice)
    assert listing._adopted(under) == choice


async def test_what_is_said_of_a_change_that_is_over_is_not_kept_for_the_next(nodes: LocalCommittee) -> None:
    """A word that was being written down during the switch would block the next change for ever."""
    said: list[tuple[Under, str, Talk]] = []
    node = nodes.nodes["node3"]
    write = node.epochs._write

    def noting(under: Under, sender: str, talk: Talk) -> None:
        said.append((under, sender, talk))
        write(under, sender, talk)

    node.epochs._write = noting  # type: ignore[method-assign]
    leader = nodes.nodes["node1"]
    await leader.driver.lead(Plan.of(leader.committee.record))
    await until(lambda: all_in(nodes, 1))
    assert any(isinstance(talk, Holds) for _, _, talk in said)
    for under, sender, talk in said:
        write(under, sender, talk)
    assert not node.vault.records.list("epoch-change")
    old, new = said[0][0].old, said[0][0].new
    for question in (succession_question(old), inventory_question(old, new)):
        assert node.epochs.ballots.certificates(question) == {}
    await leader.driver.lead(Plan.of(leader.committee.record))
    await until(lambda: all_in(nodes, 2))


@pytest.mark.long
async def test_a_member_that_only_listens_cannot_stay_by_that(nodes: LocalCommittee) -> None:
    """One of five is silent, and is put out all the same: by the four others, and one that comes."""
    nodes.add("node6")
    await nodes.part("node5")
    parent = nodes.nodes["node1"].committee.record
    members = Plan.of(parent).members[:4]
    coming = Planned("node6", "memory:", nodes.nodes["node6"].identity.public.verifying)
    plan = msgspec.structs.replace(Plan.of(parent), members=(*members, coming))
    for name in ("node1", "node2", "node3", "node4"):
        await nodes.nodes[name].driver.approve(plan)
    await nodes.nodes["node1"].driver.lead(plan)
    there = [node for name, node in nodes.nodes.items() if name != "node5"]
    await until(lambda: all(node.committee.epoch == 1 for node in there))
    assert nodes.nodes["node6"].committee.is_member
