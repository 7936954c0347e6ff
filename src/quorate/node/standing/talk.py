"""What nodes say to each other about standing sessions, one parcel each."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec

from quorate.encoding import Canonical, decode
from quorate.session import MAX_ENVELOPE_BYTES, SessionSpec
from quorate.transport.links import MAX_PARCEL_BYTES

TOPIC: Final = "standing"

SessionId = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Announce(Canonical, frozen=True, tag="announce"):
    """This session has begun here. `spec` holds all nonces."""

    spec: SessionSpec


class Carry(Canonical, frozen=True, tag="carry"):
    """One envelope of a session."""

    session: SessionId
    envelope: Annotated[bytes, msgspec.Meta(max_length=MAX_ENVELOPE_BYTES)]


class Help(Canonical, frozen=True, tag="help"):
    """The sender was restarted in the middle of this session, and may have missed something."""

    session: SessionId


class Done(Canonical, frozen=True, tag="done"):
    """The sender has its result, durably, or has given the session up: it needs nothing more."""

    session: SessionId


Talk: TypeAlias = Announce | Carry | Help | Done


def read_talk(body: bytes) -> Talk:
    """Raises `Malformed`, `LimitExceeded`."""
    return decode(Talk, body, limit=MAX_PARCEL_BYTES)  # type: ignore[arg-type]
