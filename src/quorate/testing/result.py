"""How a simulation ended, and what must hold of it whatever happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from quorate.errors import Abort, Blame, LocalError, QuorateError, Suspicion
from quorate.groups import Group
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import Declaration, Envelope, Finding, PartyId, PublicIdentity, SessionSpec, convict

T = TypeVar("T")


class Crashed(LocalError):
    """The party's process ended, and nothing of the session was left."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to `party`; `data` is the envelope it was about, if any."""

    what: str
    party: PartyId
    data: bytes

    def __str__(self) -> str:
        if not self.data:
            return f"{self.what}: {self.party}"
        try:
            about = str(Envelope.parse(self.data).slot)
        except QuorateError:
            about = f"{len(self.data)} bytes that are no envelope"
        return f"{self.what}: {self.party} ← {about}"


@dataclass(slots=True)
class Result(Generic[T]):
    """What each party came to: a value, an error, or nothing (`hanging`).

    `dropped` counts what each refused at the door, by reason; `happened` what the network did; `deviations`
    are what each noted of the others, in a tolerant protocol, and went on.
    """

    seed: int
    spec: SessionSpec
    roster: Mapping[PartyId, PublicIdentity]
    declaration: Declaration
    group: Group
    cheaters: frozenset[PartyId]
    scheduler: str
    happened: Counter[str]
    trace: list[Event]
    values: dict[PartyId, T] = field(default_factory=dict)
    errors: dict[PartyId, QuorateError] = field(default_factory=dict)
    hanging: list[PartyId] = field(default_factory=list)
    dropped: dict[PartyId, Counter[str]] = field(default_factory=dict)
    deviations: dict[PartyId, Mapping[PartyId, Blame]] = field(default_factory=dict)

    @property
    def honest(self) -> tuple[PartyId, ...]:
        """Who runs the protocol as it is."""
        return tuple(party for party in self.spec.parties if party not in self.cheaters)

    @property
    def trace_hash(self) -> str:
        """Stands for the whole trace: equal seeds have equal ones."""
        fields = [
            part for event in self.trace for part in (event.what.encode(), event.party.encode(), event.data)
        ]
        return digest(Tag.SIMULATION_TRACE, *fields).hex()

    def story(self) -> str:
        """The trace, a line for each event, and how it ended."""
        lines = [f"{number:5} {event}" for number, event in enumerate(self.trace)]
        lines += [f"{party}: {self.outcome(party)}" for party in self.spec.parties]
        return "\n".join(lines)

    def outcome(self, party: PartyId) -> str:
        """In one line."""
        if party in self.values:
            return "done"
        error = self.errors.get(party)
        return "hangs" if error is None else f"{type(error).__name__}: {error}"

    def blamed(self) -> frozenset[PartyId]:
        """Everybody whom an honest party blames, whether that ended its session or not."""
        return frozenset(name for blame in self._blames() for name in blame.parties)

    def findings(self) -> list[Finding]:
        """What a stranger finds in the evidence of all honest parties' blames."""
        return [
            finding
            for blame in self._blames()
            for finding in convict(blame, self.spec, self.roster, self.declaration, self.group)
        ]

    def _blames(self) -> list[Blame]:
        ended = [self.errors.get(party) for party in self.honest]
        noted = [blame for party in self.honest for blame in self.deviations.get(party, {}).values()]
        return [blame for blame in [*ended, *noted] if isinstance(blame, Blame)]

    # --- what must hold ------------------------------------------------------------------------------

    def assert_sound(self) -> None:
        """All of the below: nobody honest blamed or left hanging, every blame proved, success where due."""
        self.assert_nobody_honest_blamed()
        self.assert_blames_are_proved()
        self.assert_nobody_hangs()
        self.assert_errors_have_names()
        self.assert_done_unless_disturbed()

    def assert_nobody_honest_blamed(self) -> None:
        """No honest party blames another, nor suspects one without a cheater in the pair."""
        self._require(self.blamed() <= self.cheaters, f"honest and blamed: {self.blamed() - self.cheaters}")
        for party in self.honest:
            error = self.errors.get(party)
            if isinstance(error, Suspicion):
                self._require(
                    bool(self.cheaters & set(error.parties)), f"{party} suspects the honest: {error}"
                )

    def assert_blames_are_proved(self) -> None:
        """The evidence of every blame by an honest party convinces a stranger."""
        try:
            self.findings()
        except QuorateError as error:
            self._require(False, f"a blame that shows nothing: {error}")

    def assert_nobody_hangs(self) -> None:
        """Every honest party has come to an end."""
        stuck = [party for party in self.hanging if party in self.honest]
        self._require(not stuck, f"still waiting after every deadline: {stuck}")

    def assert_errors_have_names(self) -> None:
        """Honest parties end in one of the `Abort` errors, or by a crash, and in nothing vaguer."""
        for party in self.honest:
            error = self.errors.get(party)
            if error is not None:
                self._require(isinstance(error, Abort | Crashed), f"{party} ended with {error!r}")

    def assert_done_unless_disturbed(self) -> None:
        """With no cheater, no early deadline and no death, everybody has a value."""
        dead = any(isinstance(error, Crashed) for error in self.errors.values())
        if not self.cheaters and not dead and not self.happened["early deadline"]:
            self._require(not self.errors, "nothing stood in the way, but not everybody has a result")

    def _require(self, holds: bool, what: str) -> None:
        if not holds:
            ends = "; ".join(f"{party}: {self.outcome(party)}" for party in self.spec.parties)
            raise AssertionError(
                f"{self.spec.protocol}, seed {self.seed}, {self.scheduler}, "
                f"cheaters {sorted(self.cheaters)}: {what}\n{ends}"
            )
