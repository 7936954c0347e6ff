"""Attacks on a node's life around its sessions: creating wallets, seats, spare keys, restarts.

The attacker has a login of its own and is the hub of its sessions, or is a node of the committee. It wants a
node to hold two lines of one key, to use or burn what belongs to another account, or to serve nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from tests.support.owner import Backup, Owner, at_once

from quorate.account import KeyRecord, structure_for
from quorate.account.presets import DEVICE
from quorate.account.requests import LiveRequest, Signatures
from quorate.encoding import encode
from quorate.entropy import system_rng
from quorate.errors import Abort, Missing, Refused, Suspicion
from quorate.groups import SECP256K1
from quorate.node import keybook as keybook_module
from quorate.node import node as node_module
from quorate.node.callers import DeviceCaller
from quorate.node.keybook import POOL_TABLE, KeyBook
from quorate.node.limits import MAX_OPEN_KEYS_PER_ACCOUNT, MAX_SESSIONS_PER_NODE, OPEN_KEY_SECONDS
from quorate.node.offers import refreshing
from quorate.node.offers.creation import claim_first_epoch
from quorate.node.offers.offer import checked
from quorate.node.offers.setup import MAX_GENERATION
from quorate.primitives.parameters import STANDARD
from quorate.schemes.ecdsa import SETUP, SIGN, instance_payload, suite
from quorate.session import (
    Envelope,
    KeyPair,
    Party,
    SessionSpec,
    roster_digest,
)
from quorate.sharing.change import Change, Standing, Target, propose
from quorate.sharing.formation import Formed
from quorate.sharing.refresh import DECLARATION as REFRESH
from quorate.sharing.refresh import Refreshed, refresh_as_factor
from quorate.sharing.statements import Prepared, to_sign
from quorate.testing.committee import LocalCommittee
from quorate.transport.channel import MemoryChannel
from quorate.transport.frames import Begin, Deliver, Failed, Frame, Nonce, Propose
from quorate.transport.host import host
from quorate.vault.instances import FAILURES_BEFORE_SUSPENSION

pytestmark = pytest.mark.asyncio(loop_scope="module")
NODES = ("node1", "node2", "node3")
NOW = 2_000_000_000.0


@dataclass
class Time:
    """A clock the tests turn."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def time() -> Time:
    return Time()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def committee(tmp_path_factory: pytest.TempPathFactory, time: Time) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path_factory.mktemp("committee"), size=3, degree=1, clock=time)
    yield made
    await made.close()


class Filtered(MemoryChannel):
    """A channel of a hub that keeps envelopes of some tags from one node."""

    def __init__(self, inner: MemoryChannel, tags: tuple[str, ...]) -> None:
        self._inner, self._tags = inner, tags

    async def send(self, frame: Frame) -> None:
        if isinstance(frame, Deliver):
            frame = Deliver(
                tuple(data for data in frame.envelopes if Envelope.parse(data).tag not in self._tags)
            )
        await self._inner.send(frame)

    async def receive(self) -> Frame:
        return await self._inner.receive()

    async def close(self) -> None:
        await self._inner.close()


@dataclass
class Creation:
    """A formed key of `owner`, and refreshes of it that keep to the rules only as far as wanted."""

    owner: Owner
    formed: Formed
    record: KeyRecord
    backup: Backup = field(default_factory=Backup)

    @classmethod
    async def of(cls, owner: Owner) -> Creation:
        formed, record, _ = await owner.form(keys=2)
        return cls(owner, formed, record)

    def change(self, spare: bytes, *, backup: Backup | None = None, **fields: Any) -> Change:
        committee, own = self.owner.committee, self.owner.keys.public.to_bytes()
        keys = (backup or self.backup).keys.public.to_bytes()
        record = self.record
        return propose(
            Standing(record.network, record.account, 0, self.formed.share, {DEVICE: own}),
            structure_for("personal", committee.names, committee.quorums.degree),
            [
                Target(2, DEVICE, "device", own),
                Target(3, "backup", fields.get("kind", "backup"), fields.get("keys", keys)),
            ],
            pool=[spare],
            online=[DEVICE],
            expires=int(NOW) + 60,
            nonce=system_rng(32),
        )

    @property
    def spare(self) -> bytes:
        return self.formed.spare[0].key_id

    async def refresh(
        self,
        change: Change,
        *,
        backup: Backup | None = None,
        keep: Mapping[str, tuple[str, ...]] | None = None,
        deadline: float = 10.0,
    ) -> tuple[dict[str, bytes], Refreshed]:
        """Run it; `keep` names tags of envelopes that never reach a node."""
        owner, committee = self.owner, self.owner.committee
        seat = backup or Backup(keys=self.backup.keys)
        parties = tuple(sorted((*committee.names, DEVICE, "backup")))
        seat.roster = roster = {**owner.roster((*committee.names, DEVICE)), "backup": seat.keys.public}
        proposal = owner.proposal(
            REFRESH, parties, key=self.record.key, roster=roster_digest(roster), payload=encode(change)
        )
        own = {DEVICE: owner.keys.public.to_bytes()}
        standing = Standing(self.record.network, self.record.account, 0, self.formed.share, own)

        async def run(party: Party) -> Refreshed:
            return await refresh_as_factor(party, standing=standing)

        near, far = MemoryChannel.pair()
        serving = asyncio.create_task(host(far, seat, at_once, idle=2.0))
        channels: dict[str, MemoryChannel] = {"backup": near}
        for name, tags in (keep or {}).items():
            channels[name] = Filtered(await committee.connect(name), tags)
        try:
            outcome, refreshed = await owner.run(
                proposal, REFRESH, run, roster=roster, extra=channels, deadline=deadline
            )
        finally:
            await near.close()
            with contextlib.suppress(Exception):
                await serving
        return dict(outcome.outcomes), refreshed


