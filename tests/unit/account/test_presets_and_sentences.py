"""What a preset expands to, and what the wallet says of itself."""

import pytest

from quorate.account import structure_for, survival
from quorate.account.presets import formation_structure
from quorate.account.shards import SHARDS, shard_of
from quorate.errors import Malformed
from quorate.sharing.access import AccessStructure

NODES = ("node1", "node2", "node3", "node4", "node5")


def test_personal_is_any_two_of_nodes_device_and_backup() -> None:
    structure = structure_for("personal", NODES, 2)
    assert structure.is_authorised(["device", "backup"])
    assert structure.is_authorised(["device", "node1", "node3", "node5"])
    assert structure.is_authorised(["backup", "node1", "node3", "node5"])
    assert not structure.is_authorised(NODES)
    assert not structure.is_authorised(["device", "node1", "node3"])


def test_server_needs_nodes_and_device() -> None:
    structure = structure_for("server", NODES, 2)
    assert structure == formation_structure(NODES, 2)
    assert not structure.is_authorised(NODES)
    assert not structure.is_authorised(["device"])


def test_an_expression_of_all_nodes_and_the_device_is_taken_as_it_is() -> None:
    text = "3 of (3 of (node1 node2 node3 node4 node5), device, backup)"
    assert structure_for(text, NODES, 2) == AccessStructure.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "2 of (3 of (node1 node2 node3 node4), device, backup)",
        "2 of (3 of (node1 node2 node3 node4 node5), backup, device)",
        "2 of (2 of (node1 node2 node3 node4 node5), device, backup)",
        "2 of (device, backup)",
        "nonsense",
    ],
)
def test_an_expression_that_this_network_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        structure_for(text, NODES, 2)


def test_a_personal_wallet_says_that_any_one_loss_is_survived() -> None:
    assert survival(structure_for("personal", NODES, 2)) == (
        "The wallet survives the loss of any one of: the device, the backup or the whole service. "
        "The service works with up to two of its five nodes down."
    )


def test_a_server_wallet_says_that_both_sides_are_needed() -> None:
    assert survival(structure_for("server", ("node1",), 0)) == (
        "The device is needed for every signature. The service is needed for every signature."
    )


def test_shards_stay_in_range_and_spread() -> None:
    shards = {shard_of(bytes([i]) * 32) for i in range(256)}
    assert max(shards) < SHARDS
    assert len(shards) > SHARDS // 2
