"""The figures of batches as a picture: what a key costs with more nodes, and in larger batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from quorate.cli.bench.report import AnyFigures, BatchFigures
from quorate.errors import LocalError, Unavailable


def plot(rows: Sequence[AnyFigures], path: Path) -> None:
    """Write a PNG of the batches among `rows`.

    Raises `Unavailable` without matplotlib, and `LocalError` if there is nothing to draw or no place for it.
    """
    batches = [row for row in rows if isinstance(row, BatchFigures)]
    if not batches:
        raise LocalError("only batches of keys are drawn: choose cases that begin with dkg/")
    figure_of = require_matplotlib()
    figure = figure_of(figsize=(11, 8), layout="constrained")
    (left, right), (low_left, low_right) = figure.subplots(2, 2)
    for axes, along, value, title, unit in (
        (left, _by_nodes, _cpu, "The largest batch of each size of committee", "CPU ms per key and node"),
        (right, _by_keys, _cpu, "Batches of each committee", "CPU ms per key and node"),
        (low_left, _by_nodes, _kilobytes, "", "kB on the wire per key, all nodes"),
        (low_right, _by_nodes, _memory, "", "peak MiB of a node"),
    ):
        _draw(axes, along(batches), value, title, unit)
        axes.set_xlabel("keys of a batch" if along is _by_keys else "nodes")
    right.set_xscale("log")
    right.set_yscale("log")
    try:
        figure.savefig(path, format="png", dpi=120)
    except OSError as error:
        raise LocalError(f"the picture could not be written: {error}") from None


def require_matplotlib() -> Callable[..., Any]:
    """The class of figures, which draws without a screen. Raises `Unavailable` with what to install."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise Unavailable("--plot draws with matplotlib: pip install 'quorate[plot]'") from None
    return Figure


Line = tuple[str, list[tuple[int, BatchFigures]]]


def _by_nodes(rows: Sequence[BatchFigures]) -> list[Line]:
    """For each curve and kind of run, one point for each number of nodes: the largest batch of degree as
    high as any."""
    lines: dict[str, dict[int, BatchFigures]] = {}
    for row in rows:
        best = lines.setdefault(_kind(row), {})
        held = best.get(row.nodes)
        if held is None or (row.keys, row.degree) > (held.keys, held.degree):
            best[row.nodes] = row
    return [(name, sorted(points.items())) for name, points in lines.items()]


def _by_keys(rows: Sequence[BatchFigures]) -> list[Line]:
    """For each committee, one point for each size of batch; committees with one size only are left out."""
    lines: dict[str, dict[int, BatchFigures]] = {}
    for row in rows:
        lines.setdefault(f"{_kind(row)}, {row.nodes} nodes, d = {row.degree}", {})[row.keys] = row
    return [(name, sorted(points.items())) for name, points in lines.items() if len(points) > 1]


def _draw(
    axes: Any, lines: Sequence[Line], value: Callable[[BatchFigures], float], title: str, unit: str
) -> None:
    for name, points in lines:
        axes.plot([x for x, _ in points], [value(row) for _, row in points], marker="o", label=name)
    axes.set_title(title)
    axes.set_ylabel(unit)
    axes.grid(visible=True, alpha=0.3)
    if lines:
        axes.legend(fontsize="small")


def _kind(row: BatchFigures) -> str:
    return f"{row.curve}, renewal" if "/renew" in row.case else row.curve


def _cpu(row: BatchFigures) -> float:
    return row.cpu_ms_per_key


def _kilobytes(row: BatchFigures) -> float:
    return row.bytes_per_key / 1000


def _memory(row: BatchFigures) -> float:
    return row.peak_mib
