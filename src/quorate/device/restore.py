"""After the device's database was restored from an older copy: is what it holds still the present?

The vault has burned every prepared signature by then (`quorate.vault.generation`), so nothing is used twice.
What is left is to learn whether a wallet has moved on to another epoch of its factors meanwhile; the register
of the account knows. Its head is proven by signatures of an echo quorum and shown by an echo quorum, so liars
can neither reassure nor frighten. Until it is read, the vault prepares no signatures.
"""

from __future__ import annotations

from collections.abc import Sequence

from quorate.device.register import AccountRegister
from quorate.device.sessions import Desk
from quorate.device.shelf import Entry, WalletState
from quorate.errors import Missing, Unavailable
from quorate.sharing.epochs import user_epoch


async def settle_restore(desk: Desk, entries: Sequence[Entry]) -> bool:
    """Compare with the register and lower the vault's flag; gives whether it is down.

    Raises `Unavailable` when a wallet has gone on: this device's share of it is worthless.
    """
    if not await desk.worker(lambda: desk.vault.rolled_back):
        return True
    register = await AccountRegister.open(desk)
    try:
        await register.head()
    except Missing:
        return False
    for entry in entries:
        wallet = register.wallet(entry.record.key)
        # The committee's own epochs change no share but the nodes'; those the device follows otherwise.
        if (
            entry.state is WalletState.LIVE
            and wallet is not None
            and wallet.epoch > user_epoch(entry.record.epoch)
        ):
            raise Unavailable(
                f"this device was restored from a copy older than a change of wallet {entry.key[:16]}; "
                "its share is of the past, and another factor must bring the device in again"
            )
    await desk.worker(desk.vault.acknowledge_rollback)
    return True
