"""What docs/cli.md quotes is what is printed, and every command stands there."""

import contextlib
import io
import re
from pathlib import Path

import pytest
import typer

from quorate.cli.app import app
from quorate.cli.failures import run

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "cli.md").read_text()
QUOTED = dict(re.findall(r"```console\n\$ quorate ?(.*?) ?--help\n(.*?)\n```", PAGE, re.DOTALL))


def printed(arguments: list[str]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert run(arguments) == 0
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).strip()


@pytest.mark.parametrize("command", QUOTED, ids=lambda command: command or "quorate")
def test_the_page_quotes_the_help_as_it_is(command: str) -> None:
    assert printed([*command.split(), "--help"]) == QUOTED[command]


def test_every_command_is_on_the_page() -> None:
    root = typer.main.get_command(app)
    names = {""}
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        names.add(name)
        names |= {f"{name} {inner}" for inner in getattr(command, "commands", {})}
    assert names - {"bench"} <= set(QUOTED)


def test_help_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = printed(["up", "--help"])
    monkeypatch.setenv("COLUMNS", "40")
    assert printed(["up", "--help"]) == wide


def test_help_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    heavy = "numpy aiohttp litestar cryptography rich nacl eth_account"
    code = (
        "import sys; from quorate.cli.failures import run; run(['--help']);"
        f"print([name for name in {heavy.split()!r} if name in sys.modules], file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stderr.strip() == "[]"
