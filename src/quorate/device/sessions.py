"""The device as the hub of its sessions: what every session of it needs, in one place.

`Desk` holds the device's vault, keys, connections and worker thread; `run` opens one session with some
nodes, takes part in it, and gives the result. Storage and the steps of protocols run in the worker thread.
Nothing here decides what is signed or with whom.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from quorate.account.presets import DEVICE
from quorate.account.shards import DEVICE_SHARD
from quorate.clock import Clock
from quorate.device.instances import InstanceBook
from quorate.device.login import LoginRecord
from quorate.device.network import Network
from quorate.device.nodes import Nodes
from quorate.device.reachable import Reachability
from quorate.entropy import Rng
from quorate.errors import Missing, QuorateError
from quorate.groups import SECP256K1, Group
from quorate.schemes.ecdsa import SETUP, PairSetup, propose_setup, set_up
from quorate.session import (
    NONCE_BYTES,
    Declaration,
    KeyPair,
    PartyId,
    ProtocolRun,
    PublicIdentity,
    Session,
    SessionSpec,
)
from quorate.transport.channel import Channel
from quorate.transport.hub import Carried, Hub, Outcome
from quorate.vault import Vault

T = TypeVar("T")

DEADLINE_SECONDS: Final = 10.0
"""Without any frame for this long, who is awaited counts as missing. Rounds take milliseconds of work."""


MAX_SIGNATURES_AT_ONCE: Final = 4
"""More wait for their turn: nodes take eight sessions of one account, and an OT setup bears eight uses whose
checks are outstanding."""

CLOSING_SECONDS: Final = 0.2
"""Requests that nobody waits for have left the device by then; the nodes finish them without it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session begins: its protocol and its parties."""

    protocol: str
    parties: tuple[PartyId, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """It is over; `error` is empty, or says why it failed."""

    protocol: str
    parties: tuple[PartyId, ...]
    error: str = ""


Event = Opened | Carried | Closed
"""What can be watched of a device's sessions: who sends what to whom and how much, never content."""

Observer = Callable[[Event], None]


