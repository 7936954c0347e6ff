"""One step down: the public data of a child key, for either kind of derivation."""

from __future__ import annotations

from dataclasses import dataclass

from quorate.errors import LocalError
from quorate.groups import Point, Scalar

CHAIN_CODE_BYTES = 32


class NoChild(LocalError):
    """No key exists at this index (once in 2^127 for secp256k1). The next index is the child to take."""


@dataclass(frozen=True, slots=True)
class Child:
    """A child key with the tweak that leads to it from its parent: ``point = parent + tweak * G``."""

    point: Point
    tweak: Scalar
    chain_code: bytes

    @classmethod
    def of(cls, parent: Point, tweak: Scalar, chain_code: bytes, index: int) -> Child:
        """Raises `NoChild` if the tweak cancels the parent."""
        point = parent + parent.group.generator.multiply_public(tweak)
        if point.is_identity:
            raise no_child(index)
        return cls(point, tweak, chain_code)


def no_child(index: int) -> NoChild:
    """The error for an index without a key."""
    return NoChild(f"there is no key at index {index}; take the next one")


def checked_chain_code(chain_code: bytes) -> bytes:
    """The chain code, if it has its length."""
    if len(chain_code) != CHAIN_CODE_BYTES:
        raise LocalError(f"a chain code has {CHAIN_CODE_BYTES} bytes, not {len(chain_code)}")
    return chain_code
