"""The hub: opens a session with several parties and carries their envelopes.

The device is the hub of its wallet's sessions, so nodes need no connection among themselves to sign; a node
is the hub of the sessions it opens with another node. The hub is a party itself and hands in its local
`Session`; of the others' messages it is trusted with nothing: envelopes are signed, and sealed where they are
for one party. It can lose them, which shows as `Missing`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from quorate.clock import monotonic
from quorate.errors import Abort, LocalError, Missing, QuorateError
from quorate.session import EVERYBODY, Envelope, Identity, PartyId, PublicIdentity, Session, SessionSpec
from quorate.transport.channel import Channel, ChannelClosed
from quorate.transport.frames import Begin, Deliver, Failed, Finished, Frame, Nonce, Propose
from quorate.transport.host import Worker
from quorate.transport.reports import report, restore

T = TypeVar("T")

DEADLINE_SECONDS: Final = 20.0
"""Without anything new for this long, whoever is awaited counts as missing. Signing rounds take milliseconds
of work; the margin is for phones on bad networks."""

SESSION_SECONDS: Final = 60.0
"""A session in all; the longest of ours takes a few seconds. A party that keeps sending what moves nothing
would otherwise put off the deadline for ever."""


_FAREWELL_SECONDS: Final = 1.0
"""For telling one party that it is over: it need not be heard, its own deadline comes soon enough."""


@dataclass(frozen=True, slots=True)
class Carried:
    """One envelope seen by the hub, for whoever wants to watch: addressing and size, never content."""

    path: str
    tag: str
    sender: PartyId
    recipient: PartyId
    size: int


Observer = Callable[[Carried], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a hosted session ended: what each remote party reported, and the agreement they shared."""

    spec: SessionSpec
    outcomes: Mapping[PartyId, bytes]


