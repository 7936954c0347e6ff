"""The accounts of one key, as their owner keeps them: numbers, names, and a gap limit. Pure rules.

Accounts are found again by asking a chain for account 0, 1, 2, ... until `GAP_LIMIT` in a row were never used
(BIP 44). So no more than that may be handed out unused: an account behind a longer gap would be money that a
restored wallet doesn't see. The wallet's own key, the root, is not one of them.

Names are for the owner alone and are never signed. Whoever keeps an `Accounts` stores its canonical encoding.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from quorate.encoding import Canonical
from quorate.errors import LimitExceeded, LocalError, Malformed
from quorate.schemes.derivation.path import MAX_INDEX

GAP_LIMIT: Final = 20
"""Unused accounts in a row after which a search ends; BIP 44's number, which watch-only wallets use too."""

MAX_ACCOUNTS: Final = 2_000
"""Accounts of one key that a device keeps, so that their encoding fits one record even with long names; a
shop that needs more derives from the xpub itself."""

MAX_NAME: Final = 64
"""Characters of an account's name: a line on a screen."""


class Account(Canonical, frozen=True):
    """One account. `used` says that something was seen or signed on a chain; it never becomes unused."""

    index: Annotated[int, msgspec.Meta(ge=0, le=MAX_INDEX)]
    name: str
    used: bool = False

    def __post_init__(self) -> None:
        if (
            not 0 < len(self.name) <= MAX_NAME
            or not self.name.isprintable()
            or self.name != self.name.strip()
        ):
            raise Malformed(
                f"an account's name is 1 to {MAX_NAME} printable characters, no space around them"
            )


class Accounts(Canonical, frozen=True):
    """All accounts of a key, in the order of their numbers. Methods give a new value."""

    rows: Annotated[tuple[Account, ...], msgspec.Meta(max_length=MAX_ACCOUNTS)] = ()

    def __post_init__(self) -> None:
        indices = [row.index for row in self.rows]
        if indices != sorted(set(indices)):
            raise Malformed("accounts: numbers in ascending order, each once")
        if len({row.name for row in self.rows}) != len(self.rows):
            raise Malformed("accounts: each name once")

    @property
    def searched(self) -> range:
        """The numbers that a search of this key looks at: up to `GAP_LIMIT` beyond the last used one."""
        last = max((row.index for row in self.rows if row.used), default=-1)
        return range(min(last + GAP_LIMIT, MAX_INDEX) + 1)

    def named(self, name: str) -> Account:
        """The account of that name, or with that number in digits. Raises `LocalError`."""
        found = [row for row in self.rows if row.name == name]
        found = found or [row for row in self.rows if str(row.index) == name]
        if not found:
            raise LocalError(f"this wallet has no account {name!r}")
        return found[0]

    def add(self, name: str, *, skip: frozenset[int] = frozenset()) -> tuple[Accounts, Account]:
        """A new account at the lowest free number; `skip` holds numbers without a key (`NoChild`).

        Raises `LimitExceeded` when a search would not find it, and `LocalError` for a name in use.
        """
        if any(row.name == name for row in self.rows):
            raise LocalError(f"there is an account {name!r} already")
        if len(self.rows) >= MAX_ACCOUNTS:
            raise LimitExceeded(f"a device keeps at most {MAX_ACCOUNTS} accounts of one key")
        taken = {row.index for row in self.rows} | skip
        index = next((number for number in self.searched if number not in taken), None)
        if index is None:
            raise LimitExceeded(
                f"{GAP_LIMIT} accounts in a row are unused; use one first, or a restored wallet would not "
                "find the next"
            )
        account = Account(index, name)
        return self._with(account), account

    def rename(self, index: int, name: str) -> Accounts:
        """The same with another name for one account."""
        if any(row.name == name and row.index != index for row in self.rows):
            raise LocalError(f"there is an account {name!r} already")
        return self._with(Account(index, name, self._at(index).used))

    def use(self, index: int) -> Accounts:
        """The same, with one account known to be in use."""
        return self._with(Account(index, self._at(index).name, True))

    def _at(self, index: int) -> Account:
        for row in self.rows:
            if row.index == index:
                return row
        raise LocalError(f"this wallet has no account number {index}")

    def _with(self, account: Account) -> Accounts:
        rows = {row.index: row for row in self.rows} | {account.index: account}
        return Accounts(tuple(rows[index] for index in sorted(rows)))
