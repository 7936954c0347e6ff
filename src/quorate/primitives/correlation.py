"""What a finished OT setup leaves at each end: the long-lived secrets of an ordered pair of parties.

`ReceiverState` (Bob, who will multiply by a random number) holds every leaf of every tree; `SenderState`
(Alice, who brings the inputs) all but one per tree, and Delta, which says which. Whoever learns Delta and
sees Alice's messages learns her inputs of all multiplications, past and future: store both states sealed,
and after a leak-bearing failure never use them again (docs/protocols/oblivious-transfer.md, "Quarantine").
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final

from quorate.encoding import Canonical, decode, encode
from quorate.errors import Malformed
from quorate.primitives.parameters import SEED_BYTES, OTParameters

FINGERPRINT_BYTES: Final = 32


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class SenderState:
    """Alice's end. `leaves`: tree by tree, slots 1.. in relative order (see `quorate.primitives.trees`)."""

    parameters: OTParameters
    setup: bytes
    delta: bytes
    leaves: bytes

    def __post_init__(self) -> None:
        held = self.parameters.trees * (self.parameters.leaves - 1) * SEED_BYTES
        if len(self.delta) != self.parameters.delta_bytes:
            raise Malformed("an OT sender's Delta has the wrong length")
        _check(self.setup, self.leaves, held)

    def fingerprint(self) -> bytes:
        """A hash of the setup's messages: equal at both ends of one setup, secret to nobody."""
        return self.setup

    def to_bytes(self) -> bytes:
        """For storage, sealed."""
        return encode(_Stored(_SENDER, *_sizes(self.parameters), self.setup, self.delta, self.leaves))

    @staticmethod
    def from_bytes(data: bytes) -> SenderState:
        """Raises `Malformed` for anything but what `to_bytes` gives."""
        stored = _read(data, _SENDER)
        return SenderState(_parameters(stored), stored.setup, stored.delta, stored.leaves)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SenderState) and hmac.compare_digest(self.to_bytes(), other.to_bytes())

    def __hash__(self) -> int:
        return hash(self.setup)

    def __repr__(self) -> str:
        return f"<OT sender's end of {self.setup.hex()[:8]}>"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ReceiverState:
    """Bob's end. `leaves`: tree by tree, in order."""

    parameters: OTParameters
    setup: bytes
    leaves: bytes

    def __post_init__(self) -> None:
        _check(self.setup, self.leaves, self.parameters.trees * self.parameters.leaves * SEED_BYTES)

    def fingerprint(self) -> bytes:
        """A hash of the setup's messages: equal at both ends of one setup, secret to nobody."""
        return self.setup

    def to_bytes(self) -> bytes:
        """For storage, sealed."""
        return encode(_Stored(_RECEIVER, *_sizes(self.parameters), self.setup, b"", self.leaves))

    @staticmethod
    def from_bytes(data: bytes) -> ReceiverState:
        """Raises `Malformed` for anything but what `to_bytes` gives."""
        stored = _read(data, _RECEIVER)
        if stored.delta:
            raise Malformed("an OT receiver's state holds a Delta")
        return ReceiverState(_parameters(stored), stored.setup, stored.leaves)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReceiverState) and hmac.compare_digest(self.to_bytes(), other.to_bytes())

    def __hash__(self) -> int:
        return hash(self.setup)

    def __repr__(self) -> str:
        return f"<OT receiver's end of {self.setup.hex()[:8]}>"


_SENDER: Final = "ot-sender/1"
_RECEIVER: Final = "ot-receiver/1"


class _Stored(Canonical, frozen=True):
    kind: str
    name: str
    security: int
    statistical: int
    depth: int
    check: int
    setup: bytes
    delta: bytes
    leaves: bytes


def _sizes(parameters: OTParameters) -> tuple[str, int, int, int, int]:
    return parameters.name, parameters.security, parameters.statistical, parameters.depth, parameters.check


def _parameters(stored: _Stored) -> OTParameters:
    return OTParameters(stored.name, stored.security, stored.statistical, stored.depth, stored.check)


def _read(data: bytes, kind: str) -> _Stored:
    stored = decode(_Stored, data)
    if stored.kind != kind:
        raise Malformed(f"a stored OT state is of kind {stored.kind!r}, not {kind!r}")
    return stored


def _check(setup: bytes, leaves: bytes, held: int) -> None:
    if len(setup) != FINGERPRINT_BYTES or len(leaves) != held:
        raise Malformed("an OT state's parts have the wrong length")
