"""Entries of the register, the views in which they are agreed on, and the clock slots behind the views.

An entry carries the whole authority record of its version and the hash of its predecessor, so a proof of one
entry vouches for all before it. What a record says is nobody's business here: `Rules` reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from quorate.encoding import Canonical, encode
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest

Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
Key = Annotated[bytes, msgspec.Meta(min_length=32, max_length=65)]
SignatureBytes = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]
Version = Annotated[int, msgspec.Meta(ge=1, le=(1 << 32) - 1)]
Epoch = Annotated[int, msgspec.Meta(ge=0, le=(1 << 16) - 1)]
Slot = Annotated[int, msgspec.Meta(ge=0, le=(1 << 40) - 1)]

MAX_AUTHORS: Final = 8
"""Who signs one entry: the factors that a rule may ask for together."""

MAX_RECORD_BYTES: Final = 64 << 10
"""An authority record: 64 wallets of three factors are about 45 kB."""

MAX_EVIDENCE_BYTES: Final = 16 << 10
"""What shows that a new wallet or epoch is there: a statement, R signatures and a few slot certificates."""

NOTHING: Final = bytes(32)
"""The hash of "no entry yet": the parent of version 1. Nobody knows a preimage of it."""

SLOT_SECONDS: Final = 4
"""A slot: longer than three round trips to a node on another continent, short enough to wait for."""

SLOT_TOLERANCE: Final = 1.0
"""How far the clocks of a device and a node may be apart without a slot being missed."""

FIRST_OWNERS: Final = 4
"""Version 1 has no factors yet that could take turns, so session keys do, by their hash modulo this."""


class View(Canonical, frozen=True, order=True):
    """(node epoch, slot), ordered as pairs. Slot 0 is the one open view of its epoch."""

    epoch: Epoch
    slot: Slot = 0

    @property
    def is_open(self) -> bool:
        """Whether anybody may ask for locks in it, without a justification."""
        return self.slot == 0


class Entry(Canonical, frozen=True):
    """One version of an account. `private` is the hash of the private record, which nodes do not read.

    `operation` names what the author wanted, so that a retry finds itself; `evidence` shows what the rules
    ask for beside the signatures of the authors.
    """

    network: Name
    account: Digest
    version: Version
    parent: Digest
    operation: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    authors: Annotated[tuple[Key, ...], msgspec.Meta(min_length=1, max_length=MAX_AUTHORS)]
    record: Annotated[bytes, msgspec.Meta(max_length=MAX_RECORD_BYTES)]
    evidence: Annotated[bytes, msgspec.Meta(max_length=MAX_EVIDENCE_BYTES)]
    private: Digest
    signatures: Annotated[tuple[SignatureBytes, ...], msgspec.Meta(max_length=MAX_AUTHORS)] = ()

    @property
    def hash(self) -> bytes:
        """h: of all of it, signatures included."""
        return digest(Tag.REGISTER_ENTRY, encode(self))

    def to_sign(self) -> bytes:
        """The 32 bytes that each author signs."""
        return digest(Tag.REGISTER_AUTHORS, encode(msgspec.structs.replace(self, signatures=())))


def slot_at(now: float) -> int:
    """The slot of a moment in Unix seconds."""
    return int(now // SLOT_SECONDS)


def owns(slot: int, key: bytes, signers: Sequence[bytes] | None) -> bool:
    """Whether `slot` belongs to `key`. `signers`: the signing factors of the record that is; None before one.

    Serves liveness only: contenders take turns instead of meeting in one view for ever.
    """
    if signers is None:
        return (
            int.from_bytes(digest(Tag.REGISTER_OWNER, key)[:8], "big") % FIRST_OWNERS == slot % FIRST_OWNERS
        )
    ordered = sorted(signers)
    return bool(ordered) and ordered[slot % len(ordered)] == key


def next_slot(after: int, key: bytes, signers: Sequence[bytes] | None) -> int | None:
    """The first slot behind `after` that is the key's own, None if it never has one."""
    turns = FIRST_OWNERS if signers is None else len(signers)
    return next((slot for slot in range(after + 1, after + 1 + turns) if owns(slot, key, signers)), None)
