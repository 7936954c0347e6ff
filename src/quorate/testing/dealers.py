"""Nodes that lie in the sharings of a key generation, each in a way of its own, and whole seats made of them.

A lying sharing is the honest class behind a party that alters what leaves (`Wire`), or that deals
otherwise. `seat` puts one together with a lying voter (`quorate.testing.liars`) for `Simulation`'s `by_hand`.
What is drawn comes from the party's own generator, so a seed repeats.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, cast

import msgspec

from quorate.groups import Scalar
from quorate.session import EVERYBODY, Message, Party, PartyId, Slot, tag_of
from quorate.sharing.agreement import Agreement
from quorate.sharing.avss import Setting, Sharing, bivariate, commitments
from quorate.sharing.avss.certificate import statement
from quorate.sharing.avss.messages import Dealing, Echo, Ready, Send
from quorate.sharing.dkg import DkgResult, Generation
from quorate.sharing.quorums import Quorums
from quorate.testing.cheats import whisper

Alter = Callable[[PartyId, Message], Message | None]
"""What is sent to this party in place of a message; None withholds it."""


class Wire:
    """A party whose messages pass through `alter`, one recipient at a time."""

    def __init__(self, party: Party, alter: Alter) -> None:
        self._party = party
        self._alter = alter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._party, name)

    def broadcast(self, message: Message) -> None:
        for other in self._party.others:
            changed = self._alter(other, message)
            if changed is not None:
                whisper(self._party, changed, [other])

    def send(self, to: PartyId, message: Message) -> None:
        changed = self._alter(to, message)
        if changed is not None:
            self._party.send(to, changed)

    def own_envelope(self, kind: type[Message]) -> bytes:
        """What we would pass on; there may be several, and a liar owes nobody one."""
        slot = Slot(self._party.path, tag_of(kind), self._party.me, EVERYBODY)
        return self._party._core.own.get(slot, b"")


class LyingSharing(Sharing):
    """Honest, behind a wire: subclasses say in `alter` what leaves."""

    def __init__(self, party: Party, setting: Setting, dealer: PartyId, **more: Any) -> None:
        super().__init__(cast(Party, Wire(party, self.alter)), setting, dealer, **more)

    def alter(self, to: PartyId, message: Message) -> Message | None:
        return message

    def drawn(self, below: int) -> int:
        return self._party.rng(2)[0] % below


class TwoFacedDealer(LyingSharing):
    """Deals two sharings, one to every other node and one to the rest; vouches for each where it is known."""

    def deal(self, secrets: Sequence[Scalar | None] | None = None) -> None:
        self._has_dealt = self._dealing_came = self._row_came = self._echoed = self._readied = True
        others = [node for node in self.setting.nodes if node != self._party.me]
        for side in (others[::2], others[1::2]):
            self._deal_to(side)

    def _deal_to(self, side: Sequence[PartyId]) -> None:
        setting, group = self.setting, self.setting.group
        columns = bivariate.draw(group, setting.degree, setting.count, self._party.rng)
        dealing = Dealing(b"", commitments.pack(commitments.commit(group, columns)))
        digest = commitments.digest_of(setting, dealing)
        signature = self._party.sign(statement(setting, digest))
        own = bivariate.row(columns, setting.degree, self._point, group.order)
        for node in side:
            x = setting.point(node)
            row = bivariate.row(columns, setting.degree, x, group.order)
            whisper(self._party, dealing, [node])
            self._party.send(node, Send(b"".join(group.write_scalars(column) for column in row)))
            values = group.write_scalars(bivariate.evaluate(own, x, group.order))
            self._party.send(node, Echo(digest, values))
            self._party.send(node, Ready(digest, values, signature))


class PartialDealer(LyingSharing):
    """Brings its matrix to some and its rows to some."""

    def alter(self, to: PartyId, message: Message) -> Message | None:
        return None if isinstance(message, Dealing | Send) and self.drawn(2) else message


class WrongRows(LyingSharing):
    """Gives some nodes a row that is not theirs, of another length, or empty."""

    def alter(self, to: PartyId, message: Message) -> Message | None:
        if isinstance(message, Send) and self.drawn(2):
            return Send(_spoilt(message.row, self.drawn(4)))
        return message


class Misshapen(LyingSharing):
    """Deals a matrix that is jagged, empty, or has points that are none; or says that fresh secrets lack."""

    def alter(self, to: PartyId, message: Message) -> Message | None:
        if not isinstance(message, Dealing):
            return message
        way = self.drawn(5)
        if way == 4:
            return msgspec.structs.replace(message, gaps=b"\x01")
        return msgspec.structs.replace(message, matrix=_spoilt(message.matrix, way))


class NoDealer(LyingSharing):
    """Deals nothing, and serves the others."""

    def deal(self, secrets: Sequence[Scalar | None] | None = None) -> None:
        pass


class Absent(LyingSharing):
    """Says nothing in any sharing."""

    def deal(self, secrets: Sequence[Scalar | None] | None = None) -> None:
        pass

    def alter(self, to: PartyId, message: Message) -> Message | None:
        return None


class WrongPoints(LyingSharing):
    """Vouches with values that are wrong, for some nodes, in every sharing."""

    def alter(self, to: PartyId, message: Message) -> Message | None:
        if isinstance(message, Echo | Ready) and self.drawn(2):
            return msgspec.structs.replace(message, values=_spoilt(message.values, self.drawn(4)))
        return message


class WrongVotes(LyingSharing):
    """Vouches for what nobody dealt, or signs something else."""

    def alter(self, to: PartyId, message: Message) -> Message | None:
        way = self.drawn(4)
        if isinstance(message, Echo | Ready) and way == 0:
            return msgspec.structs.replace(message, digest=self._party.rng(32))
        if isinstance(message, Ready) and way == 1:
            return msgspec.structs.replace(message, signature=self._party.sign(bytes(32)))
        return None if way == 2 else message


def _spoilt(data: bytes, way: int) -> bytes:
    if way == 0:
        return data[:-1]
    if way == 1:
        return b"\xff" * len(data)
    if way == 2:
        return b""
    return data[:-1] + bytes([data[-1] ^ 1])


DEALERS: Final[tuple[type[Sharing], ...]] = (
    Sharing,
    TwoFacedDealer,
    PartialDealer,
    WrongRows,
    Misshapen,
    NoDealer,
    Absent,
    WrongPoints,
    WrongVotes,
)
"""All of them; the first is honest, for seats that lie in the agreement alone."""


def seat(
    quorums: Quorums,
    count: int,
    *,
    sharing: type[Sharing] = Sharing,
    voting: type[Agreement] = Agreement,
    kept: dict[PartyId, Generation] | None = None,
) -> Callable[[Party], Awaitable[DkgResult]]:
    """One seat of a key generation with these classes. `kept` is given the object, for tests to look into."""

    class Made(Generation):
        pass

    Made.sharing, Made.voting = sharing, voting

    async def run(party: Party) -> DkgResult:
        made = Made(party, quorums, count, party.parties)
        if kept is not None:
            kept[party.me] = made
        return await made.run()

    return run
