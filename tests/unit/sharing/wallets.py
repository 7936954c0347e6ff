"""Makes wallets for tests: formation (and refreshes) among honest seats around a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.unit.sharing.table import Cheat, Table, errors

from quorate.encoding import encode
from quorate.entropy import SeededRng
from quorate.groups import Group
from quorate.session import Party
from quorate.sharing import formation
from quorate.sharing.access import AccessStructure
from quorate.sharing.formation import DeviceSecret, Formed
from quorate.sharing.generation import GeneratedKey

ACCOUNT = bytes(range(32))


def nodes(count: int) -> tuple[str, ...]:
    return tuple(f"n{i}" for i in range(1, count + 1))


def formation_table(
    group: Group,
    count: int,
    degree: int,
    *,
    keys: int = 2,
    pool: Mapping[str, tuple[GeneratedKey, ...]] | None = None,
    present: tuple[str, ...] | None = None,
    seed: int = 1,
    device: Callable[[DeviceSecret], Callable[[Party], Any]] | None = None,
    **options: Any,
) -> tuple[Table, DeviceSecret]:
    """A table set for a formation; `device` replaces the device's seat."""
    structure = AccessStructure.with_committee(nodes(count), degree, {"device": 2})
    secret = DeviceSecret.draw(group, SeededRng(b"device" + bytes([seed])))
    request = secret.request(group, network="test", account=ACCOUNT, index=0, structure=structure, keys=keys)

    async def as_device(party: Party) -> Formed:
        return await formation.form_as_device(party, secret)

    def as_node(name: str) -> Callable[[Party], Any]:
        async def run(party: Party) -> Formed:
            return await formation.form_as_node(party, pool=pool[name] if pool else None)

        return run

    seats: dict[str, Any] = {name: as_node(name) for name in present or nodes(count)}
    seats["device"] = device(secret) if device else as_device
    table = Table(formation.DECLARATION, seats, group, payload=encode(request), seed=seed, **options)
    return table, secret


def form(group: Group, count: int, degree: int, **options: Any) -> dict[str, Formed]:
    """An honest formation."""
    played = formation_table(group, count, degree, **options)[0].play()
    assert not errors(played), errors(played)
    return played


__all__ = ["ACCOUNT", "Cheat", "form", "formation_table", "nodes"]
