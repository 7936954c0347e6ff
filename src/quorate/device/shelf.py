"""The wallets a device knows: their records, their certificates, and this device's share of each.

Synchronous; runs in the device's worker thread. A wallet is *staged* from the moment its nodes have promised
to make it live until enough of them have said that it is; only then may its address be shown. Staging keeps
the certificate, so that a crash in between is finished at the next start, by showing it to the nodes again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import msgspec

from quorate.account import KeyRecord
from quorate.account.carrying import carried_share
from quorate.account.presets import DEVICE
from quorate.account.requests import LiveRequest
from quorate.encoding import Canonical, decode, encode
from quorate.errors import LocalError, Unavailable
from quorate.schemes.derivation import Accounts
from quorate.sharing.keyshare import KeyShare
from quorate.vault import Vault
from quorate.vault.files import erase

ABANDONED_SECONDS: Final = 900
"""A creation that began longer ago than this and staged nothing is over: its process has gone."""

_KIND: Final = "wallet"
_ACCOUNTS: Final = "accounts"
"""By key id: the names of the accounts derived from it."""
_BEGUN: Final = "creating"
_BELONGS: Final = "wallet-of"
"""By key id: the first key of the wallet that a further key belongs to."""


class WalletState(StrEnum):
    """See the module's docstring."""

    STAGED = "staged"
    LIVE = "live"


class Entry(Canonical, frozen=True):
    """One wallet. `preset` is what it was asked for as; `backups` are (factor's name, path of its file)."""

    label: Annotated[str, msgspec.Meta(max_length=128)]
    preset: Annotated[str, msgspec.Meta(max_length=1024)]
    record: KeyRecord
    certificate: LiveRequest
    state: WalletState
    backups: Annotated[tuple[tuple[str, str], ...], msgspec.Meta(max_length=32)]
    created: Annotated[int, msgspec.Meta(ge=0)]

    @property
    def key(self) -> str:
        """The key id in hex; how the vault calls the wallet."""
        return self.record.key.hex()


class _Begun(Canonical, frozen=True):
    paths: tuple[str, ...]
    at: int


class Shelf:
    """All wallets of one device."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def begin(self, creation: str, paths: tuple[str, ...], now: int) -> None:
        """Note which backup files a creation will write, before it does."""
        self._vault.records.put(_BEGUN, creation, encode(_Begun(paths, now)), expected=0)

    def give_up(self, creation: str) -> None:
        """Forget a creation that has cleaned up after itself."""
        self._vault.records.delete(_BEGUN, creation, expected=1)

    def sweep(self, now: int) -> list[str]:
        """Erase the backup files of creations whose process died before they staged anything.

        Such a file holds a share of a key that was never used; together with the share this device lost it
        would be that key. Gives the erased paths.
        """
        erased = []
        for record in self._vault.records.list(_BEGUN):
            begun = decode(_Begun, record.value)
            if now - begun.at > ABANDONED_SECONDS:
                for path in begun.paths:
                    erase(Path(path))
                    erased.append(path)
                self._vault.records.delete(_BEGUN, record.name, expected=record.version)
        return erased

    def stage(self, creation: str, entry: Entry, share: KeyShare) -> None:
        """Keep a share that is not live yet, and all that is needed to make it so; one transaction."""
        self.stage_all(creation, [(entry, share)], entry.key)

    def stage_all(self, creation: str, made: Sequence[tuple[Entry, KeyShare]], wallet: str) -> None:
        """The same with several keys of the wallet whose first key is `wallet`: all of them, or none."""
        with self._vault.transaction():
            for entry, share in made:
                if entry.state is not WalletState.STAGED or share.epoch != entry.record.epoch:
                    raise LocalError("a wallet is staged with the share of the epoch it waits for")
                self._vault.shares.put(entry.key, share.epoch, share.to_bytes(), owner=DEVICE)
                self._vault.records.put(_KIND, entry.key, encode(entry), expected=0)
                if entry.key != wallet:
                    self._vault.records.put(_BELONGS, entry.key, bytes.fromhex(wallet), expected=0)
            self._vault.records.delete(_BEGUN, creation, expected=1)

    def make_live(self, entry: Entry) -> Entry:
        """The nodes have made it live: the share becomes active. Repeating it does nothing."""
        live = msgspec.structs.replace(entry, state=WalletState.LIVE)
        with self._vault.transaction():
            known = self._vault.records.get(_KIND, entry.key)
            if known is None:
                raise Unavailable("this device does not know that wallet")
            self._vault.shares.activate(entry.key, entry.record.epoch)
            if known.value != encode(live):
                self._vault.records.put(_KIND, entry.key, encode(live), expected=known.version)
        return live

    def carry(self, entry: Entry, record: KeyRecord) -> Entry:
        """The wallet is in another committee epoch: the same share among other public ones. Gives it anew.

        What the vault holds of the old epoch is erased, presignatures burned, unless the wallet is not live
        yet; then that happens when it becomes so. Repeating it does nothing. Raises `Malformed` if our share
        does not belong to the record.
        """
        with self._vault.transaction():
            known = self._vault.records.get(_KIND, entry.key)
            if known is None:
                raise Unavailable("this device does not know that wallet")
            now = decode(Entry, known.value)
            if now.record.epoch >= record.epoch:
                return now
            share = carried_share(self.share(now), record)
            self._vault.shares.put(now.key, record.epoch, share.to_bytes(), owner=DEVICE)
            carried = msgspec.structs.replace(now, record=record)
            self._vault.records.put(_KIND, now.key, encode(carried), expected=known.version)
            if now.state is WalletState.LIVE:
                self._vault.shares.activate(now.key, record.epoch)
        return carried

    def entry(self, key: str) -> Entry:
        """A wallet as it is now. Raises `Unavailable`."""
        known = self._vault.records.get(_KIND, key)
        if known is None:
            raise Unavailable("this device does not know that wallet")
        return decode(Entry, known.value)

    def all(self) -> list[Entry]:
        """Every wallet, oldest first."""
        found = [decode(Entry, record.value) for record in self._vault.records.list(_KIND)]
        return sorted(found, key=lambda entry: (entry.created, entry.key))

    def wallets(self) -> list[tuple[Entry, ...]]:
        """The keys of every wallet, its first one first; the oldest wallet first."""
        first = {row.name: row.value.hex() for row in self._vault.records.list(_BELONGS)}
        found: dict[str, list[Entry]] = {}
        entries = self.all()
        for entry in sorted(entries, key=lambda entry: entry.key in first):
            found.setdefault(first.get(entry.key, entry.key), []).append(entry)
        return [tuple(found[entry.key]) for entry in entries if entry.key in found]

    def accounts(self, key: str) -> Accounts:
        """The accounts of a key, by its id; none before the first is added."""
        known = self._vault.records.get(_ACCOUNTS, key)
        return Accounts() if known is None else decode(Accounts, known.value)

    def change_accounts(self, key: str, change: Callable[[Accounts], Accounts]) -> Accounts:
        """What `change` makes of them, kept in one transaction. Raises what `change` raises."""
        with self._vault.transaction():
            known = self._vault.records.get(_ACCOUNTS, key)
            before = self.accounts(key)
            after = change(before)
            if after != before:
                version = 0 if known is None else known.version
                self._vault.records.put(_ACCOUNTS, key, encode(after), expected=version)
        return after

    def share(self, entry: Entry) -> KeyShare:
        """This device's share. Raises `Unavailable`."""
        return KeyShare.from_bytes(self._vault.shares.get(entry.key, entry.record.epoch).reveal())
