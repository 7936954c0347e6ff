"""What one node lets in at once: each limit of `quorate.node.limits` that counts sessions is hit here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quorate.entropy import system_rng
from quorate.errors import LimitExceeded, Remedy
from quorate.node.callers import DeviceCaller
from quorate.node.limits import MAX_SESSIONS, MAX_SESSIONS_PER_ACCOUNT
from quorate.node.node import Node
from quorate.session import KeyPair
from quorate.testing.committee import LocalCommittee


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    committee = LocalCommittee(tmp_path, size=1, degree=0)
    yield committee.nodes["node1"]
    await committee.close()


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
