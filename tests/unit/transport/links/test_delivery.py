"""Parcels arrive, whatever happens to connections, and no peer can make the other hold more than it said."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from tests.unit.transport.links.ends import (
    ME,
    PEER,
    ListStore,
    Notes,
    Receiver,
    dispatch,
    until,
)

from quorate.entropy import system_rng
from quorate.errors import LocalError, Malformed
from quorate.transport.links import Dispatch, MemoryWire, NotNow, Parcel, answer, call, take_in
from quorate.transport.links import dispatch as dispatch_module
from quorate.transport.links import intake as intake_module
from quorate.transport.links.dispatch import MAX_UNANSWERED
from quorate.transport.links.frames import Ack, Later
from quorate.vault.outbox import Pending


@contextlib.asynccontextmanager
async def delivering(*dispatches: Dispatch) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(one.run()) for one in dispatches]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits half a minute."""
    for name in ("FIRST_PAUSE_SECONDS", "FIRST_LATER_SECONDS"):
        monkeypatch.setattr(dispatch_module, name, 0.01)
    for name in ("MAX_PAUSE_SECONDS", "MAX_LATER_SECONDS", "_IDLE_SECONDS"):
        monkeypatch.setattr(dispatch_module, name, 0.05)


async def test_parcels_arrive_in_order_and_are_removed() -> None:
    store, receiver, notes = ListStore(b"one", b"two", b"three"), Receiver(), Notes()
    link = dispatch(store, receiver, notes)
    async with delivering(link):
        await until(lambda: not store.rows)
        store.put(b"four")
        link.wake()
        await until(lambda: not store.rows)
    assert receiver.bodies == [b"one", b"two", b"three", b"four"]
    assert (receiver.dialed, notes.fresh, notes.repeated, notes.taken) == (1, 4, 0, 4)


async def test_a_node_without_anything_to_say_dials_nobody() -> None:
    receiver = Receiver()
    link = dispatch(ListStore(), receiver, Notes())
    async with delivering(link):
        await asyncio.sleep(0.1)
    assert receiver.dialed == 0


async def test_what_is_put_while_the_store_is_looked_at_is_not_overlooked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatch_module, "MAX_PAUSE_SECONDS", 1000.0)

    class Late(ListStore):
        def pending(self, peer: str, *, after: int, rows: int, size: int) -> list[Pending]:
            found = super().pending(peer, after=after, rows=rows, size=size)
            if self.last < 0:
                self.put(b"just now")
                link.wake()
            return found

    store, receiver = Late(), Receiver()
    link = dispatch(store, receiver, Notes())
    async with delivering(link):
        await until(lambda: not store.rows and store.last == 0)
    assert receiver.bodies == [b"just now"]


async def test_nodes_start_in_any_order() -> None:
    store, receiver, notes = ListStore(b"one"), Receiver(), Notes()
    receiver.reachable = False
    async with delivering(dispatch(store, receiver, notes)):
        await until(lambda: receiver.dialed >= 3)
        assert receiver.bodies == []
        receiver.reachable = True
        await until(lambda: receiver.bodies == [b"one"])


async def test_more_parcels_than_a_window_arrive_and_no_more_than_that_are_on_the_way() -> None:
    many = [str(index).encode() for index in range(5 * MAX_UNANSWERED)]
    store, receiver, notes = ListStore(*many), Receiver(), Notes()
    most = 0
    gate = asyncio.Event()

    async def handle(sender: str, body: bytes) -> None:
        nonlocal most
        most = max(most, receiver.intake.unanswered)
        await gate.wait()
        receiver.bodies.append(body)

    receiver.handle = handle  # type: ignore[method-assign]
    async with delivering(dispatch(store, receiver, notes)):
        await until(lambda: receiver.intake.unanswered == MAX_UNANSWERED)
        await asyncio.sleep(0.05)
        assert notes.fresh == MAX_UNANSWERED
        gate.set()
        await until(lambda: not store.rows)
    assert receiver.bodies == many
    assert most == MAX_UNANSWERED


async def test_large_parcels_are_on_the_way_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch_module, "MAX_UNANSWERED_BYTES", 250)
    store, receiver, notes = ListStore(*[bytes(100)] * 6, bytes(1000)), Receiver(), Notes()
    gate = asyncio.Event()

    async def handle(sender: str, body: bytes) -> None:
        await gate.wait()
        receiver.bodies.append(body)

    receiver.handle = handle  # type: ignore[method-assign]
    async with delivering(dispatch(store, receiver, notes)):
        await asyncio.sleep(0.1)
        assert notes.fresh <= 3
        gate.set()
        await until(lambda: len(receiver.bodies) == 7)


