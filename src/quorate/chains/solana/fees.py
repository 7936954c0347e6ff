"""The most a transaction costs: 5,000 lamports for each signature, and a price for compute units.

Sources: agave's fee structure (``lamports_per_signature``, precompile signatures counted like the
transaction's own) and compute budget (price in millionths of a lamport, rounded up). Without a limit in the
transaction the runtime gives each instruction an allowance that depends on its version; what it never exceeds
is taken instead, so the figure is an upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quorate.chains.solana.message import Message
from quorate.chains.solana.programs import COMPUTE_BUDGET, SIGNATURE_CHECKS

LAMPORTS_PER_SIGNATURE: Final = 5_000

MAX_COMPUTE_UNITS: Final = 1_400_000
"""Of one transaction; a higher limit in it counts as this."""

MAX_USUAL_FEE: Final = 100_000_000
"""A tenth of a SOL. Congested days have seen a hundredth; beyond this somebody has mistaken the unit."""


@dataclass(frozen=True, slots=True)
class Fee:
    """`price` is in millionths of a lamport for a unit, `total` in lamports."""

    signatures: int
    units: int
    price: int

    @property
    def total(self) -> int:
        """Rounded up, as the network does."""
        return self.signatures * LAMPORTS_PER_SIGNATURE + -(-self.units * self.price // 1_000_000)


def fee_of(message: Message) -> Fee:
    """The fee of a transaction, which its first signer pays whether it succeeds or not."""
    signatures, units, price = message.required, MAX_COMPUTE_UNITS, 0
    names = message.names()
    for instruction in message.instructions:
        program, data = names[instruction.program], instruction.data
        # read as the network does, which ignores what follows: a fee not shown would be paid all the same
        if program == COMPUTE_BUDGET and data[:1] == b"\2" and len(data) >= 5:
            units = min(int.from_bytes(data[1:5], "little"), MAX_COMPUTE_UNITS)
        elif program == COMPUTE_BUDGET and data[:1] == b"\3" and len(data) >= 9:
            price = int.from_bytes(data[1:9], "little")
        elif program in SIGNATURE_CHECKS and data:
            signatures += data[0]
    return Fee(signatures, units, price)
