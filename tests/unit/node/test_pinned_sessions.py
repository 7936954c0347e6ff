"""Sessions keep the committee epoch they were opened in, while the next one begins; but not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.owner import Owner
from tests.support.standing import until
from tests.support.successions import renewal, reshare_by_hand

from quorate.account.presets import DEVICE
from quorate.chains.ethereum.requests import message
from quorate.chains.registry import Chains
from quorate.errors import Abort, QuorateError, Refused, Unavailable
from quorate.primitives.parameters import STANDARD
from quorate.schemes.ecdsa import SIGN, Signature, Signer, sign, suite, verify
from quorate.session import Party, SessionSpec
from quorate.testing.committee import LocalCommittee
from quorate.transport.channel import MemoryChannel
from quorate.transport.frames import Deliver, Frame
from quorate.transport.host import Hosted

CHAINS = Chains()
QUORUM = ("node1", "node2", "node3")


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path)
    yield made
    await made.close()


class _Held:
    """A channel that lets the first envelopes of its node through when told."""

    def __init__(self, channel: MemoryChannel, open_: asyncio.Event) -> None:
        self._channel, self._open = channel, open_

    async def send(self, frame: Frame) -> None:
        await self._channel.send(frame)

    async def receive(self) -> Frame:
        frame = await self._channel.receive()
        if isinstance(frame, Deliver):
            await self._open.wait()
        return frame

    async def close(self) -> None:
        await self._channel.close()


async def held_signature(
    nodes: LocalCommittee, between: asyncio.Event
) -> tuple[asyncio.Task[Signature], Owner, bytes]:
    owner = Owner(nodes)
    formed, record, signatures = await owner.form()
    owner.make_live(formed, signatures)
    for node in QUORUM:
        await owner.set_up(node)
    payload = message("hello", CHAINS.address("eip155:1", record.public_key), "eip155:1")
    digest = CHAINS.decode(payload, record.public_key).digest
    parties = tuple(sorted((*QUORUM, DEVICE)))
    share = formed.share
    fields = {"suite": suite(record.group, STANDARD), "key": share.key_id, "payload": payload}
    proposal = owner.proposal(SIGN, parties, **fields)
    connect = nodes.connect

    async def held(name: str) -> MemoryChannel:
        return _Held(await connect(name), between)  # type: ignore[return-value]

    nodes.connect = held  # type: ignore[method-assign]

    async def run(party: Party) -> Signature:
        signer = Signer.of(share, parties)
        made = await sign(party, signer, owner.pairs, digest, combiner=DEVICE)
        assert made is not None
        verify(record.point, digest, made)
        return made

    async def whole() -> Signature:
        _, made = await owner.run(proposal, SIGN, run)
        return made

    return asyncio.create_task(whole()), owner, record.key


async def all_open(nodes: LocalCommittee) -> None:
    while sum(len(node.hosted) for node in nodes.nodes.values()) < len(QUORUM):
        await asyncio.sleep(0.01)


async def test_a_session_that_opens_while_the_epoch_begins_is_refused_and_nobody_is_blamed(
    nodes: LocalCommittee,
) -> None:
    signing, _, _ = await held_signature(nodes, asyncio.Event())
    while not any(node.hosted for node in nodes.nodes.values()):
        await asyncio.sleep(0)
    if sum(len(node.hosted) for node in nodes.nodes.values()) == len(QUORUM):
        pytest.skip("all sessions had been opened")
    change, proof = renewal(nodes)
    reshare_by_hand(nodes, change, proof)
    with pytest.raises(Refused) as refused:
        await signing
    assert refused.value.code == "epoch"


@pytest.mark.parametrize("changes", [True, False])
async def test_a_share_that_is_gone_since_the_epoch_changed_is_no_trouble_of_the_node_s_own(
    nodes: LocalCommittee, monkeypatch: pytest.MonkeyPatch, changes: bool
) -> None:
    """Judged in the old epoch, opened in the new one: what was to be read is not there any more."""
    offer = nodes.nodes["node2"].offer

    class Overtaken:
        def __init__(self, spec: SessionSpec) -> None:
            self.consider = offer(spec).consider

        async def open(self, *_: object) -> Hosted:
            if changes:
                reshare_by_hand(nodes, *renewal(nodes))
            raise Unavailable("no such share")

    def offered(spec: SessionSpec) -> object:
        return Overtaken(spec) if spec.protocol == SIGN.name else offer(spec)

    monkeypatch.setattr(nodes.nodes["node2"], "offer", offered)
    signing, _, _ = await held_signature(nodes, asyncio.Event())
    with pytest.raises(Abort) as ended:
        await signing
    assert isinstance(ended.value, Refused) is changes
    assert not changes or ended.value.code == "epoch"  # type: ignore[attr-defined]
    await until(lambda: not nodes.nodes["node2"].hosted)


async def test_a_session_of_the_old_epoch_is_finished_in_the_new_one(nodes: LocalCommittee) -> None:
    go = asyncio.Event()
    signing, _, key = await held_signature(nodes, go)
    await all_open(nodes)
    change, proof = renewal(nodes)
    for node in nodes.nodes.values():
        assert node.keybook.record(key).epoch == 0
    reshare_by_hand(nodes, change, proof)
    go.set()
    assert await signing
    assert all(node.keybook.record(key).epoch == 1 << 16 for node in nodes.nodes.values())
    assert all("quorate_committee_epoch 1" in node.metrics.text() for node in nodes.nodes.values())


async def test_a_session_of_the_old_epoch_does_not_go_on_for_ever(
    nodes: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quorate.node.node.PINNED_SECONDS", 0.05)
    go = asyncio.Event()
    signing, _, _ = await held_signature(nodes, go)
    await all_open(nodes)
    change, proof = renewal(nodes)
    reshare_by_hand(nodes, change, proof)
    sessions = [hosted.session for node in nodes.nodes.values() for hosted in node.hosted]
    assert len(sessions) == len(QUORUM)
    for _ in range(100):
        await asyncio.sleep(0.02)
        if all(session.done for session in sessions):
            break
    errors = [session.error for session in sessions]
    assert all(isinstance(error, Refused) and error.code == "epoch" for error in errors)
    go.set()
    with pytest.raises(QuorateError):
        await signing