async def test_what_was_under_way_when_a_connection_broke_comes_again() -> None:
    store, receiver, notes = ListStore(b"one", b"two"), Receiver(), Notes()
    gate = asyncio.Event()

    async def handle(sender: str, body: bytes) -> None:
        if not gate.is_set():
            await receiver.cut()
            gate.set()
        receiver.bodies.append(body)

    receiver.handle = handle  # type: ignore[method-assign]
    async with delivering(dispatch(store, receiver, notes)):
        await until(lambda: not store.rows)
    assert set(receiver.bodies) == {b"one", b"two"}
    assert receiver.dialed == 2
    assert notes.repeated >= 1


async def test_a_partition_that_heals_loses_nothing() -> None:
    store, receiver, notes = ListStore(), Receiver(), Notes()
    link = dispatch(store, receiver, notes)
    async with delivering(link):
        for round_ in range(4):
            receiver.reachable = round_ % 2 == 0
            await receiver.cut()
            for index in range(20):
                store.put(f"{round_} {index}".encode())
                link.wake()
                await asyncio.sleep(0.001)
        receiver.reachable = True
        await until(lambda: not store.rows)
    assert {body.decode() for body in receiver.bodies} == {f"{r} {i}" for r in range(4) for i in range(20)}


async def test_a_sign_of_life_ends_the_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    store, receiver, notes = ListStore(b"one"), Receiver(), Notes()
    receiver.reachable = False
    link = dispatch(store, receiver, notes)
    async with delivering(link):
        await until(lambda: receiver.dialed >= 1)
        monkeypatch.setattr(dispatch_module, "MAX_PAUSE_SECONDS", 1000.0)
        monkeypatch.setattr(dispatch_module, "FIRST_PAUSE_SECONDS", 0.02)
        link._tries = 15
        await asyncio.sleep(0.15)
        before, receiver.reachable = receiver.dialed, True
        await asyncio.sleep(0.1)
        assert receiver.dialed == before
        link.hurry()
        await until(lambda: receiver.bodies == [b"one"], 1.0)


async def test_pauses_double_up_to_a_limit_and_jitter_comes_from_the_rng(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatch_module, "FIRST_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(dispatch_module, "MAX_PAUSE_SECONDS", 30.0)
    waited: list[float] = []

    async def note(seconds: float, event: asyncio.Event) -> None:
        waited.append(seconds)

    async def sleep(seconds: float) -> None:
        return

    for rng in (lambda count: bytes(count), lambda count: b"\xff" * count):
        link = Dispatch(ME["alice"], PEER["bob"], ListStore(), None, None, rng, Notes())  # type: ignore[arg-type]
        with monkeypatch.context() as patch:
            patch.setattr(dispatch_module, "_at_most", note)
            patch.setattr(dispatch_module.asyncio, "sleep", sleep)
            for _ in range(12):
                await link._pause()
    least, most = waited[:12], waited[12:]
    assert most == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30, 30])
    assert least == pytest.approx([longest / 2 for longest in most])


async def test_a_parcel_that_is_not_wanted_yet_holds_up_no_other_and_comes_again() -> None:
    store, receiver, notes = ListStore(b"early", b"one", b"two"), Receiver(), Notes()
    wanted = False

    def refuse(body: bytes) -> None:
        if body == b"early" and not wanted:
            raise NotNow("not yet")

    receiver.refuse = refuse
    async with delivering(dispatch(store, receiver, notes)):
        await until(lambda: receiver.bodies == [b"one", b"two"])
        await until(lambda: notes.postponed >= 3)
        assert list(store.rows.values()) == [b"early"]
        wanted = True
        await until(lambda: not store.rows)
    assert receiver.bodies == [b"one", b"two", b"early"]
    assert receiver.dialed == 1


async def test_what_was_put_aside_survives_a_broken_connection() -> None:
    store, receiver, notes = ListStore(b"early", b"one"), Receiver(), Notes()
    wanted = False

    def refuse(body: bytes) -> None:
        if body == b"early" and not wanted:
            raise NotNow("not yet")

    receiver.refuse = refuse
    async with delivering(dispatch(store, receiver, notes)):
        await until(lambda: notes.postponed >= 2)
        await receiver.cut()
        await until(lambda: receiver.dialed >= 2)
        wanted = True
        await until(lambda: not store.rows)
    assert sorted(receiver.bodies) == [b"early", b"one"]


