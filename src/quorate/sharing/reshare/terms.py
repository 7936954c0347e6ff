"""What all parties of one session of resharing agree on before its first message.

Everything here comes from the committee's own records, never from what is received: who deals, who receives,
both committees' thresholds, which keys, and what their public shares were. The session's id commits to all of
it and to the epoch change, so nothing of one change, chunk or attempt counts in another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from quorate.encoding import encode
from quorate.errors import Malformed
from quorate.groups import Group
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import (
    Declaration,
    Message,
    Party,
    PartyId,
    PublicIdentity,
    Rule,
    SessionSpec,
    roster_digest,
)
from quorate.sharing import agreement, avss
from quorate.sharing.agreement.messages import sender_limit as said_by_voters
from quorate.sharing.avss.setting import DEALING_LIMIT, MESSAGE_OVERHEAD
from quorate.sharing.epochs import epoch_number
from quorate.sharing.quorums import Quorums
from quorate.sharing.reshare.keys import MAX_KEYS, SharedKeys

FORK: Final = "deal"
"""The label under which the sharings live, each on the fork named after its dealer."""

SENDER_LIMIT: Final = avss.SENDER_LIMIT + (16 << 20)
"""What sharings need, and room for what a voter may say in all views of the largest committee."""


class Done(Message, frozen=True, tag="reshare.done"):
    """Step 7: the sender, a new node, has its shares, and needs nothing any more."""


RESHARE: Final = Declaration(
    "reshare",
    1,
    *avss.rules(f"{FORK}/*"),
    *agreement.rules(),
    Rule(Done, limit=64),
    sender_limit=SENDER_LIMIT,
    tolerant=True,
)


@dataclass(frozen=True, eq=False)
class Terms:
    """One session: these keys of `old`, from its nodes to `new_nodes`. Raises `Malformed` for what cannot be.

    `change` is the digest of the new committee's record, and through it of the whole chain; `epoch` the new
    committee epoch. Keys are taken in chunks, each a session of its own. `attempt` counts how often this
    chunk was begun anew: whoever dealt in one attempt never deals in it again, and draws afresh for the next.
    A chunk is of live keys, of which no dealer may lack any, or of `spare` ones, which a pool can do without.
    """

    change: bytes
    epoch: int
    old: SharedKeys
    old_quorums: Quorums
    new_nodes: tuple[PartyId, ...]
    new_quorums: Quorums
    chunk: int = 0
    attempt: int = 0
    spare: bool = False

    def __post_init__(self) -> None:
        if len(self.change) != 32:
            raise Malformed("resharing: a change of committee has a digest of 32 bytes")
        sizes = (len(self.old.nodes), self.old.degree)
        if sizes != (self.old_quorums.nodes, self.old_quorums.degree):
            raise Malformed("resharing: the keys are not shared as the old committee shares")
        if len(set(self.new_nodes)) != len(self.new_nodes) or len(self.new_nodes) != self.new_quorums.nodes:
            raise Malformed(f"resharing: {self.new_quorums.nodes} distinct new nodes are needed")
        if min(self.chunk, self.attempt) < 0 or max(self.chunk, self.attempt) >= 1 << 32:
            raise Malformed("resharing: chunks and attempts count from 0")
        epoch_number(self.epoch, 0)

    @property
    def group(self) -> Group:
        return self.old.group

    @property
    def parties(self) -> tuple[PartyId, ...]:
        """Everybody, sorted: a node that stays is one party with two seats."""
        return tuple(sorted({*self.old.nodes, *self.new_nodes}))

    @property
    def combined(self) -> int:
        """Dealings that make a key: d+1, of the *old* degree."""
        return self.old.degree + 1

    @property
    def needed(self) -> int:
        """Dealers to agree on: d+1. Of spare keys t more: liars who claim to lack one shall not lose it."""
        return self.combined + (self.old_quorums.liars if self.spare else 0)

    @property
    def declaration(self) -> Declaration:
        """`RESHARE` with room for what honest parties say in this session, and no more for liars."""
        dealers, voters = len(self.old.nodes), len(self.new_nodes)
        room = avss.sender_limit(self.group, self.new_quorums, self.old.count, dealers=dealers)
        return RESHARE.within(room + said_by_voters(voters, dealers) + MESSAGE_OVERHEAD)

    @property
    def payload(self) -> bytes:
        """What the session is about, canonically."""
        old, new = self.old_quorums, self.new_quorums
        return encode(
            (
                self.change,
                self.epoch,
                self.chunk,
                self.attempt,
                self.spare,
                self.old.nodes,
                (old.degree, old.liars, old.away),
                self.new_nodes,
                (new.degree, new.liars, new.away),
                self.old.count,
                self.old.digest,
            )
        )

    def spec(self, roster: Mapping[PartyId, PublicIdentity]) -> SessionSpec:
        """The session's agreement, the same for all without a word between them.

        Nonces follow from the payload. That they are fresh is the epoch change's affair: there is one of each
        number, and a node begins each session of it once.
        """
        payload = self.payload
        spec = SessionSpec(
            RESHARE.name,
            RESHARE.version,
            self.group.name,
            b"",
            epoch_number(self.epoch, 0),
            self.parties,
            roster_digest({party: roster[party] for party in self.parties}),
            self.new_quorums.ready,
            "reshare",
            payload,
        )
        nonces = {p: digest(Tag.RESHARE_NONCE, payload, p.encode()) for p in self.parties}
        return spec.with_nonces(nonces)

    def check(self, party: Party) -> None:
        """Step 1. Raises `Malformed` unless the session is the one of these terms."""
        spec = party.spec
        if spec.payload != self.payload or spec.epoch != epoch_number(self.epoch, 0):
            raise Malformed("resharing: the session is about another change, or about other keys")
        if party.parties != self.parties or party.group is not self.group:
            raise Malformed("resharing: the session is among other parties, or over another group")

    def setting(self, party: Party, dealer: PartyId) -> avss.Setting:
        """The sharing by one old node, to the new ones, with the new quorums; `party` is at `FORK`."""
        return avss.Setting.of(
            party, dealer, nodes=self.new_nodes, quorums=self.new_quorums, count=self.old.count
        )


def keys_per_session(group: Group, degree: int) -> int:
    """How many keys fit one session when they are reshared by this new degree."""
    matrix = group.point_length * (degree + 1) * (degree + 2) // 2 + 1
    return min(MAX_KEYS, (DEALING_LIMIT - 64) // matrix)
