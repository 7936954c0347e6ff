"""Real nodes that die in every round, a device that dies between two steps, and homes that are not theirs."""

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from tests.processes.conftest import PASSWORD, Machine

from quorate.chains import Signed
from quorate.clock import unix_time
from quorate.device import Backup, Device, Home, LocalIssuer, Network
from quorate.device.backup import open_backup
from quorate.device.login import LoginRecord
from quorate.device.nodes import Nodes
from quorate.device.sessions import Closed, Event, Opened
from quorate.device.shelf import ABANDONED_SECONDS, WalletState
from quorate.device.wallet import Wallet
from quorate.entropy import system_rng
from quorate.errors import Missing, Refused, Unavailable
from quorate.session import PublicKeys
from quorate.sharing.access import NotAuthorised
from quorate.transport.hub import Carried

SIGN_ROUNDS = (
    "ecdsa.presign.commitment",
    "ecdsa.presign.extension",
    "ecdsa.presign.opening",
    "ecdsa.presign.multiplication",
    "ecdsa.answer",
)
FORMATION_ROUNDS = (
    "formation.contribution",
    "formation.assigned",
    "formation.form",
    "formation.agreed",
)
REFRESH_ROUNDS = ("refresh.known", "refresh.lock", "refresh.item", "refresh.confirm", "refresh.ready")


