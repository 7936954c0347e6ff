"""One wallet signs for chains of several curves: each node reads the payload, and signs as it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from tests.support.bitcoin import REGTEST, changed, coin, make_psbt
from tests.support.bitcoin_kernel import accepts
from tests.support.local_device import local_device

from quorate.account.requests import OnlineRequest
from quorate.chains import Request
from quorate.chains.bitcoin.requests import psbt
from quorate.chains.bitcoin.scripts import Key
from quorate.chains.bitcoin.wire import Output
from quorate.chains.polkadot.networks import NETWORKS
from quorate.chains.polkadot.requests import message
from quorate.chains.reading import MAX_DIGESTS, numbered, read_numbered
from quorate.chains.validators.messages import BlockHeader, Fork
from quorate.chains.validators.networks import network_id
from quorate.device import Device
from quorate.device.gather import gather_signers
from quorate.device.sessions import Event, Opened
from quorate.device.wallet import Wallet
from quorate.encoding import encode
from quorate.errors import Abort, LocalError, Refused
from quorate.groups import group_named
from quorate.groups.ed25519 import ED25519
from quorate.schemes.ecdsa import SIGN as ECDSA_SIGN
from quorate.schemes.registry import scheme_named
from quorate.schemes.schnorr import ONLINE, PREPARE, Prepared, Share
from quorate.secret import Secret
from quorate.session import Declaration, Party
from quorate.testing.committee import LocalCommittee
from quorate.vault.duties import Duties

CHAIN = NETWORKS[0].caip2


@pytest.fixture
async def committee(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path / "nodes")
    made.stock(8, ED25519)
    made.stock(8, group_named("p256"))
    yield made
    await made.close()


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
async def device(
    committee: LocalCommittee, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: list[Event]
) -> AsyncIterator[Device]:
    async with local_device(committee, tmp_path / "home", monkeypatch, observer=events.append) as device:
        yield device


def bytes_message(wallet: Wallet, text: str, path: str = "") -> bytes:
    return message(text, wallet.address_on(CHAIN, path), CHAIN, "ed25519", path)


def check(key: bytes, text: str, signature: bytes) -> None:
    """libsodium accepts the signature, and not with one byte changed."""
    wrapped = b"<Bytes>" + text.encode() + b"</Bytes>"
    VerifyKey(key).verify(wrapped, signature)
    with pytest.raises(BadSignatureError):
        VerifyKey(key).verify(wrapped, signature[:-1] + bytes([signature[-1] ^ 1]))


async def test_a_wallet_with_two_keys_signs_with_the_one_that_the_chain_is_for(
    device: Device, events: list[Event]
) -> None:
    wallet = await device.create_wallet("server", keys=["secp256k1", "ed25519"])
    events.clear()
    signed = await wallet.sign(bytes_message(wallet, "hello"))
    check(wallet.public_key_on("ed25519"), "hello", signed.raw[-64:])
    assert [event.protocol for event in events if isinstance(event, Opened)] == ["schnorr.sign"]
    await wallet.sign_message("and on Ethereum")


async def test_an_account_derived_from_the_key_signs_under_its_own_key(device: Device) -> None:
    wallet = await device.create_wallet("server", keys=["secp256k1", "ed25519"])
    child = wallet.public_key_at("ed25519", "7")
    assert child != wallet.public_key_on("ed25519")
    signed = await wallet.sign(bytes_message(wallet, "child", "7"))
    check(child, "child", signed.raw[-64:])
    assert wallet.address_on("eip155:1", "0/7") != wallet.address
    with pytest.raises(Refused):
        await wallet.sign(message("child", wallet.address_on(CHAIN), CHAIN, "ed25519", "7"))


HOWS: list[tuple[dict[str, Any], str | None]] = [
    ({"suite_name": "ecdsa/secp256k1"}, "suite"),
    ({"declaration": ECDSA_SIGN}, "protocol"),
    ({"declaration": Declaration("elgamal.sign", 1)}, "protocol"),
    ({"declaration": Declaration("elgamal", 1)}, "protocol"),
    ({"curve": "secp256k1"}, "other-account"),
    ({"payload": "ethereum"}, "curve"),
    ({"payload": b"rubbish"}, None),
    ({"index": 1}, None),
    ({"declaration": PREPARE, "payload": b"rubbish"}, "payload"),
    ({"declaration": PREPARE, "suite_name": "ed25519/ecdsa"}, "scheme"),
    ({"declaration": PREPARE, "suite_name": "ed25519/nothing"}, "scheme"),
    ({"declaration": PREPARE, "suite_name": "ed25519/bip340"}, "curve"),
    ({"declaration": ONLINE, "payload": b"rubbish"}, "payload"),
]


async def wait_for_shares(party: Party) -> None:
    await party.gather(Share)


async def test_what_a_device_says_of_scheme_and_key_counts_for_nothing(device: Device) -> None:
    wallet = await device.create_wallet("server", keys=["secp256k1", "ed25519"])
    scheme = scheme_named("ed25519")
    for how, code in HOWS:
        payload = how.get("payload", bytes_message(wallet, "hello"))
        if payload == "ethereum":
            payload = wallet.payload_of_message("hello")
        record = wallet._rooms[how.get("curve", "ed25519")].record
        channels = await gather_signers(device.desk, record, Counter(), paired=False)
        with pytest.raises((Refused, Abort)) as error:
            await wallet._rooms["ed25519"]._run(
                record,
                channels,
                tuple(sorted((*channels, "device"))),
                how.get("declaration", scheme.declaration),
                how.get("suite_name", scheme.suite(ED25519)),
                numbered(payload, how.get("index", 0)),
                wait_for_shares,
            )
        device.desk.release(channels)
        if code is not None:
            assert isinstance(error.value, Refused), how
            assert error.value.code == code, how


async def test_a_key_on_a_curve_that_the_chain_has_no_accounts_on_is_never_shown_to_it(
    device: Device,
) -> None:
    wallet = await device.create_wallet("server", keys=["p256"])
    with pytest.raises(LocalError, match="no key on secp256k1"):
        wallet.address_on("eip155:1")
    with pytest.raises(LocalError, match="no key on ed25519"):
        wallet.address_on(CHAIN)


def test_the_digests_of_a_request_are_numbered() -> None:
    assert read_numbered(numbered(b"payload", 0)) == (b"payload", 0)
    assert read_numbered(numbered(b"payload", 3)) == (b"payload", 3)
    assert read_numbered(numbered(b"payload", MAX_DIGESTS - 1))[1] == MAX_DIGESTS - 1
    # what cannot be the number of a digest is a request that does not decode
    assert read_numbered(encode([b"payload", MAX_DIGESTS]))[1] == 0
    assert read_numbered(encode([b"payload", 0]))[1] == 0


async def test_inputs_of_two_schemes_are_signed_under_one_approval_and_bitcoins_own_code_accepts(
    device: Device, events: list[Event]
) -> None:
    wallet = await device.create_wallet("server")
    key = Key.of(wallet.public_key)
    coins = [coin(script, 1_100_000, prove=True) for script in key.scripts.values()]
    account = wallet.address_on(REGTEST)
    paid = [Output(2_000_000, key.taproot_script())]
    events.clear()
    signed = await wallet.sign(psbt(make_psbt(coins, paid), account, REGTEST))
    opened = [event.protocol for event in events if isinstance(event, Opened)]
    assert sorted(opened) == ["ecdsa.sign", "schnorr.sign"]
    spent = [one.output for one in coins]
    assert accepts(signed.raw, spent)
    assert not accepts(changed(signed.raw, len(signed.raw) - 10), spent)


# --- nonces made in advance --------------------------------------------------------------------------


async def test_prepared_nonces_make_the_signature_one_message(device: Device, events: list[Event]) -> None:
    wallet = await device.create_wallet("server", keys=["secp256k1", "ed25519"])
    assert await wallet.prepare(2, "ed25519") == 2
    events.clear()
    for number, path in enumerate(("", "7")):
        text = f"message {number}"
        signed = await wallet.sign(bytes_message(wallet, text, path))
        check(wallet.public_key_at("ed25519", path), text, signed.raw[-64:])
    await wallet.sign(bytes_message(wallet, "with none left"))
    protocols = [event.protocol for event in events if isinstance(event, Opened)]
    assert protocols == ["schnorr.online", "schnorr.online", "schnorr.sign"]


async def test_what_is_prepared_for_one_scheme_serves_no_other(device: Device, events: list[Event]) -> None:
    wallet = await device.create_wallet("server")
    assert await wallet.prepare(1, "bip340") == 1
    assert await wallet.prepare(1) == 1
    events.clear()
    await wallet.sign_message("by ECDSA")
    assert [event.protocol for event in events if isinstance(event, Opened)] == ["ecdsa.online"]


async def test_a_scheme_with_nothing_to_do_ahead_says_so(device: Device, committee: LocalCommittee) -> None:
    committee.stock(2, group_named("bls12381g1"))
    wallet = await device.create_wallet("server", keys=["bls12381g1"])
    with pytest.raises(LocalError, match="nothing to do ahead"):
        await wallet.prepare(1, "bls-pop")


async def test_nonces_that_the_nodes_have_burned_are_given_up_and_the_signature_is_made_cold(
    device: Device, committee: LocalCommittee, events: list[Event]
) -> None:
    wallet = await device.create_wallet("server", keys=["ed25519"])
    await wallet.prepare(3)
    for node in committee.nodes.values():
        node.vault.presignatures.burn_all()  # what a node does when it starts
    events.clear()
    signed = await wallet.sign(bytes_message(wallet, "hello"))
    check(wallet.public_key, "hello", signed.raw[-64:])
    protocols = [event.protocol for event in events if isinstance(event, Opened)]
    assert protocols == ["schnorr.online", "schnorr.sign"]
    await wallet.sign(bytes_message(wallet, "again"))
    assert [event.protocol for event in events if isinstance(event, Opened)][2:] == ["schnorr.sign"]


async def test_a_node_answers_from_a_pair_of_nonces_once_also_after_a_restart(
    device: Device, committee: LocalCommittee
) -> None:
    """The device puts its own pair back and asks for another message: no node answers that."""
    wallet = await device.create_wallet("server", keys=["ed25519"])
    await wallet.prepare(1)
    vault = device.desk.vault
    consumed: list[tuple[bytes, bytes]] = []
    taken = vault.presignatures.consume

    def remember(one: bytes, request: bytes, now: float) -> Secret[bytes]:
        value = taken(one, request, now)
        consumed.append((one, value.reveal()))
        return value

    room = wallet._rooms["ed25519"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vault.presignatures, "consume", remember)
        await wallet.sign(bytes_message(wallet, "first"))
    ((one, value),) = consumed
    for restarted in (False, True):
        for name in committee.names if restarted else ():
            await committee.stop(name)
            committee.start(name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(vault.presignatures, "consume", lambda *_: Secret(value))
            reading = wallet._read(bytes_message(wallet, "second"))[1]
            channels = await gather_signers(device.desk, room.record, Counter(), paired=False)
            signers = Prepared.from_bytes(value).public.signers
            assert set(channels) | {"device"} == set(signers)
            with pytest.raises(Refused) as error:
                await room._frost.sign(room._tries._entry, channels, signers, [one], reading, 0)
            device.desk.release(channels)
        assert error.value.code == "presignature"


async def test_a_login_of_one_account_gets_no_share_from_another_accounts_nonces(
    device: Device, committee: LocalCommittee, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids are known to every signer; and a node that refuses has burned nothing of the owner's."""
    wallet = await device.create_wallet("server", keys=["ed25519"])
    await wallet.prepare(1)
    with device.desk.vault.transaction() as tx:
        ((one,),) = tx.query("SELECT id FROM presignatures")
    async with local_device(committee, tmp_path / "other", monkeypatch, user="mallory") as other:
        theirs = await other.create_wallet("server", keys=["ed25519"])
        room, reading = theirs._read(bytes_message(theirs, "all of it to mallory"))
        channels = await gather_signers(other.desk, room.record, Counter(), paired=False)
        signers = tuple(sorted((*channels, "device")))
        scheme, asked = reading.scheme(0), encode(OnlineRequest(bytes.fromhex(one), reading.decoded.payload))
        with pytest.raises(Refused) as error:
            await room._run(
                room.record, channels, signers, ONLINE, scheme.suite(ED25519), asked, wait_for_shares
            )
        other.desk.release(channels)
    assert error.value.code == "presignature"
    check(wallet.public_key, "rent", (await wallet.sign(bytes_message(wallet, "rent"))).raw[-64:])