@dataclass(slots=True)
class Desk:
    """Everything a session of this device is made from."""

    network: Network
    identity: KeyPair
    vault: Vault
    nodes: Nodes
    book: InstanceBook
    reachable: Reachability
    worker: Callable[..., Awaitable[Any]]
    login: Callable[[], LoginRecord]
    rng: Rng
    clock: Clock
    observer: Observer | None = None
    signing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_SIGNATURES_AT_ONCE))
    setting_up: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    background: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(
        self,
        channels: Mapping[PartyId, Channel],
        roster: Mapping[PartyId, PublicIdentity],
        proposal: SessionSpec,
        declaration: Declaration,
        group: Group,
        protocol: ProtocolRun[T],
    ) -> tuple[Outcome, T]:
        """One session over `channels`, the device a party of it. Raises what ended it."""
        self._tell(Opened(proposal.protocol, proposal.parties))
        hub = Hub(
            channels,
            roster,
            proposer=DEVICE,
            identity=self.identity,
            credential=self.login().token,
            observer=self.observer,
            deadline=DEADLINE_SECONDS,
            worker=self.worker,
        )

        def local(spec: SessionSpec) -> Session[T]:
            return Session(spec, DEVICE, self.identity, roster, declaration, group, protocol, rng=self.rng)

        try:
            result = await hub.run(proposal, {DEVICE: self.rng(NONCE_BYTES)}, local)
        except BaseException as error:
            self._tell(Closed(proposal.protocol, proposal.parties, str(error) or type(error).__name__))
            raise
        self._tell(Closed(proposal.protocol, proposal.parties))
        return result

    def roster(self, *names: str) -> dict[PartyId, PublicIdentity]:
        """The device and these nodes. Raises `Missing` for one that has left the committee."""
        gone = [name for name in names if name not in self.network.identities]
        if gone:
            raise Missing(f"{gone[0]} is not of the committee any more", parties=gone, needed=1)
        found: dict[PartyId, PublicIdentity] = {name: self.network.identities[name] for name in names}
        return found | {DEVICE: self.identity.public}

    async def connect(self, names: tuple[str, ...]) -> dict[PartyId, Channel]:
        """Channels to all of these nodes at once. Raises `Missing`, and then none stays open."""
        found = await asyncio.gather(*(self.nodes.connect(name) for name in names), return_exceptions=True)
        channels: dict[PartyId, Channel] = {}
        errors: list[BaseException] = []
        for name, result in zip(names, found, strict=True):
            if isinstance(result, BaseException):
                errors.append(result)
                self.reachable.failed(name)
            else:
                channels[name] = result
        if errors:
            self.release(channels)
            raise errors[0]
        return channels

    async def connect_enough(self, names: Sequence[str], needed: int) -> dict[PartyId, Channel]:
        """Channels to those of these nodes that can be reached. Raises `Missing` when they are too few."""
        found = await asyncio.gather(*(self.nodes.connect(name) for name in names), return_exceptions=True)
        channels: dict[PartyId, Channel] = {}
        errors = []
        for name, result in zip(names, found, strict=True):
            if not isinstance(result, BaseException):
                channels[name] = result
                continue
            self.reachable.failed(name)
            if not isinstance(result, Missing):
                self.release(channels)
                raise result
            errors.append(result)
        if len(channels) < needed:
            self.release(channels)
            missing = [name for name in names if name not in channels]
            reasons = "; ".join(map(str, errors))
            raise Missing(
                f"{needed} nodes are needed to make a wallet, and {len(channels)} are there: {reasons}",
                parties=missing,
                needed=needed - len(channels),
            )
        return channels

    def release(self, channels: Mapping[PartyId, Channel]) -> None:
        """Let go of channels whose session is over."""
        for channel in channels.values():
            self.nodes.release(channel)

    def in_background(self, work: Coroutine[Any, Any, Any]) -> None:
        """Let something useful go on that nobody waits for, and whose failure costs nobody anything."""

        async def quietly() -> None:
            with contextlib.suppress(QuorateError):
                await work

        task = asyncio.create_task(quietly())
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    async def close(self) -> None:
        """End what goes on in the background, and the connections."""
        if self.background:
            await asyncio.wait(self.background, timeout=CLOSING_SECONDS)
        for task in (*self.background, *self.setting_up.values()):
            task.cancel()
        await self.nodes.close()

    async def ensure_setup(self, node: str) -> None:
        """Return once there is an OT setup with a node; two callers share one."""
        if not await self.worker(self.book.is_usable, node):
            await self.set_up(node)

    async def set_up(self, node: str) -> None:
        """Make a fresh OT setup with a node (docs/protocols/ecdsa.md, step 1)."""
        running = self.setting_up.get(node)
        if running is None:
            running = asyncio.create_task(self._set_up(node))
            self.setting_up[node] = running
            running.add_done_callback(lambda ended: self._set_up_ended(node, ended))
        # Shielded: a signature that gives up must not end the setup that another one waits for.
        await asyncio.shield(running)

    def _set_up_ended(self, node: str, task: asyncio.Task[None]) -> None:
        del self.setting_up[node]
        if not task.cancelled():
            task.exception()  # told to those who wait; when nobody does any more, to nobody

    async def _set_up(self, node: str) -> None:
        logged_in = self.login().issued
        generation = await self.worker(self.book.next_generation, node, logged_in)
        roster = self.roster(node)
        proposal = propose_setup(roster, DEVICE_SHARD, generation)

        async def protocol(party: Any) -> PairSetup:
            return await set_up(party, DEVICE_SHARD, generation)

        channels = await self.connect((node,))
        try:
            _, setup = await self.run(channels, roster, proposal, SETUP, SECP256K1, protocol)
        finally:
            self.release(channels)
        await self.worker(self.book.store, node, setup, logged_in)

    def _tell(self, event: Event) -> None:
        if self.observer is not None:
            self.observer(event)
