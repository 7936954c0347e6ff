"""A node's process is replaced after a change of committee: when, in which turn, and with what."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.successions import renewal, reshare_by_hand

from quorate.node.forgetting import Forgetting, take_passphrase
from quorate.node.identity import PASSPHRASE_VARIABLE
from quorate.testing.committee import LocalCommittee


@pytest.fixture
async def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalCommittee]:
    monkeypatch.setattr("quorate.node.forgetting.LOOK_SECONDS", 0.01)
    made = LocalCommittee(tmp_path, stock=0)
    for node in made.nodes.values():
        node.config = replace(node.config, restart_gap=0.2)
    yield made
    await made.close()


async def test_nodes_start_anew_one_after_the_other_and_not_before_a_change(nodes: LocalCommittee) -> None:
    order: list[str] = []

    def watch(name: str) -> Forgetting:
        return Forgetting(nodes.nodes[name], lambda: order.append(name))

    watching = {name: watch(name) for name in reversed(nodes.names)}
    tasks = [asyncio.create_task(one.watch()) for one in watching.values()]
    await asyncio.sleep(0.1)
    assert order == []
    reshare_by_hand(nodes, *renewal(nodes))
    await asyncio.wait_for(asyncio.gather(*tasks), 10)
    assert order == list(nodes.names)
    assert all(one.due for one in watching.values())


async def test_sessions_of_the_past_epoch_are_waited_for_but_not_for_ever(
    nodes: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, stopped = nodes.nodes["node1"], asyncio.Event()
    running = 1
    monkeypatch.setattr(node, "sessions_before", lambda epoch: running)
    watching = asyncio.create_task(Forgetting(node, stopped.set).watch())
    await asyncio.sleep(0)
    reshare_by_hand(nodes, *renewal(nodes))
    await asyncio.sleep(0.3)
    assert not stopped.is_set()
    running = 0
    await asyncio.wait_for(watching, 5)
    assert stopped.is_set()
    monkeypatch.setattr("quorate.node.forgetting.PINNED_SECONDS", 0.1)
    running = 1
    watching = asyncio.create_task(Forgetting(node, stopped.set).watch())
    await asyncio.sleep(0)
    reshare_by_hand(nodes, *renewal(nodes))
    await asyncio.wait_for(watching, 5)


def test_the_next_process_has_the_same_command_line_and_the_passphrase(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = (
        "import os, sys\n"
        "from quorate.node.forgetting import start_anew, take_passphrase\n"
        f"kept = take_passphrase(); found = os.environ.pop({PASSPHRASE_VARIABLE!r})\n"
        "print(os.getpid(), found, *sys.argv[1:], flush=True)\n"
        "if 'AGAIN' not in os.environ:\n"
        "    os.environ['AGAIN'] = '1'\n"
        "    start_anew(kept)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, "one", "two"],
        env={**os.environ, PASSPHRASE_VARIABLE: "open sesame"},
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = ran.stdout.splitlines()
    assert first == second
    assert first.endswith("open sesame one two")
    monkeypatch.delenv(PASSPHRASE_VARIABLE, raising=False)
    assert take_passphrase() is None
