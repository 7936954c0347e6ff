"""What a device does when nodes fail, lie or refuse in the middle of a signature."""

import asyncio
import dataclasses
from collections import Counter

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from tests.unit.device.conftest import CommitteeIssuer

from quorate.chains.ethereum import requests
from quorate.clock import unix_time
from quorate.device.device import Device
from quorate.device.gather import TooFewNodes
from quorate.device.reachable import REMEMBER_SECONDS, Reachability
from quorate.device.sessions import Closed, Event, Opened
from quorate.device.tries import MAX_TRIES
from quorate.device.wallet import Wallet
from quorate.errors import Abort, Missing, Refused, Remedy, Unavailable
from quorate.node.node import Node
from quorate.node.offers.signing import OnlineOffer
from quorate.schemes.ecdsa import PairSetup
from quorate.testing.committee import LocalCommittee
from quorate.vault.instances import MAX_UNVERIFIED, Direction, InstanceState


@pytest.fixture
async def wallet(device: Device, events: list[Event]) -> Wallet:
    made = await device.create_wallet("server")
    events.clear()
    return made


def assert_signed(wallet: Wallet, raw: bytes, text: str) -> None:
    assert Account.recover_message(encode_defunct(text=text), signature=raw) == wallet.address


def signers(events: list[Event]) -> list[tuple[str, ...]]:
    return [event.parties for event in events if isinstance(event, Opened) and event.protocol == "ecdsa.sign"]


def spoil(node: Node) -> None:
    """Makes a node lie in its multiplications with devices: every leaf of its OT trees is another one."""
    honest = node.pairs.load

    def load(peer: str, shard: int) -> PairSetup:
        setup = honest(peer, shard)
        if not peer.startswith("device-"):
            return setup
        receiver = setup.receiver
        false = dataclasses.replace(receiver, leaves=bytes(byte ^ 1 for byte in receiver.leaves))
        return dataclasses.replace(setup, receiver=false)

    node.pairs.load = load  # type: ignore[method-assign]


async def test_the_lowest_nodes_sign_and_the_same_ones_next_time(wallet: Wallet, events: list[Event]) -> None:
    assert_signed(wallet, (await wallet.sign_message("a")).raw, "a")
    assert_signed(wallet, (await wallet.sign_message("b")).raw, "b")
    assert signers(events) == [("device", "node1", "node2", "node3")] * 2


async def test_a_node_that_is_away_is_replaced_before_anything_begins(
    committee: LocalCommittee, wallet: Wallet, events: list[Event]
) -> None:
    await committee.stop("node2")
    assert_signed(wallet, (await wallet.sign_message("a")).raw, "a")
    assert signers(events) == [("device", "node1", "node3", "node4")]


async def test_too_few_nodes_are_named_with_how_many_are_needed(
    committee: LocalCommittee, wallet: Wallet
) -> None:
    for name in ("node1", "node4", "node5"):
        await committee.stop(name)
    with pytest.raises(TooFewNodes, match="3 of the 5 nodes are needed to sign and 2 answer") as error:
        await wallet.sign_message("a")
    assert error.value.parties == ("node1", "node4", "node5")
    assert error.value.needed == 1


async def test_a_leak_is_stored_before_anybody_is_told_and_signing_goes_on_with_others(
    committee: LocalCommittee, device: Device, wallet: Wallet, events: list[Event]
) -> None:
    spoil(committee.nodes["node2"])
    told: list[InstanceState] = []
    connect = device.desk.nodes.connect

    async def watched(name: str) -> object:
        channel = await connect(name)
        send = channel.send

        async def sending(frame: object) -> None:
            if type(frame).__name__ == "Failed":
                (status,) = device.desk.vault.instances.statuses("node2")
                told.append(status.state)
            await send(frame)  # type: ignore[arg-type]

        channel.send = sending  # type: ignore[method-assign]
        return channel

    device.desk.nodes.connect = watched  # type: ignore[method-assign,assignment]
    assert_signed(wallet, (await wallet.sign_message("a")).raw, "a")
    assert told
    assert set(told) == {InstanceState.QUARANTINED}
    assert "node2" in signers(events)[0]
    assert "node2" not in signers(events)[-1]
    with pytest.raises(Unavailable) as frozen:
        device.desk.book.load("node2")
    assert frozen.value.remedy is Remedy.QUARANTINE


async def test_a_quarantine_ends_with_a_fresh_login_and_a_fresh_setup_and_not_before(
    committee: LocalCommittee, device: Device, wallet: Wallet, events: list[Event]
) -> None:
    device.desk.book.freeze("node1", "a check failed", leak_bearing=True)
    with pytest.raises(Refused) as refused:
        await device.desk.set_up("node1")
    assert refused.value.code == "login-again"
    await wallet.sign_message("a")
    assert all("node1" not in parties for parties in signers(events))
    await device.log_in(CommitteeIssuer(committee, later=2.0))
    await device.desk.set_up("node1")
    assert device.desk.book.is_usable("node1")


async def test_when_only_quarantined_nodes_are_left_it_says_to_log_in(
    committee: LocalCommittee, device: Device, wallet: Wallet
) -> None:
    for name in ("node1", "node2", "node3"):
        device.desk.book.freeze(name, "a check failed", leak_bearing=True)
    with pytest.raises(Refused, match="log in again") as refused:
        await wallet.sign_message("a")
    assert refused.value.code == "login-again"


