"""Loading embit: address encodings, RIPEMD-160, and a second opinion about every PSBT and digest.

embit is an optional extra. Its parser is lenient (it counts inputs before it reads them, keeps the last of
two values, and reads sequence 0 as the final one when it assembles a transaction), so our own strict reader
goes first and embit only ever sees what that one has accepted. See `quorate.chains.bitcoin.second`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from quorate.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Library:
    """The modules of embit that are used here."""

    base: Any
    base58: Any
    bech32: Any
    hashes: Any
    psbt: Any
    script: Any
    transaction: Any


@cache
def load() -> Library:
    """Import embit (a few hundredths of a second). Raises `Unavailable` when it is not installed."""
    try:
        return Library(
            *(
                import_module(f"embit.{name}")
                for name in ("base", "base58", "bech32", "hashes", "psbt", "script", "transaction")
            )
        )
    except ImportError:
        raise Unavailable(
            "Bitcoin needs the embit library, which is not installed; install quorate[bitcoin]"
        ) from None
