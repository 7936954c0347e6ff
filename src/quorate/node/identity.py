"""A node's vault as its configuration names it, and the identity in it, made once and kept nowhere else.

A module of its own, so that making a node imports no protocol.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from quorate.entropy import Rng, system_rng
from quorate.errors import Unavailable
from quorate.secret import Secret
from quorate.session import KeyPair
from quorate.vault import KeyFileSeal, Vault, open_seal

PASSPHRASE_VARIABLE: Final = "QUORATE_PASSPHRASE"

_IDENTITY: Final = "identity"


def open_vault(storage: str, keys: Path, seal: str, *, make_key_file: bool = False) -> Vault:
    """The vault at these places, as a checked configuration has them; a passphrase is in the environment.

    `make_key_file`: a new node's seal may be a key file that is not there yet. Raises `Unavailable`.
    """
    scheme, _, file = seal.partition(":")
    if make_key_file and scheme == KeyFileSeal.kind and not Path(file).exists():
        KeyFileSeal.create(Path(file), rng=system_rng)
    return Vault.open(storage, keys, open_seal(seal, rng=system_rng, ask=_passphrase), rng=system_rng)


def own_identity(vault: Vault, rng: Rng) -> KeyPair:
    """The node's identity from its vault, made at the first start."""
    kept = vault.records.get(_IDENTITY, "node")
    if kept is not None:
        return KeyPair(Secret(kept.value))
    seed = rng(32)
    vault.records.put(_IDENTITY, "node", seed, expected=0, scope=_IDENTITY)
    return KeyPair(Secret(seed))


def _passphrase(purpose: str) -> str:
    found = os.environ.pop(PASSPHRASE_VARIABLE, None)
    if found is None:
        raise Unavailable(f"set {PASSPHRASE_VARIABLE} to the {purpose}")
    return found
