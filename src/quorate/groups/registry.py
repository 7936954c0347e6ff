"""Groups by name, for specs, records and configuration that say which curve they are about.

Our own curves are listed here; others register under the entry point group ``quorate.groups``, the entry
naming a `Group` instance. An entry never replaces one of ours. The toy group is known only inside
`allow_toy()`, so that no message or file can talk a real process into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Final

from quorate.errors import LocalError, Unavailable
from quorate.groups.group import Group

ENTRY_POINTS: Final = "quorate.groups"

_OURS: Final = {
    "secp256k1": ("quorate.groups.secp256k1", "SECP256K1"),
    "ed25519": ("quorate.groups.ed25519", "ED25519"),
    "ristretto255": ("quorate.groups.ristretto255", "RISTRETTO255"),
    "p256": ("quorate.groups.p256", "P256"),
    "stark": ("quorate.groups.stark", "STARK"),
    "bls12381g1": ("quorate.groups.bls12381", "BLS12381_G1"),
    "bls12381g2": ("quorate.groups.bls12381", "BLS12381_G2"),
}
_toy_allowed: ContextVar[bool] = ContextVar("quorate_toy_group_allowed", default=False)


def group_named(name: str) -> Group:
    """The group of that name. Raises `Unavailable` if no installed package brings it."""
    if name == "toy":
        if not _toy_allowed.get():
            raise LocalError("the toy group has no security; only a simulation may ask for it")
        return _load("quorate.groups.toy", "TOY_GROUP")
    if name in _OURS:
        return _load(*_OURS[name])
    return _plugged(name)


@contextmanager
def allow_toy() -> Iterator[None]:
    """Lets `group_named` give out the toy group inside the block (and in tasks started from it)."""
    token = _toy_allowed.set(True)
    try:
        yield
    finally:
        _toy_allowed.reset(token)


@cache
def _load(module: str, attribute: str) -> Group:
    group = getattr(import_module(module), attribute)
    if not isinstance(group, Group):
        raise Unavailable(f"{module}:{attribute} is not a Group")
    return group


@cache
def _plugged(name: str) -> Group:
    found = tuple(entry_points(group=ENTRY_POINTS, name=name))
    if not found:
        raise Unavailable(f"no installed package brings a group named {name!r}")
    if len(found) > 1:
        raise Unavailable(f"{len(found)} packages bring a group named {name!r}; keep one")
    return _load(found[0].module, found[0].attr)
