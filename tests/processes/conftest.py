"""One network of real node processes for all tests here; each test begins with all of its nodes running."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from quorate.cli.failures import run
from quorate.cli.local_network import LocalNetwork
from quorate.device.home import VARIABLE, Home

PASSWORD = "a password of the test"


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Machine:
    """A home directory with its network."""

    home: Home

    @property
    def network(self) -> LocalNetwork:
        return LocalNetwork(self.home)

    def quorate(self, *arguments: str, home: Path | None = None, at_terminal: bool = False) -> Ran:
        """Run one command line, by default as without a terminal; in this process, which saves seconds."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(VARIABLE, str(home or self.home.path))
            patch.setattr(sys, "stdin", _Terminal() if at_terminal else io.StringIO())
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run(arguments)
        return Ran(code, out.getvalue(), err.getvalue())

    def process(self, *arguments: str) -> Ran:
        """The same in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "quorate.cli", *arguments],
            env={**os.environ, VARIABLE: str(self.home.path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def kill(self, *names: str) -> None:
        """kill -9, as a power cut would."""
        for node in self.network.nodes():
            if node.name in names and node.pid is not None:
                os.kill(node.pid, signal.SIGKILL)

    def all_up(self) -> None:
        """Bring back what was killed."""
        self.network.up(None, None, lambda _: None)


STARTED: list[Machine] = []


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(Home(tmp_path_factory.mktemp("machine") / "home"))
    machine.all_up()
    STARTED.append(machine)
    yield machine
    machine.network.down()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Nodes work ahead for minutes. After the last test here they leave the cores to the other tests."""
    here = Path(__file__).parent
    if nextitem is None or here not in nextitem.path.parents:
        for machine in STARTED:
            machine.network.down()


@pytest.fixture
def machine(running: Machine) -> Machine:
    running.all_up()
    return running


@pytest.fixture(scope="session")
def password_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secrets") / "password"
    path.write_text(PASSWORD + "\n")
    return path


@pytest.fixture(scope="session")
def addresses(
    running: Machine, password_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """A personal and a server wallet, made on the command line; by preset."""
    backup = tmp_path_factory.mktemp("backup") / "wallet.backup"
    running.all_up()
    files = ["--backup-file", str(backup), "--password-file", str(password_file)]
    personal = running.process("wallet", "create", "--label", "mine", *files, "--json")
    assert personal.code == 0, personal.err
    server = running.quorate("wallet", "create", "--preset", "server", "--json")
    assert server.code == 0, server.err
    return {"personal": personal.data["address"], "server": server.data["address"], "backup": str(backup)}


@pytest.fixture
def signs(machine: Machine) -> Callable[[str], None]:
    """Asserts that a wallet signs a message, and that an Ethereum library finds its address in the result."""

    def check(address: str) -> None:
        from eth_account import Account
        from eth_account.messages import encode_defunct

        ran = machine.quorate("sign", "message", "hello", "--wallet", address, "--yes", "--json")
        assert ran.code == 0, ran.out + ran.err
        recovered = Account.recover_message(encode_defunct(text="hello"), signature=ran.data["signed"])
        assert recovered == address

    return check
