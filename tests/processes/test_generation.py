"""Real node processes make keys with one of five that lies, or says nothing, from the first to the last."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.processes.conftest import Machine
from tests.processes.test_pool import CURVES, free, keys_of, until

from quorate.cli import local_network
from quorate.device.home import VARIABLE, Home

ODD = "node5"
HONEST = tuple(f"node{number}" for number in range(1, 5))
RUN = """
from pathlib import Path
from quorate.node.run import run
run(Path("node.toml"))
"""

LIES = """
from quorate.sharing.avss import Sharing
from quorate.sharing.avss.messages import Send
from quorate.sharing.dkg import Generation

class Wire:
    def __init__(self, party):
        self._party = party

    def __getattr__(self, name):
        return getattr(self._party, name)

    def send(self, to, message):
        if isinstance(message, Send) and to in ("node1", "node2"):
            message = Send(bytes(len(message.row)))
        self._party.send(to, message)

class WrongRows(Sharing):
    def __init__(self, party, *arguments, **more):
        super().__init__(Wire(party), *arguments, **more)

Generation.sharing = WrongRows
"""

SILENCE = """
import asyncio
from quorate.node.links import Links
Links.run = lambda self: asyncio.sleep(10**6)  # its links are never there; it answers everything else
"""

Start = Callable[[str], Machine]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a network in which the odd node runs some other lines first."""
    machine = Machine(Home(tmp_path / "home"))
    monkeypatch.setenv(VARIABLE, str(machine.home.path))
    monkeypatch.setattr(local_network, "BACKGROUND_CPU", 1.0)
    child = local_network._child
    odd: list[subprocess.Popen[bytes]] = []

    def begin(first: str) -> Machine:
        def odd_child(arguments: list[str], **options: object) -> object:
            if arguments[:2] != ["node", "run"] or Path(arguments[-1]).parent.name != ODD:
                return child(arguments, **options)  # type: ignore[arg-type]
            script = tmp_path / "odd.py"
            script.write_text(first + RUN)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sys, "executable", str(_wrapper(tmp_path, script)))
                odd.append(child(arguments, **options))  # type: ignore[arg-type]
                return odd[-1]

        monkeypatch.setattr(local_network, "_child", odd_child)
        ran = machine.quorate("up")
        assert ran.code == 0, ran.err
        return machine

    yield begin
    machine.quorate("down")
    for process in odd:  # its command line is no node's, so nothing that stops nodes finds it
        process.kill()
        process.wait()


def _wrapper(place: Path, script: Path) -> Path:
    """What stands in for the interpreter: it runs the script, whatever it is asked to run."""
    wrapper = place / "interpreter"
    wrapper.write_text(f"#!/bin/sh\nexec {sys.executable} {script}\n")
    wrapper.chmod(0o755)
    return wrapper


def set_size(monkeypatch: pytest.MonkeyPatch, keys: int) -> None:
    monkeypatch.setattr(local_network, "POOL_TARGET", keys)
    monkeypatch.setattr(local_network, "POOL_BATCH", keys)


def completed(machine: Machine, keys: int) -> None:
    """Wait until all honest nodes hold the keys of both curves, and see that they agree on each."""
    for curve in CURVES:
        until(lambda curve=curve: sum(n >= keys for n in free(curve, HONEST)) == len(HONEST))  # type: ignore[misc]
    assert machine.quorate("down").code == 0
    for curve in CURVES:
        found = [keys_of(machine, name, curve) for name in HONEST]
        assert all(one == found[0] for one in found)
        assert sum(map(len, found[0].values())) >= keys


def events(log: Path) -> Iterator[dict[str, str]]:
    for line in log.read_text().splitlines():
        if line.startswith("{"):  # what a library says as it is shut down is none of ours
            yield json.loads(line)


def named(machine: Machine, kind: str) -> dict[str, set[str]]:
    """Which peers each honest node's log has lines of this kind about."""
    return {
        name: {
            line["peer"] for line in events(machine.home.network / name / "node.log") if line["event"] == kind
        }
        for name in HONEST
    }


def test_keys_are_made_with_a_liar_that_is_named_by_who_was_lied_to(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_size(monkeypatch, 20)
    machine = start(LIES)
    completed(machine, 20)
    seen = named(machine, "deviation")
    assert seen == {"node1": {ODD}, "node2": {ODD}, "node3": set(), "node4": set()}


def test_keys_are_made_without_a_node_that_says_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_size(monkeypatch, 20)
    machine = start(SILENCE)
    completed(machine, 20)
    assert not set().union(*named(machine, "deviation").values()), "silence is no lie"


@pytest.mark.long
@pytest.mark.parametrize("first", [LIES, SILENCE], ids=["lying", "silent"])
def test_200_keys_are_made_with_one_of_five_against_it(
    start: Start, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    set_size(monkeypatch, 200)
    completed(start(first), 200)
