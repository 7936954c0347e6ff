"""A device: one holder of one share of each of its owner's wallets.

    async with Device.open() as device:
        await device.log_in()
        wallet = await device.create_wallet("personal", Backup.to("wallet.backup", "a long password"))

That is the high face; `quorate.connect()` is the same without ``await``. Below it, each usable alone:
`Network` (who the nodes are), `Nodes` (connections), `Desk` (sessions), `create`, `SigningRoom`, `Shelf`.

The home directory holds a vault sealed by a key file beside it: it protects a copied database, not a copied
disk. The device's keys are made at its first start and never leave it; its login is bound to them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from quorate.chains import Chains
from quorate.clock import Clock, unix_time
from quorate.device.backup import Backup
from quorate.device.committee import carry, followed, went_on
from quorate.device.create import DEFAULT_CURVES, Wish, create, make_live
from quorate.device.forming import Report
from quorate.device.home import Home
from quorate.device.instances import InstanceBook
from quorate.device.login import Issuer, LocalIssuer, LoginRecord
from quorate.device.network import Network
from quorate.device.nodes import Nodes
from quorate.device.reachable import Reachability
from quorate.device.restore import settle_restore
from quorate.device.sessions import Desk, Observer
from quorate.device.shelf import Entry, Shelf, WalletState
from quorate.device.wallet import Wallet
from quorate.encoding import decode, encode
from quorate.entropy import Rng, system_rng
from quorate.errors import Abort, LocalError, Missing, Refused, Unavailable
from quorate.secret import Secret
from quorate.session import Identity, KeyPair
from quorate.vault import Vault
from quorate.vault.files import make_private_directory
from quorate.vault.seals import KeyFileSeal

BACKUP: Final = "backup"
_SECRETS: Final = "device"
"""The scope of the vault under which the device's own keys and its login are sealed."""


def _silent(_: str) -> None:
    return None


