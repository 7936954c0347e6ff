"""A node's configuration: what is accepted, and what each mistake is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from quorate.chains import ChainRow
from quorate.entropy import system_rng
from quorate.node.config import MAX_CONFIG_BYTES, BadConfig, NodeConfig, load_config, to_toml
from quorate.session import KeyPair

IDENTITIES = [KeyPair.generate(system_rng).public.to_bytes().hex() for _ in range(6)]


def values(**changes: Any) -> dict[str, Any]:
    committee = [
        {"name": f"node{i}", "url": f"http://127.0.0.1:{7000 + i}", "identity": IDENTITIES[i]}
        for i in range(1, 6)
    ]
    return {
        "name": "node1",
        "network": "local",
        "network_key": IDENTITIES[0],
        "listen": "127.0.0.1:7001",
        "storage": "sqlite:///node.db",
        "keys": "keys",
        "seal": "keyfile:seal.key",
        "thresholds": {"d": 2, "t": 1, "f": 0},
        "committee": committee,
        **changes,
    }


def load(tmp_path: Path, text: str) -> NodeConfig:
    path = tmp_path / "node.toml"
    path.write_text(text)
    return load_config(path)


def test_a_written_configuration_reads_back(tmp_path: Path) -> None:
    row = ChainRow("eip155:1337", "Development", "ETH")
    config = load(tmp_path, to_toml(values(chains=[msgspec.structs.asdict(row)])))
    assert config.chains == (row.chain(),)
    assert config.nodes == ("node1", "node2", "node3", "node4", "node5")
    assert (config.host, config.port) == ("127.0.0.1", 7001)
    assert (config.quorums.echo, config.quorums.ready) == (4, 4)
    assert config.storage == f"sqlite:///{tmp_path / 'node.db'}"
    assert config.seal == f"keyfile:{tmp_path / 'seal.key'}"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "node9"}, "not in the committee"),
        ({"listen": "7001"}, "host:port"),
        ({"network_key": "zz"}, "network_key"),
        ({"thresholds": {"d": 1, "t": 1, "f": 0}}, "thresholds: .*revoked device could still sign"),
        ({"thresholds": {"d": 4, "t": 0, "f": 1}}, "thresholds"),
        ({"thresholds": {"d": -1, "t": 0, "f": 0}}, "thresholds"),
        ({"thresholds": {"d": 2, "t": 2, "f": 0}}, "thresholds"),
        ({"freshness_proofs": True}, "freshness_proofs: not supported"),
        ({"shards_ahead": 65}, "shards_ahead"),
        ({"background_cpu": 0.0}, "background_cpu"),
        ({"chains": [{"caip2": "1337", "name": "Development", "symbol": "ETH"}]}, "chains: .*namespace"),
        ({"chains": [{"caip2": "eip155:5", "name": "Five", "symbol": "ETH", "gas": 1}]}, "gas"),
        ({"joining": True}, "joining = true"),
        ({"renewal_days": -1.0}, "renewal_days"),
        ({"renewal_days": 367.0}, "renewal_days"),
        ({"operator_key": "zz"}, "operator_key"),
        ({"restart_gap": -1.0}, "restart_gap"),
        ({"epoch": 65536, "parent": "11" * 32}, "epoch: the number"),
        ({"epoch": 1}, "parent: the digest"),
        ({"parent": "11" * 32}, "parent: .*none for epoch 0"),
        ({"epoch": 1, "parent": "zz"}, "parent: the digest"),
        ({"colour": "blue"}, "colour"),
        ({"name": 3}, "name"),
    ],
)
def test_a_mistake_names_its_key(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(BadConfig, match=says):
        load(tmp_path, to_toml(values(**changes)))


def test_a_node_that_waits_to_be_taken_in_knows_a_committee_without_itself(tmp_path: Path) -> None:
    config = load(tmp_path, to_toml(values(name="node6", joining=True, epoch=3, parent="11" * 32)))
    assert (config.name, config.epoch, config.parent) == ("node6", 3, b"\x11" * 32)


def test_names_are_distinct(tmp_path: Path) -> None:
    twice = values()
    twice["committee"][1]["name"] = "node1"
    with pytest.raises(BadConfig, match="distinct"):
        load(tmp_path, to_toml(twice))


def test_no_node_counts_twice_under_two_names(tmp_path: Path) -> None:
    rows = values()["committee"]
    twice = [*rows[:4], {**rows[4], "identity": rows[0]["identity"]}]
    with pytest.raises(BadConfig, match="identity of its own"):
        load(tmp_path, to_toml(values(committee=twice)))


def test_a_missing_broken_or_huge_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="cannot be read"):
        load_config(tmp_path / "absent.toml")
    with pytest.raises(BadConfig, match=r"node\.toml"):
        load(tmp_path, "name = ")
    with pytest.raises(BadConfig, match="no configuration"):
        load(tmp_path, "#" * (MAX_CONFIG_BYTES + 1))
