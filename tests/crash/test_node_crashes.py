"""Kill a node at every frame of every session it takes part in, and at durable steps, and start it again.

After each: the error names the victim and nobody else, what was live signs with the restarted node, a wallet
that was being made is either live or never seen, and the next session goes as if nothing had been.
The device is the SDK's; committee and device run in this process (`tests.support.killing`).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from tests.support.killing import FRAME, STEP, FragileCommittee, Killed
from tests.support.local_device import PASSWORD, local_device

from quorate.account.requests import OnlineRequest
from quorate.account.shards import shard_of
from quorate.device import Backup, Device, Wallet
from quorate.device.sessions import Closed, Event
from quorate.encoding import encode
from quorate.errors import Abort, Missing, Refused
from quorate.node.callers import DeviceCaller
from quorate.node.limits import REFRESH_FOLLOWS_SECONDS
from quorate.primitives.parameters import STANDARD
from quorate.schemes.ecdsa import ONLINE, Answer, suite
from quorate.session import Party, SessionSpec, roster_digest
from quorate.transport.channel import ChannelClosed

VICTIM = "node1"
COMPANION = "node2"
MOST = 200


@dataclass
class House:
    """A committee of three that signs by two, a device, and a wallet that was live before."""

    committee: FragileCommittee
    device: Device
    wallet: Wallet
    backups: Path
    errors: list[str]
    made: list[str] = field(default_factory=list)

    async def create(self) -> None:
        path = self.backups / f"{len(list(self.backups.iterdir()))}-{len(self.made)}.backup"
        try:
            wallet = await self.device.create_wallet("personal", Backup.to(path, PASSWORD))
        except BaseException:
            assert not path.exists() or await self.device.unfinished()
            raise
        self.made.append(wallet.address)

    async def sign(self, wallet: Wallet | None = None) -> None:
        """With the victim among the signers; what comes out was verified by the SDK.

        The first ones may be made without it, as they find what the victim has missed.
        """
        for _ in range(4):
            self.device.desk.reachable.worked([VICTIM, COMPANION])
            await (wallet or self.wallet).sign_message("after the crash")
            if self.device.desk.reachable.ranked([COMPANION, VICTIM, "node3"])[:2] == [COMPANION, VICTIM]:
                return
        pytest.fail(f"the restarted node takes no part in signatures: {self.errors[-6:]}")

    async def killed_at(self, kind: str, moment: int, action: Callable[[], Awaitable[object]]) -> str:
        """Run `action` with the victim dying at a moment of it; gives where, or empty if it came through."""
        self.committee.restock()
        self.committee.arm(VICTIM, kind, moment)
        try:
            await action()
        except Abort as error:
            if not isinstance(error, Missing) or error.parties != (VICTIM,):
                pytest.fail(f"{kind} {moment}: {type(error).__name__} of {error.parties}: {error}")
        where = await self.committee.disarm(VICTIM)
        if where:
            self.committee.start(VICTIM)
        return where


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    committee = FragileCommittee(tmp_path / "nodes", 3, 1)
    backups = tmp_path / "backups"
    backups.mkdir()
    errors: list[str] = []

    def note(event: Event) -> None:
        if isinstance(event, Closed) and event.error:
            errors.append(f"{event.protocol}: {event.error}")

    async with local_device(committee, tmp_path / "device", monkeypatch, observer=note) as device:
        wallet = await device.create_wallet("server")
        made = House(committee, device, wallet, backups, errors)
        await made.sign()
        yield made
    await committee.close()


async def every_moment(
    house: House, kind: str, moments: Iterable[int], action: Callable[[], Awaitable[object]]
) -> list[str]:
    """`action` with a death at each moment, until it comes through; what was live signs after each."""
    places = []
    for moment in moments:
        assert moment < MOST
        where = await house.killed_at(kind, moment, action)
        await house.sign()
        if not where:
            break
        places.append(where)
    return places


@pytest.mark.parametrize(("kind", "moments"), [(FRAME, range(1, MOST + 1)), (STEP, range(1, MOST + 1, 13))])
async def test_a_node_dies_while_a_wallet_is_made(house: House, kind: str, moments: range) -> None:
    account = house.device.login.account

    async def create() -> None:
        house.committee.later += REFRESH_FOLLOWS_SECONDS  # nodes count what was begun and given up lately
        await house.create()

    places = await every_moment(house, kind, moments, create)
    assert len(places) > (30 if kind == FRAME else 6), places
    wallets = await house.device.wallets()
    addresses = {wallet.address for wallet in wallets} - {house.wallet.address}
    assert addresses == set(house.made)
    for node in house.committee.nodes.values():
        live = {record.public_key for record in node.records_of(account)}
        assert live <= {wallet.public_key for wallet in wallets}
    house.committee.link()  # so that it can ask the others for the wallets that were made without it
    for wallet in wallets:
        await house.sign(wallet)


@pytest.mark.parametrize(("kind", "moments"), [(FRAME, range(1, MOST)), (STEP, range(1, MOST, 3))])
async def test_a_node_dies_in_a_cold_signature(house: House, kind: str, moments: range) -> None:
    """The signature comes all the same, from the other two."""

    async def sign() -> None:
        house.device.desk.reachable.worked([VICTIM, COMPANION])
        await house.wallet.sign_message("hello")

    assert len(await every_moment(house, kind, moments, sign)) > 7


@pytest.mark.parametrize(("kind", "moments"), [(FRAME, range(1, MOST)), (STEP, range(1, MOST, 3))])
async def test_a_node_dies_in_presigning(house: House, kind: str, moments: range) -> None:
    async def prepare() -> None:
        house.device.desk.reachable.worked([VICTIM, COMPANION])
        await house.wallet.prepare()

    assert len(await every_moment(house, kind, moments, prepare)) > 8


@pytest.mark.parametrize("kind", [FRAME, STEP])
async def test_a_node_dies_in_the_online_step(house: House, kind: str) -> None:
    """The presignature is lost, the signature is not."""

    async def sign() -> None:
        await house.wallet.sign_message("hello")

    places = []
    for moment in count(1):
        house.device.desk.reachable.worked([VICTIM, COMPANION])
        assert await house.wallet.prepare() >= 1
        house.device.desk.reachable.worked([VICTIM, COMPANION])
        where = await house.killed_at(kind, moment, sign)
        await house.sign()
        if not where:
            break
        places.append(where)
    assert len(places) > 4, places


@pytest.mark.parametrize(("kind", "moments"), [(FRAME, range(1, MOST)), (STEP, range(1, MOST, 3))])
async def test_a_node_dies_in_a_setup_with_the_device(house: House, kind: str, moments: range) -> None:
    async def set_up() -> None:
        await house.device.desk.set_up(VICTIM)

    assert len(await every_moment(house, kind, moments, set_up)) > 4


@pytest.mark.parametrize(("kind", "opens"), [(FRAME, COMPANION), (STEP, COMPANION), (STEP, VICTIM)])
async def test_a_node_dies_in_a_setup_with_another_node(house: House, kind: str, opens: str) -> None:
    """As the one that opens it, and as the other; then both come to hold the same instance."""
    committee, shard = house.committee, shard_of(house.device.login.account)
    answers = COMPANION if opens == VICTIM else VICTIM

    async def make() -> None:
        node = committee.nodes[opens]
        node._connect = committee.owner_connects
        with contextlib.suppress(Killed, ChannelClosed):
            await node.pairs.make(answers, shard, node._open_setup)

    places = await every_moment(house, kind, range(1, MOST, 1 if kind == FRAME else 3), make)
    assert len(places) > 5, places
    ours, theirs = committee.nodes[VICTIM].pairs, committee.nodes[COMPANION].pairs
    assert ours.load(COMPANION, shard).fingerprint == theirs.load(VICTIM, shard).fingerprint


async def test_a_presignature_gives_one_answer_whatever_step_the_node_dies_at(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would leave is what `contribute` is given: the same for one request, nothing for another."""
    leaving: list[bytes] = []

    async def note(party: Party, reply: Answer, combiner: str) -> None:
        leaving.append(reply.to_bytes())

    monkeypatch.setattr("quorate.node.offers.signing.contribute", note)
    wallet, desk, committee = house.wallet, house.device.desk, house.committee
    record = (await house.device._entries())[0].record
    signers = ("device", VICTIM, COMPANION)
    caller = DeviceCaller(record.account, desk.identity.public, house.device.login.issued)

    def ask(presignature: bytes, text: str) -> SessionSpec:
        spec = SessionSpec(
            ONLINE.name,
            ONLINE.version,
            suite(record.group, STANDARD),
            record.key,
            record.epoch,
            signers,
            roster_digest(record.roster(signers)),
            len(signers),
            "signature",
            encode(OnlineRequest(presignature, wallet.payload_of_message(text))),
        )
        return spec.with_nonces({name: name.ljust(32).encode() for name in signers})

    async def open_(spec: SessionSpec) -> bool:
        node = committee.nodes[VICTIM]
        try:
            hosted = await node.offer(spec).open(caller, spec, record.roster(signers))
        except Refused as error:
            if error.code != "presignature":
                raise
            return False
        except Killed:
            return False
        assert hosted.session.start() == []
        return True

    seen: set[bool] = set()
    for step in range(1, MOST):
        desk.reachable.worked([VICTIM, COMPANION])
        await wallet.prepare()
        ready = desk.vault.presignatures.ready(record.key.hex(), record.epoch, signers, desk.clock())
        assert len(ready) == 1
        one, other = ask(ready[0], "one"), ask(ready[0], "other")
        leaving.clear()
        committee.arm(VICTIM, STEP, step)
        came_out = await open_(one)
        where = await committee.disarm(VICTIM)
        if where:
            committee.start(VICTIM)
        # The other request comes first: had the one been answered, it must already be too late for this.
        given = {"other": await open_(other), "one": await open_(one)}
        assert not (given["other"] and given["one"]), where
        assert len(set(leaving)) <= 1, where
        if came_out:
            assert given == {"other": False, "one": True}, where
        seen.add(came_out)
        desk.vault.presignatures.burn(ready[0])
        if not where:
            break
    assert seen == {True, False}
