"""Attacks on the hosts of signing: real nodes, and devices that do not keep to the rules.

The protocol's own checks are tested elsewhere. Here the attacker is a customer: it has a login, keys and
setups of its own, and is the hub of its sessions. It tries to use what belongs to another account, and to
cost two honest nodes something.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from tests.support.customer import NODES, SIGNERS, Customer

from quorate.account.requests import OnlineRequest
from quorate.account.shards import DEVICE_SHARD, shard_of
from quorate.clock import unix_time
from quorate.encoding import encode
from quorate.errors import Abort, Refused
from quorate.identity import account_id
from quorate.node.callers import DeviceCaller
from quorate.node.limits import MAX_SESSIONS_PER_ACCOUNT
from quorate.node.node import Node
from quorate.primitives import extension
from quorate.schemes.ecdsa import (
    ONLINE,
    SIGN,
    ReadyPresignature,
    combine,
    verify,
)
from quorate.session import Declaration
from quorate.testing.committee import LocalCommittee
from quorate.transport.channel import MemoryChannel
from quorate.transport.frames import Begin, Deliver, Failed, Frame, Nonce, Propose
from quorate.vault.instances import MAX_UNVERIFIED, InstanceState

pytestmark = pytest.mark.asyncio(loop_scope="module")
module_fixture = pytest_asyncio.fixture(scope="module", loop_scope="module")


@module_fixture
async def committee(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path_factory.mktemp("committee"), size=3, degree=1)
    yield made
    await made.close()


@module_fixture
async def alice(committee: LocalCommittee) -> Customer:
    return await Customer.of(committee, "alice")


@module_fixture
async def mallory(committee: LocalCommittee) -> Customer:
    """A customer whose account shares alice's shard: logins are free, so it tries names until one does."""
    wanted = shard_of(account_id(committee.network, "alice"))
    names = (f"mallory{number}" for number in range(10_000))
    name = next(name for name in names if shard_of(account_id(committee.network, name)) == wanted)
    return await Customer.of(committee, name)


class Held(MemoryChannel):
    """A channel of a hub that does something of its own before it passes certain frames on."""

    def __init__(
        self, inner: MemoryChannel, kind: type[Frame], before: Callable[[], Awaitable[None]]
    ) -> None:
        self._inner, self._kind, self._before = inner, kind, before

    async def send(self, frame: Frame) -> None:
        if isinstance(frame, self._kind):
            await self._before()
        await self._inner.send(frame)

    async def receive(self) -> Frame:
        return await self._inner.receive()

    async def close(self) -> None:
        await self._inner.close()


