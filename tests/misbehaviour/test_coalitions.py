"""Who can do what together: each coalition below the threshold, by the rules and by force.

By the rules it gets the named error. By force it ignores the rules: it takes every share it has, computes
whatever combination could be the key, and asks whether that is the key.
"""

from __future__ import annotations

import asyncio
from itertools import combinations
from pathlib import Path

import pytest
from tests.support.owner import Owner

from quorate.account.presets import DEVICE
from quorate.chains.ethereum.requests import message
from quorate.chains.registry import Chains
from quorate.errors import Refused
from quorate.groups import SECP256K1, Scalar
from quorate.primitives.parameters import STANDARD
from quorate.schemes.ecdsa import SIGN, Signer, suite
from quorate.session import Session, SessionSpec, roster_digest
from quorate.sharing.access import NotAuthorised
from quorate.sharing.keyshare import KeyShare
from quorate.testing.committee import LocalCommittee
from quorate.transport.hub import Hub

ORDER = SECP256K1.order


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, KeyShare]:
    """All shares of one live 2-of-3 wallet. Only a test has them in one place."""

    async def make() -> dict[str, KeyShare]:
        committee = LocalCommittee(tmp_path_factory.mktemp("committee"))
        device, record, backup = await Owner(committee).personal()
        shares = {name: node.keybook.share(record) for name, node in committee.nodes.items()}
        await committee.close()
        return {**shares, DEVICE: device, "backup": backup}

    return asyncio.run(make())


def key_of(shares: dict[str, KeyShare], signers: frozenset[str]) -> Scalar:
    total = SECP256K1.scalar(0)
    for name in signers:
        total = total + shares[name].additive(signers)
    return total


def is_the_key(value: Scalar, share: KeyShare) -> bool:
    point = SECP256K1.generator.multiply(value)
    return point in (share.public_key, -share.public_key)


def test_every_authorised_set_has_the_same_key(made: dict[str, KeyShare]) -> None:
    """The control: the shares are real, and each exact signer set makes the one key."""
    structure = made[DEVICE].structure
    sets = list(structure.authorised_sets())
    assert len(sets) == 21  # device + backup, and either with any three of five nodes
    for signers in sets:
        assert SECP256K1.generator.multiply(key_of(made, signers)) == made[DEVICE].public_key


NODES = ("node1", "node2", "node3", "node4", "node5")
BELOW = [
    pytest.param(NODES, ("device", "backup"), id="all nodes without the device"),
    pytest.param((DEVICE,), (*NODES, "backup"), id="the device alone"),
    pytest.param(("backup",), (*NODES, DEVICE), id="the backup alone"),
    *(
        pytest.param((DEVICE, *pair), None, id=f"the device with {' and '.join(pair)}")
        for pair in combinations(NODES, 2)
    ),
    *(
        pytest.param(("backup", *pair), None, id=f"the backup with {' and '.join(pair)}")
        for pair in combinations(NODES, 2)
    ),
]


@pytest.mark.parametrize(("coalition", "missing"), BELOW)
def test_a_coalition_below_the_threshold_is_told_what_is_missing(
    made: dict[str, KeyShare], coalition: tuple[str, ...], missing: tuple[str, ...] | None
) -> None:
    for member in coalition:
        with pytest.raises(NotAuthorised) as refused:
            Signer.of(made[member], coalition)
        assert refused.value.needed >= 1
        assert not set(refused.value.missing) & set(coalition)


@pytest.mark.parametrize(("coalition", "missing"), BELOW)
def test_a_coalition_below_the_threshold_has_no_combination_that_is_the_key(
    made: dict[str, KeyShare], coalition: tuple[str, ...], missing: tuple[str, ...] | None
) -> None:
    """Every coefficient that some authorised set would give these shares, in every mixture of such sets."""
    structure = made[DEVICE].structure
    for signers in structure.authorised_sets():
        inside = [name for name in coalition if name in signers]
        total = SECP256K1.scalar(0)
        for name in inside:
            total = total + made[name].additive(signers)
            assert not is_the_key(made[name].share.reveal(), made[DEVICE])
        assert not is_the_key(total, made[DEVICE])


def test_all_nodes_together_know_only_the_committees_value(made: dict[str, KeyShare]) -> None:
    """Five shares are one value of the outer line, and one point does not fix a line."""
    committee = made["node1"].structure.committee()
    assert committee is not None
    values = set()
    for chosen in combinations(NODES, 3):
        signers = frozenset((*chosen, DEVICE))
        outer = 2  # L_1(0) over the points {1, 2}
        inner = sum(made[name].additive(signers).value for name in chosen) * pow(outer, -1, ORDER)
        values.add(inner % ORDER)
    assert len(values) == 1
    (value,) = values
    shares = {made[name].share.reveal().value for name in (DEVICE, "backup")}
    assert value not in shares
    assert not is_the_key(SECP256K1.scalar(value), made[DEVICE])


def test_no_two_parties_hold_the_same_share(made: dict[str, KeyShare]) -> None:
    assert len({share.share.reveal().value for share in made.values()}) == len(made)


async def test_nodes_refuse_to_sign_among_themselves(tmp_path: Path) -> None:
    """By the rules over the wire: a node that proposes a signature is refused by every other node."""
    committee = LocalCommittee(tmp_path)
    owner = Owner(committee)
    _, record, _ = await owner.personal()
    payload = message("hi", Chains().address("eip155:1", record.public_key), "eip155:1")
    proposer = committee.nodes["node1"]
    roster = dict(committee.identities)
    proposal = SessionSpec(
        SIGN.name,
        SIGN.version,
        suite(SECP256K1, STANDARD),
        record.key,
        record.epoch,
        tuple(sorted(roster)),
        roster_digest(roster),
        5,
        "",
        payload,
    )
    others = {name: await committee.connect(name) for name in NODES[1:]}
    hub = Hub(others, roster, proposer="node1", identity=proposer.identity, deadline=5.0)
    with pytest.raises(Refused) as refused:
        await hub.run(proposal, {"node1": bytes(32)}, _no_session)
    assert refused.value.code == "account"
    for channel in others.values():
        await channel.close()
    await committee.close()


def _no_session(_: SessionSpec) -> Session[None]:
    raise AssertionError("the nodes gave their nonces")
