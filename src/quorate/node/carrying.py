"""Keys on their way from one committee epoch to the next: staged beside the live ones, and the one write.

Before the switch a node keeps its shares of the coming epoch PENDING, with the records that will describe
them. The switch is one transaction: committee, records and shares change together, earlier shares are erased
in it, and a crash leaves the old epoch whole or the new one whole. Runs in the worker thread.

What a node does not carry, because it was never dealt or is gone, it loses: nobody can use an old share once
the others have erased theirs, so keeping it would only keep a danger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from quorate.account import KeyRecord
from quorate.account.carrying import Holding, carried_record
from quorate.account.committee import Activation, CommitteeRecord, Succession
from quorate.encoding import Canonical, decode, encode
from quorate.errors import LocalError
from quorate.groups import Scalar
from quorate.node.committee import Committee
from quorate.node.keybook import KeyBook
from quorate.secret import Secret
from quorate.sharing.epochs import committee_epoch
from quorate.sharing.generation import CommitteeKey
from quorate.sharing.keyshare import KeyShare
from quorate.vault import Vault
from quorate.vault.rows import epoch_scope

_COMING: Final = "key-coming"


class _Coming(Canonical, frozen=True):
    """A holding in the coming epoch, and whether others say that it signs: for a node that is new to it."""

    holding: Holding
    live: bool


class Carrying:
    """The switch of all assigned keys of this node from one committee epoch to the next."""

    def __init__(self, me: str, vault: Vault, keybook: KeyBook, committee: Committee) -> None:
        self._me = me
        self._vault = vault
        self._keybook = keybook
        self._committee = committee

    def stage(
        self,
        committee: CommitteeRecord,
        holding: Holding,
        key: CommitteeKey,
        own: Secret[Scalar] | None,
        *,
        live: bool = False,
    ) -> None:
        """Keep what a resharing came to for one holding, until the switch. Repeatable, durable on return.

        `own` is our share of `key`; without one we will know the key and have no share of it. A key that is
        live here stays so, and one that waits here waits on; `live` speaks of one that we hear of now.
        """
        self.prepared(committee, holding, key, own, live=live)()

    def prepared(
        self,
        committee: CommitteeRecord,
        holding: Holding,
        key: CommitteeKey,
        own: Secret[Scalar] | None,
        *,
        live: bool = False,
    ) -> Callable[[], None]:
        """`stage` in two parts: what computes, and makes data keys, is done now; what is returned writes."""
        record = carried_record(holding.record, committee, key)
        name = f"{record.key.hex()}/{record.epoch}"
        coming = encode(_Coming(msgspec.structs.replace(holding, record=record), live))
        share = None if own is None else _share_of(record, self._me, own).to_bytes()
        if share is not None:
            self._vault.data_keys.cipher(epoch_scope(record.key.hex(), record.epoch), create=True)

        def write() -> None:
            with self._vault.transaction():
                if share is not None:
                    self._vault.shares.put(record.key.hex(), record.epoch, share, owner=self._me)
                known = self._vault.records.get(_COMING, name)
                if known is None:
                    self._vault.records.put(_COMING, name, coming, expected=0)
                elif known.value != coming:
                    raise LocalError(f"key {name[:8]} was staged for this epoch already, as something else")

        return write

    def switch(self, successions: Sequence[Succession], activation: Activation) -> None:
        """The one write: the last of these committees is the live one, and every key is in its epoch.

        Repeating it does nothing. Raises `ProofRejected` unless the last of `successions` is in force.
        """
        before = self._committee.epoch
        with self._vault.transaction():
            self._committee.succeed(successions, activation)
            epoch = activation.stored.epoch
            if epoch <= before:
                return
            staying = self._me in successions[-1].record.names
            for coming in self._coming(epoch) if staying else ():
                self._keybook.carry(coming.holding, live=coming.live)
            self._drop_coming()
            self._keybook.leave_behind(epoch)
            self._vault.pool.activate(epoch)

    def abandon(self, epoch: int) -> None:
        """The change to this epoch was given up: erase what was staged for it. The live epoch stays."""
        with self._vault.transaction():
            for coming in self._coming(epoch):
                record = coming.holding.record
                self._vault.shares.discard(record.key.hex(), record.epoch)
            self._drop_coming()
            self._vault.pool.discard(epoch)

    def _coming(self, epoch: int) -> Iterator[_Coming]:
        for entry in self._vault.records.list(_COMING):
            coming = decode(_Coming, entry.value)
            if committee_epoch(coming.holding.record.epoch) == epoch:
                yield coming

    def _drop_coming(self) -> None:
        for entry in self._vault.records.list(_COMING):
            self._vault.records.delete(_COMING, entry.name, expected=entry.version)


def _share_of(record: KeyRecord, me: str, own: Secret[Scalar]) -> KeyShare:
    return KeyShare(
        record.key,
        record.epoch,
        record.access,
        record.point,
        record.public_shares,
        me,
        own,
        record.chain_code,
    )
