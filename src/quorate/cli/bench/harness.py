"""Running all parties of a session in one thread, with the time, bytes and rounds of each counted.

Delivery is in waves: everything sent in answer to one wave arrives in the next. A wave is a round. With the
device as hub, a wave in which anything goes from node to node costs two hops, another one costs one.

`compute` is the time inside the protocol's own code; the rest of `wall` is the envelopes: encoding, signing,
sealing, and on arrival verifying, opening, parsing.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from quorate.clock import high_resolution, thread_cpu
from quorate.entropy import system_rng
from quorate.errors import LocalError
from quorate.groups import SECP256K1, Group
from quorate.session import (
    EVERYBODY,
    NONCE_BYTES,
    Declaration,
    Envelope,
    KeyPair,
    Message,
    Party,
    PartyId,
    Path,
    Session,
    SessionSpec,
    roster_digest,
)

T = TypeVar("T")


@dataclass(slots=True)
class Sample:
    """One run. Times in seconds, of all parties together; bytes as sent, once for each recipient."""

    wall: float = 0.0
    compute: float = 0.0
    cpu: float = 0.0
    bytes: int = 0
    rounds: int = 0
    hops: int = 0
    parties: int = 0

    def __add__(self, other: Sample) -> Sample:
        return Sample(
            self.wall + other.wall,
            self.compute + other.compute,
            self.cpu + other.cpu,
            self.bytes + other.bytes,
            self.rounds + other.rounds,
            self.hops + other.hops,
            max(self.parties, other.parties),
        )


class TimedSession(Session[T], Generic[T]):
    """A session that knows how long its protocol itself has computed."""

    computed = 0.0
    _emitting = 0.0

    def _advance(self) -> None:
        begun, before = high_resolution(), self._emitting
        super()._advance()
        self.computed += high_resolution() - begun - (self._emitting - before)

    def _emit(self, path: Path, message: Message, recipient: PartyId) -> None:
        begun = high_resolution()
        super()._emit(path, message, recipient)
        self._emitting += high_resolution() - begun


@dataclass(slots=True)
class Room:
    """Parties that run sessions together; `hub` carries, so what it sends or receives takes one hop."""

    names: tuple[PartyId, ...]
    hub: PartyId
    identities: Mapping[PartyId, KeyPair] = field(init=False)

    def __post_init__(self) -> None:
        self.identities = {name: KeyPair.generate(system_rng) for name in self.names}

    def spec(
        self,
        declaration: Declaration,
        parties: tuple[PartyId, ...],
        *,
        suite: str = SECP256K1.name,
        key: bytes = b"",
        epoch: int = 0,
        payload: bytes = b"",
    ) -> SessionSpec:
        """A complete agreement with fresh nonces."""
        parties = tuple(sorted(parties))
        roster = {name: self.identities[name].public for name in parties}
        proposal = SessionSpec(
            declaration.name,
            declaration.version,
            suite,
            key,
            epoch,
            parties,
            roster_digest(roster),
            len(parties),
            "bench",
            payload,
        )
        return proposal.with_nonces({name: system_rng(NONCE_BYTES) for name in parties})

    def run(
        self,
        spec: SessionSpec,
        declaration: Declaration,
        seats: Mapping[PartyId, Callable[[Party], Coroutine[Any, Any, Any]]],
        group: Group = SECP256K1,
    ) -> tuple[dict[PartyId, Any], Sample]:
        """All seats to the end; their results, and what it took. Raises what ended a session.

        `group` is the session's, whose points and scalars its messages carry.
        """
        roster = {name: self.identities[name].public for name in spec.parties}
        sessions: dict[PartyId, TimedSession[Any]] = {
            name: TimedSession(
                spec,
                name,
                self.identities[name],
                roster,
                declaration,
                group,
                seats[name],
                rng=system_rng,
            )
            for name in spec.parties
        }
        sample = Sample(parties=len(spec.parties))
        begun, cpu = high_resolution(), thread_cpu()
        wave = [(name, data) for name, session in sessions.items() for data in session.start()]
        while wave:
            following: list[tuple[PartyId, bytes]] = []
            routed = [(name, Envelope.parse(data).recipient, data) for name, data in wave]
            for sender, recipient, data in routed:
                for name in spec.parties if recipient == EVERYBODY else (recipient,):
                    if name != sender:
                        sample.bytes += len(data)
                        following.extend((name, answer) for answer in sessions[name].receive(data))
            sample.rounds += 1
            sample.hops += 2 if any(self._between_nodes(s, r, spec.parties) for s, r, _ in routed) else 1
            wave = following
        sample.wall = high_resolution() - begun
        sample.cpu = thread_cpu() - cpu
        sample.compute = sum(session.computed for session in sessions.values())
        return {name: session.result() for name, session in sessions.items()}, sample

    def _between_nodes(self, sender: PartyId, recipient: PartyId, parties: tuple[PartyId, ...]) -> bool:
        if sender == self.hub:
            return False
        return recipient != self.hub if recipient != EVERYBODY else len(parties) > 2


def require(condition: bool, what: str) -> None:
    """A benchmark that measured something wrong says so instead of printing a figure."""
    if not condition:
        raise LocalError(f"the benchmark's result is wrong: {what}")
