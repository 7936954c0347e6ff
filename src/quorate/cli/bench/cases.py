"""The registry of cases: a name, and what makes its figures. `quorate bench PATTERN` selects by name."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

from quorate.cli.bench import ecdsa
from quorate.cli.bench.ecdsa import Bench
from quorate.cli.bench.harness import Room, Sample
from quorate.cli.bench.report import Figures, figures
from quorate.errors import LocalError

SIZES = (2, 3, 4)
"""Parties of a signature: device and server, device and two nodes, device and three (the default network)."""


@dataclass(frozen=True, slots=True)
class Case:
    """`measure(runs)` does its own preparation outside the clock."""

    name: str
    runs: int
    measure: Callable[[int], Figures]


def all_cases() -> Iterator[Case]:
    """Every case, in the order in which they are run."""
    for size in SIZES:
        for name, runs, once in (
            ("setup", 7, _setup),
            ("presign", 15, _presign),
            ("sign", 25, _sign),
        ):
            case = f"ecdsa-secp256k1/{name}/{size}-parties"
            yield Case(case, runs, partial(_repeat, case, partial(once, size)))
        yield Case(f"ecdsa-secp256k1/online/{size}-parties", 15, partial(_online, size))
    yield Case("wallet/create", 3, _create)
    yield Case("sign/processes-cold", 15, _cold)


def select(pattern: str) -> list[Case]:
    """The cases whose name fits a shell pattern or begins with it. Raises `LocalError` when none does."""
    found = [
        case for case in all_cases() if fnmatch.fnmatch(case.name, pattern) or case.name.startswith(pattern)
    ]
    if not found:
        names = "\n  ".join(case.name for case in all_cases())
        raise LocalError(f"no benchmark fits {pattern!r}; there are\n  {names}")
    return found


def _repeat(case: str, once: Callable[[], Sample], runs: int) -> Figures:
    once()  # the first run pays for caches and imports
    return figures(case, [once() for _ in range(runs)])


@lru_cache(maxsize=1)
def _bench(size: int) -> Bench:
    return Bench.of(size)


def _setup(size: int) -> Sample:
    """All pair setups that a wallet of this size needs, one after the other; for two parties, one pair."""
    names = tuple(f"party{i}" for i in range(size))
    room = Room(names, hub=names[0])
    total = Sample()
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            total = total + ecdsa.setup_pair(room, first, second)[1]
    total.parties = size
    return total


def _presign(size: int) -> Sample:
    return _bench(size).presign()[1]


def _online(size: int, runs: int) -> Figures:
    """All presignatures first: that they were made earlier is what the online phase is about."""
    bench = _bench(size)
    made = [bench.presign()[0] for _ in range(runs + 1)]
    bench.online(made.pop())
    return figures(f"ecdsa-secp256k1/online/{size}-parties", [bench.online(one) for one in made])


def _sign(size: int) -> Sample:
    return _bench(size).sign()


def _create(runs: int) -> Figures:
    from quorate.cli.bench import processes

    return processes.create(runs)


def _cold(runs: int) -> Figures:
    from quorate.cli.bench import processes

    return processes.cold_signature(runs)
