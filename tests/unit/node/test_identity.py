"""A node and its identity: made once, and checked before anything is touched."""

from dataclasses import replace
from pathlib import Path

import pytest

from quorate.entropy import system_rng
from quorate.node.config import BadConfig
from quorate.node.identity import own_identity
from quorate.node.node import Node
from quorate.session import KeyPair
from quorate.testing.committee import LocalCommittee


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
