"""Pool keys for an account: a device and real nodes, some of them down, slow, lying or contended for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.creating import Time
from tests.support.local_device import local_device

from quorate.account.pool import (
    HOLD_SECONDS,
    MAX_NEW_A_DAY,
    MAX_OPEN,
    Ask,
    Claim,
    Index,
    Limits,
    Offered,
    Vote,
    Votes,
)
from quorate.device import Device
from quorate.device import assign as assigning
from quorate.device.assign import assign
from quorate.entropy import system_rng
from quorate.errors import Missing, Refused
from quorate.groups import SECP256K1
from quorate.sharing.statements import Grant
from quorate.testing.committee import LocalCommittee
from quorate.vault.pool import KeyState, PoolIndex

CURVE = SECP256K1.name


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def committee(tmp_path: Path, time: Time) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path / "nodes", stock=0, pool_account_keys=MAX_OPEN, clock=time)
    made.stock(24)
    yield made
    await made.close()


@pytest.fixture
def opened(committee: LocalCommittee, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Opens a device of a user; several of one user are several devices."""

    @asynccontextmanager
    async def open_device(user: str = "alice", which: int = 1) -> AsyncIterator[Device]:
        async with local_device(committee, tmp_path / f"{user}-{which}", monkeypatch, user=user) as device:
            yield device

    return open_device


async def get(device: Device, count: int = 2, commitment: bytes | None = None) -> tuple[Grant, ...]:
    commitment = system_rng(32) if commitment is None else commitment
    return await assign(device.desk, SECP256K1, commitment, count, lambda _: None)


def indices(grants: tuple[Grant, ...]) -> set[Index]:
    return {(grant.batch, grant.position) for grant in grants}


def states(committee: LocalCommittee, index: Index) -> list[KeyState]:
    found = (node.vault.pool.get(PoolIndex(CURVE, *index)) for node in committee.nodes.values())
    return [key.state for key in found if key is not None]


async def settled(device: Device) -> None:
    """Votes that nobody waited for have been given."""
    if device.desk.background:
        await asyncio.wait(device.desk.background)


async def test_a_grant_is_the_votes_of_an_echo_quorum_over_account_and_commitment(
    committee: LocalCommittee, opened: Callable[..., Any]
) -> None:
    async with opened() as device:
        commitment = system_rng(32)
        grants = await get(device, commitment=commitment)
        assert len(indices(grants)) == 2
        for grant in grants:
            statement = grant.statement(committee.network, CURVE, device.login.account, commitment)
            grant.verify(statement, committee.identities, committee.quorums.echo)
        await settled(device)
        assert all(states(committee, index) == [KeyState.SIGNED] * 5 for index in indices(grants))


async def test_one_node_down_costs_nothing_and_two_are_named(
    committee: LocalCommittee, opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assigning, "ANSWER_SECONDS", 0.5)
    async with opened() as device:
        await committee.stop("node2")
        assert len(await get(device)) == 2
        await committee.stop("node4")
        with pytest.raises(Missing) as missing:
            await get(device)
        assert missing.value.parties == ("node2", "node4")
        assert missing.value.needed == 1


