"""A node that was away while a wallet was made takes its place in it: its own part, the others' word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
from tests.support.local_device import PASSWORD, local_device

from quorate.account import KeyRecord
from quorate.account.authority import WalletKey, wallet_of
from quorate.device import Backup, Device, Wallet
from quorate.encoding import encode
from quorate.entropy import system_rng
from quorate.node.late import MAX_WANTED, LateKeys, Told, Wanted
from quorate.node.node import Node
from quorate.session import KeyPair
from quorate.testing.committee import LocalCommittee
from quorate.vault.pool import KeyState

AWAY = "node2"


@pytest.fixture
async def committee(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path / "nodes")
    made.link()
    yield made
    await made.close()


@pytest.fixture
async def device(
    committee: LocalCommittee, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Device]:
    async with local_device(committee, tmp_path / "home", monkeypatch) as device:
        yield device


async def until(done: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.02)


async def made_without_it(
    committee: LocalCommittee, device: Device, preset: str, tmp_path: Path
) -> tuple[Wallet, KeyRecord, WalletKey]:
    """A wallet made while one node was away, which then is back and knows nothing of it."""
    await committee.stop(AWAY)
    backup = Backup.to(tmp_path / "file", PASSWORD) if preset == "personal" else None
    wallet = await device.create_wallet(preset, backup)
    committee.start(AWAY)
    (entry,) = device.shelf.all()
    factors = {factor.name: (factor.kind, factor.keys) for factor in entry.record.factors}
    return wallet, entry.record, wallet_of(entry.certificate, entry.record.curve, factors)


@pytest.mark.parametrize("preset", ["server", "personal"])
async def test_a_node_that_comes_back_signs_with_the_wallet_like_the_others(
    committee: LocalCommittee, device: Device, tmp_path: Path, preset: str
) -> None:
    wallet, record, _ = await made_without_it(committee, device, preset, tmp_path)
    device.desk.reachable.worked([AWAY, "node3", "node4"])  # so it is asked, refuses, and is shown the entry
    await wallet.sign_message("it refuses")
    node = committee.nodes[AWAY]
    await until(lambda: node.keybook.is_live(record.key))
    assert node.keybook.record(record.key) == committee.nodes["node1"].keybook.record(record.key)
    for name in ("node1", "node5"):
        await committee.stop(name)
    await wallet.sign_message("it is one of three")
    gone = [key.state for key in node.vault.pool.parts_for(record.curve, record.account, record.key)]
    assert set(gone) == {KeyState.FREE}
    used = node.vault.pool.find(record.key)
    assert used is not None
    assert used.state is (KeyState.USED if preset == "server" else KeyState.BURNED)


# --- what it does not take -------------------------------------------------------------------------------


async def ready(
    committee: LocalCommittee, device: Device, tmp_path: Path
) -> tuple[LateKeys, Node, KeyRecord]:
    _, record, wallet = await made_without_it(committee, device, "server", tmp_path)
    node = committee.nodes[AWAY]
    node.links.post = lambda *_, **__: None  # type: ignore[method-assign]
    node.late.missed(record.account, wallet)
    return node.late, node, record


async def test_one_liar_is_not_believed_and_two_that_agree_are(
    committee: LocalCommittee, device: Device, tmp_path: Path
) -> None:
    late, node, record = await ready(committee, device, tmp_path)
    forged = msgspec.structs.replace(record, chain_code=bytes(32))
    late.told("node1", encode(Told(forged, b"")))
    late.told("node1", encode(Told(forged, b"")))
    late.told("stranger", encode(Told(forged, b"")))
    assert not node.keybook.is_live(record.key)
    late.told("node3", encode(Told(record, b"")))
    assert not node.keybook.is_live(record.key)
    late.told("node4", encode(Told(record, b"")))
    assert node.keybook.record(record.key) == record


async def test_a_record_of_another_wallet_than_the_register_names_is_not_taken(
    committee: LocalCommittee, device: Device, tmp_path: Path
) -> None:
    late, node, record = await ready(committee, device, tmp_path)
    thief = KeyPair.generate(system_rng).public.to_bytes()
    factor = msgspec.structs.replace(record.factors[0], keys=thief)
    wrong = [
        msgspec.structs.replace(record, factors=(factor,)),
        msgspec.structs.replace(record, account=bytes(32)),
        msgspec.structs.replace(record, epoch=record.epoch + 1),
        msgspec.structs.replace(record, public_key=record.committee[0].public_share),
    ]
    for forged in wrong:
        for name in ("node1", "node3", "node4"):
            late.told(name, encode(Told(forged, b"")))
        assert not node.keybook.is_live(record.key)
    late.told("node1", encode(Told(record, b"")))
    late.told("node3", encode(Told(record, b"")))
    assert node.keybook.is_live(record.key)


async def test_shares_that_do_not_belong_together_are_not_taken(
    committee: LocalCommittee, device: Device, tmp_path: Path
) -> None:
    """All others would have to lie; our own part fits, and the rest is not of this key."""
    late, node, record = await ready(committee, device, tmp_path)
    members = list(record.committee)
    members[0] = msgspec.structs.replace(members[0], public_share=members[2].public_share)
    forged = msgspec.structs.replace(record, committee=tuple(members))
    for name in ("node1", "node3"):
        late.told(name, encode(Told(forged, b"")))
    assert not node.keybook.is_live(record.key)


async def test_a_node_without_a_part_takes_nothing(
    committee: LocalCommittee, device: Device, tmp_path: Path
) -> None:
    late, node, record = await ready(committee, device, tmp_path)
    for key in node.vault.pool.parts_for(record.curve, record.account, record.key):
        node.vault.pool.burn(key.index)
    for name in ("node1", "node3"):
        late.told(name, encode(Told(record, b"")))
    assert not node.keybook.is_live(record.key)


async def test_a_record_is_told_to_members_of_its_committee_only(
    committee: LocalCommittee, device: Device, tmp_path: Path
) -> None:
    _, record, _ = await made_without_it(committee, device, "server", tmp_path)
    node, said = committee.nodes["node1"], []
    node.links.post = lambda peer, *_, **__: said.append(peer)  # type: ignore[method-assign]
    node.late.asked("stranger", encode(Wanted(record.key)))
    node.late.asked("node2", encode(Wanted(bytes(32))))
    assert said == []
    node.late.asked("node2", encode(Wanted(record.key)))
    assert said == ["node2"]


async def test_questions_are_bounded_and_not_repeated_at_once(
    committee: LocalCommittee, device: Device, tmp_path: Path
) -> None:
    _, record, wallet = await made_without_it(committee, device, "server", tmp_path)
    node, said = committee.nodes[AWAY], []
    node.links.tell = lambda peer, *_, **__: said.append(peer)  # type: ignore[method-assign]
    for _ in range(3):
        node.late.missed(record.account, wallet)
    assert said == ["node1", "node3", "node4", "node5"]
    for number in range(MAX_WANTED + 5):
        other = msgspec.structs.replace(wallet, key=number.to_bytes(32, "big"))
        node.late.missed(record.account, other)
    assert len(node.late._open) == MAX_WANTED
