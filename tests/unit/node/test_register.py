"""The register at a node: what an entry makes it do, what it refuses itself, and a change of committee."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.support.owner import Owner
from tests.support.registering import drive, register_client
from tests.support.successions import renewal, reshare_by_hand

from quorate.account.authority import Evidence, make_entry, record_of
from quorate.account.register import Entry, Question, Reply, View
from quorate.account.register.client import Client
from quorate.account.register.messages import Decided, Head, Headed, Installed, Refusal
from quorate.account.register.offices import Way, follow, way_to
from quorate.account.register.procedures import read, write
from quorate.encoding import decode, encode
from quorate.entropy import system_rng
from quorate.errors import Malformed, Missing, Refused
from quorate.metadata.store import Office, Standing
from quorate.node.register import Handed
from quorate.testing.committee import LocalCommittee
from quorate.transport.links.intake import NotNow


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path)
    yield made
    await made.close()


def ask(nodes: LocalCommittee, name: str, owner: Owner, question: Question) -> Reply:
    device = owner.keys.public.to_bytes()
    answer = nodes.nodes[name].register.answer(encode(question), owner.account, device)
    found: Reply = decode(Reply, answer)  # type: ignore[arg-type]
    return found


def known(nodes: LocalCommittee, owner: Owner) -> Client:
    """The owner's view of the register, with the head."""
    client = register_client(nodes, owner.account, owner.keys)

    def answer(member: int, question: Question) -> Reply | None:
        name = client.committee.names[member]
        return ask(nodes, name, owner, question) if name in nodes.nodes else None

    drive(read(client, system_rng), answer, next(iter(nodes.nodes.values())).clock())
    return client


def decided(nodes: LocalCommittee, owner: Owner) -> Decided:
    client = known(nodes, owner)
    assert client.entry is not None
    assert client.proof is not None
    return Decided(client.entry, client.proof)


async def test_a_decided_entry_makes_live_what_is_staged_and_repeats(nodes: LocalCommittee) -> None:
    owner = Owner(nodes)
    formed, record, signatures = await owner.form()
    for node in nodes.nodes.values():
        assert not node.keybook.is_live(record.key)
    owner.make_live(formed, signatures)
    for node in nodes.nodes.values():
        assert node.keybook.record(record.key) == record
        assert node.vault.shares.active_epoch(record.key.hex()) == record.epoch
    shown = decided(nodes, owner)
    assert isinstance(ask(nodes, "node1", owner, shown), Installed)
    (wallet,) = record_of(shown.entry).wallets
    assert (wallet.key, wallet.public_key) == (record.key, record.public_key)


async def test_a_node_that_has_staged_nothing_keeps_the_head_and_says_no_installed(
    nodes: LocalCommittee,
) -> None:
    owner = Owner(nodes)
    formed, record, signatures = await owner.form()
    nodes.nodes["node5"].keybook.forget(owner.account, record.key)
    owner.make_live(formed, signatures)
    reply = ask(nodes, "node5", owner, decided(nodes, owner))
    assert isinstance(reply, Refusal)
    assert reply.reason.rule == "nothing-staged"
    assert nodes.nodes["node5"].register.service.head(owner.account) is not None
    assert not nodes.nodes["node5"].keybook.is_live(record.key)
    # With one more of them, R nodes do not hold the wallet, and it is not live for its device.
    second, record, signatures = await owner.form()
    for name in ("node4", "node5"):
        nodes.nodes[name].keybook.forget(owner.account, record.key)
    with pytest.raises(Missing, match="4 nodes must act on it and 3 have"):
        owner.make_live(second, signatures)


async def test_a_node_whose_committee_changes_acts_later(nodes: LocalCommittee) -> None:
    owner = Owner(nodes)
    formed, record, signatures = await owner.form()
    node = nodes.nodes["node1"]
    node.committee.frozen = True
    owner.make_live(formed, signatures)
    assert not node.keybook.is_live(record.key)
    reply = ask(nodes, "node1", owner, decided(nodes, owner))
    assert isinstance(reply, Refusal)
    assert reply.reason.rule == "changing"
    node.committee.frozen = False
    assert isinstance(ask(nodes, "node1", owner, decided(nodes, owner)), Installed)
    assert node.keybook.is_live(record.key)


async def test_while_the_committee_changes_nothing_new_is_locked(nodes: LocalCommittee) -> None:
    owner = Owner(nodes)
    formed, record, signatures = await owner.form()
    for name in ("node1", "node2"):
        nodes.nodes[name].committee.changing = True
    with pytest.raises(Refused) as refused:
        owner.make_live(formed, signatures)
    assert refused.value.code == "changing"
    assert not any(node.keybook.is_live(record.key) for node in nodes.nodes.values())


