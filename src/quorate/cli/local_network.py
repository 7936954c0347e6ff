"""A network of one's own on this machine: what `quorate up` makes, starts and stops.

Each node has a directory with its configuration, its vault, its seal, its log, and the lock it holds while
it runs (`quorate.node.lock`). Identities are made by each node itself, in a process that then ends; at that
time there are no shares. Ports are chosen at the first start and kept: records of the committee name them.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import msgspec

from quorate.chains import Chain, ChainRow
from quorate.cli.http import ask
from quorate.clock import monotonic
from quorate.device.home import Home
from quorate.device.login import read_login_key
from quorate.device.network import Network, NodeRow
from quorate.entropy import Rng, system_rng
from quorate.errors import Malformed, Missing, Refused, Unavailable
from quorate.node.lock import running_pid
from quorate.session import KeyPair
from quorate.sharing.quorums import Quorums
from quorate.vault.files import make_private_directory, write_new

NETWORK_NAME: Final = "local"
LOOPBACK: Final = "127.0.0.1"

NO_PORT: Final = 1
"""What stands in the place of a port before one is chosen."""

DEFAULT_NODES: Final = 5
"""Of which three sign: one may lie and two may be down. Other sizes also sign with a majority by default."""

MAX_LOCAL_NODES: Final = 30
"""Processes of 60 MB each on one machine; a committee has at most this many anyway."""

READY_SECONDS: Final = 60.0
"""Five nodes are ready in a few seconds; the margin is for small and busy machines."""

BACKGROUND_CPU: Final = 0.05
"""The share of a core that each node may use ahead of need: five of them leave a laptop to its owner, and
what a wallet of this machine needs is made at once when it asks."""

POOL_TARGET: Final = 16
"""Committee keys of each curve that are kept ahead: eight wallets' worth, and little work at first."""

POOL_BATCH: Final = 32
"""Keys made in one go when they run low."""

POOL_ACCOUNT_KEYS: Final = 256
"""New keys for one account in a day. On one's own machine nobody else is to be protected."""

TUNED: Final = ("background_cpu", "pool_target", "pool_batch", "pool_account_keys", "restart_gap")
"""Settings that a node made later takes over from those that are there."""

STOP_SECONDS: Final = 10.0
"""Nodes give running sessions five seconds."""

EXTRA_CHAINS: Final = (
    Chain("eip155:131277322940537", "In-process EVM", "ETH"),
    Chain("eip155:1337", "Development", "ETH"),
    Chain("eip155:31337", "Development", "ETH"),
    Chain("eip155:11155111", "Sepolia", "ETH"),
)
"""Chains of one's own machine and a test network, which a local network signs for from the beginning."""

