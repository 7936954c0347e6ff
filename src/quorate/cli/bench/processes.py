"""Over real processes on loopback, measured from the device: wallets, signatures, keys from the pool.

A local network of five nodes is started in a temporary home for the run and stopped after it. Cold means that
nothing was prepared for the signature; the OT setups with the nodes were made when the wallet was.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from quorate.account.authority import Evidence, make_entry, record_of
from quorate.account.register import Entry
from quorate.account.register.procedures import write
from quorate.cli import http
from quorate.cli.bench.harness import require
from quorate.cli.bench.report import Figures, WaitFigures, observed, percentile, waits
from quorate.cli.local_network import LocalNetwork
from quorate.clock import high_resolution
from quorate.device import Backup, Device
from quorate.device.assign import assign
from quorate.device.home import Home
from quorate.device.login import LocalIssuer
from quorate.device.network import Network
from quorate.device.register import AccountRegister
from quorate.entropy import system_rng
from quorate.errors import LocalError, Missing
from quorate.groups import SECP256K1

WARM_UP: int = 2
"""Signatures before the clock starts: libraries load, connections open."""

ASSIGN_BAR_MS: float = 50.0
"""What the median assignment of a pooled key may take."""

READ_BAR_MS: float = 20.0
WRITE_BAR_MS: float = 60.0
"""What the median read of an account's head, and the median new version of its record, may take."""

ED25519_BAR_MS: float = 60.0
"""What the median cold signature by a key on Ed25519 may take."""

REFILL_BAR: float = 1.5
"""How many times longer the slowest signature of a hundred may take while keys are made."""

MANY_KEYS: int = 5000
"""A pool of which a refill is under way all the time that is measured."""

FULL_SECONDS: float = 300.0
"""For the nodes to make the keys that a case needs."""


def create(runs: int) -> Figures:
    """``wallet/create``: a 2-of-3 wallet with its backup, from the call to the address."""

    async def measure() -> Figures:
        async with _device() as (device, home):

            async def once(index: int) -> None:
                await device.create_wallet("personal", _backup(home, f"bench-{index}"))

            await once(-1)
            return observed("wallet/create", [await _timed(once, index) for index in range(runs)])

    return asyncio.run(measure())


def cold_signature(runs: int) -> Figures:
    """``sign/processes-cold``: device and three nodes, two rounds and one message, nothing prepared."""

    async def measure() -> Figures:
        async with _device() as (device, home):
            wallet = await device.create_wallet("personal", _backup(home, "bench"))

            async def once(index: int) -> None:
                await wallet.sign_message(f"message {index}")

            for index in range(WARM_UP):
                await once(-index)
            seconds = [await _timed(once, index) for index in range(runs)]
            return observed("sign/processes-cold", seconds, rounds=3, hops=5)

    return asyncio.run(measure())


def cold_ed25519(runs: int) -> WaitFigures:
    """``sign/processes-ed25519``: a message of Solana by device and three nodes, nothing prepared."""

    async def measure() -> WaitFigures:
        from quorate.chains.solana import requests

        async with _device() as (device, home):
            wallet = await device.create_wallet("personal", _backup(home, "bench"), keys=["ed25519"])
            account = wallet.address_on(requests.MAINNET)

            async def once(index: int) -> None:
                await wallet.sign(requests.message(f"message {index}", account))

            for index in range(WARM_UP):
                await once(-index)
            seconds = [await _timed(once, index) for index in range(runs)]
            return waits("sign/processes-ed25519", seconds, bar="p50", bar_ms=ED25519_BAR_MS)

    return asyncio.run(measure())


def assignment(runs: int) -> WaitFigures:
    """``pool/assign``: a key of the pool for a new account, with its certificate; connections are open."""

    async def measure() -> WaitFigures:
        async with _device({"pool_target": runs + WARM_UP + 8, "pool_batch": 64}) as (device, home):
            await _until(home, lambda level: level["free"] >= runs + WARM_UP)

            async def once(index: int) -> None:
                grants = await assign(device.desk, SECP256K1, system_rng(32), 1, _silent)
                require(len(grants) == 1, "there is no certificate")

            seconds = []
            for index in range(-WARM_UP, runs):
                # an account may hold few unused keys, so each comes to another one
                issuer = LocalIssuer(device.network.name, Home(home).login_key, subject=f"person {index}")
                await device.log_in(issuer)
                taken = await _timed(once, index)
                seconds += [taken] if index >= 0 else []
            return waits("pool/assign", seconds, bar="p50", bar_ms=ASSIGN_BAR_MS)

    return asyncio.run(measure())


def reading(runs: int) -> WaitFigures:
    """``register/read``: the head of an account with a wallet, shown by an echo quorum."""

    async def once(register: AccountRegister) -> None:
        require(await register.head() is not None, "the account has no record")

    return _of_the_register("register/read", runs, once, READ_BAR_MS)


