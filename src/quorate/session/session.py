"""The engine: drives one protocol coroutine with envelopes, and owns nothing else.

`start` and `receive` take bytes and give bytes; sockets, queues, clocks and threads are the host's. The
same object runs under WebSocket, HTTP, a pipe and the simulator. Once it is `done`, `result()` gives what
the protocol returned or raises what ended it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine, Mapping
from typing import Any, Final, Generic, TypeVar

from quorate.encoding import encode
from quorate.entropy import Rng, SeededRng
from quorate.errors import LocalError, Malformed, QuorateError
from quorate.groups import Group
from quorate.session.envelope import EVERYBODY, Slot, seal_info, write
from quorate.session.identity import Identity, PublicIdentity
from quorate.session.inbox import Inbox
from quorate.session.journal import Journal
from quorate.session.message import Declaration, Message, PartyId, Path, tag_of
from quorate.session.party import Core, Party, ProtocolRun, Waiting
from quorate.session.spec import SessionSpec, roster_digest

T = TypeVar("T")

_START: Final = b"\x00"
_DEADLINE: Final = b"\x01"


class Session(Generic[T]):
    """One party's run of one protocol.

    `identity` is ours, `roster` holds everybody's public identity (ours included). `run` is the protocol,
    already given everything but its party. With a `journal` the run survives a crash (see
    `quorate.session.journal`). Raises `Malformed` when the agreement does not fit what it is given.
    """

    def __init__(
        self,
        spec: SessionSpec,
        me: PartyId,
        identity: Identity,
        roster: Mapping[PartyId, PublicIdentity],
        declaration: Declaration,
        group: Group,
        run: ProtocolRun[T],
        *,
        rng: Rng,
        journal: Journal | None = None,
    ) -> None:
        _check_agreement(spec, me, roster, declaration, group)
        self.spec = spec
        self.id = spec.id
        self.me = me
        self.waiting: Waiting | None = None
        self.error: QuorateError | None = None
        self.done = False
        self._identity = identity
        self._roster = roster
        self._declaration = declaration
        self._group = group
        self._run = run
        self._rng = rng
        self._journal = journal
        self._outbound: list[bytes] = []
        self._value: T | None = None
        self._coroutine: Coroutine[Any, Any, T] | None = None
        self._inbox = Inbox(me, spec, declaration, group, identity, roster, rng)
        self._core: Core | None = None

    @property
    def dropped(self) -> Counter[str]:
        """How many envelopes were dropped, by reason; for metrics and tests."""
        return self._inbox.dropped

    def start(self) -> list[bytes]:
        """Begin, or take up a journaled run where it stopped; the envelopes to send.

        After a crash this gives *everything* sent before once more; receivers ignore equal duplicates.
        """
        if self._coroutine is not None:
            raise LocalError("this session has already been started")
        if self._journal is None:
            return self._begin(self._rng)
        earlier = self._journal.load(self.id)
        if earlier is None:
            seed = self._rng(32)
            self._journal.begin(self.id, seed)
            outbound = self._begin(SeededRng(seed))
            self._journal.append(self.id, _START, outbound)
            return outbound
        seed, records = earlier
        sent: list[bytes] = []
        if not records:
            outbound = self._begin(SeededRng(seed))
            self._journal.append(self.id, _START, outbound)
            return outbound
        for index, (event, recorded) in enumerate(records):
            outbound = self._begin(SeededRng(seed)) if index == 0 else self._step(event)
            if tuple(outbound) != tuple(recorded):
                raise LocalError("a journaled session did not replay to what it had sent; it is abandoned")
            sent.extend(outbound)
        return sent

    def receive(self, data: bytes) -> list[bytes]:
        """Take in one envelope; the envelopes to send because of it. Never raises for bad input."""
        return self._event(bytes(data))

    def expire(self) -> list[bytes]:
        """The host's deadline has passed: what is awaited now is missing."""
        return self._event(_DEADLINE)

    def result(self) -> T:
        """What the protocol returned; raises what ended it, or `LocalError` while it runs."""
        if self.error is not None:
            raise self.error
        if not self.done:
            raise LocalError("the session is still running")
        return self._value  # type: ignore[return-value]

    def abandon(self, error: QuorateError) -> None:
        """End the session from outside, with the reason; a finished one is left as it is."""
        if not self.done:
            self._close(error)

    # --- inside --------------------------------------------------------------------------------------

    def _begin(self, rng: Rng) -> list[bytes]:
        self._core = Core(
            me=self.me,
            spec=self.spec,
            session_id=self.id,
            group=self._group,
            declaration=self._declaration,
            roster=self._roster,
            rng=rng,
            inbox=self._inbox,
            emit=self._emit,
        )
        self._coroutine = self._run(Party(self._core))  # type: ignore[assignment]
        self._advance()
        return self._flush()

    def _event(self, event: bytes) -> list[bytes]:
        if self._coroutine is None:
            raise LocalError("start the session first")
        if self.done:
            return []
        before = sum(self._inbox.dropped.values())
        outbound = self._step(event)
        if self._journal is not None and sum(self._inbox.dropped.values()) == before:
            self._journal.append(self.id, event, outbound)
        return outbound

    def _step(self, event: bytes) -> list[bytes]:
        core = self._core
        if core is None or self.done:
            return []
        if event == _DEADLINE:
            core.deadlines += 1
            self._advance()
            return self._flush()
        try:
            slot = self._inbox.deliver(event)
        except QuorateError as error:
            self._close(error)
            return self._flush()
        if slot is not None:
            self._advance()
        return self._flush()

    def _advance(self) -> None:
        if self._coroutine is None:
            return
        try:
            self.waiting = self._coroutine.send(None)
        except StopIteration as stop:
            self._value = stop.value
            self.waiting = None
            self.done = True
        except QuorateError as error:
            self._close(error)

    def _close(self, error: QuorateError) -> None:
        self.error = error
        self.waiting = None
        self.done = True
        if self._coroutine is not None:
            self._coroutine.close()

    def _flush(self) -> list[bytes]:
        outbound, self._outbound = self._outbound, []
        return outbound

    def _emit(self, path: Path, message: Message, recipient: PartyId) -> None:
        slot = Slot(path, tag_of(type(message)), self.me, recipient)
        rule = self._declaration.rule(slot.tag, path, self.spec.parties)
        if rule is None or rule.unicast != (recipient != EVERYBODY):
            raise ValueError(f"the protocol never declared to send {slot}")
        core = self._running()
        body = encode(message)
        if rule.unicast:
            body = self._roster[recipient].seal(body, seal_info(self.id, slot), core.rng)
        envelope = write(self.id, slot, body, self._identity)
        if not rule.unicast:
            core.own[slot] = envelope
        self._outbound.append(envelope)

    def _running(self) -> Core:
        if self._core is None:
            raise LocalError("start the session first")
        return self._core


def _check_agreement(
    spec: SessionSpec,
    me: PartyId,
    roster: Mapping[PartyId, PublicIdentity],
    declaration: Declaration,
    group: Group,
) -> None:
    if (spec.protocol, spec.version) != (declaration.name, declaration.version):
        raise Malformed(
            f"session: {spec.protocol}/{spec.version} is not {declaration.name}/{declaration.version}"
        )
    if spec.suite.split("/")[0] != group.name:
        raise Malformed(f"session: suite {spec.suite} is not over {group.name}")
    if me not in spec.parties:
        raise Malformed("session: we are no party of it")
    if set(roster) != set(spec.parties):
        raise Malformed("session: the roster must name exactly the parties")
    if roster_digest(roster) != spec.roster:
        raise Malformed("session: the parties' identities are not the agreed ones")
