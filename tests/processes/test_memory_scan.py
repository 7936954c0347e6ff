"""Stop every process of a wallet's life, and look for what none of them may hold.

Five nodes, a device and a backup run as processes of their own. They are stopped after the key was generated
and shared out, twice in the middle of a signature, and at the end. Only then does this test put the key
together from all shares, in its own process, and search theirs, and every file they have written: for the
key, its negative, the committee's common share, and every share of another party, in every form.

It shows what lay in memory at four moments, not what was there in between.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.processes.conftest import Machine
from tests.support.device_process import PASSWORD
from tests.support.scan import Search, children, forms, reason_to_skip, stopped

from quorate.device.backup import open_backup, read_header
from quorate.device.home import Home
from quorate.entropy import system_rng
from quorate.groups import SECP256K1, Scalar
from quorate.sharing.keyshare import KeyShare
from quorate.sharing.polynomial import interpolate
from quorate.vault import Vault
from quorate.vault.seals import KeyFileSeal

pytestmark = [
    pytest.mark.requires("memory"),
    pytest.mark.skipif(reason_to_skip() is not None, reason=reason_to_skip() or ""),
]

KEY, NEGATIVE = "the key", "the negative of the key"

Q = SECP256K1.order


@dataclass
class Lives:
    """A running network, a device's process with a home of its own, and what is known of the wallet's key."""

    machine: Machine
    home: Home
    device: subprocess.Popen[str]
    backup: Path
    known: dict[str, int] = field(default_factory=dict)

    def processes(self) -> dict[str, int]:
        """Every party's process. The backup's lives only while the wallet is made."""
        found = {node.name: node.pid for node in self.machine.network.nodes() if node.pid is not None}
        found["device"] = self.device.pid
        for child in children(self.device.pid):
            found["backup"] = child
        return found

    def reaches(self, place: str) -> dict[str, Any]:
        """Wait until the device halts there; gives what it tells."""
        assert self.device.stdout is not None
        line = self.device.stdout.readline()
        assert line, f"the device ended before: {place}"
        told: dict[str, Any] = json.loads(line)
        assert told["at"] == place
        return told

    def goes_on(self) -> None:
        assert self.device.stdin is not None
        self.device.stdin.write("\n")
        self.device.stdin.flush()

    def learn(self, room: Path) -> None:
        """Put together, from copies of all that lies on disk, what nobody may hold; adds it to `known`."""
        shutil.copytree(self.machine.home.network, room / "network")
        shutil.copytree(self.home.device, room / "device")
        key = read_header(self.backup).key
        backup = open_backup(self.backup, PASSWORD, system_rng).share
        nodes = {name: shares_in(room / "network" / name, key) for name in backup.structure.nodes}
        # The newest first: it gives the key, and the key the device's share in an older one.
        for epoch in sorted({epoch for found in nodes.values() for epoch in found}, reverse=True):
            shares = {name: found[epoch] for name, found in nodes.items()}
            self._learn_epoch(epoch, shares, backup if epoch == backup.epoch else None)
        for epoch, share in shares_in(room / "device", key).items():
            assert share.share.reveal().value == self.known[f"the share of device in epoch {epoch}"]

    def _learn_epoch(self, epoch: int, nodes: dict[str, KeyShare], backup: KeyShare | None) -> None:
        points = next(iter(nodes.values())).structure.nodes
        scalars = {points[name]: share.share.reveal() for name, share in nodes.items()}
        committee = interpolate(SECP256K1, scalars)
        if backup is not None:
            line = {1: committee, 3: backup.share.reveal()}
            self.known["the share of backup in epoch 1"] = backup.share.reveal().value
            self._learn_key(interpolate(SECP256K1, line), backup)
        for name, share in nodes.items():
            self.known[f"the share of {name} in epoch {epoch}"] = share.share.reveal().value
        self.known[f"the committee's common share in epoch {epoch}"] = committee.value
        key = SECP256K1.scalar(self.known[KEY])
        device = interpolate(SECP256K1, {0: key, 1: committee}, at=2)
        public = next(iter(nodes.values())).public_shares["device"]
        assert SECP256K1.generator.multiply(device) == public
        self.known[f"the share of device in epoch {epoch}"] = device.value

    def _learn_key(self, key: Scalar, share: KeyShare) -> None:
        assert SECP256K1.generator.multiply(key) == share.public_key
        assert self.known.setdefault(KEY, key.value) == key.value
        self.known[NEGATIVE] = Q - key.value


def shares_in(directory: Path, key: str) -> dict[int, KeyShare]:
    """The shares in a copied vault, by epoch. Opening changes the copy only."""
    seal = KeyFileSeal.load(directory / "seal.key", rng=system_rng)
    vault = Vault.open(f"sqlite:///{directory / 'vault.sqlite'}", directory / "keys", seal, rng=system_rng)
    try:
        return {
            epoch: KeyShare.from_bytes(vault.shares.get(key, epoch).reveal())
            for epoch, state in vault.shares.epochs(key).items()
            if state != "superseded"
        }
    finally:
        vault.close()


_PLANT = """
import base64, json, sys
seeds = json.loads(sys.stdin.readline())
print("ready", flush=True)
sys.stdin.readline()
kept = []
for form, (masked, mask) in seeds.items():
    value = int(masked, 16) ^ int(mask, 16)
    octets = value.to_bytes(32, "big")
    match form.split():
        case ["32", "bytes", "big-endian"]: kept.append(octets)
        case ["32", "bytes", "little-endian"]: kept.append(octets[::-1])
        case ["CPython", "digits"]: kept.append(value)
        case ["hex"]: kept.append(octets.hex())
        case ["HEX"]: kept.append(octets.hex().upper())
        case ["decimal"]: kept.append(str(value))
        case ["base64", "at", offset]: kept.append(base64.b64encode(b"x" * int(offset) + octets + b"yz"))
        case ["base64url", "at", offset]: kept.append(base64.urlsafe_b64encode(b"x" * int(offset) + octets))
    del value, octets
