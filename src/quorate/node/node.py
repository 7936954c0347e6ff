"""One node: its vault, its identity, the sessions it takes part in, and the instances it keeps ready.

`Node` is the service without its sockets: `quorate.node.app` puts it behind HTTP and WebSocket, tests drive
it over channels in memory. All protocol steps and all storage run in one worker thread, so that a health
check is answered while a round is computed, and two sessions never interleave within a step.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from quorate.account import KeyRecord
from quorate.account.pool import Limits
from quorate.account.shards import shard_of
from quorate.chains.registry import Chains
from quorate.clock import Clock, unix_time
from quorate.entropy import Rng, system_rng
from quorate.errors import LimitExceeded, Missing, QuorateError, Refused, Remedy
from quorate.groups import SECP256K1
from quorate.identity import Login, NetworkLogin
from quorate.node.background import BackgroundThread
from quorate.node.callers import Caller, DeviceCaller
from quorate.node.carrying import Carrying
from quorate.node.challenges import Challenges
from quorate.node.committee import Committee
from quorate.node.config import NodeConfig
from quorate.node.connection import Connection, Counted
from quorate.node.epochs import Driver, EpochChange, Means
from quorate.node.generating import PoolBatches, Refill
from quorate.node.keybook import KeyBook
from quorate.node.late import ASK, TELL, LateKeys
from quorate.node.limits import (
    CLOSING_SECONDS,
    ENSURE_SECONDS,
    HANDSHAKE_SECONDS,
    MAX_CONNECTIONS,
    MAX_SESSIONS,
    MAX_SESSIONS_PER_ACCOUNT,
    MAX_SESSIONS_PER_NODE,
    PINNED_SECONDS,
    UPKEEP_SECONDS,
)
from quorate.node.links import ConnectLink, Links, link_peers
from quorate.node.log import Log, LogFunction
from quorate.node.metrics import Metrics
from quorate.node.mistakes import note_mistake, watch_tasks
from quorate.node.offers.creation import FormOffer
from quorate.node.offers.offer import Offer, Services
from quorate.node.offers.prepared import PreparedOffer, PrepareOffer
from quorate.node.offers.refreshing import RefreshOffer, burn_interrupted
from quorate.node.offers.setup import SetupOffer
from quorate.node.offers.signing import SIGN_SUFFIX, OnlineOffer, PresignOffer, SignOffer
from quorate.node.pairs import Pairs
from quorate.node.policy import DefaultPolicy, Policy
from quorate.node.pool import NodePool
from quorate.node.register import TOPIC as REGISTER_TOPIC
from quorate.node.register import NodeRegister
from quorate.node.standing import StandingSessions
from quorate.schemes.ecdsa import SETUP, PairSetup, propose_setup, set_up
from quorate.session import NONCE_BYTES, KeyPair, Session, SessionSpec
from quorate.transport.channel import Channel
from quorate.transport.host import host
from quorate.transport.hub import Hub
from quorate.transport.links import Introduction
from quorate.vault import Vault

Connect = Callable[[str], Awaitable[Channel]]
"""Opens a channel to another node, by name."""


class Node:
    """`connect` reaches other nodes; without it the node makes no instances on its own (tests, one node)."""

    def __init__(
        self,
        config: NodeConfig,
        vault: Vault,
        *,
        connect: Connect | None = None,
        connect_link: ConnectLink | None = None,
        policy: Policy | None = None,
        login: Login | None = None,
        log: LogFunction | None = None,
        clock: Clock = unix_time,
        rng: Rng = system_rng,
    ) -> None:
        self.config = config
        self.vault = vault
        self.committee = Committee(config, vault, rng)
        self.metrics = Metrics()
        self.log = log or Log(config.name)
        self.challenges = Challenges(rng, clock)
        self.keybook = KeyBook(config.name, vault)
        self.carrying = Carrying(config.name, vault, self.keybook, self.committee)
        self.chains = Chains(config.chains)
        self.login: Login = login or NetworkLogin(config.network, config.network_key)
        self.pairs = Pairs(config.name, vault, self.committee, clock, self.log, self.worker)
        self.pool = NodePool(
            config.network,
            config.name,
            self.committee,
            vault,
            clock,
            self.log,
            self.metrics,
            Limits(open=config.pool_account_keys, day=config.pool_account_keys),
        )
        self.clock = clock
        self.rng = rng
        self._connect = connect
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="session")
        self.background = BackgroundThread()
        self.links = Links(
            Introduction(config.network, config.name, self.committee.keys),
            vault.outbox,
            connect_link,
            self.background.run,
            rng=rng,
            metrics=self.metrics,
            log=self.log,
        )
        self.links.admit(link_peers(self.committee.record))
        self.standing = StandingSessions(
            config.name,
            vault,
            self.links,
            self.background.run,
            share=config.background_cpu,
            clock=clock,
            rng=rng,
            log=self.log,
            metrics=self.metrics,
        )
        self.batches = PoolBatches(
            config.name,
            config.network,
            self.committee,
            vault,
            target=config.pool_target,
            batch=config.pool_batch,
            log=self.log,
            metrics=self.metrics,
            is_wanted=self.pool.is_wanted,
        )
        self.standing.speak(self.batches)
        self.refill = Refill(
            config.name,
            self.committee,
            self.batches,
            self.standing,
            self.background.run,
            share=config.background_cpu,
            clock=clock,
            log=self.log,
            metrics=self.metrics,
        )
        self.pool.demanded = self.refill.look
        self.epochs = EpochChange(
            Means(
                config.name,
                vault,
                self.committee,
                self.keybook,
                self.carrying,
                self.links,
                self.standing,
                self.worker,
                self.background.run,
                self._makes_wallets,
                clock,
                rng,
                self.log,
                self.metrics,
            )
        )
        self.driver = Driver(self.epochs, renewal_seconds=config.renewal_days * 24 * 3600.0)
        self.register = NodeRegister(
            config.network,
            config.name,
            vault,
            self.committee.keys,
            self.committee,
            self.keybook,
            self.links,
            clock,
            self.log,
        )
        self.links.on(REGISTER_TOPIC, self._take_register)
        self.late = LateKeys(
            config.name,
            vault,
            self.keybook,
            self.committee,
            self.links,
            clock,
            self.log,
            self.metrics,
        )
        self.register.missed = self.late.missed
        self.links.on(ASK, self._take_late_question)
        self.links.on(TELL, self._take_late_answer)
        self._running: Counter[bytes] = Counter()
        self._connections: set[asyncio.Task[Any]] = set()
        self._background: set[asyncio.Task[Any]] = set()
        self.hosted: set[Counted] = set()
        self.companions: list[Callable[[], Coroutine[Any, Any, None]]] = []
        """What else runs in the background for as long as the node does."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self.committee.follow(self._committee_changed)
        self.metrics.gauge("committee_epoch", self.committee.epoch)
        self.closing = False
        self._services = services = Services(
            config=config,
            committee=self.committee,
            vault=vault,
            keybook=self.keybook,
            pairs=self.pairs,
            pool=self.pool,
            chains=self.chains,
            policy=policy or DefaultPolicy(config.allow_blind),
            clock=clock,
            rng=rng,
            log=self.log,
            worker=self.worker,
            ensure=self.ensure,
        )
        self._signing = SignOffer(services)
        self._offers: dict[str, Offer] = {
            "formation": FormOffer(services),
            "refresh": RefreshOffer(services),
            SETUP.name: SetupOffer(services),
            "ecdsa.sign": self._signing,
            "ecdsa.presign": PresignOffer(services),
            "ecdsa.online": OnlineOffer(services),
            "schnorr.prepare": PrepareOffer(services),
            "schnorr.online": PreparedOffer(services),
        }
        burn_interrupted(vault)
        # A snapshot of the whole machine shows no rollback. What it brings back as unused is never used.
        burned = vault.presignatures.burn_all()
        if burned:
            self.log("burned", presignatures=burned)

    @property
    def identity(self) -> KeyPair:
        """Our keys in the present epoch."""
        return self.committee.keys

    async def worker(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a blocking function in the node's one worker thread; the background stands aside meanwhile."""
        loop, ahead = asyncio.get_running_loop(), self.background.ahead
        return await loop.run_in_executor(self._threads, ahead, function, *arguments)

    # --- sessions others open with us ----------------------------------------------------------------

    async def serve(self, channel: Channel) -> None:
        """Host one session on a connection, if there is room; the caller closes it afterwards."""
        self._loop = asyncio.get_running_loop()
        if len(self._connections) >= MAX_CONNECTIONS:
            self.metrics.count("connections_refused")
            return
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
        try:
            await host(channel, Connection(self), self.worker, first=HANDSHAKE_SECONDS)
        except Exception as error:  # noqa: BLE001 - one session's mistake ends nothing but that session
            note_mistake(self.log, self.metrics, error)
        finally:
            if task is not None:
                self._connections.discard(task)

    def admit(self, caller: Caller) -> bytes:
        """Count a session in; gives what `dismiss` takes. Raises `LimitExceeded` with remedy retry."""
        is_device = isinstance(caller, DeviceCaller)
        whose = caller.account if isinstance(caller, DeviceCaller) else caller.name.encode()
        if self.vault.rolled_back:
            raise Refused(
                f"{self.config.name} was restored from an older copy and waits for its operator",
                code="rolled-back",
                parties=[self.config.name],
            )
        if self.closing:
            raise LimitExceeded(
                f"{self.config.name} is shutting down; try again shortly", remedy=Remedy.RETRY
            )
        if self._running.total() >= MAX_SESSIONS:
            raise LimitExceeded(f"{self.config.name} is busy; try again shortly", remedy=Remedy.RETRY)
        if self._running[whose] >= (MAX_SESSIONS_PER_ACCOUNT if is_device else MAX_SESSIONS_PER_NODE):
            who = "this account" if is_device else "this node"
            raise LimitExceeded(f"too many sessions of {who} at once", remedy=Remedy.RETRY)
        self._running[whose] += 1
        self.metrics.gauge("sessions", self._running.total())
        return whose

    def dismiss(self, whose: bytes) -> None:
        """A session has ended, well or badly."""
        self._running[whose] -= 1
        if not self._running[whose]:
            del self._running[whose]
        self.metrics.gauge("sessions", self._running.total())

    def _committee_changed(self) -> None:
        """Sessions keep the keys and shares they were opened with, and go on; but not for ever."""
        self.log("committee", epoch=self.committee.epoch, nodes=len(self.committee.names))
        self.metrics.gauge("committee_epoch", self.committee.epoch)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._in_background_later, self.committee.epoch)
            self._loop.call_soon_threadsafe(self.links.admit, link_peers(self.committee.record))

    async def _take_late_question(self, sender: str, body: bytes) -> None:
        await self.worker(self.late.asked, sender, body)

    async def _take_late_answer(self, sender: str, body: bytes) -> None:
        await self.worker(self.late.told, sender, body)

    async def _take_register(self, sender: str, body: bytes) -> None:
        """A part of another node's last words in an epoch; they carry their own signatures."""
        await self.worker(self.register.take_in, body)

    def _makes_wallets(self) -> bool:
        return any(hosted.session.spec.protocol in ("formation", "refresh") for hosted in self.hosted)

    def _in_background_later(self, epoch: int) -> None:
        self._in_background(self._end_sessions_before(epoch))

    async def _end_sessions_before(self, epoch: int) -> None:
        await asyncio.sleep(PINNED_SECONDS)
        over = Refused("the committee has gone on to another epoch", code="epoch", remedy=Remedy.RETRY)
        for hosted in [hosted for hosted in self.hosted if hosted.epoch < epoch]:
            await self.worker(hosted.session.abandon, over)
            self.log("unpinned", protocol=hosted.session.spec.protocol, session=hosted.session.id)

    async def reaches(self, peer: str) -> bool:
        """Whether another node's process answers at this moment."""
        if self._connect is None:
            return False
        try:
            channel = await self._connect(peer)
        except (QuorateError, TimeoutError, OSError):
            return False
        await channel.close()
        return True

    def sessions_before(self, epoch: int) -> int:
        """How many sessions run that were opened in an earlier committee epoch."""
        return sum(hosted.epoch < epoch for hosted in self.hosted)

    def offer(self, spec: SessionSpec) -> Offer:
        """The offer for a protocol. Raises `Refused`."""
        found = self._offers.get(spec.protocol)
        if found is None and spec.protocol.endswith(SIGN_SUFFIX):
            # of whatever scheme: the payload says which, and it says whether this is its protocol
            return self._signing
        if found is None:
            raise Refused(f"{self.config.name} does not speak {spec.protocol[:64]}", code="protocol")
        return found

    # --- sessions we open with other nodes -----------------------------------------------------------

    async def ensure(self, peer: str, shard: int) -> None:
        """Wait for an instance with another node, making it if that is our part. Raises `Missing`.

        Not for longer than the other end deserves: whoever waits here holds a session's seat.
        """
        try:
            await asyncio.wait_for(self.pairs.ensure(peer, shard, self._open_setup), ENSURE_SECONDS)
        except TimeoutError:
            raise Missing(
                f"{peer} has not finished an instance with {self.config.name} in time",
                parties=[peer],
                needed=1,
            ) from None

    async def ensure_shard(self, account: bytes) -> None:
        """Make all instances of an account's shard that are ours to make; the other nodes do theirs."""
        shard = shard_of(account)
        await asyncio.gather(*(self.ensure(p, shard) for p in self.committee.names if p > self.config.name))

    async def _open_setup(self, peer: str, shard: int, generation: int) -> None:
        if self._connect is None:
            raise Refused(f"{self.config.name} cannot reach other nodes", code="no-transport")
        me, identity, known = self.config.name, self.identity, self.committee.identities
        if me not in known or peer not in known:
            raise Refused(f"{me} and {peer} are not both of the committee", code="committee", parties=[peer])
        roster = {name: known[name] for name in (me, peer)}
        proposal = propose_setup(roster, shard, generation)

        def local(spec: SessionSpec) -> Session[PairSetup]:
            def run(party: Any) -> Any:
                return set_up(party, shard, generation)

            return Session(spec, me, identity, roster, SETUP, SECP256K1, run, rng=self.rng)

        channel = await self._connect(peer)
        try:
            hub = Hub({peer: channel}, roster, proposer=me, identity=identity, worker=self.worker)
            _, setup = await hub.run(proposal, {me: self.rng(NONCE_BYTES)}, local)
        finally:
            await channel.close()
        await self.worker(self.pairs.store, peer, setup)
        self.metrics.count("instances", peer=peer)

    # --- life ----------------------------------------------------------------------------------------

    def start_background(self) -> None:
        """Begin to make instances ahead and to load the chains' libraries; returns at once."""
        watch_tasks(self.log, self.metrics)
        self._in_background(asyncio.to_thread(self.chains.warm))
        if self._connect is not None:
            ahead, share = self.config.shards_ahead, self.config.background_cpu
            self._in_background(self.pairs.keep_up(ahead, share, self._open_setup))
        self._in_background(self._sweep())
        for companion in self.companions:
            self._in_background(companion())
        self.start_links()

    def start_links(self) -> None:
        """Reach the other nodes, and go on with the sessions among nodes that stand; returns at once."""
        self._in_background(self.links.run())
        self._in_background(self.standing.run())
        self._in_background(self.epochs.run())
        self._in_background(self.driver.run())
        self._in_background(self.refill.run())

    async def _sweep(self) -> None:
        while True:
            expired = await self.worker(self.vault.presignatures.purge, self.clock())
            if expired:
                self.log("purged", presignatures=expired)
            await asyncio.sleep(UPKEEP_SECONDS)

    async def close(self) -> None:
        """Take no new sessions, let running ones finish for a while, then let go of everything."""
        self.closing = True
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self.pairs.close()
        if self._connections:
            await asyncio.wait(self._connections, timeout=CLOSING_SECONDS)
        for task in self._connections:
            task.cancel()
        await asyncio.to_thread(self.background.close)
        await self.worker(self.vault.close)
        self._threads.shutdown(wait=True)
        self.log("stopped")

    def records_of(self, account: bytes) -> list[KeyRecord]:
        """All keys of an account (in the worker thread)."""
        return self.keybook.of_account(account)

    def _in_background(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background_ended)

    def _background_ended(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            note_mistake(self.log, self.metrics, error)
