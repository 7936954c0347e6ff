"""What a party keeps: sealed at rest, used once where once is all it may be used, and erasable.

Everything is reached from `Vault`. It knows bytes, keys, epochs and peers, and nothing of sharing or
schemes, which stand above or beside it. Layout and walks: ``docs/protocols/vault.md``.
"""

from quorate.vault.rows import Place
from quorate.vault.seals import KeyFileSeal, PassphraseSeal, PresenceDenied, Seal, open_seal
from quorate.vault.storage import Storage, Transaction, open_storage
from quorate.vault.vault import Vault

__all__ = [
    "KeyFileSeal",
    "PassphraseSeal",
    "Place",
    "PresenceDenied",
    "Seal",
    "Storage",
    "Transaction",
    "Vault",
    "open_seal",
    "open_storage",
]
