"""Whoever stands between device and node and changes what passes: no pair is parted, and signing goes on."""

from __future__ import annotations

import random

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from quorate.device.device import Device
from quorate.device.reachable import Reachability
from quorate.encoding import encode
from quorate.errors import Abort
from quorate.testing.committee import LocalCommittee
from quorate.transport.channel import ChannelClosed, MemoryChannel
from quorate.transport.frames import Frame, read_frame
from quorate.vault.instances import InstanceState

SEEDS = range(12)


class Tampered:
    """Flips a bit in some of the frames that pass in either direction."""

    def __init__(self, inner: MemoryChannel, chance: random.Random) -> None:
        self._inner, self._chance = inner, chance

    async def send(self, frame: Frame) -> None:
        data = self._spoilt(encode(frame))
        await self._inner._outgoing.put(data)

    async def receive(self) -> Frame:
        data = await self._inner._incoming.get()
        if data is None:
            raise ChannelClosed("gone")
        return read_frame(self._spoilt(data))

    async def close(self) -> None:
        await self._inner.close()

    def _spoilt(self, data: bytes) -> bytes:
        if self._chance.random() < 0.6:
            return data
        changed = bytearray(data)
        changed[self._chance.randrange(len(changed))] ^= 1 << self._chance.randrange(8)
        return bytes(changed)


async def test_a_wire_that_flips_bits_parts_nobody_and_stops_nothing(
    committee: LocalCommittee, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quorate.device.sessions.DEADLINE_SECONDS", 2.0)
    wallet = await device.create_wallet("server")
    connect = device.desk.nodes.connect
    for seed in SEEDS:
        chance = random.Random(seed)

        async def through(name: str, chance: random.Random = chance) -> object:
            channel = await connect(name)
            if name != "node1":
                return channel
            assert isinstance(channel, MemoryChannel)
            return Tampered(channel, chance)

        monkeypatch.setattr(device.desk.nodes, "connect", through)
        device.desk.reachable = Reachability()  # node1 is asked first again
        text = f"seed {seed}"
        raw = (await wallet.sign_message(text)).raw
        assert Account.recover_message(encode_defunct(text=text), signature=raw) == wallet.address
        vaults = [device.desk.vault, *(node.vault for node in committee.nodes.values())]
        for vault in vaults:
            states = {status.state for status in vault.instances.statuses()}
            assert InstanceState.QUARANTINED not in states


async def test_a_wallet_made_over_such_a_wire_is_whole_or_not_there(
    committee: LocalCommittee, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quorate.device.sessions.DEADLINE_SECONDS", 2.0)
    connect = device.desk.nodes.connect
    made = 0
    for seed in SEEDS:
        chance = random.Random(seed)

        async def through(name: str, chance: random.Random = chance) -> object:
            channel = await connect(name)
            assert isinstance(channel, MemoryChannel)
            return Tampered(channel, chance) if name == "node1" and chance.random() < 0.7 else channel

        monkeypatch.setattr(device.desk.nodes, "connect", through)
        try:
            wallet = await device.create_wallet("server")
        except Abort:  # and nothing else: what comes over the wire is no error of the device's own
            continue
        made += 1
        device.desk.nodes.connect = connect  # type: ignore[method-assign]
        raw = (await wallet.sign_message("whole")).raw
        assert Account.recover_message(encode_defunct(text="whole"), signature=raw) == wallet.address
    assert 0 < made < len(SEEDS)
