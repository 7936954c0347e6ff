"""Real nodes in one process, joined by channels in memory: for tests of what stands on top of nodes.

Everything is the product's own code (vaults on disk, protocols, policies, sessions); sockets are missing.
Having several nodes' shares in one process is what the product never does; this is for tests.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from quorate.account.committee import CommitteeRecord
from quorate.clock import Clock, unix_time
from quorate.entropy import Rng, system_rng
from quorate.groups import SECP256K1, Group
from quorate.identity import issue_token
from quorate.node.config import NodeConfig, Peer
from quorate.node.identity import own_identity
from quorate.node.links import ConnectLink
from quorate.node.log import Log
from quorate.node.node import Node
from quorate.session import KeyPair, PublicKeys
from quorate.sharing.quorums import Quorums
from quorate.sharing.statements import Grant, to_sign
from quorate.testing.pools import deal_keys
from quorate.transport.channel import ChannelClosed, MemoryChannel
from quorate.transport.links import LinkPeer, MemoryWire, Wire, WireClosed
from quorate.vault import Vault
from quorate.vault.pool import PoolIndex
from quorate.vault.seals import KeyFileSeal

STOCK: Final = 16
"""Pool keys that a committee begins with, and is given again when they are used up."""


class LocalCommittee:
    """`size` nodes sharing by `degree`, each with a directory under `home`. Close it when done.

    `names`, `quorums` and `identities` are those of the present committee, as far as `follow` was told.
    """

    def __init__(
        self,
        home: Path,
        size: int = 5,
        degree: int = 2,
        *,
        allow_blind: bool = False,
        stock: int = STOCK,
        pool_target: int = 0,
        pool_batch: int = 8,
        pool_account_keys: int = 1000,
        clock: Clock = unix_time,
        rng: Rng = system_rng,
    ) -> None:
        self.home = home
        self.network = "test"
        self.network_key = KeyPair.generate(rng)
        self.names = tuple(f"node{i}" for i in range(1, size + 1))
        self.quorums = Quorums.standard(size, degree)
        self.epoch = 0
        self.log = io.StringIO()
        self.down: set[str] = set()
        self.nodes: dict[str, Node] = {}
        self._allow_blind = allow_blind
        self._stock = stock
        self._pool_target, self._pool_batch = pool_target, pool_batch
        self._pool_account_keys = pool_account_keys
        self._clock = clock
        self._rng = rng
        self._serving: set[asyncio.Task[None]] = set()
        self._linked = False
        self._apart: set[str] = set()
        self._wires: dict[tuple[str, str], Wire] = {}
        self.identities: dict[str, PublicKeys] = {}
        for name in self.names:
            self.identities[name] = self._make_identity(name)
        self._founders = dict(self.identities)
        self._first_quorums = self.quorums
        for name in self.names:
            self.start(name)
        if stock:
            self.stock(stock)

    def start(self, name: str) -> None:
        """Start a node (again) on what its directory holds."""
        config = NodeConfig(
            name=name,
            network=self.network,
            network_key=self.network_key.public,
            host="127.0.0.1",
            port=0,
            storage=self._storage(name),
            keys=self.home / name / "keys",
            seal="",
            committee={
                peer: Peer(peer, "memory:", keys.to_bytes().hex()) for peer, keys in self._founders.items()
            },
            identities=self._founders,
            quorums=self._first_quorums,
            allow_blind=self._allow_blind,
            shards_ahead=0,
            background_cpu=1.0,
            chains=(),
            pool_target=self._pool_target,
            pool_batch=self._pool_batch,
            pool_account_keys=self._pool_account_keys,
        )
        self.nodes[name] = Node(
            config,
            self._open_vault(name),
            connect=self.connect,
            connect_link=self._connector(name),
            log=Log(name, self.log, clock=self._clock),
            clock=self._clock,
            rng=self._rng,
        )
        self.down.discard(name)
        if self._linked:
            self.nodes[name].start_links()

    def link(self) -> None:
        """Let the nodes reach each other, and go on with what stands; also those that start later."""
        self._linked = True
        for node in self.nodes.values():
            node.start_links()

    async def part(self, *apart: str) -> None:
        """Cut these off from the others, and nobody else from anybody; without names all are together
        again."""
        self._apart = set(apart)
        for (near, far), wire in list(self._wires.items()):
            if (near in apart) != (far in apart):
                await wire.close()

    def add(self, name: str) -> PublicKeys:
        """Start a node that waits to be taken in; gives its identity."""
        identity = self._make_identity(name)
        self.start(name)
        return identity

    def follow(self, record: CommitteeRecord) -> None:
        """The nodes' committee is now this one."""
        self.names, self.quorums, self.identities = record.names, record.quorums, record.identities
        self.epoch = record.epoch

    def stock(self, count: int, group: Group = SECP256K1) -> None:
        """Put a batch of pool keys, dealt by one who knows them, into the vault of every node that is up."""
        parts = deal_keys(group, self.names, self.quorums.degree, count, self._rng)
        for name, node in self.nodes.items():
            if name not in parts:
                continue
            known = node.vault.pool.batches(group.name)
            stored = [(key.key_id, key.to_bytes()) for key in parts[name]]
            node.vault.pool.put(group.name, len(known) + 1, stored, epoch=node.committee.epoch)

    def restock(self) -> None:
        """Another batch where a wallet's keys are not there any more, if the committee began with any."""
        low = any(node.vault.pool.depth(SECP256K1.name) < 2 for node in self.nodes.values())
        if low and self._stock:
            self.stock(self._stock)

    def grants(
        self, account: bytes, commitment: bytes, count: int, group: Group = SECP256K1
    ) -> tuple[Grant, ...]:
        """Keys of the pool for this account, by votes of all nodes that are up, whatever their limits say."""
        nodes = [self.nodes[name] for name in self.names if name in self.nodes]
        if any(node.vault.pool.depth(group.name) < count for node in nodes):
            self.stock(STOCK, group)
        shared = set.intersection(*(set(node.vault.pool.unassigned(group.name, 64)) for node in nodes))
        return tuple(self._grant(index, account, commitment, nodes) for index in sorted(shared)[:count])

    def _grant(self, index: PoolIndex, account: bytes, commitment: bytes, nodes: Sequence[Node]) -> Grant:
        epoch = nodes[0].committee.epoch
        unsigned = Grant(epoch, index.batch, index.position, (("nobody", bytes(64)),))
        statement = to_sign(unsigned.statement(self.network, index.curve, account, commitment))
        signatures = []
        for node in nodes:
            node.vault.pool.sign(index, account, commitment, self._clock())
            signatures.append((node.config.name, node.identity.sign(statement)))
        return Grant(epoch, index.batch, index.position, tuple(signatures))

    async def stop(self, name: str) -> None:
        """Stop one node; its directory stays."""
        self.down.add(name)
        await self.nodes.pop(name).close()

    async def close(self) -> None:
        """Stop all nodes."""
        for name in list(self.nodes):
            await self.stop(name)
        for task in self._serving:
            task.cancel()

    async def connect(self, name: str) -> MemoryChannel:
        """A channel to a node, served by it. Raises `ChannelClosed` while it is down."""
        if name in self.down:
            raise ChannelClosed(f"{name} is down")
        near, far = MemoryChannel.pair()
        task = asyncio.create_task(self._serve(name, far))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        return near

    def _connector(self, near: str) -> ConnectLink:
        async def connect(peer: LinkPeer) -> Wire:
            far = peer.name
            if far in self.down or near in self.down or (near in self._apart) != (far in self._apart):
                raise WireClosed(f"{far} cannot be reached from {near}")
            wire, end = MemoryWire.pair()
            self._wires[near, far] = wire
            task = asyncio.create_task(self.nodes[far].links.serve(end))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
            return wire

        return connect

    def token(self, user: str, device: PublicKeys, *, later: float = 0.0) -> bytes:
        """A login of this network, issued now or some seconds later."""
        return issue_token(self.network, self.network_key, user, device, self._clock() + later, self._rng)

    async def _serve(self, name: str, channel: MemoryChannel) -> None:
        await self.nodes[name].serve(channel)
        await channel.close()

    def _make_identity(self, name: str) -> PublicKeys:
        vault = self._open_vault(name)
        try:
            return own_identity(vault, self._rng).public
        finally:
            vault.close()

    def _storage(self, name: str) -> str:
        return f"sqlite:///{self.home / name / 'node.db'}"

    def _open_vault(self, name: str) -> Vault:
        directory = self.home / name
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        key_file = directory / "seal.key"
        seal = (
            KeyFileSeal.load(key_file, rng=self._rng)
            if key_file.exists()
            else KeyFileSeal.create(key_file, rng=self._rng)
        )
        return Vault.open(self._storage(name), directory / "keys", seal, rng=self._rng)
