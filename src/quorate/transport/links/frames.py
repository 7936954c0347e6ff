"""What two nodes say on a link.

::

    caller → callee   Hello      who calls whom, and a fresh key
    callee → caller   Welcome    a fresh key, signed together with the caller's
    caller → callee   Confirm    the caller's signature over both; sealed, like all that follows
    caller → callee   Parcel     something to deliver
    callee → caller   Ack        it was taken in, durably
    callee → caller   Later      it was not, but may be sent again after a while

The first two travel bare, since no key is there yet; the numbers of steps are those of
``docs/protocols/links.md``. A frame that is out of order, of another kind or not canonical ends the
connection.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec

from quorate.encoding import MAX_TEXT_BYTES, Canonical, decode
from quorate.session import MAX_ENVELOPE_BYTES

LINK_VERSION: Final = 1

KEY_BYTES: Final = 32
"""An X25519 public key."""

MAX_PARCEL_BYTES: Final = MAX_ENVELOPE_BYTES + 1024
"""The largest envelope of a session, and its addressing."""

MAX_LINK_FRAME_BYTES: Final = MAX_PARCEL_BYTES + 1024
"""A parcel with its number, topic and seal; a wire gives nothing longer to read."""

MAX_HANDSHAKE_BYTES: Final = 4096
"""What a stranger can make us read: names and keys."""

MAX_TOPIC_BYTES: Final = 32

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
PublicKey = Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]
Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class Hello(Canonical, frozen=True, tag="hello"):
    """Step 1."""

    version: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    network: Annotated[str, msgspec.Meta(max_length=MAX_TEXT_BYTES)]
    caller: Name
    callee: Name
    key: PublicKey


class Welcome(Canonical, frozen=True, tag="welcome"):
    """Step 2."""

    key: PublicKey
    signature: Signature


class Confirm(Canonical, frozen=True, tag="confirm"):
    """Step 4."""

    signature: Signature


class Parcel(Canonical, frozen=True, tag="parcel"):
    """`number` is the sender's own, and grows; `topic` names the handler at the other end."""

    number: Number
    topic: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TOPIC_BYTES)]
    body: Annotated[bytes, msgspec.Meta(max_length=MAX_PARCEL_BYTES)]


class Ack(Canonical, frozen=True, tag="ack"):
    """Whatever follows from the parcel is durable at the other end: it need not come again."""

    number: Number


class Later(Canonical, frozen=True, tag="later"):
    """The other end cannot take this parcel in at present."""

    number: Number


LinkFrame: TypeAlias = Confirm | Parcel | Ack | Later


def read_hello(data: bytes) -> Hello:
    """Raises `Malformed`, `LimitExceeded`."""
    return decode(Hello, data, limit=MAX_HANDSHAKE_BYTES)


def read_welcome(data: bytes) -> Welcome:
    """Raises `Malformed`, `LimitExceeded`."""
    return decode(Welcome, data, limit=MAX_HANDSHAKE_BYTES)


def read_link_frame(data: bytes) -> LinkFrame:
    """What was inside a sealed frame. Raises `Malformed`, `LimitExceeded`."""
    return decode(LinkFrame, data, limit=MAX_LINK_FRAME_BYTES)  # type: ignore[arg-type]
