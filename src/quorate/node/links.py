"""A node's links to all other nodes: what it has to say to each waits in the vault, what they say finds a
handler.

`post` is called in a worker thread, inside the transaction that makes something worth saying; everything
else in the event loop. Who the peers are follows the committee: `admit` a node before the first parcel for
it is posted, `dismiss` it when it is none of ours any more. See `quorate.transport.links` for how parcels
travel.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from quorate.account.committee import CommitteeRecord
from quorate.entropy import Rng
from quorate.errors import LocalError
from quorate.node.log import LogFunction
from quorate.node.metrics import Metrics
from quorate.node.mistakes import note_mistake
from quorate.transport.links import Dispatch, Intake, Introduction, Link, LinkPeer, Wire, answer, take_in
from quorate.transport.links.dispatch import ANSWER_SECONDS
from quorate.transport.links.intake import Handler
from quorate.vault.outbox import Outbox

MAX_LINK_CALLERS: Final = 32
"""Callers that have not finished their handshake. A committee has at most thirty nodes, which call once each;
strangers can fill these places for five seconds and get nothing for it."""

GAUGE_SECONDS: Final = 5.0
"""How often the depth of the queues is looked at for the metrics."""

ConnectLink = Callable[[LinkPeer], Awaitable[Wire]]
"""Opens a wire to another node. Raises `WireClosed`."""


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """One peer as operators see it."""

    peer: str
    connected: bool
    parcels: int
    size: int


@dataclass(slots=True)
class _Peer:
    """All that is kept for one peer; `link` is the one it has dialed."""

    known: LinkPeer
    dispatch: Dispatch
    intake: Intake
    link: Link | None = None
    task: asyncio.Task[None] | None = None


class Links:
    """`worker` runs blocking calls on the outbox; without `connect` nothing is ever sent."""

    def __init__(
        self,
        me: Introduction,
        outbox: Outbox,
        connect: ConnectLink | None,
        worker: Callable[..., Awaitable[Any]],
        *,
        rng: Rng,
        metrics: Metrics,
        log: LogFunction,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.me = me
        self._outbox = outbox
        self._connect = connect
        self._worker = worker
        self._rng = rng
        self._metrics = metrics
        self._log = log
        self._answer_seconds = answer_seconds
        self._peers: dict[str, _Peer] = {}
        self._handlers: dict[str, Handler] = {}
        self._callers = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        outbox.after_put = self._put

    # --- who, and what about -------------------------------------------------------------------------

    @property
    def peers(self) -> tuple[str, ...]:
        """Everybody we have a link with, sorted."""
        return tuple(sorted(self._peers))

    def admit(self, peers: Iterable[LinkPeer]) -> None:
        """Have links with these as well; one whose address or keys have changed is dialed anew."""
        for known in peers:
            if known.name == self.me.name:
                continue
            before = self._peers.get(known.name)
            if before is not None:
                same = before.known.identity.to_bytes() == known.identity.to_bytes()
                if same and before.known.url == known.url:
                    continue
                self._stop(before)
                if before.link is not None:
                    self._closing(before.link)
            self._peers[known.name] = peer = self._made(known)
            if self._loop is not None:
                self._start(peer)

    async def dismiss(self, name: str) -> None:
        """Have no link with this node any more; what waits for it is dropped."""
        peer = self._peers.pop(name, None)
        if peer is not None:
            self._stop(peer)
            if peer.link is not None:
                await peer.link.close()
        await self._worker(self._outbox.drop_peer, name)

    def on(self, topic: str, handler: Handler) -> None:
        """Hand parcels of `topic` to ``await handler(sender, body)``; see `quorate.transport.links.intake`.

        It returns when what follows from the parcel is durable. One parcel may come twice.
        """
        if topic in self._handlers:
            raise LocalError(f"the topic {topic} has its handler already")
        self._handlers[topic] = handler

    # --- sending (in a worker thread) ----------------------------------------------------------------

    def post(self, peer: str, topic: str, body: bytes, *, session: bytes = b"") -> None:
        """Send, once the transaction that this belongs to is durable. Raises `LimitExceeded`, see `room`."""
        self._outbox.put(peer, topic, body, session=session)

    def tell(self, peer: str, topic: str, body: bytes) -> bool:
        """Post what is said to all and depends on nobody: one who takes nothing in is left out, and `False`.

        `post` would raise there, and so undo what the same transaction says to the others. There is a reserve
        for it beyond what `room` speaks of.
        """
        if not self._outbox.room(peer, len(body), reserve=True):
            self._metrics.count("parcels_without_room", peer=peer)
            return False
        self._outbox.put(peer, topic, body, reserve=True)
        return True

    def room(self, peer: str, size: int = 0) -> bool:
        """Whether there is room for a parcel of this size."""
        return self._outbox.room(peer, size)

    def _put(self, peer: str) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended; the parcel waits for the next one
                self._loop.call_soon_threadsafe(self._wake, peer)

    def _wake(self, name: str) -> None:
        peer = self._peers.get(name)
        if peer is not None:
            peer.dispatch.wake()

    # --- serving -------------------------------------------------------------------------------------

    async def serve(self, wire: Wire) -> None:
        """Take parcels in from whoever is at the other end, until the connection breaks; closes it."""
        try:
            link = await self._answered(wire)
            if link is not None:
                await self._serve(link)
        finally:
            await wire.close()

    async def _answered(self, wire: Wire) -> Link | None:
        if self._loop is None:
            return None  # not yet, or not any more
        if self._callers >= MAX_LINK_CALLERS:
            self._metrics.count("links_refused", reason="busy")
            return None
        self._callers += 1
        try:
            return await answer(wire, self.me, self._find, self._rng)
        except (LocalError, TimeoutError) as error:
            self._metrics.count("links_refused", reason=type(error).__name__)
            return None
        finally:
            self._callers -= 1

    async def _serve(self, link: Link) -> None:
        peer = self._peers.get(link.peer)
        if peer is None or self._loop is None:
            return
        replaced, peer.link = peer.link, link
        if replaced is not None:
            await replaced.close()
        peer.dispatch.hurry()
        try:
            await take_in(link, peer.intake)
        except LocalError as error:
            self._metrics.count("links_broken", peer=link.peer, error=type(error).__name__)
        finally:
            if peer.link is link:
                peer.link = None

    def _find(self, name: str) -> LinkPeer | None:
        peer = self._peers.get(name)
        return None if peer is None else peer.known

    # --- life ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Deliver, for as long as the task lives."""
        self._loop = asyncio.get_running_loop()
        for peer in self._peers.values():
            self._start(peer)
        try:
            while True:
                with contextlib.suppress(LocalError):  # a database that is away is somebody else's alarm
                    await self._look()
                await asyncio.sleep(GAUGE_SECONDS)
        finally:
            self._loop = None
            tasks = [peer.task for peer in self._peers.values() if peer.task is not None]
            for peer in self._peers.values():
                self._stop(peer)
                if peer.link is not None:
                    await peer.link.close()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        for status in await self.status():
            self._metrics.gauge("outbox_parcels", status.parcels, peer=status.peer)
            self._metrics.gauge("outbox_bytes", status.size, peer=status.peer)
            self._metrics.gauge("links_connected", float(status.connected), peer=status.peer)

    async def status(self) -> list[LinkStatus]:
        """All links, by peer."""
        found = []
        for name in self.peers:
            depth = await self._worker(self._outbox.depth, name)
            peer = self._peers.get(name)
            found.append(
                LinkStatus(name, peer is not None and peer.dispatch.connected, depth.rows, depth.size)
            )
        return found

    def _made(self, known: LinkPeer) -> _Peer:
        connect = self._connect or _nowhere
        dispatch = Dispatch(
            self.me,
            known,
            self._outbox,
            connect,
            self._worker,
            self._rng,
            self,
            answer_seconds=self._answer_seconds,
        )
        return _Peer(known, dispatch, Intake(known.name, self._handlers.get, self._taken))

    def _start(self, peer: _Peer) -> None:
        if self._connect is not None and peer.task is None:
            peer.task = asyncio.ensure_future(peer.dispatch.run())

    def _closing(self, link: Link) -> None:
        task = asyncio.ensure_future(link.close())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _stop(self, peer: _Peer) -> None:
        peer.intake.close()
        if peer.task is not None:
            peer.task.cancel()
            peer.task = None

    # --- told by dispatches and intakes --------------------------------------------------------------

    def sent(self, peer: str, *, again: bool) -> None:
        """A parcel left."""
        self._metrics.count("parcels_sent_again" if again else "parcels_sent", peer=peer)

    def answered(self, peer: str, *, later: bool) -> None:
        """The other end has taken it, or not yet."""
        self._metrics.count("parcels_postponed" if later else "parcels_delivered", peer=peer)

    def failed(self, peer: str, error: Exception) -> None:
        """A connection to a peer has ended, or came to nothing."""
        self._metrics.count("links_failed", peer=peer, error=type(error).__name__)

    def _taken(self, peer: str, outcome: str, error: Exception | None) -> None:
        self._metrics.count("parcels_received", peer=peer, outcome=outcome)
        if outcome == "mistake" and error is not None:
            note_mistake(self._log, self._metrics, error)


def link_peers(record: CommitteeRecord) -> list[LinkPeer]:
    """The members of a committee, as links know them."""
    return [LinkPeer(seat.name, seat.url, record.identities[seat.name]) for seat in record.members]


async def _nowhere(peer: LinkPeer) -> Wire:
    raise LocalError("this node reaches no other")
