"""Making a wallet where not every node is there: an echo quorum is enough, and who is missing is named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.creating import Filtered
from tests.support.local_device import PASSWORD, local_device

from quorate.device import Backup, Device
from quorate.errors import Missing
from quorate.testing.committee import LocalCommittee
from quorate.transport.channel import MemoryChannel
from quorate.vault.pool import KeyState

CURVE = "secp256k1"


@pytest.fixture
async def committee(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path / "nodes")
    yield made
    await made.close()


@pytest.fixture
async def device(
    committee: LocalCommittee, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Device]:
    async with local_device(committee, tmp_path / "home", monkeypatch) as device:
        yield device


def states(committee: LocalCommittee, name: str) -> list[KeyState]:
    pool = committee.nodes[name].vault.pool
    with committee.nodes[name].vault.transaction() as tx:
        found = tx.query("SELECT state FROM pool_keys WHERE curve = ? AND state <> 'free'", (CURVE,))
    assert pool.kept() == []
    return sorted(KeyState(state) for (state,) in found)


async def test_a_wallet_takes_its_keys_from_the_pool_and_leaves_no_part_there(
    committee: LocalCommittee, device: Device, tmp_path: Path
) -> None:
    before = committee.nodes["node1"].vault.pool.depth(CURVE)
    wallet = await device.create_wallet("personal", Backup.to(tmp_path / "file", PASSWORD))
    await wallet.sign_message("hello")
    for name in committee.names:
        assert states(committee, name) == [KeyState.BURNED, KeyState.USED]
        assert committee.nodes[name].vault.pool.depth(CURVE) == before - 2


@pytest.mark.parametrize("preset", ["server", "personal"])
async def test_one_node_down_makes_no_difference(
    committee: LocalCommittee, device: Device, tmp_path: Path, preset: str
) -> None:
    await committee.stop("node2")
    backup = Backup.to(tmp_path / "file", PASSWORD) if preset == "personal" else None
    wallet = await device.create_wallet(preset, backup)
    await wallet.sign_message("without it")
    committee.start("node2")
    await wallet.sign_message("it is back, and knows nothing of this wallet")
    await committee.stop("node5")
    await wallet.sign_message("three of the four that do are enough")


async def test_two_nodes_down_are_named_and_nothing_is_begun(
    committee: LocalCommittee, device: Device
) -> None:
    await committee.stop("node2")
    await committee.stop("node4")
    with pytest.raises(Missing) as missing:
        await device.create_wallet("server")
    assert missing.value.parties == ("node2", "node4")
    assert await device.wallets() == []
    committee.start("node2")
    await device.create_wallet("server")


async def test_a_node_that_falls_silent_while_the_key_is_formed_is_left_out(
    committee: LocalCommittee, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quorate.device.sessions.DEADLINE_SECONDS", 3.0)
    connect = device.desk.nodes.connect
    said: list[str] = []

    async def through(name: str) -> Any:
        channel = await connect(name)
        assert isinstance(channel, MemoryChannel)
        return Filtered(channel, ("formation.form",)) if name == "node3" else channel

    monkeypatch.setattr(device.desk.nodes, "connect", through)
    wallet = await device.create_wallet("server", report=said.append)
    assert "forming the key without node3" in said
    monkeypatch.setattr(device.desk.nodes, "connect", connect)
    await wallet.sign_message("four have it")
