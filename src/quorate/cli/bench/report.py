"""What a benchmark prints: one object a case, and the table for people made of the same figures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec

from quorate.cli.bench.harness import Sample


class Figures(msgspec.Struct, frozen=True):
    """Medians over `runs`. Times in milliseconds, of all parties together unless the name says otherwise.

    `wall_ms` has everything in it, `compute_ms` the protocol without its envelopes (null where processes are
    measured from outside). `bytes_per_party` counts what one party sends; `hops` are sequential messages.
    """

    case: str
    runs: int
    wall_ms: float
    compute_ms: float | None
    cpu_ms_per_party: float | None
    bytes_per_party: int | None
    rounds: int | None
    hops: int | None


def figures(case: str, samples: Sequence[Sample]) -> Figures:
    """The medians of runs in one thread."""
    first = samples[0]
    wall = statistics.median(sample.wall for sample in samples)
    return Figures(
        case,
        len(samples),
        _ms(wall),
        _ms(statistics.median(sample.compute for sample in samples)),
        _ms(statistics.median(sample.cpu for sample in samples) / first.parties),
        round(statistics.median(sample.bytes for sample in samples) / first.parties),
        first.rounds,
        first.hops,
    )


def observed(
    case: str, seconds: Sequence[float], *, rounds: int | None = None, hops: int | None = None
) -> Figures:
    """The medians of runs over processes, measured from outside."""
    return Figures(case, len(seconds), _ms(statistics.median(seconds)), None, None, None, rounds, hops)


def table(rows: Sequence[Figures]) -> str:
    """Columns for people; a dash where something is not measured."""
    header = ("case", "runs", "wall ms", "compute ms", "cpu ms/party", "bytes/party", "rounds", "hops")
    lines = [header, *(tuple(_shown(value) for value in msgspec.structs.astuple(row)) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _shown(value: object) -> str:
    return "-" if value is None else str(value)
