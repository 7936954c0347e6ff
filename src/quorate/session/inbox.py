"""What has arrived, one message a slot, and what is refused at the door.

Three kinds of unwanted input are told apart. Whatever nobody of this session provably sent (another
session, unknown sender, bad signature) is dropped and counted: acting on it would let a stranger abort
honest parties. A signed message in a slot that no rule admits, or beyond the sender's byte limit, is
dropped and counted too. A signed message that its sender should never have made (a second, different one
in the same slot; a body that does not open or parse) is evidence, and raises `Blame`: that ends the session,
or, in a tolerant protocol, is noted. The first message of a slot stays; a slot whose first did not read
stays empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from quorate.encoding import decode, encode
from quorate.entropy import Rng
from quorate.errors import Blame, LimitExceeded, Malformed, ProofRejected
from quorate.groups import Group
from quorate.groups.fields import parser_for
from quorate.session.envelope import EVERYBODY, Envelope, Slot, seal_info
from quorate.session.evidence import Exhibit
from quorate.session.identity import Identity, PublicIdentity
from quorate.session.message import Declaration, Message, PartyId, Path, Rule
from quorate.session.spec import SessionSpec


@dataclass(frozen=True, slots=True)
class Entry:
    """A filled slot: the message, and the envelope it came in."""

    message: Message
    envelope: bytes


class Inbox:
    """The slots of one party in one session."""

    def __init__(
        self,
        me: PartyId,
        spec: SessionSpec,
        declaration: Declaration,
        group: Group,
        identity: Identity,
        roster: Mapping[PartyId, PublicIdentity],
        rng: Rng,
    ) -> None:
        self._me = me
        self._id = spec.id
        self._parties = spec.parties
        self._declaration = declaration
        self._parse: Callable[[type, object], object] = parser_for(group)
        self._identity = identity
        self._roster = roster
        self._rng = rng
        self._entries: dict[Slot, Entry] = {}
        self._stored: Counter[PartyId] = Counter()
        self._spoilt: set[Slot] = set()
        self.arrivals: dict[Path, list[Slot]] = {}
        self.log: list[Slot] = []
        self.dropped: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many slots are filled."""
        return len(self._entries)

    def deliver(self, data: bytes) -> Slot | None:
        """Take one envelope in. Gives its slot if it filled one; raises `Blame` on provable deviation."""
        try:
            envelope = Envelope.parse(data)
        except LimitExceeded:
            self.dropped["oversized"] += 1
            return None
        except Malformed:
            self.dropped["malformed"] += 1
            return None
        if envelope.session != self._id:
            self.dropped["another session"] += 1
            return None
        sender = self._roster.get(envelope.sender)
        if sender is None or envelope.sender not in self._parties or envelope.sender == self._me:
            self.dropped["unknown sender"] += 1
            return None
        if envelope.recipient not in (EVERYBODY, self._me):
            self.dropped["not for us"] += 1
            return None
        slot = envelope.slot
        known = self._entries.get(slot)
        if known is not None and known.envelope == data:
            self.dropped["duplicate"] += 1
            return None
        if slot in self._spoilt:
            self.dropped["spoilt slot"] += 1
            return None
        try:
            envelope.verify(sender)
        except ProofRejected:
            self.dropped["bad signature"] += 1
            return None
        rule = self._declaration.rule(slot.tag, slot.path, self._parties)
        if rule is None or rule.unicast != (envelope.recipient != EVERYBODY):
            self.dropped["undeclared slot"] += 1
            return None
        if known is not None:
            raise Blame(
                f"{slot.sender} sent two different messages in one place ({slot})",
                parties=[slot.sender],
                step=slot.tag,
                evidence=[encode(Exhibit(known.envelope, b"")), encode(Exhibit(data, b""))],
            )
        if self._stored[slot.sender] + len(data) > self._declaration.sender_limit:
            self.dropped["over the sender's limit"] += 1
            return None
        self._entries[slot] = Entry(self._read(envelope, slot, rule, data), data)
        self._stored[slot.sender] += len(data)
        self.arrivals.setdefault(slot.path, []).append(slot)
        self.log.append(slot)
        return slot

    def find(self, kind_tag: str, path: Path, sender: PartyId, unicast: bool) -> Message | None:
        """The message in a slot, if it has come."""
        entry = self._entries.get(Slot(path, kind_tag, sender, self._me if unicast else EVERYBODY))
        return None if entry is None else entry.message

    def message(self, slot: Slot) -> Message:
        """The message of a slot that is known to be filled."""
        return self._entries[slot].message

    def exhibit(self, slot: Slot) -> Exhibit | None:
        """What shows a stranger the content of a slot: its envelope, and an opening if it was sealed."""
        entry = self._entries.get(slot)
        if entry is None:
            return None
        return self._exhibit(slot, entry.envelope)

    def envelope(self, slot: Slot) -> bytes | None:
        """The envelope of a slot as it came."""
        entry = self._entries.get(slot)
        return None if entry is None else entry.envelope

    def _exhibit(self, slot: Slot, data: bytes) -> Exhibit:
        if slot.recipient == EVERYBODY:
            return Exhibit(data, b"")
        body = Envelope.parse(data).body
        return Exhibit(data, self._identity.opening(body, seal_info(self._id, slot), self._rng))

    def _read(self, envelope: Envelope, slot: Slot, rule: Rule, data: bytes) -> Message:
        try:
            body = envelope.body
            if rule.unicast:
                body = self._identity.open(body, seal_info(self._id, slot))
            return decode(rule.kind, body, self._parse, limit=rule.limit)
        except (Malformed, ProofRejected, LimitExceeded) as error:
            # no wider: a key store of ours that fails to open a box is not the sender's deviation
            self._spoilt.add(slot)
            raise Blame(
                f"{slot.sender} signed a message that does not read ({slot}): {error}",
                parties=[slot.sender],
                step=slot.tag,
                evidence=[encode(self._unreadable(slot, data))],
            ) from None

    def _unreadable(self, slot: Slot, data: bytes) -> Exhibit:
        try:
            return self._exhibit(slot, data)
        except Malformed:
            # No box, or one that its sender did not make for this slot: the envelope alone shows that, and an
            # opening would tell a sender that has copied somebody's box what is in that one.
            return Exhibit(data, b"")
