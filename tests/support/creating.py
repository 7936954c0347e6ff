"""Refreshes of a formed key by an owner who keeps to the rules only as far as a test wants."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.owner import Backup, Owner, at_once

from quorate.account import KeyRecord, structure_for
from quorate.account.presets import DEVICE
from quorate.account.requests import LiveRequest, Signatures
from quorate.encoding import encode
from quorate.entropy import system_rng
from quorate.session import (
    Envelope,
    Party,
    roster_digest,
)
from quorate.sharing.change import Change, Standing, Target, propose
from quorate.sharing.formation import Formed
from quorate.sharing.refresh import DECLARATION as REFRESH
from quorate.sharing.refresh import Refreshed, refresh_as_factor
from quorate.testing.committee import LocalCommittee
from quorate.transport.channel import MemoryChannel
from quorate.transport.frames import Deliver, Frame
from quorate.transport.host import host

NODES = ("node1", "node2", "node3")
NOW = 2_000_000_000.0


@dataclass
class Time:
    """A clock the tests turn."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


class Filtered(MemoryChannel):
    """A channel of a hub that keeps envelopes of some tags from one node."""

    def __init__(self, inner: MemoryChannel, tags: tuple[str, ...]) -> None:
        self._inner, self._tags = inner, tags

    async def send(self, frame: Frame) -> None:
        if isinstance(frame, Deliver):
            frame = Deliver(
                tuple(data for data in frame.envelopes if Envelope.parse(data).tag not in self._tags)
            )
        await self._inner.send(frame)

    async def receive(self) -> Frame:
        return await self._inner.receive()

    async def close(self) -> None:
        await self._inner.close()


@dataclass
class Creation:
    """A formed key of `owner`, and refreshes of it that keep to the rules only as far as wanted."""

    owner: Owner
    formed: Formed
    record: KeyRecord
    backup: Backup = field(default_factory=Backup)

    @classmethod
    async def of(cls, owner: Owner) -> Creation:
        formed, record, _ = await owner.form(keys=2)
        return cls(owner, formed, record)

    def change(self, spare: bytes, *, backup: Backup | None = None, **fields: Any) -> Change:
        committee, own = self.owner.committee, self.owner.keys.public.to_bytes()
        keys = (backup or self.backup).keys.public.to_bytes()
        record = self.record
        return propose(
            Standing(record.network, record.account, 0, self.formed.share, {DEVICE: own}),
            structure_for("personal", committee.names, committee.quorums.degree),
            [
                Target(2, DEVICE, "device", own),
                Target(3, "backup", fields.get("kind", "backup"), fields.get("keys", keys)),
            ],
            pool=[spare],
            online=[DEVICE],
            expires=int(NOW) + 60,
            nonce=system_rng(32),
        )

    @property
    def spare(self) -> bytes:
        return self.formed.spare[0].key_id

    async def refresh(
        self,
        change: Change,
        *,
        backup: Backup | None = None,
        keep: Mapping[str, tuple[str, ...]] | None = None,
        deadline: float = 10.0,
    ) -> tuple[dict[str, bytes], Refreshed]:
        """Run it; `keep` names tags of envelopes that never reach a node."""
        owner, committee = self.owner, self.owner.committee
        seat = backup or Backup(keys=self.backup.keys)
        parties = tuple(sorted((*committee.names, DEVICE, "backup")))
        seat.roster = roster = {**owner.roster((*committee.names, DEVICE)), "backup": seat.keys.public}
        proposal = owner.proposal(
            REFRESH, parties, key=self.record.key, roster=roster_digest(roster), payload=encode(change)
        )
        own = {DEVICE: owner.keys.public.to_bytes()}
        standing = Standing(self.record.network, self.record.account, 0, self.formed.share, own)

        async def run(party: Party) -> Refreshed:
            return await refresh_as_factor(party, standing=standing)

        near, far = MemoryChannel.pair()
        serving = asyncio.create_task(host(far, seat, at_once, idle=2.0))
        channels: dict[str, MemoryChannel] = {"backup": near}
        for name, tags in (keep or {}).items():
            channels[name] = Filtered(await committee.connect(name), tags)
        try:
            outcome, refreshed = await owner.run(
                proposal, REFRESH, run, roster=roster, extra=channels, deadline=deadline
            )
        finally:
            await near.close()
            with contextlib.suppress(Exception):
                await serving
        return dict(outcome.outcomes), refreshed


def certificate(refreshed: Refreshed, signatures: Mapping[str, bytes]) -> LiveRequest:
    by = tuple(sorted((name, signatures[name]) for name in NODES if name in signatures))
    return LiveRequest(refreshed.statement, Signatures(by))


async def settled(committee: LocalCommittee) -> None:
    """Returns when no node has a session left: a hub's error reaches them a moment later."""
    async with asyncio.timeout(5):
        while any(node._running.total() for node in committee.nodes.values()):
            await asyncio.sleep(0.01)
