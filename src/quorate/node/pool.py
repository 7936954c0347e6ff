"""A node's part in giving pool keys to accounts: what it offers, what it votes, and what it lets be used.

The rules are `quorate.account.pool`'s; here they meet the vault. A vote is durable before it is said. A key
is used in a formation on a certificate of an echo quorum of votes, whether this node has voted or not; while
a formation runs with it no other one may begin here. Runs in the worker thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from quorate.account.pool import (
    DAY_SECONDS,
    HOUR_SECONDS,
    MAX_OWN,
    OPEN_SECONDS,
    WINDOW,
    Ask,
    Claim,
    Given,
    Index,
    Limits,
    Offered,
    Own,
    Slot,
    Vote,
    Votes,
    judge,
    no_key,
)
from quorate.clock import Clock
from quorate.errors import AlreadyUsed, Malformed, ProofRejected, Refused, Remedy, Unavailable
from quorate.groups import group_named
from quorate.node.committee import Committee
from quorate.node.log import LogFunction
from quorate.node.metrics import Metrics
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.statements import Grant, KeyAssigned, to_sign
from quorate.vault import Vault
from quorate.vault.pool import KeyState, PooledKey, PoolIndex

STOCKED: Final = ("secp256k1", "ed25519")
"""Curves that keys are kept ahead for."""

ON_DEMAND: Final = ("p256", "stark", "ristretto255", "bls12381g1", "bls12381g2")
"""Curves that few wallets have: keys are made when a device asks for them, and few at a time."""

CURVES: Final = (*STOCKED, *ON_DEMAND)
"""Curves that wallets may have keys on."""

DEMAND_SECONDS: Final = 120.0
"""How long a question for keys of a curve without stock counts: twice as long as a device waits for one."""


class NodePool:
    """`network` is the network's name, `me` this node's."""

    def __init__(
        self,
        network: str,
        me: str,
        committee: Committee,
        vault: Vault,
        clock: Clock,
        log: LogFunction,
        metrics: Metrics,
        limits: Limits,
    ) -> None:
        self.limits = limits
        self._network = network
        self._me = me
        self._committee = committee
        self._vault = vault
        self._clock = clock
        self._log = log
        self._metrics = metrics
        self._forming: set[PoolIndex] = set()
        self._wanted: dict[str, float] = {}
        self.demanded: Callable[[], None] = _nothing

    def offer(self, account: bytes, ask: Ask) -> Offered:
        """What this account may claim here. Raises `Refused`."""
        self._check_curve(ask.curve)
        now, pool = self._clock(), self._vault.pool
        if ask.curve in ON_DEMAND:
            self._wanted[ask.curve] = now
            self.demanded()
        newest = sorted(pool.open_of(ask.curve, account), key=lambda key: -key.committed)[:MAX_OWN]
        # Which of its devices asks is not known here, so any commitment that is young counts as another's.
        own = [Own(_of(key.index), _slot(key).is_held(b"", now)) for key in newest]
        free = [] if self._vault.rolled_back else pool.unassigned(ask.curve, WINDOW)
        return Offered(tuple(own), tuple(_of(index) for index in free))

    def is_wanted(self, curve: str) -> bool:
        """Whether a device has asked for keys of a curve without stock, a moment ago."""
        asked = self._wanted.get(curve)
        return asked is not None and self._clock() < asked + DEMAND_SECONDS

    def vote(self, account: bytes, claim: Claim) -> Votes:
        """Our votes on the claimed keys: each is durable when this returns. Raises `Refused`."""
        self._check_curve(claim.curve)
        if self._vault.rolled_back:
            raise Refused(
                f"{self._me} was restored from an older copy and waits for its operator", code="rolled-back"
            )
        if claim.epoch != self._committee.epoch:
            raise Refused(f"the committee is in epoch {self._committee.epoch}; read it anew", code="epoch")
        if self._committee.changing:
            # A vote that the next committee does not hear of would leave the key to another account as well.
            raise Refused(
                "the committee is changing; keys are given again in a moment",
                code="changing",
                parties=[self._me],
                remedy=Remedy.RETRY,
            )
        if len(set(claim.indices)) != len(claim.indices):
            raise Refused("a key is claimed once", code="payload")
        with self._vault.transaction():
            votes = tuple(self._vote(account, claim, index) for index in claim.indices)
        for vote in votes:
            self._metrics.count("pool_votes", outcome=vote.reason or "signed")
        return Votes(votes)

    def redeem(
        self, account: bytes, curve: str, commitment: bytes, grants: Sequence[Grant]
    ) -> tuple[GeneratedKey, ...]:
        """Our parts of granted keys; until `release` no other formation uses them. Raises `Refused`."""
        wanted = [_index(curve, (grant.batch, grant.position)) for grant in grants]
        if len(set(wanted)) != len(wanted) or self._forming & set(wanted):
            raise no_key("pool-held", node=self._me)
        for grant in grants:
            self._check(grant, grant.statement(self._network, curve, account, commitment))
        try:
            with self._vault.transaction():
                parts = [self._vault.pool.grant(index, account) for index in wanted]
        except Unavailable:
            raise no_key("pool-taken", node=self._me) from None
        self._forming |= set(wanted)
        return tuple(GeneratedKey.from_bytes(part.reveal()) for part in parts)

    def release(self, curve: str, grants: Sequence[Grant]) -> None:
        """The formation with these is over, well or badly."""
        self._forming -= {_index(curve, (grant.batch, grant.position)) for grant in grants}

    def formed(self, curve: str, grants: Sequence[Grant]) -> None:
        """In the transaction that stores what was formed: the first key is used, the others are set apart."""
        first, *spares = (_index(curve, (grant.batch, grant.position)) for grant in grants)
        self._vault.pool.use(first)
        for spare in spares:
            self._vault.pool.set_apart(spare)

    def _vote(self, account: bytes, claim: Claim, index: Index) -> Vote:
        pool, now = self._vault.pool, self._clock()
        at = _index(claim.curve, index)
        key = pool.get(at, for_update=True)
        try:
            if key is None:
                raise no_key("pool-unknown")
            given = self._given(claim.curve, account, now)
            judge(_slot(key), account, claim.commitment, given, now, self.limits)
            pool.sign(at, account, claim.commitment, now)
        except Refused as refused:
            return Vote(index, b"", refused.code)
        except (AlreadyUsed, Unavailable):
            return Vote(index, b"", "pool-unknown")
        batch, position = index
        statement = KeyAssigned(
            self._network, claim.epoch, claim.curve, batch, position, account, claim.commitment
        )
        return Vote(index, self._committee.keys.sign(to_sign(statement)))

    def _given(self, curve: str, account: bytes, now: float) -> Given:
        pool = self._vault.pool
        held = pool.open_of(curve, account)
        return Given(
            sum(key.signed > now - OPEN_SECONDS for key in held),
            pool.signed_since(now - DAY_SECONDS, account, curve),
            pool.signed_since(now - HOUR_SECONDS),
        )

    def _check(self, grant: Grant, statement: KeyAssigned) -> None:
        record = self._committee.at(grant.epoch)
        if record is None:
            raise Refused("this node does not know the committee that signed it", code="certificate")
        try:
            grant.verify(statement, record.identities, record.quorums.echo)
        except (ProofRejected, Malformed) as error:
            raise Refused(str(error), code="certificate", parties=[self._me], remedy=Remedy.ASK) from None

    def _check_curve(self, curve: str) -> None:
        if curve not in CURVES:
            raise Refused(f"wallets have keys on {', '.join(CURVES)}", code="payload", parties=[self._me])
        try:
            group_named(curve)
        except Unavailable as error:
            raise Refused(f"{self._me}: {error}", code="curve", parties=[self._me]) from None


def _nothing() -> None:
    return None


def _index(curve: str, index: Index) -> PoolIndex:
    return PoolIndex(curve, *index)


def _of(index: PoolIndex) -> Index:
    return index.batch, index.position


def _slot(key: PooledKey) -> Slot:
    spent = key.apart or key.state in (KeyState.USED, KeyState.BURNED, KeyState.CLOSED)
    return Slot(key.account, key.commitment, key.committed, spent)
