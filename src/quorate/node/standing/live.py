"""One standing session as the background thread holds it, and its journal with the last records held back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from quorate.errors import ProofRejected
from quorate.node.standing.protocol import StandingProtocol
from quorate.session import Session, SessionSpec
from quorate.vault.journal import VaultJournal
from quorate.vault.standing import StandingState


@dataclass(frozen=True, slots=True)
class SessionView:
    """One session as the event loop and operators see it."""

    session: bytes
    protocol: str
    state: StandingState
    since: float
    heard: int
    done: frozenset[str]
    deviations: frozenset[str]


class HeldJournal:
    """The journal of one session object: records are held back until `write`, in the step's transaction.

    A session computes and then appends, in one call. Were the append a write, all computing would have to
    happen inside a transaction, and nobody could sign meanwhile.

    Two processes on one database, against all advice, do not contradict each other either: a record is
    written in its own place or not at all, and an object that finds its place taken is thrown away.

    `begun` says that the session has begun before: without its journal it must never begin again, since it
    would say different things in places where things were said already.
    """

    def __init__(self, journal: VaultJournal, *, begun: bool) -> None:
        self._journal = journal
        self._begun = begun
        self._header: bytes | None = None
        self._records: list[tuple[bytes, tuple[bytes, ...]]] = []
        self._written = 0

    def __bool__(self) -> bool:
        """Whether anything is held back."""
        return self._header is not None or bool(self._records)

    def load(self, session: bytes) -> tuple[bytes, Sequence[tuple[bytes, tuple[bytes, ...]]]] | None:
        found = self._journal.load(session)
        if found is None and self._begun:
            raise ProofRejected("the journal of a session that has begun is not there")
        self._written = 0 if found is None else len(found[1])
        return found

    def begin(self, session: bytes, header: bytes) -> None:
        self._header = header

    def append(self, session: bytes, inbound: bytes, outbound: Sequence[bytes]) -> None:
        self._records.append((inbound, tuple(outbound)))

    def end(self, session: bytes) -> None:
        self._journal.end(session)

    def write(self, session: bytes) -> None:
        """Write what was held back; the caller's transaction makes it durable."""
        header, records = self._header, self._records
        self._header, self._records = None, []
        if header is not None:
            self._journal.begin(session, header)
        for inbound, outbound in records:
            self._journal.append(session, inbound, outbound, number=self._written)
            self._written += 1


@dataclass(slots=True)
class Live:
    """A session that stands here; `running` is its object: none when it has failed, or was not needed yet.

    `missed` are peers whose outbox had no room for all of it, `known` those whose deviations were reported.
    """

    me: str
    spec: SessionSpec
    protocol: StandingProtocol
    state: StandingState
    since: float
    done: set[str] = field(default_factory=set)
    running: Session[Any] | None = None
    journal: HeldJournal | None = None
    known: set[str] = field(default_factory=set)
    missed: set[str] = field(default_factory=set)

    @property
    def id(self) -> bytes:
        """The session's id."""
        return self.spec.id

    @property
    def others(self) -> tuple[str, ...]:
        """All parties but us."""
        return tuple(party for party in self.spec.parties if party != self.me)

    def view(self) -> SessionView:
        """How it looks from outside."""
        session = self.running
        return SessionView(
            self.spec.id,
            self.spec.protocol,
            self.state,
            self.since,
            0 if session is None else session.heard,
            frozenset(self.done),
            frozenset() if session is None else frozenset(session.deviations),
        )
