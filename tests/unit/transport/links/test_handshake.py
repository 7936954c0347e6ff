"""Two nodes make sure of each other; strangers, recordings and people in between get nowhere."""

import asyncio
from collections.abc import Callable

import pytest
from tests.unit.transport.links.ends import KEYS, ME, PEER

from quorate.encoding import decode, encode
from quorate.entropy import system_rng
from quorate.errors import LimitExceeded, Malformed, ProofRejected
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.transport.links import Introduction, Link, LinkPeer, MemoryWire, WireClosed, answer, call
from quorate.transport.links import link as link_module
from quorate.transport.links.frames import (
    MAX_HANDSHAKE_BYTES,
    MAX_LINK_FRAME_BYTES,
    Ack,
    Confirm,
    Hello,
    Parcel,
    Welcome,
)
from quorate.transport.links.handshake import Answering, Calling


async def joined(caller: Introduction = ME["alice"], callee: LinkPeer = PEER["bob"]) -> tuple[Link, Link]:
    near, far = MemoryWire.pair()
    calling, answering = await asyncio.gather(
        call(near, caller, callee, system_rng), answer(far, ME["bob"], PEER.get, system_rng)
    )
    return calling, answering


class Between:
    """A wire on which somebody in the middle changes, repeats or drops blocks."""

    def __init__(self, change: Callable[[int, bytes], list[bytes]]) -> None:
        self.seen: list[bytes] = []
        self._change = change

    async def relay(self, reader: MemoryWire, writer: MemoryWire) -> None:
        count = 0
        while True:
            block = await reader.receive()
            self.seen.append(block)
            for changed in self._change(count, block):
                await writer.send(changed)
            count += 1


async def test_both_know_each_other_and_frames_pass_both_ways() -> None:
    alice, bob = await joined()
    assert (alice.peer, bob.peer) == ("bob", "alice")
    for number in range(3):
        await alice.send(Parcel(number, "topic", b"body"))
        assert await bob.receive() == Parcel(number, "topic", b"body")
        await bob.send(Ack(number))
        assert await alice.receive() == Ack(number)


async def test_nothing_of_a_parcel_is_readable_on_the_wire() -> None:
    near, far = MemoryWire.pair()
    middle_near, middle_far = MemoryWire.pair()
    forth, back = Between(lambda _, block: [block]), Between(lambda _, block: [block])
    relays = [
        asyncio.ensure_future(forth.relay(far, middle_near)),
        asyncio.ensure_future(back.relay(middle_near, far)),
    ]
    alice, bob = await asyncio.gather(
        call(near, ME["alice"], PEER["bob"], system_rng),
        answer(middle_far, ME["bob"], PEER.get, system_rng),
    )
    await alice.send(Parcel(1, "topic", b"a secret of the nodes"))
    await bob.receive()
    assert not any(b"secret" in block for block in forth.seen + back.seen)
    assert len(set(forth.seen)) == len(forth.seen) == 3
    for relay in relays:
        relay.cancel()


async def test_a_stranger_at_the_door_is_not_even_answered() -> None:
    near, far = MemoryWire.pair()
    stranger = Introduction("test", "carol", KEYS["mallory"])
    door = asyncio.ensure_future(answer(far, ME["bob"], PEER.get, system_rng))
    await near.send(encode(Calling(stranger, PEER["bob"], system_rng).hello))
    with pytest.raises(Malformed, match="stranger"):
        await door
    assert far._other._incoming.empty()


async def test_somebody_who_says_to_be_alice_cannot_confirm_it() -> None:
    near, far = MemoryWire.pair()
    impostor = Introduction("test", "alice", KEYS["mallory"])
    door = asyncio.ensure_future(answer(far, ME["bob"], PEER.get, system_rng))
    await call(near, impostor, PEER["bob"], system_rng)
    with pytest.raises(ProofRejected):
        await door


async def test_somebody_who_says_to_be_bob_is_not_believed() -> None:
    near, far = MemoryWire.pair()
    impostor = Introduction("test", "bob", KEYS["mallory"])
    door = asyncio.ensure_future(answer(far, impostor, PEER.get, system_rng))
    with pytest.raises(ProofRejected):
        await call(near, ME["alice"], PEER["bob"], system_rng)
    door.cancel()


@pytest.mark.parametrize(
    "introduction",
    [Introduction("another", "alice", KEYS["alice"]), Introduction("test", "bob", KEYS["bob"])],
    ids=["network", "name"],
)
async def test_a_hello_of_another_network_or_for_another_node_is_refused(introduction: Introduction) -> None:
    hello = Calling(introduction, PEER["bob"], system_rng).hello
    with pytest.raises(Malformed):
        Answering(ME["bob"], PEER["alice"], hello, system_rng)
    with pytest.raises(Malformed):
        Answering(
            ME["mallory"], PEER["alice"], Calling(ME["alice"], PEER["bob"], system_rng).hello, system_rng
        )


