"""The device's end of the pipe to a backup's process: starts it, takes its public keys, gives the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Final

from quorate.device.backup.file import Backup
from quorate.device.backup.process import KEPT, REFUSED, VOID, Task
from quorate.device.network import Network
from quorate.errors import Unavailable
from quorate.session import PublicKeys
from quorate.transport.channel import ChannelClosed
from quorate.transport.frames import MAX_FRAME_BYTES
from quorate.transport.pipe import PipeChannel

START_SECONDS: Final = 20.0
"""A Python process on a slow, busy machine."""

END_SECONDS: Final = 5.0


class BackupLink:
    """One running backup process."""

    def __init__(self, process: asyncio.subprocess.Process, channel: PipeChannel, keys: PublicKeys) -> None:
        self._process = process
        self.channel = channel
        self.keys = keys

    @classmethod
    async def start(
        cls, name: str, backup: Backup, network: Network, account: bytes, device: PublicKeys
    ) -> BackupLink:
        """Raises `Unavailable` when the process does not come up."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "quorate.device.backup.process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=MAX_FRAME_BYTES,
        )
        if process.stdin is None or process.stdout is None:
            raise Unavailable("the backup's process has no pipes")
        channel = PipeChannel(process.stdout, process.stdin)
        task = Task(
            name,
            network.name,
            account,
            device.to_bytes(),
            tuple((node, keys.to_bytes()) for node, keys in network.identities.items()),
            str(backup.path),
            backup.password.reveal(),
            backup.exists,
        )
        try:
            await channel.send_block(task.to_bytes())
            keys = await asyncio.wait_for(channel.receive_block(), START_SECONDS)
        except (ChannelClosed, TimeoutError):
            await _end(process)
            raise Unavailable("the backup's process did not start; see the messages above") from None
        if keys.startswith(REFUSED):
            await _end(process)
            raise Unavailable(keys.removeprefix(REFUSED).decode(errors="replace"))
        return cls(process, channel, PublicKeys.from_bytes(keys))

    async def finish(self, *, kept: bool) -> None:
        """Tell it what became of the wallet and let it end. A file of a wallet given up is erased by it."""
        with contextlib.suppress(ChannelClosed, TimeoutError):
            await self.channel.send_block(KEPT if kept else VOID)
            await asyncio.wait_for(self.channel.receive_block(), END_SECONDS)
        await self.channel.close()
        await _end(self._process)


async def _end(process: asyncio.subprocess.Process) -> None:
    try:
        await asyncio.wait_for(process.wait(), END_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
