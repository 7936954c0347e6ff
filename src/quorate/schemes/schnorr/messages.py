"""The two messages of FROST, and their slots (steps 1.1 and 2.3 of docs/protocols/frost.md)."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from quorate.groups import Point, Scalar
from quorate.session import Declaration, Message, Path, Rule

Octets32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]

MAX_BATCH: Final = 32
"""Signatures prepared in one session: half of what a vault holds ready for one key and signer set, so that
a pool is refilled before it is empty, in 2 to 4 kB."""


class Commitments(Message, frozen=True, tag="schnorr.commitments"):
    """Step 1.1, to all: what the sender takes the session to be, and D, E of each nonce pair in turn.

    Signed and in clear: a list of what each signer said is what blame rests on.
    """

    ssid: Octets32
    points: Annotated[tuple[Point, ...], msgspec.Meta(max_length=2 * MAX_BATCH)]


class Share(Message, frozen=True, tag="schnorr.share"):
    """Step 2.3: z_i, and the hash of all that it was computed for.

    `context` covers the raw list of commitments and the whole request, so whoever holds both can check the
    share, and nobody can hold it against another list. In clear: a share is no secret, the signature is out
    of reach without the combiner's own share, which is never sent; and a box would cost a fifth of the time.
    """

    context: Octets32
    response: Scalar


def preparing_rules(path: Path = "") -> tuple[Rule, ...]:
    """The slots of the first round on `path`."""
    return (Rule(Commitments, path, limit=8_192),)


def online_rules(path: Path = "") -> tuple[Rule, ...]:
    """The slots of the second round on `path`."""
    return (Rule(Share, path, limit=128),)


PREPARE: Final = Declaration("schnorr.prepare", 1, *preparing_rules())
ONLINE: Final = Declaration("schnorr.online", 1, *online_rules())
SIGN: Final = Declaration("schnorr.sign", 1, *preparing_rules(), *online_rules())
