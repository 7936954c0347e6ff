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
from quorate.errors import Blame, LimitExceeded, LocalError, Malformed, QuorateError
from quorate.groups import Group
from quorate.session.envelope import EVERYBODY, Slot, seal_info, write
from quorate.session.identity import Identity, PublicIdentity
from quorate.session.inbox import Inbox
from quorate.session.journal import Journal
from quorate.session.message import Declaration, Message, PartyId, Path, tag_of
from quorate.session.party import Core, Party, ProtocolRun, Waiting
from quorate.session.spec import SessionSpec, roster_digest

T = TypeVar("T")

HELP_BUDGET: Final = 8
"""How often one peer may have everything that was sent to it again: as often as an honest node crashes while
one session runs, with room to spare. A third of all parties, rounded up, may use it up: the liars that a
protocol expects and one more. Beyond that a plea for help is an attempt to keep us busy."""

# What a journal's record holds in place of an envelope. Neither is an envelope, and only the host's own call
# makes one: the same byte from the network is malformed, dropped, and never recorded.
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
        self.concluded = False
        self.deviations: dict[PartyId, Blame] = {}
        self._identity = identity
        self._roster = roster
        self._declaration = declaration
        self._group = group
        self._run = run
        self._rng = rng
        self._journal = journal
        self._outbound: list[bytes] = []
        self._value: T | None = None
        self._helped: Counter[PartyId] = Counter()
        self._coroutine: Coroutine[Any, Any, T] | None = None
        self._inbox = Inbox(me, spec, declaration, group, identity, roster, rng)
        self._core: Core | None = None

    @property
    def dropped(self) -> Counter[str]:
        """How many envelopes were dropped, by reason; for metrics and tests."""
        return self._inbox.dropped

    @property
    def heard(self) -> int:
        """How many messages have come; hosts see by it whether a session gets on."""
        return len(self._inbox)

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
            return self._record(_START, self._begin(SeededRng(seed)))
        seed, records = earlier
        if not records:
            return self._record(_START, self._begin(SeededRng(seed)))
        sent: list[bytes] = []
        for index, (event, recorded) in enumerate(records):
            outbound = self._begin(SeededRng(seed)) if index == 0 else self._replay(event)
            if tuple(outbound) != tuple(recorded):
                error = LocalError("a journaled session did not replay to what it had sent; it is abandoned")
                self._close(error)
                raise error
            sent.extend(outbound)
        return sent

    def receive(self, data: bytes) -> list[bytes]:
        """Take in one envelope; the envelopes to send because of it. Never raises for bad input."""
        data = bytes(data)
        if self._is_over() or not self._take(data):
            return []
        return self._record(data, self._flush())

    def expire(self) -> list[bytes]:
        """The host's deadline has passed: what is awaited now is missing."""
        if self._is_over():
            return []
        self._miss()
        return self._record(_DEADLINE, self._flush())

    def result(self) -> T:
        """What the protocol returned or concluded with; raises what ended it, or `LocalError` while it runs.

        What ends a session after its conclusion takes nothing away from the result.
        """
        if self.concluded:
            return self._value  # type: ignore[return-value]
        if self.error is not None:
            raise self.error
        if not self.done:
            raise LocalError("the session is still running")
        return self._value  # type: ignore[return-value]

    def help(self, peer: PartyId) -> list[bytes]:
        """Everything sent to `peer` so far, once more: it has lost what came (HybridVSS's help messages).

        Gives nothing once the peer, or all peers together, have had more help than `HELP_BUDGET` allows.
        """
        if self._core is None or peer not in self.spec.parties or peer == self.me:
            return []
        total = HELP_BUDGET * ((len(self.spec.parties) + 2) // 3)
        if self._helped[peer] >= HELP_BUDGET or self._helped.total() >= total:
            return []
        self._helped[peer] += 1
        return [data for slot, data in self._core.own.items() if slot.recipient in (EVERYBODY, peer)]

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
            sign=self._identity.sign,
            conclude=self._conclude,
            deviations=self.deviations,
        )
        self._coroutine = self._run(Party(self._core))  # type: ignore[assignment]
        self._advance()
        return self._flush()

    def _is_over(self) -> bool:
        if self._coroutine is None:
            raise LocalError("start the session first")
        return self.done

    def _take(self, data: bytes) -> bool:
        """Whether an envelope has changed anything; one that was dropped has not."""
        try:
            slot = self._inbox.deliver(data)
        except Blame as error:
            return self._deviates(error)
        except QuorateError as error:
            self._close(error)
            return True
        if slot is None:
            return False
        self._advance()
        return True

    def _deviates(self, error: Blame) -> bool:
        if not self._declaration.tolerant:
            self._close(error)
            return True
        new = [party for party in error.parties if party not in self.deviations]
        # Only the first is kept, and journaled: a liar does not fill our disk with its lies.
        self.deviations.update(dict.fromkeys(new, error))
        if not new:
            self._inbox.dropped["deviates again"] += 1
        return bool(new)

    def _conclude(self, value: Any) -> None:
        if self.concluded:
            raise LocalError("a session concludes once")
        self._value = value
        self.concluded = True

    def _miss(self) -> None:
        self._running().deadlines += 1
        self._advance()

    def _replay(self, event: bytes) -> list[bytes]:
        if event == _DEADLINE:
            self._miss()
        else:
            self._take(event)
        return self._flush()

    def _record(self, event: bytes, outbound: list[bytes]) -> list[bytes]:
        """Journal an event before its answer leaves; gives the answer."""
        if self._journal is None:
            return outbound
        try:
            self._journal.append(self.id, event, outbound)
        except BaseException:
            # Memory is now ahead of the disk. Going on would sign what a replay never signs again, which is
            # equivocation: this object is dead, and the next one starts from what the disk holds.
            self._close(LocalError("the session's journal could not be written; start it again from there"))
            raise
        return outbound

    def _advance(self) -> None:
        if self._coroutine is None:
            return
        try:
            self.waiting = self._coroutine.send(None)
        except StopIteration as stop:
            if not self.concluded:
                self._value = stop.value
            self.waiting = None
            self.done = True
        except QuorateError as error:
            self._close(error)
        except Exception:
            # A mistake in the protocol's code: the host hears of it, and the session does not linger.
            self._close(LocalError("the protocol ended by an error of its own code"))
            raise

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
        if slot in core.own:
            # Others would take the second for equivocation, and they would be right.
            raise ValueError(f"the protocol has already sent {slot}")
        body = encode(message)
        if len(body) > rule.limit:
            raise LimitExceeded(f"{slot}: {len(body)} bytes, others read at most {rule.limit}")
        if rule.unicast:
            body = self._roster[recipient].seal(body, seal_info(self.id, slot), core.rng)
        envelope = write(self.id, slot, body, self._identity)
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
