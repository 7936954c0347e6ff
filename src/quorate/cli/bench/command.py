"""The command `quorate bench`: select cases, run them, print their figures."""

from __future__ import annotations

from pathlib import Path

import msgspec

from quorate.cli.bench import plot
from quorate.cli.bench.cases import all_cases, select
from quorate.cli.bench.report import table
from quorate.cli.terminal import Terminal


def run(pattern: str, runs: int | None, *, listing: bool, as_json: bool, picture: Path | None = None) -> None:
    """Measure the cases that fit `pattern`, each `runs` times (None: as many as the case wants).

    `picture` is a file for a PNG of the batches among them.
    """
    terminal = Terminal(as_json)
    if listing:
        names = [case.name for case in all_cases()]
        terminal.result(names, *names)
        return
    if picture is not None:
        plot.require_matplotlib()  # better known before the measuring than behind it
    rows = []
    with terminal.progress("measuring") as progress:
        for case in select(pattern):
            progress(case.name)
            rows.append(case.measure(runs or case.runs))
    if picture is not None:
        plot.plot(rows, picture)
    terminal.result(msgspec.to_builtins(rows), table(rows))
