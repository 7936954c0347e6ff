"""What a change of committee carries over: each old node's inventory, and the list that follows from them.

With the succession certified, an old node stops forming wallets and giving keys away, and shows every member
of both committees what it holds (docs/protocols/resharing.md, step C). From the inventories of R old nodes,
the same for everybody, follows one list of keys in chunks. No node's word is needed for what is not its own,
and a liar brings nothing into the list that too few nodes hold to deal it: the change would stand still at
it, for ever.

So a key of a wallet is listed if d+1 honest nodes certainly hold it. That is so if somebody shows R
signatures over the statement that it was made by, if more nodes than may lie say that it signs (one of them
is honest, and has seen those signatures), or if d+1+t nodes show it. And every key that may be live has
one of these among any R inventories. What a few nodes hold of a wallet that its device never finished is left
behind; nobody was ever shown an address of it.

Pure. Keys that sign or are waited for (*held*) are in chunks of those who hold them, so that the others, who
cannot deal what they lack, hold up nothing; keys of the pool are *spare*, a chunk for each batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

import msgspec

from quorate.account.carrying import Holding, committee_key
from quorate.account.committee import CommitteeRecord
from quorate.account.records import Digest
from quorate.account.requests import LiveRequest
from quorate.encoding import Canonical, decode, encode
from quorate.errors import Malformed, ProofRejected
from quorate.groups.registry import group_named
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.sharing.expression import MAX_MEMBERS
from quorate.sharing.reshare import SharedKeys, keys_per_session
from quorate.sharing.statements import to_sign, verify_certificate

HELD_A_PAGE: Final = 128
"""Of about three kilobytes each, eight in the largest committee; a parcel takes a megabyte."""

POOLED_A_PAGE: Final = 1024
"""Of a few hundred bytes each, with commitments of a large committee."""

PAGE_BYTES: Final = 768 << 10
"""A key with many factors, and its proof, take more than that: a page leaves in one parcel all the same."""

HELD_A_CHUNK: Final = 128
"""Keys of wallets that one session reshares. Its result is stored in one write, and each key has a data key
of its own: more would hold up signatures, which write to the same database."""

MAX_PROOF_BYTES: Final = 1 << 14
"""A statement and the signatures of the largest committee."""

MAX_PAGES: Final = 4096
"""Of one inventory: a million wallets."""

Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 1)]
Account = Annotated[bytes, msgspec.Meta(max_length=32)]


Row = TypeVar("Row", bound=Canonical)


class HeldRow(Canonical, frozen=True):
    """A key of an account, and whether it signs here.

    `proof` is the certificate by which it does (a `LiveRequest`), if it became live in this committee epoch;
    in an earlier one all honest nodes have carried it over as live.
    """

    holding: Holding
    live: bool
    proof: Annotated[bytes, msgspec.Meta(max_length=MAX_PROOF_BYTES)] = b""


class PooledRow(Canonical, frozen=True):
    """A key of the pool; `account` is whom this node has voted for, or empty."""

    curve: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    batch: Count
    position: Count
    key_id: Digest
    points: Annotated[
        tuple[Annotated[bytes, msgspec.Meta(min_length=1, max_length=128)], ...],
        msgspec.Meta(min_length=1, max_length=MAX_MEMBERS),
    ]
    account: Account = b""
    commitment: Account = b""

    @property
    def place(self) -> tuple[str, int, int]:
        """Curve, batch, position."""
        return self.curve, self.batch, self.position

    @property
    def bare(self) -> PooledRow:
        """What all nodes that have the key say of it."""
        return msgspec.structs.replace(self, account=b"", commitment=b"")


class Page(Canonical, frozen=True):
    """A part of one node's inventory at the end of an epoch; `record` is the digest of the next record."""

    record: Digest
    number: Annotated[int, msgspec.Meta(ge=0, lt=MAX_PAGES)]
    pages: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGES)]
    held: Annotated[tuple[HeldRow, ...], msgspec.Meta(max_length=HELD_A_PAGE)] = ()
    pooled: Annotated[tuple[PooledRow, ...], msgspec.Meta(max_length=POOLED_A_PAGE)] = ()


Inventory = Sequence[Page]
"""All pages of one node, in order."""


