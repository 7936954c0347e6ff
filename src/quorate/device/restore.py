"""After the device's database was restored from an older copy: is what it holds still the present?

The vault has burned every prepared signature by then (`quorate.vault.generation`), so nothing is used twice.
What is left is to learn whether a wallet has moved on to another epoch meanwhile; the nodes know. Until an
echo quorum of them has said that none has, the vault prepares no signatures. Some of them may lie, so fewer
than there may be liars are not believed that one has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from quorate.account import KeyRecord
from quorate.device.sessions import Desk
from quorate.device.shelf import Entry, WalletState
from quorate.errors import Abort, Unavailable
from quorate.sharing.epochs import user_epoch


async def settle_restore(desk: Desk, entries: Sequence[Entry]) -> bool:
    """Compare with the nodes and lower the vault's flag; gives whether it is down.

    Raises `Unavailable` when more nodes than may lie show a later epoch: this device's share of that wallet
    is worthless.
    """
    if not await desk.worker(lambda: desk.vault.rolled_back):
        return True
    answers = [
        found for found in await asyncio.gather(*(_told(desk, n) for n in desk.network.names)) if found
    ]
    if len(answers) < desk.network.quorums.echo:
        return False
    agreed = True
    for entry in entries:
        if entry.state is not WalletState.LIVE:
            continue
        past = sum(_is_past(entry, records) for records in answers)
        if past > desk.network.quorums.liars:
            raise Unavailable(
                f"this device was restored from a copy older than a change of wallet {entry.key[:16]}; "
                "its share is of the past, and another factor must bring the device in again"
            )
        agreed = agreed and len(answers) - past >= desk.network.quorums.echo
    if not agreed:
        return False
    await desk.worker(desk.vault.acknowledge_rollback)
    return True


async def _told(desk: Desk, node: str) -> list[KeyRecord]:
    try:
        return await desk.nodes.wallets(node)
    except Abort:
        return []


def _is_past(entry: Entry, records: Sequence[KeyRecord]) -> bool:
    """In a later epoch of its factors; the committee's own epochs change no share but the nodes'."""
    past = user_epoch(entry.record.epoch)
    return any(record.key == entry.record.key and user_epoch(record.epoch) > past for record in records)
