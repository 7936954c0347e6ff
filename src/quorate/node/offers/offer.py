"""What an offer is, and what offers are built on.

`consider` judges a proposal before a nonce is given; `open` makes the session of the whole agreement. The
node computes every digest, coefficient and roster itself; a proposal is a request.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from quorate.account import KeyRecord
from quorate.account.shards import DEVICE_SHARD, shard_of
from quorate.chains.registry import Chains
from quorate.clock import Clock
from quorate.entropy import Rng
from quorate.errors import QuorateError, Refused, Remedy, Suspicion, Unavailable
from quorate.node.callers import Caller, DeviceCaller
from quorate.node.committee import Committee
from quorate.node.config import NodeConfig
from quorate.node.keybook import KeyBook
from quorate.node.log import LogFunction
from quorate.node.pairs import Pairs
from quorate.node.policy import Policy
from quorate.node.pool import NodePool
from quorate.schemes.ecdsa import PairSetup, StaleSetup
from quorate.session import KeyPair, PublicKeys, Session, SessionSpec
from quorate.sharing.epochs import committee_epoch
from quorate.transport.host import Hosted
from quorate.vault import Vault

T = TypeVar("T")

Partners: TypeAlias = Mapping[str, tuple[str, PairSetup]]
"""By party name: what our tables call it, and the OT setup we have with it."""


@dataclass(frozen=True, slots=True)
class Services:
    """What offers are built on. `ensure(peer, shard)` waits for an instance with another node."""

    config: NodeConfig
    committee: Committee
    vault: Vault
    keybook: KeyBook
    pairs: Pairs
    pool: NodePool
    chains: Chains
    policy: Policy
    clock: Clock
    rng: Rng
    log: LogFunction
    worker: Callable[..., Awaitable[Any]]
    ensure: Callable[[str, int], Awaitable[None]]

    @property
    def me(self) -> str:
        return self.config.name

    @property
    def identity(self) -> KeyPair:
        """Our keys in the present epoch."""
        return self.committee.keys

    def keys_in(self, roster: Mapping[str, PublicKeys]) -> KeyPair:
        """Our keys as a session's parties know them; it keeps them, whatever epoch begins meanwhile.

        Raises `Refused` when one has begun while the session was opened: with the keys of another epoch we
        would read nothing of what is sealed to us, and accuse whoever has sealed it.
        """
        keys = self.committee.keys
        if roster[self.me] != keys.public:
            raise Refused(
                "another committee epoch has begun; read the committee anew", code="epoch", parties=[self.me]
            )
        return keys

    def check_epoch(self, record: KeyRecord) -> None:
        """Raises `Refused` for a record that no committee will know: another epoch began with its making."""
        if committee_epoch(record.epoch) != self.committee.epoch or self.committee.frozen:
            raise Refused("another committee epoch begins; begin again", code="epoch", parties=[self.me])

    def check_quiet(self) -> None:
        """Raises `Refused` while the committee changes: what is begun now would come too late for it."""
        if self.committee.changing:
            raise Refused(
                "the committee is changing; wallets are made again in a moment",
                code="changing",
                parties=[self.me],
                remedy=Remedy.RETRY,
            )


class Offer(Protocol):
    """One protocol a node serves."""

    async def consider(self, caller: Caller, spec: SessionSpec) -> None:
        """Raises `Refused` unless this caller may have such a session."""

    async def open(self, caller: Caller, spec: SessionSpec, roster: Mapping[str, PublicKeys]) -> Hosted:
        """The session, ready to start."""


class JudgedOffer(ABC, Generic[T]):
    """An offer whose judgement is one blocking function: made when proposed, and again when begun."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def consider(self, caller: Caller, spec: SessionSpec) -> None:
        """Raises `Refused` unless this caller may have such a session."""
        await self.judged(caller, spec)

    async def judged(self, caller: Caller, spec: SessionSpec) -> T:
        """What `_judge` gives, from the worker thread."""
        found: T = await self._services.worker(self._judge, caller, spec)
        return found

    @abstractmethod
    def _judge(self, caller: Caller, spec: SessionSpec) -> T:
        """What the session is about, by our own records. Raises `Refused`."""


@dataclass(slots=True)
class Run(Hosted):
    """A hosted session with what happens at its end."""

    session: Session[Any]
    services: Services
    on_finish: Callable[[Any], bytes]
    partners: Partners = field(default_factory=dict)
    on_fail: Callable[[], None] | None = None

    def finish(self) -> bytes:
        return self.on_finish(self.session.result())

    def fail(self, error: QuorateError) -> None:
        """What a session leaves behind that did not finish. A leak was stored where it was found (`checked`);
        what others report freezes nothing here, or anybody could separate two honest parties."""
        if self.session.error is error and isinstance(error, StaleSetup):
            for name in error.parties:
                if name in self.partners:
                    peer, setup = self.partners[name]
                    self.services.pairs.differs(peer, setup)
        if self.on_fail is not None:
            self.on_fail()


@contextmanager
def checked(services: Services, caller: DeviceCaller, partners: Partners) -> Iterator[None]:
    """The context of a session's leak-bearing checks (`checking` of `quorate.schemes.ecdsa.presign`).

    Counts on entry and not when the session opens: whoever opens sessions and waits, or hangs up, uses up
    nothing that two honest nodes share. What dies inside, with the process, stays counted.
    """
    with services.pairs.checking(partners.values()):
        try:
            yield
        except Suspicion as error:
            for name in error.parties if error.leak_bearing else ():
                if name in partners:
                    # In this very step: before anybody is answered, and before another session's check.
                    peer, setup = partners[name]
                    reason, login = str(error)[:200], caller.logged_in if peer == caller.peer else 0
                    services.pairs.freeze(peer, setup.shard, reason, leak_bearing=True, login=login)
            raise


def refuse_frozen(services: Services, partners: Partners) -> None:
    """Raises `Unavailable` if one of these instances was frozen since it was loaded."""
    for peer, setup in partners.values():
        services.pairs.refuse_frozen(peer, setup)


async def partners_of(
    services: Services, caller: DeviceCaller, spec: SessionSpec
) -> dict[str, tuple[str, PairSetup]]:
    """Our OT setup with every other signer. Raises `Refused` or `Missing`."""
    shard = shard_of(caller.account)
    others = [name for name in spec.parties if name != services.me]
    for name in others:
        if name in services.committee.names:
            await services.ensure(name, shard)
    found: dict[str, tuple[str, PairSetup]] = await services.worker(
        _take_pairs, services, caller, others, shard
    )
    return found


def _take_pairs(
    services: Services, caller: DeviceCaller, others: list[str], shard: int
) -> dict[str, tuple[str, PairSetup]]:
    found = {}
    for name in others:
        is_node = name in services.committee.names
        peer, where = (name, shard) if is_node else (caller.peer, DEVICE_SHARD)
        me_and_it = [services.me, name]
        try:
            found[name] = (peer, services.pairs.load(peer, where))
        except Unavailable as error:
            code = "login-again" if error.remedy == "quarantine" else "no-instance"
            raise Refused(str(error), code=code, parties=me_and_it, remedy=error.remedy) from None
        if not services.pairs.is_active(peer, where):
            what = f"the OT instance of {services.me} and {name} is used up; set up afresh"
            raise Refused(what, code="no-instance", parties=me_and_it, remedy=Remedy.RETRY)
    return found
