"""The SDK: a device and its wallets.

`Device` and `Wallet` are what an application uses, `connect` gives both without ``await``
(`quorate.device.synchronous`). Names are loaded when first touched.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

_HOME_OF: Final[dict[str, str]] = {
    "Backup": "quorate.device.backup",
    "Device": "quorate.device.device",
    "Home": "quorate.device.home",
    "LocalIssuer": "quorate.device.login",
    "Network": "quorate.device.network",
    "TooFewNodes": "quorate.device.gather",
    "Wallet": "quorate.device.wallet",
    "connect": "quorate.device.synchronous",
}

__all__ = ["Backup", "Device", "Home", "LocalIssuer", "Network", "TooFewNodes", "Wallet", "connect"]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'quorate.device' has no attribute {name!r}")
    return getattr(import_module(home), name)
