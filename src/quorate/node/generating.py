"""Refilling the pool: batches of committee keys, made in the background whenever too few are free.

The nodes make a batch in a session of their own (`quorate.sharing.dkg`), which stands until it has come to
its end (`quorate.node.standing`). Its agreement follows from the committee, the curve, the batch's number and
its size, so that nobody proposes it; everybody who finds the pool low begins the same. What a node begins and
joins, it decides from its own vault alone:

- It begins the number after the highest it knows, when free keys and those under way are fewer than its
  target. One node is first by rotation, the others follow a little later: where their operators chose
  different sizes, the first one's is made by all.
- It joins what others begin while there is room: at most `target` and two batches above. So whoever asks for
  keys without end is given no more than that.
- It takes part in each number once, and notes it before it says anything: the session's nonces are derived,
  and another run under the same ones would say two things in one place.

Batches grow from `FIRST_BATCH`, so that a new network has keys within a second or two. Work goes on below
the configured share of a core, except while there is hardly a key: then somebody is waiting, or will be.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from quorate.clock import Clock
from quorate.encoding import decode
from quorate.errors import AlreadyUsed, LocalError, Malformed, QuorateError, Refused, Unavailable
from quorate.groups import group_named
from quorate.node.committee import Committee
from quorate.node.log import LogFunction
from quorate.node.metrics import Metrics
from quorate.node.pool import CURVES, ON_DEMAND, STOCKED
from quorate.node.standing import Seat, StandingProtocol, StandingSessions
from quorate.node.standing.protocol import Write
from quorate.session import Party, PartyId, SessionSpec
from quorate.sharing.dkg import DKG, Batch, DkgResult, declaration, generate
from quorate.transport.links import NotNow
from quorate.vault import Vault
from quorate.vault.pool import BatchState

FIRST_BATCH: Final = 8
"""Keys of batch 1; each further one is twice as large, up to the configured size."""

SCARCE: Final = 4
"""Free keys of the first curve below which making more is no background work: two wallets' worth."""

DEMANDED_KEYS: Final = 4
"""Keys of a batch of a curve without stock, and how many of them are free at most before more are made: two
wallets with a backup. Who asks and takes none has made the nodes work once."""

MAX_UNDER_WAY: Final = 2
"""Batches of one curve at a time: a second one, where nodes have begun different numbers."""

MAX_AHEAD: Final = 1 << 16
"""How far beyond the highest number known here a batch may be: farther than a node can have been away.
Without it, one node that begins the last number there is would end all generation for ever."""

TURN_SECONDS: Final = 1.0
"""How long each node waits for the one before it by rotation to begin a batch."""

LOOK_SECONDS: Final = 5.0
"""How often the pool is looked at without a reason."""


@dataclass(frozen=True, slots=True)
class Level:
    """One curve of the pool at this node. `coming` are keys of batches under way."""

    curve: str
    free: int
    coming: int
    target: int
    under_way: tuple[int, ...]
    highest: int

    @property
    def is_low(self) -> bool:
        """Whether a batch should be begun."""
        return self.free + self.coming < self.target and len(self.under_way) < MAX_UNDER_WAY


