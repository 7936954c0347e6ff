"""A session over channels: hub on one side, hosts on the other, and what happens when either fails."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from quorate.encoding import encode
from quorate.entropy import system_rng
from quorate.errors import Abort, Blame, Malformed, Missing, QuorateError, Refused, Suspicion
from quorate.groups.secp256k1 import SECP256K1
from quorate.session import (
    Declaration,
    KeyPair,
    Message,
    Party,
    Rule,
    Session,
    SessionSpec,
    roster_digest,
)
from quorate.transport.channel import ChannelClosed, MemoryChannel
from quorate.transport.frames import (
    MAX_CREDENTIAL_BYTES,
    MAX_ENVELOPES_IN_FRAME,
    Begin,
    Deliver,
    Failed,
    Finished,
    Nonce,
    Propose,
    read_frame,
)
from quorate.transport.host import host
from quorate.transport.hub import Carried, Hub
from quorate.transport.reports import report, restore


class Number(Message, frozen=True, tag="test.hub.number"):
    value: int


class Whisper(Message, frozen=True, tag="test.hub.whisper"):
    value: int


SUM = Declaration("test.sum", 1, Rule(Number), Rule(Whisper, unicast=True))
IDENTITIES = {name: KeyPair.generate(system_rng) for name in ("device", "node1", "node2")}
ROSTER = {name: identity.public for name, identity in IDENTITIES.items()}


async def add_up(party: Party) -> int:
    """Broadcasts one, whispers two: everybody ends with three for each other party, and one of its own."""
    party.broadcast(Number(1))
    for other in party.others:
        party.send(other, Whisper(2))
    numbers = await party.gather(Number)
    whispers = await party.gather(Whisper)
    party.blame(Number, [p for p in numbers if numbers[p].value != 1], "not one")
    return 1 + sum(m.value for m in numbers.values()) + sum(m.value for m in whispers.values())


@dataclass
class Hosted:
    session: Session[int]
    service: "Service"

    def finish(self) -> bytes:
        self.service.finished.append(self.session.result())
        return b"stored"

    def fail(self, error: QuorateError) -> None:
        self.service.failures.append(error)


@dataclass
class Service:
    me: str
    run: Callable[[Party], Any] = add_up
    refuse: bool = False
    finished: list[int] = field(default_factory=list)
    failures: list[QuorateError] = field(default_factory=list)

    async def consider(self, propose: Propose) -> bytes:
        if self.refuse:
            raise Refused("not today", code="policy", parties=[self.me])
        return system_rng(32)

    async def open(self, propose: Propose, nonce: bytes, begin: Begin) -> Hosted:
        if begin.spec.nonce_of(self.me) != nonce:
            raise Refused("another nonce", code="nonce", parties=[self.me])
        ROSTER[propose.proposer].verify(begin.spec.id, begin.signature)
        return Hosted(session(begin.spec, self.me, self.run), self)


def session(spec: SessionSpec, me: str, run: Callable[[Party], Any] = add_up) -> Session[int]:
    return Session(spec, me, IDENTITIES[me], ROSTER, SUM, SECP256K1, run, rng=system_rng)


async def at_once(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def proposal() -> SessionSpec:
    parties = tuple(sorted(ROSTER))
    return SessionSpec("test.sum", 1, "secp256k1", b"", 0, parties, roster_digest(ROSTER), 3, "", b"")


async def carry(*services: Service, observer: Callable[[Carried], None] | None = None) -> Any:
    channels, tasks = {}, []
    for service in services:
        near, far = MemoryChannel.pair()
        channels[service.me] = near
        tasks.append(asyncio.create_task(host(far, service, at_once, idle=2.0)))
    hub = Hub(
        channels,
        ROSTER,
        proposer="device",
        identity=IDENTITIES["device"],
        observer=observer,
        deadline=1.0,
    )
    try:
        return await hub.run(proposal(), {"device": system_rng(32)}, lambda spec: session(spec, "device"))
    finally:
        await asyncio.wait(tasks, timeout=5)


async def test_all_parties_finish_and_the_hub_learns_their_outcomes() -> None:
    node1, node2 = Service("node1"), Service("node2")
    seen: list[Carried] = []
    outcome, value = await carry(node1, node2, observer=seen.append)
    assert value == 7
    assert node1.finished == node2.finished == [7]
    assert outcome.outcomes == {"node1": b"stored", "node2": b"stored"}
    assert {(c.sender, c.recipient) for c in seen} >= {
        ("node1", "node2"),
        ("device", ""),
        ("node2", "device"),
    }


async def test_a_refusal_reaches_the_proposer_with_its_code() -> None:
    with pytest.raises(Refused) as refused:
        await carry(Service("node1"), Service("node2", refuse=True))
    assert refused.value.code == "policy"
    assert refused.value.parties == ("node2",)


async def test_a_node_that_dies_in_the_middle_is_missing_and_the_others_are_told() -> None:
    async def dies(party: Party) -> int:
        raise ChannelClosed("gone")

    node1 = Service("node1")
    with pytest.raises(QuorateError):
        await carry(node1, Service("node2", run=dies))
    assert len(node1.failures) == 1


async def test_a_silent_node_is_missing_at_the_deadline_and_nobody_is_blamed() -> None:
    async def says_nothing(party: Party) -> int:
        await party.gather(Number)
        await party.gather(Number, ["node1"])
        return (await party.gather(Whisper, ["device"]))["device"].value + len(
            await party.gather(Whisper, ["node1"])
        )

    with pytest.raises(Missing) as missing:
        await carry(Service("node1"), Service("node2", run=says_nothing))
    assert missing.value.parties == ("node2",)


async def test_a_liar_is_blamed_by_the_hub_and_by_the_other_node() -> None:
    async def lies(party: Party) -> int:
        party.broadcast(Number(5))
        for other in party.others:
            party.send(other, Whisper(2))
        await party.gather(Number)
        return 0

    with pytest.raises(Blame) as blame:
        await carry(Service("node1"), Service("node2", run=lies))
    assert blame.value.parties == ("node2",)
    assert blame.value.evidence


async def test_a_connection_that_closes_during_the_proposal_is_missing() -> None:
    near, far = MemoryChannel.pair()
    await far.close()
    hub = Hub({"node1": near}, ROSTER, proposer="device", identity=IDENTITIES["device"], deadline=1.0)
    with pytest.raises(Missing) as missing:
        nonces = {"device": system_rng(32), "node2": system_rng(32)}
        await hub.run(proposal(), nonces, lambda spec: session(spec, "device"))
    assert missing.value.parties == ("node1",)


async def test_a_party_may_not_speak_in_anothers_name() -> None:
    spec = proposal().with_nonces({name: system_rng(32) for name in ROSTER})
    foreign = session(spec, "node1").start()[0]
    hub = Hub({}, ROSTER, proposer="device", identity=IDENTITIES["device"])
    assert hub._recipients(spec, "node2", foreign) == ()
    assert hub._recipients(spec, "node1", foreign) == spec.parties


async def test_frames_out_of_order_end_the_session_with_an_error() -> None:
    near, far = MemoryChannel.pair()
    task = asyncio.create_task(host(far, Service("node1"), at_once, idle=1.0))
    await near.send(Deliver(()))
    answer = await near.receive()
    await task
    assert isinstance(answer, Failed)


async def test_a_hub_that_stays_silent_is_given_up() -> None:
    near, far = MemoryChannel.pair()
    await host(far, Service("node1"), at_once, idle=0.05)
    answer = await near.receive()
    assert isinstance(answer, Failed)
    assert answer.kind == "missing"


@pytest.mark.parametrize(
    "error",
    [
        Blame("b", parties=["node1"], step="3", evidence=[b"e"]),
        Suspicion("s", parties=["node1", "node2"], step="A3", leak_bearing=True),
        Missing("m", parties=["node2"], step="x", needed=2),
        Refused("r", code="policy", parties=["node1"], step="y"),
    ],
)
def test_errors_cross_the_wire_unchanged(error: Abort) -> None:
    restored = restore(report(error, "node1"), "node1")
    assert type(restored) is type(error)
    assert isinstance(restored, Abort)
    assert (str(restored), restored.parties, restored.step) == (str(error), error.parties, error.step)
    assert restored.remedy == error.remedy
    if isinstance(error, Blame):
        assert restored.evidence == error.evidence
    if isinstance(error, Suspicion):
        assert isinstance(restored, Suspicion)
        assert restored.leak_bearing


def test_frames_refuse_what_is_not_canonical() -> None:
    with pytest.raises(Malformed):
        read_frame(b"\x92\xa5nonce\xc4\x01a")
    for frame in (Nonce(b"n" * 32), Finished(b""), Deliver((b"a",))):
        assert read_frame(encode(frame)) == frame
        with pytest.raises(Malformed):
            read_frame(encode(frame) + b"\x00")


def test_a_frame_holds_so_many_envelopes_and_so_long_a_credential() -> None:
    envelopes = (b"e",) * MAX_ENVELOPES_IN_FRAME
    read_frame(encode(Deliver(envelopes)))
    with pytest.raises(Malformed, match="length"):
        read_frame(encode(Deliver((*envelopes, b"e"))))
    proposal = SessionSpec("p", 1, "s", b"", 0, ("a",), bytes(32), 1, "", b"")
    read_frame(encode(Propose("a", bytes(MAX_CREDENTIAL_BYTES), proposal)))
    with pytest.raises(Malformed, match="length"):
        read_frame(encode(Propose("a", bytes(MAX_CREDENTIAL_BYTES + 1), proposal)))