async def test_what_was_offered_again_when_the_connection_broke_is_offered_once_more() -> None:
    store, receiver, notes = ListStore(b"early"), Receiver(), Notes()
    offers = 0

    async def handle(sender: str, body: bytes) -> None:
        nonlocal offers
        offers += 1
        if offers == 1:
            raise NotNow("not yet")
        if offers == 2:
            await receiver.cut()
        receiver.bodies.append(body)

    receiver.handle = handle  # type: ignore[method-assign]
    async with delivering(dispatch(store, receiver, notes)):
        await until(lambda: not store.rows)
    assert receiver.dialed == 2


async def test_a_parcel_that_will_never_be_good_is_taken_off_the_hands_of_its_sender() -> None:
    store, receiver = ListStore(b"garbage", b"one"), Receiver()

    def refuse(body: bytes) -> None:
        if body == b"garbage":
            raise Malformed("nobody can read this")

    receiver.refuse = refuse
    async with delivering(dispatch(store, receiver, Notes())):
        await until(lambda: not store.rows)
    assert receiver.bodies == [b"one"]
    assert receiver.outcomes == ["malformed", "taken"]


async def test_a_mistake_in_a_handler_ends_nothing_but_its_own_parcel() -> None:
    store, receiver = ListStore(b"one", b"two"), Receiver()
    mistakes = 0

    def refuse(body: bytes) -> None:
        nonlocal mistakes
        if body == b"one" and mistakes < 2:
            mistakes += 1
            raise ZeroDivisionError

    receiver.refuse = refuse
    async with delivering(dispatch(store, receiver, Notes())):
        await until(lambda: not store.rows)
    assert receiver.bodies == [b"two", b"one"]
    assert receiver.outcomes.count("mistake") == 2


async def test_a_parcel_of_an_unknown_topic_waits_for_the_version_that_knows_it() -> None:
    store, receiver, notes = ListStore(b"one"), Receiver(), Notes()
    receiver.intake._find = lambda topic: None
    async with delivering(dispatch(store, receiver, notes)):
        await until(lambda: notes.postponed >= 2)
        receiver.intake._find = lambda topic: receiver.handle
        await until(lambda: not store.rows)


class Mute(Receiver):
    """Makes the handshake and never answers a parcel."""

    async def _serve(self, wire: MemoryWire) -> None:
        link = await answer(wire, ME["bob"], PEER.get, system_rng)
        with contextlib.suppress(LocalError):
            while True:
                await link.receive()


async def test_a_peer_that_never_acknowledges_is_dialed_anew_and_nothing_is_lost() -> None:
    store, mute, notes = ListStore(*[b"x"] * (2 * MAX_UNANSWERED)), Mute(), Notes()
    async with delivering(dispatch(store, mute, notes, answer_seconds=0.1)):
        await until(lambda: mute.dialed >= 3)
    assert len(store.rows) == 2 * MAX_UNANSWERED
    assert notes.fresh == MAX_UNANSWERED
    assert any(isinstance(error, TimeoutError) for error in notes.failures)


class Deaf(Mute):
    """Makes the handshake and then reads nothing at all."""

    async def _serve(self, wire: MemoryWire) -> None:
        await answer(wire, ME["bob"], PEER.get, system_rng)
        await asyncio.sleep(60)


async def test_a_peer_that_reads_nothing_holds_no_connection_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quorate.transport.links.wire.MEMORY_BLOCKS", 4)
    store, deaf, notes = ListStore(*[b"x"] * 20), Deaf(), Notes()
    async with delivering(dispatch(store, deaf, notes, answer_seconds=0.1)):
        await until(lambda: deaf.dialed >= 2)
    assert len(store.rows) == 20


@pytest.mark.parametrize(
    "frame", [Ack(50), Later(50), Parcel(1, "topic", b"")], ids=["ack", "later", "parcel"]
)
async def test_an_answer_to_no_parcel_ends_the_connection_and_removes_nothing(
    frame: Ack | Later | Parcel,
) -> None:
    class Liar(Receiver):
        async def _serve(self, wire: MemoryWire) -> None:
            link = await answer(wire, ME["bob"], PEER.get, system_rng)
            await link.send(frame)

    store, notes = ListStore(b"x"), Notes()
    monkey = Liar()
    link = dispatch(store, monkey, notes)
    async with delivering(link):
        await until(lambda: any(isinstance(error, Malformed) for error in notes.failures))
    assert len(store.rows) == 1


