"""The node's OT instances: with other nodes, one for each shard of accounts, and with devices, one each.

Between two nodes the one whose name comes first opens the setup; the other waits for it, and opens one itself
when none comes: it may be the only one that knows that theirs is used up or frozen. Instances with nodes are
made ahead in the background, under a cap on CPU, and at once when a session needs one that is not there. An
instance is stored under one generation at both ends. The generation is at least the unix time of its making,
so that it is above whatever either has seen, and the two ends number apart: of two instances made at once,
the later one counts at both.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
from typing import Final

from quorate.account.shards import DEVICE_SHARD, SHARDS
from quorate.clock import Clock, monotonic, process_cpu
from quorate.errors import Missing, QuorateError, Refused
from quorate.node.callers import Caller, DeviceCaller
from quorate.node.committee import Committee
from quorate.node.limits import ENSURE_SECONDS, PATIENCE_SECONDS, POLL_SECONDS, UPKEEP_SECONDS
from quorate.node.log import LogFunction
from quorate.schemes.ecdsa.setup import PairSetup
from quorate.transport.host import Worker
from quorate.vault import Vault
from quorate.vault.instances import (
    MAX_SESSIONS,
    MAX_UNVERIFIED,
    Direction,
    InstanceState,
    InstanceStatus,
)

_KEPT_UNDER: Final = Direction.SENDER
"""Both directions are made and replaced together, so one sealed row holds both."""

GENERATION_TRIES: Final = 8
"""Setups opened in a row until the generation is new to the other end. Generations follow the clock, so that
the other end is ahead by no more than the setups that were lost within a second or two."""

GENERATION_AHEAD_SECONDS: Final = 24 * 3600
"""How far another node's generation may be ahead of our clock. Generations only grow, and end at 2^32: one
node that names the last of them would leave the pair without a next one, also after it was put right."""

OpenSetup = Callable[[str, int, int], Awaitable[None]]
"""Runs the setup with (peer, shard, generation) as its hub; the instance is stored when it returns."""


class Pairs:
    """Storage and upkeep of a node's instances. `open_setup` is given once the node can reach others."""

    def __init__(
        self,
        me: str,
        vault: Vault,
        committee: Committee,
        clock: Clock,
        log: LogFunction,
        worker: Worker,
    ) -> None:
        self._me = me
        self._vault = vault
        self._committee = committee
        self._clock = clock
        self._log = log
        self._worker = worker
        self._making: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._tried: dict[tuple[str, int], int] = {}
        self._differed: dict[tuple[str, int], int] = {}

    # --- storage (in the worker thread) --------------------------------------------------------------

    def load(self, peer: str, shard: int) -> PairSetup:
        """The active instance. Raises `Unavailable` with its remedy."""
        kept = self._vault.instances.load(peer, shard, _KEPT_UNDER)
        return PairSetup.from_bytes(kept.value.reveal())

    def store(self, peer: str, setup: PairSetup) -> None:
        """Keep a fresh instance; it replaces its predecessor."""
        self._vault.instances.store(
            peer, setup.shard, _KEPT_UNDER, setup.generation, setup.to_bytes(), now=self._clock()
        )

    def accept(self, caller: Caller, setup: PairSetup) -> None:
        """Keep what a session that `caller` opened has made.

        Raises `Refused` where it may not *now*: a setup that was begun before a quarantine and finished after
        it would otherwise be the way out of it without a new login.
        """
        with self._vault.transaction():
            if isinstance(caller, DeviceCaller):
                self._require_login_after_quarantine(caller, setup.shard)
            self.store(caller.peer, setup)

    def checking(self, used: Iterable[tuple[str, PairSetup]]) -> AbstractContextManager[None]:
        """Count one use of each of these instances while their checks run inside."""
        return self._vault.instances.checking(
            [(peer, setup.shard, _KEPT_UNDER, setup.generation) for peer, setup in used]
        )

    def refuse_frozen(self, peer: str, setup: PairSetup) -> None:
        """Raises `Unavailable` if the instance was frozen since it was loaded."""
        self._vault.instances.refuse_frozen(peer, setup.shard, _KEPT_UNDER, setup.generation)

    def differs(self, peer: str, setup: PairSetup) -> None:
        """The other end came with another setup (docs/protocols/ecdsa.md, step 2.2).

        Given up only when this happens to one setup twice. Once, it was most likely being replaced: were it
        given up then, the next session would meet the replacement of that at one end only, and so on. And a
        hub can let two honest ends differ, by telling one of them to begin before a replacement.
        """
        key = peer, setup.shard
        if self._differed.get(key) == setup.generation:
            reason = "the other end holds another setup"
            self._vault.instances.retire(peer, setup.shard, _KEPT_UNDER, setup.generation, reason)
        self._differed[key] = setup.generation

    def freeze(self, peer: str, shard: int, reason: str, *, leak_bearing: bool, login: int = 0) -> None:
        """Quarantine the instance, durably; only a login younger than that, and than `login`, ends it."""
        self._vault.instances.quarantine(
            peer, shard, reason, now=self._clock(), leak_bearing=leak_bearing, login=login
        )
        self._log("quarantine", peer=peer, shard=shard, leak_bearing=leak_bearing)

    def next_generation(self, peer: str, shard: int) -> int:
        """A generation above everything known here, and above what was tried: the other end may have it."""
        newest = self._vault.instances.newest_generation(peer, shard, _KEPT_UNDER)
        generation = max(newest + 1, self._tried.get((peer, shard), 0) + 1, int(self._clock()))
        generation += (generation + (self._me > peer)) % 2  # even from the first by name, odd from the other
        self._tried[peer, shard] = generation
        return generation

    def check_setup(self, caller: Caller, shard: int, generation: int) -> None:
        """Whether this caller may make this instance now. Raises `Refused`."""
        if isinstance(caller, DeviceCaller):
            if shard != DEVICE_SHARD:
                raise Refused("a device has one instance with a node", code="shard")
            self._require_login_after_quarantine(caller, shard)
        elif not 0 <= shard < SHARDS:
            raise Refused(f"shards are below {SHARDS}", code="shard")
        elif caller.name > self._me and (caller.name, shard) in self._making:
            raise Refused("this node is making that instance already", code="order")
        elif generation > self._clock() + GENERATION_AHEAD_SECONDS:
            raise Refused("that generation is of another day; compare the nodes' clocks", code="clock")
        if self._vault.instances.suspension(caller.peer) is not None:
            raise Refused(
                f"signing with {self._me} is suspended; its operator can tell why", code="suspended"
            )
        newest = self._vault.instances.newest_generation(caller.peer, shard, _KEPT_UNDER)
        if generation <= newest:
            raise Refused(f"the generation must be above {newest}", code="generation")

    def _require_login_after_quarantine(self, caller: DeviceCaller, shard: int) -> None:
        """Raises `Refused` with code ``login-again`` if this login is none that ends the quarantine."""
        if not self._vault.instances.is_open_to(caller.peer, shard, _KEPT_UNDER, caller.logged_in):
            raise Refused(
                "a check between this device and the node has failed; log in again before a fresh setup",
                code="login-again",
            )

    def _status(self, peer: str, shard: int) -> InstanceStatus | None:
        found = self._vault.instances.statuses(peer)
        return next((status for status in found if status.shard == shard), None)

    def is_active(self, peer: str, shard: int) -> bool:
        """Whether an instance can be used right now."""
        status = self._status(peer, shard)
        if status is None or status.state is not InstanceState.ACTIVE:
            return False
        return status.unverified < MAX_UNVERIFIED and status.sessions < MAX_SESSIONS

    # --- upkeep (in the event loop) ------------------------------------------------------------------

    async def ensure(self, peer: str, shard: int, open_setup: OpenSetup) -> None:
        """Return once the instance with another node is active. Raises `Missing`."""
        if await self._worker(self.is_active, peer, shard):
            return
        if self._me > peer:
            await self._wait_for(peer, shard, open_setup)
            return
        await self.make(peer, shard, open_setup)

    async def make(self, peer: str, shard: int, open_setup: OpenSetup) -> None:
        """Make a fresh instance with a node that comes after us; joins a making that is under way."""
        running = self._making.get((peer, shard))
        if running is None:
            running = asyncio.create_task(self._make(peer, shard, open_setup))
            self._making[peer, shard] = running
            running.add_done_callback(lambda ended: self._made(peer, shard, ended))
        # Shielded: a session that gives up must not end the setup that others wait for.
        await asyncio.shield(running)

    def _made(self, peer: str, shard: int, task: asyncio.Task[None]) -> None:
        del self._making[peer, shard]
        if not task.cancelled():
            task.exception()  # told to those who wait; when nobody does any more, to nobody

    async def close(self) -> None:
        """Give up what is being made: nothing of it is kept before its end."""
        running = list(self._making.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _make(self, peer: str, shard: int, open_setup: OpenSetup) -> None:
        for left in reversed(range(GENERATION_TRIES)):
            generation = await self._worker(self.next_generation, peer, shard)
            try:
                await open_setup(peer, shard, generation)
            except Refused as error:
                # The other end keeps one that we have lost with an earlier life: count on until above it.
                if error.code != "generation" or not left:
                    raise
            else:
                return

    async def _wait_for(self, peer: str, shard: int, open_setup: OpenSetup) -> None:
        begun, patience = monotonic(), PATIENCE_SECONDS
        while not await self._worker(self.is_active, peer, shard):
            waited = monotonic() - begun
            if waited >= ENSURE_SECONDS:
                raise Missing(
                    f"{peer} has made no instance with {self._me} in time", parties=[peer], needed=1
                )
            if waited >= patience:
                patience += PATIENCE_SECONDS
                with contextlib.suppress(QuorateError):  # the other end may be making one at this moment
                    await self.make(peer, shard, open_setup)
            await asyncio.sleep(POLL_SECONDS)

    async def keep_up(self, shards: int, cpu_share: float, open_setup: OpenSetup) -> None:
        """Make instances ahead with every node after us, then replace the aged ones, for as long as we run.

        Pauses after each so as to stay under `cpu_share` of one core; a node that is away is passed over
        and tried again later.
        """
        for shard in range(shards):
            for peer in self._ours():
                await self._paced(self.ensure(peer, shard, open_setup), peer, shard, cpu_share)
        while True:
            await asyncio.sleep(UPKEEP_SECONDS)
            for status in await self._worker(self._due):
                if status.peer in self._ours():
                    renewal = self.make(status.peer, status.shard, open_setup)
                    await self._paced(renewal, status.peer, status.shard, cpu_share)

    def _due(self) -> list[InstanceStatus]:
        """What wants replacement: by its age and use, or because it was made in a past committee epoch.

        A thief who held a node then knows its side of these, and would learn from each signature what the
        node's share of this epoch is. Replaced in the background and not with the switch: every signature
        would wait for it.
        """
        due = self._vault.instances.due(self._clock())
        since = self._committee.since
        known = {(status.peer, status.shard) for status in due}
        return due + [
            status
            for status in self._vault.instances.statuses()
            if status.state is InstanceState.ACTIVE
            and status.born < since
            and status.peer in self._committee.names
            and (status.peer, status.shard) not in known
        ]

    def _ours(self) -> list[str]:
        """The members whose instances with us are ours to make."""
        committee = self._committee
        return [name for name in committee.names if name > self._me] if committee.is_member else []

    async def _paced(self, work: Awaitable[None], peer: str, shard: int, cpu_share: float) -> None:
        begun, cpu = monotonic(), process_cpu()
        try:
            await work
        except QuorateError as error:
            self._log("instance", peer=peer, shard=shard, error=type(error).__name__)
            await asyncio.sleep(1.0)
            return
        spent, passed = process_cpu() - cpu, monotonic() - begun
        await asyncio.sleep(max(0.0, spent / cpu_share - passed))
