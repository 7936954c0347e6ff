"""Attacks on a node's seats and instances, and replays and thefts that get nothing.

The attacker is another node, a device, or a thief of a login. It wants a node to serve nobody else.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from tests.support.creating import NOW, Creation, Time, certificate, settled
from tests.support.owner import Owner

from quorate.account.presets import DEVICE
from quorate.encoding import encode
from quorate.entropy import system_rng
from quorate.errors import Abort, Missing, Refused, Suspicion
from quorate.groups import SECP256K1
from quorate.node import node as node_module
from quorate.node.callers import DeviceCaller
from quorate.node.limits import MAX_SESSIONS_PER_NODE
from quorate.node.offers.offer import checked
from quorate.node.offers.setup import MAX_GENERATION
from quorate.primitives.parameters import STANDARD
from quorate.schemes.ecdsa import SETUP, SIGN, instance_payload, suite
from quorate.session import (
    KeyPair,
    SessionSpec,
    roster_digest,
)
from quorate.testing.committee import LocalCommittee
from quorate.transport.channel import MemoryChannel
from quorate.transport.frames import Begin, Deliver, Failed, Frame, Nonce, Propose
from quorate.vault.instances import FAILURES_BEFORE_SUSPENSION

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def opened_setup(
    committee: LocalCommittee, hub: str, to: str, shard: int
) -> tuple[MemoryChannel, Frame]:
    """One setup that `hub` opens with `to` and then says no more about; what it is told first."""
    parties = tuple(sorted((hub, to)))
    roster = {name: committee.identities[name] for name in parties}
    spec = SessionSpec(
        SETUP.name,
        SETUP.version,
        suite(SECP256K1, STANDARD),
        b"",
        0,
        parties,
        roster_digest(roster),
        2,
        "instance",
        instance_payload(shard, int(NOW) + 1000),
    )
    channel = await committee.connect(to)
    await channel.send(Propose(hub, b"", spec))
    nonce = await channel.receive()
    assert isinstance(nonce, Nonce)
    whole = spec.with_nonces({hub: bytes(32), to: nonce.nonce})
    identity = committee.nodes[hub].identity
    identities = tuple(roster[name].to_bytes() for name in parties)
    await channel.send(Begin(whole, identities, identity.sign(whole.id)))
    return channel, await channel.receive()


async def test_one_node_that_never_ends_its_sessions_takes_no_others_place(
    committee: LocalCommittee,
) -> None:
    open_ = [await opened_setup(committee, "node1", "node2", shard) for shard in range(MAX_SESSIONS_PER_NODE)]
    assert all(isinstance(frame, Deliver) for _, frame in open_)
    channel, answer = await opened_setup(committee, "node1", "node2", 63)
    assert isinstance(answer, Failed)
    assert "too many sessions" in answer.message
    await channel.close()
    owner = Owner(committee, user="beside")
    await owner.set_up("node2")
    for channel, _ in open_:
        await channel.close()
    await settled(committee)


async def test_connections_that_say_nothing_do_not_stay(
    committee: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_module, "MAX_CONNECTIONS", 3)
    monkeypatch.setattr(node_module, "HANDSHAKE_SECONDS", 0.3)
    owner = Owner(committee, user="patient")
    silent = [await committee.connect("node1") for _ in range(3)]
    await asyncio.sleep(0.05)
    with pytest.raises(Missing):
        await owner.set_up("node1")
    for channel in silent:
        assert isinstance(await channel.receive(), Failed)
    await asyncio.sleep(0.05)
    await owner.set_up("node1")


async def test_whoever_proposes_a_session_takes_part_in_it(committee: LocalCommittee) -> None:
    """Else the device's own OT setup would stand for the backup's, which it is no setup of."""
    owner = Owner(committee, user="absent")
    made = await Creation.of(owner)
    outcomes, refreshed = await made.refresh(made.change(made.spare))
    owner.show(certificate(refreshed, outcomes))
    record = committee.nodes["node1"].keybook.record(made.record.key)
    parties = ("backup", "node1", "node2")
    proposal = SessionSpec(
        SIGN.name,
        SIGN.version,
        suite(SECP256K1, STANDARD),
        record.key,
        1,
        parties,
        roster_digest(record.roster(parties)),
        3,
        "signature",
        b"",
    )
    channel = await committee.connect("node1")
    await channel.send(Propose(DEVICE, owner.token, proposal))
    answer = await channel.receive()
    assert isinstance(answer, Failed)
    assert (answer.code, answer.parties) == ("parties", ("node1",))


async def test_a_mistake_in_the_program_costs_one_session_and_no_seat(
    committee: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("a secret value")

    monkeypatch.setattr("quorate.node.offers.setup.set_up", broken)
    owner = Owner(committee, user="unlucky")
    for _ in range(12):
        with pytest.raises(Abort, match=r"mistake|reason of its own"):
            await owner.set_up("node1")
    await settled(committee)
    assert "mistakes_total 12" in committee.nodes["node1"].metrics.text()
    log = committee.log.getvalue()
    assert "ZeroDivisionError" in log
    assert "a secret value" not in log
    monkeypatch.undo()
    await owner.set_up("node1")


class Droning(MemoryChannel):
    """The end of a node that accepts everything, and then says nothing, over and over."""

    def __init__(self) -> None:
        self._said = False

    async def send(self, frame: Frame) -> None:
        return None

    async def receive(self) -> Frame:
        if not self._said:
            self._said = True
            return Nonce(bytes(32))
        await asyncio.sleep(0.01)
        return Deliver(())

    async def close(self) -> None:
        return None


async def test_a_node_that_never_finishes_a_setup_does_not_hold_the_seats_of_its_peers(
    committee: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every session over that pair would wait inside the honest node until it has no seat left."""
    node = committee.nodes["node1"]

    async def connect(_: str) -> MemoryChannel:
        return Droning()

    monkeypatch.setattr(node, "_connect", connect)
    monkeypatch.setattr(node_module, "ENSURE_SECONDS", 0.3)
    with pytest.raises(Missing) as missing:
        async with asyncio.timeout(5):
            await node.ensure("node2", 17)
    assert missing.value.parties == ("node2",)
    for task in list(node.pairs._making.values()):
        task.cancel()


