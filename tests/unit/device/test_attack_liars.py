"""A node that spoils signatures by saying that it saw something else costs tries, not signatures."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import VerifyKey
from tests.support.local_device import local_device

from quorate.chains.polkadot.networks import NETWORKS
from quorate.chains.polkadot.requests import message
from quorate.device import Device
from quorate.device.gather import gather_signers
from quorate.device.sessions import Event, Opened
from quorate.device.shelf import Entry
from quorate.device.tries import Tries
from quorate.groups.ed25519 import ED25519
from quorate.schemes.ecdsa import StaleSetup
from quorate.schemes.schnorr import Commitments, Share
from quorate.session import Message, Party
from quorate.testing.committee import LocalCommittee
from quorate.transport.channel import Channel

CHAIN = NETWORKS[0].caip2
LIAR = "node1"


@pytest.fixture
async def committee(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path / "nodes")
    made.stock(4, ED25519)
    yield made
    await made.close()


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
async def device(
    committee: LocalCommittee, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: list[Event]
) -> AsyncIterator[Device]:
    async with local_device(committee, tmp_path / "home", monkeypatch, observer=events.append) as device:
        yield device


def lies(monkeypatch: pytest.MonkeyPatch, kind: type[Message], change: Callable[[Any], Message]) -> None:
    """Whenever the liar would say this, it says something else."""
    broadcast = Party.broadcast

    def lie(party: Party, said: Message) -> None:
        broadcast(party, change(said) if party.me == LIAR and isinstance(said, kind) else said)

    monkeypatch.setattr(Party, "broadcast", lie)


def sessions(events: list[Event], protocol: str) -> list[tuple[str, ...]]:
    return [event.parties for event in events if isinstance(event, Opened) and event.protocol == protocol]


LIES: dict[str, tuple[type[Message], Callable[[Any], Message]]] = {
    "another record": (Commitments, lambda said: Commitments(bytes(32), said.points)),
    "another list": (Share, lambda said: Share(bytes(32), said.response)),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_node_that_says_it_saw_something_else_is_passed_over_in_schnorr(
    device: Device, events: list[Event], monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    """The device can't tell whether the node lies or was lied to, and accuses nobody. But there is no OT
    setup here that could be stale, so asking the same node again would be asking for the same."""
    wallet = await device.create_wallet("server", keys=["ed25519"])
    lies(monkeypatch, *LIES[lie])
    events.clear()
    signed = await wallet.sign(message("hello", wallet.address_on(CHAIN), CHAIN, "ed25519"))
    VerifyKey(wallet.public_key).verify(b"<Bytes>hello</Bytes>", signed.raw[-64:])
    first, *_, last = sessions(events, "schnorr.sign")
    assert LIAR in first
    assert LIAR not in last
    assert not sessions(events, "ecdsa.setup")


async def test_a_node_that_claims_another_setup_after_a_fresh_one_is_passed_over_in_ecdsa(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = await device.create_wallet("server", keys=["ed25519"])
    tried: list[set[str]] = []
    renewed: list[str] = []

    async def gather(*arguments: Any, paired: bool) -> dict[str, Channel]:
        return await gather_signers(*arguments, paired=False)  # no setups: none is used here

    async def renew(_: Tries, node: str, penalties: Counter[str]) -> None:
        renewed.append(node)

    async def attempt(_: Entry, channels: Mapping[str, Channel]) -> int:
        tried.append(set(channels))
        if LIAR in channels:
            raise StaleSetup("different setups", parties=["device", LIAR], step="2.2")
        return len(tried)

    monkeypatch.setattr("quorate.device.tries.gather_signers", gather)
    monkeypatch.setattr(Tries, "_renew", renew)
    assert await wallet._rooms["ed25519"]._tries.run(attempt, paired=True) == 3
    assert [LIAR in nodes for nodes in tried] == [True, True, False]
    assert renewed == [LIAR]
