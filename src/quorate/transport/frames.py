"""What travels on one session's connection, between the hub and one party.

::

    hub   → party   Propose     the agreement without nonces, and the proposer's credential
    party → hub     Nonce       the party's contribution to the session id
    hub   → party   Begin       the whole agreement, signed by the proposer
    both directions Deliver     signed envelopes, as many as there are to send
    party → hub     Finished    the party is done and has stored its outcome
    both directions Failed      the session is over for the sender, and why

A frame is a MessagePack array that begins with its tag. A frame out of order ends the connection; it can
do no more, since whatever matters inside is signed and bound to its session.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec

from quorate.encoding import Canonical, decode
from quorate.session import NONCE_BYTES, SessionSpec

MAX_ENVELOPES_IN_FRAME: Final = 256
"""A party answers one event with at most a message or two for each other party."""

MAX_FRAME_BYTES: Final = 4 << 20
"""A round of a large committee at once; a WebSocket peer that sends more is cut off."""

MAX_CREDENTIAL_BYTES: Final = 4096
"""A login token; the real ones of identity providers are one to two kilobytes."""


class Propose(Canonical, frozen=True, tag="propose"):
    """`proposer` opens the session; `credential` entitles it (a login token; empty for a node)."""

    proposer: Annotated[str, msgspec.Meta(max_length=32)]
    credential: Annotated[bytes, msgspec.Meta(max_length=MAX_CREDENTIAL_BYTES)]
    spec: SessionSpec


class Nonce(Canonical, frozen=True, tag="nonce"):
    """The party's 32 fresh bytes."""

    nonce: Annotated[bytes, msgspec.Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]


class Begin(Canonical, frozen=True, tag="begin"):
    """The agreement with all nonces; `roster` the public identities in the order of its parties;
    `signature` the proposer's over the session id."""

    spec: SessionSpec
    roster: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=64)]
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


class Deliver(Canonical, frozen=True, tag="deliver"):
    """Encoded envelopes."""

    envelopes: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=MAX_ENVELOPES_IN_FRAME)]


class Finished(Canonical, frozen=True, tag="finished"):
    """The party's public outcome (may be empty); what it keeps is durable by now."""

    outcome: bytes


class Failed(Canonical, frozen=True, tag="failed"):
    """An error of the tree in `quorate.errors`, as its sender states it."""

    kind: Annotated[str, msgspec.Meta(max_length=32)]
    message: Annotated[str, msgspec.Meta(max_length=1024)]
    parties: Annotated[tuple[str, ...], msgspec.Meta(max_length=64)] = ()
    step: Annotated[str, msgspec.Meta(max_length=128)] = ""
    code: Annotated[str, msgspec.Meta(max_length=64)] = ""
    remedy: Annotated[str, msgspec.Meta(max_length=32)] = ""
    leak_bearing: bool = False
    needed: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0
    evidence: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=16)] = ()


Frame: TypeAlias = Propose | Nonce | Begin | Deliver | Finished | Failed


def read_frame(data: bytes) -> Frame:
    """Parse one frame; raises `Malformed` or `LimitExceeded`."""
    return decode(Frame, data, limit=MAX_FRAME_BYTES)  # type: ignore[arg-type]
