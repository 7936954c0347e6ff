"""The register's rows in the vault: one record for each account, replaced in one transaction.

Every write of a row also advances the vault's generation, so that a database restored to before a vote is
found out when it is opened: a vote that was forgotten could be given twice. What was decided is kept entry by
entry beside the rows. `Office` says in which epoch this node votes, or why it does not.

Synchronous; runs in the worker thread. Nothing is secret here, so nothing is sealed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from quorate.account.register import Entry, Row
from quorate.account.register.handover import shard_of_account
from quorate.account.register.messages import MAX_TRAIL
from quorate.account.register.rows import learned
from quorate.encoding import Canonical, decode, encode
from quorate.vault import Vault

_OFFICE: Final = "register-office"
_RATE: Final = "register-rate"
_SLOTS: Final = "register"


class Standing(StrEnum):
    """Whether a node votes.

    One that comes into a committee of a later epoch joins: it votes when it has adopted what E members hand
    over. One whose database was restored from an older copy abstains until the *next* change of committee: it
    may have adopted, and voted, before.
    """

    VOTES = "votes"
    JOINS = "joins"
    ABSTAINS = "abstains"
    FINISHED = "finished"


class Office(Canonical, frozen=True):
    """The epoch that the rows are of, and the node's standing in it."""

    epoch: Annotated[int, msgspec.Meta(ge=0)]
    standing: Standing


class RegisterStore:
    """All rows of one node."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Join the calls inside into one durable unit."""
        with self._vault.transaction():
            yield

    # --- rows --------------------------------------------------------------------------------------------

    def row(self, account: bytes, epoch: int) -> Row:
        """The row of an account; a fresh one of `epoch` if there is none."""
        found = self._vault.records.get(_rows(shard_of_account(account)), account.hex())
        return Row.fresh(epoch) if found is None else decode(Row, found.value)

    def put(self, account: bytes, before: Row, after: Row) -> tuple[Entry, ...]:
        """Replace `before` by `after`; gives the entries that this adds to the known chain, oldest first.

        Whoever calls it calls `advance` at the end of the transaction.
        """
        if after == before:
            return ()
        chain = learned(before, after)
        with self._vault.transaction():
            kind = _rows(shard_of_account(account))
            found = self._vault.records.get(kind, account.hex())
            expected = 0 if found is None else found.version
            for entry in chain:
                self._keep(account, entry)
            self._vault.records.put(kind, account.hex(), encode(after), expected=expected)
        return chain

    def advance(self) -> None:
        """Let a restore to before this transaction be found out; the last call in it."""
        with self._vault.transaction() as tx:
            self._vault.generation.advance(tx)

    def rows(self, shard: int) -> dict[bytes, Row]:
        """The rows of all accounts of a shard."""
        found = self._vault.records.list(_rows(shard))
        return {bytes.fromhex(record.name): decode(Row, record.value) for record in found}

    def trail(self, account: bytes, since: int) -> tuple[Entry, ...]:
        """The entries kept of an account from this version on, ascending, at most `MAX_TRAIL`."""
        found = []
        head = self.row(account, 0).version
        for version in range(since, min(head, since + MAX_TRAIL - 1) + 1):
            record = self._vault.records.get(_chain(account), f"{version:010}")
            if record is not None:
                found.append(decode(Entry, record.value))
        return tuple(found)

    def _keep(self, account: bytes, entry: Entry) -> None:
        name = f"{entry.version:010}"
        if self._vault.records.get(_chain(account), name) is None:
            self._vault.records.put(_chain(account), name, encode(entry), expected=0)

    # --- slots -------------------------------------------------------------------------------------------

    def slot(self, slot: str) -> bytes | None:
        """What a write-once slot holds."""
        return self._vault.slots.read(_SLOTS, slot)

    def fill(self, slot: str, value: bytes) -> bytes:
        """Write it unless something is there; gives what it holds, durably when outermost."""
        with self._vault.transaction() as tx:
            if (held := self._vault.slots.read(_SLOTS, slot)) is not None:
                return held
            written = self._vault.slots.write_once(_SLOTS, slot, value)
            self._vault.generation.advance(tx)
        return written

    # --- how often -----------------------------------------------------------------------------------------

    def count(self, account: bytes, day: int) -> int:
        """Count one more new entry of an account on this day; gives how many that are."""
        found = self._vault.records.get(_RATE, account.hex())
        known, count = (day, 0) if found is None else decode(tuple[int, int], found.value)
        count = count + 1 if known == day else 1
        expected = 0 if found is None else found.version
        self._vault.records.put(_RATE, account.hex(), encode((day, count)), expected=expected)
        return count

    # --- the office --------------------------------------------------------------------------------------

    def office(self, epoch: int) -> Office:
        """Where this node stands. A vault that has none yet votes only in the first epoch of all.

        A database restored from an older copy may have forgotten votes, so it abstains from then on, also
        when its operator has acknowledged the restore.
        """
        found = self._vault.records.get(_OFFICE, "")
        if found is None:
            standing = Standing.VOTES if epoch == 0 else Standing.JOINS
            self.take_office(Office(epoch, standing))
        office = self._office()
        if self._vault.rolled_back and office.standing is not Standing.ABSTAINS:
            self.take_office(Office(office.epoch, Standing.ABSTAINS))
            office = self._office()
        return office

    def take_office(self, office: Office) -> None:
        """Write it down, durably when outermost."""
        with self._vault.transaction() as tx:
            found = self._vault.records.get(_OFFICE, "")
            expected = 0 if found is None else found.version
            self._vault.records.put(_OFFICE, "", encode(office), expected=expected)
            self._vault.generation.advance(tx)

    def _office(self) -> Office:
        found = self._vault.records.get(_OFFICE, "")
        return Office(0, Standing.ABSTAINS) if found is None else decode(Office, found.value)


def _rows(shard: int) -> str:
    return f"register-rows-{shard:02}"


def _chain(account: bytes) -> str:
    return f"register-of-{account.hex()}"
