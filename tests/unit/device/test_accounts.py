"""Accounts on a device: named, kept, found by their addresses, used by signatures; and what watches them."""

from collections.abc import AsyncIterator
from pathlib import Path

import bdkpython as bdk
import pytest
from tests.support.local_device import local_device

from quorate.device import accounts
from quorate.device.accounts import KeyAccounts
from quorate.device.device import Device
from quorate.errors import LimitExceeded, LocalError
from quorate.groups import ED25519, SECP256K1
from quorate.schemes.derivation import GAP_LIMIT, ExtendedKey, NoChild, account_path, check_descriptor, derive
from quorate.testing.committee import LocalCommittee

BOTH = ("secp256k1", "ed25519")
REGTEST = "bip122:0f9188f13cb7b2c71f2a335e3a4fc328"


@pytest.fixture
async def committee(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path / "nodes")
    made.stock(1, ED25519)
    yield made
    await made.close()


@pytest.fixture
async def device(
    committee: LocalCommittee, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Device]:
    async with local_device(committee, tmp_path / "home", monkeypatch) as device:
        yield device


async def test_accounts_are_kept_by_name_and_their_addresses_differ(device: Device) -> None:
    wallet = await device.create_wallet("server", keys=BOTH)
    held = wallet.accounts()
    assert await held.all() == []
    savings, taxes = await held.add("savings"), await held.add("taxes")
    assert [row.path for row in await held.all()] == [savings.path, taxes.path] == ["0/0", "0/1"]
    assert savings.public_key == wallet.public_key_at("secp256k1", "0/0")
    assert len({wallet.address, *(wallet.address_on("eip155:1", row.path) for row in (savings, taxes))}) == 3
    assert (await held.named("1")).name == "taxes"
    assert (await held.rename("taxes", "rent")).index == 1
    with pytest.raises(LocalError, match="already"):
        await held.add("rent")
    (again,) = await device.wallets()
    assert [row.name for row in await again.accounts().all()] == ["savings", "rent"]
    assert savings.as_dict()["path"] == "0/0"
    other = wallet.accounts("ed25519")
    assert (await other.add("savings")).path == "0"
    assert len(await held.all()) == 2, "each key has accounts of its own"


async def test_a_signature_marks_its_account_as_used(device: Device) -> None:
    from quorate.chains.ethereum import requests

    wallet = await device.create_wallet("server")
    held = wallet.accounts()
    savings = await held.add("savings")
    await held.add("taxes")
    address = wallet.address_on("eip155:1", savings.path)
    await wallet.sign(requests.message("hello", address, "eip155:1", savings.path))
    assert [row.used for row in await held.all()] == [True, False]
    unnamed = wallet.address_on("eip155:1", "1/9")
    await wallet.sign(requests.message("hello", unnamed, "eip155:1", "1/9"))
    assert [row.used for row in await held.all()] == [True, False]
    assert (await held.use("taxes")).used


async def test_no_account_is_made_that_a_search_would_not_find(device: Device) -> None:
    held = (await device.create_wallet("server")).accounts()
    for number in range(GAP_LIMIT):
        await held.add(f"account {number}")
    with pytest.raises(LimitExceeded, match="use one first"):
        await held.add("one more")
    assert len(await held.all()) == GAP_LIMIT
    await held.use("account 0")
    assert (await held.add("one more")).index == GAP_LIMIT


async def test_a_number_without_a_key_is_passed_over(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    held = (await device.create_wallet("server")).accounts()

    def without_the_first_two(root: object, code: bytes, path: str) -> object:
        if path in ("0/0", "0/1"):
            raise NoChild("there is no key at this index")
        return derive(root, code, path)  # type: ignore[arg-type]

    monkeypatch.setattr(accounts, "derive", without_the_first_two)
    assert (await held.add("savings")).path == account_path("secp256k1", 2)


async def test_watching_wallets_get_an_xpub_and_descriptors(device: Device) -> None:
    wallet = await device.create_wallet("server", keys=BOTH)
    shown = wallet.accounts().watching()
    key, _ = ExtendedKey.from_text(shown["ethereum xpub"])
    child = key.descend([0, 3]).point
    assert child.to_bytes() == wallet.public_key_at("secp256k1", "0/3")
    assert SECP256K1.point_from_bytes(wallet.public_key_on("secp256k1")) == key.point
    for name, text in shown.items():
        if name != "ethereum xpub":
            check_descriptor(text)
    test = wallet.accounts().watching(test=True)
    theirs = bdk.Descriptor(test["taproot receive"], bdk.NetworkKind.TEST)
    assert str(theirs.derive_address(3, bdk.Network.REGTEST)) == wallet.address_on(REGTEST, "0/3")
    root = bdk.Descriptor(test["taproot root"], bdk.NetworkKind.TEST)
    assert str(root.derive_address(0, bdk.Network.REGTEST)) == wallet.address_on(REGTEST)
    with pytest.raises(LocalError, match="ed25519"):
        wallet.accounts("ed25519").watching()
    with pytest.raises(LocalError, match="no key on p256"):
        wallet.accounts("p256")


def test_a_key_without_derivation_has_no_accounts() -> None:
    class Record:
        curve = "p256"

    with pytest.raises(LocalError, match="no derived accounts"):
        KeyAccounts(Record(), None, None)  # type: ignore[arg-type]