@pytest.fixture(scope="module")
def place(running: Machine, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The device of another person, on the same network; in a home without nodes."""
    home = Home(tmp_path_factory.mktemp("second")).make()
    for file in (home.network_file, home.login_key):
        file.parent.mkdir(exist_ok=True, mode=0o700)
        source = running.home.path / file.relative_to(home.path)
        file.write_bytes(source.read_bytes())
        file.chmod(0o600)
    return home


@asynccontextmanager
async def opened(machine: Machine, place: Home, watch: object = None) -> AsyncIterator[Device]:
    place.network_file.write_bytes(machine.home.network_file.read_bytes())  # ports change when all restart
    async with Device.open(place.path, observer=watch) as device:  # type: ignore[arg-type]
        if not device.logged_in:
            await device.log_in(LocalIssuer(device.network.name, device.home.login_key, "another person"))
        yield device


class KillAt:
    """Kills one node, -9, when the first envelope of a kind passes the device."""

    def __init__(self, machine: Machine, tag: str, node: str) -> None:
        self.machine, self.tag, self.node = machine, tag, node
        self.pids = {one.name: one.pid for one in machine.network.nodes()}
        self.done = False
        self.signers: list[tuple[str, ...]] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, Opened) and event.protocol == "ecdsa.sign":
            self.signers.append(event.parties)
        if isinstance(event, Carried) and event.tag == self.tag and not self.done:
            self.done = True
            pid = self.pids[self.node]
            assert pid is not None
            os.kill(pid, signal.SIGKILL)


def assert_signed(wallet: Wallet, signed: Signed, text: str) -> None:
    assert Account.recover_message(encode_defunct(text=text), signature=signed.raw) == wallet.address


@pytest.mark.parametrize("tag", SIGN_ROUNDS)
async def test_a_node_killed_in_any_round_of_a_signature_is_replaced(
    machine: Machine, place: Home, tag: str
) -> None:
    watch = KillAt(machine, tag, "node2")
    async with opened(machine, place, watch) as device:
        wallets = await device.wallets()
        wallet = wallets[0] if wallets else await device.create_wallet("server")
        assert_signed(wallet, await wallet.sign_message(tag), tag)
    assert watch.done
    assert "node2" in watch.signers[0]
    if tag != "ecdsa.answer":  # its own answer may have been on its way already
        assert "node2" not in watch.signers[-1]


@pytest.mark.parametrize("tag", FORMATION_ROUNDS)
async def test_a_wallet_is_made_without_the_node_that_is_killed_while_its_key_is_formed(
    machine: Machine, place: Home, tag: str
) -> None:
    watch = KillAt(machine, tag, "node4")
    async with opened(machine, place, watch) as device:
        before = {wallet.address for wallet in await device.wallets()}
        wallet = await device.create_wallet("server")
        assert wallet.address not in before
        assert await device.unfinished() == 0
        assert_signed(wallet, await wallet.sign_message(tag), tag)
    assert watch.done


@pytest.mark.parametrize("tag", REFRESH_ROUNDS)
async def test_a_node_killed_while_the_backup_comes_in_leaves_no_wallet_and_no_file(
    machine: Machine, place: Home, tag: str, tmp_path: Path
) -> None:
    watch = KillAt(machine, tag, "node5")
    backup = tmp_path / "wallet.backup"
    async with opened(machine, place, watch) as device:
        before = len(await device.wallets())
        with pytest.raises(Missing) as error:
            await device.create_wallet("personal", Backup.to(backup, PASSWORD))
        assert "node5" in error.value.parties
        assert len(await device.wallets()) == before
    assert watch.done
    assert list(tmp_path.iterdir()) == []


async def test_after_all_that_every_wallet_still_signs(machine: Machine, place: Home) -> None:
    async with opened(machine, place) as device:
        wallets = await device.wallets()
        assert wallets
        for wallet in wallets:
            assert_signed(wallet, await wallet.sign_message("still"), "still")


async def test_a_device_that_dies_before_the_wallet_is_live_finishes_it_at_the_next_start(
    machine: Machine, place: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = tmp_path / "wallet.backup"

    async def nobody(self: Nodes, name: str, question: bytes) -> bytes:
        raise Missing(f"{name} is gone", parties=[name], needed=1)

    async with opened(machine, place) as device:
        before = {wallet.address for wallet in await device.wallets()}
        with monkeypatch.context() as patch:
            patch.setattr(Nodes, "register", nobody)
            with pytest.raises(Missing, match="the wallet is not live yet: 4 nodes must show"):
                await device.create_wallet("personal", Backup.to(backup, PASSWORD))
            assert {wallet.address for wallet in await device.wallets()} == before, "shown before it was live"
            assert await device.unfinished() == 1
    assert backup.exists()
    async with opened(machine, place) as device:
        new = [wallet for wallet in await device.wallets() if wallet.address not in before]
        assert len(new) == 1
        assert_signed(new[0], await new[0].sign_message("late"), "late")


async def test_a_node_that_was_away_when_the_wallet_became_live_learns_of_it_when_it_signs(
    machine: Machine, place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Nodes.register

    async def all_but_one(self: Nodes, name: str, question: bytes) -> bytes:
        if name == "node1":
            raise Missing("node1 is gone", parties=[name], needed=1)
        return await real(self, name, question)

    events: list[Event] = []
    async with opened(machine, place, events.append) as device:
        with monkeypatch.context() as patch:
            patch.setattr(Nodes, "register", all_but_one)
            wallet = await device.create_wallet("server")
        for text in ("first", "second"):
            assert_signed(wallet, await wallet.sign_message(text), text)
    records = [e for e in events if isinstance(e, Closed) and e.protocol == "ecdsa.sign" and not e.error]
    assert len(records) == 2
    async with opened(machine, place) as device:
        known = await device.desk.nodes.wallets("node1")
        assert wallet.show().key in {record.key.hex() for record in known}


async def test_prepared_signatures_are_used_by_the_next_ones_and_survive_a_restart_of_the_device(
    machine: Machine, place: Home
) -> None:
    events: list[Event] = []
    async with opened(machine, place, events.append) as device:
        wallet = (await device.wallets())[0]
        assert await wallet.prepare(2) == 2
    async with opened(machine, place, events.append) as device:
        wallet = (await device.wallets())[0]
        for text in ("one", "two", "three"):
            assert_signed(wallet, await wallet.sign_message(text), text)
    done = [
        event.protocol for event in events if isinstance(event, Opened) and event.protocol != "ecdsa.setup"
    ]
    assert done == ["ecdsa.presign"] * 2 + ["ecdsa.online"] * 2 + ["ecdsa.sign"]


async def test_a_prepared_signature_whose_node_has_died_costs_nothing_but_itself(
    machine: Machine, place: Home
) -> None:
    events: list[Event] = []
    async with opened(machine, place, events.append) as device:
        wallet = (await device.wallets())[0]
        await wallet.prepare(1)
        machine.kill("node1")
        assert_signed(wallet, await wallet.sign_message("go on"), "go on")
    assert [e.protocol for e in events if isinstance(e, Opened)][-1] == "ecdsa.sign"


class Stolen:
    """An issuer that hands out somebody else's login."""

    def __init__(self, record: LoginRecord) -> None:
        self._record = record

    async def log_in(self, device: PublicKeys) -> LoginRecord:
        return self._record


async def test_a_stolen_login_is_worth_nothing_on_another_device(
    machine: Machine, place: Home, tmp_path: Path
) -> None:
    async with opened(machine, place) as device:
        stolen = device.login
    thief = Device(Home(tmp_path / "thief"), Network.read(machine.home.network_file), issuer=Stolen(stolen))
    async with thief:
        await thief.log_in()
        with pytest.raises(Refused) as refused:
            await thief.desk.nodes.wallets("node1")
        assert refused.value.code == "proof"
        with pytest.raises(Refused) as refused:
            await thief.create_wallet("server")
        assert refused.value.code == "proof"


async def test_another_persons_login_shows_and_signs_nothing_of_ours(
    machine: Machine, place: Home, tmp_path: Path
) -> None:
    network = Network.read(machine.home.network_file)
    issuer = LocalIssuer(network.name, machine.home.login_key, "somebody-else")
    async with opened(machine, place) as device:
        ours = (await device.wallets())[0]
        entry = next(e for e in device.shelf.all() if e.record.public_key == ours.public_key)
        share = device.shelf.share(entry)
    async with Device(Home(tmp_path / "other"), network, issuer=issuer) as stranger:
        await stranger.log_in()
        assert await stranger.desk.nodes.wallets("node1") == []
        # Even with a copy of the wallet's entry and of its share: another account, other keys.
        stranger.shelf.begin("theft", (), int(unix_time()))
        staged = msgspec.structs.replace(entry, state=WalletState.STAGED)
        stranger.shelf.stage("theft", staged, share)
        assert await stranger.wallets() == [], "the register of their account does not take it"
        stranger.shelf.make_live(staged)
        copy = (await stranger.wallets())[0]
        with pytest.raises(Refused) as refused:
            await copy.sign_message("mine now")
        assert refused.value.code == "account"


async def test_the_backup_file_alone_signs_nothing(
    machine: Machine, addresses: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(Unavailable, match="passphrase does not open"):
        open_backup(Path(addresses["backup"]), "another password", system_rng)
    opened_backup = open_backup(Path(addresses["backup"]), PASSWORD, system_rng)
    share = opened_backup.share
    with pytest.raises(NotAuthorised):
        share.structure.coefficients([share.me], share.group.order)
    # Its keys are no login, and a login with them is no factor that may ask for a signature in this version.
    network = Network.read(machine.home.network_file)
    nodes = Nodes(network, opened_backup.keys, lambda: b"")
    with pytest.raises(Refused) as refused:
        await nodes.wallets("node1")
    assert refused.value.code == "login"
    await nodes.close()


def test_a_changed_backup_file_does_not_open(addresses: dict[str, str], tmp_path: Path) -> None:
    file = json.loads(Path(addresses["backup"]).read_text())
    file["header"]["epoch"] = 2
    forged = tmp_path / "forged.backup"
    forged.write_text(json.dumps(file))
    with pytest.raises(Unavailable):
        open_backup(forged, PASSWORD, system_rng)


async def test_a_backup_file_of_a_creation_that_died_is_erased_later(
    machine: Machine, place: Home, tmp_path: Path
) -> None:
    orphan = tmp_path / "orphan.backup"
    orphan.write_text("{}")
    async with opened(machine, place) as device:
        now = int(unix_time())
        device.shelf.begin("dead", (str(orphan),), now - ABANDONED_SECONDS - 1)
        device.shelf.begin("running", (str(tmp_path / "other"),), now)
    async with opened(machine, place) as device:
        assert not orphan.exists()
        device.shelf.give_up("running")
