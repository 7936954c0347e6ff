"""Kill -9 in a change of committee, at durable steps of a node's vault: the change is finished, once, whole.

After each, whoever was killed has the old epoch whole or the new one whole, all nodes come to the new one,
every key is what it was, and nothing is left of the old epoch that opens a copy of the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.killing import STEP, FragileCommittee, Killed
from tests.support.owner import Owner

from quorate.account import KeyRecord
from quorate.entropy import system_rng
from quorate.errors import QuorateError, Unavailable
from quorate.groups import Scalar
from quorate.node.epochs.talk import Plan
from quorate.node.node import Node
from quorate.sharing.epochs import committee_epoch, in_committee_epoch
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.polynomial import interpolate
from quorate.vault import KeyFileSeal, Vault
from quorate.vault.shares import ShareState
from quorate.vault.standing import StandingState

VICTIM, DRIVER = "node1", "node2"


@dataclass
class House:
    """A committee of three that signs by two, a wallet, and keys of a pool."""

    committee: FragileCommittee
    record: KeyRecord
    secret: Scalar

    @property
    def epochs(self) -> set[int]:
        return {node.committee.epoch for node in self.committee.nodes.values()}

    @property
    def is_busy(self) -> bool:
        """Whether a session of a change still runs anywhere: there is room for a few only."""
        views = (view for node in self.committee.nodes.values() for view in node.standing.status())
        return any(view.state is StandingState.RUNNING for view in views)

    def is_erased(self, epoch: int) -> bool:
        """Whether the data keys of this epoch's shares are gone at every node."""
        scope = f"epoch:{self.record.key.hex()}:{in_committee_epoch(self.record.epoch, epoch)}"
        return not any(node.vault.data_keys.exists(scope) for node in self.committee.nodes.values())

    def check(self, epoch: int) -> None:
        """Every node is in this epoch, with its share of the same key, and with nothing of the one before."""
        nodes = self.committee.nodes
        assert self.epochs == {epoch}
        shares: dict[int, Scalar] = {}
        for x, name in enumerate(self.committee.names, 1):
            record = nodes[name].keybook.record(self.record.key)
            assert committee_epoch(record.epoch) == epoch
            shares[x] = nodes[name].keybook.share(record).share.reveal()
            states = nodes[name].vault.shares.epochs(record.key.hex())
            assert states[record.epoch] is ShareState.ACTIVE
            assert ShareState.PENDING not in states.values()
            with pytest.raises(QuorateError):
                nodes[name].committee.keys_of(epoch - 1)
            assert not nodes[name].vault.pool.live_parts("secp256k1", 1, epoch - 1)
        group = self.record.group
        for pair in ((1, 2), (1, 3), (2, 3)):
            assert interpolate(group, {x: shares[x] for x in pair}) == self.secret
        self._check_pool(epoch)

    def _check_pool(self, epoch: int) -> None:
        parts = {
            name: {
                at: GeneratedKey.from_bytes(part.reveal())
                for at, part in node.vault.pool.live_parts("secp256k1", 1, epoch).items()
            }
            for name, node in self.committee.nodes.items()
        }
        for at, key in parts[DRIVER].items():
            assert key.public.commitment == parts["node3"][at].public.commitment


async def until(done: Callable[[], bool], seconds: float = 60.0) -> None:
    ends = asyncio.get_running_loop().time() + seconds
    while not done():
        assert asyncio.get_running_loop().time() < ends, "it took too long"
        await asyncio.sleep(0.02)


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    for name, seconds in (
        ("change.GRACE_SECONDS", 3.0),
        ("change.LOOK_SECONDS", 0.05),
        ("listing.CHOICE_SECONDS", 1.0),
        ("driver.RENEWAL_PAUSE_SECONDS", 0.0),
    ):
        monkeypatch.setattr(f"quorate.node.epochs.{name}", seconds)
    committee = FragileCommittee(tmp_path, 3, 1)
    committee.link()
    owner = Owner(committee, "alice")
    formed, record, signatures = await owner.form()
    owner.make_live(formed, signatures)
    shares = {
        x: committee.nodes[name].keybook.share(record).share.reveal()
        for x, name in enumerate(committee.names, 1)
    }
    secret = interpolate(record.group, {x: shares[x] for x in (1, 2)})
    yield House(committee, record, secret)
    await committee.close()


async def change(house: House, leader: str = DRIVER) -> asyncio.Task[None]:
    node: Node = house.committee.nodes[leader]
    return asyncio.ensure_future(node.driver.lead(Plan.of(node.committee.record)))


