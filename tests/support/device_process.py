"""A device in a process of its own, led by a test through its standard input and output.

    python -m tests.support.device_process HOME BACKUP

It makes a wallet, signs with it, and halts where the test wants to look at it: it writes one line of JSON
(``{"at": ...}`` and what the test may know), and goes on when it reads a line.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Any

from quorate.device import Backup, Device, LocalIssuer
from quorate.device.sessions import Closed, Event, Opened
from quorate.transport.hub import Carried

PASSWORD = "a password of the test"


def halt(at: str, **told: Any) -> None:
    """Say where we are, and wait for a line."""
    print(json.dumps({"at": at, **told}), flush=True)
    if not sys.stdin.readline():
        sys.exit("the test has gone")


class Halts:
    """Halts once at each of these events, in this order."""

    def __init__(self) -> None:
        self._places = self._plan()
        self._next = next(self._places)
        self._parties: tuple[str, ...] = ()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Opened) and event.protocol == "ecdsa.sign":
            self._parties = event.parties
        name = _name(event)
        if name == self._next:
            self._next = next(self._places, "")
            halt(name, signers=self._parties)

    def _plan(self) -> Iterator[str]:
        yield "refresh is over"
        yield "node ecdsa.presign.multiplication"
        yield "node ecdsa.answer"


def _name(event: Event) -> str:
    if isinstance(event, Closed):
        return f"{event.protocol} is over"
    if isinstance(event, Carried):
        return f"{event.sender.rstrip('0123456789')} {event.tag}"
    return ""


async def main(home: str, backup: str) -> None:
    async with Device.open(home, observer=Halts()) as device:
        # a person of their own: an account's second device needs its first one's word
        await device.log_in(LocalIssuer(device.network.name, device.home.login_key, "stopped and looked at"))
        wallet = await device.create_wallet("personal", Backup.to(backup, PASSWORD))
        halt("created", address=wallet.address)
        signed = await wallet.sign_message("hello")
        halt("signed", signature=signed.raw.hex())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
