"""One sharing as a protocol of its own: what simulations run, and the smallest host of a `Sharing`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from quorate.groups import Point, Scalar
from quorate.session import Declaration, Party, PartyId
from quorate.sharing.avss.dealt import Dealt
from quorate.sharing.avss.messages import KINDS, SENDER_LIMIT, rules
from quorate.sharing.avss.setting import Setting
from quorate.sharing.avss.sharing import Sharing
from quorate.sharing.quorums import Quorums

DECLARATION: Final = Declaration("avss", 1, *rules(), tolerant=True, sender_limit=SENDER_LIMIT)


async def share(
    party: Party,
    dealer: PartyId,
    *,
    quorums: Quorums,
    count: int,
    nodes: Sequence[PartyId] | None = None,
    secrets: Sequence[Scalar | None] | None = None,
    constants: Sequence[Point] | None = None,
    may_lack: Callable[[int], bool] | None = None,
) -> Dealt | None:
    """`count` secrets of `dealer`, shared among `nodes` (default: all parties). Concludes, and serves on.

    `secrets` are the dealer's own. A dealer that is no node concludes with None as soon as it has dealt.
    """
    order = party.parties if nodes is None else tuple(nodes)
    setting = Setting.of(party, dealer, nodes=order, quorums=quorums, count=count)
    sharing = Sharing(party.fork(dealer), setting, dealer, constants=constants, may_lack=may_lack)
    if party.me == dealer:
        sharing.deal(secrets)
    is_node, concluded = bool(setting.point(party.me)), False
    arrivals = party.stream(*KINDS)
    while True:
        # before the first message, too: who has nobody else to wait for is done at once
        if not concluded and (sharing.completed or not is_node):
            party.conclude(sharing.completed)
            concluded = True
        arrival = await anext(arrivals)
        if arrival is not None:
            sharing.receive(arrival.sender, arrival.message)
