"""The sessions of a change of committee: our part of each chunk, and what becomes of its result.

Which chunks there are, and what is in each, follows from the frozen list (`quorate.account.changing`); a
session that fits none of them is not begun. Our shares are read from the vault each time a session is taken
up, and are the same until the switch; after it a session has nothing to go on with, and is over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from quorate.account.carrying import Holding
from quorate.account.changing import Assembly, Chunk
from quorate.account.committee import parties_of_change
from quorate.errors import Refused, Unavailable
from quorate.groups import Scalar
from quorate.node.carrying import Carrying
from quorate.node.committee import Committee
from quorate.node.epochs.store import ChangeStore, Under
from quorate.node.keybook import KeyBook
from quorate.node.standing.protocol import Seat, StandingProtocol, Write
from quorate.secret import Secret
from quorate.session import Party, SessionSpec
from quorate.sharing.dkg import chain_code_of
from quorate.sharing.epochs import committee_epoch
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.reshare import RESHARE, Reshared, Shares, Terms, reshare
from quorate.transport.links import NotNow
from quorate.vault import Vault
from quorate.vault.pool import PoolIndex

MAX_AT_ONCE: Final = 4
"""Sessions of a change that run side by side: each holds a chunk's messages in memory."""

MAX_JOINED: Final = 2 * MAX_AT_ONCE
"""The same with those that others began sooner."""