async def test_a_replayed_handshake_gets_a_welcome_and_nothing_more() -> None:
    near, far = MemoryWire.pair()
    middle_near, middle_far = MemoryWire.pair()
    record = Between(lambda _, block: [block])
    relays = [
        asyncio.ensure_future(record.relay(far, middle_near)),
        asyncio.ensure_future(Between(lambda _, block: [block]).relay(middle_near, far)),
    ]
    alice, bob = await asyncio.gather(
        call(near, ME["alice"], PEER["bob"], system_rng),
        answer(middle_far, ME["bob"], PEER.get, system_rng),
    )
    await alice.send(Parcel(7, "topic", b"once"))
    await bob.receive()
    for relay in relays:
        relay.cancel()
    thief, door = MemoryWire.pair()
    waiting = asyncio.ensure_future(answer(door, ME["bob"], PEER.get, system_rng))
    for block in record.seen:
        await thief.send(block)
    with pytest.raises(ProofRejected, match="not sealed for this place"):
        await waiting


async def test_a_welcome_for_another_hello_is_not_believed() -> None:
    first, second = (Calling(ME["alice"], PEER["bob"], system_rng) for _ in range(2))
    welcome = Answering(ME["bob"], PEER["alice"], first.hello, system_rng).welcome
    first.welcomed(welcome)
    with pytest.raises(ProofRejected):
        second.welcomed(welcome)


async def test_signatures_of_one_step_are_none_of_another() -> None:
    calling = Calling(ME["alice"], PEER["bob"], system_rng)
    answering = Answering(ME["bob"], PEER["alice"], calling.hello, system_rng)
    _, confirm = calling.welcomed(answering.welcome)
    with pytest.raises(ProofRejected):
        calling.welcomed(Welcome(answering.welcome.key, confirm.signature))
    with pytest.raises(ProofRejected):
        answering.confirmed(Confirm(answering.welcome.signature))
    answering.confirmed(confirm)


async def test_a_key_of_small_order_is_refused() -> None:
    calling = Calling(ME["alice"], PEER["bob"], system_rng)
    hello = Hello(1, "test", "alice", "bob", bytes(32))
    with pytest.raises(ProofRejected, match="everybody read"):
        Answering(ME["bob"], PEER["alice"], hello, system_rng)
    transcript = digest(Tag.LINK_TRANSCRIPT, encode(calling.hello), bytes(32))
    signature = KEYS["bob"].sign(digest(Tag.LINK_WELCOME, transcript))
    with pytest.raises(ProofRejected, match="everybody read"):
        calling.welcomed(Welcome(bytes(32), signature))


async def test_the_two_directions_and_two_connections_have_keys_of_their_own() -> None:
    seen = set()
    for _ in range(2):
        calling = Calling(ME["alice"], PEER["bob"], system_rng)
        answering = Answering(ME["bob"], PEER["alice"], calling.hello, system_rng)
        keys, _ = calling.welcomed(answering.welcome)
        assert keys == answering.keys
        seen |= {keys.forth.reveal(), keys.back.reveal()}
    assert len(seen) == 4


@pytest.mark.parametrize("offence", ["altered", "repeated", "dropped", "reordered", "reflected"])
async def test_a_frame_that_is_not_as_it_was_sent_ends_the_link(offence: str) -> None:
    alice, bob = await joined()
    there = bob._wire._incoming  # type: ignore[attr-defined]
    await alice.send(Parcel(1, "topic", b"one"))
    await alice.send(Parcel(2, "topic", b"two"))
    one, two = there.get_nowait(), there.get_nowait()
    blocks = {
        "altered": [one[:-1] + bytes([one[-1] ^ 1])],
        "repeated": [one, one],
        "dropped": [two],
        "reordered": [two, one],
        "reflected": [],
    }[offence]
    if offence == "reflected":
        alice._wire._incoming.put_nowait(one)  # type: ignore[attr-defined]
        with pytest.raises(ProofRejected):
            await alice.receive()
        return
    for block in blocks:
        there.put_nowait(block)
    with pytest.raises(ProofRejected):
        for _ in blocks:
            await bob.receive()


async def test_a_link_that_begins_with_something_else_than_a_confirmation_is_closed() -> None:
    near, far = MemoryWire.pair()
    door = asyncio.ensure_future(answer(far, ME["bob"], PEER.get, system_rng))
    calling = Calling(ME["alice"], PEER["bob"], system_rng)
    await near.send(encode(calling.hello))
    welcome = decode(Welcome, await near.receive())
    keys, _ = calling.welcomed(welcome)
    link = Link("bob", near, keys.forth.reveal(), keys.back.reveal())
    await link.send(Parcel(1, "topic", b"too early"))
    with pytest.raises(Malformed, match="third message"):
        await door


async def test_whoever_says_nothing_keeps_its_place_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_module, "HANDSHAKE_SECONDS", 0.02)
    near, far = MemoryWire.pair()
    with pytest.raises(TimeoutError):
        await answer(far, ME["bob"], PEER.get, system_rng)
    with pytest.raises(TimeoutError):
        await call(near, ME["alice"], PEER["bob"], system_rng)


async def test_a_stranger_makes_us_read_little_and_a_wire_gives_no_giant_block() -> None:
    near, far = MemoryWire.pair()
    door = asyncio.ensure_future(answer(far, ME["bob"], PEER.get, system_rng))
    await near.send(bytes(MAX_HANDSHAKE_BYTES + 1))
    with pytest.raises(LimitExceeded):
        await door
    near, far = MemoryWire.pair()
    await near.send(bytes(MAX_LINK_FRAME_BYTES + 1))
    with pytest.raises(WireClosed, match="more bytes"):
        await far.receive()