async def test_a_silent_node_is_not_waited_for(
    committee: LocalCommittee, opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened() as device:
        nodes = device.desk.nodes
        offer, claim = nodes.offer_pool, nodes.claim_pool

        async def silent_offer(name: str, ask: Ask) -> Offered:
            await asyncio.sleep(30 if name == "node1" else 0)
            return await offer(name, ask)

        async def silent_claim(name: str, ask: Claim) -> Votes:
            await asyncio.sleep(30 if name == "node1" else 0)
            return await claim(name, ask)

        monkeypatch.setattr(nodes, "offer_pool", silent_offer)
        monkeypatch.setattr(nodes, "claim_pool", silent_claim)
        async with asyncio.timeout(2):
            assert len(await get(device)) == 2


async def test_a_lying_node_forges_no_grant_and_stops_none(
    committee: LocalCommittee, opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It offers keys that are not there, and votes with signatures over something else."""
    async with opened() as device:
        nodes = device.desk.nodes
        offer, claim = nodes.offer_pool, nodes.claim_pool

        async def wrong_offer(name: str, ask: Ask) -> Offered:
            return Offered((), ((99, 0), (99, 1))) if name == "node1" else await offer(name, ask)

        async def wrong_claim(name: str, asked: Claim) -> Votes:
            votes = await claim(name, asked)
            if name != "node1":
                return votes
            return Votes(tuple(Vote(vote.index, bytes(64)) for vote in votes.votes))

        monkeypatch.setattr(nodes, "offer_pool", wrong_offer)
        monkeypatch.setattr(nodes, "claim_pool", wrong_claim)
        grants = await get(device)
        assert all("node1" not in dict(grant.signatures) for grant in grants)
        assert all(batch == 1 for batch, _ in indices(grants))
        await committee.stop("node5")  # then its votes are missed, and still nobody is deceived
        monkeypatch.setattr(nodes, "offer_pool", offer)
        monkeypatch.setattr(assigning, "ANSWER_SECONDS", 0.5)
        with pytest.raises(Refused) as refused:
            await get(device)
        assert refused.value.code in ("pool-split", "pool-open")


async def test_a_stopped_device_and_another_one_of_the_account_find_the_keys_again(
    committee: LocalCommittee, opened: Callable[..., Any], time: Time
) -> None:
    async with opened() as device:
        first = indices(await get(device))
        await settled(device)
    time.now += HOLD_SECONDS
    async with opened(which=2) as device:
        assert indices(await get(device)) == first


async def test_keys_of_a_device_at_work_are_left_to_it(
    committee: LocalCommittee, opened: Callable[..., Any]
) -> None:
    async with opened() as one, opened(which=2) as two:
        first = indices(await get(one))
        await settled(one)
        assert not first & indices(await get(two))


@pytest.mark.parametrize("devices", [2, 3])
async def test_devices_of_one_account_that_log_in_at_once_each_get_keys_of_their_own(
    committee: LocalCommittee, opened: Callable[..., Any], devices: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened() as one, opened(which=2) as two, opened(which=3) as three:
        racing = [one, two, three][:devices]
        commitments = [system_rng(32) for _ in racing]
        grants = await asyncio.gather(
            *(get(device, commitment=own) for device, own in zip(racing, commitments, strict=True))
        )
        for device in racing:
            await settled(device)
        for own, granted, device in zip(commitments, grants, racing, strict=True):
            for grant in granted:
                statement = grant.statement(committee.network, CURVE, device.login.account, own)
                grant.verify(statement, committee.identities, committee.quorums.echo)
        assert len(set().union(*map(indices, grants))) == 2 * devices
        for node in committee.nodes.values():
            assert len(node.vault.pool.open_of(CURVE, one.login.account)) <= MAX_OPEN


async def test_two_devices_on_one_key_split_it_and_both_go_on(
    committee: LocalCommittee, opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forced to the same first choice, as by a very small pool; each ends with keys of its own."""
    choose = assigning.choose
    forced: list[tuple[Index, ...]] = [((1, 0), (1, 1))] * 2

    def same_first(*arguments: Any) -> tuple[Index, ...]:
        found = choose(*arguments)
        return forced.pop() if len(found) == 2 and forced and not arguments[-1] else found

    monkeypatch.setattr(assigning, "choose", same_first)
    monkeypatch.setattr(assigning, "ANSWER_SECONDS", 0.5)
    async with opened() as one, opened(which=2) as two:
        first, second = await asyncio.gather(get(one), get(two))
        assert not indices(first) & indices(second)
        for node in committee.nodes.values():
            assert len(node.vault.pool.open_of(CURVE, one.login.account)) <= 6


async def test_two_users_on_one_key_never_both_have_it(
    committee: LocalCommittee, opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = PoolIndex(CURVE, 1, 3)
    names = list(committee.nodes)
    async with opened("alice") as alice, opened("bob") as bob:
        for name in names[:2]:
            vault = committee.nodes[name].vault
            vault.pool.sign(pool, bob.login.account, system_rng(32), committee._clock())
        choose = assigning.choose

        def wants_it(*arguments: Any) -> tuple[Index, ...]:
            return choose(*arguments) if arguments[-1] else ((1, 3),)

        monkeypatch.setattr(assigning, "choose", wants_it)
        monkeypatch.setattr(assigning, "ANSWER_SECONDS", 0.5)
        (grant,) = await get(alice, 1)
        assert (grant.batch, grant.position) != (1, 3)


async def test_the_limits_of_an_account_are_said_by_name_and_end(
    committee: LocalCommittee, opened: Callable[..., Any], time: Time
) -> None:
    async with opened() as device:
        for _ in range(MAX_NEW_A_DAY // 2):
            await get(device)
            await settled(device)
        with pytest.raises(Refused) as refused:
            await get(device)
        assert refused.value.code in ("pool-open", "pool-day")
        for node in committee.nodes.values():  # all of them were used by wallets
            for key in node.vault.pool.open_of(CURVE, device.login.account):
                node.vault.pool.use(key.index)
        with pytest.raises(Refused) as refused:
            await get(device)
        assert refused.value.code == "pool-day"
        async with opened("bob") as bob:
            assert len(await get(bob)) == 2
        time.now += 86401
        assert len(await get(device)) == 2


async def test_all_accounts_together_have_an_hourly_limit(
    committee: LocalCommittee, opened: Callable[..., Any], time: Time
) -> None:
    for node in committee.nodes.values():
        node.pool.limits = Limits(hour=4)
    async with opened("alice") as alice, opened("bob") as bob, opened("carol") as carol:
        await get(alice)
        await get(bob)
        for device in (alice, bob):
            await settled(device)
        with pytest.raises(Refused) as refused:
            await get(carol)
        assert refused.value.code == "pool-hour"
        time.now += 3601
        assert len(await get(carol)) == 2


async def test_an_empty_pool_is_waited_for_and_then_said(
    committee: LocalCommittee, opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    for node in committee.nodes.values():
        for index in node.vault.pool.unassigned(CURVE, 100):
            node.vault.pool.burn(index)
    async with opened() as device:
        getting = asyncio.create_task(assign(device.desk, SECP256K1, system_rng(32), 2, said.append))
        await asyncio.sleep(0.4)
        assert not getting.done()
        committee.stock(4)
        assert {batch for batch, _ in indices(await getting)} == {2}
        assert said[0] == "waiting for the nodes to make keys"
        monkeypatch.setattr(assigning, "EMPTY_SECONDS", 0.1)
        await get(device)
        with pytest.raises(Refused) as refused:
            await get(device)
        assert refused.value.code == "pool-empty"


async def test_nodes_vote_in_their_own_epoch_only_and_not_after_a_restored_database(
    committee: LocalCommittee, opened: Callable[..., Any]
) -> None:
    node = committee.nodes["node1"]
    account, commitment = system_rng(32), system_rng(32)
    claim = Claim(0, CURVE, ((1, 0),), commitment)
    for wrong, code in [
        (Claim(1, CURVE, ((1, 0),), commitment), "epoch"),
        (Claim(0, "p-256", ((1, 0),), commitment), "payload"),
        (Claim(0, CURVE, ((1, 0), (1, 0)), commitment), "payload"),
    ]:
        with pytest.raises(Refused) as refused:
            node.pool.vote(account, wrong)
        assert refused.value.code == code
    with pytest.raises(Refused):
        node.pool.offer(account, Ask("p-256"))
    assert node.pool.vote(account, Claim(0, CURVE, ((7, 0),), commitment)).votes[0].reason == "pool-unknown"
    assert node.pool.vote(account, claim).votes[0].signature
    with node.vault.transaction() as tx:
        tx.execute("UPDATE generation SET value = value - 1")
    await committee.stop("node1")
    committee.start("node1")
    node = committee.nodes["node1"]
    assert node.pool.offer(account, Ask(CURVE)).free == ()
    with pytest.raises(Refused) as refused:
        node.pool.vote(account, claim)
    assert refused.value.code == "rolled-back"