print("planted", flush=True)
sys.stdin.readline()
"""


def test_the_same_search_finds_a_share_planted_in_each_form(tmp_path: Path) -> None:
    """Each form has a value of its own, so that none is found by the trace another one left."""
    shares = {form: int.from_bytes(system_rng(32), "big") for form in forms(Q - 1)}
    masks = {form: int.from_bytes(system_rng(32), "big") for form in shares}
    search = Search(shares)
    child = subprocess.Popen(
        [sys.executable, "-c", _PLANT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        seeds = {form: (hex(share ^ masks[form]), hex(masks[form])) for form, share in shares.items()}
        for line, expected in ((json.dumps(seeds), "ready"), ("", "planted")):
            child.stdin.write(line + "\n")
            child.stdin.flush()
            assert child.stdout.readline().strip() == expected
            with stopped(child.pid):
                found = search.process(child.pid)
            wanted = {(form, form) for form in shares}
            assert found & wanted == (set() if expected == "ready" else wanted)
    finally:
        child.kill()
        child.wait()


def test_the_same_search_finds_a_share_in_a_file_in_each_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = 1 << 16
    monkeypatch.setattr("tests.support.scan.WINDOW", window)
    share = int.from_bytes(system_rng(32), "big")
    search = Search({"planted": share})
    for number, (form, needle) in enumerate(forms(share).items()):
        file = tmp_path / f"{number}"
        # Across the seam between two windows, and at an odd place.
        file.write_bytes(bytes(window - 7 - number) + needle + b"more")
        assert (str(file), "planted", form) in search.files(file)
        file.write_bytes(needle[:-1] + bytes([needle[-1] ^ 1]))
        assert search.files(file) == set()
        file.unlink()


@pytest.fixture
def lives(machine: Machine, tmp_path: Path) -> Iterator[Lives]:
    home = Home(tmp_path / "home").make()
    for file in (home.network_file, home.login_key):
        file.parent.mkdir(exist_ok=True, mode=0o700)
        shutil.copy(machine.home.path / file.relative_to(home.path), file)
    backup = home.path / "wallet.backup"
    arguments = [sys.executable, "-m", "tests.support.device_process", str(home.path), str(backup)]
    device = subprocess.Popen(
        arguments,
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield Lives(machine, home, device, backup)
    device.kill()
    device.wait()


def test_no_process_holds_the_key_or_two_shares_of_it(lives: Lives, tmp_path: Path) -> None:
    seen_own: set[str] = set()
    for place in ("refresh is over", "node ecdsa.presign.multiplication", "node ecdsa.answer", "signed"):
        if place.startswith("node ecdsa.presign"):
            lives.reaches("created")
            lives.goes_on()
        told = lives.reaches(place)
        processes = lives.processes()
        assert ("backup" in processes) == (place == "refresh is over")
        with stopped(*processes.values()):
            lives.learn(tmp_path / place)
            search = Search(lives.known)
            assert search.files(lives.machine.home.path, lives.home.path) == set(), place
            for party, pid in processes.items():
                found = search.process(pid)
                own = {label for label in found if label[0].startswith(f"the share of {party} in ")}
                assert found - own == set(), f"{party} at: {place}"
                if own and party in told.get("signers", ()):
                    seen_own.add(party)
        shutil.rmtree(tmp_path / place)
        lives.goes_on()
    # The key and its negative; in each of two epochs five nodes, the committee and the device; one backup.
    assert len(lives.known) == 2 + 2 * 7 + 1
    # The search is not blind: who takes part in a signature has its own share in hand, and that is found.
    assert len(seen_own) == 4, seen_own
