"""Parties that lie, each in one way: the protocol's own code runs, and what leaves it is altered.

A cheat belongs to one party. It sees each message of that party before it is encoded, sealed and signed
(`revise`), and the envelope afterwards (`transmit`), so its lies carry valid signatures where it wants them
to. For a seat that does something else altogether give `Simulation` a protocol of your own in `by_hand`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MethodType
from typing import TypeVar, cast

from quorate.encoding import encode
from quorate.errors import LocalError
from quorate.session import EVERYBODY, Envelope, Message, Party, PartyId, Path, Session, Slot, tag_of
from quorate.session.envelope import seal_info, write
from quorate.testing.dice import Dice
from quorate.testing.identities import unsafe_identity
from quorate.testing.mutations import Mutation, fields_of, mutations_for, with_field

T = TypeVar("T")


class Directed(bytes):
    """An envelope that the network brings to `only` these, whatever its address says."""

    only: tuple[PartyId, ...]


def directed(data: bytes, only: Iterable[PartyId]) -> Directed:
    """Mark an envelope."""
    marked = Directed(data)
    marked.only = tuple(only)
    return marked


def whisper(party: Party, message: Message, only: Iterable[PartyId]) -> None:
    """Says something in a broadcast's slot to `only` these: for seats that are played by hand.

    As often as one likes, with another message each time. Signed with the simulator's own identities.
    """
    core = party._core
    slot = Slot(party.path, tag_of(type(message)), party.me, EVERYBODY)
    envelope = write(core.session_id, slot, encode(message), unsafe_identity(party.me))
    session = cast("Session[object]", cast(MethodType, core.emit).__self__)
    session._outbound.append(directed(envelope, only))


@dataclass(frozen=True, slots=True)
class Draft:
    """A message about to be sent. `body`, if set, takes the place of its encoding.

    `only` limits who is brought it: how a broadcast gets two versions.
    """

    path: Path
    message: Message
    recipient: PartyId
    body: bytes | None = None
    only: tuple[PartyId, ...] | None = None

    @property
    def kind(self) -> type[Message]:
        """The type of the message."""
        return type(self.message)


class Cheat:
    """One way to lie. The base is honest."""

    party: PartyId

    def revise(self, draft: Draft, everybody: Sequence[PartyId]) -> Iterable[Draft]:
        """What is sent in place of `draft`; `everybody` else takes part."""
        return [draft]

    def transmit(self, slot: Slot, envelope: bytes, everybody: Sequence[PartyId]) -> Iterable[bytes]:
        """What leaves in place of a finished envelope."""
        return [envelope]


@dataclass(frozen=True)
class Aimed(Cheat):
    """A cheat about messages of one kind, to one recipient if it is named, on one path if it is."""

    party: PartyId
    kind: type[Message]
    recipient: PartyId | None = field(default=None, kw_only=True)
    path: Path | None = field(default=None, kw_only=True)

    def revise(self, draft: Draft, everybody: Sequence[PartyId]) -> Iterable[Draft]:
        if draft.kind is not self.kind or (self.path is not None and draft.path != self.path):
            return [draft]
        if self.recipient is None or draft.recipient == self.recipient:
            return self.lie(draft, everybody)
        if draft.recipient != EVERYBODY:
            return [draft]
        # a broadcast with one victim: the others get the true one
        truth = replace(draft, only=tuple(name for name in everybody if name != self.recipient))
        return [truth, *(replace(lie, only=(self.recipient,)) for lie in self.lie(draft, everybody))]

    def lie(self, draft: Draft, everybody: Sequence[PartyId]) -> Iterable[Draft]:
        """What is sent in place of a draft that this cheat is about."""
        raise NotImplementedError


@dataclass(frozen=True)
class Tamper(Aimed):
    """Changes one field, by its path as `mutations.fields_of` writes it."""

    field: str
    mutation: Mutation

    def lie(self, draft: Draft, everybody: Sequence[PartyId]) -> Iterable[Draft]:
        return [replace(draft, message=with_field(draft.message, self.field, self.mutation))]

    def __str__(self) -> str:
        return f"{self.party}: {tag_of(self.kind)}.{self.field}: {self.mutation}"


@dataclass(frozen=True)
class Contradict(Tamper):
    """Sends both the true message and the changed one to the same recipients."""

    def lie(self, draft: Draft, everybody: Sequence[PartyId]) -> Iterable[Draft]:
        return [draft, *super().lie(draft, everybody)]


@dataclass(frozen=True)
class Withhold(Aimed):
    """Does not send it."""

    def lie(self, draft: Draft, everybody: Sequence[PartyId]) -> Iterable[Draft]:
        return []


@dataclass(frozen=True)
class Garble(Aimed):
    """Changes the encoded message before it is sealed and signed: truncated, too long, not canonical."""

    change: Callable[[bytes], bytes]

    def lie(self, draft: Draft, everybody: Sequence[PartyId]) -> Iterable[Draft]:
        return [replace(draft, body=self.change(encode(draft.message)))]


@dataclass(frozen=True)
class Damage(Cheat):
    """Changes finished envelopes of one kind, signature and all: as a relay would; nobody is to blame."""

    party: PartyId
    kind: type[Message]
    change: Callable[[bytes], bytes]

    def transmit(self, slot: Slot, envelope: bytes, everybody: Sequence[PartyId]) -> Iterable[bytes]:
        if slot.tag != tag_of(self.kind):
            return [envelope]
        to = everybody if slot.recipient == EVERYBODY else [slot.recipient]
        return [directed(self.change(envelope), to)]


@dataclass(frozen=True)
class Inject(Cheat):
    """Brings everybody envelopes from elsewhere, before each message of its own: replays, forgeries."""

    party: PartyId
    envelopes: tuple[bytes, ...]

    def transmit(self, slot: Slot, envelope: bytes, everybody: Sequence[PartyId]) -> Iterable[bytes]:
        return [*(directed(data, everybody) for data in self.envelopes), envelope]


@dataclass(frozen=True)
class Impersonate(Cheat):
    """Sends each of its messages once more in the name of `victim`, signed with its own key."""

    party: PartyId
    victim: PartyId

    def transmit(self, slot: Slot, envelope: bytes, everybody: Sequence[PartyId]) -> Iterable[bytes]:
        true = Envelope.parse(envelope)
        stolen = Slot(slot.path, slot.tag, self.victim, slot.recipient)
        forged = write(true.session, stolen, true.body, unsafe_identity(self.party))
        return [forged, envelope]


@dataclass
class Recorder(Cheat):
    """Honest; keeps what its party sent."""

    party: PartyId
    drafts: list[Draft] = field(default_factory=list)

    def revise(self, draft: Draft, everybody: Sequence[PartyId]) -> Iterable[Draft]:
        self.drafts.append(draft)
        return [draft]


@dataclass
class Wild(Cheat):
    """Lies once, in its `nth` message, in a way that the seed chooses."""

    party: PartyId
    nth: int
    seed: int
    lie: str = "never came to it"

    def __post_init__(self) -> None:
        # by number of different slots: a replay after a crash sends the same ones again
        self._order: dict[Slot, int] = {}

    def revise(self, draft: Draft, everybody: Sequence[PartyId]) -> Iterable[Draft]:
        slot = Slot(draft.path, tag_of(draft.kind), self.party, draft.recipient)
        if self._order.setdefault(slot, len(self._order)) != self.nth:
            return [draft]
        return self._lie(draft, everybody, Dice("wild", self.seed, str(slot)))

    def _lie(self, draft: Draft, everybody: Sequence[PartyId], dice: Dice) -> Iterable[Draft]:
        tag = tag_of(draft.kind)
        way = dice.below(8)
        if way == 0:
            self.lie = f"withholds {tag}"
            return []
        if way == 1:
            body = encode(draft.message)
            self.lie = f"cuts {tag} short"
            return [replace(draft, body=body[: dice.below(len(body))])]
        fields = [(path, value) for path, value in fields_of(draft.message) if mutations_for(value)]
        if not fields:
            return [draft]
        path, value = dice.choose(fields)
        mutation = dice.choose(mutations_for(value))
        self.lie = f"{tag}.{path}: {mutation}"
        changed = replace(draft, message=with_field(draft.message, path, mutation))
        if way == 2:
            self.lie += ", and the truth as well"
            return [draft, changed]
        if way == 3 and draft.recipient == EVERYBODY:
            victims = tuple(name for name in everybody if dice.below(2))
            self.lie += f", to {', '.join(victims) or 'nobody'} only"
            rest = tuple(name for name in everybody if name not in victims)
            return [replace(draft, only=rest), replace(changed, only=victims)]
        return [changed]


class CheatingSession(Session[T]):
    """A session whose messages pass through cheats on their way out."""

    cheats: Sequence[Cheat] = ()

    def _emit(self, path: Path, message: Message, recipient: PartyId) -> None:
        everybody = [name for name in self.spec.parties if name != self.me]
        drafts = [Draft(path, message, recipient)]
        for cheat in self.cheats:
            drafts = [revised for draft in drafts for revised in cheat.revise(draft, everybody)]
        slot = Slot(path, tag_of(type(message)), self.me, recipient)
        if recipient == EVERYBODY:
            # what the party itself believes to have sent: the first version; the true one if there was none
            first = drafts[0] if drafts else Draft(path, message, recipient)
            believed = write(self.id, slot, self._body(first), self._identity)
            self._running().own.setdefault(slot, believed)
        self._outbound.extend(data for draft in drafts for data in self._written(draft, everybody))

    def _body(self, draft: Draft) -> bytes:
        return encode(draft.message) if draft.body is None else draft.body

    def _written(self, draft: Draft, everybody: Sequence[PartyId]) -> list[bytes]:
        slot = Slot(draft.path, tag_of(draft.kind), self.me, draft.recipient)
        body = self._body(draft)
        if slot.recipient != EVERYBODY:
            body = self._roster[slot.recipient].seal(body, seal_info(self.id, slot), self._running().rng)
        envelopes: list[bytes] = [write(self.id, slot, body, self._identity)]
        for cheat in self.cheats:
            envelopes = [sent for data in envelopes for sent in cheat.transmit(slot, data, everybody)]
        if draft.only is None:
            return envelopes
        return [directed(data, draft.only) for data in envelopes]


def lies(drafts: Iterable[Draft], party: PartyId) -> list[Tamper]:
    """Every mutation of every field of every kind of message among `drafts`."""
    kinds: Mapping[type[Message], Draft] = {draft.kind: draft for draft in drafts}
    found = [
        Tamper(party, kind, path, mutation)
        for kind, draft in kinds.items()
        for path, value in fields_of(draft.message)
        for mutation in mutations_for(value)
    ]
    if not found:
        raise LocalError(f"{party} sent nothing to tamper with")
    return found
