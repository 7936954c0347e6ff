"""Makes wallets for tests: formation (and refreshes) among honest seats around a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.unit.sharing.table import Table, errors, identity

from quorate.encoding import encode
from quorate.entropy import SeededRng
from quorate.errors import AlreadyUsed
from quorate.groups import Group
from quorate.session import Party
from quorate.sharing import formation
from quorate.sharing.access import AccessStructure
from quorate.sharing.change import Change, Standing, Target, propose
from quorate.sharing.formation import DeviceSecret, Formed
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.keyshare import KeyShare
from quorate.sharing.refresh import DECLARATION, Refreshed, refresh_as_factor, refresh_as_node
from quorate.sharing.statements import Grant
from quorate.testing.pools import deal_keys

ACCOUNT = bytes(range(32))


def nodes(count: int) -> tuple[str, ...]:
    return tuple(f"n{i}" for i in range(1, count + 1))


def grants(count: int) -> tuple[Grant, ...]:
    """Names for as many pool keys; what holds as a certificate is not for the protocol."""
    return tuple(Grant(0, 1, at, (("n1", bytes(64)),)) for at in range(count))


async def without_keys(party: Party) -> Formed:
    """A node that has none of the granted keys."""
    return await formation.form_as_node(party, ())


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
    granted = grants(len(next(iter(pool.values()))) if pool else keys)
    request = secret.request(
        group, network="test", account=ACCOUNT, index=0, structure=structure, grants=granted
    )
    if pool is None:
        dealt = deal_keys(group, nodes(count), degree, keys, SeededRng(b"pool" + bytes([seed])))
        pool = {name: tuple(parts) for name, parts in dealt.items()}

    async def as_device(party: Party) -> Formed:
        return await formation.form_as_device(party, secret)

    def as_node(name: str) -> Callable[[Party], Any]:
        async def run(party: Party) -> Formed:
            return await formation.form_as_node(party, pool[name])

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


class MemoryLocks:
    """A node's write-once memory."""

    def __init__(self) -> None:
        self.slots: dict[bytes, bytes] = {}

    def write_once(self, slot: bytes, value: bytes) -> None:
        if self.slots.setdefault(slot, value) != value:
            raise AlreadyUsed("this pool key is locked to another request")


@dataclass
class Wallet:
    """All parties of one wallet, each with what it holds; only a test ever has them in one place."""

    group: Group
    shares: dict[str, KeyShare]
    factors: dict[str, bytes]
    pool: list[dict[str, GeneratedKey]]
    locks: dict[str, MemoryLocks]
    now: int = 1_700_000_000

    @classmethod
    def formed(cls, group: Group, count: int, degree: int, *, keys: int = 4, seed: int = 1) -> Wallet:
        made = form(group, count, degree, keys=keys, seed=seed)
        names = nodes(count)
        pool = [{name: made[name].keys[k] for name in names} for k in range(1, keys)]
        shares = {name: formed.share for name, formed in made.items()}
        return cls(
            group,
            shares,
            {"device": identity("device", group).public.to_bytes()},
            pool,
            {n: MemoryLocks() for n in names},
        )

    @property
    def structure(self) -> AccessStructure:
        return next(iter(self.shares.values())).structure

    def standing(self, name: str) -> Standing:
        return Standing("test", ACCOUNT, 0, self.shares[name], self.factors)

    def change(
        self, factors: Mapping[str, int], *, needed: int = 2, online: tuple[str, ...] = ("device",)
    ) -> Change:
        """A request for the same committee and these factors, on the next keys of the pool."""
        committee = self.structure.committee()
        assert committee is not None
        new = AccessStructure.with_committee(
            tuple(self.structure.nodes), committee.needed - 1, factors, needed=needed
        )
        targets = [
            Target(point, name, "device", identity(name, self.group).public.to_bytes())
            for name, point in factors.items()
        ]
        pool = [next(iter(keys.values())).key_id for keys in self.pool[: needed - 1]]
        return propose(
            self.standing(online[0]),
            new,
            targets,
            pool=pool,
            online=online,
            expires=self.now + 600,
            nonce=bytes(32),
        )

    def table(self, change: Change, *, seed: int = 1, absent: tuple[str, ...] = (), **options: Any) -> Table:
        """A table set for a refresh."""

        def as_node(name: str) -> Callable[[Party], Any]:
            pool = {keys[name].key_id: keys[name] for keys in self.pool}

            async def run(party: Party) -> Refreshed:
                return await refresh_as_node(
                    party,
                    standing=self.standing(name),
                    pool=pool,
                    locks=self.locks[name],
                    now=self.now,
                )

            return run

        def as_factor(name: str) -> Callable[[Party], Any]:
            standing = self.standing(name) if name in self.shares else None

            async def run(party: Party) -> Refreshed:
                return await refresh_as_factor(party, standing=standing)

            return run

        seats: dict[str, Any] = {n: as_node(n) for n in self.structure.nodes if n not in absent}
        names = {t.name for t in change.targets} | {name for name, _ in change.online}
        seats |= {name: as_factor(name) for name in names}
        return Table(
            DECLARATION, seats, self.group, payload=encode(change), key=change.key_id, seed=seed, **options
        )

    def refresh(self, factors: Mapping[str, int], **request: Any) -> Wallet:
        """An honest refresh; the wallet afterwards."""
        change = self.change(factors, **request)
        played = self.table(change).play()
        assert not errors(played), errors(played)
        return self.after(change, played)

    def after(self, change: Change, played: Mapping[str, Refreshed]) -> Wallet:
        """Adopt what a refresh gave."""
        shares = {name: done.share for name, done in played.items() if done.share is not None}
        factors = {target.name: target.factor for target in change.targets}
        return replace(self, shares=shares, factors=factors, pool=self.pool[len(change.pool) :])

    def key_holds(self) -> bool:
        """Whether every exact signer set's summands give the public key."""
        any_share = next(iter(self.shares.values()))
        for signers in any_share.structure.authorised_sets():
            if not signers <= set(self.shares):
                continue
            summands = (self.shares[name].additive(signers) for name in signers)
            total = sum(summands, self.group.scalar(0))
            if self.group.generator.multiply(total) != any_share.public_key:
                return False
        return True
