"""Attacks on how a signature is asked for: quorums that don't meet, digests and payloads in odd shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.local_device import local_device

from quorate.chains.chain import Request
from quorate.chains.reading import MAX_DIGESTS, Numbered, numbered
from quorate.chains.validators.messages import BlockHeader, Fork
from quorate.chains.validators.networks import network_id
from quorate.device import Device
from quorate.device.gather import gather_signers
from quorate.device.wallet import Wallet
from quorate.encoding import encode
from quorate.errors import Abort, Refused
from quorate.groups import group_named
from quorate.session import Party
from quorate.testing.committee import LocalCommittee
from quorate.vault.duties import freeze_all
from quorate.vault.slashing import History

ROOT = bytes.fromhex("4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95")
CHAIN = network_id(ROOT)


@pytest.fixture
async def committee(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path / "nodes", 4, 1)
    made.stock(8, group_named("bls12381g1"))
    yield made
    await made.close()


@pytest.fixture
async def device(
    committee: LocalCommittee, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Device]:
    async with local_device(committee, tmp_path / "home", monkeypatch) as device:
        yield device


def block(wallet: Wallet, state: int, slot: int = 7) -> bytes:
    header = BlockHeader(Fork(bytes(4), ROOT), slot, 1, bytes(32), bytes([state]) * 32, bytes(32))
    return Request(1, CHAIN, wallet.address_on(CHAIN), "block", encode(header)).to_payload()


async def test_two_quorums_that_share_no_node_do_not_sign_two_blocks(
    device: Device, committee: LocalCommittee
) -> None:
    """Two of four nodes sign; the other two know nothing of it. The device takes part in both."""
    wallet = await device.create_wallet("server", keys=["bls12381g1"])
    first, second = committee.names[:2], committee.names[2:]
    for name in second:
        await committee.stop(name)
    signed = await wallet.sign(block(wallet, 1))
    for name in second:
        committee.start(name)
    for name in first:
        await committee.stop(name)
    with pytest.raises(Refused) as error:
        await wallet.sign(block(wallet, 2))
    assert error.value.code == "slashable"
    assert error.value.reported_by == ""
    assert (await wallet.sign(block(wallet, 1))).raw == signed.raw, "the same block is the same signature"
    await wallet.sign(block(wallet, 2, slot=8))


async def test_a_restored_device_signs_for_its_validator_after_given_bounds_only(device: Device) -> None:
    wallet = await device.create_wallet("server", keys=["bls12381g1"])
    await wallet.sign(block(wallet, 1))
    with device.desk.vault.transaction() as tx:
        freeze_all(tx)  # what opening an older copy of the database does
    with pytest.raises(Refused) as error:
        await wallet.sign(block(wallet, 1))
    assert error.value.code == "validator-frozen"
    await wallet.set_duty_bounds(ROOT, 9, 0)
    with pytest.raises(Refused) as error:
        await wallet.sign(block(wallet, 2, slot=9))
    assert (error.value.code, error.value.reported_by) == ("below-bound", "")
    await wallet.sign(block(wallet, 2, slot=10))


async def test_a_node_signs_no_digest_that_the_request_does_not_have(
    device: Device, committee: LocalCommittee
) -> None:
    wallet = await device.create_wallet("server", keys=["bls12381g1"])
    payload = block(wallet, 1)
    room, reading = wallet._read(payload)
    scheme = reading.scheme(0)
    nested = encode(Numbered(encode(Numbered(payload, 1)), 1))
    odd = (numbered(payload, 1), numbered(payload, MAX_DIGESTS - 1), nested, payload + b"\0", b"")
    for data in odd:
        channels = await gather_signers(device.desk, room.record, Counter(), paired=False)
        signers = tuple(sorted((*channels, "device")))
        with pytest.raises(Abort) as error:
            await room._run(
                room.record,
                channels,
                signers,
                scheme.declaration,
                scheme.suite(room.record.group),
                data,
                no_protocol,
            )
        device.desk.release(channels)
        assert error.value.reported_by in committee.names
    for name in committee.names:
        assert committee.nodes[name].vault.duties.history(reading.decoded.public_key, ROOT) == History()
    assert len((await wallet.sign(payload)).raw) == 96


async def no_protocol(party: Party) -> None:
    raise AssertionError("no node agrees to this")