async def test_factors_with_other_keys_than_the_staged_are_not_locked(
    nodes: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statement names factors and their public shares; their keys each node has seen itself."""
    owner, thief = Owner(nodes), Owner(nodes)
    formed, record, signatures = await owner.form()
    thief.account, thief.token = owner.account, nodes.token(owner.user, thief.keys.public)
    real = Owner.show
    swapped = msgspec.structs.replace(record.factors[0], keys=thief.keys.public.to_bytes())
    staged = nodes.nodes["node1"].keybook.staged(record.key, record.epoch)
    lie = msgspec.structs.replace(staged, record=msgspec.structs.replace(record, factors=(swapped,)))
    with monkeypatch.context() as patch:
        patch.setattr("tests.support.registering._staged", lambda *_: lie)
        with pytest.raises(Refused) as refused:
            real(thief, _live(formed, signatures))
    assert refused.value.code == "staged"


def _live(formed: object, signatures: dict[str, bytes]) -> object:
    from quorate.account.requests import LiveRequest, Signatures

    return LiveRequest(formed.statement, Signatures(tuple(sorted(signatures.items()))))  # type: ignore[attr-defined]


# --- a change of committee -----------------------------------------------------------------------------


async def until(done, seconds: float = 30.0) -> None:
    ends = asyncio.get_running_loop().time() + seconds
    while not done():
        assert asyncio.get_running_loop().time() < ends, "it took too long"
        await asyncio.sleep(0.02)


async def test_last_words_travel_over_the_links_and_the_next_committee_goes_on(
    nodes: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes.add("node6")
    nodes.link()
    owner = Owner(nodes)
    formed, _, signatures = await owner.form()
    owner.make_live(formed, signatures)
    before = decided(nodes, owner)
    monkeypatch.setattr("tests.support.successions.hand_over", lambda _: None)
    reshare_by_hand(nodes, *renewal(nodes, (*nodes.names[1:], "node6")))
    members = [nodes.nodes[name] for name in nodes.names]
    await until(lambda: all(n.register.service.office == Office(1, Standing.VOTES) for n in members))
    assert nodes.nodes["node6"].register.service.head(owner.account) == before.entry
    client = known(nodes, owner)

    def renamed(head: Entry | None) -> Entry:
        assert head is not None
        keys = owner.keys
        return make_entry(head, record_of(head), Evidence(()), bytes(16), keys.public, keys.sign, b"p" * 32)

    def answer(member: int, question: Question) -> Reply:
        return ask(nodes, client.committee.names[member], owner, question)

    done = drive(write(client, renamed), answer, members[0].clock())
    assert (done.version, client.proof.view) == (2, View(1))
    # Who was left out says where the register is now; a device that knows its committee follows.
    left_out = ask(nodes, "node1", owner, Head(owner.account, 0, bytes(32), bytes(32)))
    assert isinstance(left_out, Refusal)
    assert left_out.reason.epoch == 1
    root = nodes.nodes["node1"].committee.root
    followed = follow(root, left_out.reason.record)
    assert followed is not None
    assert followed.names == nodes.names
    assert not any(node.vault.records.list("register-words-00000") for node in members)


async def test_a_node_that_stops_in_the_middle_of_handing_over_goes_on(nodes: LocalCommittee) -> None:
    owner = Owner(nodes)
    formed, _, signatures = await owner.form()
    owner.make_live(formed, signatures)
    change, proof = renewal(nodes)
    reshare_by_hand(nodes, change, proof, switch=nodes.names)
    assert nodes.nodes["node1"].register.service.office == Office(0, Standing.FINISHED)
    await nodes.stop("node1")
    nodes.start("node1")
    assert nodes.nodes["node1"].register.service.office == Office(0, Standing.FINISHED)
    words = [handed for name in nodes.names for handed in nodes.nodes[name].register.last_words()]
    for handed in words[:3]:  # its own among them
        nodes.nodes["node1"].register.take_in(encode(handed))
    question = Head(owner.account, 1, bytes(32), bytes(32))
    assert isinstance(ask(nodes, "node1", owner, question), Refusal)
    await nodes.stop("node1")
    nodes.start("node1")
    for handed in words[3:]:
        nodes.nodes["node1"].register.take_in(encode(handed))
    assert nodes.nodes["node1"].register.service.office == Office(1, Standing.VOTES)
    head = ask(nodes, "node1", owner, question)
    assert isinstance(head, Headed)
    assert head.version == 1


async def test_words_that_are_not_a_members_are_not_kept(nodes: LocalCommittee) -> None:
    change, proof = renewal(nodes)
    reshare_by_hand(nodes, change, proof, switch=nodes.names)
    node = nodes.nodes["node1"]
    (handed,) = nodes.nodes["node2"].register.last_words()
    word, shown = handed.words[0]
    replace = msgspec.structs.replace
    for forged in (
        replace(word, member=2),
        replace(word, signature=bytes(64)),
        replace(word, root=bytes(32)),
        replace(word, network="other"),
    ):
        with pytest.raises(Malformed):
            node.register.take_in(encode(Handed(((forged, shown),))))
    with pytest.raises(NotNow):
        node.register.take_in(encode(Handed(((replace(word, epoch=9), shown),))))
    with pytest.raises(Malformed):
        node.register.take_in(b"\xc1")
    old = len(node.vault.records.list("register-words-00000"))
    node.register.take_in(encode(handed))
    node.register.take_in(encode(handed))
    assert len(node.vault.records.list("register-words-00000")) == old + len(handed.words)


async def test_a_way_shows_what_fits_and_what_is_in_force(nodes: LocalCommittee) -> None:
    root = nodes.nodes["node1"].committee.record
    change, proof = renewal(nodes)
    way = way_to([change], proof)
    assert follow(root, way) == change.record
    assert follow(change.record, way) is None
    assert follow(root, way_to([change], None)) is None
    assert follow(root, b"\xc1") is None
    forged = encode(Way((msgspec.structs.replace(change, signatures=change.signatures[:2]),), proof))
    assert follow(root, forged) is None
    assert len(way_to([change] * 100, proof)) <= 30 << 10