def once(action: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """The action before the first frame, nothing before the others."""
    done = False

    async def first() -> None:
        nonlocal done
        if not done:
            done = True
            await action()

    return first


def between(committee: LocalCommittee, customer: Customer) -> tuple[Any, Any]:
    """How each of two nodes sees the instance they have for this customer's shard."""
    shard = shard_of(customer.owner.account)
    ends = []
    for name, peer in (NODES, NODES[::-1]):
        found = committee.nodes[name].vault.instances.statuses(peer)
        ends.append(next(status for status in found if status.shard == shard))
    return ends[0], ends[1]


def opened(node: Node) -> int:
    """How many sessions of signing the node has made, its setups loaded."""
    lines = [line for line in node.metrics.text().splitlines() if "sessions_opened" in line]
    return sum(int(float(line.split()[-1])) for line in lines if SIGN.name in line)


async def settled(nodes: Mapping[str, Node]) -> None:
    """Wait until the nodes have noticed that hubs have gone."""
    while any(node._running.total() for node in nodes.values()):
        await asyncio.sleep(0.01)


async def test_a_login_of_one_account_gets_no_answer_from_another_accounts_presignature(
    alice: Customer, mallory: Customer
) -> None:
    """Who holds a stolen device and one node's help lacks the victim's login, and brings its own instead.

    Ids of presignatures are known to every signer. If a node checked only that the caller may use the key
    *named in the session*, these answers and the stolen device's part would be the victim's signature.
    """
    stolen = await alice.presign()
    with pytest.raises(Refused) as refused:
        request, answers = await mallory.ask(stolen.id, "all of it to mallory")
        signature = combine(ReadyPresignature(stolen), request, answers)
        verify(alice.record.point, request.digest, signature)
    assert refused.value.code == "presignature"
    # nor is it burned by the attempt: the owner still signs with it
    request, answers = await alice.ask(stolen.id, "rent")
    verify(alice.record.point, request.digest, combine(ReadyPresignature(stolen), request, answers))


async def begin(
    customer: Customer,
    nodes: tuple[str, ...],
    payload: bytes,
    declaration: Declaration = SIGN,
    **changes: Any,
) -> dict[str, MemoryChannel]:
    """Begin a session with some of its nodes only, the nonces of the others invented."""
    owner = customer.owner
    proposal = owner.proposal(declaration, SIGNERS, payload=payload, **customer.fields())
    proposal = msgspec.structs.replace(proposal, **changes)
    channels = {name: await owner.committee.connect(name) for name in nodes}
    nonces = dict.fromkeys(SIGNERS, bytes(32))
    for name, channel in channels.items():
        await channel.send(Propose("device", owner.token, proposal))
        frame = await channel.receive()
        assert isinstance(frame, Nonce), frame
        nonces[name] = frame.nonce
    spec = proposal.with_nonces(nonces)
    roster = owner.roster(SIGNERS)
    identities = tuple(roster[name].to_bytes() for name in spec.parties)
    for channel in channels.values():
        await channel.send(Begin(spec, identities, owner.keys.sign(spec.id)))
    return channels


async def hang_up(
    customer: Customer, nodes: tuple[str, ...], payload: bytes, *how: Declaration, **changes: Any
) -> dict[str, Frame]:
    """The same, and go after the first answer."""
    answers = {}
    for name, channel in (await begin(customer, nodes, payload, *how, **changes)).items():
        answers[name] = await channel.receive()
        await channel.close()
    await settled(customer.owner.committee.nodes)
    return answers


@pytest.mark.parametrize("nodes", [("node2",), ("node1",), NODES], ids=str)
@pytest.mark.parametrize("changes", [{}, {"version": 2}], ids=["begun", "refused"])
async def test_sessions_begun_and_left_use_up_nothing_that_two_honest_nodes_share(
    committee: LocalCommittee,
    alice: Customer,
    mallory: Customer,
    nodes: tuple[str, ...],
    changes: dict[str, Any],
) -> None:
    """Were they counted for ever, eight of them at the node that waits for the other's setups would part the
    pair for every account of the shard, at the price of eight connections a day."""
    await alice.sign("first")
    before = between(committee, alice)
    for _ in range(MAX_UNVERIFIED + 1):
        await hang_up(mallory, nodes, mallory.payload("nothing")[0], **changes)
    after = between(committee, alice)
    assert [end.unverified for end in after] == [0, 0]
    assert [end.generation for end in after] == [end.generation for end in before]
    await alice.sign("second")


async def test_a_node_restored_with_its_directory_gives_no_second_answer(
    committee: LocalCommittee, alice: Customer, tmp_path: Path
) -> None:
    """A snapshot of its whole disk shows the vault no rollback. The second answer would give the mask:
    u - u' = (delta - delta') * phi. Fellow nodes are not asked: their nonces are invented."""

    async def answered(text: str) -> bool:
        asked = encode(OnlineRequest(prepared.id, alice.payload(text)[0]))
        frame = (await hang_up(alice, ("node1",), asked, ONLINE))["node1"]
        assert isinstance(frame, Deliver) or (isinstance(frame, Failed) and frame.code == "presignature")
        return isinstance(frame, Deliver)

    prepared = await alice.presign()
    shutil.copytree(committee.home / "node1", tmp_path / "snapshot")
    assert await answered("first")
    assert not await answered("second")
    await committee.stop("node1")
    shutil.rmtree(committee.home / "node1")
    shutil.copytree(tmp_path / "snapshot", committee.home / "node1")
    committee.start("node1")
    assert not committee.nodes["node1"].vault.rolled_back
    assert not await answered("second")


async def test_sessions_held_open_use_up_nothing_that_two_honest_nodes_share(
    committee: LocalCommittee, alice: Customer, mallory: Customer
) -> None:
    """As many as an account may have, at the node that waits for the other's setups, and not let go."""
    await alice.sign("first")
    before, held = between(committee, alice), []
    for _ in range(MAX_SESSIONS_PER_ACCOUNT):
        held.append(await begin(mallory, ("node2",), mallory.payload("nothing")[0], SIGN))
        await held[-1]["node2"].receive()
    after = between(committee, alice)
    assert committee.nodes["node2"]._running.total() == MAX_SESSIONS_PER_ACCOUNT >= MAX_UNVERIFIED
    assert [end.unverified for end in after] == [0, 0]
    await alice.sign("second")
    assert [end.generation for end in between(committee, alice)] == [end.generation for end in before]
    for channels in held:
        await channels["node2"].close()
    await settled(committee.nodes)


async def test_of_requests_at_the_same_moment_one_is_answered(alice: Customer) -> None:
    """Different payloads, equal payloads (their sessions differ by a nonce): each second answer gives phi."""
    prepared = await alice.presign()

    async def ask(text: str) -> Frame:
        asked = encode(OnlineRequest(prepared.id, alice.payload(text)[0]))
        return (await hang_up(alice, ("node2",), asked, ONLINE))["node2"]

    frames = await asyncio.gather(*(ask(text) for text in ("one", "another", "one", "another")))
    assert sum(isinstance(frame, Deliver) for frame in frames) == 1
    assert all(isinstance(frame, Deliver) or frame.code == "presignature" for frame in frames)


async def test_a_proposal_that_is_not_begun_uses_nothing_up(alice: Customer) -> None:
    """A nonce is given before anything is consumed: a connection that breaks there costs nothing."""
    prepared = await alice.presign()
    asked = encode(OnlineRequest(prepared.id, alice.payload("never")[0]))
    owner = alice.owner
    for node in NODES:
        channel = await owner.committee.connect(node)
        await channel.send(
            Propose("device", owner.token, owner.proposal(ONLINE, SIGNERS, payload=asked, **alice.fields()))
        )
        assert isinstance(await channel.receive(), Nonce)
        await channel.close()
    request, answers = await alice.ask(prepared.id, "rent")
    verify(alice.record.point, request.digest, combine(ReadyPresignature(prepared), request, answers))


async def test_a_hub_that_lets_two_nodes_take_different_setups_of_theirs_costs_them_nothing(
    committee: LocalCommittee, alice: Customer, mallory: Customer
) -> None:
    """It tells one node to begin, waits for the daily replacement, and tells the other. Both see that they
    differ; neither may freeze the fresh instance or lose the presignatures of everybody in the shard."""
    prepared = await alice.presign()
    first = committee.nodes["node1"]
    shard = shard_of(mallory.owner.account)

    before = opened(first)

    async def replaced() -> None:
        while opened(first) == before:
            await asyncio.sleep(0.01)  # until node1 has loaded what it holds
        await first.pairs.make("node2", shard, first._open_setup)

    held = Held(await committee.connect("node2"), Begin, replaced)
    with pytest.raises(Abort):
        await mallory.sign("whatever", extra={"node2": held})
    await settled(committee.nodes)
    await mallory.sign("goes on")
    assert [end.state for end in between(committee, alice)] == [InstanceState.ACTIVE] * 2
    request, answers = await alice.ask(prepared.id, "rent")
    verify(alice.record.point, request.digest, combine(ReadyPresignature(prepared), request, answers))


async def test_a_presignature_that_a_quarantine_overtakes_is_not_stored(
    committee: LocalCommittee, alice: Customer
) -> None:
    node, shard = committee.nodes["node1"], shard_of(alice.owner.account)
    rounds = 0

    async def frozen() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 3:  # the device's and node2's round 1 have passed; its round 2 is next
            await node.worker(lambda: node.pairs.freeze("node2", shard, "another check", leak_bearing=False))

    held = Held(await committee.connect("node1"), Deliver, frozen)
    with pytest.raises(Abort):
        await alice.presign(extra={"node1": held})
    key = alice.record.key.hex()
    assert not node.vault.presignatures.ready(key, alice.record.epoch, SIGNERS, unix_time())
    await node.ensure("node2", shard)
    await alice.sign("afterwards")


async def test_sessions_side_by_side_learn_one_bit_of_delta_and_not_one_each(
    committee: LocalCommittee, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device plays the cheating receiver in several sessions at once, all loaded before the first fails."""
    node, owner, count = committee.nodes["node1"], alice.owner, 4
    setup = owner.pairs["node1"].receiver.fingerprint()  # in which node1 is the sender
    checks, loaded = [], asyncio.Barrier(count)
    real = extension.send

    def counted(state: Any, *arguments: Any) -> Any:
        if state.fingerprint() == setup:
            checks.append(state)
        return real(state, *arguments)

    monkeypatch.setattr(extension, "send", counted)

    async def cheat() -> None:
        held = Held(await committee.connect("node1"), Deliver, once(loaded.wait))
        with pytest.raises(Abort):
            await alice.cheat("node1", extra={"node1": held})

    await asyncio.gather(*(cheat() for _ in range(count)))
    await settled(committee.nodes)
    assert len(checks) == 1
    peer = DeviceCaller(owner.account, owner.keys.public, 0).peer
    with node.vault.transaction() as tx:
        assert tx.query("SELECT COUNT(*) FROM instance_failures WHERE peer = ?", (peer,)) == [(1,)]
    assert node.vault.instances.suspension(peer) is None
    # the owner logs in again, sets up afresh, and goes on
    owner.token = committee.token("alice", owner.keys.public, later=2)
    await owner.set_up("node1")
    await alice.sign("afterwards")


async def test_a_setup_begun_before_a_quarantine_does_not_end_it(
    committee: LocalCommittee, mallory: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a cheat keeps one setup half done beside each attempt, and never has to log in again."""
    node, owner = committee.nodes["node1"], mallory.owner
    peer = DeviceCaller(owner.account, owner.keys.public, 0).peer

    async def frozen() -> None:
        await node.worker(lambda: node.pairs.freeze(peer, DEVICE_SHARD, "a check", leak_bearing=True))

    held = Held(await committee.connect("node1"), Deliver, once(frozen))

    async def connect(_: str) -> MemoryChannel:
        return held

    with monkeypatch.context() as patched, pytest.raises(Refused) as refused:
        patched.setattr(committee, "connect", connect)
        await owner.set_up("node1")
    assert refused.value.code == "login-again"
    (status,) = node.vault.instances.statuses(peer)
    assert status.state is InstanceState.QUARANTINED
    owner.token = committee.token(owner.user, owner.keys.public, later=2)
    await owner.set_up("node1")
    await mallory.sign("afterwards")


@pytest.mark.parametrize("generation", [int(unix_time()) + 3 * 24 * 3600, (1 << 32) - 1])
async def test_a_node_cannot_use_up_the_generations_of_a_pair(
    committee: LocalCommittee, generation: int
) -> None:
    """They only grow, and end: once the last is taken a pair has no next setup, whoever repairs the node."""
    first, second = committee.nodes["node1"], committee.nodes["node2"]
    with pytest.raises(Refused) as refused:
        await second._open_setup("node1", 60, generation)
    assert refused.value.code == "clock"
    await first.ensure("node2", 60)
