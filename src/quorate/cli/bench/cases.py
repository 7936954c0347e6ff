"""The registry of cases: a name, and what makes its figures. `quorate bench PATTERN` selects by name."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

from quorate.cli.bench import bls, ecdsa, schnorr
from quorate.cli.bench.committee import Committee, CommitteeDesk
from quorate.cli.bench.ecdsa import Bench
from quorate.cli.bench.harness import Room, Sample, require
from quorate.cli.bench.report import AnyFigures, BatchFigures, Figures, WaitFigures, batch, figures
from quorate.cli.bench.seats import Load, Table
from quorate.errors import LocalError
from quorate.groups import group_named

SIZES = (2, 3, 4)
"""Parties of a signature: device and server, device and two nodes, device and three (the default network)."""

FIVE, SEVEN, CROWD = Committee(5, 1, 0, 2), Committee(7, 1, 1, 3), Committee(7, 2, 0, 2)
COMMITTEES = (Committee(4, 1, 0, 1), FIVE, SEVEN, CROWD, Committee(9, 2, 0, 4), Committee(13, 2, 2, 6))
"""The sizes over which growth is shown. Four nodes, and seven with two liars, revoke no devices."""

SCHNORR = (("ed25519", 2), ("ed25519", 4), ("bip340", 2))
"""Schemes and signers of the cases whose bars docs/protocols/frost.md states."""

WAITS = (("sign/processes-ed25519", 50), ("pool/assign", 50), ("register/write", 50), ("register/read", 50))
"""Cases over real processes that have a bar, and their runs."""

BATCHES = (1, 10, 100, 1000)
BARS = {FIVE: 2.0, SEVEN: 4.0, CROWD: 2.5}
"""CPU ms a key and node, in batches of 1,000 keys of secp256k1; Ed25519 may take three times as long."""

RENEWAL_BAR = 3.0
"""The same for renewing 1,000 keys of secp256k1 from five nodes to seven."""


@dataclass(frozen=True, slots=True)
class Case:
    """`measure(runs)` does its own preparation outside the clock."""

    name: str
    runs: int
    measure: Callable[[int], AnyFigures]


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
    for curve in ("p256", "stark"):
        case = f"ecdsa/{curve}-2"
        yield Case(case, 25, partial(_repeat, case, partial(_sign, 2, curve)))
    for scheme, size in SCHNORR:
        case = f"schnorr/{scheme}-{size}"
        yield Case(case, 200, partial(_repeat, case, partial(_schnorr, scheme, size)))
        yield Case(f"{case}-online", 200, partial(_schnorr_online, scheme, size))
    yield Case("bls/2-of-3", 100, partial(_repeat, "bls/2-of-3", _bls))
    yield Case("wallet/create", 3, _create)
    yield Case("sign/processes-cold", 15, _cold)
    yield Case("sign/processes-refill", 200, _refill)
    for case, runs in WAITS:
        yield Case(case, runs, partial(_wait, case))
    for curve, committee, keys in _batches():
        case = f"dkg/{curve}/{committee}/{keys}-keys"
        yield Case(case, 1, partial(_generate, case, curve, committee, keys))
    for curve in ("secp256k1", "ed25519"):
        case = f"dkg/{curve}/renew-5-to-7/1000-keys"
        yield Case(case, 1, partial(_renew, case, curve, 1000))


def _batches() -> Iterator[tuple[str, Committee, int]]:
    """Which batches are generated. Ed25519 takes five times as long, so the large committees do a hundred."""
    for committee in COMMITTEES:
        for keys in BATCHES if committee in (FIVE, SEVEN) else (1000,):
            yield "secp256k1", committee, keys
    for committee in COMMITTEES:
        for keys in BATCHES if committee is FIVE else (1000,) if committee in BARS else (100,):
            yield "ed25519", committee, keys


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
def _bench(size: int, curve: str = "secp256k1") -> Bench:
    return Bench.of(size, group_named(curve))


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


def _sign(size: int, curve: str = "secp256k1") -> Sample:
    return _bench(size, curve).sign()


@lru_cache(maxsize=1)
def _schnorr_bench(scheme: str, size: int) -> schnorr.Bench:
    return schnorr.Bench.of(scheme, size)


def _schnorr(scheme: str, size: int) -> Sample:
    return _schnorr_bench(scheme, size).sign()


def _schnorr_online(scheme: str, size: int, runs: int) -> Figures:
    """All nonces first, as for ECDSA."""
    bench = _schnorr_bench(scheme, size)
    made = [bench.prepare() for _ in range(runs + 1)]
    bench.online(made.pop())
    return figures(f"schnorr/{scheme}-{size}-online", [bench.online(one) for one in made])


def _bls() -> Sample:
    return _bls_bench().sign()


@lru_cache(maxsize=1)
def _bls_bench() -> bls.Bench:
    return bls.Bench.of()


def _create(runs: int) -> Figures:
    from quorate.cli.bench import processes

    return processes.create(runs)


def _cold(runs: int) -> Figures:
    from quorate.cli.bench import processes

    return processes.cold_signature(runs)


def _refill(runs: int) -> WaitFigures:
    from quorate.cli.bench import processes

    return processes.signing_during_refill(runs)


def _wait(case: str, runs: int) -> WaitFigures:
    from quorate.cli.bench import processes

    measure = {
        "sign/processes-ed25519": processes.cold_ed25519,
        "pool/assign": processes.assignment,
        "register/write": processes.writing,
        "register/read": processes.reading,
    }
    return measure[case](runs)


def _generate(case: str, curve: str, committee: Committee, keys: int, runs: int) -> BatchFigures:
    with Table.laid(committee.names, CommitteeDesk) as seats:
        loads, peak = [], 0
        for number in range(runs + 1):
            # the first one, a small one, pays for caches and imports
            size = keys if number else 1
            load = seats.run("generate", curve, committee, size, number)
            peak = _agreed(seats, size)
            loads.append(load)
    bar = BARS.get(committee) if keys == 1000 else None
    if bar is not None and curve == "ed25519":
        bar *= 3
    return _batch(case, loads[1:], curve, committee, keys, bar, peak)


def _renew(case: str, curve: str, keys: int, runs: int) -> BatchFigures:
    with Table.laid(SEVEN.names, CommitteeDesk) as seats:
        loads, peak = [], 0
        for number in range(runs + 1):
            size = keys if number else 1
            seats.call("deal_old", curve, FIVE, SEVEN, size, number)
            load = seats.run("renew")
            peak = _agreed(seats, size)
            loads.append(load)
    bar = RENEWAL_BAR if curve == "secp256k1" else None
    return _batch(case, loads[1:], curve, SEVEN, keys, bar, peak)


def _agreed(seats: Table, keys: int) -> int:
    """Ends a run: all nodes must have come to the same keys. The largest process's peak memory."""
    ends: list[tuple[bytes, int, int]] = list(seats.call("finish").values())
    require(len({public for public, _, _ in ends}) == 1, "the nodes disagree about the keys")
    require({count for _, count, _ in ends} == {keys}, f"there are not {keys} keys")
    return max(peak for _, _, peak in ends)


def _batch(
    case: str, loads: list[Load], curve: str, committee: Committee, keys: int, bar: float | None, peak: int
) -> BatchFigures:
    return batch(
        case,
        loads,
        curve=curve,
        nodes=committee.nodes,
        degree=committee.degree,
        keys=keys,
        bar=bar,
        peak=peak,
    )
