"""A person's day on the command line, over real processes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from tests.processes.conftest import Machine

from quorate.device.backup import read_header
from quorate.device.home import VARIABLE
from quorate.vault.files import PRIVATE_FILE

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "first_wallet.py"
TRANSFER = ["--to", "0x1111111111111111111111111111111111111111", "--value", "0.1ether", "--nonce", "0"]
FEES = ["--gas", "21000", "--max-fee", "10gwei", "--priority-fee", "1gwei"]

Signs = Callable[[str], None]


def test_a_second_up_says_that_one_runs(machine: Machine) -> None:
    before = {node.pid for node in machine.network.nodes()}
    ran = machine.quorate("up")
    assert ran.code == 0
    assert "runs already" in ran.out
    assert {node.pid for node in machine.network.nodes()} == before
    again = machine.quorate("up", "--json").data
    assert again["started"] is False
    assert len(again["nodes"]) == 5


def test_a_network_of_another_shape_wants_another_home(machine: Machine) -> None:
    ran = machine.quorate("up", "--nodes", "3")
    assert ran.code == 3
    assert "5 nodes of degree 2" in ran.err


def test_the_home_is_its_owners_alone(machine: Machine) -> None:
    assert machine.home.path.stat().st_mode & 0o077 == 0
    assert machine.home.login_key.stat().st_mode & 0o777 == PRIVATE_FILE


def test_wallets_are_listed_and_shown_with_the_losses_they_survive(
    machine: Machine, addresses: dict[str, str]
) -> None:
    listed = machine.quorate("wallet", "list", "--json").data
    assert {addresses["personal"], addresses["server"]} <= {one["address"] for one in listed["wallets"]}
    shown = machine.quorate("wallet", "show", "mine")
    assert addresses["personal"] in shown.out
    assert "survives the loss of any one of: the device, the backup or the whole service" in shown.out
    server = machine.quorate("wallet", "show", addresses["server"], "--json").data
    assert "device is needed for every signature" in server["survives"]


def test_with_several_wallets_one_must_be_named(machine: Machine, addresses: dict[str, str]) -> None:
    ran = machine.quorate("wallet", "show")
    assert ran.code == 3
    assert addresses["personal"] in ran.err
    assert addresses["server"] in ran.err


def test_both_wallets_sign(addresses: dict[str, str], signs: Signs) -> None:
    signs(addresses["personal"])
    signs(addresses["server"])


def test_a_transaction_is_previewed_and_not_signed_unasked(
    machine: Machine, addresses: dict[str, str]
) -> None:
    command = ["sign", "ethereum", *TRANSFER, *FEES, "--chain", "10", "--wallet", "mine"]
    ran = machine.quorate(*command)
    assert ran.code == 3
    assert "Amount         0.1 ETH" in ran.err
    assert "--yes" in ran.err
    assert ran.out == ""
    signed = machine.quorate(*command, "--yes", "--json")
    assert signed.code == 0
    assert signed.data["signed"].startswith("0x02")


def test_a_person_is_asked_and_may_say_no(
    machine: Machine, addresses: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answers(said: bool) -> Callable[..., bool]:
        def confirm(question: str, **_: object) -> bool:
            asked.append(question)
            return said

        return confirm

    command = ["sign", "message", "hello", "--wallet", "mine"]
    monkeypatch.setattr("typer.confirm", answers(False))
    ran = machine.quorate(*command, at_terminal=True)
    assert (ran.code, ran.out) == (4, "")
    assert "not approved" in ran.err
    monkeypatch.setattr("typer.confirm", answers(True))
    assert machine.quorate(*command, at_terminal=True).code == 0
    assert asked == ["Sign this?"] * 2


def test_a_transaction_file_and_typed_data_are_signed(
    machine: Machine, addresses: dict[str, str], tmp_path: Path
) -> None:
    transaction = tmp_path / "transaction.json"
    fields = {"to": "0x" + "11" * 20, "value": 1, "nonce": 7, "gas": 21000, "gasPrice": 10**9, "chainId": 137}
    transaction.write_text(json.dumps(fields))
    assert machine.quorate("sign", "ethereum", str(transaction), "--wallet", "mine", "--yes").code == 0
    document = tmp_path / "typed.json"
    types = {
        "EIP712Domain": [{"name": "chainId", "type": "uint256"}],
        "Vote": [{"name": "for", "type": "bool"}],
    }
    typed = {"types": types, "primaryType": "Vote", "domain": {"chainId": 1}, "message": {"for": True}}
    document.write_text(json.dumps(typed))
    ran = machine.quorate("sign", "typed-data", str(document), "--wallet", "mine", "--yes", "--json")
    assert ran.code == 0, ran.err


def test_what_is_missing_in_a_transaction_is_named(machine: Machine, addresses: dict[str, str]) -> None:
    ran = machine.quorate("sign", "ethereum", *TRANSFER, "--wallet", "mine", "--yes")
    assert ran.code == 3
    assert "gas" in ran.err
    assert "Traceback" not in ran.err


def test_a_chain_nobody_knows_is_refused_before_anybody_is_asked(
    machine: Machine, addresses: dict[str, str]
) -> None:
    ran = machine.quorate("sign", "message", "x", "--chain", "999", "--wallet", "mine", "--yes", "--json")
    assert ran.code == 4
    assert ran.data["error"]["code"] == "unknown-chain"
    assert ran.data["error"]["next"]


def test_explain_tells_who_sent_what_to_whom(machine: Machine, addresses: dict[str, str]) -> None:
    ran = machine.quorate("sign", "message", "x", "--wallet", "mine", "--yes", "--explain")
    assert ran.code == 0
    assert "taking part: device, node" in ran.err
    assert "ecdsa.answer" in ran.err
    assert "it is sent to nobody" in ran.err


def test_a_backup_never_replaces_a_file_and_needs_a_password(
    machine: Machine, addresses: dict[str, str], password_file: Path, tmp_path: Path
) -> None:
    standing = ["--backup-file", addresses["backup"], "--password-file", str(password_file)]
    before = Path(addresses["backup"]).read_bytes()
    ran = machine.quorate("wallet", "create", *standing)
    assert ran.code == 3
    assert "exists already" in ran.err
    assert Path(addresses["backup"]).read_bytes() == before
    ran = machine.quorate("wallet", "create", "--backup-file", str(tmp_path / "b"))
    assert ran.code == 3
    assert "--password-file" in ran.err
    short = tmp_path / "short"
    short.write_text("1234")
    ran = machine.quorate(
        "wallet", "create", "--backup-file", str(tmp_path / "b"), "--password-file", str(short)
    )
    assert ran.code == 3
    assert "8 characters" in ran.err
    assert machine.quorate("wallet", "create").code == 3


def test_a_backup_file_is_private_and_says_what_it_is(addresses: dict[str, str]) -> None:
    path = Path(addresses["backup"])
    assert path.stat().st_mode & 0o777 == PRIVATE_FILE
    header = read_header(path)
    assert (header.factor, header.epoch) == ("backup", 1)


def test_signing_goes_on_when_a_node_is_killed(
    machine: Machine, addresses: dict[str, str], signs: Signs
) -> None:
    machine.kill("node1")
    signs(addresses["personal"])
    signs(addresses["server"])


def test_with_three_of_five_dead_it_says_which_are_missing_and_how_many_it_needs(
    machine: Machine, addresses: dict[str, str]
) -> None:
    machine.kill("node2", "node3", "node5")
    ran = machine.quorate("sign", "message", "x", "--wallet", "mine", "--yes")
    assert ran.code == 5
    assert "3 of the 5 nodes are needed to sign and 2 answer; missing: node2, node3, node5" in ran.err
    assert "quorate up" in ran.err
    as_json = machine.quorate("sign", "message", "x", "--wallet", "mine", "--yes", "--json")
    error = as_json.data["error"]
    assert (error["parties"], error["needed"]) == (["node2", "node3", "node5"], 1)
    assert "not running: node2, node3, node5" in machine.quorate("doctor").out


def test_a_wallet_is_made_with_one_node_down_and_none_with_two(
    machine: Machine, addresses: dict[str, str], signs: Signs
) -> None:
    machine.kill("node4")
    ran = machine.quorate("wallet", "create", "--preset", "server", "--json")
    assert ran.code == 0, ran.out
    signs(ran.data["address"])
    machine.kill("node2")
    ran = machine.quorate("wallet", "create", "--preset", "server", "--json")
    assert ran.code == 5
    assert ran.data["error"]["parties"] == ["node2", "node4"]


def test_after_down_and_up_every_wallet_still_signs(
    machine: Machine, addresses: dict[str, str], signs: Signs
) -> None:
    assert machine.quorate("down").code == 0
    assert all(node.pid is None for node in machine.network.nodes())
    assert "no node was running" in machine.quorate("down").out
    assert machine.quorate("sign", "message", "x", "--wallet", "mine", "--yes").code == 5
    ran = machine.quorate("up", "--json")
    assert ran.code == 0
    assert ran.data["started"] is True
    signs(addresses["personal"])
    signs(addresses["server"])


def test_doctor_finds_nothing_wrong_and_login_renews(machine: Machine, addresses: dict[str, str]) -> None:
    assert machine.quorate("login", "--json").data["subject"] == "me"
    ran = machine.quorate("doctor", "--json")
    assert ran.code == 0, ran.out
    assert ran.data["healthy"] is True
    other = machine.quorate("login", "--as", "somebody-else")
    assert other.code == 3
    assert "another home directory" in other.err


def test_one_node_and_a_device_are_a_network_too(
    machine: Machine, tmp_path: Path, password_file: Path
) -> None:
    home = tmp_path / "small"
    assert machine.quorate("up", "--nodes", "1", home=home).code == 0
    try:
        files = ["--backup-file", str(tmp_path / "backup"), "--password-file", str(password_file)]
        made = machine.quorate("wallet", "create", *files, "--json", home=home)
        assert made.code == 0, made.err
        assert "1 of (node1)" in made.data["structure"]
        assert machine.quorate("sign", "message", "x", "--yes", home=home).code == 0
    finally:
        assert machine.quorate("down", home=home).code == 0


def test_a_machine_without_a_network_says_what_to_do(machine: Machine, tmp_path: Path) -> None:
    for command in (["wallet", "list"], ["down"], ["network"], ["sign", "message", "x"], ["login"]):
        ran = machine.quorate(*command, home=tmp_path / "empty")
        assert ran.code == 3, command
        assert "quorate up" in ran.err
        assert "Traceback" not in ran.err
    assert machine.quorate("doctor", home=tmp_path / "empty").code == 3


def test_the_example_has_at_most_ten_lines_and_works(machine: Machine) -> None:
    lines = EXAMPLE.read_text().splitlines()
    assert len(lines) <= 10
    forbidden = ("key", "share", "threshold", "crypto", "ecdsa", "mpc", "secret", "hash", "nonce")
    assert not [word for word in forbidden if word in EXAMPLE.read_text().lower()]
    ran = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        env={**os.environ, VARIABLE: str(machine.home.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    address, signature = ran.stdout.split()
    message = encode_defunct(text="Hello from a wallet that nobody can take alone")
    assert Account.recover_message(message, signature=bytes.fromhex(signature)) == address
