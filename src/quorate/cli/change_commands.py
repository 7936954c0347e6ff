"""`quorate committee renew`, `replace` and `approve`: another epoch, with the same nodes or others.

On the network of this machine `replace` makes the nodes it adds, and this machine's operator key operates all
of them. Elsewhere each operator approves the plan (a file like ``network.json``) at its own node, and one of
them begins the change.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from quorate.cli.committee_commands import committee_app
from quorate.cli.terminal import Progress, Terminal

if TYPE_CHECKING:
    from quorate.cli.local_network import LocalNetwork
    from quorate.cli.operator import ChangeSeen, Operator
    from quorate.device.network import Network
    from quorate.node.epochs.talk import Plan

__all__ = ["committee_app"]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Key = Annotated[Path | None, typer.Option(help="The operator key (this machine's network has its own).")]

CHANGE_SECONDS: Final = 3600.0
"""A thousand keys take minutes at a small share of a core."""

POLL_SECONDS: Final = 0.3

_UNDER_WAY: Final = ("listing", "resharing", "switching")
"""Stages of a node that has not written its switch, or is erasing what was before."""

_PAUSE: Final = threading.Event()
"""Never set: waiting for it with a timeout is waiting for other processes."""


@committee_app.command()
def renew(
    node: Annotated[str | None, typer.Option(help="The node that leads (the first).")] = None,
    operator_key: Key = None,
    as_json: Json = False,
) -> None:
    """Give every key new shares, so that what was stolen before is worth nothing."""
    from quorate.node.epochs.talk import Plan

    terminal = Terminal(as_json)
    operator = _operator(operator_key)
    with terminal.progress("asking the nodes") as progress:
        network = operator.look()
        if operator_key is None:
            # Nodes sign one renewal an hour of their own accord, and more where their operator wants them.
            operator.approve(Plan.of(network.record), network.names)
        _change(operator, None, node or network.names[0], progress)
        if operator_key is None:
            _local().follow(operator.network)
    _tell(terminal, operator, [])


@committee_app.command()
def replace(
    add: Annotated[int, typer.Option(help="Make this many new nodes on this machine.", min=0)] = 0,
    remove: Annotated[list[str] | None, typer.Option(help="A node to leave out; repeatable.")] = None,
    degree: Annotated[int | None, typer.Option(help="One more than this many nodes sign together.")] = None,
    liars: Annotated[int | None, typer.Option(help="How many may lie.")] = None,
    away: Annotated[int | None, typer.Option(help="How many more may be down.")] = None,
    plan: Annotated[Path | None, typer.Option(help="The next committee, a file like network.json.")] = None,
    node: Annotated[str | None, typer.Option(help="The node that leads (the first that stays).")] = None,
    operator_key: Key = None,
    as_json: Json = False,
) -> None:
    """Change to another committee: nodes that come and go, other thresholds. Keys and wallets stay."""
    terminal = Terminal(as_json)
    operator, local = _operator(operator_key), _local()
    with terminal.progress("asking the nodes") as progress:
        before = operator.look()
        if plan is None:
            wanted = _planned(before, local, progress, add, set(remove or ()), degree, liars, away)
            progress("approving the committee")
            operator.approve(wanted, before.names)
        else:
            wanted = _read_plan(plan)
        staying = [name for name in before.names if name in wanted.names]
        _change(operator, wanted, node or (staying or list(before.names))[0], progress)
        left = [] if plan is not None else local.follow(operator.network)
    _tell(terminal, operator, left)


@committee_app.command()
def approve(
    plan: Annotated[Path, typer.Argument(help="The next committee, a file like network.json.", exists=True)],
    node: Annotated[str, typer.Option(help="Your node.")],
    operator_key: Key = None,
    as_json: Json = False,
) -> None:
    """Let your node sign this committee, when somebody asks for it."""
    operator = _operator(operator_key)
    operator.look()
    wanted = _read_plan(plan)
    operator.approve(wanted, [node])
    data = {"node": node, "plan": wanted.digest.hex(), "members": list(wanted.names)}
    Terminal(as_json).result(data, f"{node} would sign a committee of {', '.join(wanted.names)}")


def _operator(key: Path | None) -> Operator:
    from quorate.cli.operator import Operator
    from quorate.device.home import Home
    from quorate.device.login import read_login_key
    from quorate.device.network import Network

    network = Network.read(Home.default().network_file)
    return Operator(network, _local().operator() if key is None else read_login_key(key))


def _local() -> LocalNetwork:
    from quorate.cli.local_network import LocalNetwork
    from quorate.device.home import Home

    return LocalNetwork(Home.default())


def _planned(
    before: Network,
    local: LocalNetwork,
    progress: Progress,
    add: int,
    remove: set[str],
    degree: int | None,
    liars: int | None,
    away: int | None,
) -> Plan:
    """The plan of these wishes; makes the nodes that come."""
    from quorate.cli.operator import planned
    from quorate.errors import Malformed
    from quorate.node.epochs.talk import Plan
    from quorate.sharing.quorums import Quorums

    strangers = sorted(remove - set(before.names))
    if strangers:
        raise Malformed(f"not of the committee: {', '.join(strangers)}")
    size = len(before.names) - len(remove) + add
    d = (size - 1) // 2 if degree is None else degree
    standard = Quorums.standard(size, d)
    t, f = standard.liars if liars is None else liars, standard.away if away is None else away
    Quorums(size, d, t, f).require_revocation()
    staying = [row for row in before.nodes.values() if row.name not in remove]
    if add:
        progress("making the new nodes")
    rows = [*staying, *(local.add(add) if add else [])]
    members = tuple(planned(row.name, row.url, row.identity) for row in rows)
    return Plan(before.name, members, d, t, f)


def _read_plan(path: Path) -> Plan:
    from quorate.cli.operator import planned
    from quorate.device.network import Network
    from quorate.node.epochs.talk import Plan

    network = Network.read(path)
    quorums = network.quorums
    members = tuple(planned(row.name, row.url, row.identity) for row in network.nodes.values())
    return Plan(network.name, members, quorums.degree, quorums.liars, quorums.away)


def _change(operator: Operator, plan: Plan | None, leader: str, progress: Progress) -> None:
    """Begin, and wait until the new epoch is live at every one of its nodes that answers."""
    from quorate.clock import monotonic
    from quorate.errors import Missing, Refused

    epoch = operator.network.epoch
    before = {row.name: row.url for row in operator.network.nodes.values()}
    url = operator.network.nodes[leader].url
    operator.change(leader, plan)
    ends, said = monotonic() + CHANGE_SECONDS, ""
    while operator.network.epoch == epoch:
        if monotonic() > ends:
            raise Missing("the nodes have not changed in time; see: quorate committee status")
        _PAUSE.wait(POLL_SECONDS)
        try:
            seen = operator.progress(url)
        except Missing:
            continue
        if seen.stage == "failed":
            raise Refused(seen.text, code="change")
        if _said(seen) != said:
            said = _said(seen)
            progress(said)
        operator.look()
    progress("waiting for all nodes to switch")
    everybody = {**before, **{row.name: row.url for row in operator.network.nodes.values()}}
    while monotonic() < ends and not _all_in(operator, everybody):
        _PAUSE.wait(POLL_SECONDS)


def _said(seen: ChangeSeen) -> str:
    if seen.chunks:
        return f"{seen.stage}: {seen.done} of {seen.chunks} chunks, stored by {seen.stored} of {seen.members}"
    return seen.text or seen.stage


def _all_in(operator: Operator, everybody: dict[str, str]) -> bool:
    """Whether all have switched, and erased what was before: also those that are left out."""
    from quorate.errors import Missing, Refused

    for url in everybody.values():
        try:
            seen = operator.progress(url)
            if seen.live < operator.network.epoch or seen.stage in _UNDER_WAY:
                return False
        except (Missing, Refused):
            continue  # one that is down follows when it is back
    return True


def _tell(terminal: Terminal, operator: Operator, stopped: list[str]) -> None:
    network = operator.network
    quorums = network.quorums
    data = {
        "epoch": network.epoch,
        "nodes": list(network.names),
        "degree": quorums.degree,
        "liars": quorums.liars,
        "away": quorums.away,
        "stopped": stopped,
    }
    lines = [f"committee epoch {network.epoch}: {quorums.degree + 1} of {quorums.nodes} nodes sign"]
    lines += [f"  {name}" for name in network.names]
    lines += [f"stopped, no longer of the committee: {', '.join(stopped)}"] if stopped else []
    terminal.result(data, *lines)