def certificate(refreshed: Refreshed, signatures: Mapping[str, bytes]) -> LiveRequest:
    by = tuple(sorted((name, signatures[name]) for name in NODES if name in signatures))
    return LiveRequest(refreshed.statement, Signatures(by))


async def settled(committee: LocalCommittee) -> None:
    """Returns when no node has a session left: a hub's error reaches them a moment later."""
    async with asyncio.timeout(5):
        while any(node._running.total() for node in committee.nodes.values()):
            await asyncio.sleep(0.01)


# --- one key, one first epoch ---------------------------------------------------------------------------


async def test_a_formed_key_takes_one_request_however_many_spare_keys_its_owner_has(
    committee: LocalCommittee,
) -> None:
    """Otherwise the hub ends each of two requests at other nodes, and they stage two lines of one key."""
    owner = Owner(committee, user="two-lines")
    first, second = await Creation.of(owner), await Creation.of(owner)
    silence = {"node2": ("refresh.ready",), "node3": ("refresh.ready",)}
    with pytest.raises(Missing):
        await first.refresh(first.change(first.spare), keep=silence, deadline=0.5)
    await settled(committee)
    node = committee.nodes["node1"]
    assert node.keybook.staged(first.record.key, 1).record.epoch == 1

    other = Backup()
    change = first.change(second.spare, backup=other)
    with pytest.raises(Refused) as refused:
        await first.refresh(change, backup=other)
    assert refused.value.code in ("first-epoch", "nothing-staged")  # whoever answers first
    with pytest.raises(Refused) as refused:
        claim_first_epoch(node._services, first.record.key, change.core_hash)
    assert refused.value.code == "first-epoch"
    await settled(committee)


