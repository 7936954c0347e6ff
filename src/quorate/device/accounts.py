"""The accounts of one key as this device keeps them: names for paths, and what a watch-only wallet needs.

    savings = await wallet.accounts().add("savings")
    wallet.address_on("eip155:1", savings.path)

The rules are `quorate.schemes.derivation.Accounts` (numbers, names, gap limit); here they are stored, and a
signature marks its account as used. The list is this device's own: losing it loses names, since a restored
wallet finds its used accounts by asking chains (docs/derivation.md).

An account has no share and no export of its own. Whoever exported one key of the tree would have exported
the root, so only the root is ever offered for that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quorate.account import KeyRecord
from quorate.device.shelf import Shelf
from quorate.errors import LocalError
from quorate.schemes.derivation import (
    BITCOIN_SEGWIT,
    BITCOIN_TAPROOT,
    CHANGE,
    ETHEREUM,
    TESTNET_SEGWIT,
    TESTNET_TAPROOT,
    Account,
    Accounts,
    NoChild,
    account_path,
    derive,
    descriptor,
    has_accounts,
    root_descriptor,
)

Worker = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class NamedAccount:
    """One account: its number, its name, where it is below the key, its public key."""

    index: int
    name: str
    used: bool
    path: str
    public_key: bytes

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        return {
            "index": self.index,
            "name": self.name,
            "used": self.used,
            "path": self.path,
            "public_key": self.public_key.hex(),
        }


class KeyAccounts:
    """The accounts of one key. Changes run in the device's worker thread, each one transaction."""

    def __init__(self, record: KeyRecord, shelf: Shelf, worker: Worker) -> None:
        if not has_accounts(record.curve):
            raise LocalError(f"keys on {record.curve} have no derived accounts; add another key instead")
        self._record = record
        self._shelf = shelf
        self._worker = worker

    async def all(self) -> list[NamedAccount]:
        """Every account, in the order of their numbers."""
        kept: Accounts = await self._worker(self._shelf.accounts, self._key)
        return [self._named(row) for row in kept.rows]

    async def named(self, name: str) -> NamedAccount:
        """One of them, by name or number. Raises `LocalError`."""
        kept: Accounts = await self._worker(self._shelf.accounts, self._key)
        return self._named(kept.named(name))

    async def add(self, name: str) -> NamedAccount:
        """A new account at the next number. Raises `LimitExceeded` where a search would not find it."""

        def change(accounts: Accounts) -> Accounts:
            without_key: set[int] = set()
            while True:
                grown, made = accounts.add(name, skip=frozenset(without_key))
                try:
                    self._named(made)
                except NoChild:
                    without_key.add(made.index)
                else:
                    return grown

        kept: Accounts = await self._worker(self._shelf.change_accounts, self._key, change)
        return self._named(kept.named(name))

    async def rename(self, which: str, name: str) -> NamedAccount:
        """Another name for an account. Raises `LocalError`."""

        def change(accounts: Accounts) -> Accounts:
            return accounts.rename(accounts.named(which).index, name)

        kept: Accounts = await self._worker(self._shelf.change_accounts, self._key, change)
        return self._named(kept.named(name))

    async def use(self, which: str) -> NamedAccount:
        """Say that a chain has seen an account, so that the gap limit counts from there."""

        def change(accounts: Accounts) -> Accounts:
            return accounts.use(accounts.named(which).index)

        kept: Accounts = await self._worker(self._shelf.change_accounts, self._key, change)
        return self._named(kept.named(which))

    async def signed(self, path: str) -> None:
        """A signature was made at `path`: if an account of ours is there, it is in use from now on."""

        def change(accounts: Accounts) -> Accounts:
            for row in accounts.rows:
                if account_path(self._record.curve, row.index) == path and not row.used:
                    return accounts.use(row.index)
            return accounts

        await self._worker(self._shelf.change_accounts, self._key, change)

    def watching(self, *, test: bool = False) -> Mapping[str, str]:
        """What watch-only wallets take, by what it is: the extended key, and descriptors with checksums.

        `test` for Bitcoin's test networks. Only keys on secp256k1 have any; raises `LocalError` for others.
        """
        if self._record.curve != "secp256k1":
            raise LocalError(f"no wallet format is known for watching a key on {self._record.curve}")
        root, code = self._record.point, self._record.chain_code
        segwit, taproot = (TESTNET_SEGWIT, TESTNET_TAPROOT) if test else (BITCOIN_SEGWIT, BITCOIN_TAPROOT)
        found = {} if test else {"ethereum xpub": ETHEREUM.account(root, code).to_text()}
        for kind, origin in (("taproot", taproot), ("segwit", segwit)):
            found[f"{kind} receive"] = descriptor(origin, root, code)
            found[f"{kind} change"] = descriptor(origin, root, code, CHANGE)
            found[f"{kind} root"] = root_descriptor(origin, root)
        return found

    @property
    def _key(self) -> str:
        return self._record.key.hex()

    def _named(self, row: Account) -> NamedAccount:
        path = account_path(self._record.curve, row.index)
        child = derive(self._record.point, self._record.chain_code, path)
        return NamedAccount(row.index, row.name, row.used, path, child.point.to_bytes())
