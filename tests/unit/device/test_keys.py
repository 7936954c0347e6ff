"""A wallet has keys on several curves: one login, one set of factors, one backup file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.local_device import PASSWORD, local_device

from quorate.device import Backup, Device
from quorate.device.backup import open_backup, read_header
from quorate.device.register import AccountRegister
from quorate.device.shelf import WalletState
from quorate.device.wallet import Wallet
from quorate.entropy import system_rng
from quorate.errors import LocalError, Missing, Unavailable
from quorate.groups import group_named
from quorate.groups.ed25519 import ED25519
from quorate.sharing.keyshare import KeyShare
from quorate.testing.committee import LocalCommittee

BOTH = ("secp256k1", "ed25519")


@pytest.fixture
async def committee(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path / "nodes")
    made.stock(8, ED25519)
    yield made
    await made.close()


@pytest.fixture
async def device(
    committee: LocalCommittee, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Device]:
    async with local_device(committee, tmp_path / "home", monkeypatch) as device:
        yield device


def rebuilt(wallet: Wallet, device: Device, backup: tuple[KeyShare, ...]) -> list[bytes]:
    """The public keys of what device and backup have together: here in the test, and nowhere else."""
    (entries,) = device.shelf.wallets()
    found = []
    for entry, share in zip(entries, backup, strict=True):
        own = device.shelf.share(entry)
        signers = frozenset((own.me, share.me))
        key = own.additive(signers) + share.additive(signers)
        found.append(own.group.generator.multiply(key).to_bytes())
    return found


async def test_a_wallet_is_made_with_keys_on_two_curves_and_one_backup_has_a_share_of_each(
    committee: LocalCommittee, device: Device, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    wallet = await device.create_wallet("personal", Backup.to(file, PASSWORD), label="both", keys=BOTH)
    assert wallet.curves == BOTH
    assert [key["curve"] for key in wallet.show().keys] == list(BOTH)
    opened = open_backup(file, PASSWORD, system_rng)
    keys = [wallet.public_key_on(curve) for curve in BOTH]
    assert rebuilt(wallet, device, opened.shares) == keys
    assert read_header(file).version == 2
    await wallet.sign_message("hello")
    factors = {entry.record.factors[1].keys for entry in device.shelf.all()}
    assert factors == {opened.keys.public.to_bytes()}, "the backup is one factor of all keys"
    register = await AccountRegister.open(device.desk)
    head = await register.head()
    assert head is not None
    assert head.version == 2
    for entry in device.shelf.all():
        known = register.wallet(entry.record.key)
        assert known is not None
        assert known.curve == entry.record.curve
    (again,) = await device.wallets()
    assert (again.id, again.curves, again.label) == (wallet.id, BOTH, "both")
    assert (await device.wallet(keys[1].hex())).id == wallet.id


async def test_a_wallet_needs_no_key_on_secp256k1(device: Device) -> None:
    wallet = await device.create_wallet("server", keys=["ed25519"])
    assert wallet.address == wallet.public_key.hex() == wallet.public_key_on("ed25519").hex()
    with pytest.raises(LocalError, match="add-key secp256k1"):
        await wallet.sign_message("hello")
    added = await device.add_key(wallet, "secp256k1")
    assert added.curves == ("ed25519", "secp256k1")
    assert added.address.startswith("0x")
    await added.sign_message("hello")


async def test_a_key_is_added_to_a_wallet_with_its_backup(device: Device, tmp_path: Path) -> None:
    file = tmp_path / "file"
    wallet = await device.create_wallet("personal", Backup.to(file, PASSWORD))
    before = file.read_bytes()
    assert read_header(file).version == 1
    with pytest.raises(Unavailable, match="does not open"):
        await device.add_key(wallet, "ed25519", password="another password")
    with pytest.raises(LocalError, match="has a key on secp256k1"):
        await device.add_key(wallet, "secp256k1", password=PASSWORD)
    assert file.read_bytes() == before
    added = await device.add_key(wallet, "ed25519", password=PASSWORD)
    assert added.id == wallet.id
    assert added.curves == BOTH
    opened = open_backup(file, PASSWORD, system_rng)
    assert rebuilt(added, device, opened.shares) == [added.public_key_on(curve) for curve in BOTH]


async def test_a_file_of_another_wallet_is_no_backup_of_this_one(device: Device, tmp_path: Path) -> None:
    first = await device.create_wallet("personal", Backup.to(tmp_path / "first", PASSWORD))
    await device.create_wallet("personal", Backup.to(tmp_path / "second", PASSWORD))
    (tmp_path / "second").replace(tmp_path / "first")
    with pytest.raises(LocalError, match="not the backup of this wallet"):
        await device.add_key(first, "ed25519", password=PASSWORD)


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [((), "once"), (("ed25519", "ed25519"), "once"), (("curve25519",), "no keys on 'curve25519'")],
)
async def test_keys_that_cannot_be_are_refused_before_anybody_is_asked(
    device: Device, keys: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(LocalError, match=complaint):
        await device.create_wallet("server", keys=keys)


async def test_where_the_second_key_fails_nothing_is_kept_and_the_file_is_as_before(
    committee: LocalCommittee, device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    refusing = device.desk.nodes.offer_pool

    async def offer(name: str, ask: object) -> object:
        if getattr(ask, "curve", "") == "ed25519":
            raise Missing("no answer", parties=[name], needed=1)
        return await refusing(name, ask)  # type: ignore[arg-type]

    monkeypatch.setattr(device.desk.nodes, "offer_pool", offer)
    with pytest.raises(Missing):
        await device.create_wallet("personal", Backup.to(file, PASSWORD), keys=BOTH)
    assert not file.exists()
    assert device.shelf.all() == []
    wallet = await device.create_wallet("personal", Backup.to(file, PASSWORD))
    before = file.read_bytes()
    committee.stock(8, group_named("p256"))
    with pytest.raises(Missing):
        await device.add_key(wallet, "p256", "ed25519", password=PASSWORD)
    assert file.read_bytes() == before, "it had the share of the first added key in between"
    assert [entry.record.curve for entry in device.shelf.all()] == ["secp256k1"]


async def test_a_key_that_is_not_live_yet_leaves_the_wallet_as_it_was(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = await device.create_wallet("server")

    async def unreachable(*_: object) -> None:
        raise Missing("the register is away", parties=["node1"], needed=1)

    with monkeypatch.context() as patch:
        patch.setattr("quorate.device.register.AccountRegister.enter", unreachable)
        with pytest.raises(Missing):
            await device.add_key(wallet, "ed25519")
        assert [found.curves for found in await device.wallets()] == [("secp256k1",)]
        assert await device.unfinished() == 1
    assert [entry.state for entry in device.shelf.wallets()[0]] == [WalletState.LIVE, WalletState.STAGED]
    (finished,) = await device.wallets()
    assert finished.curves == BOTH
