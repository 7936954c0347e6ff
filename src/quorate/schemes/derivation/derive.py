"""From a record of a key and a path to the key that signs: what every signer computes for itself.

One entry for all curves. Which derivation a curve has is a property of the curve, so a path alone says which
key is meant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from quorate.errors import LocalError
from quorate.groups import Point
from quorate.schemes.derivation import bip32, ed25519, ristretto255
from quorate.schemes.derivation.child import Child, checked_chain_code
from quorate.schemes.derivation.path import checked_path, parse_path, write_path
from quorate.schemes.tweak import Tweak

Step = Callable[[Point, bytes, int], Child]

_STEPS: Final[dict[str, Step]] = {
    "secp256k1": bip32.child_of,
    "ed25519": ed25519.child_of,
    "ristretto255": ristretto255.child_of,
}

_ACCOUNT_CHAINS: Final[dict[str, tuple[int, ...]]] = {"secp256k1": (0,), "ed25519": (), "ristretto255": ()}
"""What precedes the index of an account. 0 is the external chain of BIP 44."""


@dataclass(frozen=True, slots=True)
class Derived:
    """The key at a path below a root. ``point = root + tweak.plain * G``."""

    path: str
    tweak: Tweak
    point: Point
    chain_code: bytes


def derive(root: Point, chain_code: bytes, path: str) -> Derived:
    """The key at `path`; the root itself for ``""``, on every curve.

    `root` and `chain_code` are those of the caller's own record. Raises what `parse_path` raises, `NoChild`
    for a path without a key, and `LocalError` for a curve without derived accounts.
    """
    group = root.group
    indices = parse_path(path)
    point, code, total = root, checked_chain_code(chain_code), group.scalar(0)
    if indices:
        step = _step(group.name)
        for index in indices:
            child = step(point, code, index)
            point, code, total = child.point, child.chain_code, total + child.tweak
    return Derived(path, Tweak(total), point, code)


def account_path(curve: str, index: int) -> str:
    """The path of account number `index`: ``0/7`` on secp256k1, ``7`` on the others."""
    _step(curve)
    return write_path((*_ACCOUNT_CHAINS[curve], *checked_path([index])))


def has_accounts(curve: str) -> bool:
    """Whether keys of this curve have derived accounts."""
    return curve in _STEPS


def _step(curve: str) -> Step:
    found = _STEPS.get(curve)
    if found is None:
        raise LocalError(f"keys on {curve} have no derived accounts; add another key to the wallet instead")
    return found
