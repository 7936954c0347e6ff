"""Loading eth-account, once, and undoing what loading it does to the process.

It brings a BLS library that it needs for keystore files only. That library raises the interpreter's recursion
limit to 100,000 for everybody, and with it the protection of every recursive parser in the process: a deeply
nested JSON text from the network then overflows the C stack and kills the process instead of raising
`RecursionError`. The limit is put back here; our own parsers bound their depth besides, because an
application may import that library before us.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from threading import Lock
from typing import Final

_MODULES: Final = (
    "btclib_secp256k1.recovery",
    "eth_abi.abi",
    "eth_account._utils.legacy_transactions",
    "eth_account.messages",
)


_LOCK: Final = Lock()


def load() -> None:
    """Import what digests and previews need; half a second of CPU the first time. Safe in threads."""
    # a second thread, coming while the limit is raised, would take that for the one to put back
    with _LOCK:
        _load_once()


@cache
def _load_once() -> None:
    limit = sys.getrecursionlimit()
    for module in _MODULES:
        import_module(module)
    sys.setrecursionlimit(limit)
