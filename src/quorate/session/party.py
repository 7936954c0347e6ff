"""What a protocol sees of the world: its party.

A protocol is an ``async def`` that takes a `Party` and awaits only what it offers. There is no event loop:
waiting yields to the `Session` that drives the coroutine, which resumes it when something has arrived.
No clock, no socket, no global randomness is reachable from here.
"""

from __future__ import annotations

import types
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar, cast

from quorate.encoding import encode
from quorate.entropy import Rng
from quorate.errors import Blame, Missing, Suspicion
from quorate.groups import Group
from quorate.session.envelope import EVERYBODY, Slot
from quorate.session.evidence import Exhibit
from quorate.session.identity import PublicIdentity
from quorate.session.inbox import Inbox
from quorate.session.message import Declaration, Message, PartyId, Path, is_label, tag_of
from quorate.session.spec import SessionSpec

M = TypeVar("M", bound=Message)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a coroutine yields: the type it waits for on a path and the parties still silent."""

    tag: str
    path: Path
    parties: tuple[PartyId, ...]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came: on which path, from whom."""

    path: Path
    sender: PartyId
    message: Message


@dataclass(slots=True)
class Core:
    """What all forks of one party share; owned by the `Session`."""

    me: PartyId
    spec: SessionSpec
    session_id: bytes
    group: Group
    declaration: Declaration
    roster: Mapping[PartyId, PublicIdentity]
    rng: Rng
    inbox: Inbox
    emit: Callable[[Path, Message, PartyId], None]
    sign: Callable[[bytes], bytes]
    conclude: Callable[[Any], None]
    deviations: dict[PartyId, Blame]
    deadlines: int = 0
    forks: set[Path] = field(default_factory=set)
    own: dict[Slot, bytes] = field(default_factory=dict)


