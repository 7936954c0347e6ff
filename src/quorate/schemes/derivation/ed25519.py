"""Account indices of Ed25519 keys: our own derivation, version 1.

No standard fits a shared key. SLIP-10 has hardened children only, and those hash the private key. BIP 32's
rule "I_L below the order" would refuse 15 of 16 indices, since the order of Ed25519 is about 2^252; reducing
256 bits modulo it is biased. BIP32-Ed25519 truncates tweaks to 28 bytes for the sake of clamped keys, which
ours are not. So, for a key A (32 bytes, RFC 8032), chain code c and index i (4 bytes, big-endian):

    t  = HMAC-SHA512(c, "quorate/account-index/ed25519/v1/tweak" || A || i), 64 bytes little-endian, mod L
    c' = HMAC-SHA512(c, "quorate/account-index/ed25519/v1/chain-code" || A || i), first 32 bytes
    A' = A + t*B

Little-endian because Ed25519 libraries reduce 64 bytes in that order (``scalar_reduce``). t is uniform to
within 2^-260. Addresses differ from every other wallet's; vectors are in tests/vectors/derivation.json, so
that another implementation can find the same accounts.
"""

from __future__ import annotations

import hmac
from typing import Final

from quorate.groups import Point
from quorate.schemes.derivation.child import Child, no_child
from quorate.schemes.derivation.path import checked_path

PREFIX: Final = b"quorate/account-index/ed25519/v1/"
"""Any change of the rule is a new version, and version 1 stays as it is: people's money lies on it."""


def child_of(parent: Point, chain_code: bytes, index: int) -> Child:
    """One step. Raises `NoChild` for an index without a key (once in 2^252)."""
    (index,) = checked_path([index])
    data = parent.to_bytes() + index.to_bytes(4, "big")
    tweak = hmac.digest(chain_code, PREFIX + b"tweak" + data, "sha512")
    below = hmac.digest(chain_code, PREFIX + b"chain-code" + data, "sha512")
    return read_child(parent, tweak, below, index)


def read_child(parent: Point, tweak: bytes, below: bytes, index: int) -> Child:
    """What the two HMACs make of `parent`. Raises `NoChild`."""
    scalar = parent.group.scalar(int.from_bytes(tweak, "little"))
    if scalar.is_zero:
        raise no_child(index)
    return Child.of(parent, scalar, below[:32], index)
