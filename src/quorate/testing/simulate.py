"""``python -m quorate.testing.simulate``: thousands of seeded runs, on every core.

Prints how they ended. The first failure ends it with the one command that plays the same run again:
``python -m quorate.testing.simulate --protocol toss --seed 1234``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from quorate.clock import monotonic
from quorate.testing.scenarios import SCENARIOS

DEFAULT_EACH: Final = 2_000
"""Runs of each protocol, unless a number of all of them together is asked for."""

CHUNK: Final = 25
"""Runs handed to a process at a time: small enough that cores finish together, large enough to be cheap."""


@dataclass(slots=True)
class Tally:
    """Many runs of one protocol, added up. `lies` counts runs in which a party lied."""

    runs: int = 0
    lies: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Take in another tally."""
        self.runs += other.runs
        self.lies += other.lies
        self.seconds += other.seconds
        self.outcomes += other.outcomes
        self.happened += other.happened


@dataclass(frozen=True, slots=True)
class Failure:
    """A seed in which something did not hold."""

    protocol: str
    seed: int
    trace: str

    @property
    def command(self) -> str:
        """What plays it again."""
        return f"python -m quorate.testing.simulate --protocol {self.protocol} --seed {self.seed}"


Chunk = tuple[str, int, int]
"""Protocol, first seed, how many."""


def play(chunk: Chunk) -> tuple[str, Tally, Failure | None]:
    """Play some seeds in a row, up to the first that fails."""
    protocol, first, count = chunk
    tally = Tally()
    begun = monotonic()
    for seed in range(first, first + count):
        try:
            report = SCENARIOS[protocol].play(seed)
        except Exception:  # noqa: BLE001  # whatever it is, it is a finding, to be shown with its seed
            return protocol, tally, Failure(protocol, seed, traceback.format_exc())
        tally.runs += 1
        tally.lies += bool(report.lie)
        tally.outcomes += report.outcomes
        tally.happened += report.happened
    tally.seconds = monotonic() - begun
    return protocol, tally, None


def shares(protocols: Sequence[str], count: int, first: int) -> Iterator[Chunk]:
    """Divide `count` runs between protocols and into chunks, protocols taking turns."""
    each = {name: count // len(protocols) + (i < count % len(protocols)) for i, name in enumerate(protocols)}
    for start in range(0, max(each.values(), default=0), CHUNK):
        for name in protocols:
            size = min(CHUNK, each[name] - start)
            if size > 0:
                yield name, first + start, size


def simulate(
    protocols: Sequence[str], count: int, first: int = 0, workers: int = 0
) -> tuple[dict[str, Tally], Failure | None]:
    """Play `count` runs; the tallies, and the first failure if there was one."""
    tallies = {name: Tally() for name in protocols}
    chunks = list(shares(protocols, count, first))
    # spawn, not fork: the parent may have threads, and the child imports the same modules anyway
    with multiprocessing.get_context("spawn").Pool(workers or os.cpu_count() or 1) as pool:
        for protocol, tally, failure in pool.imap_unordered(play, chunks):
            tallies[protocol].add(tally)
            if failure is not None:
                pool.terminate()
                return tallies, failure
    return tallies, None


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit status."""
    options = _options(arguments)
    protocols = list(SCENARIOS) if options.protocol == "all" else [options.protocol]
    if options.seed is not None and options.count is None:
        return _replay(protocols, options.seed, options.json)
    begun = monotonic()
    count = DEFAULT_EACH * len(protocols) if options.count is None else options.count
    tallies, failure = simulate(protocols, count, options.seed or 0, options.workers)
    seconds = monotonic() - begun
    if options.json:
        print(json.dumps(_as_data(tallies, failure, seconds)))
    else:
        _show(tallies, seconds)
    if failure is None:
        return 0
    if not options.json:
        print(f"\n{failure.trace}\nFAILED, seed {failure.seed}. To play it again:\n  {failure.command}")
    return 1


def _replay(protocols: Sequence[str], seed: int, as_json: bool) -> int:
    for name in protocols:
        report = SCENARIOS[name].play(seed)
        ends = {"protocol": name, "seed": seed, "outcomes": report.outcomes, "happened": report.happened}
        ends |= {"lie": report.lie, "trace": report.trace}
        if as_json:
            print(json.dumps(ends))
        else:
            print("\n".join(f"{key:9} {_plain(value)}" for key, value in ends.items()))
    return 0


def _show(tallies: dict[str, Tally], seconds: float) -> None:
    for name, tally in tallies.items():
        milliseconds = 1000 * tally.seconds / tally.runs if tally.runs else 0.0
        print(f"{name}: {tally.runs} runs, {milliseconds:.1f} ms each, {tally.lies} with a liar")
        print(f"    ends of honest parties: {_plain(tally.outcomes)}")
        print(f"    on the network: {_plain(tally.happened)}")
    print(f"{sum(tally.runs for tally in tallies.values())} runs in {seconds:.1f} s")


def _plain(value: Any) -> str:
    if isinstance(value, Counter):
        return ", ".join(f"{name} {count}" for name, count in value.most_common()) or "nothing"
    return str(value) or "none"


def _as_data(tallies: dict[str, Tally], failure: Failure | None, seconds: float) -> dict[str, Any]:
    return {
        "seconds": round(seconds, 2),
        "protocols": {
            name: {
                "runs": tally.runs,
                "lies": tally.lies,
                "milliseconds": round(1000 * tally.seconds / max(tally.runs, 1), 2),
                "outcomes": tally.outcomes,
                "happened": tally.happened,
            }
            for name, tally in tallies.items()
        },
        "failure": None if failure is None else {"command": failure.command, "trace": failure.trace},
    }


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m quorate.testing.simulate", description=__doc__)
    parser.add_argument("--protocol", choices=["all", *SCENARIOS], default="all")
    parser.add_argument(
        "--count", type=int, help=f"how many runs in all (default: {DEFAULT_EACH} of each protocol)"
    )
    parser.add_argument(
        "--seed", type=int, help="the first seed; alone, plays this one run and shows its end"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes (default: one for each core)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
