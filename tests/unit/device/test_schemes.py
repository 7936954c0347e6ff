"""One wallet signs for chains of several curves: each node reads the payload, and signs as it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from tests.support.local_device import local_device

from quorate.chains.polkadot.networks import NETWORKS
from quorate.chains.polkadot.requests import message
from quorate.chains.reading import MAX_DIGESTS, numbered, read_numbered
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
from quorate.schemes.schnorr.messages import Share
from quorate.session import Declaration, Party
from quorate.testing.committee import LocalCommittee

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


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"suite_name": "ecdsa/secp256k1"}, "suite"),
        ({"declaration": ECDSA_SIGN}, "protocol"),
        ({"declaration": Declaration("elgamal.sign", 1)}, "protocol"),
        ({"declaration": Declaration("elgamal", 1)}, "protocol"),
        ({"curve": "secp256k1"}, "other-account"),
        ({"payload": "ethereum"}, "curve"),
        ({"payload": b"rubbish"}, None),
        ({"index": 1}, None),
    ],
)
async def test_what_a_device_says_of_scheme_and_key_counts_for_nothing(
    device: Device, how: dict[str, Any], code: str | None
) -> None:
    wallet = await device.create_wallet("server", keys=["secp256k1", "ed25519"])
    payload = how.get("payload", bytes_message(wallet, "hello"))
    if payload == "ethereum":
        payload = wallet.payload_of_message("hello")
    scheme = scheme_named("ed25519")
    record = wallet._rooms[how.get("curve", "ed25519")].record
    channels = await gather_signers(device.desk, record, Counter(), paired=False)

    async def nothing(party: Party) -> None:
        await party.gather(Share)

    with pytest.raises((Refused, Abort)) as error:
        await wallet._rooms["ed25519"]._run(
            record,
            channels,
            tuple(sorted((*channels, "device"))),
            how.get("declaration", scheme.declaration),
            how.get("suite_name", scheme.suite(ED25519)),
            numbered(payload, how.get("index", 0)),
            nothing,
        )
    if code is not None:
        assert isinstance(error.value, Refused)
        assert error.value.code == code
    device.desk.release(channels)


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
