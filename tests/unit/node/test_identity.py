"""A node and its identity: made once, and checked before anything is touched."""

from dataclasses import replace
from pathlib import Path

import pytest

from quorate.entropy import system_rng
from quorate.errors import Unavailable
from quorate.node.config import BadConfig
from quorate.node.identity import FIRST_EPOCH, NodeKeys, own_identity
from quorate.node.node import Node
from quorate.secret import Secret
from quorate.session import KeyPair
from quorate.testing.committee import LocalCommittee
from quorate.vault import Vault
from quorate.vault.seals import KeyFileSeal


async def test_an_identity_is_made_once(tmp_path: Path) -> None:
    committee = LocalCommittee(tmp_path, size=1, degree=0)
    vault = committee.nodes["node1"].vault
    assert own_identity(vault, system_rng).public == own_identity(vault, system_rng).public
    await committee.close()


async def test_a_configuration_for_another_vault_is_refused_before_anything_is_burned(tmp_path: Path) -> None:
    committee = LocalCommittee(tmp_path, size=1, degree=0)
    node = committee.nodes["node1"]
    vault, now = node.vault, node.clock()
    vault.shares.put("key", 0, b"share", owner="node1")
    vault.shares.activate("key", 0)
    vault.presignatures.put(
        b"p" * 32, b"value", key="key", epoch=0, signers=["node1"], pairs={}, expires=now + 60, now=now
    )
    stranger = {"node1": KeyPair.generate(system_rng).public}
    with pytest.raises(BadConfig, match="another identity"):
        Node(replace(node.config, identities=stranger), vault)
    assert vault.presignatures.ready("key", 0, ["node1"], now) == [b"p" * 32]
    await committee.close()


def vault_in(place: Path) -> Vault:
    place.mkdir(exist_ok=True)
    file = place / "seal.key"
    made = KeyFileSeal.load if file.exists() else KeyFileSeal.create
    return Vault.open(
        f"sqlite:///{place / 'v.db'}", place / "keys", made(file, rng=system_rng), rng=system_rng
    )


def test_each_epoch_has_a_sealing_key_of_its_own_and_one_signing_key(tmp_path: Path) -> None:
    vault = vault_in(tmp_path)
    keys = NodeKeys(vault, system_rng)
    first, second = keys.of(0).public, keys.of(1).public
    assert first.verifying == second.verifying
    assert first.sealing != second.sealing
    assert NodeKeys(vault, system_rng).of(1).public == second
    vault.close()


def test_an_erased_sealing_key_never_comes_back_and_takes_no_other_key_with_it(tmp_path: Path) -> None:
    vault = vault_in(tmp_path)
    keys = NodeKeys(vault, system_rng)
    kept = keys.of(1).public
    keys.of(0)
    keys.erase(0)
    keys.erase(0)
    with pytest.raises(Unavailable, match="erased for ever"):
        keys.of(0)
    assert keys.of(1).public == kept
    vault.close()


def test_a_vault_of_the_first_version_keeps_its_identity_and_lets_its_sealing_key_go(tmp_path: Path) -> None:
    vault, seed = vault_in(tmp_path), b"s" * 32
    vault.records.put("identity", "node", seed, expected=0, scope="identity")
    pair = KeyPair(Secret(seed)).public
    keys = NodeKeys(vault, system_rng)
    assert keys.of(FIRST_EPOCH).public == pair
    assert vault.records.get("identity", "node") is None
    keys.erase(FIRST_EPOCH)
    assert keys.of(1).public.verifying == pair.verifying
    vault.close()
