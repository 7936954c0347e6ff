"""What a device keeps and reads: its network, its login, its wallets, its backup file, its setups."""

import asyncio
import gc
import json
import shutil
from pathlib import Path

import msgspec
import pytest
from tests.unit.device.conftest import CommitteeIssuer, network_of

from quorate.account import structure_for
from quorate.account.register import Reply
from quorate.account.register.messages import Installed
from quorate.device.backup import Backup, open_backup, read_header
from quorate.device.backup import file as backup_file
from quorate.device.create import Wish, make_live
from quorate.device.device import Device
from quorate.device.home import Home
from quorate.device.login import RENEW_BEFORE_SECONDS, LocalIssuer, LoginRecord, read_login_key
from quorate.device.network import MAX_FILE_BYTES, Network
from quorate.device.sessions import Event, Opened
from quorate.device.shelf import WalletState
from quorate.encoding import decode, encode
from quorate.entropy import system_rng
from quorate.errors import LocalError, Malformed, Missing, Refused, Unavailable
from quorate.identity import NetworkLogin
from quorate.secret import Secret
from quorate.session import KeyPair
from quorate.sharing.keyshare import KeyShare
from quorate.testing.committee import LocalCommittee

PASSWORD = "a password of the test"


# --- network -----------------------------------------------------------------------------------------


def test_a_network_reads_back_as_it_was_written(committee: LocalCommittee, tmp_path: Path) -> None:
    network = network_of(committee)
    path = tmp_path / "network.json"
    path.write_bytes(network.to_json())
    assert Network.read(path) == network


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("degree", 4, "do not stand"),
        ("liars", 2, "do not stand"),
        ("nodes", [], "do not stand"),
        ("network", "", "length"),
        ("surprise", 1, "unknown field"),
    ],
)
def test_a_network_that_cannot_be_is_refused_by_name(
    committee: LocalCommittee, tmp_path: Path, field: str, value: object, complaint: str
) -> None:
    file = json.loads(network_of(committee).to_json())
    file[field] = value
    path = tmp_path / "network.json"
    path.write_text(json.dumps(file))
    with pytest.raises(Malformed, match=complaint) as error:
        Network.read(path)
    assert str(path) in str(error.value)


def test_a_network_file_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    path.write_bytes(b'{"network": "\xff"}')
    with pytest.raises(Malformed, match=r"network\.json"):
        Network.read(path)


def test_a_file_too_large_for_a_network_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    path.write_bytes(b" " * (MAX_FILE_BYTES + 1))
    with pytest.raises(Malformed, match="no description of a network"):
        Network.read(path)


def test_names_and_identities_of_a_network_are_checked(committee: LocalCommittee) -> None:
    network = network_of(committee)
    rows = list(network.nodes.values())
    with pytest.raises(Malformed, match="distinct"):
        Network.of("x", network.quorums, [*rows[:4], rows[0]])
    bad = msgspec.structs.replace(rows[4], identity="00")
    with pytest.raises(Malformed, match="identity of node5"):
        Network.of("x", network.quorums, [*rows[:4], bad])
    twice = msgspec.structs.replace(rows[4], identity=rows[0].identity)
    with pytest.raises(Malformed, match="identity of its own"):
        Network.of("x", network.quorums, [*rows[:4], twice])


def test_a_missing_network_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="quorate up"):
        Network.read(tmp_path / "network.json")


# --- login -------------------------------------------------------------------------------------------


async def test_the_local_issuers_token_is_accepted_by_the_nodes_login(tmp_path: Path) -> None:
    key = tmp_path / "login.key"
    key.write_bytes(system_rng(32))
    device = KeyPair.generate(system_rng).public
    found = await LocalIssuer("local", key, "ada", clock=lambda: 1000.0).log_in(device)
    claims = NetworkLogin("local", read_login_key(key).public).verify(found.token, 1000.0)
    assert (claims.account, claims.device) == (found.account, device)


def test_a_login_ends_an_hour_before_its_token_does() -> None:
    record = LoginRecord("ada", bytes(32), b"token", 0, 10_000)
    assert record.check(10_000 - RENEW_BEFORE_SECONDS) is record
    with pytest.raises(Refused, match="quorate login"):
        record.check(10_001 - RENEW_BEFORE_SECONDS)


def test_a_missing_login_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="quorate up"):
        read_login_key(tmp_path / "login.key")
    (tmp_path / "login.key").write_bytes(b"short")
    with pytest.raises(Unavailable, match="no login key"):
        read_login_key(tmp_path / "login.key")


async def test_without_a_login_nothing_is_asked_of_anybody(committee: LocalCommittee, tmp_path: Path) -> None:
    async with Device(Home(tmp_path / "fresh"), network_of(committee)) as device:
        assert not device.logged_in
        with pytest.raises(Refused, match="not logged in"):
            await device.create_wallet("server")
        with pytest.raises(Unavailable, match="not on this machine"):
            await device.log_in()


