"""Attacks on hub and host by whoever is at the other end: noise without end, silence, garbage, and words."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from quorate.clock import monotonic
from quorate.entropy import system_rng
from quorate.errors import (
    Abort,
    Blame,
    LimitExceeded,
    LocalError,
    Malformed,
    Missing,
    QuorateError,
    Suspicion,
    Unavailable,
)
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
from quorate.transport.frames import Begin, Deliver, Failed, Frame, Nonce, Propose
from quorate.transport.host import host
from quorate.transport.hub import Hub
from quorate.transport.reports import report, restore


class Word(Message, frozen=True, tag="test.carriers.word"):
    text: str


PAIR = Declaration("test.carriers", 1, Rule(Word))
IDENTITIES = {name: KeyPair.generate(system_rng) for name in ("device", "node1")}
ROSTER = {name: identity.public for name, identity in IDENTITIES.items()}
SPEC = SessionSpec(
    "test.carriers", 1, "secp256k1", b"", 0, ("device", "node1"), roster_digest(ROSTER), 2, "", b""
)


async def talk(party: Party) -> str:
    party.broadcast(Word("hello"))
    return (await party.receive(Word, party.others[0])).text


async def stumble(party: Party) -> str:
    raise ZeroDivisionError("something that must not be told")


class Node:
    """A service that hosts `run` and notes how its sessions end."""

    me = "node1"

    def __init__(self, run: Callable[[Party], Any] = talk) -> None:
        self._run = run
        self.finished = 0
        self.failures: list[QuorateError] = []

    async def consider(self, propose: Propose) -> bytes:
        return bytes(32)

    async def open(self, propose: Propose, nonce: bytes, begin: Begin) -> Any:
        self.session = session(begin.spec, self.me, self._run)
        return self

    def finish(self) -> bytes:
        self.finished += 1
        return b"kept"

    def fail(self, error: QuorateError) -> None:
        self.failures.append(error)


def session(spec: SessionSpec, me: str, run: Callable[[Party], Any] = talk) -> Session[str]:
    return Session(spec, me, IDENTITIES[me], ROSTER, PAIR, SECP256K1, run, rng=system_rng)


async def at_once(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


async def begun(channel: MemoryChannel) -> SessionSpec:
    """The hub's end of a channel up to the agreement."""
    await channel.send(Propose("device", b"", SPEC))
    await channel.receive()
    spec = SPEC.with_nonces({"device": bytes(32), "node1": bytes(32)})
    roster = tuple(ROSTER[name].to_bytes() for name in spec.parties)
    await channel.send(Begin(spec, roster, IDENTITIES["device"].sign(spec.id)))
    return spec


class Far:
    """A node's end that does as a test says; what is sent to it disappears."""

    def __init__(self, *frames: Frame | Exception, then: Frame | None = None, reads: bool = True) -> None:
        self._frames = list(frames)
        self._then = then
        self._reads = reads

    async def send(self, frame: Frame) -> None:
        if not self._reads:
            await asyncio.Event().wait()

    async def receive(self) -> Frame:
        await asyncio.sleep(0.01)
        if self._frames:
            frame = self._frames.pop(0)
            if isinstance(frame, Exception):
                raise frame
            return frame
        if self._then is None:
            await asyncio.Event().wait()
        assert self._then is not None
        return self._then

    async def close(self) -> None:
        return None


async def opened(far: Far, *, deadline: float = 0.3, total: float = 5.0) -> Any:
    hub = Hub(
        {"node1": far},
        ROSTER,
        proposer="device",
        identity=IDENTITIES["device"],
        deadline=deadline,
        total=total,
        worker=at_once,
    )
    async with asyncio.timeout(5):
        return await hub.run(SPEC, {"device": bytes(32)}, lambda spec: session(spec, "device"))


# --- the hub --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("deadline", "total"), [(0.3, 5.0), (5.0, 0.3)])
async def test_a_node_that_keeps_saying_nothing_puts_off_no_deadline(deadline: float, total: float) -> None:
    begun = monotonic()
    with pytest.raises(Missing) as missing:
        await opened(Far(Nonce(bytes(32)), then=Deliver(())), deadline=deadline, total=total)
    assert missing.value.parties == ("node1",)
    assert monotonic() - begun < 3.0


@pytest.mark.parametrize("frames", [(), (Nonce(bytes(32)),)])
async def test_a_node_that_reads_nothing_is_missing(frames: tuple[Frame, ...]) -> None:
    with pytest.raises(Missing) as missing:
        await opened(Far(*frames, reads=False))
    assert missing.value.parties == ("node1",)


