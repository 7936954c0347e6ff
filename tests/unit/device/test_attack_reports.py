"""One node that reports what it likes: whomever it names, the device signs with the others."""

import msgspec
import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from tests.unit.device.conftest import CommitteeIssuer
from tests.unit.device.test_signing import spoil

from quorate.account.authority import WalletKey
from quorate.account.register import Reply
from quorate.account.register.messages import Headed
from quorate.clock import unix_time
from quorate.device.device import Device
from quorate.device.reachable import Reachability
from quorate.device.register import AccountRegister
from quorate.device.restore import settle_restore
from quorate.device.sessions import Event, Opened
from quorate.encoding import decode, encode
from quorate.errors import (
    Abort,
    Blame,
    LimitExceeded,
    Missing,
    QuorateError,
    Refused,
    Remedy,
    Suspicion,
    Unavailable,
)
from quorate.node.node import Node
from quorate.testing.committee import LocalCommittee
from quorate.vault.instances import InstanceState

OTHERS = ("node2", "node3", "node4", "node5")
LIES: list[QuorateError] = [
    Blame("they lied", parties=OTHERS, evidence=[b"not even an exhibit"]),
    Blame("they lied", parties=("node2", "node3")),
    Suspicion("a check failed", parties=("device", "node2"), leak_bearing=True),
    Suspicion("a check failed", parties=OTHERS, leak_bearing=True),
    Missing("they are away", parties=OTHERS, needed=4),
    Abort("the two ends hold different setups", parties=("device", "node2")),
    Refused("none here", code="no-instance", parties=("device", "node2")),
    Refused("none here", code="no-instance", parties=("node2", "node3")),
    Refused("not live", code="not-live", parties=OTHERS),
    Refused("no", code="login", parties=("node1",)),
    Refused("no", code="login-again", parties=OTHERS),
    Refused("no", code="presignature", parties=OTHERS),
    LimitExceeded("busy", remedy=Remedy.QUARANTINE),
]


class Liar:
    """An offer that answers every proposal with one error."""

    def __init__(self, lie: QuorateError) -> None:
        self._lie = lie

    async def consider(self, *_: object) -> None:
        raise self._lie

    async def open(self, *_: object) -> None:
        raise self._lie


def lies(node: Node, lie: QuorateError, *protocols: str) -> None:
    for protocol in protocols:
        node._offers[protocol] = Liar(lie)  # type: ignore[assignment]


@pytest.mark.parametrize("protocols", [("ecdsa.sign",), ("ecdsa.sign", "ecdsa.setup")], ids=["sign", "both"])
async def test_one_liar_cannot_stop_a_signature_whomever_it_names(
    committee: LocalCommittee, device: Device, events: list[Event], protocols: tuple[str, ...]
) -> None:
    if "ecdsa.setup" in protocols:  # then it never gets as far as being asked to sign
        lies(committee.nodes["node1"], LIES[0], *protocols)
    wallet = await device.create_wallet("server")
    for number, lie in enumerate(LIES):
        lies(committee.nodes["node1"], lie, *protocols)
        device.desk.reachable = Reachability()  # it is asked first again, whatever it has done before
        events.clear()
        raw = (await wallet.sign_message(f"{number}")).raw
        assert Account.recover_message(encode_defunct(text=f"{number}"), signature=raw) == wallet.address
        tried = [event.parties for event in events if isinstance(event, Opened)]
        assert "node1" in tried[0], f"{lie!r} was never told"
        assert "node1" not in tried[-1]
        states = {status.state for status in device.desk.vault.instances.statuses()}
        assert InstanceState.QUARANTINED not in states, "what a node reports freezes nothing"


@pytest.mark.parametrize("what", ["stripped", "silent", "forged"])
async def test_one_liar_neither_stops_nor_reassures_a_restored_device(
    device: Device, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The head of the register is proven: one node can keep back its answer, and no more."""
    await device.create_wallet("server")
    entries = device.shelf.all()
    honest = device.desk.nodes.register

    async def told(name: str, question: bytes) -> bytes:
        reply = await honest(name, question)
        found: Reply = decode(Reply, reply)  # type: ignore[arg-type]
        if name != "node1" or not isinstance(found, Headed):
            return reply
        if what == "silent":
            raise Missing("node1 is away", parties=[name])
        if what == "stripped":
            return encode(msgspec.structs.replace(found, version=0, hash=bytes(32), entry=None, proof=None))
        return encode(msgspec.structs.replace(found, version=found.version + 1))

    monkeypatch.setattr(device.desk.nodes, "register", told)
    monkeypatch.setattr(type(device.desk.vault), "rolled_back", property(lambda _: True))
    assert await settle_restore(device.desk, entries)


async def test_a_restored_device_whose_wallet_went_on_is_told_so(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    await device.create_wallet("server")
    entries = device.shelf.all()
    real = AccountRegister.wallet

    def later(register: AccountRegister, key: bytes) -> WalletKey:
        wallet = real(register, key)
        assert wallet is not None
        return msgspec.structs.replace(wallet, epoch=wallet.epoch + 1)

    monkeypatch.setattr(AccountRegister, "wallet", later)
    monkeypatch.setattr(type(device.desk.vault), "rolled_back", property(lambda _: True))
    with pytest.raises(Unavailable, match="another factor"):
        await settle_restore(device.desk, entries)


async def test_a_restored_device_is_not_reassured_by_fewer_than_an_echo_quorum(
    committee: LocalCommittee, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    await device.create_wallet("server")
    entries = device.shelf.all()
    committee.down |= {"node1", "node2"}
    monkeypatch.setattr(type(device.desk.vault), "rolled_back", property(lambda _: True))
    assert not await settle_restore(device.desk, entries)


async def test_a_login_dated_ahead_does_not_end_the_quarantine_it_was_there_for(
    committee: LocalCommittee, device: Device
) -> None:
    await device.log_in(CommitteeIssuer(committee, later=60.0))
    wallet = await device.create_wallet("server")
    spoil(committee.nodes["node2"])
    await wallet.sign_message("a")
    device.desk.book._clock = lambda: unix_time() + 70.0
    with pytest.raises(Refused) as refused:
        await device.desk.set_up("node2")
    assert refused.value.code == "login-again"
