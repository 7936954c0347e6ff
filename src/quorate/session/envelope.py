"""A message in its envelope: addressed, signed, and sealed when it is for one party only.

The signature covers session, slot and body as sent (a sealed body is signed as ciphertext, so a relay can
check it without reading). The seal is bound to the session id and the slot, sender and recipient
included: a box replayed in another session, slot or direction does not open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from quorate.encoding import MAX_MESSAGE_BYTES, Canonical, decode, encode
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session.identity import Identity, PublicIdentity
from quorate.session.message import ENVELOPE_OVERHEAD, MAX_PATH_BYTES, PartyId, Path

EVERYBODY: Final = ""
"""The recipient of a broadcast."""

MAX_ENVELOPE_BYTES: Final = MAX_MESSAGE_BYTES + ENVELOPE_OVERHEAD
"""A message of full size with its addressing, box and signature."""


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """Where one message of a session belongs. Each slot is filled once."""

    path: Path
    tag: str
    sender: PartyId
    recipient: PartyId = EVERYBODY

    def __str__(self) -> str:
        where = f"{self.path}/" if self.path else ""
        return f"{where}{self.tag} {self.sender} → {self.recipient or 'all'}"


class Envelope(Canonical, frozen=True):
    """The wire form. `body` is the encoded message, or its box when `recipient` is named."""

    session: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    path: Annotated[str, msgspec.Meta(max_length=MAX_PATH_BYTES)]
    tag: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    sender: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    recipient: Annotated[str, msgspec.Meta(max_length=32)]
    body: bytes
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]

    @classmethod
    def parse(cls, data: bytes) -> Envelope:
        """Read an envelope; raises `Malformed` or `LimitExceeded`. Nothing is verified yet."""
        return decode(cls, data, limit=MAX_ENVELOPE_BYTES)

    @property
    def slot(self) -> Slot:
        return Slot(self.path, self.tag, self.sender, self.recipient)

    def verify(self, sender: PublicIdentity) -> None:
        """Raises `ProofRejected` unless `sender` signed exactly this."""
        sender.verify(_signed(self.session, self.slot, self.body), self.signature)


def write(session: bytes, slot: Slot, body: bytes, sender: Identity) -> bytes:
    """Sign `body` (already sealed if it is sealed at all) for its slot; the encoded envelope."""
    signature = sender.sign(_signed(session, slot, body))
    return encode(Envelope(session, slot.path, slot.tag, slot.sender, slot.recipient, body, signature))


def seal_info(session: bytes, slot: Slot) -> bytes:
    """What a sealed body is bound to."""
    return digest(
        Tag.ENVELOPE_SEAL,
        session,
        slot.path.encode(),
        slot.tag.encode(),
        slot.sender.encode(),
        slot.recipient.encode(),
    )


def _signed(session: bytes, slot: Slot, body: bytes) -> bytes:
    return digest(
        Tag.ENVELOPE,
        session,
        slot.path.encode(),
        slot.tag.encode(),
        slot.sender.encode(),
        slot.recipient.encode(),
        body,
    )