class Party:
    """One party's seat in one (fork of a) session."""

    __slots__ = ("_core", "me", "parties", "path")

    def __init__(self, core: Core, path: Path = "", parties: Sequence[PartyId] | None = None) -> None:
        self._core = core
        self.path = path
        self.me = core.me
        self.parties: tuple[PartyId, ...] = tuple(sorted(parties)) if parties else core.spec.parties

    @property
    def others(self) -> tuple[PartyId, ...]:
        """All parties but me, sorted."""
        return tuple(party for party in self.parties if party != self.me)

    @property
    def spec(self) -> SessionSpec:
        """The session's agreement."""
        return self._core.spec

    @property
    def session_id(self) -> bytes:
        """32 bytes that commit to the whole agreement; every hash of a protocol is bound to it."""
        return self._core.session_id

    @property
    def group(self) -> Group:
        """The group whose points and scalars the messages carry."""
        return self._core.group

    @property
    def rng(self) -> Rng:
        """The only source of randomness inside a protocol."""
        return self._core.rng

    def identity_of(self, party: PartyId) -> PublicIdentity:
        """The public identity of a party of this session."""
        return self._core.roster[party]

    # --- talking -------------------------------------------------------------------------------------

    def broadcast(self, message: Message) -> None:
        """Sign and send to all others of the session, in clear."""
        self._core.emit(self.path, message, EVERYBODY)

    def send(self, to: PartyId, message: Message) -> None:
        """Sign and seal to one other party."""
        if to not in self.others:
            raise ValueError(f"{to} is not another party of this session")
        self._core.emit(self.path, message, to)

    def sign(self, statement: bytes) -> bytes:
        """Our signature over a 32-byte digest, for certificates that outlive the session.

        The digest must come from a tag of its own, so that it is no envelope's and no other statement's;
        others check it with ``identity_of(party).verify(statement, signature)``.
        """
        if len(statement) != 32:
            raise ValueError("statements are signed by their 32-byte digest")
        return self._core.sign(statement)

    def conclude(self, value: object) -> None:
        """Give the session's result now and go on serving those who are not there yet.

        The host may use the result at once (`Session.concluded`) and ends the session when nobody can need
        it any more. Once; what the coroutine returns afterwards counts for nothing.
        """
        self._core.conclude(value)

    # --- listening -----------------------------------------------------------------------------------

    async def gather(
        self, kind: type[M], senders: Iterable[PartyId] | None = None, *, at_least: int | None = None
    ) -> dict[PartyId, M]:
        """The messages of `kind` from all `senders` (default: all others), sorted by sender.

        When the host's deadline passes first, `Missing` is raised; with `at_least`, what has come is
        enough if there is that much of it.
        """
        wanted = self.others if senders is None else tuple(sorted(senders))
        if not set(wanted) <= set(self.others):
            raise ValueError("messages are gathered from other parties of this session")
        needed = len(wanted) if at_least is None else at_least
        begun = self._core.deadlines
        while True:
            found = self._present(kind, wanted)
            if len(found) == len(wanted):
                return found
            if self._core.deadlines > begun:
                if len(found) >= needed:
                    return found
                self._raise_missing(kind, [party for party in wanted if party not in found], needed)
            await _pause(Waiting(tag_of(kind), self.path, tuple(p for p in wanted if p not in found)))

    async def receive(self, kind: type[M], sender: PartyId) -> M:
        """The message of `kind` from one sender. Raises `Missing` at the host's deadline."""
        return (await self.gather(kind, [sender]))[sender]

    async def messages(self, *kinds: type[M]) -> AsyncIterator[tuple[PartyId, M]]:
        """Messages of these kinds on this path as they arrive, without end: for asynchronous protocols."""
        tags = {tag_of(kind) for kind in kinds}
        position, begun = 0, self._core.deadlines
        while True:
            arrived = self._core.inbox.arrivals.get(self.path, [])
            while position < len(arrived):
                slot = arrived[position]
                position += 1
                if slot.tag in tags and slot.sender in self.parties:
                    yield slot.sender, cast(M, self._core.inbox.message(slot))
            if self._core.deadlines > begun:
                raise Missing("no message that could go on has come in time", step="/".join(sorted(tags)))
            await _pause(Waiting("/".join(sorted(tags)), self.path, self.others))

    async def stream(self, *kinds: type[Message]) -> AsyncIterator[Arrival | None]:
        """Messages of these kinds on this path and all paths below it, in the order they came, without end.

        None is a tick: the host's deadline has passed once more. What a tick means is the protocol's affair;
        nothing but the host knows of time.
        """
        tags = {tag_of(kind) for kind in kinds}
        below = f"{self.path}/" if self.path else ""
        position, ticks = 0, self._core.deadlines
        while True:
            log = self._core.inbox.log
            while position < len(log):
                slot = log[position]
                position += 1
                here = slot.path == self.path or slot.path.startswith(below)
                if here and slot.tag in tags and slot.sender in self.parties:
                    yield Arrival(slot.path, slot.sender, self._core.inbox.message(slot))
            if self._core.deadlines > ticks:
                ticks += 1
                yield None
                continue
            await _pause(Waiting("/".join(sorted(tags)), self.path, self.others))

    # --- structure -----------------------------------------------------------------------------------

    def fork(self, label: str, parties: Sequence[PartyId] | None = None) -> Party:
        """A seat on a path of its own, for a subprotocol of all or some of the parties. Each label once."""
        if not is_label(label):
            raise ValueError(f"fork label {label!r}: lower-case letters, digits, dashes, at most 32")
        members = self.parties if parties is None else tuple(parties)
        if self.me not in members or not set(members) <= set(self.parties):
            raise ValueError("a fork is among parties of the session, oneself included")
        path = f"{self.path}/{label}" if self.path else label
        if path in self._core.forks:
            raise ValueError(f"fork {path!r} was made before; its slots are taken")
        self._core.forks.add(path)
        return Party(self._core, path, members)

    # --- judging -------------------------------------------------------------------------------------

    def blame(
        self,
        kind: type[Message] | tuple[type[Message], ...],
        offenders: Iterable[PartyId],
        reason: str,
        *,
        step: str = "",
    ) -> None:
        """Raise `Blame` if there are offenders, with their messages of `kind` as evidence.

        Several kinds where only together they show the offence (a commitment and its false opening); the
        last one names the step.
        """
        guilty = sorted(set(offenders))
        if guilty:
            raise self._blamed(kind if isinstance(kind, tuple) else (kind,), guilty, reason, step)

    @property
    def deviations(self) -> Mapping[PartyId, Blame]:
        """What each party was caught at first, in a tolerant protocol; others may be as bad, and unseen."""
        return self._core.deviations

    def accuse(
        self,
        kind: type[Message] | tuple[type[Message], ...],
        offender: PartyId,
        reason: str,
        *,
        step: str = "",
        beside: Iterable[Exhibit] = (),
    ) -> None:
        """Note what `blame` would raise, and go on: for tolerant protocols. The first of a party is kept.

        `beside` are exhibits from elsewhere: what another party passed on, or signed, and without which the
        offence does not show.
        """
        if not self._core.declaration.tolerant:
            raise ValueError(f"{self._core.declaration.name} is not tolerant: blame ends it")
        if offender not in self._core.deviations:
            kinds = kind if isinstance(kind, tuple) else (kind,)
            self._core.deviations[offender] = self._blamed(kinds, [offender], reason, step, beside)

    def _blamed(
        self,
        kinds: tuple[type[Message], ...],
        guilty: Sequence[PartyId],
        reason: str,
        step: str,
        beside: Iterable[Exhibit] = (),
    ) -> Blame:
        exhibits = [exhibit for party in guilty for kind in kinds for exhibit in self._exhibits(kind, party)]
        exhibits += beside
        return Blame(
            f"{', '.join(guilty)}: {reason}",
            parties=guilty,
            step=step or tag_of(kinds[-1]),
            evidence=[encode(exhibit) for exhibit in exhibits],
        )

    def suspect(self, peer: PartyId, reason: str, *, step: str = "", leak_bearing: bool = False) -> NoReturn:
        """Raise `Suspicion` of the pair (me, peer): a check only the two of us can make has failed."""
        raise Suspicion(
            f"between {self.me} and {peer}: {reason}",
            parties=[self.me, peer],
            step=step,
            leak_bearing=leak_bearing,
        )

    def envelopes(self, kind: type[Message]) -> dict[PartyId, bytes]:
        """The broadcast envelopes of `kind` as they came, by sender: what an echo compares."""
        found = {}
        for sender in self.others:
            data = self._core.inbox.envelope(Slot(self.path, tag_of(kind), sender))
            if data is not None:
                found[sender] = data
        return found

    def own_envelope(self, kind: type[Message]) -> bytes:
        """Our own broadcast of `kind` on this path, as sent."""
        return self._core.own[Slot(self.path, tag_of(kind), self.me)]

    def _exhibits(self, kind: type[Message], party: PartyId) -> list[Exhibit]:
        unicast = self._core.declaration.is_unicast(kind)
        slot = Slot(self.path, tag_of(kind), party, self.me if unicast else EVERYBODY)
        exhibit = self._core.inbox.exhibit(slot)
        return [] if exhibit is None else [exhibit]

    def _present(self, kind: type[M], senders: Sequence[PartyId]) -> dict[PartyId, M]:
        unicast = self._core.declaration.is_unicast(kind)
        tag = tag_of(kind)
        found: dict[PartyId, M] = {}
        for sender in senders:
            message = self._core.inbox.find(tag, self.path, sender, unicast)
            if message is not None:
                found[sender] = cast(M, message)
        return found

    def _raise_missing(self, kind: type[Message], silent: Sequence[PartyId], needed: int) -> NoReturn:
        raise Missing(
            f"no answer from {', '.join(silent)} ({tag_of(kind)}); {needed} of the asked are needed",
            parties=silent,
            step=tag_of(kind),
            needed=needed,
        )


async def together(*coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
    """Run subprotocols side by side; their results in order. The first error ends them all."""
    results: list[Any] = [None] * len(coroutines)
    running = dict(enumerate(coroutines))
    try:
        while running:
            waits: list[Waiting] = []
            for index in sorted(running):
                try:
                    waits.append(running[index].send(None))
                except StopIteration as stop:
                    results[index] = stop.value
                    del running[index]
            if waits:
                await _pause(_all_of(waits))
    finally:
        for coroutine in running.values():
            coroutine.close()
    return results


def _all_of(waits: Sequence[Waiting]) -> Waiting:
    if len(waits) == 1:
        return waits[0]
    tags = dict.fromkeys(wait.tag for wait in waits)
    parties = {party for wait in waits for party in wait.parties}
    return Waiting("/".join(tags), waits[0].path, tuple(sorted(parties)))


@types.coroutine
def _pause(waiting: Waiting) -> Generator[Waiting, None, None]:
    yield waiting


ProtocolRun = Callable[[Party], Awaitable[T]]
