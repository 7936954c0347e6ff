"""The demonstration, whole, and what its output may say."""

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

FORBIDDEN = ("epoch", "presignature", "committee", "seal")


@cache
def demo(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "quorate.cli", "demo", *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
    )


def test_as_data_it_says_what_was_accepted() -> None:
    ran = demo("--json", "--explain")
    assert ran.returncode == 0, ran.stderr
    data = json.loads(ran.stdout)
    assert re.fullmatch(r"0x[0-9a-fA-F]{40}", data["address"])
    assert re.fullmatch(r"0x[0-9a-f]{64}", data["transaction_hash"])
    assert data["accepted"] is True
    assert int(data["moved"]) == 10**17
    assert data["seconds"] > 0
    assert data["after_loss"]["accepted"] is True


def test_explained_it_tells_who_sent_what_and_signs_without_the_killed_node() -> None:
    told = demo("--json", "--explain").stderr
    assert "device, node1, node2, node3 → each other: begins a multiplication" in told
    assert "backup" in told
    again = told.split("Signing:")[2]
    assert "taking part: device, node2, node3, node4" in again
    assert "node1" not in again


def test_plainly_it_ends_with_address_hash_and_verdict_and_uses_plain_words() -> None:
    ran = demo()
    assert ran.returncode == 0, ran.stderr
    address, transaction, verdict, _ = ran.stdout.strip().splitlines()[-4:]
    assert re.fullmatch(r"address:     0x[0-9a-fA-F]{40}", address)
    assert re.fullmatch(r"transaction: 0x[0-9a-f]{64}", transaction)
    assert verdict.startswith("accepted: the EVM moved 0.1 ETH")
    everything = (ran.stdout + ran.stderr).lower()
    assert not [word for word in FORBIDDEN if word in everything]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at processes as Linux shows them")
def test_it_leaves_no_process_behind() -> None:
    demo()
    command_lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [line for line in command_lines if b"quorate-demo-" in line]
