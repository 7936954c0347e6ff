"""The clusters known without configuration. CAIP-2's reference is the start of the genesis hash."""

from __future__ import annotations

from typing import Final

from quorate.chains.chain import Chain
from quorate.encoding.base58 import ALPHABET
from quorate.errors import Malformed

NETWORKS: Final = (
    Chain("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "Solana", "SOL", 9, "https://solscan.io/tx/{}"),
    Chain(
        "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
        "Solana Devnet",
        "SOL",
        9,
        "https://solscan.io/tx/{}?cluster=devnet",
    ),
    Chain(
        "solana:4uhcVJyU9pJkvQyUS88uRDiswHXSCkY3",
        "Solana Testnet",
        "SOL",
        9,
        "https://solscan.io/tx/{}?cluster=testnet",
    ),
)

REFERENCE_LENGTH: Final = 32
"""CAIP-30 (CAIP-2 of Solana): the genesis hash in base 58, cut to what CAIP-2 admits."""


def check_cluster(caip2: str) -> None:
    """Raises `Malformed` unless this is ``solana:`` and 32 characters of a genesis hash."""
    namespace, _, reference = caip2.partition(":")
    if namespace != "solana" or len(reference) != REFERENCE_LENGTH or not set(reference) <= set(ALPHABET):
        raise Malformed(f"chain {caip2!r}: expected solana:<first 32 characters of the genesis hash>")
