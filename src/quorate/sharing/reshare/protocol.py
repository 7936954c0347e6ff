"""Resharing: an old committee's keys, dealt by their holders to a new one (docs/protocols/resharing.md).

Each old node shares its own share of every key with the new nodes, by sharings whose constant must be its
public share of the old epoch; the new nodes agree on some of the dealers and combine with Lagrange's formula.
The key stays what it was, the polynomial is fresh, and its degree is the new committee's. One machine for
renewal (the same nodes), for other thresholds, and for nodes that come and go. Cachin, Kursawe, Lysyanskaya
and Strobl, CCS 2002, section 5; Kate, Huang and Goldberg, ePrint 2012/377.

A party is an old node, a new one, or both: then it has two seats that know nothing of each other. The result
is *pending*. What makes it live, and old shares erased, is the switch that `quorate.account.committee` has
the statements of; nothing here erases anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, TypeVar

from quorate.errors import Abort, Remedy
from quorate.groups import Scalar
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest, scalar
from quorate.secret import Secret
from quorate.session import Arrival, Party, PartyId
from quorate.sharing import agreement, avss
from quorate.sharing.agreement import Agreement
from quorate.sharing.avss import Dealt, ReadyCertificate, Sharing
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.reshare.combining import choose, combine_commitments, combine_shares
from quorate.sharing.reshare.keys import SharedKeys
from quorate.sharing.reshare.terms import FORK, Done, Terms

T = TypeVar("T")

Shares = Secret[Sequence[int | None]]
"""A node's shares of the keys of `Terms.old`, in their order; None where it has none."""

NOTHING: Final[Shares] = Secret(())


@dataclass(frozen=True, slots=True, eq=False)
class Reshared:
    """What a new node has: its shares of `keys`, and which keys are lost because too few dealers had them.

    All new nodes have equal `keys`, `lost` and `digest`. Whoever finds a live key among the lost signs no
    STORED for this (docs/protocols/resharing.md, gaps).
    """

    terms: Terms
    dealers: tuple[PartyId, ...]
    keys: SharedKeys | None
    """None when not one is left."""
    shares: Secret[tuple[int, ...]]
    lost: tuple[bytes, ...]

    @property
    def digest(self) -> bytes:
        """32 bytes that stand for the public side of it; `root` of all chunks is what STORED is about."""
        kept = b"" if self.keys is None else self.keys.digest
        return digest(Tag.RESHARE_RESULT, self.terms.payload, kept, *self.lost)

    def parts(self, me: PartyId, chain_codes: Mapping[bytes, bytes]) -> list[GeneratedKey]:
        """The new shares as a node keeps them. Checks each against its commitment; raises `Malformed`."""
        if self.keys is None:
            return []
        group = self.keys.group
        return [
            GeneratedKey(key, me, Secret(group.scalar(share)), chain_codes[key.key_id])
            for key, share in zip(self.keys, self.shares.reveal(), strict=True)
        ]


def root(change: bytes, results: Sequence[bytes]) -> bytes:
    """What STORED names: the digests of all chunks of one epoch change, in the order of the chunks."""
    return digest(Tag.RESHARE_ROOT, change, *results)


async def reshare(
    party: Party,
    terms: Terms,
    *,
    shares: Shares = NOTHING,
    may_lack: Callable[[bytes], bool] = lambda key_id: True,
) -> Reshared | None:
    """Our part of one session. A new node concludes with its `Reshared`, an old one that goes with None.

    `shares` are an old node's own. One that does not fit its public share counts as lacking. A dealer that
    lacks a key which it may not lack has nobody's voice: any that is not spare by the terms, and a spare one
    (its id) that we know better of and `may_lack` refuses. An old node returns once the new ones have agreed;
    a new one serves those who are behind until all are done, or its host ends the session.
    """
    return await Resharing(party, terms, may_lack).run(shares)


def combine(
    terms: Terms, me: PartyId, decided: Sequence[PartyId], dealt: Mapping[PartyId, Dealt]
) -> Reshared:
    """Step 6. Raises `LocalError` if the dealings do not give the keys that were shared.

    And `Abort` in the one case in a group's order in which something is zero. Without the slope, a new node
    that deals last could make it happen: it knows its shares of all the others' dealings.
    """
    old, group = terms.old, terms.group
    gaps = {dealer: frozenset(dealt[dealer].gaps) for dealer in decided}
    chosen, lost = choose(decided, gaps, old.count, terms.combined)
    shares = [0] * old.count
    columns = [list(old.columns[0]) for _ in range(terms.new_quorums.degree + 1)]
    for dealers, indices in chosen.items():
        points = [old.nodes.index(dealer) + 1 for dealer in dealers]
        ours = [_pick(dealt[dealer].shares.reveal(), indices) for dealer in dealers]
        public = [[_pick(column, indices) for column in dealt[dealer].columns] for dealer in dealers]
        combined = combine_commitments(group, points, public, _pick(old.columns[0], indices))
        for column, points_ in zip(columns, combined, strict=True):
            for index, point in zip(indices, points_, strict=True):
                column[index] = point
        for index, share in zip(indices, combine_shares(group, points, ours), strict=True):
            shares[index] = share
    kept = sorted(index for indices in chosen.values() for index in indices)
    slope = scalar(Tag.RESHARE_SLOPE, group, terms.payload, *(dealt[dealer].digest for dealer in decided))
    if len(columns) > 1:
        turned, ours_too = group.generator.multiply(slope), slope.value * (terms.new_nodes.index(me) + 1)
        columns[1] = [point + turned for point in columns[1]]
        shares = [(share + ours_too) % group.order for share in shares]
    if any(shares[i] == 0 or any(column[i].is_identity for column in columns) for i in kept):
        # chance of one in the group's order: an honest dealer draws afresh in the next attempt
        raise Abort("a new share or coefficient came out as zero; try again", remedy=Remedy.RETRY)
    keys = None
    if kept:
        ids = tuple(old.key_ids[index] for index in kept)
        keys = SharedKeys(group, terms.new_nodes, ids, tuple(tuple(_pick(c, kept)) for c in columns))
    return Reshared(
        terms,
        tuple(decided),
        keys,
        Secret(tuple(_pick(shares, kept))),
        tuple(old.key_ids[index] for index in lost),
    )