def pages_of(record: bytes, held: Sequence[HeldRow], pooled: Sequence[PooledRow]) -> list[Page]:
    """An inventory in pages."""
    parts: list[tuple[tuple[HeldRow, ...], tuple[PooledRow, ...]]] = [
        *((rows, ()) for rows in _split(held, HELD_A_PAGE)),
        *(((), rows) for rows in _split(pooled, POOLED_A_PAGE)),
    ] or [((), ())]
    return [Page(record, number, len(parts), h, p) for number, (h, p) in enumerate(parts)]


def _split(rows: Sequence[Row], most: int) -> Iterator[tuple[Row, ...]]:
    """Parts of at most so many rows and `PAGE_BYTES`: what users put into their records has no say in it."""
    part: list[Row] = []
    size = 0
    for row in rows:
        length = len(encode(row))
        if part and (len(part) >= most or size + length > PAGE_BYTES):
            yield tuple(part)
            part, size = [], 0
        part.append(row)
        size += length
    if part:
        yield tuple(part)


def inventory_digest(pages: Inventory) -> bytes:
    """32 bytes that stand for all of it."""
    return digest(Tag.INVENTORY, *(encode(page) for page in pages))


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """What one session reshares: the public side, and by label what each key is."""

    keys: SharedKeys
    spare: bool
    held: Mapping[bytes, Holding]
    pooled: Mapping[bytes, PooledRow]


@dataclass(frozen=True, slots=True, eq=False)
class Assembly:
    """The list: chunks in their order, the keys that sign by more nodes' word than may lie, and votes.

    `votes` are, by place in the pool, the accounts (and what they have committed to) that any node shows.
    """

    chunks: tuple[Chunk, ...]
    live: frozenset[bytes]
    votes: Mapping[tuple[str, int, int], frozenset[tuple[bytes, bytes]]]
    digest: bytes

    @property
    def labels(self) -> frozenset[bytes]:
        """Everything that is held."""
        return frozenset(label for chunk in self.chunks for label in chunk.held)


def assemble(old: CommitteeRecord, new: CommitteeRecord, inventories: Mapping[str, Inventory]) -> Assembly:
    """The list that follows from these inventories of old nodes. Raises `Malformed` for too few of them."""
    if not set(inventories) <= set(old.names) or len(inventories) < old.quorums.ready:
        raise Malformed(f"inventories of {old.quorums.ready} nodes of the old committee are needed")
    shown = _Shown(old)
    for name in sorted(inventories):
        shown.take(name, inventories[name])
    chunks = [*_held_chunks(old, new, shown), *_pool_chunks(old, new, shown)]
    # By word alone: a certificate shows that a key was made, not that the register has ever decided on it.
    live = frozenset(label for label, _, names in shown.held() if shown.is_said_live(label, names))
    parts = [b"".join((chunk.keys.digest, *map(_row_digest, _rows(chunk)))) for chunk in chunks]
    whole = digest(Tag.CHANGE_KEYS, new.digest, *parts)
    return Assembly(tuple(chunks), live, shown.votes, whole)


