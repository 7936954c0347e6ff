"""What everybody knows of one sharing before its first message, and the numbers that follow from it.

Nothing here is ever taken from a message: not n, t, d or f, nor who the nodes are, nor how many secrets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from quorate.encoding import MAX_MESSAGE_BYTES, encode
from quorate.errors import Malformed
from quorate.groups import Group
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import Party, PartyId
from quorate.sharing.avss.bivariate import pairs
from quorate.sharing.quorums import Quorums

MAX_BATCH: Final = 1024
"""Secrets of one sharing. Beyond it nothing gets cheaper (signatures and boxes are shared by a thousand
already), and a message of ours would get too large for one envelope."""

DEALING_LIMIT: Final = MAX_MESSAGE_BYTES - 4096
"""A dealing, encoded: so that it fits one message together with the envelope in which it is passed on."""

MAX_SCALAR_BYTES: Final = 32
"""The longest scalar of our curves; the limits of the small messages are made for it."""


MESSAGE_OVERHEAD: Final = 2048
"""More than a message's own fields, its envelope and its box add to the vectors in it."""


def sender_limit(group: Group, quorums: Quorums, count: int, *, dealers: int) -> int:
    """The most that an honest party sends to another in the sharings of one session, each by another dealer.

    A dealing and a row of its own; in each sharing an echo, a ready, a Get, and a dealing passed on. With the
    declaration's limit at this a liar fills no more of a session's inbox than an honest party might.
    """
    length = group.scalar_length
    matrix = count * len(pairs(quorums.degree)) * group.point_length + (count + 7) // 8 + MESSAGE_OVERHEAD
    row = count * (quorums.degree + 1) * length + MESSAGE_OVERHEAD
    votes = 2 * (count * length + MESSAGE_OVERHEAD)
    return matrix + row + dealers * (votes + MESSAGE_OVERHEAD + matrix + MESSAGE_OVERHEAD)


@dataclass(frozen=True, slots=True)
class Setting:
    """One sharing: its id, the group, the receivers (`nodes`, at points 1..n), the quorums, B secrets.

    `session` is 32 bytes that commit to all the rest and to the session it happens in: see `of`. Raises
    `Malformed` for what cannot be.
    """

    session: bytes
    group: Group
    nodes: tuple[PartyId, ...]
    quorums: Quorums
    count: int

    def __post_init__(self) -> None:
        if len(self.session) != 32:
            raise Malformed("a sharing has an id of 32 bytes")
        if len(set(self.nodes)) != len(self.nodes) or len(self.nodes) != self.quorums.nodes:
            raise Malformed(f"{self.quorums.nodes} distinct nodes are needed, not {len(self.nodes)}")
        if not 1 <= self.count <= MAX_BATCH:
            raise Malformed(f"1 to {MAX_BATCH} secrets are shared at once, not {self.count}")
        if self.matrix_bytes + self.count > DEALING_LIMIT - 64 or self.group.scalar_length > MAX_SCALAR_BYTES:
            raise Malformed(
                f"{self.count} secrets of degree {self.degree} over {self.group.name} do not fit one "
                f"message; share fewer at once"
            )

    @classmethod
    def of(
        cls,
        party: Party,
        dealer: PartyId,
        *,
        nodes: Sequence[PartyId],
        quorums: Quorums,
        count: int,
    ) -> Setting:
        """The setting of the sharing by `dealer` on the fork named after it, below the path of `party`."""
        agreed = (
            f"{party.path}/{dealer}" if party.path else dealer,
            dealer,
            party.group.name,
            tuple(nodes),
            (quorums.nodes, quorums.degree, quorums.liars, quorums.away),
            count,
        )
        session = digest(Tag.AVSS_SESSION, party.session_id, encode(agreed))
        return cls(session, party.group, tuple(nodes), quorums, count)

    def point(self, node: PartyId) -> int:
        """Where a node stands: 1..n, 0 for who is none."""
        return self.nodes.index(node) + 1 if node in self.nodes else 0

    @property
    def degree(self) -> int:
        return self.quorums.degree

    @property
    def echo(self) -> int:
        """Echoes that make a digest the only one (two such sets share an honest node) and give a row."""
        return max(self.quorums.echo, self.degree + 1)

    @property
    def amplify(self) -> int:
        """Readies that make one ready: one of them is honest, and they give a row."""
        return self.degree + 1

    @property
    def ready(self) -> int:
        """Readies that complete: d+1 of them are honest."""
        return self.quorums.ready

    @property
    def asked(self) -> int:
        """Nodes asked for a matrix: one of them is honest and up."""
        return self.quorums.liars + self.quorums.away + 1

    @property
    def matrix_bytes(self) -> int:
        """(d+1)(d+2)/2 points for each secret."""
        return self.count * len(pairs(self.degree)) * self.group.point_length

    @property
    def row_bytes(self) -> int:
        """d+1 scalars for each secret."""
        return self.count * (self.degree + 1) * self.group.scalar_length

    @property
    def vector_bytes(self) -> int:
        """One scalar for each secret."""
        return self.count * self.group.scalar_length
