"""Wallets sign in a loop while five node processes become seven and one of the old ones is removed.

Then it is looked for what is left of the past: in the processes' memory, in their files, and in the copies of
their databases that were made the day before, with the data keys of today.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.scan import Search, reason_to_skip, stopped

from quorate.cli.local_network import LocalNetwork
from quorate.device import Device
from quorate.device.home import VARIABLE, Home
from quorate.device.wallet import Wallet
from quorate.entropy import system_rng
from quorate.errors import Unavailable
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.keyshare import KeyShare
from quorate.vault import KeyFileSeal, Vault

WALLETS_OF_A_DEVICE = 50
LONGEST_SIGNATURE = 30.0
"""Seconds, tries and all, on a machine that runs twelve processes on two cores."""


@dataclass
class Site:
    """A network of its own, since it becomes another one."""

    home: Home
    network: LocalNetwork
    copies: Path
    values: dict[str, int] = field(default_factory=dict)
    stocked: set[tuple[str, str, int]] = field(default_factory=set)
    """Party, curve and number of each batch that had unassigned keys in the copied epoch."""

    def rooms(self) -> dict[str, Path]:
        return {path.name: path for path in sorted(self.home.network.glob("node*")) if path.is_dir()}

    def copy(self, name: str) -> None:
        for party, room in self.rooms().items():
            shutil.copytree(room, self.copies / name / party)

    def opened(self, copied: str, keys: str, party: str, to: Path) -> Vault:
        """A vault of the database in one copy and the data keys in another."""
        shutil.copytree(self.copies / copied / party, to, ignore=shutil.ignore_patterns("keys"))
        shutil.copytree(self.copies / keys / party / "keys", to / "keys")
        seal = KeyFileSeal.load(to / "seal.key", rng=system_rng)
        return Vault.open(f"sqlite:///{to / 'vault.sqlite'}", to / "keys", seal, rng=system_rng)

    def learn(self, room: Path) -> None:
        """All shares of the copied epoch, of wallets and of the pool."""
        for party in (path.name for path in sorted((self.copies / "before").iterdir())):
            vault = self.opened("before", "before", party, room / f"{party}-old")
            held = vault.shares.keys()
            for key in held:
                share = KeyShare.from_bytes(vault.shares.get(key).reveal())
                self.values[f"{key[:8]} of {party}"] = share.share.reveal().value
            for batch in vault.pool.batches():
                for at, part in vault.pool.live_parts(batch.curve, batch.number, 0).items():
                    self.stocked.add((party, batch.curve, batch.number))
                    own = GeneratedKey.from_bytes(part.reveal()).share.reveal().value
                    self.values[f"{batch.curve} {batch.number}/{at} of {party}"] = own
            vault.close()


@pytest.fixture
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    home = Home(tmp_path / "home")
    wallets = request.node.callspec.params["wallets"]
    settings = {
        "background_cpu": 0.4,
        "pool_target": max(4, wallets),
        "pool_batch": max(4, wallets),
        "pool_account_keys": 1000,
        "restart_gap": 1.0 if wallets < 10 else 10.0,
    }
    network = LocalNetwork(home, settings=settings)
    network.up(None, None, lambda _: None)
    yield Site(home, network, tmp_path / "copies")
    network.down()


@pytest.mark.parametrize("wallets", [2, pytest.param(200, marks=pytest.mark.long)])
@pytest.mark.timeout(3600)
async def test_five_nodes_become_seven_while_wallets_sign(site: Site, tmp_path: Path, wallets: int) -> None:
    async with AsyncExitStack() as stack:
        owned = await made(site, stack, tmp_path, wallets)
        addresses = [wallet.address for wallet in owned]
        for wallet in owned[:2]:
            await wallet.sign_message("before")
        site.copy("before")
        changing = asyncio.create_task(changed(site, "replace", "--add", "3", "--remove", "node1"))
        longest, signatures = 0.0, 0
        while not changing.done():
            begun = time.monotonic()
            await owned[signatures % wallets].sign_message(f"number {signatures}")
            longest, signatures = max(longest, time.monotonic() - begun), signatures + 1
        outcome = await changing
        assert outcome["epoch"] == 1
        assert_tuned_alike(site)
        assert (outcome["stopped"], len(outcome["nodes"])) == (["node1"], 7)
        assert signatures >= 2
        assert longest < LONGEST_SIGNATURE
        for wallet in owned:
            await wallet.sign_message("after")
        assert [wallet.address for wallet in owned] == addresses
        assert all(wallet.show().nodes == tuple(outcome["nodes"]) for wallet in owned)
        await all_started_anew(site, tuple(outcome["nodes"]))
    site.learn(tmp_path)
    assert len(site.values) >= 5 * (wallets + 1)
    search = Search(site.values)
    if reason_to_skip() is None:
        for node in site.network.nodes():
            assert node.pid is not None
            with stopped(node.pid):
                assert search.process(node.pid) == set(), node.name
    site.network.down()
    # databases with their logs, and what the nodes have said; data keys are random bytes of their own
    written = [path for room in site.rooms().values() for path in room.iterdir() if path.is_file()]
    assert {path.name for path in written} >= {"vault.sqlite", "node.log"}
    assert search.files(*written) == set()
    site.copy("after")
    for party in (path.name for path in sorted((site.copies / "before").iterdir())):
        mixed = site.opened("before", "after", party, tmp_path / f"{party}-mixed")
        keys = mixed.shares.keys()
        assert len(keys) == wallets
        for key in keys:
            with pytest.raises(Unavailable):
                mixed.shares.get(key)
        stocked = {(curve, number) for name, curve, number in site.stocked if name == party}
        assert stocked
        for curve, number in stocked:
            with pytest.raises(Unavailable):
                mixed.pool.live_parts(curve, number, 0)
        mixed.close()


async def made(site: Site, stack: AsyncExitStack, tmp_path: Path, count: int) -> list[Wallet]:
    """So many wallets, of as few people as may have them."""
    found: list[Wallet] = []
    for number in range(-(-count // WALLETS_OF_A_DEVICE)):
        home = Home(tmp_path / f"device{number}")
        home.make().network.mkdir(mode=0o700)
        for file in (site.home.network_file, site.home.login_key):
            shutil.copy(file, home.network / file.name)
        device = await stack.enter_async_context(Device.open(home.path))
        device._issuer = type(device._issuer)(  # type: ignore[misc,call-arg]
            device.network.name, home.login_key, subject=f"person {number}"
        )
        await device.log_in()
        for at in range(min(WALLETS_OF_A_DEVICE, count - len(found))):
            found.append(await device.create_wallet("server", label=f"{number}/{at}"))
    return found


async def changed(site: Site, *arguments: str) -> dict[str, object]:
    command = [sys.executable, "-m", "quorate.cli", "committee", *arguments, "--json"]
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, VARIABLE: str(site.home.path)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, out.decode() + err.decode()
    found: dict[str, object] = json.loads(out)
    return found


def assert_tuned_alike(site: Site) -> None:
    """Nodes that were made by the command have the settings of those that were there."""
    found = [tomllib.loads((room / "node.toml").read_text()) for room in site.rooms().values()]
    assert len({(one["restart_gap"], one["pool_target"], one["background_cpu"]) for one in found}) == 1


async def all_started_anew(site: Site, names: tuple[str, ...]) -> None:
    """Every node's process has replaced itself, and is ready again."""
    from quorate.cli.local_network import is_ready

    ends = time.monotonic() + 240
    waiting = set(names)
    while waiting:
        assert time.monotonic() < ends, f"not started anew: {sorted(waiting)}"
        await asyncio.sleep(0.5)
        for node in site.network.nodes():
            lines = node.log.read_text().splitlines()
            forgot = [i for i, line in enumerate(lines) if '"event":"forgetting"' in line]
            again = any('"event":"starting"' in line for line in lines[forgot[-1] :]) if forgot else False
            if again and await asyncio.to_thread(is_ready, node.url):
                waiting.discard(node.name)
