"""The chains known without configuration, as rows. The id is the EIP-155 chain id."""

from __future__ import annotations

from typing import Final

from quorate.chains.chain import Chain
from quorate.errors import Malformed

NETWORKS: Final = (
    Chain("eip155:1", "Ethereum", "ETH", explorer="https://etherscan.io/tx/{}"),
    Chain("eip155:10", "OP Mainnet", "ETH", explorer="https://optimistic.etherscan.io/tx/{}"),
    Chain("eip155:137", "Polygon", "POL", explorer="https://polygonscan.com/tx/{}"),
    Chain("eip155:8453", "Base", "ETH", explorer="https://basescan.org/tx/{}"),
    Chain("eip155:42161", "Arbitrum One", "ETH", explorer="https://arbiscan.io/tx/{}"),
)

MAX_CHAIN_ID: Final = (1 << 63) - 37
"""EIP-2294's bound, so that EIP-155's ``v = 35 + y + 2 * chain id`` fits the 64 bits many wallets give it."""


def chain_id(caip2: str) -> int:
    """The number in ``eip155:<number>``. Raises `Malformed` unless it is written plainly."""
    namespace, _, reference = caip2.partition(":")
    if namespace != "eip155" or not (reference.isascii() and reference.isdecimal()) or len(reference) > 19:
        raise Malformed(f"chain {caip2!r}: expected eip155:<chain id>")
    value = int(reference)
    if str(value) != reference or not 1 <= value <= MAX_CHAIN_ID:
        raise Malformed(
            f"chain {caip2!r}: a chain id is a number from 1 to {MAX_CHAIN_ID} without leading zeros"
        )
    return value
