"""Paths of derived accounts: ``""`` is the key itself, ``"0/7"`` child 7 of child 0.

The text is what a request carries and what every signer binds, so it has one spelling: decimal numbers
without leading zeros, a slash between them, nothing else. Hardened steps (``0'``) don't exist here. They hash
the private key of the parent, and nobody has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from quorate.errors import LimitExceeded, Malformed

MAX_LEVELS: Final = 8
"""Steps of one path. Wallets use two or three below the root; every level costs each signer an HMAC and a
multiplication, which a request must not multiply at will."""

MAX_INDEX: Final = (1 << 31) - 1
"""BIP 32 keeps 2^31 and above for hardened steps. It is the bound of our own Ed25519 derivation, too."""

MAX_PATH_TEXT: Final = MAX_LEVELS * 10 + MAX_LEVELS - 1
"""Characters of the longest path: eight numbers of ten digits."""

_STEP: Final = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)


def parse_path(text: str) -> tuple[int, ...]:
    """The indices of a path. Raises `LimitExceeded` for one that is too deep and `Malformed` for any other
    text that is not the one spelling of a path."""
    if not text:
        return ()
    if len(text) > MAX_PATH_TEXT or text.count("/") >= MAX_LEVELS:
        raise LimitExceeded(f"a path has at most {MAX_LEVELS} levels")
    steps = text.split("/")
    if any(step.endswith(("'", "h", "H")) for step in steps):
        raise Malformed(
            "a path of a shared key has no hardened steps: they need a private key that nobody has"
        )
    if not all(_STEP.fullmatch(step) for step in steps):
        raise Malformed(
            "a path is a list of numbers, as 0/7: decimal, no leading zeros, a slash between them"
        )
    return checked_path(int(step) for step in steps)


def write_path(indices: Iterable[int]) -> str:
    """The text of a path. Raises what `parse_path` would."""
    return "/".join(str(index) for index in checked_path(indices))


def checked_path(indices: Iterable[int]) -> tuple[int, ...]:
    """The indices, if they are in range and not too many."""
    path = tuple(indices)
    if len(path) > MAX_LEVELS:
        raise LimitExceeded(f"a path has at most {MAX_LEVELS} levels")
    if not all(0 <= index <= MAX_INDEX for index in path):
        raise Malformed(f"an index of a path lies between 0 and {MAX_INDEX}")
    return path