class PoolBatches(StandingProtocol):
    """Which generations this node takes part in, and where their keys go. Runs in the background thread."""

    def __init__(
        self,
        me: str,
        network: str,
        committee: Committee,
        vault: Vault,
        *,
        target: int,
        batch: int,
        log: LogFunction,
        metrics: Metrics,
        is_wanted: Callable[[str], bool] = lambda curve: False,
    ) -> None:
        self._me = me
        self._network = network
        self._committee = committee
        self._vault = vault
        self._target = target
        self._batch = batch
        self._is_wanted = is_wanted
        self._log = log
        self._metrics = metrics
        self.stored: Callable[[], None] = _nothing

    @property
    def name(self) -> str:
        return DKG.name

    def level(self, curve: str) -> Level:
        """How full the pool is."""
        pool = self._vault.pool
        batches = pool.batches(curve)
        epoch = self._committee.epoch
        begun = [b for b in batches if b.state is BatchState.BEGUN and b.epoch == epoch]
        return Level(
            curve,
            pool.depth(curve),
            sum(batch.count for batch in begun),
            self._target_of(curve),
            tuple(batch.number for batch in begun),
            max((batch.number for batch in batches), default=0),
        )

    def next(self, level: Level) -> Batch:
        """The batch to begin next."""
        record = self._committee.record
        number = level.highest + 1
        count = min(self._batch, FIRST_BATCH << min(number - 1, 16))
        if level.curve in ON_DEMAND:
            count = DEMANDED_KEYS
        return Batch(self._network, record.epoch, record.digest, level.curve, number, count)

    def spec(self, batch: Batch) -> SessionSpec:
        """Its session."""
        return batch.spec(self._committee.identities, self._committee.quorums)

    def consider(self, spec: SessionSpec, proposer: PartyId) -> None:
        """Whether to take part. Raises `Refused`, `NotNow`."""
        batch = self._read(spec)
        record = self._committee.record
        if batch.epoch > record.epoch:
            raise NotNow("of a committee epoch that has not come here yet")
        if (batch.network, batch.epoch, batch.committee) != (self._network, record.epoch, record.digest):
            raise _refused("of another committee")
        if spec != self.spec(batch):
            raise _refused("not what follows from its own batch")
        largest, room = self._bounds(batch.curve)
        if batch.curve not in CURVES or batch.number < 1 or batch.count > largest:
            raise _refused("a batch of another curve or size than this node makes")
        try:
            group_named(batch.curve)
        except Unavailable as error:
            raise _refused(str(error)) from None
        if self._vault.pool.abstains:
            raise _refused("this node was restored from an older copy and makes no keys in this epoch")
        level = self.level(batch.curve)
        if batch.number > level.highest + MAX_AHEAD:
            raise _refused("its number is one that nobody has come to")
        if batch.number in {known.number for known in self._vault.pool.batches(batch.curve)}:
            raise _refused("its number was used")
        if len(level.under_way) >= MAX_UNDER_WAY:
            raise NotNow("other batches are under way")
        if level.free + level.coming + batch.count > room:
            raise NotNow("there are keys enough")

    def seat(self, spec: SessionSpec) -> Seat:
        """Our place in it. Raises `Refused` when the committee is another by now."""
        batch = self._read(spec)
        record = self._committee.at(batch.epoch)
        if record is None or record.digest != batch.committee or batch.epoch != self._committee.epoch:
            raise _refused("its committee is past")
        nodes, quorums, count = record.names, record.quorums, batch.count

        async def run(party: Party) -> DkgResult:
            return await generate(party, quorums=quorums, count=count, nodes=nodes)

        group = group_named(batch.curve)
        return Seat(self._committee.keys, record.identities, declaration(group, quorums, count), group, run)

    def begun(self, spec: SessionSpec) -> None:
        """In the transaction in which it begins: its number is used."""
        batch = self._read(spec)
        try:
            self._vault.pool.begin(batch.curve, batch.number, batch.count, epoch=batch.epoch)
        except (AlreadyUsed, Unavailable) as error:
            raise _refused(str(error)) from None
        self._metrics.count("pool_batches", curve=batch.curve, outcome="begun")

    def keep(self, spec: SessionSpec, value: Any) -> Write:
        """Our parts, ready to be stored as the batch that it was."""
        batch = self._read(spec)
        if not isinstance(value, DkgResult):
            raise LocalError("a generation ends with keys")
        parts = [(key.key_id, key.to_bytes()) for key in value.parts(self._me)]

        def write() -> None:
            if batch.epoch != self._committee.epoch:
                # The keys' old shares are erased everywhere; nobody was given one.
                self._vault.pool.fail(batch.curve, batch.number)
                return
            self._vault.pool.put(batch.curve, batch.number, parts, epoch=batch.epoch)
            self._metrics.count("pool_batches", curve=batch.curve, outcome="stored")
            self._log("pool", curve=batch.curve, batch=batch.number, keys=len(parts))
            self.stored()

        return write

    def failed(self, spec: SessionSpec, error: QuorateError) -> None:
        """In the transaction in which it ends without keys."""
        batch = self._read(spec)
        self._vault.pool.fail(batch.curve, batch.number)
        self._metrics.count("pool_batches", curve=batch.curve, outcome="failed")
        self.stored()

    def _target_of(self, curve: str) -> int:
        if curve not in ON_DEMAND:
            return self._target
        # An operator who wants no keys made wants none of these either.
        return min(DEMANDED_KEYS, self._target) if self._is_wanted(curve) else 0

    def _bounds(self, curve: str) -> tuple[int, int]:
        """Keys of the largest batch that we make with others, and how many of the curve we have then at most.

        Not whether a device has asked us, too: it may have asked the others a moment sooner.
        """
        if curve in ON_DEMAND:
            return DEMANDED_KEYS, 3 * DEMANDED_KEYS
        largest = max(self._batch, FIRST_BATCH)
        return largest, self._target + 2 * largest

    def _read(self, spec: SessionSpec) -> Batch:
        try:
            return decode(Batch, spec.payload)
        except Malformed as error:
            raise _refused(str(error)) from None


