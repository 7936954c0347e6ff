"""What one node lets in at once: each limit of `quorate.node.limits` that counts sessions is hit here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quorate.entropy import system_rng
from quorate.errors import LimitExceeded, Remedy
from quorate.node.callers import DeviceCaller
from quorate.node.limits import MAX_KEYS_PER_ACCOUNT, MAX_SESSIONS, MAX_SESSIONS_PER_ACCOUNT
from quorate.node.node import Node
from quorate.session import KeyPair
from quorate.testing.committee import LocalCommittee
from quorate.transport.channel import ChannelClosed


@pytest.fixture
async def committee(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path, size=1, degree=0)
    yield made
    await made.close()


@pytest.fixture
def node(committee: LocalCommittee) -> Node:
    return committee.nodes["node1"]


def device(account: int) -> DeviceCaller:
    return DeviceCaller(account.to_bytes(32, "big"), KeyPair.generate(system_rng).public, 0)


async def test_a_node_runs_so_many_sessions_at_once_whoever_asks(node: Node) -> None:
    accounts = range(1, MAX_SESSIONS // MAX_SESSIONS_PER_ACCOUNT + 1)
    seats = [node.admit(device(account)) for account in accounts for _ in range(MAX_SESSIONS_PER_ACCOUNT)]
    assert len(seats) == MAX_SESSIONS
    with pytest.raises(LimitExceeded, match="busy") as refused:
        node.admit(device(99))
    assert refused.value.remedy is Remedy.RETRY
    node.dismiss(seats[0])
    node.admit(device(99))


async def test_one_account_leaves_room_for_others(node: Node) -> None:
    for _ in range(MAX_SESSIONS_PER_ACCOUNT):
        node.admit(device(1))
    with pytest.raises(LimitExceeded, match="too many sessions of this account"):
        node.admit(device(1))
    node.admit(device(2))


async def test_one_socket_too_many_is_hung_up_on_and_gets_in_when_another_has_gone(
    committee: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quorate.node.node.MAX_CONNECTIONS", 3)
    silent = [await committee.connect("node1") for _ in range(3)]
    await asyncio.sleep(0)
    extra = await committee.connect("node1")
    with pytest.raises(ChannelClosed):
        await extra.receive()
    await silent[0].close()
    await asyncio.sleep(0.01)
    late = await committee.connect("node1")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(late.receive(), 0.05)
    for channel in (*silent[1:], late):
        await channel.close()


async def test_an_account_has_so_many_keys(node: Node) -> None:
    account, others = bytes(32), b"\x01" * 32
    for number in range(MAX_KEYS_PER_ACCOUNT):
        node.keybook.check_room(account, 0)
        node.vault.records.put(f"keys-of-{account.hex()}", f"{number:064x}", b"", expected=0)
    with pytest.raises(LimitExceeded, match="an account has at most"):
        node.keybook.check_room(account, 0)
    node.keybook.check_room(others, 0)