async def test_a_setup_that_one_end_has_lost_is_made_anew(
    committee: LocalCommittee, device: Device, wallet: Wallet, events: list[Event]
) -> None:
    node = committee.nodes["node1"]
    (status,) = [s for s in node.vault.instances.statuses() if s.peer.startswith("device-")]
    with node.vault.transaction() as tx:
        tx.execute("DELETE FROM instances WHERE peer = ?", (status.peer,))
    assert_signed(wallet, (await wallet.sign_message("a")).raw, "a")
    assert any(isinstance(e, Closed) and e.protocol == "ecdsa.setup" and not e.error for e in events)


async def test_a_setup_with_too_many_unfinished_sessions_is_replaced(device: Device, wallet: Wallet) -> None:
    before = device.desk.book.load("node1")
    for _ in range(MAX_UNVERIFIED):
        device.desk.vault.instances.begin_session("node1", 0, Direction.SENDER, before.generation)
    assert not device.desk.book.is_usable("node1")
    assert_signed(wallet, (await wallet.sign_message("a")).raw, "a")
    assert device.desk.book.load("node1").generation > before.generation


async def test_what_more_nodes_refuse_than_may_lie_is_not_tried_with_others(
    wallet: Wallet, events: list[Event]
) -> None:
    with pytest.raises(Refused) as refused:
        await wallet.sign(requests.blind(bytes(32), wallet.address, "eip155:1"))
    assert refused.value.code == "blind-digest"
    assert len(signers(events)) == 2


async def test_one_node_that_refuses_out_of_spite_is_passed_over(
    committee: LocalCommittee, wallet: Wallet, events: list[Event]
) -> None:
    def never(*_: object) -> None:
        raise Refused("no", code="spite", parties=["node2", "node3"])

    committee.nodes["node1"].keybook.authorise = never  # type: ignore[method-assign, assignment]
    assert_signed(wallet, (await wallet.sign_message("a")).raw, "a")
    assert "node1" in signers(events)[0]
    assert "node1" not in signers(events)[-1]


async def test_a_node_that_always_fails_is_tried_a_few_times_at_most(
    device: Device, wallet: Wallet, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> object:
        raise Abort("no", parties=["node1"])

    monkeypatch.setattr("quorate.device.sessions.Hub.run", fails)
    with pytest.raises(Abort, match="no"):
        await wallet.sign_message("a")
    assert len(signers(events)) == MAX_TRIES


async def test_prepared_signatures_are_used_once_each(wallet: Wallet, events: list[Event]) -> None:
    assert await wallet.prepare(2) == 2
    for text in ("a", "b", "c"):
        assert_signed(wallet, (await wallet.sign_message(text)).raw, text)
    protocols = [e.protocol for e in events if isinstance(e, Opened)]
    assert protocols == ["ecdsa.presign", "ecdsa.presign", "ecdsa.online", "ecdsa.online", "ecdsa.sign"]


async def test_a_prepared_signature_that_a_node_has_burned_is_replaced_by_a_cold_one(
    committee: LocalCommittee, wallet: Wallet, events: list[Event]
) -> None:
    await wallet.prepare(2)
    vault = committee.nodes["node2"].vault
    vault.presignatures.purge(unix_time() + 24 * 3600)
    assert_signed(wallet, (await wallet.sign_message("a")).raw, "a")
    # what it said of one it is believed of the other: the next signature does not try in vain
    assert_signed(wallet, (await wallet.sign_message("b")).raw, "b")
    protocols = [e.protocol for e in events if isinstance(e, Opened)]
    assert protocols[2:] == ["ecdsa.online", "ecdsa.sign", "ecdsa.sign"]


async def test_a_prepared_signature_is_burned_on_any_failure_of_its_session(
    wallet: Wallet, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some node may have answered before another failed; the device then never uses its own part."""
    await wallet.prepare(1)

    async def away(*arguments: object) -> None:
        raise Missing("gone", parties=["node2"], needed=1)

    monkeypatch.setattr(OnlineOffer, "consider", away)
    assert_signed(wallet, (await wallet.sign_message("a")).raw, "a")
    with device.desk.vault.transaction() as tx:
        assert tx.query("SELECT state, body FROM presignatures") == [("burned", None)]


async def test_every_use_of_a_setup_is_counted_and_passed(device: Device, wallet: Wallet) -> None:
    await wallet.sign_message("a")
    statuses = device.desk.vault.instances.statuses("node1")
    assert [(s.direction, s.unverified) for s in statuses] == [(Direction.SENDER, 0)]
    assert statuses[0].sessions == 1


async def test_many_signatures_at_once_take_turns_and_all_come_out(wallet: Wallet) -> None:
    await wallet.prepare(2)
    texts = [f"message {index}" for index in range(12)]
    signed = await asyncio.gather(*(wallet.sign_message(text) for text in texts))
    for text, one in zip(texts, signed, strict=True):
        assert_signed(wallet, one.raw, text)


def test_nodes_that_failed_come_last_for_half_a_minute_and_good_ones_first() -> None:
    now = 0.0
    reachable = Reachability(lambda: now)
    nodes = ["a", "b", "c", "d"]
    assert reachable.ranked(nodes) == nodes
    reachable.failed("a")
    assert reachable.ranked(nodes) == ["b", "c", "d", "a"]
    reachable.worked(["d"])
    assert reachable.ranked(nodes) == ["d", "b", "c", "a"]
    assert reachable.ranked(nodes, Counter({"d": 1})) == ["b", "c", "d", "a"]
    now = REMEMBER_SECONDS
    assert reachable.ranked(nodes) == ["d", "a", "b", "c"]
