"""Derived accounts: many public keys from one shared key, without any party talking to another.

See docs/derivation.md.

- `path`: how a request names one. `derive`: from root, chain code and path to the key, whatever the curve.
- `bip32` for secp256k1, `ed25519` our own for Ed25519, `ristretto255` schnorrkel's for sr25519.
- `child`: what a step gives.
- `descriptors`: xpub, origin and output descriptors for watch-only wallets.
- `accounts`: numbers, names and the gap limit, as pure rules.
"""

from quorate.schemes.derivation.accounts import GAP_LIMIT, Account, Accounts
from quorate.schemes.derivation.bip32 import ExtendedKey, Version
from quorate.schemes.derivation.child import NoChild
from quorate.schemes.derivation.derive import Derived, account_path, derive, has_accounts
from quorate.schemes.derivation.descriptors import (
    BITCOIN_SEGWIT,
    BITCOIN_TAPROOT,
    CHANGE,
    ETHEREUM,
    RECEIVE,
    TESTNET_SEGWIT,
    TESTNET_TAPROOT,
    Origin,
    check_descriptor,
    descriptor,
    root_descriptor,
    with_checksum,
)
from quorate.schemes.derivation.path import MAX_INDEX, MAX_LEVELS, checked_path, parse_path, write_path

__all__ = [
    "BITCOIN_SEGWIT",
    "BITCOIN_TAPROOT",
    "CHANGE",
    "ETHEREUM",
    "GAP_LIMIT",
    "MAX_INDEX",
    "MAX_LEVELS",
    "RECEIVE",
    "TESTNET_SEGWIT",
    "TESTNET_TAPROOT",
    "Account",
    "Accounts",
    "Derived",
    "ExtendedKey",
    "NoChild",
    "Origin",
    "Version",
    "account_path",
    "check_descriptor",
    "checked_path",
    "derive",
    "descriptor",
    "has_accounts",
    "parse_path",
    "root_descriptor",
    "with_checksum",
    "write_path",
]
