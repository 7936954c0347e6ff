"""A device in front of five real nodes, all in this process, joined by channels in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from quorate.account import KeyRecord
from quorate.account.committee import Activation, Succession
from quorate.account.pool import Ask, Claim, Offered, Votes
from quorate.clock import unix_time
from quorate.device.device import Device
from quorate.device.home import Home
from quorate.device.login import LoginRecord
from quorate.device.network import Network, NodeRow
from quorate.device.nodes import Nodes
from quorate.device.sessions import Event
from quorate.errors import Missing
from quorate.identity.login import TOKEN_SECONDS, account_id
from quorate.node.node import Node
from quorate.session import PublicKeys
from quorate.testing.committee import LocalCommittee
from quorate.transport.channel import Channel, ChannelClosed


class MemoryNodes(Nodes):
    """Reaches a `LocalCommittee` without sockets."""

    local: LocalCommittee

    async def connect(self, name: str) -> Channel:
        try:
            return await self.local.connect(name)
        except ChannelClosed as error:
            raise Missing(str(error), parties=[name], needed=1) from None

    def release(self, channel: Channel) -> None:
        task = asyncio.ensure_future(channel.close())
        self._closing.add(task)

    async def make_instances(self, name: str) -> None:
        """Made when a signature needs them."""

    async def offer_pool(self, name: str, ask: Ask) -> Offered:
        node = self._node(name)
        self.local.restock()
        found: Offered = await node.worker(node.pool.offer, account_id(self.local.network, "ada"), ask)
        return found

    async def claim_pool(self, name: str, claim: Claim) -> Votes:
        node = self._node(name)
        found: Votes = await node.worker(node.pool.vote, account_id(self.local.network, "ada"), claim)
        return found

    async def register(self, name: str, question: bytes) -> bytes:
        node = self._node(name)
        account, device = account_id(self.local.network, "ada"), self._identity.public.to_bytes()
        answer: bytes = await node.worker(node.register.answer, question, account, device)
        return answer

    async def committee(self, name: str, since: int) -> tuple[list[Succession], Activation | None]:
        _, chain, proof = self._node(name).committee.proof_since(since)
        return list(chain), proof

    async def wallets(self, name: str) -> list[KeyRecord]:
        node = self._node(name)
        found: list[KeyRecord] = await node.worker(node.records_of, account_id(self.local.network, "ada"))
        return found

    def _node(self, name: str) -> Node:
        if name in self.local.down or name not in self.local.nodes:
            raise Missing(f"{name} is down", parties=[name], needed=1)
        return self.local.nodes[name]


class CommitteeIssuer:
    """Logs in at the committee."""

    def __init__(self, committee: LocalCommittee, user: str = "ada", later: float = 0.0) -> None:
        self.committee, self.user, self.later = committee, user, later

    async def log_in(self, device: PublicKeys) -> LoginRecord:
        token = self.committee.token(self.user, device, later=self.later)
        now = int(unix_time() + self.later)
        account = account_id(self.committee.network, self.user)
        return LoginRecord(self.user, account, token, now, now + TOKEN_SECONDS)


def network_of(committee: LocalCommittee) -> Network:
    rows = [NodeRow(name, "memory:", committee.identities[name].to_bytes().hex()) for name in committee.names]
    return Network.of(committee.network, committee.quorums, rows)


Open = Callable[[], Device]


@pytest.fixture
async def committee(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path / "nodes")
    yield made
    await made.close()


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
async def device(committee: LocalCommittee, tmp_path: Path, events: list[Event]) -> AsyncIterator[Device]:
    class Reaches(MemoryNodes):
        pass

    Reaches.local = committee
    found = Device(
        Home(tmp_path / "home"),
        network_of(committee),
        issuer=CommitteeIssuer(committee),
        observer=events.append,
        reach=Reaches,
    )
    async with found:
        await found.log_in()
        yield found
