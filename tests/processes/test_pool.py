"""The pool of real node processes: what its commands say, and a generation that a killed node finishes."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest
from tests.processes.conftest import Machine

from quorate.cli import local_network
from quorate.cli.committee_commands import _look
from quorate.device.home import VARIABLE, Home
from quorate.node.config import load_config
from quorate.node.identity import open_vault
from quorate.sharing.generation import CommitteeKey, GeneratedKey

CURVES = ("secp256k1", "ed25519")
LARGE_BATCH = 6
"""The first of 200 keys: batches double from eight."""


def test_the_commands_show_and_fill_the_pool(machine: Machine) -> None:
    filled = machine.quorate("committee", "refill", "--json")
    assert filled.code == 0, filled.err
    for curve in filled.data["pool"]:
        assert curve["ready"] >= curve["target"] == local_network.POOL_TARGET
    shown = machine.quorate("committee", "status")
    assert shown.code == 0
    assert shown.out.startswith("5 of 5 nodes answer; epoch 0")
    assert "keys ready for new wallets (secp256k1)" in shown.out


def test_a_node_that_is_down_is_shown_and_too_few_are_an_error_of_their_own(machine: Machine) -> None:
    machine.kill("node1", "node2")
    shown = machine.quorate("committee", "status", "--json")
    assert [node["answers"] for node in shown.data["nodes"]] == [False, False, True, True, True]
    assert all(curve["ready"] == 0 for curve in shown.data["pool"])
    refused = machine.quorate("committee", "refill", "--json")
    assert refused.code == 5
    assert refused.data["error"]["parties"] == ["node1", "node2"]


# --- a generation of 200 keys with a node killed in the middle -----------------------------------------


@pytest.fixture
def busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A network of its own that keeps more than 250 keys, so that it makes a batch of 200."""
    monkeypatch.setattr(local_network, "POOL_TARGET", 249)
    monkeypatch.setattr(local_network, "POOL_BATCH", 200)
    monkeypatch.setattr(local_network, "BACKGROUND_CPU", 1.0)
    machine = Machine(Home(tmp_path / "home"))
    monkeypatch.setenv(VARIABLE, str(machine.home.path))
    assert machine.quorate("up").code == 0
    yield machine
    machine.quorate("down")


def until(done: Callable[[], bool], seconds: float = 240.0) -> None:
    ends = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < ends, "it took too long"
        time.sleep(0.1)


def under_way(curve: str, batch: int) -> bool:
    seen, _ = _look()
    levels = [level for one in seen if one.pool is not None for level in one.pool.levels]
    return any(level.curve == curve and batch in level.batches for level in levels)


def free(curve: str, names: Collection[str] = ()) -> list[int]:
    """How many free keys each node says it has, or each of these."""
    seen, _ = _look()
    return [
        level.free
        for one in seen
        if one.pool is not None and (not names or one.name in names)
        for level in one.pool.levels
        if level.curve == curve
    ]


def keys_of(machine: Machine, name: str, curve: str) -> dict[int, list[CommitteeKey]]:
    """What a node that does not run holds, by batch; each part is checked against its commitment."""
    config = load_config(machine.home.network / name / "node.toml")
    vault = open_vault(config.storage, config.keys, config.seal)
    try:
        return {
            batch.number: [
                GeneratedKey.from_bytes(part.reveal()).public
                for _, part in sorted(vault.pool.live_parts(curve, batch.number, 0).items())
            ]
            for batch in vault.pool.batches(curve)
        }
    finally:
        vault.close()


@pytest.mark.long
@pytest.mark.parametrize("victim", ["node3"])
def test_a_node_killed_in_the_middle_of_200_keys_comes_back_and_all_five_agree(
    busy: Machine, victim: str
) -> None:
    curve = CURVES[0]
    until(lambda: under_way(curve, LARGE_BATCH))
    time.sleep(0.3)
    busy.kill(victim)
    until(lambda: len([number for number in free(curve) if number >= 448]) == 4)  # the others go on
    assert busy.quorate("up").code == 0
    until(lambda: len([number for number in free(curve) if number >= 448]) == 5)
    assert busy.quorate("down").code == 0
    names = [node.name for node in busy.network.nodes()]
    found = [keys_of(busy, name, curve) for name in names]
    assert all(keys == found[0] for keys in found)
    assert len(found[0][LARGE_BATCH]) == 200
    assert len({key.key_id for keys in found[0].values() for key in keys}) == 448
