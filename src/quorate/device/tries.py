"""The tries of one signature: choose nodes, act with them, go on with others when some fail.

Who is asked first is decided in `quorate.device.gather`. A node that fails in the session, or is suspected,
is passed over in the next try. What a node reports is its word, and costs it or another node at most the
place in this signature.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from quorate.account import KeyRecord
from quorate.account.presets import DEVICE
from quorate.device.committee import carry, catch_up
from quorate.device.gather import TooFewNodes, gather_signers
from quorate.device.register import AccountRegister
from quorate.device.sessions import Desk
from quorate.device.shelf import Entry, Shelf
from quorate.errors import Abort, Blame, LocalError, Missing, QuorateError, Refused, Remedy, Suspicion
from quorate.sharing.epochs import committee_epoch
from quorate.transport.channel import Channel

T = TypeVar("T")

MAX_TRIES: Final = 5
"""Attempts at one signature. Each can set aside a pair of nodes; a committee of thirty has fifteen, but
whoever meets five failures in a row should look before asking on."""


class Tries:
    """The tries of one key at a time; `entry` is the key as it was last seen."""

    def __init__(self, desk: Desk, shelf: Shelf, entry: Entry) -> None:
        self._desk = desk
        self._shelf = shelf
        self._entry = entry

    @property
    def record(self) -> KeyRecord:
        return self._entry.record

    async def run(
        self, attempt: Callable[[Entry, Mapping[str, Channel]], Awaitable[T]], *, paired: bool
    ) -> T:
        """What an attempt comes to, with nodes that are there; `paired`: with OT setups with them.

        Raises `Abort`, `LocalError`.
        """
        marks = _Marks(self._desk.network.quorums.liars, paired)
        last: QuorateError | None = None
        for _ in range(MAX_TRIES):
            # Another signature of this moment may have followed the committee to its next epoch.
            entry = self._entry = await self._desk.worker(self._shelf.entry, self._entry.key)
            if committee_epoch(entry.record.epoch) < self._desk.network.epoch:
                # Another wallet has been there first: the nodes sign nothing in the epoch of ours any more.
                entry = self._entry = await carry(self._desk, self._shelf, entry) or entry
            try:
                channels = await gather_signers(self._desk, entry.record, marks.penalties, paired=paired)
            except TooFewNodes as error:
                if await self._follow():
                    continue
                raise last if isinstance(last, Refused) else error from last
            try:
                result = await attempt(entry, channels)
            except Abort as error:
                last = error
                await self._react(error, marks)
                continue
            except LocalError as error:
                if error.remedy not in (Remedy.RETRY, Remedy.QUARANTINE):
                    raise
                last = error
                continue
            finally:
                self._desk.release(channels)
            self._desk.reachable.worked(channels)
            return result
        raise last or LocalError("nothing was tried")

    async def _react(self, error: Abort, marks: _Marks) -> None:
        """Make the next try different, or raise."""
        known = self._desk.network.nodes
        nodes = [name for name in error.parties if name in known]
        if error.reported_by in known:
            # Whoever reports a failure may be its cause, whomever it names. It weighs more than being named:
            # else one liar that names two others at a time would stay in every set until the tries are over.
            marks.penalties[error.reported_by] += 2
        if isinstance(error, Refused):
            await self._react_to_refusal(error, nodes, marks)
        elif isinstance(error, Missing) and not error.reported_by:
            for name in nodes:
                self._desk.reachable.failed(name)
        elif isinstance(error, Suspicion | Blame | Missing):
            marks.penalties.update(nodes)
        elif DEVICE in error.parties and len(error.parties) == 2 and marks.may_renew(nodes):
            # The two ends hold different OT setups (step 2.2): make a fresh one.
            await self._renew(nodes[0], marks.penalties)
        else:
            marks.penalties.update(nodes)

    async def _react_to_refusal(self, error: Refused, nodes: list[str], marks: _Marks) -> None:
        if error.code == "no-instance" and nodes:
            if DEVICE in error.parties:
                await self._renew(nodes[0], marks.penalties)
            else:
                await self._make_instances(nodes, marks.penalties)
        elif error.code in ("epoch", "committee") and nodes:
            if not await self._follow():
                await self._catch_up(nodes, marks.penalties)
        elif error.code == "unknown-key" and nodes:
            await self._catch_up(nodes, marks.penalties)
        elif error.code == "presignature":
            return  # ours is used up too; the next try signs cold
        elif error.code == "login-again" and nodes:
            marks.penalties.update(nodes)
        elif marks.is_settled(error):
            raise error

    async def _follow(self) -> bool:
        """Go with the nodes to another committee epoch, if there is one; the next try is in that."""
        carried = await catch_up(self._desk, self._shelf, self._entry)
        if carried is not None:
            self._entry = carried
        return carried is not None

    async def _renew(self, node: str, penalties: Counter[str]) -> None:
        try:
            await self._desk.set_up(node)
        except (Abort, LocalError):
            penalties[node] += 1

    async def _make_instances(self, nodes: list[str], penalties: Counter[str]) -> None:
        for node in nodes:
            try:
                await self._desk.nodes.make_instances(node)
            except Abort:
                penalties[node] += 1

    async def _catch_up(self, nodes: list[str], penalties: Counter[str]) -> None:
        """A node that was away when the wallet became live is told what is decided now."""
        register = await AccountRegister.open(self._desk)
        for node in nodes:
            penalties[node] += 1
            try:
                await register.show(node)
            except Abort:
                continue


@dataclass(slots=True)
class _Marks:
    """What the tries of one signature have shown of the nodes."""

    liars: int
    paired: bool
    penalties: Counter[str] = field(default_factory=Counter)
    refused: dict[str, set[str]] = field(default_factory=dict)
    renewed: set[str] = field(default_factory=set)

    def may_renew(self, nodes: list[str]) -> bool:
        """Whether a fresh OT setup with this node may be what is missing: there is one, and it is not fresh.

        Else a node that says it differs, every time, would stay in every set until the tries are over.
        """
        may = self.paired and not self.renewed.issuperset(nodes)
        self.renewed.update(nodes)
        return may

    def is_settled(self, error: Refused) -> bool:
        """Whether this refusal is final: our own, or said by more nodes than may lie."""
        if not error.reported_by:
            return True
        said = self.refused.setdefault(error.code, set())
        said.add(error.reported_by)
        return len(said) > self.liars
