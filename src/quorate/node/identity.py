"""A node's vault as its configuration names it, and the keys in it, made once and kept nowhere else.

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
from quorate.session.identity import signing_seed
from quorate.vault import KeyFileSeal, Vault, open_seal

PASSPHRASE_VARIABLE: Final = "QUORATE_PASSPHRASE"

FIRST_EPOCH: Final = 0
"""The committee epoch a network begins with; a new node makes the sealing key of it with its identity."""

_KIND: Final = "node-key"
_SIGNING: Final = "signing"
_WHOLE: Final = "identity"


def open_vault(storage: str, keys: Path, seal: str, *, make_key_file: bool = False) -> Vault:
    """The vault at these places, as a checked configuration has them; a passphrase is in the environment.

    `make_key_file`: a new node's seal may be a key file that is not there yet. Raises `Unavailable`.
    """
    scheme, _, file = seal.partition(":")
    if make_key_file and scheme == KeyFileSeal.kind and not Path(file).exists():
        KeyFileSeal.create(Path(file), rng=system_rng)
    return Vault.open(storage, keys, open_seal(seal, rng=system_rng, ask=_passphrase), rng=system_rng)


def own_identity(vault: Vault, rng: Rng) -> KeyPair:
    """The node's identity from its vault, made at the first start: with its first sealing key."""
    return NodeKeys(vault, rng).of(FIRST_EPOCH)


class NodeKeys:
    """A node's signing key, for as long as the node exists, and its sealing key of each committee epoch.

    Each lies under a data key of its own, so that an epoch's sealing key is erased, also from old copies of
    the database, while the node keeps its name and its signing key.
    """

    def __init__(self, vault: Vault, rng: Rng) -> None:
        self._vault = vault
        self._rng = rng
        self._take_apart()

    def of(self, epoch: int) -> KeyPair:
        """Our pair for a committee epoch; its sealing key is made, durably, at the first call.

        Raises `Unavailable` when it was erased.
        """
        return KeyPair.of(self._kept(_SIGNING), self._kept(_sealing(epoch)))

    def has(self, epoch: int) -> bool:
        """Whether there is a sealing key of this epoch."""
        return self._vault.records.get(_KIND, _sealing(epoch)) is not None

    def erase(self, epoch: int) -> None:
        """Destroy an epoch's sealing key, for ever. Repeating it does nothing."""
        self._vault.destroy(_scope(_sealing(epoch)), forever=True)

    def _kept(self, name: str) -> Secret[bytes]:
        kept = self._vault.records.get(_KIND, name)
        if kept is not None:
            return Secret(kept.value)
        seed = self._rng(32)
        self._vault.records.put(_KIND, name, seed, expected=0, scope=_scope(name))
        return Secret(seed)

    def _take_apart(self) -> None:
        """Vaults of the first version hold one seed for both keys, of which neither can be erased alone."""
        whole = self._vault.records.get(_WHOLE, "node")
        if whole is None:
            return
        seed, first = Secret(whole.value), _sealing(FIRST_EPOCH)
        with self._vault.transaction():
            signing = signing_seed(seed).reveal()
            self._vault.records.put(_KIND, _SIGNING, signing, expected=0, scope=_scope(_SIGNING))
            self._vault.records.put(_KIND, first, seed.reveal(), expected=0, scope=_scope(first))
            self._vault.destroy(_WHOLE)


def _sealing(epoch: int) -> str:
    return f"sealing/{epoch}"


def _scope(name: str) -> str:
    return f"{_KIND}:{name}"


def _passphrase(purpose: str) -> str:
    found = os.environ.pop(PASSPHRASE_VARIABLE, None)
    if found is None:
        raise Unavailable(f"set {PASSPHRASE_VARIABLE} to the {purpose}")
    return found