@pytest.mark.parametrize("garbage", [Malformed("no frame"), LimitExceeded("too long")])
@pytest.mark.parametrize("agreed", [False, True])
async def test_garbage_from_a_node_is_that_nodes_and_no_error_of_the_device(
    garbage: Exception, agreed: bool
) -> None:
    """A local error would stop a device that could go on with other nodes."""
    with pytest.raises(Abort) as abort:
        await opened(Far(*([Nonce(bytes(32))] if agreed else []), garbage))
    assert abort.value.parties == ("node1",)


def test_what_a_node_reports_is_marked_as_its_word() -> None:
    frame = Failed("blame", "they lied", parties=("node2", "node3"))
    told = restore(frame, "node1")
    assert isinstance(told, Blame)
    assert (told.reported_by, told.parties) == ("node1", ("node2", "node3"))
    assert Suspicion("found here").reported_by == ""


def test_a_report_does_not_steer_a_terminal_nor_name_what_is_no_party() -> None:
    frame = Failed(
        "refused", "\x1b[2Jfine\r\n\u202e", parties=("\x1b[31mnode2", "node3"), step="\x07", code="a\nb"
    )
    told = restore(frame, "node1")
    assert isinstance(told, Abort)
    assert str(told).isprintable()
    assert (told.parties, told.step) == (("node3",), "?")
    assert restore(Failed("missing", "m", parties=("\x1b",)), "node1").args == ("m",)


# --- the host -------------------------------------------------------------------------------------------


async def test_a_hub_that_keeps_saying_nothing_loses_its_seat() -> None:
    node = Node()
    near, far = MemoryChannel.pair()
    serving = asyncio.create_task(host(far, node, at_once, idle=5.0, total=0.3))
    await begun(near)
    async with asyncio.timeout(5):
        while not serving.done():
            await near.send(Deliver(()))
            await asyncio.sleep(0.02)
    assert [type(error) for error in node.failures] == [Missing]


async def test_a_hub_that_reads_nothing_loses_its_seat() -> None:
    class Full(MemoryChannel):
        def __init__(self, inner: MemoryChannel) -> None:
            self._inner = inner

        async def receive(self) -> Frame:
            return await self._inner.receive()

        async def send(self, frame: Frame) -> None:
            if isinstance(frame, Nonce):
                await self._inner.send(frame)
            else:
                await asyncio.Event().wait()

    node = Node()
    near, far = MemoryChannel.pair()
    serving = asyncio.create_task(host(Full(far), node, at_once, idle=0.2))
    await begun(near)
    async with asyncio.timeout(5):
        await serving
    assert [type(error) for error in node.failures] == [Missing]


async def test_a_mistake_in_a_protocol_ends_the_session_like_a_failure_and_is_not_told() -> None:
    node = Node(stumble)
    near, far = MemoryChannel.pair()
    serving = asyncio.create_task(host(far, node, at_once, idle=1.0))
    await begun(near)
    answer = await near.receive()
    assert isinstance(answer, Failed)
    assert "must not be told" not in answer.message
    with pytest.raises(ZeroDivisionError):
        await serving
    assert [type(error) for error in node.failures] == [LocalError]


async def test_a_hub_that_hangs_up_as_its_party_finishes_makes_it_fail_no_more() -> None:
    """To fail after finishing would count a use of an instance as ended twice."""

    class Closing(MemoryChannel):
        def __init__(self, inner: MemoryChannel) -> None:
            self._inner = inner

        async def receive(self) -> Frame:
            return await self._inner.receive()

        async def send(self, frame: Frame) -> None:
            if not isinstance(frame, Nonce | Deliver):
                raise ChannelClosed("gone")
            await self._inner.send(frame)

    node = Node()
    near, far = MemoryChannel.pair()
    serving = asyncio.create_task(host(Closing(far), node, at_once, idle=1.0))
    spec = await begun(near)
    await near.receive()
    local = session(spec, "device")
    await near.send(Deliver(tuple(local.start())))
    await serving
    assert (node.finished, node.failures) == (1, [])


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("the data key of epoch:ab:1 (/home/op/keys/ab.key) is damaged"),
        LocalError("sqlite:////home/op/node.db is locked"),
    ],
)
def test_what_is_local_to_a_party_is_not_told(error: QuorateError) -> None:
    frame = report(error, "node1")
    assert "/home" not in frame.message
    assert frame.parties == ("node1",)
    assert report(Malformed("24 bytes are no point"), "node1").message == "24 bytes are no point"
