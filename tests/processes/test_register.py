"""The register between a device and five processes: what is written is read, also while a node is away."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from tests.processes.conftest import Machine

from quorate.account.authority import Evidence, make_entry, record_of
from quorate.account.register import Entry
from quorate.account.register.procedures import install, read, write
from quorate.device import Device
from quorate.device.home import Home
from quorate.device.login import LocalIssuer
from quorate.device.network import Network
from quorate.device.register import AccountRegister

WRITES = 8


def renamed(device: Device, number: int) -> Callable[[Entry | None], Entry]:
    """An entry that changes the private record alone."""
    keys = device.desk.identity

    def propose(head: Entry | None) -> Entry:
        assert head is not None
        operation, private = number.to_bytes(16, "big"), number.to_bytes(32, "big")
        return make_entry(head, record_of(head), Evidence(()), operation, keys.public, keys.sign, private)

    return propose


async def test_what_is_written_is_read_by_everybody(machine: Machine, tmp_path: Path) -> None:
    network = Network.read(machine.home.network_file)
    home = Home(tmp_path / "device")
    issuer = LocalIssuer(network.name, machine.home.login_key, "writer")
    spent: dict[str, list[float]] = {"read": [], "write": []}
    async with Device(home, network, issuer=issuer) as device:
        await device.log_in()
        await device.create_wallet("server")
        register = await AccountRegister.open(device.desk)
        first = await register.head()
        assert first is not None
        for number in range(WRITES):
            begun = time.perf_counter()
            done = await register.carrier.run(
                register.client, write(register.client, renamed(device, number))
            )
            spent["write"].append(time.perf_counter() - begun)
            begun = time.perf_counter()
            head = await register.carrier.run(register.client, read(register.client, device.desk.rng))
            spent["read"].append(time.perf_counter() - begun)
            assert head == done
            assert head.private == number.to_bytes(32, "big")
        assert head.version == first.version + WRITES
        machine.kill("node2")
        await register.carrier.run(register.client, write(register.client, renamed(device, 99)))
        await register.carrier.run(register.client, install(register.client))
    for what, seconds in spent.items():
        print(f"{what}: {1000 * statistics.median(seconds):.0f} ms at the median of {len(seconds)}")
    machine.all_up()
    async with Device(home, network, issuer=issuer) as device:
        register = await AccountRegister.open(device.desk)
        head = await register.head()
        assert head is not None
        assert head.private == (99).to_bytes(32, "big")
        (wallet,) = await device.wallets()
        assert register.wallet(bytes.fromhex(wallet.show().key)) is not None
