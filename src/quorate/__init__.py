"""Quorate: wallets whose key never exists in one place.

The names an application needs are here and are loaded when first touched, so that a node that never
imports the SDK does not pay for it. Everything else is documented in ``ARCHITECTURE.md``, layer by layer.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

__version__ = "0.1.0"

_HOME_OF: Final[dict[str, str]] = {
    "Backup": "quorate.device",
    "Device": "quorate.device",
    "Wallet": "quorate.device",
    "connect": "quorate.device",
    "QuorateError": "quorate.errors",
}

__all__ = ["Backup", "Device", "QuorateError", "Wallet", "__version__", "connect"]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'quorate' has no attribute {name!r}")
    return getattr(import_module(home), name)
