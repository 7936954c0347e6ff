"""The small parts of the command line: amounts, chains, errors, progress, explanations."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import pytest

from quorate.cli import failures
from quorate.cli.explain import _MESSAGES, Explainer
from quorate.cli.local_network import LocalNetwork
from quorate.cli.sign_commands import _row, caip2, wei
from quorate.cli.terminal import Progress, Terminal
from quorate.cli.wallet_commands import _places
from quorate.device.gather import TooFewNodes
from quorate.device.home import VARIABLE, Home
from quorate.device.sessions import Closed, Opened
from quorate.errors import (
    Abort,
    Blame,
    LocalError,
    Malformed,
    QuorateError,
    Refused,
    Remedy,
    Suspicion,
    Unavailable,
)
from quorate.schemes.ecdsa import ONLINE, SIGN
from quorate.session import tag_of
from quorate.sharing import formation, refresh
from quorate.transport.hub import Carried


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", 0),
        ("12", 12),
        ("0.1ether", 10**17),
        ("1 ETH", 10**18),
        ("5gwei", 5 * 10**9),
        ("7wei", 7),
        ("1e3", 1000),
    ],
)
def test_amounts_are_exact(text: str, amount: int) -> None:
    assert wei(text) == amount


@pytest.mark.parametrize(
    "text", ["", "-1", "0.5", "0.1wei", "1e-19ether", "ten", "nan", "inf", "1e90ether", "1 usd"]
)
def test_what_is_no_amount_is_said_to_be_none(text: str) -> None:
    with pytest.raises(Malformed, match="whole number of wei"):
        wei(text)


def test_chains_are_named_by_number_or_whole() -> None:
    assert caip2("8453") == caip2("eip155:8453") == "eip155:8453"
    for text in ("base", "eip155:", "solana:1", "eip155:x"):
        with pytest.raises(Malformed):
            caip2(text)


@pytest.mark.parametrize("chain", [137, "0x89"])
def test_a_file_names_its_chain_as_json_rpc_does(chain: object) -> None:
    wallet = SimpleNamespace(chain=lambda name: name)
    assert _row(wallet, {"chainId": chain}) == "eip155:137"  # type: ignore[arg-type, comparison-overlap]
    with pytest.raises(Malformed, match="chainId"):
        _row(wallet, {"chainId": "mainnet"})  # type: ignore[arg-type]


def test_backups_are_given_by_name_or_as_the_only_one() -> None:
    assert _places("personal", ["a.backup"]) == {"backup": Path("a.backup")}
    assert _places("x", ["phone=a", "dir=x/b=c"]) == {"phone": Path("a"), "dir": Path("x/b=c")}
    assert _places("x", ["backup-1=a"]) == {"backup-1": Path("a")}
    assert _places("x", ["./a=b"]) == {"backup": Path("./a=b")}
    with pytest.raises(LocalError, match="--backup-file"):
        _places("personal", [])


CASES: list[tuple[QuorateError, int, str]] = [
    (Refused("log in", code="login"), 4, "quorate login"),
    (Refused("no", code="policy"), 4, "whoever runs the nodes"),
    (Refused("none left", code="pool-empty"), 4, "in a moment"),
    (Refused("too many", code="pool-day"), 4, "tomorrow"),
    (TooFewNodes("few", parties=["node1"], needed=1), 5, "quorate up"),
    (Blame("liar", parties=["node1"]), 6, "node1"),
    (Suspicion("pair", parties=["node1"], leak_bearing=True), 6, "quorate login"),
    (Abort("over"), 6, "repeat"),
    (LocalError("busy", remedy=Remedy.RETRY), 3, "repeat"),
    (Unavailable("file missing"), 3, ""),
]


@pytest.mark.parametrize(("error", "code", "step"), CASES, ids=lambda case: type(case).__name__)
def test_every_error_has_a_code_and_says_what_to_do(
    error: QuorateError, code: int, step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failures.code_of(error) == code
    if step != "node1":
        assert step in failures.next_step(error)
    failures.tell(error, as_json=True)
    said = json.loads(capsys.readouterr().out)["error"]
    assert (said["message"], said["exit_code"]) == (str(error), code)
    failures.tell(error, as_json=False)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert str(error) in captured.err


def test_a_mistake_of_ours_shows_no_traceback_and_names_the_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a value from inside")

    monkeypatch.setattr("quorate.cli.app.app", broken)
    assert failures.run(["up"]) == 1
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert "a value from inside" not in said.err
    path = Path(next(word.rstrip(";,") for word in said.err.split() if "quorate-" in word))
    assert "ZeroDivisionError" in path.read_text()
    path.unlink()


def test_what_is_not_understood_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert failures.run(["fly"]) == 2
    assert failures.run(["up", "--nodes", "many"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    from quorate import __version__

    assert failures.run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_the_home_is_the_named_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert Home.default().path == tmp_path
    monkeypatch.delenv(VARIABLE)
    assert Home.default().path.name == "quorate"


def test_progress_is_silent_for_a_second_and_then_speaks_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Terminal().progress("working"):
        pass
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("quorate.cli.terminal.QUIET_SECONDS", 0.0)
    shown = Progress("working")
    shown._timer.join()
    shown("finishing")
    shown.stop()
    captured = capsys.readouterr()
    assert captured.err == "working …\nfinishing …\n"
    assert captured.out == ""


def test_a_result_is_one_json_document_or_lines(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(as_json=True).result({"a": 1}, "a line")
    assert json.loads(capsys.readouterr().out) == {"a": 1}
    Terminal().result({"a": 1}, "a line")
    assert capsys.readouterr().out == "a line\n"


@pytest.mark.parametrize(("nodes", "degree"), [(0, 0), (31, 2), (5, 5), (3, -1)])
def test_a_network_that_cannot_be_is_refused_before_anything_is_made(
    nodes: int, degree: int, tmp_path: Path
) -> None:
    network = LocalNetwork(Home(tmp_path / "home"))
    with pytest.raises(Malformed):
        network.up(nodes, degree, lambda _: None)
    assert not network.exists


def test_explanations_name_every_kind_of_message_and_tell_rounds_together() -> None:
    for declaration in (formation.DECLARATION, refresh.DECLARATION, SIGN, ONLINE):
        for rule in declaration.rules:
            assert tag_of(rule.kind) in _MESSAGES, tag_of(rule.kind)
    lines: list[str] = []
    explain: Callable[..., None] = Explainer(lines.append)
    explain(Opened("ecdsa.online", ("device", "node1", "node2")))
    explain(Carried("", "ecdsa.answer", "node1", "device", 300))
    explain(Carried("", "ecdsa.answer", "node2", "device", 300))
    explain(Closed("ecdsa.online", ("device", "node1", "node2")))
    told = "\n".join(lines)
    assert "node1, node2 → device" in told
    assert "2 envelopes, 600 bytes" in told
    assert "it is sent to nobody" in told


def test_bounds_of_a_validators_duties_reach_the_wallet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[object] = []

    class Wallets:
        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_: object) -> None:
            return None

        async def wallet(self, which: str | None) -> Self:
            given.append(which)
            return self

        async def set_duty_bounds(self, *bounds: object) -> None:
            given.extend(bounds)

    monkeypatch.setattr("quorate.device.Device.open", Wallets)
    command = ["wallet", "duty-bounds", "--slot", "7", "--epoch", "3", "--json", "--network"]
    assert failures.run([*command, "0x" + "ab" * 32]) == 0
    assert given == [None, b"\xab" * 32, 7, 3]
    assert json.loads(capsys.readouterr().out) == {"slot": 7, "epoch": 3}
    assert failures.run([*command, "0xab"]) != 0
    assert "64 hexadecimal digits" in "".join(capsys.readouterr())
