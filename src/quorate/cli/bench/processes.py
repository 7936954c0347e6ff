"""Over real processes on loopback, measured from the device: creating a wallet, and a cold signature.

A local network of five nodes is started in a temporary home for the run and stopped after it. Cold means that
nothing was prepared for the signature; the OT setups with the nodes were made when the wallet was.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from quorate.cli.bench.report import Figures, observed
from quorate.cli.local_network import LocalNetwork
from quorate.clock import high_resolution
from quorate.device import Backup, Device
from quorate.device.home import Home

WARM_UP: int = 2
"""Signatures before the clock starts: libraries load, connections open."""


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


def _backup(home: Path, name: str) -> Backup:
    return Backup.to(home / f"{name}.backup", "a password for measuring")


async def _timed(once: Callable[[int], Awaitable[None]], index: int) -> float:
    begun = high_resolution()
    await once(index)
    return high_resolution() - begun


@asynccontextmanager
async def _device() -> AsyncIterator[tuple[Device, Path]]:
    """A logged-in device on a fresh local network; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="quorate-bench-") as directory:
        home = Home(Path(directory))
        network = LocalNetwork(home)
        try:
            await asyncio.to_thread(network.up, None, None, lambda _: None)
            async with Device.open(home.path) as device:
                await device.log_in()
                await device.warm()
                yield device, home.path
        finally:
            await asyncio.to_thread(network.down)
