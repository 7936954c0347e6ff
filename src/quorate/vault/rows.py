"""Sealed rows: what every store of the vault is made of.

A row is sealed with AES-256-GCM under its data key, random 96-bit nonce, and is bound to its place: table,
id, owner, key, epoch and scope are associated data. A row moved to another place, cut short, or put back
under another epoch does not open. A data key seals far fewer than 2^32 rows, so random nonces are safe.

The erase walk also lives here. A transaction that makes a scope worthless orders its erasure; once it has
committed the data key is destroyed and the order struck out. Between the two a crash may fall: `finish`
carries out what is still ordered when the vault opens again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from quorate.encoding import encode
from quorate.entropy import Rng
from quorate.errors import LimitExceeded, LocalError, ProofRejected
from quorate.vault.datakeys import DataKeys
from quorate.vault.generation import Generation
from quorate.vault.storage import Storage, Transaction

MAX_ROW_BYTES: Final = 1 << 22
"""One sealed value: four messages of the largest size, as a journal record of a broadcast may hold."""

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row belongs. With `key`, it is erased with that epoch; otherwise `scope` names its data key."""

    table: str
    row: str
    owner: str = ""
    key: str = ""
    epoch: int = 0
    scope: str = ""

    def __post_init__(self) -> None:
        if bool(self.key) == bool(self.scope):
            raise LocalError("a row belongs to an epoch of a key, or to a scope; to one of them")

    @property
    def sealed_under(self) -> str:
        """The scope of its data key."""
        return epoch_scope(self.key, self.epoch) if self.key else self.scope

    def binding(self) -> bytes:
        """The associated data."""
        return encode(
            ("quorate/vault/row/v1", self.table, self.row, self.owner, self.key, self.epoch, self.scope)
        )


def epoch_scope(key: str, epoch: int) -> str:
    """The scope of everything that dies with an epoch."""
    return f"epoch:{key}:{epoch}"


class Rows:
    """Seals and opens rows, and erases scopes. Shared by all stores of one vault."""

    def __init__(self, storage: Storage, data_keys: DataKeys, generation: Generation, rng: Rng) -> None:
        self.storage = storage
        self.data_keys = data_keys
        self.generation = generation
        self.rng = rng

    def seal(self, place: Place, value: bytes) -> bytes:
        """`value` sealed to `place`; makes its data key where there is none yet."""
        with self.storage.transaction() as tx:
            if tx.query_one("SELECT scope FROM erasures WHERE scope = ?", (place.sealed_under,)):
                # Sealed now, it would be lost with the old data key when this transaction commits.
                raise LocalError(f"{place.sealed_under} is being erased; store into it afterwards")
        return self.seal_with(self.data_keys.cipher(place.sealed_under, create=True), place, value)

    def seal_with(self, cipher: AESGCM, place: Place, value: bytes) -> bytes:
        """`value` sealed to `place` under its data key, which the caller has just made."""
        if len(value) > MAX_ROW_BYTES:
            raise LimitExceeded(f"a row holds at most {MAX_ROW_BYTES} bytes, not {len(value)}")
        nonce = self.rng(_NONCE_BYTES)
        return _VERSION + nonce + cipher.encrypt(nonce, value, place.binding())

    def open(self, place: Place, box: bytes) -> bytes:
        """What was sealed to exactly this place.

        Raises `ProofRejected` when it was not, and `Unavailable` when its data key is gone.
        """
        cipher = self.data_keys.cipher(place.sealed_under)
        nonce, sealed = box[1 : 1 + _NONCE_BYTES], box[1 + _NONCE_BYTES :]
        try:
            if box[:1] != _VERSION:
                raise InvalidTag
            return cipher.decrypt(nonce, sealed, place.binding())
        except (InvalidTag, ValueError):
            raise ProofRejected(
                f"row {place.row!r} of {place.table} was changed, or moved from another place; "
                "do not use this database before you know why, or restore it from a backup"
            ) from None

    def order_erasure(self, tx: Transaction, scope: str, *, forever: bool) -> None:
        """Destroy the data key of `scope` once `tx` has committed, also if the process dies in between."""
        tx.execute(
            "INSERT INTO erasures (scope, forever) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (scope, int(forever)),
        )
        tx.after_commit(lambda: self._erase(scope))

    def finish_erasures(self) -> None:
        """Carry out the orders that a crash has left."""
        with self.storage.transaction() as tx:
            ordered = tx.query("SELECT scope FROM erasures")
        for (scope,) in ordered:
            self._erase(scope)

    def _erase(self, scope: str) -> None:
        with self.storage.transaction() as tx:
            # Destroyed under the order's lock: a replica that has read the order a moment ago must not carry
            # it out again after the scope was given a new key.
            found = tx.query_one("SELECT forever FROM erasures WHERE scope = ?", (scope,), for_update=True)
            if found is not None:
                self.data_keys.destroy(scope, forever=bool(found[0]))
                tx.execute("DELETE FROM erasures WHERE scope = ?", (scope,))
