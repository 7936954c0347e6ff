"""What the pool knows of its keys and batches: their names, their states (`quorate.vault.pool`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class KeyState(StrEnum):
    """See `quorate.vault.pool`."""

    FREE = "free"
    SIGNED = "signed"
    GRANTED = "granted"
    USED = "used"
    BURNED = "burned"
    CLOSED = "closed"


class BatchState(StrEnum):
    """A batch number is taken part in once: BEGUN before the first message, then STORED or FAILED."""

    BEGUN = "begun"
    STORED = "stored"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, order=True)
class PoolIndex:
    """Which key: its curve, the number of its batch (from 1), its position in it (from 0)."""

    curve: str
    batch: int
    position: int

    def __str__(self) -> str:
        return f"{self.curve}/{self.batch}/{self.position}"


@dataclass(frozen=True, slots=True)
class PooledKey:
    """One key as this party sees it. `account` is whom we voted for, or whom it was granted to.

    `commitment` is what that account has committed to with it, at `committed`; `signed` is when it was voted
    on first (unix seconds), `apart` whether it is kept for a wallet that has been formed.
    """

    index: PoolIndex
    key_id: bytes
    state: KeyState
    account: bytes = b""
    commitment: bytes = b""
    signed: float = 0.0
    committed: float = 0.0
    apart: bool = False

    def is_kept_for(self, account: bytes) -> bool:
        """Whether it was set apart for a wallet of this account, and is unused."""
        return self.state is KeyState.GRANTED and self.apart and self.account == account


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch number that this party has taken part in, in an epoch of the committee."""

    curve: str
    number: int
    count: int
    state: BatchState
    epoch: int = 0
