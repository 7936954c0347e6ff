"""Key generation that waits for nobody in particular: HybridDKG in batches (Kate, Huang and Goldberg, ePrint
2012/377, section 5). Steps carry the numbers of docs/protocols/dkg.md.

Every node shares fresh random values (`quorate.sharing.avss`), the nodes agree on d+1 dealings that complete
everywhere (`quorate.sharing.agreement`), and each adds up its shares of those. With at most t liars and f
away, n >= 3t + 2f + 1, the others end with the same keys whatever the network does to their messages, once
it delivers them; liars are named, and stop nobody.

A node that has its keys goes on serving those that are behind, until all have said that they are done, or
its host ends the session. A session is run once: a node that has lost its journal must not join it again,
since it would contradict what it said before, and be a liar to the others.

Assumes a session of exactly the nodes, tolerant (`DKG`), on ticks of a length that the host chooses.
Keys are not uniform: who deals last may choose among a few sums (docs/protocols/dkg.md, doubts).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

import msgspec

from quorate.encoding import MAX_TEXT_BYTES, Canonical, encode
from quorate.errors import Abort, Blame, Malformed, Remedy
from quorate.groups import Group, Point, Scalar
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest, scalar
from quorate.secret import Secret
from quorate.session import (
    Arrival,
    Declaration,
    Message,
    Party,
    PartyId,
    Path,
    PublicIdentity,
    Rule,
    SessionSpec,
    roster_digest,
)
from quorate.sharing import agreement, avss
from quorate.sharing.agreement import Agreement
from quorate.sharing.agreement.messages import sender_limit as said_by_voters
from quorate.sharing.avss import MAX_BATCH, Dealt, ReadyCertificate, Setting, Sharing
from quorate.sharing.avss.setting import MESSAGE_OVERHEAD
from quorate.sharing.epochs import MAX_EPOCH, epoch_number
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.quorums import Quorums
from quorate.sharing.reshare.keys import SharedKeys

FORK: Final = "deal"
"""The label under which the sharings live, each on the fork named after its dealer."""


class Done(Message, tag="dkg.done"):
    """Step 8: the sender has its keys, and needs nothing any more."""


def rules(path: Path = "") -> tuple[Rule, ...]:
    """The slots of a generation among the parties of a fork at `path`."""
    below = f"{path}/" if path else ""
    return (*avss.rules(f"{below}{FORK}/*"), *agreement.rules(path), Rule(Done, path, limit=64))


KINDS: Final[tuple[type[Message], ...]] = (*avss.KINDS, *agreement.MESSAGES, Done)

SENDER_LIMIT: Final = avss.SENDER_LIMIT + (16 << 20)
"""What sharings need, and room for what a voter may say in all views of the largest committee."""

DKG: Final = Declaration("dkg", 1, *rules(), tolerant=True, sender_limit=SENDER_LIMIT)


def declaration(group: Group, quorums: Quorums, count: int) -> Declaration:
    """`DKG` with room for what honest nodes say in such a generation, and no more for liars."""
    nodes = quorums.nodes
    room = avss.sender_limit(group, quorums, count, dealers=nodes) + said_by_voters(nodes, nodes)
    return DKG.within(room + MESSAGE_OVERHEAD)


class Batch(Canonical):
    """Which keys a session makes: batch `number` of `curve`, by the committee of this epoch.

    Every node derives the session from it alone, so that nobody has to propose one. A node takes part in each
    number once, and notes so durably before it begins; that makes the session's nonces fresh.
    """

    network: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT_BYTES)]
    epoch: Annotated[int, msgspec.Meta(ge=0, le=MAX_EPOCH)]
    committee: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    curve: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    number: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
    count: Annotated[int, msgspec.Meta(ge=1, le=MAX_BATCH)]

    def spec(self, roster: Mapping[PartyId, PublicIdentity], quorums: Quorums) -> SessionSpec:
        """The session's agreement. `roster` and `quorums` are those of the committee."""
        payload, parties = encode(self), tuple(sorted(roster))
        spec = SessionSpec(
            DKG.name,
            DKG.version,
            self.curve,
            b"",
            epoch_number(self.epoch, 0),
            parties,
            roster_digest(roster),
            quorums.ready,
            "pool",
            payload,
        )
        return spec.with_nonces({p: digest(Tag.DKG_NONCE, payload, p.encode()) for p in parties})


@dataclass(frozen=True, slots=True, eq=False)
class DkgResult:
    """What one node holds in the end: the keys, its shares, whose dealings made them, who was caught by then.

    All honest nodes have equal `keys` and `dealers`.
    """

    keys: SharedKeys
    shares: Secret[tuple[int, ...]]
    dealers: tuple[PartyId, ...]
    deviations: Mapping[PartyId, Blame]

    def parts(self, me: PartyId) -> list[GeneratedKey]:
        """The keys as a node keeps them. Checks each share against its commitment; raises `Malformed`."""
        group = self.keys.group
        return [
            GeneratedKey(key, me, Secret(group.scalar(share)), chain_code_of(key.key_id))
            for key, share in zip(self.keys, self.shares.reveal(), strict=True)
        ]


def chain_code_of(key_id: bytes) -> bytes:
    """The chain code of a generated key: from its id, since formation makes the wallet's own."""
    return digest(Tag.DKG_CHAIN_CODE, key_id)


async def generate(
    party: Party, *, quorums: Quorums, count: int, nodes: Sequence[PartyId] | None = None
) -> DkgResult:
    """`count` fresh keys, at most `MAX_BATCH`, shared by degree d among `nodes` (default: sorted) at 1..n.

    Concludes with the result and goes on serving; returns it when every other node is done. Raises
    `Malformed` unless the nodes are exactly the parties. Nothing that others do ends it with an error.
    """
    return await Generation(party, quorums, count, party.parties if nodes is None else nodes).run()


