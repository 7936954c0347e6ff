"""Sizes of the oblivious transfers and of the multiplication on top, under one versioned name.

Two parties with different sizes cannot even parse each other's messages, so the name is part of every
session (its suite) and of every hash. Reasons for the numbers: docs/protocols/oblivious-transfer.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quorate.errors import Malformed
from quorate.groups.group import Group

SEED_BYTES: Final = 16
"""A transferred key, a tree node, a leaf: 128 bits whatever the other sizes are."""
MAX_DEPTH: Final = 8
"""Deeper trees cost 2^depth hashes per `depth` rows and save next to nothing on the wire beyond 4."""
MAX_BITS: Final = 1024
"""Bound on each size, so that a stored or received parameter set cannot ask for gigabytes."""


@dataclass(frozen=True, slots=True)
class OTParameters:
    """One set of sizes. Raises `Malformed` for sizes that do not fit together."""

    name: str
    security: int = 128
    """Base transfers, bits of the sender's correlation Delta; a multiple of 8 and of `depth`."""
    statistical: int = 80
    """The multiplier chi is uniform up to 2^-statistical, even for a cheater who guessed that many bits."""
    depth: int = 2
    """Levels of a tree, k in SoftSpokenOT: `depth` rows cost 2^depth hashes and one row on the wire."""
    check: int = 128
    """Bits of the consistency check's hash. Its seed is a hash, hence can be ground offline: no less."""

    def __post_init__(self) -> None:
        sizes = (self.security, self.statistical, self.depth, self.check)
        if not self.name or min(sizes) < 1 or max(sizes) > MAX_BITS or self.depth > MAX_DEPTH:
            raise Malformed(f"OT parameters {self.name!r}: a size is out of range")
        if self.security % 8 or self.check % 8 or self.security % self.depth:
            raise Malformed(f"OT parameters {self.name!r}: sizes are not whole bytes or whole trees")

    @property
    def trees(self) -> int:
        """Trees of the all-but-one correlation."""
        return self.security // self.depth

    @property
    def leaves(self) -> int:
        """Leaves of one tree."""
        return 1 << self.depth

    @property
    def delta_bytes(self) -> int:
        """Bytes of Delta, and of one transferred row."""
        return self.security // 8

    def xi(self, group: Group) -> int:
        """Transfers of one multiplication in `group`: its order's bits + 2 * statistical, in whole bytes."""
        return -(-(group.order.bit_length() + 2 * self.statistical) // 8) * 8


STANDARD: Final = OTParameters("DKLS23-SECP256K1-SS2-128-80-v1")
"""What wallets use: DKLs23's multiplication, base transfers on secp256k1, SoftSpoken with k = 2."""
TOY: Final = OTParameters("toy", security=16, statistical=8, depth=2, check=16)
"""No security: the simulator's sizes, which still take every path of the code."""


def parameters_named(name: str) -> OTParameters:
    """The registered set of that name. Raises `Malformed` for another name, the toy set's included: no
    message or file talks a real process into sizes without security; a simulation passes the object."""
    if name != STANDARD.name:
        raise Malformed(f"no OT parameters are named {name!r}")
    return STANDARD
