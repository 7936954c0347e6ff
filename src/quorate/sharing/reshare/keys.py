"""The public side of many keys of one committee, in columns: what is reshared, and what comes of it.

Column l holds the commitments to the l-th coefficients of all keys, so column 0 holds the public keys. A
thousand `CommitteeKey` objects would say the same, at several times the cost of working with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from quorate.errors import Malformed
from quorate.groups import Group, Point
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import PartyId
from quorate.sharing.generation import KEY_ID_BYTES, CommitteeKey
from quorate.sharing.polynomial import Commitment

MAX_KEYS: Final = 1024
"""Of one session of resharing: what one batch of sharings holds. More keys are more sessions."""


@dataclass(frozen=True, eq=False)
class SharedKeys:
    """Keys of one group, shared by `nodes` at the points 1..n. Raises `Malformed` for what fits not together.

    `key_ids` are distinct; `columns` are d+1, each of one point for each key. Nobody's share is in here.
    """

    group: Group
    nodes: tuple[PartyId, ...]
    key_ids: tuple[bytes, ...]
    columns: tuple[tuple[Point, ...], ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.key_ids) <= MAX_KEYS:
            raise Malformed(f"1 to {MAX_KEYS} keys are reshared at once, not {len(self.key_ids)}")
        if len(set(self.key_ids)) != len(self.key_ids) or {KEY_ID_BYTES} != set(map(len, self.key_ids)):
            raise Malformed(f"key ids are distinct and have {KEY_ID_BYTES} bytes")
        if len(set(self.nodes)) != len(self.nodes) or not 0 <= self.degree < len(self.nodes):
            raise Malformed(f"{len(self.nodes)} nodes cannot share keys by degree {self.degree}")
        for column in self.columns:
            # lengths are exact: a longer commitment would raise the threshold, a shorter one lose a key
            if len(column) != len(self.key_ids) or any(p.group is not self.group for p in column):
                raise Malformed("one point of the group for each key and coefficient")

    @classmethod
    def read(
        cls, group: Group, nodes: Sequence[PartyId], degree: int, key_ids: Sequence[bytes], packed: bytes
    ) -> SharedKeys:
        """Keys from the points as `packed` gives them. Raises `Malformed`."""
        count = len(key_ids)
        points = group.read_points(packed, count * (degree + 1))
        columns = (tuple(points[i : i + count]) for i in range(0, len(points), count or 1))
        return cls(group, tuple(nodes), tuple(key_ids), tuple(columns))

    @property
    def count(self) -> int:
        return len(self.key_ids)

    @property
    def degree(self) -> int:
        return len(self.columns) - 1

    @cached_property
    def packed(self) -> bytes:
        """All points, column after column. Raises `Malformed` if one is the identity."""
        return b"".join(point.to_bytes() for column in self.columns for point in column)

    @cached_property
    def digest(self) -> bytes:
        """32 bytes that stand for all of it."""
        return digest(
            Tag.RESHARE_KEYS,
            self.group.name.encode(),
            self.degree.to_bytes(2, "big"),
            *(name.encode() for name in self.nodes),
            b"".join(self.key_ids),
            self.packed,
        )

    def public_shares(self, node: PartyId) -> list[Point]:
        """For each key the generator times the node's share."""
        x = self.nodes.index(node) + 1
        powers = [x**power for power in range(self.degree + 1)]
        combination = self.group.combination
        return [combination(points, powers) for points in zip(*self.columns, strict=True)]

    def __iter__(self) -> Iterator[CommitteeKey]:
        for key_id, points in zip(self.key_ids, zip(*self.columns, strict=True), strict=True):
            yield CommitteeKey(key_id, self.nodes, Commitment(points))
