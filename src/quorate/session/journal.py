"""The port through which a session survives a crash.

A journaled session writes one record for each event, durably, *before* what it answers leaves the process.
After a crash the same session is made again, the events are fed to it in order, and what it answers must
match what was recorded: the coroutine draws its randomness from a seed in the journal's header, so it
does. Signing sessions are never journaled: they die with the process, and a presignature dies with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

Record = tuple[bytes, tuple[bytes, ...]]
"""One event and what it made leave: an inbound envelope (or one byte for the start or a deadline, see
`quorate.session.session`) and outbound envelopes. What was dropped at the door changes nothing and is not
recorded."""


class Journal(Protocol):
    """Implemented by the vault (sealed rows, one transaction each) and, in memory, by the simulator."""

    def load(self, session: bytes) -> tuple[bytes, Sequence[Record]] | None:
        """Header and records of a session begun earlier, or None."""

    def begin(self, session: bytes, header: bytes) -> None:
        """Open a session's journal, durably. The header holds a secret seed."""

    def append(self, session: bytes, inbound: bytes, outbound: Sequence[bytes]) -> None:
        """Add one record, durably, before this returns."""

    def end(self, session: bytes) -> None:
        """Forget the session and destroy what could open its records. Repeating it does nothing."""


class MemoryJournal:
    """A journal that lives as long as the object; the simulator's disk."""

    def __init__(self) -> None:
        self._sessions: dict[bytes, tuple[bytes, list[Record]]] = {}

    def load(self, session: bytes) -> tuple[bytes, Sequence[Record]] | None:
        return self._sessions.get(session)

    def begin(self, session: bytes, header: bytes) -> None:
        self._sessions[session] = (header, [])

    def append(self, session: bytes, inbound: bytes, outbound: Sequence[bytes]) -> None:
        self._sessions[session][1].append((inbound, tuple(outbound)))

    def end(self, session: bytes) -> None:
        self._sessions.pop(session, None)
