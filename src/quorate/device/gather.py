"""Gathering signers: connections to exactly as many nodes as a key's structure needs beside the device.

A node that cannot be reached, or with which no OT setup is to be had now, is replaced by the next before any
session begins; so a dead node costs a signature a failed connection and nothing else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import NoReturn, TypeGuard

from quorate.account import KeyRecord
from quorate.account.presets import DEVICE
from quorate.device.sessions import Desk
from quorate.errors import Abort, LimitExceeded, Missing, QuorateError, Refused, Unavailable
from quorate.transport.channel import Channel


class TooFewNodes(Missing):
    """Not enough nodes answer. `parties` are the missing ones, `needed` how many of them would be enough."""


async def gather_signers(
    desk: Desk, record: KeyRecord, penalties: Counter[str], *, paired: bool = True
) -> dict[str, Channel]:
    """Channels to the nodes that sign next, the best candidates first; adds to `penalties`.

    `paired`: only such with which there is an OT setup, or one can be made.

    Raises `TooFewNodes`; `Refused` with code ``login-again`` when quarantines are why; `NotAuthorised` when
    device and nodes are not enough for this key whoever answers.
    """
    structure = record.access
    nodes = tuple(structure.nodes)
    committee = structure.committee()
    needed = committee.needed if committee is not None else 0
    gathered: dict[str, Channel] = {}
    missing: dict[str, QuorateError] = {}
    waiting = desk.reachable.ranked(nodes, penalties)
    try:
        while len(gathered) < needed:
            lacking = needed - len(gathered)
            batch, waiting = waiting[:lacking], waiting[lacking:]
            if not batch:
                _too_few(missing, len(nodes), needed, len(gathered))
            found = await asyncio.gather(
                *(_reach(desk, name, penalties, paired) for name in batch), return_exceptions=True
            )
            for name, channel in zip(batch, found, strict=True):
                if isinstance(channel, QuorateError):
                    missing[name] = channel
                elif not isinstance(channel, BaseException):
                    gathered[name] = channel
            for channel in found:
                if _ends_it(channel):
                    raise channel
        structure.coefficients((*gathered, DEVICE), record.group.order)
    except BaseException:
        desk.release(gathered)
        raise
    return gathered


async def _reach(desk: Desk, name: str, penalties: Counter[str], paired: bool) -> Channel:
    try:
        if paired:
            await desk.ensure_setup(name)
        return await desk.nodes.connect(name)
    except Missing:
        desk.reachable.failed(name)
        raise
    except (Abort, Unavailable, LimitExceeded):
        penalties[name] += 1
        raise


def _ends_it(found: Channel | BaseException) -> TypeGuard[BaseException]:
    """Whether what came of reaching a node ends the signature: our own login or disk, or a mistake."""
    if isinstance(found, Refused):
        return found.code == "login" and not found.reported_by  # one node that says so is passed over
    return isinstance(found, BaseException) and not isinstance(found, Abort | Unavailable | LimitExceeded)


def _too_few(missing: Mapping[str, QuorateError], total: int, needed: int, present: int) -> NoReturn:
    for error in missing.values():
        if isinstance(error, Refused) and error.code in ("login", "login-again"):
            raise error  # that is what helps; starting nodes would not
    lacking = needed - present
    raise TooFewNodes(
        f"{needed} of the {total} nodes are needed to sign and {present} answer; "
        f"missing: {', '.join(sorted(missing))}. Start at least {lacking} of them again",
        parties=missing,
        needed=lacking,
    )
