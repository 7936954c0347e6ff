"""What makes a `Blame` more than a claim: signed envelopes that a stranger can check.

An exhibit is an envelope as its sender signed it and, if it was sealed, the recipient's opening of that
one box. `examine` needs no secret: the session's agreement, the parties' public identities, and the
protocol's declaration are enough. What the message proves (a wrong share, a broken commitment) is then
decided by the same pure function the protocol used.
"""

from __future__ import annotations

from collections.abc import Mapping

from quorate.encoding import Canonical, decode
from quorate.errors import ProofRejected
from quorate.groups import Group
from quorate.groups.fields import parser_for
from quorate.session.envelope import EVERYBODY, Envelope, Slot, seal_info
from quorate.session.identity import PublicIdentity
from quorate.session.message import Declaration, Message, PartyId
from quorate.session.spec import SessionSpec


class Exhibit(Canonical, frozen=True):
    """One signed envelope; `opening` is empty for a broadcast."""

    envelope: bytes
    opening: bytes


def examine(
    exhibit: Exhibit,
    spec: SessionSpec,
    roster: Mapping[PartyId, PublicIdentity],
    declaration: Declaration,
    group: Group,
) -> tuple[Slot, Message]:
    """Who said what, checked from outside.

    Raises `ProofRejected` when the exhibit shows nothing (not of this session, not signed by its sender,
    opening false) and `Malformed` when the sender did sign it but it reads as no message: that, too, is
    a deviation of the sender's.
    """
    envelope = Envelope.parse(exhibit.envelope)
    if envelope.session != spec.id or envelope.sender not in spec.parties:
        raise ProofRejected("exhibit: of another session")
    envelope.verify(roster[envelope.sender])
    slot = envelope.slot
    rule = declaration.rule(slot.tag, slot.path, spec.parties)
    if rule is None:
        raise ProofRejected("exhibit: in no slot of this protocol")
    body = envelope.body
    if slot.recipient != EVERYBODY:
        info = seal_info(spec.id, slot)
        body = roster[slot.recipient].open_with(exhibit.opening, body, info)
    return slot, decode(rule.kind, body, parser_for(group), limit=rule.limit)
