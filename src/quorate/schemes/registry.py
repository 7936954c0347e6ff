"""Signature schemes by name, for chains that say which one they want.

Our own are listed here; others register under the entry point group ``quorate.schemes``, the entry naming a
`Scheme` instance. An entry never replaces one of ours. A scheme is imported when it is first asked for, and
the library behind its curve when its group is: a process that signs for one chain loads no other's.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Final

from quorate.errors import Unavailable
from quorate.schemes.scheme import Scheme

ENTRY_POINTS: Final = "quorate.schemes"

_OURS: Final = {
    "ecdsa": ("quorate.schemes.ecdsa.scheme", "ECDSA"),
    "ed25519": ("quorate.schemes.schnorr.suites.ed25519", "SCHEME"),
    "bip340": ("quorate.schemes.schnorr.suites.bip340", "SCHEME"),
    "sr25519": ("quorate.schemes.schnorr.suites.sr25519", "SCHEME"),
    "frost-ristretto255": ("quorate.schemes.schnorr.suites.ristretto255", "SCHEME"),
    "frost-secp256k1": ("quorate.schemes.schnorr.suites.secp256k1", "SCHEME"),
    "frost-p256": ("quorate.schemes.schnorr.suites.p256", "SCHEME"),
    "bls-pop": ("quorate.schemes.bls.scheme", "POSSESSION_SCHEME"),
    "bls-basic": ("quorate.schemes.bls.scheme", "BASIC_SCHEME"),
    "bls-aug": ("quorate.schemes.bls.scheme", "AUGMENTED_SCHEME"),
    "bls-pop-short": ("quorate.schemes.bls.scheme", "POSSESSION_SHORT_SCHEME"),
    "bls-basic-short": ("quorate.schemes.bls.scheme", "BASIC_SHORT_SCHEME"),
    "bls-aug-short": ("quorate.schemes.bls.scheme", "AUGMENTED_SHORT_SCHEME"),
}


def scheme_named(name: str) -> Scheme:
    """The scheme of that name. Raises `Unavailable` if no installed package brings it."""
    return _load(*_OURS[name]) if name in _OURS else _plugged(name)


def scheme_names() -> tuple[str, ...]:
    """All names `scheme_named` knows here, ours first."""
    plugged = {point.name for point in entry_points(group=ENTRY_POINTS)}
    return (*_OURS, *sorted(plugged - set(_OURS)))


@cache
def _load(module: str, attribute: str) -> Scheme:
    scheme = getattr(import_module(module), attribute)
    if not isinstance(scheme, Scheme):
        raise Unavailable(f"{module}:{attribute} is not a Scheme")
    return scheme


@cache
def _plugged(name: str) -> Scheme:
    found = tuple(entry_points(group=ENTRY_POINTS, name=name))
    if not found:
        raise Unavailable(f"no installed package brings a signature scheme named {name!r}")
    if len(found) > 1:
        raise Unavailable(f"{len(found)} packages bring a signature scheme named {name!r}; keep one")
    scheme = _load(found[0].module, found[0].attr)
    if scheme.name != name:
        raise Unavailable(f"the scheme registered as {name!r} calls itself {scheme.name!r}")
    return scheme