async def changed(house: House, moment: int, *, victim: str = VICTIM) -> str:
    """One renewal in which a node is killed at a durable step; gives where, or empty if it came through."""
    committee = house.committee
    epoch = max(house.epochs) + 1
    committee.arm(victim, STEP, moment)
    leading = await change(house)
    try:
        await until(lambda: committee.lives[victim].dead or house.epochs == {epoch})
        where = await committee.disarm(victim)
        if where:
            committee.start(victim)
            if victim == DRIVER or max(house.epochs) < epoch:
                # a change that had not been certified is begun again
                await asyncio.sleep(0.5)
                idle = all(node.epochs.under is None for node in committee.nodes.values())
                if idle and house.epochs == {epoch - 1}:
                    leading.cancel()
                    leading = await change(house, "node3")
        await until(lambda: house.epochs == {epoch})
    finally:
        leading.cancel()
        with contextlib.suppress(asyncio.CancelledError, QuorateError, Killed):
            await leading
    await until(lambda: house.is_erased(epoch - 1))  # after the write, or when the vault opens again
    house.check(epoch)
    await until(lambda: not house.is_busy)
    return where


async def test_a_node_killed_at_some_steps_finishes_the_change(house: House) -> None:
    places = [await changed(house, moment) for moment in (3, 17, 40, 90, 150, 250)]

    assert any(places)


async def test_the_node_that_began_it_may_be_killed_as_well(house: House) -> None:
    places = [await changed(house, moment, victim=DRIVER) for moment in (5, 25, 60)]
    assert any(places)


@pytest.mark.long
async def test_a_node_killed_at_each_step_finishes_the_change(house: House) -> None:
    moment, places = 1, []
    while True:
        where = await changed(house, moment)
        if not where:
            break
        places.append(where)
        moment += 1 + moment // 8
    assert len(places) > 10


async def test_what_was_copied_before_the_change_opens_nothing_after_it(house: House, tmp_path: Path) -> None:
    """P10: yesterday's database of every node, with today's keys beside it."""
    committee = house.committee
    copies = {}
    for name, node in committee.nodes.items():
        copies[name] = tmp_path / f"copy-{name}.db"
        with node.vault.transaction():
            pass
        shutil.copy(committee.home / name / "node.db", copies[name])
    leading = await change(house)
    await until(lambda: house.epochs == {1})
    await leading
    await until(lambda: all(len(node.epochs.farewells.erased) == 3 for node in committee.nodes.values()))
    for name in committee.names:
        await committee.stop(name)
        seal = KeyFileSeal.load(committee.home / name / "seal.key", rng=system_rng)
        vault = Vault.open(f"sqlite:///{copies[name]}", committee.home / name / "keys", seal, rng=system_rng)
        try:
            assert vault.rolled_back
            with pytest.raises(Unavailable):
                vault.shares.get(house.record.key.hex(), house.record.epoch)
            for at in range(16):
                assert at not in vault.pool.live_parts("secp256k1", 1, 0)
        finally:
            vault.close()
        committee.start(name)


async def test_a_node_that_is_killed_while_it_reshares_takes_its_sessions_up(house: House) -> None:
    """Until its list is made anew, which takes a moment, they are not refused: they would be lost."""
    committee = house.committee
    for _ in range(4):
        epoch = max(house.epochs) + 1
        leading = await change(house)
        stored = committee.nodes[VICTIM].epochs.store
        await until(lambda stored=stored: stored.voted("frozen", epoch) is not None)  # noqa: B023
        await committee.kill(VICTIM)
        committee.start(VICTIM)
        await until(lambda: house.epochs == {epoch})  # noqa: B023
        await leading
        await until(lambda: house.is_erased(epoch - 1))  # noqa: B023
        house.check(epoch)


async def test_a_node_whose_sessions_are_lost_switches_without_shares_and_has_them_after_the_next(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its journals are gone, so it never says anything in these sessions again. It must not stay behind."""
    monkeypatch.setattr("quorate.node.epochs.change.BEHIND_SECONDS", 2.0)
    committee = house.committee
    leading = await change(house)
    node = committee.nodes[VICTIM]
    await until(lambda: any(view.protocol == "reshare" for view in node.standing.status()))
    await committee.kill(VICTIM)
    vault = committee._open_vault(VICTIM)
    for session in vault.journal.open_sessions():
        vault.journal.end(session)
    vault.close()
    committee.start(VICTIM)
    await until(lambda: house.epochs == {1})
    await leading
    await change(house)
    await until(lambda: house.epochs == {2})
    await until(lambda: house.is_erased(1))
    house.check(2)
