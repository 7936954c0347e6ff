"""What a benchmark prints: one object a case, and the table for people made of the same figures."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from quorate.cli.bench.harness import Sample
from quorate.cli.bench.seats import Load


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


class BatchFigures(msgspec.Struct, frozen=True):
    """One committee making or renewing a batch of keys; medians over `runs`.

    CPU time is one node's in its own process, envelopes included, for each key: the mean of the nodes and the
    busiest of them. `bar_ms` is what the mean may be at most, null where nothing is promised. Bytes are those
    of all nodes together, as sent; memory is the peak of the largest process, the interpreter included.
    """

    case: str
    runs: int
    curve: str
    nodes: int
    degree: int
    keys: int
    cpu_ms_per_key: float
    busiest_ms_per_key: float
    bar_ms: float | None
    bytes_per_key: int
    rounds: int
    messages: int
    peak_mib: int


class WaitFigures(msgspec.Struct, frozen=True):
    """How long somebody waits for something over real processes, from outside; `p50_ms` is the median.

    `bar` names the figure that may be at most `bar_ms`.
    """

    case: str
    runs: int
    p50_ms: float
    p99_ms: float
    longest_ms: float
    bar: str
    bar_ms: float


AnyFigures: TypeAlias = Figures | BatchFigures | WaitFigures


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


def batch(
    case: str,
    loads: Sequence[Load],
    *,
    curve: str,
    nodes: int,
    degree: int,
    keys: int,
    bar: float | None,
    peak: int,
) -> BatchFigures:
    """The medians of runs with a process for each node; `peak` in bytes."""
    first = loads[0]
    return BatchFigures(
        case,
        len(loads),
        curve,
        nodes,
        degree,
        keys,
        _ms(statistics.median(statistics.mean(load.cpu.values()) for load in loads) / keys),
        _ms(statistics.median(max(load.cpu.values()) for load in loads) / keys),
        bar,
        round(statistics.median(load.bytes for load in loads) / keys),
        first.rounds,
        first.messages,
        peak >> 20,
    )


def percentile(seconds: Sequence[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed."""
    ordered = sorted(seconds)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def waits(case: str, seconds: Sequence[float], *, bar: str, bar_ms: float) -> WaitFigures:
    """How long the runs took; `bar` is ``p50`` or ``p99``."""
    return WaitFigures(
        case,
        len(seconds),
        _ms(percentile(seconds, 0.5)),
        _ms(percentile(seconds, 0.99)),
        _ms(max(seconds)),
        bar,
        round(bar_ms, 3),
    )


_COLUMNS = ("case", "runs", "wall ms", "compute ms", "cpu ms/party", "bytes/party", "rounds", "hops")
_BATCH_COLUMNS = (
    "case",
    "runs",
    "curve",
    "nodes",
    "degree",
    "keys",
    "cpu ms/key",
    "busiest",
    "bar",
    "bytes/key",
    "rounds",
    "messages",
    "peak MiB",
)
_WAIT_COLUMNS = ("case", "runs", "p50 ms", "p99 ms", "longest ms", "bar on", "bar")


def table(rows: Sequence[AnyFigures]) -> str:
    """Columns for people, one table for each kind of figures; a dash where something is not measured."""
    kinds = ((Figures, _COLUMNS), (BatchFigures, _BATCH_COLUMNS), (WaitFigures, _WAIT_COLUMNS))
    tables = []
    for kind, columns in kinds:
        chosen = [row for row in rows if isinstance(row, kind)]
        if chosen:
            tables.append(_aligned(columns, chosen))
    return "\n\n".join(tables)


def _aligned(header: tuple[str, ...], rows: Sequence[AnyFigures]) -> str:
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
