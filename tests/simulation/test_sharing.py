"""Formation and refresh over a bad network, through crashes, and beside a party that lies anywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from quorate.encoding import encode
from quorate.entropy import SeededRng
from quorate.groups.toy import TOY_GROUP
from quorate.session import Declaration, Party
from quorate.sharing import formation
from quorate.sharing.access import AccessStructure
from quorate.sharing.change import Change, Standing, Target, propose
from quorate.sharing.formation import DeviceSecret, Formed
from quorate.sharing.refresh import DECLARATION, Refreshed, refresh_as_factor, refresh_as_node
from quorate.sharing.statements import Grant, to_sign
from quorate.testing import Dice, Faults, Result, Simulation, Wild, unsafe_identity
from quorate.testing.network import any_scheduler
from quorate.testing.pools import deal_keys

ACCOUNT = bytes(32)
FAULTS = Faults(duplicate=0.05, lose=0.05, damage=0.03, crash=0.01)
NOW = 1_700_000_000


def seats(nodes: int, degree: int) -> tuple[AccessStructure, DeviceSecret, dict[str, Any], bytes]:
    structure = AccessStructure.with_committee([f"n{i}" for i in range(1, nodes + 1)], degree, {"device": 2})
    secret = DeviceSecret.draw(TOY_GROUP, SeededRng(b"device"))
    granted = tuple(Grant(0, 1, at, (("n1", bytes(64)),)) for at in range(2))
    request = secret.request(
        TOY_GROUP, network="test", account=ACCOUNT, index=0, structure=structure, grants=granted
    )
    pool = deal_keys(TOY_GROUP, tuple(structure.nodes), degree, 2, SeededRng(b"pool"))

    async def device(party: Party) -> Formed:
        return await formation.form_as_device(party, secret)

    def node(name: str) -> Callable[[Party], Any]:
        async def run(party: Party) -> Formed:
            return await formation.form_as_node(party, pool[name])

        return run

    runs: dict[str, Any] = {name: node(name) for name in structure.nodes} | {"device": device}
    return structure, secret, runs, encode(request)


def simulate(
    declaration: Declaration, runs: Mapping[str, Any], payload: bytes, seed: int, lie: bool, messages: int
) -> Result[Any]:
    dice = Dice(declaration.name, seed)
    names = sorted(runs)
    cheats = [Wild(dice.choose(names), dice.below(messages), seed)] if lie else []
    faults = FAULTS if seed % 2 else Faults()
    result: Result[Any] = Simulation(
        declaration,
        runs,
        names,
        seed=seed,
        payload=payload,
        scheduler=any_scheduler(names, dice),
        faults=faults,
        cheats=cheats,
    ).run()
    result.assert_sound()
    return result


def formed(nodes: int = 3, degree: int = 1) -> dict[str, Formed]:
    _, _, runs, payload = seats(nodes, degree)
    return simulate(formation.DECLARATION, runs, payload, 0, False, 1).values


def agreed(result: Result[Any]) -> None:
    """Honest parties that came to an end came to the same one."""
    done = [result.values[name] for name in result.honest if name in result.values]
    assert len({to_sign(outcome.statement) for outcome in done}) <= 1
    for outcome in done:
        if outcome.share is not None:
            outcome.share.check()
    assert len({outcome.share.chain_code for outcome in done if outcome.share is not None}) <= 1


@pytest.mark.parametrize("lie", [False, True], ids=["honest", "with-a-liar"])
def test_formation_in_any_order(lie: bool) -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(60):
        nodes, degree = ((1, 0), (2, 1), (3, 1))[seed % 3]
        _, _, runs, payload = seats(nodes, degree)
        result = simulate(formation.DECLARATION, runs, payload, seed, lie, 14)
        agreed(result)
        outcomes.update("done" if name in result.values else "stopped" for name in result.honest)
    assert outcomes["done"]
    assert bool(outcomes["stopped"]) == lie


class Locks:
    def __init__(self) -> None:
        self.slots: dict[bytes, bytes] = {}

    def write_once(self, slot: bytes, value: bytes) -> None:
        assert self.slots.setdefault(slot, value) == value, "a replay after a crash asks for the same lock"


def refresh_seats(made: Mapping[str, Formed], nodes: int, degree: int) -> tuple[dict[str, Any], Change]:
    names = [f"n{i}" for i in range(1, nodes + 1)]
    factors = {name: unsafe_identity(name).public.to_bytes() for name in ("device", "backup")}
    new = AccessStructure.with_committee(names, degree, {"device": 2, "backup": 3})
    standing = {
        name: Standing("test", ACCOUNT, 0, outcome.share, {"device": factors["device"]})
        for name, outcome in made.items()
    }
    change = propose(
        standing["device"],
        new,
        [Target(2, "device", "device", factors["device"]), Target(3, "backup", "file", factors["backup"])],
        pool=[made["device"].spare[0].key_id],
        online=["device"],
        expires=NOW + 60,
        nonce=bytes(32),
    )

    def node(name: str) -> Any:
        pool = {key.key_id: key for key in made[name].keys[1:]}
        locks = Locks()

        async def run(party: Party) -> Refreshed:
            return await refresh_as_node(party, standing=standing[name], pool=pool, locks=locks, now=NOW)

        return run

    async def device(party: Party) -> Refreshed:
        return await refresh_as_factor(party, standing=standing["device"])

    async def backup(party: Party) -> Refreshed:
        return await refresh_as_factor(party)

    return {name: node(name) for name in names} | {"device": device, "backup": backup}, change


@pytest.mark.parametrize("lie", [False, True], ids=["honest", "with-a-liar"])
def test_refresh_in_any_order(lie: bool) -> None:
    wallets = {shape: formed(*shape) for shape in ((1, 0), (3, 1), (5, 2))}
    outcomes: Counter[str] = Counter()
    for seed in range(60):
        shape = ((1, 0), (3, 1), (5, 2))[seed % 3]
        runs, change = refresh_seats(wallets[shape], *shape)
        result = simulate(DECLARATION, runs, encode(change), seed, lie, 10)
        agreed(result)
        outcomes.update("done" if name in result.values else "stopped" for name in result.honest)
        for name in result.honest:
            if name in result.values:
                assert result.values[name].share.me == name
    assert outcomes["done"]
    assert bool(outcomes["stopped"]) == lie