_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Five processes of as many threads as cores would only wait for each other."""


_PAUSE: Final = threading.Event()
"""Never set: waiting for it with a timeout is waiting for other processes."""


@dataclass(frozen=True, slots=True)
class NodeProcess:
    """One node as it stands. `pid` is None when it does not run."""

    name: str
    url: str
    pid: int | None
    directory: Path

    @property
    def log(self) -> Path:
        """Where it writes what it does."""
        return self.directory / "node.log"

    def as_dict(self) -> dict[str, str | int | None]:
        """For JSON."""
        return {"name": self.name, "url": self.url, "pid": self.pid, "log": str(self.log)}


class LocalNetwork:
    """The network under one home directory."""

    def __init__(
        self, home: Home, *, rng: Rng = system_rng, settings: Mapping[str, int | float] | None = None
    ) -> None:
        """`settings` stand in the nodes' configuration in place of what a local network has by default."""
        self._home = home
        self._rng = rng
        self._settings = dict(settings or {})

    @property
    def exists(self) -> bool:
        """Whether it was made, running or not."""
        return self._home.network_file.exists()

    def nodes(self) -> list[NodeProcess]:
        """All nodes and which of them run. Raises `Unavailable` before the network was made."""
        network = Network.read(self._home.network_file)
        return [
            NodeProcess(row.name, row.url, running_pid(self._directory(row.name)), self._directory(row.name))
            for row in network.nodes.values()
        ]

    def up(
        self, count: int | None, degree: int | None, report: Callable[[str], None]
    ) -> tuple[list[NodeProcess], bool]:
        """Make the network if there is none, start what does not run, wait until all are ready.

        Gives the nodes, and whether anything had to be started. `count` and `degree` are for making one;
        None means the defaults, or what is there.
        """
        make_private_directory(self._home.make().network)
        with self._exclusive():
            if not self.exists:
                report("making a network")
                size = DEFAULT_NODES if count is None else count
                self._make(size, (size - 1) // 2 if degree is None else degree)
            else:
                self._check_shape(count, degree)
            before = self.nodes()
            if all(node.pid is not None for node in before):
                return before, False
            report("starting the nodes")
            if all(node.pid is None for node in before):
                # With some running, the others must come back where those expect them.
                self._place()
            started = self._start([node.name for node in before if node.pid is None])
            self._wait(started)
            return self.nodes(), True

    def down(self) -> list[str]:
        """Stop every node that runs; gives their names."""
        with self._exclusive():
            running = [node for node in self.nodes() if node.pid is not None]
            self._stop(running)
            return [node.name for node in running]

    def _stop(self, running: list[NodeProcess]) -> None:
        for node in running:
            _send(node.pid, signal.SIGTERM)
        for node in running:
            if not _gone(node, STOP_SECONDS):
                _send(node.pid, signal.SIGKILL)
                _gone(node, STOP_SECONDS)

    # --- making --------------------------------------------------------------------------------------

    def _make(self, count: int, degree: int) -> None:
        if not 1 <= count <= MAX_LOCAL_NODES:
            raise Malformed(f"between 1 and {MAX_LOCAL_NODES} nodes run on one machine, not {count}")
        quorums = Quorums.standard(count, degree)
        names = [f"node{index}" for index in range(1, count + 1)]
        key = self._home.login_key
        if not key.exists():
            write_new(key, self._rng(32), draft=key.with_suffix(".draft"))
        identities = self._make_identities(names)
        rows = [NodeRow(name, f"http://{LOOPBACK}:{NO_PORT}", identities[name]) for name in names]
        # Written last: a network whose file is there is whole.
        self._write_network(Network.of(NETWORK_NAME, quorums, rows, EXTRA_CHAINS))

    def _make_identities(self, names: list[str]) -> dict[str, str]:
        """Each node makes its own, in a process of its own, side by side."""
        children = {name: _child(["node", "init", str(self._directory(name)), "--json"]) for name in names}
        found = {}
        for name, child in children.items():
            output, errors = child.communicate(timeout=READY_SECONDS)
            if child.returncode != 0:
                raise Unavailable(f"{name} could not be made: {errors.decode(errors='replace').strip()}")
            found[name] = json.loads(output)["identity"]
        return found

    def add(self, count: int) -> list[NodeRow]:
        """Make and start nodes that wait to be taken into the committee; gives them when they are ready.

        They are tuned like the first node that is there.
        """
        with self._exclusive():
            network = Network.read(self._home.network_file)
            self._settings = {**_tuned(self._directory(network.names[0])), **self._settings}
            taken = {path.name for path in self._home.network.glob("node*") if path.is_dir()}
            free = (f"node{number}" for number in itertools.count(1))
            names = list(itertools.islice((name for name in free if name not in taken), count))
            identities = self._make_identities(names)
            ports = zip(names, _free_ports(count), strict=True)
            rows = [NodeRow(name, f"http://{LOOPBACK}:{port}", identities[name]) for name, port in ports]
            for row in rows:
                self._write_config(network, row.name, waits_at=row.url)
            self._wait(self._start(names), {row.name: row.url for row in rows})
            return rows

    def follow(self, network: Network) -> list[str]:
        """The nodes have become this committee. Stops those that were left out; gives their names."""
        with self._exclusive():
            # By their rooms: a device of this home may have written the new committee down before us.
            rooms = sorted(path for path in self._home.network.glob("node*") if path.is_dir())
            self._write_network(network)
            out = [
                NodeProcess(room.name, "", running_pid(room), room)
                for room in rooms
                if room.name not in network.nodes and running_pid(room) is not None
            ]
            self._stop(out)
            for node in out:
                _finish_erasing(node.directory)
            return [node.name for node in out]

    def operator(self) -> KeyPair:
        """The key that operates all nodes here, made at the first call."""
        key = self._home.operator_key
        if not key.exists():
            write_new(key, self._rng(32), draft=key.with_suffix(".draft"))
        return read_login_key(key)

    def _place(self) -> None:
        """Choose ports, unless the nodes have some that are free: the committee's record names them."""
        network = Network.read(self._home.network_file)
        ports = [int(row.url.rpartition(":")[2]) for row in network.nodes.values()]
        if network.epoch or (all(map(_is_free, ports)) and len(set(ports)) == len(ports)):
            for name in network.names if not network.epoch else ():
                self._write_config(network, name)
            return
        ports = _free_ports(len(network.nodes))
        rows = [
            NodeRow(row.name, f"http://{LOOPBACK}:{port}", row.identity)
            for row, port in zip(network.nodes.values(), ports, strict=True)
        ]
        network = Network.of(network.name, network.quorums, rows, network.chains)
        self._write_network(network)
        for name in network.names:
            self._write_config(network, name)

    def _write_network(self, network: Network) -> None:
        path = self._home.network_file
        write_new(path, network.to_json(), draft=path.with_suffix(".draft"))

    def _write_config(self, network: Network, name: str, *, waits_at: str = "") -> None:
        """`waits_at`: the address of a node that is not of the network's committee yet."""
        from quorate.node.config import to_toml

        quorums = network.quorums
        directory = self._directory(name)
        values = {
            "name": name,
            "network": network.name,
            "network_key": read_login_key(self._home.login_key).public.to_bytes().hex(),
            "operator_key": self.operator().public.to_bytes().hex(),
            "listen": (waits_at or network.nodes[name].url).removeprefix("http://"),
            "joining": bool(waits_at),
            "epoch": network.epoch,
            "parent": network.record.parent.hex() if network.epoch else "",
            "storage": "sqlite:///vault.sqlite",
            "keys": "keys",
            "seal": "keyfile:seal.key",
            "background_cpu": BACKGROUND_CPU,
            "pool_target": POOL_TARGET,
            "pool_batch": POOL_BATCH,
            "pool_account_keys": POOL_ACCOUNT_KEYS,
            **self._settings,
            "thresholds": {"d": quorums.degree, "t": quorums.liars, "f": quorums.away},
            "committee": [
                {"name": row.name, "url": row.url, "identity": row.identity} for row in network.nodes.values()
            ],
            "chains": [msgspec.structs.asdict(ChainRow.of(chain)) for chain in network.chains],
        }
        path = directory / "node.toml"
        write_new(path, to_toml(values).encode(), draft=path.with_suffix(".draft"))

    def _check_shape(self, count: int | None, degree: int | None) -> None:
        quorums = Network.read(self._home.network_file).quorums
        if count not in (None, quorums.nodes) or degree not in (None, quorums.degree):
            raise Malformed(
                f"the network in {self._home.network} has {quorums.nodes} nodes of degree {quorums.degree}; "
                "for another one choose another QUORATE_HOME"
            )

    # --- starting ------------------------------------------------------------------------------------

    def _start(self, names: list[str]) -> dict[str, subprocess.Popen[bytes]]:
        started = {}
        for name in names:
            directory = self._directory(name)
            with (directory / "node.log").open("ab") as log:
                arguments = ["node", "run", "--config", str(directory / "node.toml")]
                started[name] = _child(arguments, log=log, directory=directory)
        return started

    def _wait(
        self, started: dict[str, subprocess.Popen[bytes]], urls: Mapping[str, str] | None = None
    ) -> None:
        network = Network.read(self._home.network_file)
        places = urls or {name: row.url for name, row in network.nodes.items()}
        ends = monotonic() + READY_SECONDS
        waiting = dict(started)
        while waiting:
            for name, child in list(waiting.items()):
                if child.poll() is not None:
                    raise Unavailable(f"{name} has ended; its log says: {_last_line(self._directory(name))}")
                if is_ready(places[name]):
                    del waiting[name]
            if waiting and monotonic() > ends:
                names = ", ".join(waiting)
                raise Unavailable(
                    f"{names} did not become ready in {READY_SECONDS:.0f} s; see node.log there"
                )
            if waiting:
                _PAUSE.wait(0.05)

    def _directory(self, name: str) -> Path:
        return self._home.network / name

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """One `up` or `down` at a time."""
        if not self._home.network.is_dir():
            raise Unavailable(f"there is no network in {self._home.path}; start one: quorate up")
        descriptor = os.open(self._home.network / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _tuned(directory: Path) -> dict[str, int | float]:
    """What an operator may have tuned in a node's configuration."""
    values = tomllib.loads((directory / "node.toml").read_text())
    return {name: values[name] for name in TUNED if name in values}


def _finish_erasing(directory: Path) -> None:
    """What a node that was left out was stopped in the middle of erasing is erased when its vault opens."""
    from quorate.node.config import load_config
    from quorate.node.identity import open_vault

    config = load_config(directory / "node.toml")
    open_vault(config.storage, config.keys, config.seal).close()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _is_free(port: int) -> bool:
    if port == NO_PORT:
        return False
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def is_ready(url: str, seconds: float = 1.0) -> bool:
    """Whether a node takes sessions now."""
    try:
        ask(f"{url}/v1/ready", seconds=seconds)
    except (Missing, Refused):
        return False
    return True


def _child(
    arguments: list[str], *, log: IO[bytes] | None = None, directory: Path | None = None
) -> subprocess.Popen[bytes]:
    """A process of this program, apart from the terminal: Ctrl-C is for the command, not for the nodes."""
    return subprocess.Popen(
        [sys.executable, "-m", "quorate.cli", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if log is None else log,
        stderr=subprocess.PIPE if log is None else log,
        cwd=directory,
        env={**os.environ, **_ONE_THREAD},
        start_new_session=True,
    )


def _send(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return


def _gone(node: NodeProcess, seconds: float) -> bool:
    ends = monotonic() + seconds
    while running_pid(node.directory) is not None:
        if monotonic() > ends:
            return False
        _PAUSE.wait(0.02)
    return True


def _last_line(directory: Path) -> str:
    lines = (directory / "node.log").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "nothing"
