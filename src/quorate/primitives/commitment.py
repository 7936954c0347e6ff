"""Hash commitments: say now that a value is fixed, show later which.

commitment = H(tag, context, value, salt) with a 32-byte salt, in the random oracle model (the textbook
construction; binding by collision resistance, hiding because the salt is uniform and stays secret until the
opening). `context` must name the session and the committing party, or a commitment could be copied from
another place; this module cannot know what else belongs in it.
"""

from __future__ import annotations

import hmac
from typing import Final

from quorate.errors import Malformed, ProofRejected
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest

SALT_LENGTH: Final = 32
"""Twice the security level: a guessable value stays hidden and salts never collide."""


def commit(tag: Tag, context: bytes, value: bytes, salt: bytes) -> bytes:
    """Step 9: the 32-byte commitment to `value`. Raises `Malformed` on a salt of another length."""
    if len(salt) != SALT_LENGTH:
        raise Malformed(f"the salt of a commitment has {SALT_LENGTH} bytes, not {len(salt)}")
    return digest(tag, context, value, salt)


def opens(commitment: bytes, tag: Tag, context: bytes, value: bytes, salt: bytes) -> None:
    """Step 10: check an opening. Raises `ProofRejected` if `commitment` is to something else."""
    if len(salt) != SALT_LENGTH or not hmac.compare_digest(commitment, commit(tag, context, value, salt)):
        raise ProofRejected("the opening does not fit the commitment")