class _Shown:
    """Who shows what."""

    def __init__(self, old: CommitteeRecord) -> None:
        self._old = old
        self._liars = old.liars
        self._proved: set[bytes] = set()
        self._held: dict[bytes, dict[bytes, tuple[Holding, list[str]]]] = defaultdict(dict)
        self._pooled: dict[tuple[str, int, int], dict[bytes, tuple[PooledRow, list[str]]]] = defaultdict(dict)
        self.live: dict[bytes, set[str]] = defaultdict(set)
        self.votes: dict[tuple[str, int, int], frozenset[tuple[bytes, bytes]]] = {}

    def take(self, name: str, pages: Inventory) -> None:
        for page in pages:
            for row in page.held:
                known = self._held[row.holding.label]
                names = known.setdefault(row.holding.digest, (row.holding, []))[1]
                if name not in names:
                    names.append(name)
                if row.live:
                    self.live[row.holding.label].add(name)
                    if proves(row, self._old):
                        self._proved.add(row.holding.statement)
            for pooled in page.pooled:
                versions = self._pooled[pooled.place]
                names = versions.setdefault(_row_digest(pooled.bare), (pooled.bare, []))[1]
                if name not in names:
                    names.append(name)
                if pooled.account:
                    before = self.votes.get(pooled.place, frozenset())
                    self.votes[pooled.place] = before | {(pooled.account, pooled.commitment)}

    def held(self) -> Iterator[tuple[bytes, Holding, tuple[str, ...]]]:
        """What d+1 honest nodes certainly hold: label, holding, holders. Each key in its last live epoch."""
        certain: dict[bytes, tuple[tuple[bool, int], bytes, Holding, tuple[str, ...]]] = {}
        enough = self._old.degree + 1 + self._liars
        for label in sorted(self._held):
            for holding, names in self._held[label].values():
                if len(names) <= self._liars:
                    continue  # a liar's own, perhaps under a true certificate
                live = self.is_live(label, holding, names)
                if not live and len(names) < enough:
                    continue
                rank = live, holding.record.epoch
                before = certain.get(holding.record.key)
                if before is None or before[0] < rank:
                    certain[holding.record.key] = rank, label, holding, tuple(names)
                break  # a second one would need liars among as many again
        for _, label, holding, names_ in sorted(certain.values(), key=lambda found: found[1]):
            yield label, holding, names_

    def is_live(self, label: bytes, holding: Holding, names: Sequence[str]) -> bool:
        """Whether it signs at an honest node, or by a certificate."""
        return holding.statement in self._proved or self.is_said_live(label, names)

    def is_said_live(self, label: bytes, names: Sequence[str]) -> bool:
        """Whether it signs at an honest node."""
        return len(self.live[label] & set(names)) > self._liars

    def pooled(self) -> Iterator[PooledRow]:
        """The same of the pool, in order."""
        used = {holding.record.key for _, holding, _ in self.held()}
        for place in sorted(self._pooled):
            for row, names in self._pooled[place].values():
                if len(names) > self._liars and row.key_id not in used:
                    yield row
                    break


def proves(row: HeldRow, old: CommitteeRecord) -> bool:
    """Whether R nodes of this committee have signed what the row's key was made by."""
    holding = row.holding
    if not row.proof or holding.made_in != old.epoch:
        return False
    try:
        shown = decode(LiveRequest, row.proof)
        if to_sign(shown.statement) != holding.statement or shown.statement.key_id != holding.record.key:
            return False
        verify_certificate(shown.statement, shown.signatures.as_mapping(), old.identities, old.quorums.ready)
    except (Malformed, ProofRejected):
        return False
    return True


def _held_chunks(old: CommitteeRecord, new: CommitteeRecord, shown: _Shown) -> Iterator[Chunk]:
    together: dict[tuple[str, tuple[str, ...]], dict[bytes, Holding]] = defaultdict(dict)
    for label, holding, names in shown.held():
        if holding.record.access.committee() is None or tuple(holding.record.access.nodes) != old.names:
            continue  # of another committee: nobody could deal it
        together[holding.record.curve, names][label] = holding
    for curve, names in sorted(together):
        group = group_named(curve)
        found = together[curve, names]
        size = min(HELD_A_CHUNK, keys_per_session(group, new.degree))
        labels = sorted(found)
        for at in range(0, len(labels), size):
            part = labels[at : at + size]
            commitments = [committee_key(found[label].record, label).commitment.points for label in part]
            columns = tuple(zip(*commitments, strict=True))
            keys = SharedKeys(group, old.names, tuple(part), columns)
            yield Chunk(keys, False, {label: found[label] for label in part}, {})


def _pool_chunks(old: CommitteeRecord, new: CommitteeRecord, shown: _Shown) -> Iterator[Chunk]:
    batches: dict[tuple[str, int], list[PooledRow]] = defaultdict(list)
    for row in shown.pooled():
        if len(row.points) == old.degree + 1:
            batches[row.curve, row.batch].append(row)
    for curve, batch in sorted(batches):
        group = group_named(curve)
        rows = batches[curve, batch]
        size = keys_per_session(group, new.degree)
        for at in range(0, len(rows), size):
            part = rows[at : at + size]
            columns = tuple(
                tuple(group.point_from_bytes(row.points[power]) for row in part)
                for power in range(old.degree + 1)
            )
            keys = SharedKeys(group, old.names, tuple(row.key_id for row in part), columns)
            yield Chunk(keys, True, {}, {row.key_id: row for row in part})


def _rows(chunk: Chunk) -> Iterator[Holding | PooledRow]:
    yield from chunk.held.values()
    yield from chunk.pooled.values()


def _row_digest(row: Holding | PooledRow) -> bytes:
    return digest(Tag.CHANGE_ROW, encode(row))
