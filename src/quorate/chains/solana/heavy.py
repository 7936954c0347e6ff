"""Loading solders, the second opinion on every transaction, and saying so when it is not installed."""

from __future__ import annotations

from typing import Any

from quorate.errors import Unavailable


def load() -> Any:
    """The `solders` package with the modules used here. Raises `Unavailable` when it is not installed."""
    try:
        import solders.hash
        import solders.message
        import solders.pubkey
        import solders.signature
        import solders.transaction
    except ImportError:
        raise Unavailable("Solana needs the package solders; install quorate[solana]") from None
    return solders
