"""The device's register: what it keeps, what it finishes later, and how it follows the committee."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.successions import renewal, reshare_by_hand

from quorate.account.authority import record_of
from quorate.account.register import Question
from quorate.account.register.messages import Decided, Lock
from quorate.device.device import Device
from quorate.device.register import AccountRegister
from quorate.device.shelf import WalletState
from quorate.encoding import decode
from quorate.errors import Missing, Refused
from quorate.testing.committee import LocalCommittee


async def test_wallets_are_in_the_register_and_its_head_is_known_after_a_restart(
    committee: LocalCommittee, device: Device
) -> None:
    await device.create_wallet("server")
    await device.create_wallet("server")
    register = await AccountRegister.open(device.desk)
    assert register.client.version == 2
    head = await register.head()
    assert head is not None
    assert {wallet.key for wallet in record_of(head).wallets} == {
        entry.record.key for entry in device.shelf.all()
    }
    # What is known is proven: nodes that show less than it are behind, and do not take it back.
    for node in committee.nodes.values():
        rows = node.register.service.store
        assert rows.row(device.login.account, 0).version == 2


async def test_a_wallet_is_finished_later_though_another_was_made_meanwhile(
    committee: LocalCommittee, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = device.desk.nodes.register

    async def deaf(name: str, question: bytes) -> bytes:
        asked: Question = decode(Question, question)  # type: ignore[arg-type]
        if isinstance(asked, Decided):
            raise Missing(f"{name} is away", parties=[name])
        return await honest(name, question)

    with monkeypatch.context() as patch:
        patch.setattr(device.desk.nodes, "register", deaf)
        with pytest.raises(Missing, match="4 nodes must act on it and 0 have"):
            await device.create_wallet("server")
    (first,) = device.shelf.all()
    assert first.state is WalletState.STAGED
    assert not any(node.keybook.is_live(first.record.key) for node in committee.nodes.values())
    await device.create_wallet("server")
    assert len(await device.wallets()) == 2
    assert all(node.keybook.is_live(first.record.key) for node in committee.nodes.values())


async def test_a_wallet_that_too_few_nodes_hold_is_not_taken_for_live(
    committee: LocalCommittee, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head is another wallet's by then, so INSTALLED says nothing about this one."""
    await device.create_wallet("server")
    (first,) = device.shelf.all()
    await device.create_wallet("server")
    register = await AccountRegister.open(device.desk)
    await register.enter(first.record, first.certificate)
    for name in ("node1", "node2"):
        book = committee.nodes[name].keybook
        monkeypatch.setattr(book, "of_account", lambda account: [])
    with pytest.raises(Missing, match="4 nodes must act on it and 3 have") as raised:
        await register.enter(first.record, first.certificate)
    assert raised.value.parties == ("node1", "node2")


async def test_another_device_of_the_account_brings_no_wallet_in(
    committee: LocalCommittee, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    await device.create_wallet("server")
    (entry,) = device.shelf.all()
    register = await AccountRegister.open(device.desk)
    stranger = committee_identity()
    register.client.signer = None
    monkeypatch.setattr(device.desk, "identity", stranger)
    with pytest.raises(Refused) as refused:
        await register.carrier.run(register.client, _again(register, entry.certificate))
    assert refused.value.code in ("factor", "evidence")


def committee_identity() -> object:
    from quorate.entropy import system_rng
    from quorate.session import KeyPair

    return KeyPair.generate(system_rng)


def _again(register: AccountRegister, live: object) -> object:
    from quorate.account.authority import Evidence
    from quorate.account.register.procedures import write

    (wallet,) = record_of(register.client.entry).wallets  # type: ignore[arg-type]
    return write(
        register.client,
        lambda head: register._entry(head, wallet, Evidence(((0, live),))),  # type: ignore[arg-type]
    )


async def test_a_device_follows_the_committee_by_what_nodes_of_the_register_show(
    committee: LocalCommittee, device: Device
) -> None:
    await device.create_wallet("server")
    committee.add("node6")
    reshare_by_hand(committee, *renewal(committee, (*committee.names[1:], "node6")))
    register = await AccountRegister.open(device.desk)
    assert register.client.committee.epoch == 0
    head = await register.head()
    assert head is not None
    assert (register.client.committee.epoch, device.desk.network.epoch) == (1, 1)
    # The proof is of the committee that is gone, which this device has known.
    assert register.client.proof is not None
    assert register.client.proof.view.epoch == 0
    fresh = await AccountRegister.open(device.desk)
    assert sorted(fresh.records) == [0, 1]
    assert await fresh.head() == head


async def test_two_devices_racing_for_one_account_leave_one_chain(
    committee: LocalCommittee, device: Device
) -> None:
    """Both create their first wallet at once with one login's keys; each finds its wallet in the register."""
    await asyncio.gather(device.create_wallet("server"), device.create_wallet("server"))
    register = await AccountRegister.open(device.desk)
    head = await register.head()
    assert head is not None
    assert head.version == 2
    assert len(await device.wallets()) == 2
    assert Lock.__struct_config__.tag == "lock"
