"""`quorate demo`: the whole of it in one command, in a directory that is gone afterwards.

Real node processes, a real device with a backup in a process of its own, and an EVM that nobody here wrote.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from quorate.cli.local_network import LocalNetwork
from quorate.cli.terminal import Progress, Terminal
from quorate.clock import monotonic
from quorate.device.home import Home
from quorate.entropy import system_rng

if TYPE_CHECKING:
    from quorate.chains.ethereum.evm import InProcessEvm
    from quorate.device.device import Device
    from quorate.device.wallet import Wallet

ETHER: Final = 10**18
FUNDS: Final = ETHER
AMOUNT: Final = ETHER // 10
RECIPIENT: Final = "0x1111111111111111111111111111111111111111"


@dataclass(slots=True)
class _Story:
    """What happened, for the JSON."""

    terminal: Terminal
    begun: float = field(default_factory=monotonic)
    data: dict[str, Any] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)

    def timed(self, name: str, since: float) -> str:
        """Note a duration; gives it in words."""
        self.timings[name] = round(monotonic() - since, 3)
        return f"{self.timings[name]:.1f} s"


def run(*, as_json: bool, explain: bool) -> None:
    """Run it. Raises what went wrong, after stopping what was started."""
    story = _Story(Terminal(as_json))
    # Asked to end, it ends like after Ctrl-C: with its nodes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="quorate-demo-") as directory:
        home = Home(Path(directory))
        network = LocalNetwork(home)
        try:
            with story.terminal.progress("starting five nodes") as progress:
                asyncio.run(_tell(story, home, network, progress, explain))
        finally:
            if network.exists:
                network.down()
    story.data["seconds"] = round(monotonic() - story.begun, 2)
    story.data["timings"] = story.timings
    accepted = "accepted" if story.data["accepted"] else "not accepted"
    lines = [
        "",
        f"address:     {story.data['address']}",
        f"transaction: {story.data['transaction_hash']}",
        f"{accepted}: the EVM moved {AMOUNT / ETHER:g} ETH to {RECIPIENT}",
        f"all of it took {story.data['seconds']:.1f} s",
    ]
    story.terminal.result(story.data, *lines)


async def _tell(story: _Story, home: Home, network: LocalNetwork, progress: Progress, explain: bool) -> None:
    from quorate.device.device import Device

    say = story.terminal.say
    since = monotonic()
    loading = asyncio.create_task(asyncio.to_thread(_evm))
    nodes, _ = await asyncio.to_thread(network.up, None, None, progress)
    say(f"{len(nodes)} nodes run, each a process of its own ({story.timed('up', since)})")
    observer = None
    if explain:
        from quorate.cli.explain import Explainer

        observer = Explainer(
            lambda line: print(line, file=sys.stderr if story.terminal.as_json else sys.stdout)
        )
    async with Device.open(home.path, observer=observer) as device:
        await device.log_in()
        wallet = await _create(story, device, home, progress)
        evm = await loading
        await _pay(story, wallet, evm, progress, 0, "sign")
        if explain:
            await _lose_a_node(story, network, wallet, evm, progress)


async def _create(story: _Story, device: Device, home: Home, progress: Progress) -> Wallet:
    from quorate.device.backup import Backup

    since = monotonic()
    backup = Backup.to(home.path / "wallet.backup", system_rng(16).hex())
    wallet = await device.create_wallet("personal", backup, report=progress)
    took = story.timed("create", since)
    facts = wallet.show()
    story.data |= {"address": wallet.address, "survives": facts.survives}
    story.terminal.say(f"wallet {wallet.address} is made ({took}); its key was never in one place")
    story.terminal.say(facts.survives)
    return wallet


async def _pay(
    story: _Story, wallet: Wallet, evm: InProcessEvm, progress: Progress, nonce: int, name: str
) -> None:
    """Fund, sign, hand in, look at the balances."""
    if nonce == 0:
        evm.fund(wallet.address, FUNDS)
    max_fee, priority_fee = evm.fees()
    fields = {
        "chainId": int(evm.chain.reference),
        "to": RECIPIENT,
        "value": AMOUNT,
        "nonce": nonce,
        "gas": 21_000,
        "maxFeePerGas": max_fee,
        "maxPriorityFeePerGas": priority_fee,
    }
    story.terminal.say("")
    story.terminal.say((await asyncio.to_thread(wallet.preview, fields)).text())
    progress("signing")
    before = evm.balance(RECIPIENT)
    since = monotonic()
    signed = await wallet.sign_transaction(fields)
    took = story.timed(name, since)
    progress("asking the EVM")
    sent = await asyncio.to_thread(evm.send, signed.raw)
    receipt = evm.receipt(sent)
    moved = evm.balance(RECIPIENT) - before
    accepted = receipt is not None and receipt.succeeded and moved == AMOUNT and sent == signed.id
    story.terminal.say(f"signed by this device and three nodes ({took}); the EVM says: {_verdict(accepted)}")
    if nonce == 0:
        story.data |= {
            "transaction_hash": sent,
            "accepted": accepted,
            "balances": {"sender": str(evm.balance(wallet.address)), "recipient": str(before + moved)},
            "moved": str(moved),
        }
    else:
        story.data["after_loss"] = {"transaction_hash": sent, "accepted": accepted}


async def _lose_a_node(
    story: _Story, network: LocalNetwork, wallet: Wallet, evm: InProcessEvm, progress: Progress
) -> None:
    node = network.nodes()[0]
    if node.pid is not None:
        os.kill(node.pid, signal.SIGKILL)
    story.terminal.say("")
    story.terminal.say(f"{node.name} has been killed. Signing again:")
    await _pay(story, wallet, evm, progress, 1, "sign_after_loss")


def _evm() -> InProcessEvm:
    from quorate.chains.ethereum.evm import InProcessEvm

    return InProcessEvm()


def _verdict(accepted: bool) -> str:
    return "accepted" if accepted else "not accepted"
