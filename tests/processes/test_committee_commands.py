"""`quorate committee approve`, `replace` and `renew`: what they refuse, and what reaches a node."""

from __future__ import annotations

import json
from pathlib import Path

from tests.processes.conftest import Machine

from quorate.device.network import Network
from quorate.entropy import system_rng


def plan_file(machine: Machine, tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    path.write_bytes(machine.home.network_file.read_bytes())
    return path


def test_an_operator_approves_a_plan_at_a_node(machine: Machine, tmp_path: Path) -> None:
    ran = machine.quorate(
        "committee", "approve", str(plan_file(machine, tmp_path)), "--node", "node2", "--json"
    )
    assert ran.code == 0, ran.err
    assert ran.data["members"] == list(Network.read(machine.home.network_file).names)
    log = (machine.home.network / "node2" / "node.log").read_text()
    assert any(json.loads(line)["event"] == "approved" for line in log.splitlines())


def test_another_key_than_the_operators_is_refused(machine: Machine, tmp_path: Path) -> None:
    key = tmp_path / "stranger.key"
    key.write_bytes(system_rng(32))
    plan = str(plan_file(machine, tmp_path))
    for command in (
        ["approve", plan, "--node", "node2"],
        ["renew"],
        ["replace", "--plan", plan],
    ):
        ran = machine.quorate("committee", *command, "--operator-key", str(key))
        assert ran.code == 4, ran.out + ran.err
        assert "not signed" in ran.err


def test_a_wish_that_cannot_be_is_refused_before_anything_is_made(machine: Machine) -> None:
    before = sorted(path.name for path in machine.home.network.iterdir())
    for wish, says in (
        (["--remove", "node9"], "not of the committee: node9"),
        (["--remove", "node1", "--degree", "9"], "cannot share"),
        (["--add", "2", "--degree", "3", "--liars", "2"], "liars"),
    ):
        ran = machine.quorate("committee", "replace", *wish)
        assert ran.code != 0
        assert says in ran.err
    assert sorted(path.name for path in machine.home.network.iterdir()) == before


def test_without_a_node_that_answers_the_command_says_so(machine: Machine, tmp_path: Path) -> None:
    network = Network.read(machine.home.network_file)
    rows = [
        {"name": row.name, "url": "http://127.0.0.1:1", "identity": row.identity}
        for row in network.nodes.values()
    ]
    home = tmp_path / "home" / "network"
    home.mkdir(parents=True, mode=0o700)
    file = json.loads(machine.home.network_file.read_bytes()) | {"nodes": rows}
    (home / "network.json").write_text(json.dumps(file))
    ran = machine.quorate("committee", "renew", home=home.parent)
    assert ran.code == 5
    assert "cannot be reached" in ran.err
