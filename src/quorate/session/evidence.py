"""What makes a `Blame` more than a claim: signed envelopes that a stranger can check.

An exhibit is an envelope as its sender signed it and, if it was sealed, the recipient's opening of that
one box. `convict` needs no secret: the session's agreement, the parties' public identities, and the
protocol's declaration are enough. Three offences show by themselves: two different messages in one slot,
a message that does not read, and (in `quorate.session.echo`) a view that its reporter can't show. What any
other message proves (a wrong share, a broken commitment) is decided by the same pure function the protocol
used, on what `examine` gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from quorate.encoding import Canonical, decode
from quorate.errors import Blame, LimitExceeded, Malformed, ProofRejected
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


class Offence(StrEnum):
    """What a party's exhibits show."""

    EQUIVOCATION = "equivocation"
    """Two different messages in one slot, both signed."""
    UNREADABLE = "unreadable"
    """A signed message that is none."""
    STATEMENT = "statement"
    """Valid messages. What they amount to is for the protocol's own check on `Finding.messages`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the evidence shows about one party."""

    party: PartyId
    offence: Offence
    messages: tuple[tuple[Slot, Message], ...] = ()


def convict(
    blame: Blame,
    spec: SessionSpec,
    roster: Mapping[PartyId, PublicIdentity],
    declaration: Declaration,
    group: Group,
) -> list[Finding]:
    """What a `Blame` shows about each party it names, checked from outside.

    Raises `ProofRejected` if an exhibit shows nothing, or if somebody is named without any of theirs.
    """
    exhibits = [_read(data) for data in blame.evidence]
    findings = []
    for party in blame.parties:
        own = [(envelope, exhibit) for envelope, exhibit in exhibits if envelope.sender == party]
        if not own:
            raise ProofRejected(f"blame: no signed message of {party} is shown")
        findings.append(_finding(party, own, spec, roster, declaration, group))
    return findings


def examine(
    exhibit: Exhibit,
    spec: SessionSpec,
    roster: Mapping[PartyId, PublicIdentity],
    declaration: Declaration,
    group: Group,
) -> tuple[Slot, Message]:
    """Who said what, checked from outside.

    Raises `ProofRejected` when the exhibit shows nothing (no envelope, not of this session, not signed by
    its sender, opening false) and `Malformed` when the sender did sign it but it reads as no message:
    that, too, is a deviation of the sender's.
    """
    envelope = _parse(exhibit.envelope)
    slot = _signed_slot(envelope, spec, roster)
    rule = declaration.rule(slot.tag, slot.path, spec.parties)
    if rule is None or rule.unicast != (slot.recipient != EVERYBODY):
        raise ProofRejected("exhibit: in no slot of this protocol")
    body = envelope.body
    if rule.unicast:
        body = roster[slot.recipient].open_with(exhibit.opening, body, seal_info(spec.id, slot))
    try:
        return slot, decode(rule.kind, body, parser_for(group), limit=rule.limit)
    except LimitExceeded as error:
        raise Malformed(str(error)) from None


def _finding(
    party: PartyId,
    exhibits: list[tuple[Envelope, Exhibit]],
    spec: SessionSpec,
    roster: Mapping[PartyId, PublicIdentity],
    declaration: Declaration,
    group: Group,
) -> Finding:
    first: dict[Slot, bytes] = {}
    for envelope, exhibit in exhibits:
        # no opening is needed: sealed or not, nobody signs twice in one slot
        slot = _signed_slot(envelope, spec, roster)
        if first.setdefault(slot, exhibit.envelope) != exhibit.envelope:
            return Finding(party, Offence.EQUIVOCATION)
    messages = []
    for _, exhibit in exhibits:
        try:
            messages.append(examine(exhibit, spec, roster, declaration, group))
        except Malformed:
            return Finding(party, Offence.UNREADABLE)
    return Finding(party, Offence.STATEMENT, tuple(messages))


def _signed_slot(envelope: Envelope, spec: SessionSpec, roster: Mapping[PartyId, PublicIdentity]) -> Slot:
    if envelope.session != spec.id or envelope.sender not in spec.parties:
        raise ProofRejected("exhibit: of another session")
    if envelope.recipient != EVERYBODY and envelope.recipient not in spec.parties:
        raise ProofRejected("exhibit: addressed to nobody of this session")
    envelope.verify(roster[envelope.sender])
    return envelope.slot


def _read(data: bytes) -> tuple[Envelope, Exhibit]:
    try:
        exhibit = decode(Exhibit, data, limit=len(data))
    except Malformed:
        raise ProofRejected("evidence: not an exhibit") from None
    return _parse(exhibit.envelope), exhibit


def _parse(data: bytes) -> Envelope:
    # a garbled envelope must not pass for its sender's deviation: nobody signed it
    try:
        return Envelope.parse(data)
    except (Malformed, LimitExceeded):
        raise ProofRejected("exhibit: not an envelope") from None