class Device:
    """Use it as an async context manager; every method but `open` needs it open."""

    def __init__(
        self,
        home: Home,
        network: Network,
        *,
        issuer: Issuer | None = None,
        observer: Observer | None = None,
        reach: Callable[[Network, Identity, Callable[[], bytes]], Nodes] = Nodes,
        rng: Rng = system_rng,
        clock: Clock = unix_time,
    ) -> None:
        self.home = home
        self._network = network
        self._issuer = issuer
        self._observer = observer
        self._reach = reach
        self._rng = rng
        self._clock = clock
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="device")
        self._login: LoginRecord | None = None
        self._desk: Desk | None = None
        self._shelf: Shelf | None = None
        self._chains = Chains(network.chains)

    @classmethod
    def open(cls, home: Path | str | None = None, *, observer: Observer | None = None) -> Device:
        """The device of a home directory (default: ``QUORATE_HOME``), on the network `quorate up` made there.

        Raises `Unavailable` when no network is known there.
        """
        place = Home.default() if home is None else Home(Path(home).expanduser().absolute())
        network = Network.read(place.network_file)
        issuer = LocalIssuer(network.name, place.login_key) if place.login_key.exists() else None
        return cls(place, network, issuer=issuer, observer=observer)

    async def __aenter__(self) -> Self:
        try:
            vault = await self._worker(self._open_vault)
            identity = await self._worker(self._own_keys, vault)
            network = await self._worker(followed, vault, self._network)
        except BaseException:
            self._threads.shutdown(wait=False)
            raise
        self._desk = Desk(
            network=network,
            identity=identity,
            vault=vault,
            nodes=self._reach(network, identity, lambda: self.login.token),
            book=InstanceBook(vault, self._clock),
            reachable=Reachability(),
            worker=self._worker,
            login=lambda: self.login,
            rng=self._rng,
            clock=self._clock,
            observer=self._observer,
        )
        self._shelf = Shelf(vault)
        self._login = await self._worker(self._kept_login, vault)
        await self._worker(self._shelf.sweep, int(self._clock()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._desk is not None:
            await self._desk.close()
            await self._worker(self._desk.vault.close)
            self._desk = None
        self._threads.shutdown(wait=True)

    @property
    def network(self) -> Network:
        """The network as this device knows it now."""
        return self._network if self._desk is None else self._desk.network

    # --- login ---------------------------------------------------------------------------------------

    @property
    def login(self) -> LoginRecord:
        """The login in use. Raises `Refused` with code ``login`` when there is none, or it has run out."""
        if self._login is None:
            raise Refused("this device is not logged in; log in first: quorate login", code="login")
        return self._login.check(self._clock())

    @property
    def logged_in(self) -> bool:
        """Whether there is a login that has not run out."""
        try:
            self.login.check(self._clock())
        except Refused:
            return False
        return True

    async def log_in(self, issuer: Issuer | None = None) -> LoginRecord:
        """Get a fresh login and keep it. Without `issuer`, from the local network. Ends quarantines."""
        asked = issuer or self._issuer
        if asked is None:
            raise Unavailable(
                "this network's logins come from elsewhere: its login key is not on this machine"
            )
        found = await asked.log_in(self.desk.identity.public)
        if self._login is not None and found.account != self._login.account and await self._entries():
            raise LocalError(
                f"this device belongs to {self._login.subject!r}; another person uses another home directory"
            )
        self._login = found
        await self._worker(self._keep_login, found)
        return found

    # --- wallets -------------------------------------------------------------------------------------

    async def create_wallet(
        self,
        preset: str = "personal",
        backup: Backup | Mapping[str, Backup] | None = None,
        *,
        label: str = "",
        keys: Sequence[str] = DEFAULT_CURVES,
        report: Report = _silent,
    ) -> Wallet:
        """Make a wallet; its keys are never anywhere whole. Needs most nodes for a few seconds.

        `preset`: ``personal`` (any two of the nodes, this device, a backup), ``server`` (the nodes and this
        device), or an expression. `backup` is where the backup goes, for each by name if there are several.
        `keys` names the curves it has a key on: ``secp256k1``, ``ed25519`` and what chains need beside them.
        Raises `LocalError` for a wish that cannot be met, `Missing` when a node is down.
        """
        backups = {BACKUP: backup} if isinstance(backup, Backup) else dict(backup or {})
        wish = Wish.of(self.desk, preset, backups, label, keys)
        try:
            entries = await create(self.desk, self.shelf, wish, report)
        except Abort as error:
            if not await went_on(self.desk, error):
                raise
            # The nodes have gone on to another committee epoch; what was begun in the last one is given up.
            wish = Wish.of(self.desk, preset, backups, label, keys)
            entries = await create(self.desk, self.shelf, wish, report)
        return self._wallet(entries)

    async def add_key(
        self,
        wallet: Wallet,
        *curves: str,
        password: str | Mapping[str, str] = "",
        report: Report = _silent,
    ) -> Wallet:
        """Give a wallet a key on each of these curves, held by the same factors; gives the wallet anew.

        A wallet with a backup needs the backup's file where it was written, and its `password` (by factor, if
        there are several): another process opens it and adds its share of the new key. Raises `LocalError`,
        `Unavailable`.
        """
        try:
            return await self._add_key(wallet, curves, password, report)
        except Abort as error:
            if not await went_on(self.desk, error):
                raise
            return await self._add_key(wallet, curves, password, report)

    async def _add_key(
        self, wallet: Wallet, curves: Sequence[str], password: str | Mapping[str, str], report: Report
    ) -> Wallet:
        entries = next(found for found in await self._grouped() if found[0].key == wallet.id)
        first = await carry(self.desk, self.shelf, entries[0])
        if first is None:
            names = self.desk.network.names
            raise Missing("the nodes do not yet agree on the wallet's record", parties=names, needed=1)
        passwords = password if isinstance(password, Mapping) else {}
        backups = {
            name: (path, passwords.get(name, password if isinstance(password, str) else ""))
            for name, path in first.backups
        }
        wish = Wish.adding(curves, (first, *entries[1:]), backups)
        await create(self.desk, self.shelf, wish, report)
        found = next(entries for entries in await self._grouped() if entries[0].key == wallet.id)
        return self._wallet([entry for entry in found if entry.state is WalletState.LIVE])

    async def wallets(self) -> list[Wallet]:
        """All wallets of this device, oldest first; finishes unfinished ones where the nodes allow."""
        entries = await self._entries()
        if entries:
            await settle_restore(self.desk, entries)
        for entry in entries:
            if entry.state is WalletState.STAGED:
                try:
                    await make_live(self.desk, self.shelf, entry)
                except (Missing, Refused):
                    continue  # not live yet, or never: the others are as they were
        found = []
        for keys in await self._grouped():
            live = [entry for entry in keys if entry.state is WalletState.LIVE]
            if live and live[0].key == keys[0].key:
                found.append(self._wallet(live))
        return found

    async def unfinished(self) -> int:
        """How many wallets wait for enough nodes to be finished, or a key of theirs does."""
        return sum(any(entry.state is WalletState.STAGED for entry in keys) for keys in await self._grouped())

    async def wallet(self, which: str | None = None) -> Wallet:
        """One wallet: by address or label, or the only one. Raises `LocalError`, saying which there are."""
        wallets = await self.wallets()
        matching = [w for w in wallets if which is None or which.lower() in w.names]
        if len(matching) == 1:
            return matching[0]
        if not wallets:
            raise LocalError("this device has no wallet yet; make one: quorate wallet create")
        known = ", ".join(f"{w.address} {w.label}".strip() for w in wallets)
        if not matching:
            raise LocalError(f"this device has no wallet {which}; it has: {known}")
        raise LocalError(f"which wallet? Name one by its address or label: {known}")

    # --- the pieces ----------------------------------------------------------------------------------

    @property
    def desk(self) -> Desk:
        """What sessions are made from; see `quorate.device.sessions`."""
        if self._desk is None:
            raise LocalError("open the device first: async with Device.open() as device")
        return self._desk

    @property
    def shelf(self) -> Shelf:
        """The wallets as stored; see `quorate.device.shelf`."""
        if self._shelf is None:
            raise LocalError("open the device first: async with Device.open() as device")
        return self._shelf

    async def warm(self) -> None:
        """Load the chains' libraries ahead of the first preview or signature."""
        await asyncio.to_thread(self._chains.warm)

    async def _entries(self) -> list[Entry]:
        found: list[Entry] = await self._worker(self.shelf.all)
        return found

    async def _grouped(self) -> list[tuple[Entry, ...]]:
        found: list[tuple[Entry, ...]] = await self._worker(self.shelf.wallets)
        return found

    def _wallet(self, entries: Sequence[Entry]) -> Wallet:
        return Wallet(self.desk, self.shelf, entries, self._chains)

    async def _worker(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a blocking function in the device's one worker thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def _open_vault(self) -> Vault:
        place = self.home.make().device
        make_private_directory(place)
        seal_file = place / "seal.key"
        open_seal = KeyFileSeal.load if seal_file.exists() else KeyFileSeal.create
        seal = open_seal(seal_file, rng=self._rng)
        return Vault.open(f"sqlite:///{place / 'vault.sqlite'}", place / "keys", seal, rng=self._rng)

    def _own_keys(self, vault: Vault) -> KeyPair:
        kept = vault.records.get("identity", "device")
        if kept is None:
            vault.records.put("identity", "device", self._rng(32), expected=0, scope=_SECRETS)
            kept = vault.records.get("identity", "device")
        if kept is None:
            raise Unavailable("the device's keys could not be kept")
        return KeyPair(Secret(kept.value))

    def _kept_login(self, vault: Vault) -> LoginRecord | None:
        kept = vault.records.get("login", self.network.name)
        return None if kept is None else decode(LoginRecord, kept.value)

    def _keep_login(self, login: LoginRecord) -> None:
        vault = self.desk.vault
        kept = vault.records.get("login", self.network.name)
        version = 0 if kept is None else kept.version
        vault.records.put("login", self.network.name, encode(login), expected=version, scope=_SECRETS)
