"""`quorate committee`: how the nodes stand together, and what they keep ready for new wallets."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
import typer

from quorate.cli.http import ask
from quorate.cli.terminal import Progress, Terminal
from quorate.errors import Missing, Refused

committee_app = typer.Typer(
    name="committee",
    help="What the nodes keep ready, and how they stand together.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

ANSWER_SECONDS: Final = 5.0
"""For one node's answer; busy ones take a moment."""

REFILL_SECONDS: Final = 3600.0
"""Two hundred keys at a small share of a core take minutes."""

POLL_SECONDS: Final = 0.5

_PAUSE: Final = threading.Event()
"""Never set: waiting for it with a timeout is waiting for other processes."""


class _Level(msgspec.Struct, frozen=True):
    curve: str
    free: int
    coming: int
    target: int
    batches: list[int]


class _Session(msgspec.Struct, frozen=True):
    protocol: str
    state: str
    since: float
    heard: int
    done: list[str]
    caught: list[str]


class _Pool(msgspec.Struct, frozen=True):
    node: str
    epoch: int
    levels: list[_Level]
    sessions: list[_Session]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one node says; None from one that does not answer."""

    name: str
    url: str
    pool: _Pool | None


@committee_app.command()
def status(as_json: Json = False) -> None:
    """Show every node, the keys it has ready, and what the nodes are making together."""
    terminal = Terminal(as_json)
    with terminal.progress("asking the nodes"):
        seen, quorum = _look()
    terminal.result(_data(seen, quorum), *_lines(seen, quorum))


@committee_app.command()
def refill(
    wait: Annotated[bool, typer.Option(help="Return when the keys are there.")] = True, as_json: Json = False
) -> None:
    """Make keys for new wallets now, up to what the nodes keep ahead."""
    from quorate.clock import monotonic

    terminal = Terminal(as_json)
    with terminal.progress("asking the nodes for keys") as progress:
        seen, quorum = _look(refill=True)
        ends = monotonic() + REFILL_SECONDS
        while wait and not _is_full(seen, quorum):
            missing = [one.name for one in seen if one.pool is None]
            if len(seen) - len(missing) < quorum:
                raise Missing(
                    f"{quorum} nodes make keys together; missing: {', '.join(missing)}",
                    parties=missing,
                    needed=quorum - (len(seen) - len(missing)),
                )
            if monotonic() > ends:
                raise Missing("the nodes have not made the keys in time; see: quorate committee status")
            _tell(progress, seen, quorum)
            _PAUSE.wait(POLL_SECONDS)
            seen, quorum = _look()
    terminal.result(_data(seen, quorum), *_lines(seen, quorum))


def _look(*, refill: bool = False) -> tuple[list[_Seen], int]:
    from concurrent.futures import ThreadPoolExecutor

    from quorate.device.home import Home
    from quorate.device.network import Network

    network = Network.read(Home.default().network_file)
    with ThreadPoolExecutor(len(network.names)) as threads:
        rows = list(network.nodes.values())
        answers = list(threads.map(lambda row: _ask(row.url, refill=refill), rows))
    seen = [_Seen(row.name, row.url, answer) for row, answer in zip(rows, answers, strict=True)]
    return seen, network.quorums.echo


def _ask(url: str, *, refill: bool) -> _Pool | None:
    path, method = ("/v1/pool/refill", "POST") if refill else ("/v1/pool", "GET")
    try:
        answer = ask(url.rstrip("/") + path, method=method, seconds=ANSWER_SECONDS)
        return msgspec.json.decode(answer, type=_Pool)
    except (Missing, Refused, ValueError):
        return None


def _levels(seen: list[_Seen], quorum: int) -> dict[str, tuple[int, int]]:
    """For each curve, as many keys as a quorum of nodes has free, and how many they want to have."""
    by_curve: dict[str, list[_Level]] = {}
    for one in seen:
        for level in one.pool.levels if one.pool is not None else ():
            by_curve.setdefault(level.curve, []).append(level)
    found = {}
    for curve, levels in by_curve.items():
        free = sorted((level.free for level in levels), reverse=True)
        target = sorted((level.target for level in levels), reverse=True)
        if len(free) >= quorum:
            found[curve] = free[quorum - 1], target[quorum - 1]
        else:
            found[curve] = 0, target[0]
    return found


def _is_full(seen: list[_Seen], quorum: int) -> bool:
    levels = _levels(seen, quorum)
    return bool(levels) and all(free >= target for free, target in levels.values())


def _tell(progress: Progress, seen: list[_Seen], quorum: int) -> None:
    parts = [
        f"{curve} {min(free, target)} of {target}" for curve, (free, target) in _levels(seen, quorum).items()
    ]
    progress(f"making keys: {', '.join(parts)}")


def _data(seen: list[_Seen], quorum: int) -> dict[str, Any]:
    return {
        "quorum": quorum,
        "epoch": max((one.pool.epoch for one in seen if one.pool is not None), default=None),
        "pool": [
            {"curve": curve, "ready": free, "target": target}
            for curve, (free, target) in _levels(seen, quorum).items()
        ],
        "nodes": [
            {
                "name": one.name,
                "url": one.url,
                "answers": one.pool is not None,
                **({} if one.pool is None else msgspec.to_builtins(one.pool)),
            }
            for one in seen
        ],
    }


def _lines(seen: list[_Seen], quorum: int) -> list[str]:
    up = [one.pool for one in seen if one.pool is not None]
    epochs = sorted({pool.epoch for pool in up})
    lines = [f"{len(up)} of {len(seen)} nodes answer; epoch {' and '.join(map(str, epochs)) or 'unknown'}"]
    for curve, (free, target) in _levels(seen, quorum).items():
        lines.append(f"keys ready for new wallets ({curve}): {free} of {target}")
    for one in seen:
        if one.pool is None:
            lines.append(f"  {one.name}  does not answer")
            continue
        ready = ", ".join(f"{level.curve} {level.free}" for level in one.pool.levels)
        making = [f"{level.curve} batch {number}" for level in one.pool.levels for number in level.batches]
        caught = sorted({name for session in one.pool.sessions for name in session.caught})
        lines.append(
            f"  {one.name}  free: {ready}"
            + (f"; making {', '.join(making)}" if making else "")
            + (f"; caught lying: {', '.join(caught)}" if caught else "")
        )
    return lines
