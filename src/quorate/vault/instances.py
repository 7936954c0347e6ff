"""OT instances: the long-lived correlations between two parties, and the record of who must not use them.

An instance belongs to (peer, shard, direction) and has a generation. Its sender's secret is Delta; each
failed check of the extension may show the peer one bit of it, and all of Delta shows every nonce and share
ever masked with it. So (``docs/protocols/ecdsa.md``, Quarantine): a leak-bearing failure is stored
*before* anything is answered, freezes the pair's instances in both directions, destroys their secrets, and
destroys the presignatures made over them. The only way out is a fresh instance of a higher generation, made
after both have authenticated anew. Three such failures of one peer in a day suspend the pair until an
operator says otherwise.

Messages whose check is outstanding are counted durably before the check runs: parallel sessions could
otherwise learn as many bits as there are sessions. Each instance has its own data key, so that a replaced
one cannot be read from old copies of the database.

States: ACTIVE -> QUARANTINED (a failure) or RETIRED (replaced, or found after a rollback).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from quorate.errors import AlreadyUsed, LimitExceeded, QuorateError, Remedy, Unavailable
from quorate.secret import Secret
from quorate.vault.onetime import burn_pair
from quorate.vault.records import NEW, Records
from quorate.vault.rows import Place, Rows
from quorate.vault.storage import Transaction

MAX_UNVERIFIED: Final = 8
"""Messages on one instance whose check has not passed: at most so many bits of Delta leak before a freeze."""

MAX_SESSIONS: Final = 1 << 16
"""Sessions on one instance before fresh base OT; the counters inside stay far from their bounds."""

MAX_AGE_SECONDS: Final = 24 * 3600.0
"""Age at which an instance between two nodes is replaced: what is stolen later opens one day of sessions."""

FAILURES_BEFORE_SUSPENSION: Final = 3
FAILURE_WINDOW_SECONDS: Final = 24 * 3600.0
"""Honest machines do not fail such checks. One may be a broken disk; the third within a day is an attack."""

_TABLE: Final = "instances"
_QUARANTINE: Final = "quarantine"
_SELECT: Final = (
    "SELECT peer, shard, direction, generation, state, unverified, sessions, born, reason FROM instances"
)
_BODY: Final = "SELECT body FROM instances"
_LEAVE: Final = "UPDATE instances SET state = ?, body = NULL, reason = ?"
_COUNT: Final = "UPDATE instances SET unverified = unverified + ?, sessions = sessions + ?"
_ONE: Final = " WHERE peer = ? AND shard = ? AND direction = ? AND generation = ?"


class Direction(StrEnum):
    """Which side of the extension this party is on."""

    SENDER = "sender"
    RECEIVER = "receiver"


class InstanceState(StrEnum):
    """See the module's docstring."""

    ACTIVE = "active"
    QUARANTINED = "quarantined"
    RETIRED = "retired"


Use: TypeAlias = tuple[str, int, Direction, int]
"""One instance as it is used: peer, shard, direction, generation."""


@dataclass(frozen=True, slots=True)
class Instance:
    """An ACTIVE instance as loaded: `value` is the opaque state, the rest its counters."""

    peer: str
    shard: int
    direction: Direction
    generation: int
    value: Secret[bytes]
    unverified: int
    sessions: int
    born: float


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """What may be shown of one instance: no secret in it. `reason` says why it is not ACTIVE."""

    peer: str
    shard: int
    direction: Direction
    generation: int
    state: InstanceState
    unverified: int
    sessions: int
    born: float
    reason: str