async def test_a_node_that_floods_is_read_no_faster_than_it_is_handled() -> None:
    near, far = MemoryWire.pair()
    receiver = Receiver()
    gate = asyncio.Event()

    async def handle(sender: str, body: bytes) -> None:
        await gate.wait()

    receiver.handle = handle  # type: ignore[method-assign]
    serving = asyncio.ensure_future(receiver._serve(far))
    link = await call(near, ME["alice"], PEER["bob"], system_rng)
    sent = 0

    async def flood() -> None:
        nonlocal sent
        while True:
            await link.send(Parcel(sent, "topic", b"x" * 100))
            sent += 1

    flooding = asyncio.ensure_future(flood())
    await asyncio.sleep(0.2)
    before = sent
    await asyncio.sleep(0.1)
    assert sent == before < 3 * MAX_UNANSWERED
    assert receiver.intake.unanswered == MAX_UNANSWERED
    again = asyncio.ensure_future(receiver._serve((await receiver_pair(receiver))[1]))
    await asyncio.sleep(0.05)
    assert receiver.intake.unanswered == MAX_UNANSWERED, "a second connection buys no more room"
    for task in (flooding, serving, again):
        task.cancel()


async def test_large_parcels_are_taken_in_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "MAX_UNANSWERED_BYTES", 250)
    near, far = MemoryWire.pair()
    receiver, gate = Receiver(), asyncio.Event()

    async def handle(sender: str, body: bytes) -> None:
        await gate.wait()
        receiver.bodies.append(body)

    receiver.handle = handle  # type: ignore[method-assign]
    serving = asyncio.ensure_future(receiver._serve(far))
    link = await call(near, ME["alice"], PEER["bob"], system_rng)
    for number in range(6):
        await link.send(Parcel(number, "topic", bytes(100)))
    await asyncio.sleep(0.05)
    assert receiver.intake.unanswered == 2
    gate.set()
    await until(lambda: len(receiver.bodies) == 6)
    serving.cancel()


async def receiver_pair(receiver: Receiver) -> tuple[MemoryWire, MemoryWire]:
    near, far = MemoryWire.pair()

    async def flood() -> None:
        with contextlib.suppress(LocalError):
            link = await call(near, ME["alice"], PEER["bob"], system_rng)
            for number in range(MAX_UNANSWERED):
                await link.send(Parcel(number, "topic", b"y"))

    receiver._tasks.add(asyncio.create_task(flood()))
    return near, far


async def test_whoever_sends_something_else_than_parcels_is_cut_off() -> None:
    near, far = MemoryWire.pair()
    receiver = Receiver()
    serving = asyncio.ensure_future(receiver._serve(far))
    link = await call(near, ME["alice"], PEER["bob"], system_rng)
    await link.send(Ack(1))
    await serving
    assert [type(error) for error in receiver.failures] == [Malformed]


async def test_both_nodes_dialing_at_once_have_a_link_in_each_direction() -> None:
    from tests.unit.transport.links.ends import inline

    bodies: dict[str, list[bytes]] = {"alice": [], "bob": []}
    serving: set[asyncio.Task[None]] = set()

    from quorate.transport.links import Intake, LinkPeer, Wire

    def intake_of(me: str, peer: str) -> Intake:
        async def handle(sender: str, body: bytes) -> None:
            assert sender == peer
            bodies[me].append(body)

        return Intake(peer, lambda topic: handle, lambda *_: None)

    async def connect(peer: LinkPeer) -> Wire:
        near, far = MemoryWire.pair()
        me = peer.name
        other = "alice" if me == "bob" else "bob"

        async def serve() -> None:
            with contextlib.suppress(LocalError):
                link = await answer(far, ME[me], PEER.get, system_rng)
                await take_in(link, intake_of(me, other))

        serving.add(asyncio.create_task(serve()))
        return near

    stores = {name: ListStore(*(f"{name} {i}".encode() for i in range(30))) for name in ("alice", "bob")}
    links = [
        Dispatch(ME[me], PEER[peer], stores[me], connect, inline, system_rng, Notes())
        for me, peer in (("alice", "bob"), ("bob", "alice"))
    ]
    async with delivering(*links):
        await until(lambda: not any(store.rows for store in stores.values()))
    assert len(bodies["alice"]) == len(bodies["bob"]) == 30
