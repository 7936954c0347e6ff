"""The generation: a number that only grows, in the database and in a file outside it.

Each opening of the vault, each flip or erasure of an epoch and each use of a one-time value adds one, first
in the transaction concerned, then (before anything leaves the process) in the file. A database that is
behind its file was restored from an older copy: presignatures it shows as unused may have been used. The
vault then discards what is dangerous twice (`quorate.vault.vault`) and raises a flag, which stays up across
restarts until the caller has read the heads of its accounts from the other nodes and says so.

Counting only openings was rejected: a copy made while the process runs has the same number as the database
an hour later, and restoring it between two openings would go unseen.

The file is two slots of 64 bytes, written in turn, so that a torn write leaves the older slot. Somebody who
restores file and database together is not seen here; see ``docs/protocols/vault.md``.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from quorate.entropy import Rng
from quorate.errors import Unavailable
from quorate.vault import files
from quorate.vault.steps import Step, no_step
from quorate.vault.storage import Storage, Transaction

_MAGIC: Final = b"QGEN1"
_SLOT: Final = struct.Struct(">5s?16sQQI")
_SLOT_BYTES: Final = 64
_VAULT_ID_BYTES: Final = 16


class Generation:
    """The counter of one vault. Thread-safe; several processes may share it."""

    def __init__(self, storage: Storage, path: Path, *, step: Step = no_step) -> None:
        self._storage = storage
        self._path = path
        self._step = step

    def open(self, *, rng: Rng, discard: Callable[[Transaction], None]) -> None:
        """Compare both sides and advance them; once, before anything else is done with the vault.

        When the database is behind, `discard` is called in the transaction that catches it up. Raises
        `Unavailable` when the file belongs to another database.
        """
        with files.locked(self._path.with_suffix(".lock")):
            self._begin(rng, discard)

    @property
    def value(self) -> int:
        """The number, as the file has it."""
        return self._read().value

    @property
    def rolled_back(self) -> bool:
        """Whether a restored database was found and nobody has called `acknowledge` since."""
        return self._read().rolled_back

    def advance(self, tx: Transaction) -> None:
        """Add one with `tx`; the file follows before the outermost ``with`` statement ends.

        Call it last in a transaction: the row it locks is shared by all. Raises `Unavailable` when the
        database has fallen behind while this process was running (a failover to an old replica).
        """
        tx.execute("UPDATE generation SET value = value + 1")
        ((value,),) = tx.query("SELECT value FROM generation")
        if value <= self._read().value:
            raise Unavailable(
                "the database under this running process is older than it was; restart the process, which "
                "then discards what may have been used already"
            )
        tx.after_commit(lambda: self._follow(value))

    def acknowledge(self) -> None:
        """Lower the flag: the caller has read the heads from its peers and erased what they say is past."""
        with files.locked(self._path.with_suffix(".lock")):
            self._write(replace(self._read(), rolled_back=False))

    def _begin(self, rng: Rng, discard: Callable[[Transaction], None]) -> None:
        mark = self._read_or_none()
        with self._storage.transaction() as tx:
            row = tx.query_one("SELECT vault, value FROM generation")
        stored = int(row[1]) if row else 0
        if row is not None and mark is not None and bytes(row[0]) != mark.vault:
            raise Unavailable(
                f"{self._path.parent} belongs to another database; give the storage URL and the directory "
                "that were made together"
            )
        if mark is not None:
            behind = stored < mark.value
        else:
            # No file. A new vault; or the file was lost: nothing is known, so the worst is assumed.
            behind = row is not None
            mark = _Mark(False, bytes(row[0]) if row else rng(_VAULT_ID_BYTES), stored)
        mark = replace(mark, rolled_back=mark.rolled_back or behind)
        self._write(mark)  # the flag is up before the database forgets that it was behind
        with self._storage.transaction() as tx:
            if behind:
                discard(tx)
            mark = replace(mark, value=max(mark.value, stored) + 1)
            tx.execute("DELETE FROM generation")
            tx.execute("INSERT INTO generation (vault, value) VALUES (?, ?)", (mark.vault, mark.value))
        self._write(mark)

    def _follow(self, value: int) -> None:
        with files.locked(self._path.with_suffix(".lock")):
            mark = self._read()
            if value > mark.value:  # threads and processes may arrive here out of order
                self._write(replace(mark, value=value))

    def _read(self) -> _Mark:
        mark = self._read_or_none()
        if mark is None:
            raise Unavailable(f"{self._path} is gone; restart the process to begin a new one safely")
        return mark

    def _read_or_none(self) -> _Mark | None:
        slots = self._slots()
        return slots[_newest(slots)] if slots else None

    def _slots(self) -> dict[int, _Mark]:
        try:
            data = files.read_small(self._path)
        except FileNotFoundError:
            return {}
        found = {}
        for index in range(2):
            mark = _parse(data[index * _SLOT_BYTES : (index + 1) * _SLOT_BYTES])
            if mark is not None:
                found[index] = mark
        if data and not found:
            raise Unavailable(f"{self._path} is damaged; move it away, and this counts as a rollback")
        return found

    def _write(self, mark: _Mark) -> None:
        slots = self._slots()
        if not slots:
            both = replace(mark, serial=1).to_bytes() + bytes(_SLOT_BYTES)  # its final size from the start
            files.write_new(self._path, both, draft=self._path.with_suffix(".draft"), step=self._step)
            return
        newest = _newest(slots)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            self._step("write generation")
            fresh = replace(mark, serial=slots[newest].serial + 1)
            os.pwrite(descriptor, fresh.to_bytes(), (1 - newest) * _SLOT_BYTES)
            self._step("sync generation")
            files.sync(descriptor, same_size=True)
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class _Mark:
    rolled_back: bool
    vault: bytes
    value: int
    serial: int = 0

    def to_bytes(self) -> bytes:
        body = _SLOT.pack(_MAGIC, self.rolled_back, self.vault, self.value, self.serial, 0)[:-4]
        return (body + zlib.crc32(body).to_bytes(4, "big")).ljust(_SLOT_BYTES, b"\0")


def _newest(slots: dict[int, _Mark]) -> int:
    return max(slots, key=lambda index: slots[index].serial)


def _parse(slot: bytes) -> _Mark | None:
    if len(slot) < _SLOT.size:
        return None
    magic, rolled_back, vault, value, serial, checksum = _SLOT.unpack(slot[: _SLOT.size])
    if magic != _MAGIC or zlib.crc32(slot[: _SLOT.size - 4]) != checksum:
        return None
    return _Mark(rolled_back, vault, value, serial)