def permit_at_nodes(device: Device) -> Callable[..., bool]:
    """`Duties.permit` that allows this device everything."""
    permit, own = Duties.permit, device.desk.vault.duties

    def permitted(duties: Duties, *about: Any) -> bool:
        return duties is own or permit(duties, *about)

    return permitted


# --- validators ---------------------------------------------------------------------------------------


async def test_a_validators_duty_is_refused_in_a_second_way_by_every_node_also_after_a_restart(
    device: Device, committee: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the device itself remembers of it."""
    monkeypatch.setattr(Duties, "permit", permit_at_nodes(device))
    committee.stock(2, group_named("bls12381g1"))
    wallet = await device.create_wallet("server", keys=["bls12381g1"])
    root = bytes.fromhex("4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95")
    chain = network_id(root)

    def block(state: int) -> bytes:
        header = BlockHeader(Fork(bytes(4), root), 7, 1, bytes(32), bytes([state]) * 32, bytes(32))
        return Request(1, chain, wallet.address_on(chain), "block", encode(header)).to_payload()

    signed = await wallet.sign(block(1))
    assert (await wallet.sign(block(1))).raw == signed.raw, "the same duty again is the same signature"
    assert len(signed.raw) == 96
    for name in committee.names:
        await committee.stop(name)
        committee.start(name)
    with pytest.raises(Refused) as error:
        await wallet.sign(block(2))
    assert error.value.reported_by in committee.names
    assert error.value.code == "slashable"
