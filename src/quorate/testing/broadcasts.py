"""A small asynchronous protocol to try hosts with: everybody broadcasts a value, reliably (Bracha, 1987).

Each party is the dealer of one broadcast: it sends 32 random bytes, all echo the first they get, a party is
ready when it has seen enough echoes or t+1 readies, and delivers at 2t+1 readies. It concludes with the
values of the first n-t dealers and goes on serving. Honest parties never deliver two different values of
one dealer, which is what a host that forgets or repeats something would break.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec

from quorate.session import Declaration, Message, Party, PartyId, Rule

Bytes32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Send(Message, frozen=True, tag="broadcasts.send"):
    """The dealer's value."""

    value: Bytes32


class Echo(Message, frozen=True, tag="broadcasts.echo"):
    """The first value that came from the dealer."""

    value: Bytes32


class Ready(Message, frozen=True, tag="broadcasts.ready"):
    """Enough others have said so."""

    value: Bytes32


class Wave(Message, frozen=True, tag="broadcasts.wave"):
    """Sent to each other party alone at the first tick: so that ticks and sealed messages occur as well."""

    ticks: int


BROADCASTS: Final = Declaration(
    "broadcasts",
    1,
    Rule(Send, "*", limit=64),
    Rule(Echo, "*", limit=64),
    Rule(Ready, "*", limit=64),
    Rule(Wave, unicast=True, limit=64),
    tolerant=True,
)


@dataclass(slots=True)
class _Broadcast:
    seat: Party
    echoed: bool = False
    ready: bool = False
    echoes: dict[PartyId, bytes] = field(default_factory=dict)
    readies: dict[PartyId, bytes] = field(default_factory=dict)


async def broadcasts(party: Party, liars: int) -> dict[PartyId, bytes]:
    """The values of n-t dealers, as they were delivered here; serves until the host ends it."""
    nodes, echo_quorum = len(party.parties), (len(party.parties) + liars) // 2 + 1
    running = {name: _Broadcast(party.fork(name)) for name in party.parties}
    delivered: dict[PartyId, bytes] = {}

    def hear(dealer: PartyId, sender: PartyId, message: Message) -> None:
        one = running[dealer]
        if isinstance(message, Send) and sender == dealer and not one.echoed:
            one.echoed = True
            say(dealer, Echo(message.value))
        elif isinstance(message, Echo):
            one.echoes.setdefault(sender, message.value)
        elif isinstance(message, Ready):
            one.readies.setdefault(sender, message.value)
        for value in sorted({*one.echoes.values(), *one.readies.values()}):
            echoes = sum(seen == value for seen in one.echoes.values())
            readies = sum(seen == value for seen in one.readies.values())
            if not one.ready and (echoes >= echo_quorum or readies > liars):
                one.ready = True
                say(dealer, Ready(value))
            if readies > 2 * liars:
                delivered.setdefault(dealer, value)

    def say(dealer: PartyId, message: Message) -> None:
        running[dealer].seat.broadcast(message)
        hear(dealer, party.me, message)

    say(party.me, Send(party.rng(32)))
    ticks, concluded = 0, False
    async for arrival in party.stream(Send, Echo, Ready):
        if arrival is None:
            ticks += 1
            if ticks == 1:
                for other in party.others:
                    party.send(other, Wave(ticks))
            continue
        hear(arrival.path, arrival.sender, arrival.message)
        if not concluded and len(delivered) >= nodes - liars:
            concluded = True
            party.conclude(dict(delivered))
    return delivered