async def test_a_device_keeps_its_keys_and_its_login(
    committee: LocalCommittee, device: Device, tmp_path: Path
) -> None:
    public, login = device.desk.identity.public, device.login
    async with Device(device.home, network_of(committee)) as again:
        assert again.desk.identity.public == public
        assert again.login == login


async def test_a_device_with_wallets_belongs_to_one_person(committee: LocalCommittee, device: Device) -> None:
    await device.create_wallet("server")
    with pytest.raises(LocalError, match="another home directory"):
        await device.log_in(CommitteeIssuer(committee, user="bob"))


# --- wishes and wallets ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preset", "backups", "complaint"),
    [
        ("personal", [], "backups wanted by this wallet: backup"),
        ("server", ["backup"], "backups wanted by this wallet: none"),
        ("2 of (3 of (node1 node2 node3 node4 node5), device, a, b)", ["a"], "a, b"),
        ("3 of (3 of (node1 node2 node3 node4 node5), device, backup)", ["backup"], "any two"),
        ("2 of (2 of (node1 node2 node3 node4 node5), device)", [], "3 of 5"),
        ("nonsense", [], "neither personal nor server"),
    ],
)
async def test_a_wish_that_cannot_be_met_is_refused_before_anybody_is_asked(
    device: Device, events: list[Event], tmp_path: Path, preset: str, backups: list[str], complaint: str
) -> None:
    places = {name: Backup.to(tmp_path / name, PASSWORD) for name in backups}
    with pytest.raises(LocalError, match=complaint):
        await device.create_wallet(preset, places)
    assert not [event for event in events if isinstance(event, Opened)]


def test_two_backups_need_two_files(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="8 characters"):
        Backup.to(tmp_path / "a", "short")
    with pytest.raises(Unavailable, match="no directory"):
        Backup.to(tmp_path / "nowhere" / "a", PASSWORD).check_place()


async def test_a_wallet_with_two_backups_has_a_share_in_each_and_signs(
    device: Device, tmp_path: Path
) -> None:
    preset = "2 of (3 of (node1 node2 node3 node4 node5), device, desk, bank)"
    places = {name: Backup.to(tmp_path / name, PASSWORD) for name in ("desk", "bank")}
    wallet = await device.create_wallet(preset, places, label="two")
    await wallet.sign_message("hello")
    shares = [open_backup(tmp_path / name, PASSWORD, system_rng).share for name in ("desk", "bank")]
    assert {share.me for share in shares} == {"desk", "bank"}
    (entry,) = device.shelf.all()
    own = device.shelf.share(entry)
    # Any two of the factors are enough: together, here in the test, they are the key.
    for first, second in ((shares[0], shares[1]), (own, shares[0]), (own, shares[1])):
        signers = frozenset((first.me, second.me))
        key = first.additive(signers) + second.additive(signers)
        assert own.group.generator.multiply(key) == own.public_key


async def test_backups_with_one_file_are_refused(device: Device, tmp_path: Path) -> None:
    preset = "2 of (3 of (node1 node2 node3 node4 node5), device, desk, bank)"
    same = Backup.to(tmp_path / "same", PASSWORD)
    with pytest.raises(LocalError, match="file of its own"):
        Wish.of(device.desk, preset, {"desk": same, "bank": same})


async def test_a_wallet_is_found_by_address_or_label_and_named_in_doubt(device: Device) -> None:
    with pytest.raises(LocalError, match="quorate wallet create"):
        await device.wallet()
    first = await device.create_wallet("server", label="rent")
    assert (await device.wallet()).address == first.address
    second = await device.create_wallet("server", label="Fun")
    assert (await device.wallet("fun")).address == second.address
    assert (await device.wallet(first.address.lower())).address == first.address
    with pytest.raises(LocalError, match="which wallet"):
        await device.wallet()
    with pytest.raises(LocalError, match="it has: "):
        await device.wallet("0x00")