async def test_a_certificate_makes_only_that_live_which_this_node_has_signed(
    committee: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second guard, with the first away: node1 stages one line and is shown the other's certificate."""
    monkeypatch.setattr(refreshing, "claim_first_epoch", lambda *_: None)
    monkeypatch.setattr(KeyBook, "forget", lambda *_: None)
    owner = Owner(committee, user="other-line")
    first, second = await Creation.of(owner), await Creation.of(owner)
    silence = {"node2": ("refresh.ready",), "node3": ("refresh.ready",)}
    with pytest.raises(Missing):
        await first.refresh(first.change(first.spare), keep=silence, deadline=0.5)
    await settled(committee)

    seen: list[Prepared] = []

    def noted(statement: Prepared) -> bytes:
        seen.append(statement)
        return to_sign(statement)

    monkeypatch.setattr(refreshing, "to_sign", noted)
    other = Backup()
    with pytest.raises(Abort):  # node1 has staged the first line; the others sign the second all the same
        await first.refresh(first.change(second.spare, backup=other), backup=other)
    await settled(committee)
    certified, signers = seen[0], ("node2", "node3")
    assert len(signers) == committee.quorums.ready
    for name in signers:
        assert committee.nodes[name].keybook.staged(first.record.key, 1).statement == to_sign(certified)

    signatures = [(name, committee.nodes[name].identity.sign(to_sign(certified))) for name in signers]
    wanted = LiveRequest(certified, Signatures(tuple(signatures)))
    with pytest.raises(Refused) as refused:
        committee.nodes["node1"].make_live(wanted)
    assert refused.value.code == "staged"
    assert not committee.nodes["node1"].keybook.is_live(first.record.key)
    committee.nodes["node2"].make_live(wanted)


async def test_of_a_plain_and_a_refreshed_first_epoch_one_becomes_live(committee: LocalCommittee) -> None:
    """KEY-FORMED is shown to a node whose refresh has begun, and the refresh asked of one that is live."""
    owner = Owner(committee, user="both-ways")
    made = await Creation.of(owner)
    outcomes, refreshed = await made.refresh(made.change(made.spare))
    formed = [
        (name, node.identity.sign(to_sign(made.formed.statement))) for name, node in committee.nodes.items()
    ]
    plain = LiveRequest(made.formed.statement, Signatures(tuple(formed)))
    for node in committee.nodes.values():
        with pytest.raises(Refused) as refused:
            node.make_live(plain)
        assert refused.value.code == "first-epoch"
    owner.show(certificate(refreshed, outcomes))
    for node in committee.nodes.values():
        assert node.keybook.record(made.record.key).epoch == 1
        with pytest.raises(Refused):
            node.make_live(plain)

    other = await Creation.of(owner)
    node = committee.nodes["node2"]
    formed = [(n, x.identity.sign(to_sign(other.formed.statement))) for n, x in committee.nodes.items()]
    node.make_live(LiveRequest(other.formed.statement, Signatures(tuple(formed))))
    with pytest.raises(Refused) as refused:
        await other.refresh(other.change(other.spare))
    assert refused.value.code == "live"


async def test_a_certificate_counts_nodes_and_not_signatures(committee: LocalCommittee) -> None:
    owner = Owner(committee, user="short")
    formed, _, signatures = await owner.form()
    twice = Signatures((("node1", signatures["node1"]), ("node1", signatures["node1"])))
    borrowed = Signatures((("node1", signatures["node1"]), ("node2", signatures["node1"])))
    stranger = Signatures((("node1", signatures["node1"]), ("node9", signatures["node2"])))
    for short in (twice, borrowed, stranger):
        with pytest.raises(Refused) as refused:
            committee.nodes["node3"].make_live(LiveRequest(formed.statement, short))
        assert refused.value.code == "certificate"


async def test_a_device_cannot_take_the_backups_seat_under_its_own_identity(
    committee: LocalCommittee,
) -> None:
    owner = Owner(committee, user="two-seats")
    made = await Creation.of(owner)
    change = made.change(made.spare, keys=owner.keys.public.to_bytes())
    with pytest.raises(Abort):
        await made.refresh(change, backup=Backup(keys=owner.keys))
    await settled(committee)
    with pytest.raises(Refused):
        committee.nodes["node1"].keybook.staged(made.record.key, 1)


async def test_a_kind_of_factor_nobody_knows_is_refused_before_anything_is_dealt(
    committee: LocalCommittee,
) -> None:
    made = await Creation.of(Owner(committee, user="kinds"))
    with pytest.raises(Refused) as refused:
        await made.refresh(made.change(made.spare, kind="oracle"))
    assert refused.value.code == "payload"


# --- spare keys and what a failure leaves behind --------------------------------------------------------


async def test_a_customer_neither_uses_nor_burns_another_accounts_spare_key(
    committee: LocalCommittee,
) -> None:
    """Ids of spare keys cross the wire in clear: whoever listens to a creation knows them."""
    alice = await Creation.of(Owner(committee, user="alice"))
    mallory = await Creation.of(Owner(committee, user="mallory"))
    with pytest.raises(Refused) as refused:
        await mallory.refresh(mallory.change(alice.spare))
    assert refused.value.code == "pool"

    theirs = mallory.change(mallory.spare)
    pretended = msgspec.structs.replace(theirs, account=alice.owner.account, pool=(alice.spare,))
    with pytest.raises(Refused):
        await mallory.refresh(pretended)
    pretended = msgspec.structs.replace(theirs, account=alice.owner.account)
    with pytest.raises(Abort):
        await mallory.refresh(pretended)
    await settled(committee)
    outcomes, refreshed = await alice.refresh(alice.change(alice.spare))
    alice.owner.show(certificate(refreshed, outcomes))


@pytest.mark.parametrize("silent", [("node2",), NODES])
@pytest.mark.parametrize(
    "tag",
    [
        "refresh.known",
        "refresh.accept",
        "refresh.masks",
        "refresh.mask-shares",
        "echo.digest",
        "refresh.authorise",
        "refresh.lock",
        "refresh.confirm",
        "refresh.ready",
    ],
)
async def test_wherever_a_hub_cuts_a_refresh_off_nodes_hold_one_next_epoch_or_nothing(
    committee: LocalCommittee, tag: str, silent: tuple[str, ...]
) -> None:
    made = await Creation.of(Owner(committee, user=f"cut-{tag}-{len(silent)}"))
    with contextlib.suppress(Abort):
        await made.refresh(made.change(made.spare), keep=dict.fromkeys(silent, (tag,)), deadline=0.3)
    await settled(committee)
    waiting = set()
    for node in committee.nodes.values():
        assert not [place for place in node.vault.list(POOL_TABLE) if made.spare.hex() in place.row]
        epochs = node.vault.shares.epochs(made.record.key.hex())
        assert set(epochs) in ({0, 1}, set())
        assert not node.keybook.is_live(made.record.key)
        if epochs:
            waiting.add(node.keybook.staged(made.record.key, 1).statement)
    assert len(waiting) <= 1


async def test_a_failed_refresh_leaves_neither_spare_key_nor_share(committee: LocalCommittee) -> None:
    """The formed key had one way to become live; what stays would be one line more through it."""
    made = await Creation.of(Owner(committee, user="failed"))
    silence = dict.fromkeys(NODES, ("refresh.confirm",))
    with pytest.raises(Missing):
        await made.refresh(made.change(made.spare), keep=silence, deadline=0.5)
    await settled(committee)
    key = made.record.key.hex()
    for node in committee.nodes.values():
        assert node.vault.shares.epochs(key) == {}
        assert not [place for place in node.vault.list(POOL_TABLE) if made.spare.hex() in place.row]
        assert not node.vault.data_keys.exists(f"epoch:{key}:0")


async def test_a_crash_after_the_lock_burns_the_spare_key_at_the_next_start(
    committee: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items may have left before it; the session is not taken up again."""
    monkeypatch.setattr(
        refreshing._RefreshRun, "fail", lambda *_: None
    )  # the process is gone, nothing cleans up
    locked = await Creation.of(Owner(committee, user="crashed"))
    begun = await Creation.of(Owner(committee, user="not-locked"))
    with pytest.raises(Missing):
        await locked.refresh(
            locked.change(locked.spare), keep=dict.fromkeys(NODES, ("refresh.confirm",)), deadline=0.5
        )
    with pytest.raises(Missing):
        await begun.refresh(
            begun.change(begun.spare), keep=dict.fromkeys(NODES, ("refresh.authorise",)), deadline=0.5
        )
    await committee.stop("node3")
    committee.start("node3")
    kept = " ".join(place.row for place in committee.nodes["node3"].vault.list(POOL_TABLE))
    assert locked.spare.hex() not in kept
    assert begun.spare.hex() in kept


async def test_keys_that_never_become_live_do_not_fill_a_node(committee: LocalCommittee, time: Time) -> None:
    owner = Owner(committee, user="flood")
    made = [await owner.form(keys=2) for _ in range(MAX_OPEN_KEYS_PER_ACCOUNT)]
    with pytest.raises(Abort, match="wait to be finished"):
        await owner.form()
    # the day after, the oldest give way, but only to one that needs their place
    first = made[0][1]
    time.now += OPEN_KEY_SECONDS + 1
    node = committee.nodes["node1"]
    assert node.keybook.staged(first.key, 0).record == first
    owner.token = committee.token(owner.user, owner.keys.public)
    node.keybook.check_room(owner.account, time.now)  # as for a proposal, which a stolen login may send
    assert node.keybook.staged(first.key, 0).record == first
    await owner.form()
    with pytest.raises(Refused):
        node.keybook.staged(first.key, 0)
    assert node.vault.shares.epochs(first.key.hex()) == {}
    assert not [place for place in node.vault.list(POOL_TABLE) if owner.account.hex() in place.row]
    time.now = NOW


async def test_forming_and_failing_all_day_comes_to_an_end(
    committee: LocalCommittee, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is burned or locked is so for ever, and takes a little place each time."""
    monkeypatch.setattr(keybook_module, "MAX_FORMATIONS_PER_DAY", 3)
    owner = Owner(committee, user="all-day")
    for _ in range(3):
        made = await Creation.of(owner)
        with pytest.raises(Refused):
            await made.refresh(made.change(system_rng(32)))
        for node in committee.nodes.values():
            node.keybook.forget(owner.account, made.record.key)
    with pytest.raises(Abort, match="keys a day"):
        await owner.form()
    time.now = NOW + 86400
    owner.token = committee.token(owner.user, owner.keys.public)
    await owner.form()
    time.now = NOW


async def test_a_key_made_live_as_it_is_leaves_no_spare_key_behind(committee: LocalCommittee) -> None:
    owner = Owner(committee, user="spared")
    formed, _, signatures = await owner.form(keys=2)
    owner.make_live(formed, signatures)
    for node in committee.nodes.values():
        assert not [place for place in node.vault.list(POOL_TABLE) if owner.account.hex() in place.row]


# --- seats ----------------------------------------------------------------------------------------------


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
    monkeypatch.setattr(type(node.vault), "rolled_back", property(lambda _: True))
    wanted = LiveRequest(formed.statement, Signatures(tuple(sorted(signatures.items()))))
    with pytest.raises(Refused) as refused:
        node.make_live(wanted)
    assert refused.value.code == "rolled-back"
    monkeypatch.undo()
    node.make_live(wanted)


# --- instances ------------------------------------------------------------------------------------------


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


# --- replays and thefts that get nothing ----------------------------------------------------------------


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
