"""`quorate up`, `down` and `network`."""

from __future__ import annotations

from quorate.chains.ethereum.networks import NETWORKS
from quorate.cli.local_network import LocalNetwork, NodeProcess
from quorate.cli.terminal import Terminal
from quorate.clock import monotonic
from quorate.device.home import Home
from quorate.device.network import Network


def start(nodes: int | None, degree: int | None, as_json: bool) -> None:
    """Start what does not run."""
    terminal, home, begun = Terminal(as_json), Home.default(), monotonic()
    local = LocalNetwork(home)
    with terminal.progress("looking at the network") as report:
        running, started = local.up(nodes, degree, report)
    seconds = round(monotonic() - begun, 2)
    data = _described(home, running) | {"started": started, "seconds": seconds}
    if started:
        lines = [f"{len(running)} nodes are ready ({seconds:.1f} s)", "next: quorate wallet create"]
    else:
        lines = [f"a network runs already: {len(running)} nodes in {home.path}"]
    terminal.result(data, *lines)


def stop(as_json: bool) -> None:
    """Stop what runs."""
    terminal, home = Terminal(as_json), Home.default()
    with terminal.progress("stopping the nodes"):
        stopped = LocalNetwork(home).down()
    line = f"stopped {len(stopped)} nodes" if stopped else "no node was running"
    terminal.result({"stopped": stopped, "home": str(home.path)}, line)


def show(as_json: bool) -> None:
    """The network as it stands."""
    terminal, home = Terminal(as_json), Home.default()
    network = Network.read(home.network_file)
    nodes = LocalNetwork(home).nodes()
    chains = [*NETWORKS, *network.chains]
    signers = network.quorums.degree + 1
    lines = [f"network {network.name} in {home.path}: {signers} of {len(nodes)} nodes sign"]
    lines += [f"  {node.name}  {node.url}  {_state(node)}" for node in nodes]
    lines += ["chains:", *(f"  {row.caip2}  {row.name}" for row in chains)]
    data = _described(home, nodes) | {
        "signers": signers,
        "chains": [{"chain": row.caip2, "name": row.name, "symbol": row.symbol} for row in chains],
    }
    terminal.result(data, *lines)


def _described(home: Home, nodes: list[NodeProcess]) -> dict[str, object]:
    return {"home": str(home.path), "nodes": [node.as_dict() for node in nodes]}


def _state(node: NodeProcess) -> str:
    return f"runs (process {node.pid})" if node.pid is not None else f"is down; its log: {node.log}"