class Hub:
    """Runs one session over `channels`, one for each remote party.

    `proposer` and `identity` sign the agreement. `run` raises what ended the session.
    """

    def __init__(
        self,
        channels: Mapping[PartyId, Channel],
        roster: Mapping[PartyId, PublicIdentity],
        *,
        proposer: PartyId,
        identity: Identity,
        credential: bytes = b"",
        observer: Observer | None = None,
        deadline: float = DEADLINE_SECONDS,
        total: float = SESSION_SECONDS,
        worker: Worker = asyncio.to_thread,
    ) -> None:
        self._channels = dict(sorted(channels.items()))
        self._roster = roster
        self._proposer = proposer
        self._identity = identity
        self._credential = credential
        self._observer = observer
        self._deadline = deadline
        self._total = total
        self._worker = worker

    async def run(
        self,
        proposal: SessionSpec,
        own_nonces: Mapping[PartyId, bytes],
        make_local: Callable[[SessionSpec], Session[T]],
    ) -> tuple[Outcome, T]:
        """Take part oneself: our session's result, and what the others reported. Channels stay open.

        `own_nonces` holds that of the party in this process; `make_local(spec)` makes its session once the
        agreement is complete.
        """
        spec = await self._agree(proposal, own_nonces)
        local = make_local(spec)
        outcomes = await self._carry(local)
        return Outcome(spec, outcomes), local.result()

    async def _agree(self, proposal: SessionSpec, own_nonces: Mapping[PartyId, bytes]) -> SessionSpec:
        await self._to_all(Propose(self._proposer, self._credential, proposal))
        answers = await asyncio.gather(*(self._expect_nonce(party) for party in self._channels))
        spec = proposal.with_nonces({**own_nonces, **dict(zip(self._channels, answers, strict=True))})
        roster = tuple(self._roster[party].to_bytes() for party in spec.parties)
        await self._to_all(Begin(spec, roster, self._identity.sign(spec.id)))
        return spec

    async def _expect_nonce(self, party: PartyId) -> bytes:
        try:
            frame = await asyncio.wait_for(self._channels[party].receive(), self._deadline)
        except (ChannelClosed, TimeoutError):
            raise Missing(f"{party} has not answered", parties=[party], step="propose", needed=1) from None
        except LocalError as error:
            raise _no_frame(party, error) from None
        if isinstance(frame, Failed):
            raise restore(frame, party)
        if not isinstance(frame, Nonce):
            raise Abort(f"{party} answered a proposal with something else", parties=[party], step="propose")
        return frame.nonce

    async def _carry(self, local: Session[T]) -> dict[PartyId, bytes]:
        outcomes: dict[PartyId, bytes] = {}
        arriving: dict[asyncio.Task[Frame], PartyId] = {}
        ends = monotonic() + self._total
        heard, last = -1, monotonic()
        for party, channel in self._channels.items():
            arriving[asyncio.ensure_future(channel.receive())] = party
        try:
            await self._forward(local, await self._worker(local.start), local.me)
            while arriving:
                # A frame that tells our own party nothing new puts nothing off: some could be sent for ever.
                if local.heard != heard:
                    heard, last = local.heard, monotonic()
                patience = min(last + self._deadline, ends) - monotonic()
                done, _ = await asyncio.wait(
                    arriving, timeout=max(0.0, patience), return_when=asyncio.FIRST_COMPLETED
                )
                if not done or patience <= 0:
                    await self._time_is_up(local, sorted(arriving.values()))
                for task in sorted(done, key=arriving.__getitem__):
                    party = arriving.pop(task)
                    frame = self._frame(task, party)
                    if isinstance(frame, Finished):
                        outcomes[party], last = frame.outcome, monotonic()
                        continue
                    if isinstance(frame, Deliver):
                        await self._forward(local, frame.envelopes, party)
                    arriving[asyncio.ensure_future(self._channels[party].receive())] = party
            if not local.done:
                await self._time_is_up(local, [])
            return outcomes
        except QuorateError as error:
            await self._tell_all(error)
            raise
        finally:
            for task in arriving:
                task.cancel()

    def _frame(self, task: asyncio.Task[Frame], party: PartyId) -> Frame:
        try:
            frame = task.result()
        except ChannelClosed:
            raise Missing(
                f"{party} has gone in the middle of the session", parties=[party], needed=1
            ) from None
        except LocalError as error:
            raise _no_frame(party, error) from None
        if isinstance(frame, Failed):
            raise restore(frame, party)
        if not isinstance(frame, Deliver | Finished):
            raise Abort(f"{party} sent a frame out of order", parties=[party])
        return frame

    async def _time_is_up(self, local: Session[T], silent: Sequence[PartyId]) -> None:
        if not local.done:
            await self._forward(local, await self._worker(local.expire), local.me)
            if _has_ended(local):
                return
        raise Missing(
            f"no answer from {', '.join(silent) or 'anybody'} in time", parties=silent, needed=len(silent)
        )

    async def _forward(self, local: Session[T], envelopes: Sequence[bytes], sender: PartyId) -> None:
        """Carry envelopes on; what the local party answers is carried on in turn, until it is quiet.

        Raises what has ended the local party meanwhile.
        """
        queue = [(sender, data) for data in envelopes]
        while queue:
            waiting: dict[PartyId, list[bytes]] = {}
            answers: list[bytes] = []
            for origin, data in queue:
                recipients = self._recipients(local.spec, origin, data)
                if local.me in recipients and local.me != origin:
                    answers.extend(await self._worker(local.receive, data))
                for party in recipients:
                    if party in self._channels and party != origin:
                        waiting.setdefault(party, []).append(data)
            for party, batch in waiting.items():
                await self._send(party, Deliver(tuple(batch)))
            queue = [(local.me, data) for data in answers]
        if local.error is not None:
            raise local.error

    def _recipients(self, spec: SessionSpec, origin: PartyId, data: bytes) -> tuple[PartyId, ...]:
        try:
            envelope = Envelope.parse(data)
        except LocalError as error:
            raise Abort(f"{origin} sent what is no envelope: {error}", parties=[origin]) from None
        if envelope.sender != origin:
            # A party may only speak for itself; what it relays in another's name is dropped here already.
            return ()
        if self._observer is not None:
            self._observer(
                Carried(envelope.path, envelope.tag, envelope.sender, envelope.recipient, len(data))
            )
        return spec.parties if envelope.recipient == EVERYBODY else (envelope.recipient,)

    async def _send(self, party: PartyId, frame: Frame) -> None:
        try:
            await asyncio.wait_for(self._channels[party].send(frame), self._deadline)
        except (
            ChannelClosed,
            TimeoutError,
        ):  # a party that reads nothing is as far away as one that has gone
            raise Missing(f"{party} is not reachable", parties=[party], needed=1) from None

    async def _to_all(self, frame: Frame) -> None:
        for party in self._channels:
            await self._send(party, frame)

    async def _tell_all(self, error: QuorateError) -> None:
        """Tell the parties why it is over, so that nobody waits for a deadline; the gone are passed over."""
        frame = report(error, self._proposer)
        for channel in self._channels.values():
            with contextlib.suppress(LocalError, TimeoutError):
                await asyncio.wait_for(channel.send(frame), _FAREWELL_SECONDS)


def _no_frame(party: PartyId, error: LocalError) -> Abort:
    # what a party sends is never an error of ours: callers go on without that party, and stop for their own
    return Abort(f"{party} sent what is no frame: {error}", parties=[party])


def _has_ended(session: Session[T]) -> bool:
    return session.done