class Instances:
    """This party's instances with all its peers."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._records = Records(rows)

    def store(
        self, peer: str, shard: int, direction: Direction, generation: int, value: bytes, *, now: float
    ) -> None:
        """Make a fresh instance the ACTIVE one and erase its predecessor.

        Raises `AlreadyUsed` unless `generation` is higher than any known here, `Unavailable` when the pair
        is suspended.
        """
        with self._rows.storage.transaction() as tx:
            self._refuse_suspended(tx, peer)
            known = self._status(tx, peer, shard, direction, for_update=True)
            if known is not None and generation <= known.generation:
                raise AlreadyUsed(
                    f"generation {generation} with {peer} (shard {shard}) is not above {known.generation}; "
                    "an OT instance is never stored again"
                )
            if known is not None and known.state is InstanceState.ACTIVE:
                self._leave(tx, known, InstanceState.RETIRED, "replaced")
            # One row tells of the past: quarantines stay, but a peer that sets up all day fills no disk.
            tx.execute(
                "DELETE FROM instances WHERE peer = ? AND shard = ? AND direction = ? AND state = 'retired'",
                (peer, shard, direction),
            )
            place = _place(peer, shard, direction, generation)
            tx.execute(
                "INSERT INTO instances (peer, shard, direction, generation, state, body, unverified, "
                "sessions, born, reason) VALUES (?, ?, ?, ?, 'active', ?, 0, 0, ?, '')",
                (peer, shard, direction, generation, self._rows.seal(place, value), now),
            )

    def load(self, peer: str, shard: int, direction: Direction) -> Instance:
        """The ACTIVE instance. Raises `Unavailable`, with the remedy, when there is none."""
        with self._rows.storage.transaction() as tx:
            status = self._active(tx, peer, shard, direction)
            found = tx.query_one(
                _BODY + _ONE,
                (peer, shard, direction, status.generation),
            )
        body = b"" if found is None or found[0] is None else bytes(found[0])
        value = self._rows.open(_place(peer, shard, direction, status.generation), body)
        return Instance(
            peer,
            shard,
            direction,
            status.generation,
            Secret(value),
            status.unverified,
            status.sessions,
            status.born,
        )

    def newest_generation(self, peer: str, shard: int, direction: Direction) -> int:
        """The highest generation ever stored, 0 if none: a fresh instance must be above both sides'."""
        with self._rows.storage.transaction() as tx:
            status = self._status(tx, peer, shard, direction)
        return 0 if status is None else status.generation

    def begin_session(self, peer: str, shard: int, direction: Direction, generation: int) -> None:
        """Count one session and one message whose check is outstanding, durably.

        Call it directly before the check runs. Not when the session opens: whoever holds eight sessions open
        would use up the instance of two honest parties. Raises `LimitExceeded` at `MAX_UNVERIFIED` and at
        `MAX_SESSIONS`, `Unavailable` when not ACTIVE any more.
        """
        with self._rows.storage.transaction() as tx:
            status = self._active(tx, peer, shard, direction, generation)
            if status.unverified >= MAX_UNVERIFIED:
                raise LimitExceeded(
                    f"{MAX_UNVERIFIED} messages of {peer} wait for their check on one OT instance; "
                    "finish those sessions, or set up afresh",
                    remedy=Remedy.RETRY,
                )
            if status.sessions >= MAX_SESSIONS:
                raise LimitExceeded(
                    f"the OT instance with {peer} has served {MAX_SESSIONS} sessions; set up afresh",
                    remedy=Remedy.RETRY,
                )
            self._count(tx, status, unverified=1, sessions=1)

    def end_session(self, peer: str, shard: int, direction: Direction, generation: int) -> None:
        """The check of one counted message is over. One that died with the process stays counted."""
        with self._rows.storage.transaction() as tx:
            status = self._status(tx, peer, shard, direction, for_update=True)
            if status is not None and status.generation == generation and status.unverified > 0:
                self._count(tx, status, unverified=-1, sessions=0)

    @contextmanager
    def checking(self, uses: Collection[Use]) -> Iterator[None]:
        """Count one use of each of these, all or none, while their checks run inside.

        What ends inside with an error of ours is over, too; what dies with the process stays counted.
        """
        with self._rows.storage.transaction():
            for use in uses:
                self.begin_session(*use)
        try:
            yield
        except QuorateError:
            self._end(uses)
            raise
        self._end(uses)

    def _end(self, uses: Collection[Use]) -> None:
        with self._rows.storage.transaction():
            for use in uses:
                self.end_session(*use)

    def refuse_frozen(self, peer: str, shard: int, direction: Direction, generation: int) -> None:
        """Raises `Unavailable` if this generation is in quarantine, or the pair suspended.

        For what a session made on an instance that it had loaded before that, and wants to keep. What was
        made on one that was merely replaced is as good as before.
        """
        with self._rows.storage.transaction() as tx:
            self._refuse_suspended(tx, peer)
            row = tx.query_one(_SELECT + _ONE, (peer, shard, direction, generation))
        if row is not None and _status_of(row).state is InstanceState.QUARANTINED:
            raise _frozen(_status_of(row))

    def retire(self, peer: str, shard: int, direction: Direction, generation: int, reason: str) -> None:
        """Take one generation out of use because the other end has lost it; a newer one stays as it is.

        No quarantine: nobody has failed a check, and presignatures made over it stay good.
        """
        with self._rows.storage.transaction() as tx:
            status = self._status(tx, peer, shard, direction, for_update=True)
            if status is None or (status.generation, status.state) != (generation, InstanceState.ACTIVE):
                return
            self._leave(tx, status, InstanceState.RETIRED, reason)

    def due(self, now: float) -> list[InstanceStatus]:
        """ACTIVE instances that want fresh base OT, by age, by sessions, or by unverified messages."""
        return [
            status
            for status in self.statuses()
            if status.state is InstanceState.ACTIVE
            and (
                now - status.born >= MAX_AGE_SECONDS
                or status.sessions >= MAX_SESSIONS
                or status.unverified >= MAX_UNVERIFIED
            )
        ]

    def statuses(self, peer: str | None = None) -> list[InstanceStatus]:
        """The newest generation of each instance, sorted."""
        with self._rows.storage.transaction() as tx:
            order = " ORDER BY peer, shard, direction, generation"
            found = (
                tx.query(_SELECT + order)
                if peer is None
                else tx.query(_SELECT + " WHERE peer = ?" + order, (peer,))
            )
        newest = {(row[0], row[1], row[2]): _status_of(row) for row in found}
        return list(newest.values())

    def quarantine(
        self, peer: str, shard: int, reason: str, *, now: float, leak_bearing: bool = True, login: int = 0
    ) -> bool:
        """Freeze the pair's instances of this shard, durably, before the caller answers anybody.

        The same transaction destroys the presignatures made over them, and notes what a login must be
        younger than to end this: the moment, and the `login` in use at it (unix seconds), since an issuer's
        clock may be ahead of ours. `leak_bearing` failures count towards suspension; gives whether the pair
        is suspended now. Never call it for a wrong length, a
        stale session or a version mismatch: a third party could then freeze honest pairs.
        """
        with self._rows.storage.transaction(outermost=True) as tx:
            for direction in Direction:
                status = self._status(tx, peer, shard, direction, for_update=True)
                if status is not None and status.state is InstanceState.ACTIVE:
                    self._leave(tx, status, InstanceState.QUARANTINED, reason)
            self._note_quarantine(peer, shard, max(int(now), login))
            burn_pair(tx, peer, shard)
            suspended = False
            if leak_bearing:
                tx.execute(
                    "INSERT INTO instance_failures (peer, shard, at, reason) VALUES (?, ?, ?, ?)",
                    (peer, shard, now, reason),
                )
                ((failures,),) = tx.query(
                    "SELECT COUNT(*) FROM instance_failures WHERE peer = ? AND at > ?",
                    (peer, now - FAILURE_WINDOW_SECONDS),
                )
                suspended = failures >= FAILURES_BEFORE_SUSPENSION
            if suspended:
                self._suspend(tx, peer, reason, now)
            self._rows.generation.advance(tx)
        return suspended

    def is_open_to(self, peer: str, shard: int, direction: Direction, login: int) -> bool:
        """Whether a login issued at `login` may set up afresh: no quarantine, or one that it ends."""
        with self._rows.storage.transaction() as tx:
            status = self._status(tx, peer, shard, direction)
            noted = self._records.get(_QUARANTINE, f"{peer}/{shard}")
        if status is None or status.state is not InstanceState.QUARANTINED:
            return True
        return noted is None or login > int(noted.value)

    def _note_quarantine(self, peer: str, shard: int, since: int) -> None:
        name = f"{peer}/{shard}"
        known = self._records.get(_QUARANTINE, name)
        version = NEW if known is None else known.version
        self._records.put(_QUARANTINE, name, str(since).encode(), expected=version)

    def suspension(self, peer: str) -> str | None:
        """Why the pair with `peer` is suspended, or None."""
        with self._rows.storage.transaction() as tx:
            found = tx.query_one("SELECT reason FROM suspensions WHERE peer = ?", (peer,))
        return None if found is None else str(found[0])

    def reinstate(self, peer: str) -> None:
        """An operator has looked into it: earlier failures are forgotten. Instances must be made afresh."""
        with self._rows.storage.transaction() as tx:
            tx.execute("DELETE FROM suspensions WHERE peer = ?", (peer,))
            tx.execute("DELETE FROM instance_failures WHERE peer = ?", (peer,))

    def retire_all(self, tx: Transaction, reason: str) -> None:
        """Retire every ACTIVE instance: after a rollback a quarantine may have been forgotten."""
        for row in tx.query(_SELECT + " WHERE state = 'active'"):
            self._leave(tx, _status_of(row), InstanceState.RETIRED, reason)

    def _suspend(self, tx: Transaction, peer: str, reason: str, now: float) -> None:
        tx.execute(
            "INSERT INTO suspensions (peer, at, reason) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (peer, now, reason),
        )
        burn_pair(tx, peer, None)
        rows = tx.query(
            _SELECT + " WHERE peer = ? AND state = 'active'",
            (peer,),
            for_update=True,
        )
        for row in rows:
            self._leave(tx, _status_of(row), InstanceState.QUARANTINED, reason)

    def _active(
        self, tx: Transaction, peer: str, shard: int, direction: Direction, generation: int | None = None
    ) -> InstanceStatus:
        self._refuse_suspended(tx, peer)
        status = self._status(tx, peer, shard, direction, for_update=generation is not None)
        if status is None or status.state is InstanceState.RETIRED:
            raise Unavailable(
                f"there is no OT instance with {peer} (shard {shard}); set one up", remedy=Remedy.RETRY
            )
        if status.state is InstanceState.QUARANTINED:
            raise _frozen(status)
        if generation not in (None, status.generation):
            raise Unavailable(
                f"the OT instance with {peer} (shard {shard}) was replaced meanwhile; begin again",
                remedy=Remedy.RETRY,
            )
        return status

    def _status(
        self, tx: Transaction, peer: str, shard: int, direction: Direction, *, for_update: bool = False
    ) -> InstanceStatus | None:
        row = tx.query_one(
            _SELECT + " WHERE peer = ? AND shard = ? AND direction = ? ORDER BY generation DESC LIMIT 1",
            (peer, shard, direction),
            for_update=for_update,
        )
        return None if row is None else _status_of(row)

    def _leave(self, tx: Transaction, status: InstanceStatus, state: InstanceState, reason: str) -> None:
        where = (status.peer, status.shard, status.direction, status.generation)
        tx.execute(
            _LEAVE + _ONE,
            (state, reason, *where),
        )
        self._rows.order_erasure(tx, _scope(*where), forever=False)

    def _count(self, tx: Transaction, status: InstanceStatus, *, unverified: int, sessions: int) -> None:
        tx.execute(
            _COUNT + _ONE,
            (unverified, sessions, status.peer, status.shard, status.direction, status.generation),
        )

    def _refuse_suspended(self, tx: Transaction, peer: str) -> None:
        found = tx.query_one("SELECT reason FROM suspensions WHERE peer = ?", (peer,))
        if found is not None:
            raise Unavailable(
                f"signing with {peer} is suspended after {FAILURES_BEFORE_SUSPENSION} failed checks in a day "
                f"(the last: {found[0]}); an operator must look into it and reinstate the pair"
            )


def _frozen(status: InstanceStatus) -> Unavailable:
    return Unavailable(
        f"the OT instance with {status.peer} (shard {status.shard}) is in quarantine since a check failed "
        f"({status.reason}); both must authenticate again and set up afresh",
        remedy=Remedy.QUARANTINE,
    )


def _status_of(row: Sequence[object]) -> InstanceStatus:
    peer, shard, direction, generation, state, unverified, sessions, born, reason = map(str, row)
    return InstanceStatus(
        peer,
        int(shard),
        Direction(direction),
        int(generation),
        InstanceState(state),
        int(unverified),
        int(sessions),
        float(born),
        reason,
    )


def _scope(peer: str, shard: int, direction: str, generation: int) -> str:
    return f"ot:{peer}:{shard}:{direction}:{generation}"


def _place(peer: str, shard: int, direction: Direction, generation: int) -> Place:
    scope = _scope(peer, shard, direction, generation)
    return Place(_TABLE, f"{shard}/{direction}/{generation}", owner=peer, scope=scope)