async def test_a_wallet_is_not_live_before_enough_nodes_have_signed_that_it_is(
    committee: LocalCommittee, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = device.desk.nodes
    honest = nodes.register

    async def two_lie(name: str, question: bytes) -> bytes:
        reply = await honest(name, question)
        found: Reply = decode(Reply, reply)  # type: ignore[arg-type]
        if isinstance(found, Installed) and name in ("node1", "node2"):
            return encode(msgspec.structs.replace(found, signature=bytes(64)))
        return reply

    monkeypatch.setattr(nodes, "register", two_lie)
    with pytest.raises(Missing, match="4 nodes must act on it and 3 have") as error:
        await device.create_wallet("server")
    assert error.value.parties == ("node1", "node2")
    (entry,) = device.shelf.all()
    assert entry.state is WalletState.STAGED
    assert await device.wallets() == []
    assert device.desk.vault.shares.active_epoch(entry.key) is None
    monkeypatch.undo()
    (wallet,) = await device.wallets()
    await wallet.sign_message("now")


async def test_a_backup_that_still_starts_when_a_creation_fails_is_ended(
    committee: LocalCommittee, device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[bool] = []

    class Slow:
        @classmethod
        async def start(cls, *_: object) -> "Slow":
            await asyncio.sleep(0.3)
            return cls()

        async def finish(self, *, kept: bool) -> None:
            ended.append(kept)

    complaints: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))
    monkeypatch.setattr("quorate.device.create.BackupLink", Slow)
    committee.down |= {"node1", "node2"}
    with pytest.raises(Missing):
        await device.create_wallet("personal", Backup.to(tmp_path / "wallet.backup", "a long password"))
    assert ended == [False]
    gc.collect()
    assert complaints == [], "something was left running, and would say so on the terminal"


async def test_a_wallet_that_the_register_holds_otherwise_is_not_taken_for_live(device: Device) -> None:
    await device.create_wallet("server")
    (entry,) = device.shelf.all()
    statement = msgspec.structs.replace(entry.certificate.statement, chain_code=bytes(32))
    forged = msgspec.structs.replace(
        entry, certificate=msgspec.structs.replace(entry.certificate, statement=statement)
    )
    with pytest.raises(LocalError, match="no committee that this device knows"):
        await make_live(device.desk, device.shelf, forged)


async def test_a_restored_device_compares_with_its_nodes_and_goes_on(
    committee: LocalCommittee, device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await device.create_wallet("server")
    copy = tmp_path / "copy.sqlite"
    _checkpoint(device)
    shutil.copy(device.home.device / "vault.sqlite", copy)
    wallet = (await device.wallets())[0]
    await wallet.prepare(1)
    await wallet.sign_message("used up")
    issuer = CommitteeIssuer(committee)
    reach = type(device.desk.nodes)
    await device.__aexit__(None, None, None)
    for name in ("vault.sqlite-wal", "vault.sqlite-shm"):
        (device.home.device / name).unlink(missing_ok=True)
    shutil.copy(copy, device.home.device / "vault.sqlite")

    async with Device(device.home, network_of(committee), issuer=issuer, reach=reach) as again:
        assert again.desk.vault.rolled_back
        (wallet,) = await again.wallets()
        assert not again.desk.vault.rolled_back
        await wallet.prepare(1)
        await wallet.sign_message("on")


def _checkpoint(device: Device) -> None:
    import sqlite3

    connection = sqlite3.connect(device.home.device / "vault.sqlite")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


# --- backup file -------------------------------------------------------------------------------------


@pytest.fixture
def share() -> KeyShare:
    from quorate.groups import SECP256K1
    from quorate.sharing.polynomial import Polynomial

    group = SECP256K1
    outer = Polynomial.random(group, 1, system_rng)
    inner = Polynomial.random(group, 2, system_rng)
    structure = structure_for("personal", ["node1", "node2", "node3", "node4", "node5"], 2)
    public = {name: group.generator.multiply(inner.at(i).reveal()) for name, i in structure.nodes.items()}
    public |= {name: group.generator.multiply(outer.at(i).reveal()) for name, i in structure.factors.items()}
    secret = outer.at(3)
    point = group.generator.multiply(outer.at(0).reveal())
    return KeyShare(bytes(32), 1, structure, point, public, "backup", secret, bytes(32))


def test_a_backup_file_opens_with_its_password_only(share: KeyShare, tmp_path: Path) -> None:
    path = tmp_path / "a.backup"
    seed = system_rng(32)
    backup_file.write(path, "local", seed, share, PASSWORD, system_rng)
    assert read_header(path).network == "local"
    opened = open_backup(path, PASSWORD, system_rng)
    assert opened.share.share == share.share
    assert opened.keys.public == KeyPair(Secret(seed)).public
    with pytest.raises(Unavailable, match="does not open"):
        open_backup(path, PASSWORD + "!", system_rng)
    assert share.share.reveal().to_bytes().hex() not in path.read_text()
    with pytest.raises(Unavailable, match="never replaces"):
        backup_file.write(path, "local", seed, share, PASSWORD, system_rng)


def test_what_is_no_backup_file_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no backup file"):
        read_header(tmp_path / "missing")
    other = tmp_path / "other"
    for content in (b"{}", b'{"box": "\xff"}', b"\x00"):
        other.write_bytes(content)
        with pytest.raises(Malformed, match="no backup file"):
            read_header(other)