async def test_a_restored_node_makes_nothing_live(
    committee: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its copy may show an epoch as waiting that has passed long ago."""
    owner = Owner(committee, user="restored")
    formed, _, signatures = await owner.form()
    node = committee.nodes["node1"]
    with monkeypatch.context() as patch:
        patch.setattr(type(node.vault), "rolled_back", property(lambda vault: vault is node.vault))
        owner.make_live(formed, signatures)
        assert not node.keybook.is_live(formed.share.key_id)
    owner.make_live(formed, signatures)
    assert node.keybook.is_live(formed.share.key_id)


@pytest.mark.parametrize("generation", [0, MAX_GENERATION, (1 << 63) - 1, (1 << 64) - 1])
async def test_a_generation_that_no_table_holds_is_refused(
    committee: LocalCommittee, generation: int
) -> None:
    owner = Owner(committee, user="far-ahead")
    named = encode((0, generation))
    proposal = owner.proposal(SETUP, (DEVICE, "node1"), suite=suite(SECP256K1, STANDARD), payload=named)
    channel = await committee.connect("node1")
    await channel.send(Propose(DEVICE, owner.token, proposal))
    answer = await channel.receive()
    assert isinstance(answer, Failed)
    assert answer.code == "generation"


async def test_a_login_dated_ahead_does_not_outlive_the_quarantine_it_has_caused(
    committee: LocalCommittee, time: Time
) -> None:
    """Clocks differ by two minutes at most; a login from such an issuer is 'later' than what it did."""
    owner = Owner(committee, user="ahead")
    owner.token = committee.token("ahead", owner.keys.public, later=100.0)
    await owner.set_up("node1")
    node = committee.nodes["node1"]
    caller = DeviceCaller(owner.account, owner.keys.public, int(NOW) + 100)
    setup = node.pairs.load(caller.peer, 0)

    suspicion = Suspicion("a check failed", parties=["node1", DEVICE], leak_bearing=True)
    with pytest.raises(Suspicion), checked(node._services, caller, {DEVICE: (caller.peer, setup)}):
        raise suspicion
    time.now = NOW + 110
    with pytest.raises(Refused) as refused:
        await owner.set_up("node1")
    assert refused.value.code == "login-again"
    owner.token = committee.token("ahead", owner.keys.public, later=1.0)
    await owner.set_up("node1")
    time.now = NOW


async def test_a_suspended_device_is_refused_before_anything_is_computed(committee: LocalCommittee) -> None:
    owner = Owner(committee, user="suspended")
    await owner.set_up("node1")
    node = committee.nodes["node1"]
    peer = DeviceCaller(owner.account, owner.keys.public, 0).peer
    for _ in range(FAILURES_BEFORE_SUSPENSION):
        node.pairs.freeze(peer, 0, "a check failed", leak_bearing=True)
    owner.token = committee.token("suspended", owner.keys.public, later=60.0)
    with pytest.raises(Refused) as refused:
        await owner.set_up("node1")
    assert refused.value.code == "suspended"


async def test_setting_up_all_day_leaves_one_row_and_one_data_key(committee: LocalCommittee) -> None:
    owner = Owner(committee, user="busy")
    for _ in range(5):
        await owner.set_up("node1")
    node = committee.nodes["node1"]
    peer = DeviceCaller(owner.account, owner.keys.public, 0).peer
    with node.vault.transaction() as tx:
        rows = tx.query("SELECT generation, state FROM instances WHERE peer = ?", (peer,))
    assert len(rows) == 1
    kept = [
        n for n in range(1, owner.generation + 1) if node.vault.data_keys.exists(f"ot:{peer}:0:sender:{n}")
    ]
    assert kept == [owner.generation]


async def begun(
    committee: LocalCommittee, owner: Owner, *, signer: KeyPair | None = None, **changes: Any
) -> Frame:
    """What a node answers to a setup whose agreement was changed, or signed by another, after its nonce."""
    proposal = owner.proposal(
        SETUP,
        (DEVICE, "node1"),
        suite=suite(SECP256K1, STANDARD),
        payload=instance_payload(0, int(NOW) + 5000),
    )
    channel = await committee.connect("node1")
    await channel.send(Propose(DEVICE, owner.token, proposal))
    nonce = await channel.receive()
    assert isinstance(nonce, Nonce)
    whole = proposal.with_nonces({DEVICE: bytes(32), "node1": nonce.nonce})
    whole = msgspec.structs.replace(whole, **changes)
    identities = tuple(owner.roster(proposal.parties)[name].to_bytes() for name in proposal.parties)
    await channel.send(Begin(whole, identities, (signer or owner.keys).sign(whole.id)))
    answer = await channel.receive()
    await channel.close()
    return answer


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"payload": instance_payload(0, int(NOW) + 6000)}, "proposal"),
        ({"purpose": "another"}, "proposal"),
        ({"nonces": (bytes(32), b"x" * 32)}, "nonce"),
        ({"version": 2}, "proposal"),
        ({"suite": "secp256k1/toy"}, "proposal"),
    ],
)
async def test_an_agreement_other_than_the_proposed_one_is_refused(
    committee: LocalCommittee, changes: dict[str, Any], code: str
) -> None:
    answer = await begun(committee, Owner(committee, user="changed"), **changes)
    assert isinstance(answer, Failed)
    assert answer.code == code


async def test_a_stolen_login_opens_nothing_without_the_devices_key(committee: LocalCommittee) -> None:
    thief = KeyPair.generate(system_rng)
    answer = await begun(committee, Owner(committee, user="robbed"), signer=thief)
    assert isinstance(answer, Failed)
    assert answer.code == "proof"
    assert not any(node._running.total() for node in committee.nodes.values())