def writing(runs: int) -> WaitFigures:
    """``register/write``: a new version of the record, decided; it says what the one before said."""

    async def once(register: AccountRegister) -> None:
        identity, before = register.desk.identity, register.client.version
        operation = system_rng(16)

        def propose(head: Entry | None) -> Entry:
            if head is None:
                raise LocalError("the account has no record")
            nothing = Evidence(())
            return make_entry(head, record_of(head), nothing, operation, identity.public, identity.sign)

        await register.carrier.run(register.client, write(register.client, propose))
        require(register.client.version == before + 1, "there is no new version")

    return _of_the_register("register/write", runs, once, WRITE_BAR_MS)


def _of_the_register(
    case: str, runs: int, once: Callable[[AccountRegister], Awaitable[None]], bar_ms: float
) -> WaitFigures:
    async def measure() -> WaitFigures:
        async with _device() as (device, home):
            await device.create_wallet("personal", _backup(home, "bench"))
            register = await AccountRegister.open(device.desk)
            await register.head()

            async def timed(_: int) -> None:
                await once(register)

            seconds = [await _timed(timed, index) for index in range(-WARM_UP, runs)][WARM_UP:]
            await register.carrier.close()
            return waits(case, seconds, bar="p50", bar_ms=bar_ms)

    return asyncio.run(measure())


def signing_during_refill(runs: int) -> WaitFigures:
    """``sign/processes-refill``: cold signatures while keys are made. Its bar comes from as many without."""

    async def sign(device: Device, home: Path) -> list[float]:
        (wallet,) = await device.wallets()

        async def once(index: int) -> None:
            await wallet.sign_message(f"message {index}")

        for index in range(5 * WARM_UP):
            await once(-index)
        return [await _timed(once, index) for index in range(runs)]

    async def measure() -> WaitFigures:
        with tempfile.TemporaryDirectory(prefix="quorate-bench-") as directory:
            home = Path(directory)
            async with _running(home) as device:
                await device.create_wallet("personal", _backup(home, "bench"))
                await _until(home, lambda level: level["free"] >= level["target"])
                calm = await sign(device, home)
            async with _running(home, {"pool_target": MANY_KEYS}) as device:
                await _until(home, lambda level: level["coming"] > 0)
                busy = await sign(device, home)
                require(_is_at_work(await _levels(home)), "the refill was over before the signatures")
        bar = REFILL_BAR * 1000 * percentile(calm, 0.99)
        return waits("sign/processes-refill", busy, bar="p99", bar_ms=bar)

    return asyncio.run(measure())


def _is_at_work(levels: Mapping[str, list[dict[str, Any]]]) -> bool:
    """Whether the pool is still being filled; between two batches nothing comes for a moment."""
    return any(level["free"] < level["target"] for node in levels.values() for level in node)


async def _until(home: Path, enough: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until this holds of the pool of secp256k1 at every node. Raises `Missing` after some minutes."""
    ends = high_resolution() + FULL_SECONDS
    while not all(enough(node[0]) for node in (await _levels(home)).values()):
        if high_resolution() > ends:
            raise Missing("the nodes have not made the keys in time")
        await asyncio.sleep(0.2)


async def _levels(home: Path) -> dict[str, list[dict[str, Any]]]:
    """How full the pool is at each node, curve by curve."""
    network = Network.read(Home(home).network_file)

    def ask(url: str) -> list[dict[str, Any]]:
        levels: list[dict[str, Any]] = json.loads(http.ask(f"{url}/v1/pool"))["levels"]
        return levels

    return {name: await asyncio.to_thread(ask, row.url) for name, row in network.nodes.items()}


def _backup(home: Path, name: str) -> Backup:
    return Backup.to(home / f"{name}.backup", "a password for measuring")


async def _timed(once: Callable[[int], Awaitable[None]], index: int) -> float:
    begun = high_resolution()
    await once(index)
    return high_resolution() - begun


@asynccontextmanager
async def _device(
    settings: Mapping[str, int | float] | None = None,
) -> AsyncIterator[tuple[Device, Path]]:
    """A logged-in device on a fresh local network; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="quorate-bench-") as directory:
        async with _running(Path(directory), settings) as device:
            yield device, Path(directory)


@asynccontextmanager
async def _running(home: Path, settings: Mapping[str, int | float] | None = None) -> AsyncIterator[Device]:
    """The local network of a home directory, started for the block, and its device, logged in."""
    network = LocalNetwork(Home(home), settings=settings)
    try:
        await asyncio.to_thread(network.up, None, None, _silent)
        async with Device.open(home) as device:
            await device.log_in()
            await device.warm()
            yield device
    finally:
        await asyncio.to_thread(network.down)


def _silent(_: str) -> None:
    return None