class Resharing(StandingProtocol):
    """`current` gives the change under way and its list, once that is frozen."""

    def __init__(
        self,
        me: str,
        vault: Vault,
        committee: Committee,
        keybook: KeyBook,
        carrying: Carrying,
        store: ChangeStore,
        current: Callable[[], tuple[Under, Assembly] | None],
        kept: Callable[[], None],
        lost: Callable[[int], None],
    ) -> None:
        self._me = me
        self._vault = vault
        self._committee = committee
        self._keybook = keybook
        self._carrying = carrying
        self._store = store
        self._current = current
        self._kept = kept
        self._lost = lost
        self._specs: tuple[Assembly, list[SessionSpec]] | None = None

    @property
    def name(self) -> str:
        return RESHARE.name

    @property
    def lasts(self) -> bool:
        return True

    def specs(self) -> list[SessionSpec]:
        """The sessions of the change under way, in the order of their chunks."""
        under, assembly = self._frozen()
        known = self._specs
        if known is None or known[0] is not assembly:
            roster = parties_of_change(under.old, under.new)
            made = [terms_of(under, assembly, at).spec(roster) for at in range(len(assembly.chunks))]
            known = self._specs = assembly, made
        return known[1]

    def consider(self, spec: SessionSpec, proposer: str) -> None:
        if committee_epoch(spec.epoch) <= self._committee.epoch:
            raise Refused("that committee epoch has begun", code="epoch", parties=[self._me])
        try:
            _, assembly, at = self._find(spec)
        except Refused:
            raise NotNow("nothing is known here yet of such a change of committee") from None
        if at not in self._due(len(assembly.chunks)):
            # All go through the chunks in one order. A liar who begins late ones, at each node others, would
            # fill everybody's memory with sessions that cannot end.
            raise NotNow("earlier chunks are not done here yet")

    def seat(self, spec: SessionSpec) -> Seat:
        if committee_epoch(spec.epoch) <= self._committee.epoch:
            raise Refused("that committee epoch has begun", code="epoch", parties=[self._me])
        under, assembly, at = self._find(spec)
        terms = terms_of(under, assembly, at)
        shares = self._own_shares(under, assembly.chunks[at])
        roster = parties_of_change(under.old, under.new)
        epoch = under.new.epoch if self._me in under.new.names else under.old.epoch

        async def run(party: Party) -> Reshared | None:
            return await reshare(party, terms, shares=shares)

        return Seat(self._committee.keys_of(epoch), roster, terms.declaration, terms.group, run)

    def keep(self, spec: SessionSpec, value: Any) -> Write:
        under, assembly, at = self._find(spec)
        writes: list[Write] = []
        if isinstance(value, Reshared):
            lost = set(value.lost) & assembly.labels
            if lost:
                # No STORED for this: the change cannot be finished without losing somebody's wallet.
                return lambda: self._lost(len(lost))
            writes = self._staged(under, assembly, assembly.chunks[at], value)
        digest = value.digest if isinstance(value, Reshared) else b""

        def write() -> None:
            if not self._store.is_under(under):
                return  # the switch was made since; what is written now would be found by the next change
            for one in writes:
                one()
            self._store.put_result(at, digest)
            with self._vault.transaction() as tx:
                tx.after_commit(self._kept)

        return write

    # --- inside --------------------------------------------------------------------------------------

    def _frozen(self) -> tuple[Under, Assembly]:
        found = self._current()
        if found is None:
            # also right after a restart: the list is made anew, and the session goes on then
            raise NotNow("the list of the change of committee is not known here yet")
        return found

    def _due(self, chunks: int) -> list[int]:
        due: list[int] = []
        for at in range(chunks):
            if len(due) < MAX_JOINED and self._store.result(at) is None:
                due.append(at)
        return due

    def _find(self, spec: SessionSpec) -> tuple[Under, Assembly, int]:
        under, assembly = self._frozen()
        for at in range(len(assembly.chunks)):
            if terms_of(under, assembly, at).payload == spec.payload:
                return under, assembly, at
        raise Refused("the change of committee has no such chunk", code="epoch", parties=[self._me])

    def _own_shares(self, under: Under, chunk: Chunk) -> Shares:
        if self._me not in under.old.names:
            return Secret(())
        return Secret(tuple(self._pooled(under, chunk) if chunk.spare else self._held(chunk)))

    def _held(self, chunk: Chunk) -> list[int | None]:
        own = {holding.label: holding for holding in self._keybook.holdings()}
        return [self._share(own.get(label)) for label in chunk.keys.key_ids]

    def _share(self, holding: Holding | None) -> int | None:
        if holding is None:
            return None
        try:
            return self._keybook.share(holding.record).share.reveal().value
        except Unavailable:
            return None

    def _pooled(self, under: Under, chunk: Chunk) -> list[int | None]:
        rows = [chunk.pooled[key_id] for key_id in chunk.keys.key_ids]
        batches = {(row.curve, row.batch) for row in rows}
        parts = {
            (curve, batch, at): part
            for curve, batch in batches
            for at, part in self._vault.pool.live_parts(curve, batch, under.old.epoch).items()
        }
        found: list[int | None] = []
        for row in rows:
            part = parts.get(row.place)
            own = None if part is None else GeneratedKey.from_bytes(part.reveal())
            found.append(own.share.reveal().value if own is not None and own.key_id == row.key_id else None)
        return found

    def _staged(self, under: Under, assembly: Assembly, chunk: Chunk, value: Reshared) -> list[Write]:
        if value.keys is None:
            return []
        group = value.keys.group
        own = [Secret(group.scalar(share)) for share in value.shares.reveal()]
        if chunk.spare:
            return self._staged_pool(under, chunk, value, own)
        return [
            self._carrying.prepared(
                under.new, chunk.held[key.key_id], key, share, live=key.key_id in assembly.live
            )
            for key, share in zip(value.keys, own, strict=True)
        ]

    def _staged_pool(
        self, under: Under, chunk: Chunk, value: Reshared, own: list[Secret[Scalar]]
    ) -> list[Write]:
        epoch, parts = under.new.epoch, dict[tuple[str, int], dict[int, tuple[bytes, bytes]]]()
        for key, share in zip(value.keys or (), own, strict=True):
            row = chunk.pooled[key.key_id]
            part = GeneratedKey(key, self._me, share, chain_code_of(key.key_id)).to_bytes()
            parts.setdefault((row.curve, row.batch), {})[row.position] = (key.key_id, part)

        def write(curve: str, batch: int) -> None:
            staged = {
                at: (self._key_id(PoolIndex(curve, batch, at)), part.reveal())
                for at, part in self._vault.pool.live_parts(curve, batch, epoch).items()
            }
            self._vault.pool.stage(curve, batch, epoch, {**staged, **parts[curve, batch]})

        def write_all() -> None:
            for curve, batch in sorted(parts):
                write(curve, batch)

        return [write_all]

    def _key_id(self, index: PoolIndex) -> bytes:
        key = self._vault.pool.get(index)
        if key is None:
            raise Unavailable(f"the pool key {index} is not here")
        return key.key_id


def terms_of(under: Under, assembly: Assembly, at: int) -> Terms:
    """The terms of one chunk's session, the same for everybody."""
    chunk = assembly.chunks[at]
    return Terms(
        under.new.digest,
        under.new.epoch,
        chunk.keys,
        under.old.quorums,
        under.new.names,
        under.new.quorums,
        chunk=at,
        spare=chunk.spare,
    )
