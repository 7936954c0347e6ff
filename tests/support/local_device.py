"""The SDK's device on a committee in this process: its own code, with channels in memory for connections.

A backup runs in this process too, as a task (`quorate.device.backup.process.BackupService`): having two
parties here is what the product never does; this is for tests of what stands above.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.killing import Killed

from quorate.account import KeyRecord
from quorate.account.committee import Activation, Succession
from quorate.account.pool import Ask, Claim, Offered, Votes
from quorate.device import Backup, Device
from quorate.device.backup.process import BackupService, Task, take_seats
from quorate.device.home import Home
from quorate.device.login import LoginRecord
from quorate.device.network import Network, NodeRow
from quorate.device.sessions import Event
from quorate.entropy import system_rng
from quorate.errors import LimitExceeded, Missing
from quorate.identity import account_id
from quorate.identity.login import TOKEN_SECONDS
from quorate.session import PublicKeys
from quorate.testing.committee import LocalCommittee
from quorate.transport.channel import Channel, ChannelClosed, MemoryChannel

PASSWORD = "correct horse battery"


class LocalNodes:
    """What `quorate.device.nodes.Nodes` is to the SDK, over the committee's own objects."""

    def __init__(
        self, committee: LocalCommittee, account: Callable[[], bytes], device: Callable[[], bytes]
    ) -> None:
        self._committee = committee
        self._account = account
        self._device = device
        self._closing: set[asyncio.Task[None]] = set()

    async def connect(self, name: str) -> Channel:
        try:
            opened = getattr(self._committee, "owner_connects", self._committee.connect)
            channel: Channel = await opened(name)
        except ChannelClosed as error:
            raise Missing(str(error), parties=[name], needed=1) from None
        return channel

    def release(self, channel: Channel) -> None:
        task = asyncio.ensure_future(channel.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def ready(self, name: str) -> bool:
        return name in self._committee.nodes

    def follow(self, network: Network) -> None:
        """Reaches whoever is there by name."""

    async def committee(self, name: str, since: int) -> tuple[list[Succession], Activation | None]:
        _, chain, proof = self._node(name).committee.proof_since(since)
        return list(chain), proof

    async def wallets(self, name: str) -> list[KeyRecord]:
        node = self._node(name)
        found: list[KeyRecord] = await self._asked(name, node.worker(node.records_of, self._account()))
        return found

    async def make_instances(self, name: str) -> None:
        await self._asked(name, self._node(name).ensure_shard(self._account()))

    async def offer_pool(self, name: str, ask: Ask) -> Offered:
        node = self._node(name)
        self._committee.restock()
        found: Offered = await self._asked(name, node.worker(node.pool.offer, self._account(), ask))
        return found

    async def claim_pool(self, name: str, claim: Claim) -> Votes:
        node = self._node(name)
        found: Votes = await self._asked(name, node.worker(node.pool.vote, self._account(), claim))
        return found

    async def register(self, name: str, question: bytes) -> bytes:
        node = self._node(name)
        work = node.worker(node.register.answer, question, self._account(), self._device())
        found: bytes = await self._asked(name, work)
        return found

    async def close(self) -> None:
        if self._closing:
            await asyncio.wait(self._closing)

    async def _asked(self, name: str, work: Awaitable[Any]) -> Any:
        try:
            return await work
        except (Killed, LimitExceeded) as error:
            raise Missing(f"{name} has not answered: {error}", parties=[name], needed=1) from None

    def _node(self, name: str) -> Any:
        node = self._committee.nodes.get(name)
        if node is None:
            raise Missing(f"{name} cannot be reached", parties=[name], needed=1)
        return node


class LocalBackup:
    """What `quorate.device.backup.link.BackupLink` is to the SDK, without a process."""

    def __init__(self, service: BackupService, channel: MemoryChannel, serving: asyncio.Task[None]) -> None:
        self._service = service
        self._serving = serving
        self.channel = channel
        self.keys = service.keys.public

    @classmethod
    async def start(
        cls, name: str, backup: Backup, network: Network, account: bytes, device: PublicKeys
    ) -> LocalBackup:
        nodes = tuple((node, keys.to_bytes()) for node, keys in network.identities.items())
        path, password = str(backup.path), backup.password.reveal()
        task = Task(name, network.name, account, device.to_bytes(), nodes, path, password, backup.exists)
        service = BackupService(task, system_rng)
        near, far = MemoryChannel.pair()
        return cls(service, near, asyncio.create_task(take_seats(far, service, _at_once)))

    async def finish(self, *, kept: bool) -> None:
        await self.channel.close()
        await self._serving
        if not kept:
            self._service.give_up()


class LocalIssuer:
    """Logs anybody in."""

    def __init__(self, committee: LocalCommittee, user: str) -> None:
        self._committee = committee
        self._user = user

    async def log_in(self, device: PublicKeys) -> LoginRecord:
        token = self._committee.token(self._user, device)
        now = int(self._committee._clock())
        account = account_id(self._committee.network, self._user)
        return LoginRecord(self._user, account, token, now, now + TOKEN_SECONDS)


@asynccontextmanager
async def local_device(
    committee: LocalCommittee,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    user: str = "alice",
    observer: Callable[[Event], None] | None = None,
) -> AsyncIterator[Device]:
    """The device of a home directory, logged in; its backups are tasks of this process."""
    monkeypatch.setattr("quorate.device.create.BackupLink", LocalBackup)
    rows = [NodeRow(name, "memory:", committee.identities[name].to_bytes().hex()) for name in committee.names]
    network = Network.of(committee.network, committee.quorums, rows)
    issuer = LocalIssuer(committee, user)
    device = Device(Home(home), network, issuer=issuer, observer=observer, clock=committee._clock)
    async with device:
        device.desk.nodes = LocalNodes(
            committee, lambda: device.login.account, device.desk.identity.public.to_bytes
        )
        if not device.logged_in:
            await device.log_in()
        yield device


async def _at_once(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)