class Resharing:
    """Both seats of one party: the sharings it deals or receives, and the agreement it votes in or hears."""

    sharing: ClassVar[type[Sharing]] = Sharing
    voting: ClassVar[type[Agreement]] = Agreement

    def __init__(
        self, party: Party, terms: Terms, may_lack: Callable[[bytes], bool] = lambda key_id: True
    ) -> None:
        # 1. terms
        terms.check(party)
        self._party = party
        self._terms = terms
        self._receives = party.me in terms.new_nodes
        self._known: set[PartyId] = set()
        self._done: set[PartyId] = {party.me}
        self._identities = {node: party.identity_of(node) for node in terms.new_nodes}
        deals = party.fork(FORK)
        self._dealt_at = f"{deals.path}/"
        self._settings = {dealer: terms.setting(deals, dealer) for dealer in terms.old.nodes}
        dealers = terms.old.nodes if self._receives else (party.me,)
        self._constants = {dealer: terms.old.public_shares(dealer) for dealer in dealers}
        self._sharings = {
            dealer: self.sharing(
                deals.fork(dealer),
                self._settings[dealer],
                dealer,
                constants=self._constants[dealer],
                may_lack=lambda index: terms.spare and may_lack(terms.old.key_ids[index]),
            )
            for dealer in dealers
        }
        self._agreement = self.voting(
            party,
            terms.new_quorums,
            terms.new_nodes,
            terms.old.nodes,
            terms.needed,
            self._verify,
            digest(Tag.RESHARE_AGREEMENT, party.session_id),
        )

    async def run(self, shares: Shares = NOTHING) -> Reshared | None:
        """Steps 2 to 7."""
        self._deal(shares)
        result: Reshared | None = None
        arrivals = self._party.stream(*avss.KINDS, *agreement.MESSAGES, Done)
        while not self._is_over(result):
            arrival = await anext(arrivals)
            if arrival is None:
                self._agreement.tick()
            else:
                self._take(arrival)
            if result is None and self._receives:
                result = self._finish()
        return result

    def _is_over(self, result: Reshared | None) -> bool:
        """7. For a new node when all of them are done; for an old one that goes when all is decided."""
        if self._receives:
            return result is not None and self._done >= set(self._terms.new_nodes)
        return self._agreement.decided is not None

    def _finish(self) -> Reshared | None:
        """6. When it is decided, and all decided dealings have completed here."""
        decided = self._agreement.decided
        if decided is None or not set(decided) <= self._known:
            return None
        dealt = {d: s.completed for d, s in self._sharings.items() if s.completed is not None}
        result = combine(self._terms, self._party.me, decided, dealt)
        self._party.conclude(result)
        self._party.broadcast(Done())
        return result

    def _deal(self, shares: Shares) -> None:
        """Step 2: an old node shares what it has; what it lacks, or has wrong, it says it lacks."""
        terms, me = self._terms, self._party.me
        if me not in terms.old.nodes:
            return
        given = shares.reveal() or (None,) * terms.old.count
        generator, of = terms.group.generator, terms.group.scalar
        secrets: list[Scalar | None] = [None if share is None else of(share) for share in given]
        for index, (secret, public) in enumerate(zip(secrets, self._constants[me], strict=True)):
            if secret is not None and generator.multiply(secret) != public:
                secrets[index] = None
        # also when all are lacking: where no key is live, this is what lets the session end
        self._sharings[me].deal(secrets)
        self._look(me)

    def _take(self, arrival: Arrival) -> None:
        if isinstance(arrival.message, avss.KINDS):
            dealer = arrival.path.removeprefix(self._dealt_at)
            if dealer in self._sharings:
                self._sharings[dealer].receive(arrival.sender, arrival.message)
                self._look(dealer)
        elif isinstance(arrival.message, Done):
            self._done.add(arrival.sender)
        else:
            self._agreement.receive(arrival.sender, arrival.message, arrival.path)

    def _look(self, dealer: PartyId) -> None:
        """Step 4: hand a dealing that has completed here to the agreement."""
        completed = self._sharings[dealer].completed
        if completed is not None and dealer not in self._known:
            self._known.add(dealer)
            self._agreement.completed(dealer, completed.certificate)

    def _verify(self, dealer: PartyId, certificate: ReadyCertificate) -> None:
        certificate.verify(self._settings[dealer], self._identities)


def _pick(values: Sequence[T], indices: Sequence[int]) -> list[T]:
    return list(values) if len(indices) == len(values) else [values[index] for index in indices]
