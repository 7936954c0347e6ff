"""The node's own identity: made at its first start, kept in its vault, never anywhere else.

A module of its own, so that making a node imports no protocol.
"""

from __future__ import annotations

from typing import Final

from quorate.entropy import Rng
from quorate.errors import Unavailable
from quorate.secret import Secret
from quorate.session import KeyPair
from quorate.vault import Vault

_IDENTITY: Final = "identity"


def own_identity(vault: Vault, rng: Rng) -> KeyPair:
    """The node's identity from its vault, made at the first start."""
    kept = vault.records.get(_IDENTITY, "node")
    if kept is None:
        vault.records.put(_IDENTITY, "node", rng(32), expected=0, scope=_IDENTITY)
        kept = vault.records.get(_IDENTITY, "node")
    if kept is None:
        raise Unavailable("the identity was not kept")  # pragma: no cover - the vault has just stored it
    return KeyPair(Secret(kept.value))
