"""What one step of a standing session leads to: the writes of its transaction, and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from quorate.errors import QuorateError
from quorate.node.standing.live import SessionView
from quorate.node.standing.protocol import Write
from quorate.node.standing.talk import Talk


class Lost(Exception):
    """A session cannot be taken up from its journal, now or ever."""

    def __init__(self, error: QuorateError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of each event (None: taken in), and the CPU spent.

    `view` is None where there is no such session here, or the step came to nothing; `retired` says that it
    stands no more from now on.
    """

    outcomes: Sequence[Exception | None]
    view: SessionView | None
    retired: bool
    cpu: float


@dataclass(slots=True)
class Unit:
    """What one step is going to write, in this order: `writes`, the journal, `ends`, parcels."""

    writes: list[Write] = field(default_factory=list)
    ends: list[Write] = field(default_factory=list)
    parcels: list[tuple[str, Talk]] = field(default_factory=list)
    stumbles: bool = False
    retires: bool = False
    keeps_parcels: bool = False
