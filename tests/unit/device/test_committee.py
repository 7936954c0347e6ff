"""A device follows its nodes from one committee epoch to the next, and is led to no other."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec import structs
from tests.support.successions import activation, keys_of, next_record, renewal, reshare_by_hand, succession

from quorate.account import KeyRecord
from quorate.account.committee import Activation, Succession
from quorate.chains.messages import message
from quorate.device.committee import carry, catch_up, follow, followed
from quorate.device.device import Device
from quorate.device.network import Network
from quorate.device.shelf import WalletState
from quorate.entropy import system_rng
from quorate.errors import Missing, Unavailable
from quorate.groups import group_named
from quorate.session import KeyPair
from quorate.sharing.epochs import epoch_number
from quorate.testing.committee import LocalCommittee


async def test_a_signature_goes_on_over_a_change_of_the_committee(
    committee: LocalCommittee, device: Device
) -> None:
    wallet = await device.create_wallet("server")
    address = wallet.address
    await wallet.sign_message("before")
    for name in ("node6", "node7", "node8"):
        committee.add(name)
    names = (*committee.names[1:], "node6", "node7", "node8")
    change, proof = renewal(committee, names, degree=3)
    reshare_by_hand(committee, change, proof)
    before = {status.peer: status.generation for status in device.desk.vault.instances.statuses()}
    await wallet.sign_message("after")
    # whoever held a node in the last epoch knows its side of the setups made then
    now = {status.peer: status for status in device.desk.vault.instances.statuses()}
    assert all(now[peer].generation > old for peer, old in before.items() if now[peer].state == "active")
    assert device.network.names == names
    assert device.network.epoch == 1
    facts = wallet.show()
    assert (facts.address, facts.epoch, facts.nodes) == (address, epoch_number(1, 0), names)
    # and once more, with the wallet as another part of the application knows it
    (other,) = await device.wallets()
    await other.sign_message("again")
    assert device.desk.vault.shares.epochs(facts.key)[0] == "superseded"


async def test_every_key_of_a_wallet_goes_with_its_nodes_and_one_is_added_among_the_next(
    committee: LocalCommittee, device: Device
) -> None:
    committee.stock(4, group_named("ed25519"))
    wallet = await device.create_wallet("server", keys=["secp256k1", "ed25519"])
    await wallet.prepare(1, "ed25519")
    reshare_by_hand(committee, *renewal(committee))
    text = message("after", wallet.public_key_on("ed25519").hex(), "ed25519")
    await wallet.sign(text)
    await wallet.sign_message("after")
    committee.stock(4, group_named("p256"))
    more = await device.add_key(wallet, "p256")
    assert more.curves == ("secp256k1", "ed25519", "p256")
    await more.sign(message("new", more.public_key_on("p256").hex(), "frost-p256"))


async def test_two_wallet_objects_and_many_signatures_at_once_follow_together(
    committee: LocalCommittee, device: Device
) -> None:
    wallet = await device.create_wallet("server")
    await wallet.sign_message("before")
    reshare_by_hand(committee, *renewal(committee))
    (other,) = await device.wallets()
    texts = [f"text {i}" for i in range(4)]
    signed = await asyncio.gather(*(w.sign_message(t) for w in (wallet, other) for t in texts[:2]))
    assert len(signed) == 4


async def test_presignatures_of_the_past_epoch_are_dropped(committee: LocalCommittee, device: Device) -> None:
    wallet = await device.create_wallet("server")
    assert await wallet.prepare(1) == 1
    reshare_by_hand(committee, *renewal(committee))
    await wallet.sign_message("after")
    key, epoch = wallet.show().key, wallet.show().epoch
    vault = device.desk.vault
    assert epoch == epoch_number(1, 0)
    assert all(vault.presignatures.ready_with(node, 0.0) == [] for node in committee.names)
    assert not vault.data_keys.exists(f"epoch:{key}:0")


async def test_what_was_followed_is_known_after_a_restart(
    committee: LocalCommittee, device: Device, tmp_path: Path
) -> None:
    first = device.network
    wallet = await device.create_wallet("server")
    reshare_by_hand(committee, *renewal(committee))
    await wallet.sign_message("once")
    reshare_by_hand(committee, *renewal(committee))
    await wallet.sign_message("twice")
    vault = device.desk.vault
    assert followed(vault, first) == device.network
    assert device.network.epoch == 2
    between = first.in_epoch_of(committee.nodes["node1"].committee.at(1) or first.record)
    assert followed(vault, between) == device.network
    # the operator's file is newer than what was followed
    third = device.network.in_epoch_of(renewal(committee)[0].record)
    assert followed(vault, third) == third
    assert Network.read(_written(tmp_path, third)) == third


def _written(tmp_path: Path, network: Network) -> Path:
    path = tmp_path / "network.json"
    path.write_bytes(network.to_json())
    return path


async def test_a_device_that_was_away_for_two_epochs_catches_up_at_once(
    committee: LocalCommittee, device: Device
) -> None:
    wallet = await device.create_wallet("server")
    reshare_by_hand(committee, *renewal(committee))
    reshare_by_hand(committee, *renewal(committee, degree=2))
    await wallet.sign_message("after")
    assert device.network.epoch == 2


async def test_a_chain_that_is_not_in_force_or_not_signed_is_not_followed(
    committee: LocalCommittee, device: Device
) -> None:
    change, proof = renewal(committee)
    few = structs.replace(proof, signatures=proof.signatures[:3])
    stranger = {name: KeyPair.generate(system_rng) for name in committee.names}
    stranger |= {name: keys_of(committee, name, 1) for name in ("node4", "node5")}
    other = next_record(device.network.record, stranger, degree=2)
    unsigned = succession(other, {"node1": committee.nodes["node1"].identity})
    answers: list[tuple[list[Succession], Activation | None]] = [
        ([change], None),
        ([change], few),
        ([unsigned], activation(other, stranger)),
        ([change], activation(other, stranger)),
        ([], None),
    ]

    async def lies(name: str, since: int) -> tuple[list[Succession], Activation | None]:
        return answers[int(name[-1]) - 1]

    device.desk.nodes.committee = lies  # type: ignore[method-assign]
    assert not await follow(device.desk)
    answers[0] = ([change], proof)
    assert await follow(device.desk)
    assert device.network.record == change.record


async def test_a_record_that_only_liars_tell_is_not_taken(committee: LocalCommittee, device: Device) -> None:
    wallet = await device.create_wallet("server")
    entry = device.shelf.all()[0]
    reshare_by_hand(committee, *renewal(committee), switch=["node1"])
    assert await catch_up(device.desk, device.shelf, entry) is None
    assert device.network.epoch == 1  # one node's proof is enough for that
    assert await carry(device.desk, device.shelf, entry) is None
    for node in committee.names[1:]:
        committee.nodes[node].carrying.switch(*_proof_of(committee))
    await wallet.sign_message("after")


def _proof_of(committee: LocalCommittee) -> tuple[list[Succession], Activation]:
    _, chain, proof = committee.nodes["node1"].committee.proof_since(0)
    assert proof is not None
    return list(chain), proof


@pytest.mark.parametrize("what", ["factors", "public_key", "committee"])
async def test_a_record_that_changes_more_than_the_committee_is_not_taken(
    committee: LocalCommittee, device: Device, what: str
) -> None:
    await device.create_wallet("server")
    entry = device.shelf.all()[0]
    reshare_by_hand(committee, *renewal(committee))
    true = committee.nodes["node1"].keybook.record(entry.record.key)
    moved = (
        structs.replace(true.committee[0], public_share=true.committee[1].public_share),
        *true.committee[1:],
    )
    other = structs.replace(
        true,
        **{
            "factors": {"factors": (structs.replace(true.factors[0], keys=true.committee[0].keys),)},
            "public_key": {"public_key": true.committee[0].public_share},
            "committee": {"committee": moved},
        }[what],
    )

    async def lie(name: str) -> list[KeyRecord]:
        return [other]

    device.desk.nodes.wallets = lie  # type: ignore[method-assign]
    await follow(device.desk)
    assert await carry(device.desk, device.shelf, entry) is None
    assert device.shelf.all() == [entry]


async def test_a_wallet_that_waits_to_be_finished_is_finished_in_the_next_epoch(
    committee: LocalCommittee, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = device.desk.nodes

    async def away(name: str, question: bytes) -> bytes:
        raise Missing(f"{name} is away", parties=[name], needed=1)

    monkeypatch.setattr(nodes, "register", away)
    with pytest.raises(Missing):
        await device.create_wallet("server")
    monkeypatch.undo()
    assert device.shelf.all()[0].state is WalletState.STAGED
    reshare_by_hand(committee, *renewal(committee), live=False)
    (wallet,) = await device.wallets()
    assert wallet.show().epoch == epoch_number(1, 0)
    await wallet.sign_message("finished")


async def test_a_wallet_is_created_although_the_committee_has_changed_unheard(
    committee: LocalCommittee, device: Device
) -> None:
    committee.add("node6")
    reshare_by_hand(committee, *renewal(committee, (*committee.names[1:], "node6")))
    wallet = await device.create_wallet("server")
    assert "node6" in wallet.show().structure
    await wallet.sign_message("hello")


async def test_a_wallet_that_nobody_here_knows_is_not_carried(device: Device) -> None:
    await device.create_wallet("server")
    entry = device.shelf.all()[0]
    unknown = structs.replace(entry, record=structs.replace(entry.record, key=b"k" * 32))
    with pytest.raises(Unavailable):
        device.shelf.carry(unknown, entry.record)
    with pytest.raises(Unavailable):
        device.shelf.entry(unknown.key)


async def test_a_second_wallet_follows_although_the_device_has_been_there_already(
    committee: LocalCommittee, device: Device
) -> None:
    first, second = [await device.create_wallet("server") for _ in range(2)]
    await first.sign_message("before")
    await second.sign_message("before")
    committee.add("node6")
    reshare_by_hand(committee, *renewal(committee, (*committee.names[1:], "node6")))
    await first.sign_message("after")
    await second.sign_message("after")
    with pytest.raises(Missing, match="not of the committee"):
        await device.desk.set_up("node1")