class Refill:
    """Keeps the pool at its target, for as long as `run` does."""

    def __init__(
        self,
        me: str,
        committee: Committee,
        batches: PoolBatches,
        standing: StandingSessions,
        worker: Callable[..., Awaitable[Any]],
        *,
        share: float,
        clock: Clock,
        log: LogFunction,
        metrics: Metrics,
    ) -> None:
        self._me = me
        self._committee = committee
        self._batches = batches
        self._standing = standing
        self._worker = worker
        self._share = share
        self._clock = clock
        self._log = log
        self._metrics = metrics
        self._wanted = asyncio.Event()
        self._low_since: dict[tuple[str, int], float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        batches.stored = self.look

    def look(self) -> None:
        """Look at the pool now and not at the next time; from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wanted.set)

    async def run(self) -> None:
        """Begin batches whenever the pool is low."""
        self._loop = asyncio.get_running_loop()
        while True:
            self._wanted.clear()
            pause = LOOK_SECONDS
            try:
                pause = await self._round()
            except QuorateError as error:
                self._log("pool", error=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):  # not wait_for, which may swallow a cancellation
                    await self._wanted.wait()

    async def levels(self) -> list[Level]:
        """How full the pool is, curve by curve; of those without stock only what was ever asked for."""
        found: list[Level] = await self._worker(lambda: [self._batches.level(curve) for curve in CURVES])
        return [level for level in found if level.curve in STOCKED or level.target or level.highest]

    async def _round(self) -> float:
        """Begin what is due; gives how long to wait for the next."""
        levels = await self.levels()
        for level in levels:
            self._metrics.gauge("pool_depth", level.free, curve=level.curve)
            self._metrics.gauge("pool_coming", level.coming, curve=level.curve)
        # Somebody waits for a key on a curve without stock: that comes first, beside what is under way.
        asked = [level for level in levels if level.curve in ON_DEMAND]
        stock = [level for level in levels if level.curve not in ON_DEMAND]
        first = [level for level in (*asked, stock[0]) if level.target]
        scarce = any(level.free < min(SCARCE, level.target) for level in first)
        self._standing.pace(1.0 if scarce else self._share)
        if not self._committee.is_member:
            return LOOK_SECONDS
        # Each of the two by itself: a batch that too few nodes have the library for never ends, and whoever
        # asks for it must not keep the keys away that everybody needs.
        return min(await self._begin_first(asked), await self._begin_first(stock))

    async def _begin_first(self, levels: Sequence[Level]) -> float:
        """Begin the first batch that is due, if none is under way; gives how long to wait for the next."""
        for level in levels:
            if level.under_way:
                break  # one curve after the other: the first batch is there sooner
            if not level.is_low:
                continue
            due = self._due(level)
            if due > 0:
                return min(LOOK_SECONDS, due)
            await self._begin(level)
            break
        return LOOK_SECONDS

    async def _begin(self, level: Level) -> None:
        batch = self._batches.next(level)
        try:
            await self._standing.start(self._batches.spec(batch))
        except (Refused, NotNow, Unavailable) as error:
            self._log("pool", curve=level.curve, batch=batch.number, error=type(error).__name__)

    def _due(self, level: Level) -> float:
        """Seconds until it is our turn to begin the next batch."""
        number, now = level.highest + 1, self._clock()
        since = self._low_since.setdefault((level.curve, number), now)
        return since + TURN_SECONDS * turn(self._me, self._committee.names, number) - now


def turn(me: str, names: Sequence[str], number: int) -> int:
    """Which place we have in beginning this batch."""
    return (names.index(me) - number) % len(names)


def _refused(why: str) -> Refused:
    return Refused(f"this generation is not for this node: {why}", code="batch")


def _nothing() -> None:
    return None
