"""The registry of domain tags: every hash of the package begins with one, and no two uses share one.

A tag names a use, not a module: renaming it changes the protocol. Add yours to the section of its layer;
a test asserts that the values are unique and that none is the beginning of another use's bytes (fields are
length-prefixed, so a common prefix such as ``a/b`` and ``a/bc`` is harmless).
"""

from __future__ import annotations

from enum import StrEnum, unique


@unique
class Tag(StrEnum):
    """What a hash is for."""

    # groups
    HASH_TO_POINT = "group/hash-to-point"

    # primitives
    PROOF_NONCE = "proof/nonce"
    SEALED_BOX = "sealed/box"
    HPKE_OPENING = "hpke/opening"
