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

from quorate.errors import Unavailable
from quorate.node.forgetting import Forgetting, take_passphrase
from quorate.node.identity import PASSPHRASE_VARIABLE
from quorate.node.lock import NodeLock, running_pid
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


def test_the_next_process_has_the_same_command_line_the_passphrase_and_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from quorate.node.forgetting import start_anew, take_passphrase\n"
        "from quorate.node.lock import LOCK_VARIABLE, NodeLock\n"
        f"kept = take_passphrase(); found = os.environ.pop({PASSPHRASE_VARIABLE!r})\n"
        "if 'AGAIN' in os.environ:\n"
        "    input()  # the test looks whether the lock is held before anybody takes it over\n"
        "lock = NodeLock.hold(Path(sys.argv[1]))\n"
        "assert LOCK_VARIABLE not in os.environ\n"
        "print(os.getpid(), found, *sys.argv[1:], flush=True)\n"
        "if 'AGAIN' not in os.environ:\n"
        "    os.environ['AGAIN'] = '1'\n"
        "    start_anew(kept, lock)\n"
        "input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), "two"],
        env={**os.environ, PASSPHRASE_VARIABLE: "open sesame"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        first = process.stdout.readline().strip()
        assert first == f"{process.pid} open sesame {tmp_path} two"
        assert running_pid(tmp_path) == process.pid
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline().strip() == first
        assert running_pid(tmp_path) == process.pid
        with pytest.raises(Unavailable, match="runs already"):
            NodeLock.hold(tmp_path)
        process.communicate("\n")
    assert process.returncode == 0
    assert running_pid(tmp_path) is None
    monkeypatch.delenv(PASSPHRASE_VARIABLE, raising=False)
    assert take_passphrase() is None
