"""A node's part in a wallet's first refresh: from 2-of-(committee, device) to what its owner wants.

The one refresh before a key is live needs the device's signature alone (docs/protocols/refresh.md); it is on
the agreement. The fresh line comes from a pool key kept for this wallet, which serves one request, ever: the
lock is durable before the node says anything that depends on it, and a session that ends badly burns it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from quorate.account import FactorKind, KeyRecord
from quorate.account.transitions import refreshed_record
from quorate.encoding import decode
from quorate.errors import AlreadyUsed, Malformed, Refused
from quorate.node.callers import Caller, DeviceCaller
from quorate.node.offers.offer import JudgedOffer, Run, Services
from quorate.session import Party, PublicKeys, Session, SessionSpec
from quorate.sharing.change import Change, Standing
from quorate.sharing.epochs import committee_epoch
from quorate.sharing.refresh import DECLARATION, Refreshed, refresh_as_node
from quorate.sharing.statements import to_sign
from quorate.transport.host import Hosted
from quorate.vault import Vault

_LOCKS: Final = "pool-key"


class RefreshOffer(JudgedOffer[tuple[Change, KeyRecord]]):
    """``refresh``: the first one of a key that is formed and not live yet."""

    def _judge(self, caller: Caller, spec: SessionSpec) -> tuple[Change, KeyRecord]:
        services, me = self._services, [self._services.me]
        if not isinstance(caller, DeviceCaller):
            raise Refused("a factor asks for a refresh", code="caller", parties=me)
        try:
            change = decode(Change, spec.payload)
        except Malformed as error:
            raise Refused(str(error), code="payload", parties=me) from None
        record = services.keybook.staged(change.key_id, change.epoch).record
        if services.keybook.is_live(change.key_id):
            raise Refused("the key is live; changing a live wallet comes later", code="live", parties=me)
        if record.account != caller.account or record.factor_with(caller.keys) is None:
            raise Refused("this key belongs to another account or device", code="account", parties=me)
        if (spec.key, spec.epoch, spec.suite) != (record.key, record.epoch, record.curve):
            raise Refused("the session is not about the key it asks to change", code="key", parties=me)
        if any(target.kind not in set(FactorKind) for target in change.targets):
            raise Refused("a factor is a device or a backup", code="payload", parties=me)
        factors = {target.name for target in change.targets} | {caller.name}
        if not factors <= set(spec.parties):
            raise Refused("a refresh is between nodes and all factors", code="parties", parties=me)
        services.committee.check_quorum(set(spec.parties) - factors)
        services.check_quiet()
        return change, record

    async def open(self, caller: Caller, spec: SessionSpec, roster: Mapping[str, PublicKeys]) -> Hosted:
        services = self._services
        change, record = await self.judged(caller, spec)
        share = await services.worker(services.keybook.share, record)
        account = record.account
        pool = {key: await services.worker(services.keybook.spare, account, key) for key in change.pool}
        await services.worker(services.keybook.claim_first_epoch, record.key, change.core_hash)
        factors = {factor.name: factor.keys for factor in record.factors}
        standing = Standing(record.network, record.account, committee_epoch(record.epoch), share, factors)

        async def run(party: Party) -> Refreshed:
            return await refresh_as_node(
                party,
                standing=standing,
                pool=pool,
                locks=_Locks(services.vault),
                now=int(services.clock()),
            )

        def keep(refreshed: Refreshed) -> bytes:
            if refreshed.share is None:
                raise Refused("a node keeps its place in a refresh", code="structure")
            after = refreshed_record(record, change, refreshed.share)
            services.check_epoch(after)
            statement = to_sign(refreshed.statement)
            with services.vault.transaction():
                services.keybook.stage(after, refreshed.share, statement)
                burn(services, account, change)
            services.log("refreshed", key=record.key, epoch=after.epoch)
            return services.identity.sign(statement)

        session = Session(
            spec,
            services.me,
            services.keys_in(roster),
            roster,
            DECLARATION,
            record.group,
            run,
            rng=services.rng,
        )

        def give_up() -> None:
            # An aborted line is a line through the key, so its pool keys are burned. With them goes the
            # formed key, unless another run of this request has finished here: its one way to live was this.
            with services.vault.transaction():
                burn(services, account, change)
                if change.epoch + 1 not in services.vault.shares.epochs(change.key_id.hex()):
                    services.keybook.forget(account, change.key_id)

        return Run(session, services, keep, on_fail=give_up)


class _Locks:
    """Pool key -> request, in the vault's write-once slots."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def write_once(self, slot: bytes, value: bytes) -> None:
        """Durable before it returns. Raises `AlreadyUsed` for a second, different request."""
        if self._vault.slots.write_once(_LOCKS, slot.hex(), value) != value:
            raise AlreadyUsed("this pool key is locked to another request; it is burned")


def burn(services: Services, account: bytes, change: Change) -> None:
    """Erase our parts of the request's pool keys, for ever; as far as they are this account's."""
    for key_id in change.pool:
        services.keybook.burn(account, key_id)


def burn_interrupted(vault: Vault) -> None:
    """At the start of a node: burn the pool keys of refreshes that a crash has ended after their lock.

    Items may have left by then, so such a line is an aborted one.
    """
    for key in vault.pool.kept():
        if vault.slots.read(_LOCKS, key.key_id.hex()) is not None:
            vault.pool.burn(key.index)