class Generation:
    """One node's seat: all sharings and the agreement, fed from one stream."""

    sharing: ClassVar[type[Sharing]] = Sharing
    voting: ClassVar[type[Agreement]] = Agreement

    def __init__(self, party: Party, quorums: Quorums, count: int, nodes: Sequence[PartyId]) -> None:
        self.nodes = tuple(nodes)
        if sorted(self.nodes) != sorted(party.parties):
            raise Malformed("key generation is among exactly the parties of its session")
        self.party, self.quorums, self.count = party, quorums, count
        self.result: DkgResult | None = None
        self._done: set[PartyId] = set()
        deals = party.fork(FORK)
        self._dealt_at = f"{deals.path}/"
        self.settings = {
            dealer: Setting.of(deals, dealer, nodes=self.nodes, quorums=quorums, count=count)
            for dealer in self.nodes
        }
        self.sharings = {
            dealer: self.sharing(deals.fork(dealer), setting, dealer)
            for dealer, setting in self.settings.items()
        }
        subject = digest(Tag.DKG_AGREEMENT, party.session_id, party.path.encode())
        self.agreement = self.voting(
            party, quorums, self.nodes, self.nodes, quorums.degree + 1, self._verify, subject
        )

    async def run(self) -> DkgResult:
        """Steps 1 to 8."""
        # 1. deal
        mine = self.sharings[self.party.me]
        mine.deal()
        self._look(mine)
        arrivals = self.party.stream(*KINDS)
        while self.result is None or not self._done >= set(self.party.others):
            arrival = await anext(arrivals)
            if arrival is None:
                self.agreement.tick()
            else:
                self._take(arrival)
            self._finish()
        return self.result

    def _take(self, arrival: Arrival) -> None:
        if arrival.path.startswith(self._dealt_at):
            sharing = self.sharings.get(arrival.path.removeprefix(self._dealt_at))
            if sharing is not None:
                had = sharing.completed is not None
                sharing.receive(arrival.sender, arrival.message)
                if not had:
                    self._look(sharing)
        elif isinstance(arrival.message, Done):
            self._done.add(arrival.sender)
        else:
            self.agreement.receive(arrival.sender, arrival.message, arrival.path)

    def _look(self, sharing: Sharing) -> None:
        """2. A sharing that completes may be agreed on."""
        if sharing.completed is not None:
            self.agreement.completed(sharing.dealer, sharing.completed.certificate)

    def _finish(self) -> None:
        """7. and 8. When it is decided, and all decided dealings have completed here, the keys are there."""
        dealers = self.agreement.decided
        if self.result is not None or dealers is None:
            return
        dealt = [d for d in (self.sharings[dealer].completed for dealer in dealers) if d is not None]
        if len(dealt) < len(dealers):
            return
        keys, shares = add_up(self.party, self.nodes, dealt)
        self.result = DkgResult(keys, shares, dealers, dict(self.party.deviations))
        self.party.conclude(self.result)
        self.party.broadcast(Done())

    def _verify(self, dealer: PartyId, certificate: ReadyCertificate) -> None:
        identities = {node: self.party.identity_of(node) for node in self.nodes}
        certificate.verify(self.settings[dealer], identities)


def add_up(
    party: Party, nodes: tuple[PartyId, ...], dealt: Sequence[Dealt]
) -> tuple[SharedKeys, Secret[tuple[int, ...]]]:
    """Step 7: the sums of commitments and of shares, turned by a slope that nobody could foresee.

    Who deals last knows its own shares of all other dealings and could make their sum zero. Such a public
    share has no encoding, and the key would fail wherever it is used. With the slope, which depends on all of
    the dealings, that takes luck. Raises `Abort` in this one case in a group's order.
    """
    group = party.group
    slope = _slope(party, dealt) if len(dealt[0].columns) > 1 else group.scalar(0)
    turned = group.generator.multiply(slope)
    columns = tuple(
        tuple(group.sum((*points, turned) if place == 1 else points) for points in _across(dealt, place))
        for place in range(len(dealt[0].columns))
    )
    ours = slope.value * (nodes.index(party.me) + 1)
    rows = zip(*(d.shares.reveal() for d in dealt), strict=True)
    shares = tuple((sum(row) + ours) % group.order for row in rows)
    if any(point.is_identity for column in columns for point in column) or not all(shares):
        raise Abort("a generated key or share came out as zero; try again", remedy=Remedy.RETRY)
    key_ids = tuple(_key_id(party, columns, index) for index in range(len(shares)))
    return SharedKeys(group, nodes, key_ids, columns), Secret(shares)


def _across(dealt: Sequence[Dealt], place: int) -> Iterator[tuple[Point, ...]]:
    """For each key what every dealing has in this place."""
    return zip(*(d.columns[place] for d in dealt), strict=True)


def _slope(party: Party, dealt: Sequence[Dealt]) -> Scalar:
    """What is added to the linear coefficient of every key: public, of no effect on the key itself."""
    place = (party.session_id, party.path.encode())
    return scalar(Tag.DKG_SLOPE, party.group, *place, *(d.digest for d in dealt))


def _key_id(party: Party, columns: Sequence[Sequence[Point]], index: int) -> bytes:
    commitment = b"".join(column[index].to_bytes() for column in columns)
    place = index.to_bytes(4, "big")
    return digest(Tag.DKG_KEY, party.session_id, party.path.encode(), place, commitment)


__all__ = [
    "DKG",
    "FORK",
    "KINDS",
    "MAX_BATCH",
    "Batch",
    "DkgResult",
    "Done",
    "Generation",
    "add_up",
    "chain_code_of",
    "declaration",
    "generate",
    "rules",
]
