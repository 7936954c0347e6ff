"""What an operator does to a node that is stopped."""

import json
from pathlib import Path
from typing import Any

import pytest

from quorate.cli.failures import run
from quorate.entropy import system_rng
from quorate.errors import Refused
from quorate.node.config import placed, to_toml
from quorate.node.identity import PASSPHRASE_VARIABLE, open_vault, own_identity
from quorate.vault import Vault
from quorate.vault.duties import freeze_all
from quorate.vault.seals import KeyFileSeal
from quorate.vault.slashing import Block, Bounds


@pytest.fixture
def config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """One node, made by its own command, alone in its committee."""
    assert run(["node", "init", str(tmp_path), "--json"]) == 0
    identity = json.loads(capsys.readouterr().out)["identity"]
    values: dict[str, Any] = {
        "name": "node1",
        "network": "local",
        "network_key": identity,
        "listen": "127.0.0.1:7001",
        "storage": "sqlite:///vault.sqlite",
        "keys": "keys",
        "seal": "keyfile:seal.key",
        "thresholds": {"d": 0},
        "committee": [{"name": "node1", "url": "http://127.0.0.1:7001", "identity": identity}],
    }
    path = tmp_path / "node.toml"
    path.write_text(to_toml(values))
    return path


def vault(config: Path) -> Vault:
    directory = config.parent
    seal = KeyFileSeal.load(directory / "seal.key", rng=system_rng)
    return Vault.open(f"sqlite:///{directory / 'vault.sqlite'}", directory / "keys", seal, rng=system_rng)


def test_a_restored_node_serves_again_once_its_operator_says_so(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = config.parent / "vault.sqlite"
    older = database.read_bytes()
    for _ in range(2):
        vault(config).close()
    for name in ("vault.sqlite-wal", "vault.sqlite-shm"):
        (config.parent / name).unlink(missing_ok=True)
    database.write_bytes(older)
    opened = vault(config)
    assert opened.rolled_back
    opened.close()
    assert run(["node", "accept-restore", "--config", str(config), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"restored": True}
    opened = vault(config)
    assert not opened.rolled_back
    opened.close()


def test_a_suspended_pair_is_reinstated(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened = vault(config)
    for i in range(3):
        opened.instances.quarantine("node2", 0, "a check failed", now=1000.0 + i)
    assert opened.instances.suspension("node2") is not None
    opened.close()
    assert run(["node", "reinstate", "--config", str(config), "node2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"peer": "node2", "was_suspended": True}
    opened = vault(config)
    assert opened.instances.suspension("node2") is None
    opened.close()


def test_a_node_is_made_with_the_seal_and_storage_that_its_configuration_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--storage", "sqlite:///elsewhere.db", "--seal", "passphrase:", "--json"]
    assert run(["node", "init", str(tmp_path), *arguments]) == 3
    assert PASSPHRASE_VARIABLE in json.loads(capsys.readouterr().out)["error"]["message"]
    identities = []
    for _ in range(2):
        monkeypatch.setenv(PASSPHRASE_VARIABLE, "a long passphrase")
        assert run(["node", "init", str(tmp_path), *arguments]) == 0
        identities.append(json.loads(capsys.readouterr().out)["identity"])
    assert identities[0] == identities[1]
    assert sorted(path.name for path in tmp_path.glob("*.*")) == ["elsewhere.db"]
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "a long passphrase")
    storage = placed("sqlite:///elsewhere.db", tmp_path)
    opened = open_vault(storage, tmp_path / "keys", "passphrase:")
    assert own_identity(opened, system_rng).public.to_bytes().hex() == identities[0]
    opened.close()


NETWORK, VALIDATOR = b"\x4b" * 32, b"\xaa" * 48


def duties(config: Path, *arguments: str, network: str = "0x" + NETWORK.hex()) -> int:
    return run(["node", "duties", *arguments, "--config", str(config), "--network", network, "--json"])


def test_slashing_protection_is_carried_from_one_node_to_another(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = vault(config)
    opened.duties.permit(VALIDATOR, NETWORK, Block(10, b"r" * 32))
    opened.close()
    file = tmp_path / "history.json"
    assert duties(config, "export", str(file)) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(file), "bytes": file.stat().st_size}
    assert duties(config, "export", str(file)) == 3, "nothing is overwritten"
    capsys.readouterr()
    (config.parent / "vault.sqlite").unlink()
    (config.parent / "keys" / "generation").unlink()
    assert duties(config, "import", str(file)) == 0
    assert json.loads(capsys.readouterr().out) == {"validators": 1}
    opened = vault(config)
    with pytest.raises(Refused):
        opened.duties.permit(VALIDATOR, NETWORK, Block(10, b"s" * 32))
    opened.close()
    assert duties(config, "import", str(file), network="0x" + "00" * 32) == 4, "of another network"


def test_bounds_end_a_freeze(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened = vault(config)
    with opened.transaction() as tx:
        freeze_all(tx)
    opened.close()
    names = ["--validator", "0x" + VALIDATOR.hex(), "--slot", "64", "--epoch", "2"]
    for was_frozen in (True, False):
        assert duties(config, "bounds", *names) == 0
        assert json.loads(capsys.readouterr().out) == {"was_frozen": was_frozen}
    opened = vault(config)
    assert opened.duties.history(VALIDATOR, NETWORK).bounds == Bounds(64, 2, 2)
    assert opened.duties.permit(VALIDATOR, NETWORK, Block(65, b"r" * 32))
    opened.close()


@pytest.mark.parametrize("network", ["4b" * 32, "0x4b", "0x" + "zz" * 32, "0x" + "4b" * 33, "0x" + "4 " * 32])
def test_a_network_is_named_in_one_way(config: Path, tmp_path: Path, network: str) -> None:
    assert duties(config, "export", str(tmp_path / "none.json"), network=network) == 3
    assert not (tmp_path / "none.json").exists()
