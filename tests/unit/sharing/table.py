"""Sessions around a table, in memory, first in first out; a seat may cheat by changing what it signs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from quorate.encoding import encode
from quorate.entropy import SeededRng
from quorate.errors import Blame, QuorateError
from quorate.groups import Group
from quorate.groups.toy import TOY_GROUP
from quorate.session import (
    EVERYBODY,
    Declaration,
    Envelope,
    Identity,
    KeyPair,
    Message,
    Party,
    Session,
    SessionSpec,
    Slot,
    convict,
    roster_digest,
    tag_of,
)
from quorate.session.envelope import seal_info, write
from quorate.testing import unsafe_identity

Cheat = Callable[[Message, str], Message | None]
"""Given a message and its recipient, what is sent instead; None drops it."""


def changing(kind: type[Message], *, only: str = "", **change: Callable[[Any], Any]) -> Cheat:
    """Replaces fields of every message of `kind`; of those to recipients that begin with `only`."""

    def cheat(message: Message, recipient: str) -> Message:
        if isinstance(message, kind) and recipient.startswith(only):
            return msgspec.structs.replace(message, **{k: f(getattr(message, k)) for k, f in change.items()})
        return message

    return cheat


def flip(data: bytes) -> bytes:
    """`data` with one bit changed."""
    return bytes([data[0] ^ 1]) + data[1:]


class Table:
    """One session of several parties. `played` holds each party's result, or its error."""

    def __init__(
        self,
        declaration: Declaration,
        runs: Mapping[str, Callable[[Party], Any]],
        group: Group,
        *,
        payload: bytes = b"",
        key: bytes = b"",
        epoch: int = 0,
        seed: int = 1,
        identities: Mapping[str, Identity] | None = None,
        cheats: Mapping[str, Cheat] | None = None,
        silent: frozenset[str] = frozenset(),
    ) -> None:
        names = sorted(runs)
        self.identities = identities or {name: identity(name, group) for name in names}
        self.roster = {name: self.identities[name].public for name in names}
        cheats = cheats or {}
        self.spec = SessionSpec(
            declaration.name,
            declaration.version,
            group.name,
            key,
            epoch,
            tuple(names),
            roster_digest(self.roster),
            1,
            "test",
            payload,
        ).with_nonces({name: SeededRng(name.encode() + bytes([seed]))(32) for name in names})
        self.declaration, self.group = declaration, group
        self.sessions: dict[str, Session[Any]] = {}
        for name in names:
            seat = _CheatingSession if name in cheats else Session
            self.sessions[name] = seat(
                self.spec,
                name,
                self.identities[name],
                self.roster,
                declaration,
                group,
                runs[name],
                rng=SeededRng(b"table" + name.encode() + bytes([seed])),
            )
        for name, cheat in cheats.items():
            self.sessions[name].cheat = cheat  # type: ignore[attr-defined]
        self.silent = silent
        self.sent: list[tuple[str, str, Envelope]] = []

    def play(self) -> dict[str, Any]:
        """Deliver until nothing moves, then let deadlines pass until all are done."""
        queue: deque[tuple[str, bytes]] = deque()
        for name in self.sessions:
            self._post(name, self.sessions[name].start(), queue)
        self._drain(queue)
        for _ in range(20):
            waiting = [n for n, session in self.sessions.items() if not session.done]
            if not waiting:
                break
            for name in waiting:
                self._post(name, self.sessions[name].expire(), queue)
            self._drain(queue)
        return {name: session.error or session.result() for name, session in self.sessions.items()}

    def _drain(self, queue: deque[tuple[str, bytes]]) -> None:
        while queue:
            recipient, data = queue.popleft()
            self._post(recipient, self.sessions[recipient].receive(data), queue)

    def _post(self, sender: str, outbound: list[bytes], queue: deque[tuple[str, bytes]]) -> None:
        session = self.sessions[sender]
        routed = getattr(session, "routed", None)
        letters = [(None, data) for data in outbound]
        if routed is not None:
            letters += routed
            session.routed = []  # type: ignore[attr-defined]
        if sender in self.silent:
            return
        for only, data in letters:
            envelope = Envelope.parse(data)
            all_others = [name for name in self.sessions if name != sender]
            to = [envelope.recipient] if envelope.recipient else all_others
            for recipient in [only] if only else to:
                self.sent.append((sender, recipient, envelope))
                queue.append((recipient, data))


class _CheatingSession(Session[Any]):
    cheat: Cheat

    def _emit(self, path: str, message: Message, recipient: str) -> None:
        super()._emit(path, message, recipient)
        self._outbound.pop()
        if not hasattr(self, "routed"):
            self.routed: list[tuple[str, bytes]] = []
        first = True
        for name in [recipient] if recipient else [n for n in self.spec.parties if n != self.me]:
            changed = self.cheat(message, name)
            if changed is None:
                continue
            slot = Slot(path, tag_of(type(changed)), self.me, recipient or EVERYBODY)
            body = encode(changed)
            if recipient:
                body = self._roster[name].seal(body, seal_info(self.id, slot), SeededRng(body))
            envelope = write(self.id, slot, body, self._identity)
            if first and not recipient:
                # a cheat stands by its lie: an echo shows that it told everybody the same one
                self._running().own[slot] = envelope
            first = False
            self.routed.append((name, envelope))


@lru_cache(maxsize=256)
def identity(name: str, group: Group = TOY_GROUP) -> Identity:
    """A party's identity, the same in every test; a real one beside the product curve."""
    return unsafe_identity(name) if group is TOY_GROUP else KeyPair.generate(SeededRng(name.encode()))


def errors(played: Mapping[str, Any]) -> dict[str, QuorateError]:
    """Only those who ended in an error."""
    return {name: outcome for name, outcome in played.items() if isinstance(outcome, QuorateError)}


def blamed(table: Table, played: Mapping[str, Any]) -> set[str]:
    """Everybody who is blamed by anybody; every piece of evidence must convince a stranger."""
    found: set[str] = set()
    for error in errors(played).values():
        if not isinstance(error, Blame):
            continue
        found |= set(error.parties)
        convict(error, table.spec, table.roster, table.declaration, table.group)
    return found
