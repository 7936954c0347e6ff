"""One party's view of one refresh as it unfolds: what was heard, and each step's checks.

`Run` gathers, checks and names offenders for steps that nodes and factors share; the two seats of
`quorate.sharing.refresh` read as the protocol because of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar

import msgspec

from quorate.encoding import encode
from quorate.errors import LocalError, Missing, ProofRejected, Refused, Suspicion
from quorate.groups import Scalar
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.secret import Secret
from quorate.session import Message, Party, PartyId, echo, tag_of
from quorate.sharing import line
from quorate.sharing.access import AccessStructure
from quorate.sharing.change import (
    Change,
    Standing,
    group_fits,
    quorums_of,
    request_hash,
    structure_of,
)
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.keyshare import KeyShare
from quorate.sharing.line import COMMITTEE_POINT, Line
from quorate.sharing.masks import auxiliary_context, check_masks
from quorate.sharing.polynomial import Commitment, interpolate_public
from quorate.sharing.quorums import Quorums
from quorate.sharing.refresh_messages import (
    Accept,
    Authorise,
    Confirm,
    Item,
    Known,
    Lock,
    Masks,
    Part,
    Ready,
)
from quorate.sharing.statements import Prepared, to_sign

M = TypeVar("M", bound=Message)


@dataclass(slots=True)
class Run:
    """`online` and `nodes` (the present ones) are sorted names; `targets` gives each target's point."""

    party: Party
    change: Change
    structure: AccessStructure
    quorums: Quorums
    online: tuple[PartyId, ...]
    nodes: tuple[PartyId, ...]
    targets: Mapping[PartyId, int]
    masks: dict[PartyId, Masks] = field(default_factory=dict)
    known: Known | None = None
    _line: Line | None = None

    @classmethod
    def of(cls, party: Party, change: Change) -> Run:
        """Raises `Refused` unless the session's parties and identities are those of the request."""
        group_fits(change, party.group)
        structure = structure_of(change)
        quorums = quorums_of(structure)
        online = tuple(name for name, _ in change.online)
        targets = {target.name: target.point for target in change.targets}
        nodes = tuple(name for name in party.parties if name in structure.nodes)
        if set(party.parties) != {*nodes, *online, *targets} or set(nodes) & {*online, *targets}:
            _refuse("the session's parties are not the nodes, online factors and targets of the request")
        if len(nodes) < max(quorums.echo, quorums.ready):
            _refuse(f"{len(nodes)} nodes are present, {max(quorums.echo, quorums.ready)} are needed")
        for target in change.targets:
            if party.identity_of(target.name).to_bytes() != target.factor:
                _refuse(f"{target.name} is not here under the identity that the request names")
        return cls(party, change, structure, quorums, online, nodes, targets)

    @property
    def degree(self) -> int:
        return self.quorums.degree

    @property
    def line(self) -> Line:
        """All public values; there is one after `hear`."""
        if self._line is None:
            raise LocalError("the masks have not been heard yet")
        return self._line

    def seated(self, standing: Standing) -> None:
        """Raises `Refused` unless every online factor is here under its identity on record."""
        for name in self.online:
            if self.party.identity_of(name).to_bytes() != standing.factors.get(name):
                _refuse(f"{name} is not here under the identity on record")

    # --- step 1 ---------------------------------------------------------------------------------------

    async def hear(self, expected: Known | None) -> None:
        """Everybody's first words, checked; `expected` is what one's own record says of them."""
        party = self.party
        known = await party.gather(Known, [name for name in self.nodes if name != party.me])
        masks = await party.gather(Masks, [name for name in self.online if name != party.me])
        accepted = await party.gather(Accept, [name for name in self.targets if name != party.me])
        await echo.confirm(party, Masks, senders=self.online, step="1")
        false = [name for name, message in accepted.items() if message.core != self.change.core_hash]
        party.blame(Accept, false, "it accepted another request in this session", step="1")
        false = [name for name, message in masks.items() if not self._holds_masks(name, message)]
        party.blame(Masks, false, "masks of another number or degree, or a proof that fails", step="1")
        self.masks.update(masks)
        self.known = self._agree(known, expected)
        self._line = self._draw(self.known)

    def _holds_masks(self, name: PartyId, message: Masks) -> bool:
        bound = auxiliary_context(self.party.session_id, self.change.core_hash, name)
        try:
            check_masks(message, bound, len(self.targets), self.degree, self.structure.root.needed - 2)
        except ProofRejected:
            return False
        return True

    def _agree(self, known: dict[PartyId, Known], expected: Known | None) -> Known:
        """What all nodes say. A dissenter is suspected: only a party with a record knows which is true."""
        me = self.party.me
        if me in self.nodes and expected is not None:
            known = {**known, me: expected}
        best, count = Counter(known.values()).most_common(1)[0]
        if count != len(known):
            enough = count >= self.quorums.echo
            others = [name for name, said in known.items() if not (enough and said == best)]
            raise Suspicion("nodes state different public values", parties=[me, *others], step="1")
        if expected is not None and best != msgspec.structs.replace(expected, pool=best.pool):
            raise Suspicion("the nodes' record is not ours", parties=[me, *known], step="1")
        if not _consistent(self, best):
            raise Suspicion("the nodes' record is not of this key", parties=[me, *known], step="1")
        return best

    def _draw(self, known: Known) -> Line:
        order = self.party.group.order
        points = self._online_points()
        fresh, *pool = (Commitment(points) for points in known.pool)
        masks = {
            (points[e], target.point): Commitment(self.masks[e].masks[index])
            for e in self.online
            for index, target in enumerate(self.change.targets)
        }
        return Line(
            needed=self.structure.root.needed,
            weights=line.weights(points.values(), order),
            public_key=known.public_key,
            old=dict(enumerate(known.old, 1)),
            fresh=fresh,
            factors={points[e]: known.online[i] for i, e in enumerate(self.online)},
            masks=masks,
            pool=tuple(pool),
            auxiliary={points[e]: self.masks[e].auxiliary for e in self.online},
        )

    def _online_points(self) -> dict[PartyId, int]:
        old = AccessStructure.parse(self.change.old).factors
        return {name: old[name] for name in self.online}

    def online_point(self, name: PartyId) -> int:
        """An online factor's point on the old line."""
        return self._online_points()[name]

    # --- steps 2 and 3 --------------------------------------------------------------------------------

    async def authorised(self) -> bytes:
        """The request hash, signed by every online factor."""
        known = digest(Tag.REFRESH_REQUEST, encode(self.known))
        masks = {name: encode(message) for name, message in self.masks.items()}
        request = request_hash(self.change.core_hash, known, masks)
        if self.party.me in self.online:
            self.party.broadcast(Authorise(request))
        signed = await self.party.gather(Authorise, [e for e in self.online if e != self.party.me])
        self._same(Authorise, {name: message.request for name, message in signed.items()}, request, "2")
        return request

    async def locked(self, request: bytes, own: Lock | None) -> None:
        """Returns when an echo quorum of nodes has locked this request, `own` included."""
        await self._quorum(Lock, own, request, self.quorums.echo, "3")

    # --- steps 5 and 6 --------------------------------------------------------------------------------

    async def opened(self, own: Scalar | None) -> tuple[Secret[Scalar], bytes]:
        """This target's new share and the chain code, from items and parts that all check out."""
        party, tau = self.party, self.targets[self.party.me]
        items = await self._items(tau)
        parts = await party.gather(Part, [e for e in self.online if e != party.me])
        generator = party.group.generator
        false = [
            name
            for name, part in parts.items()
            if generator.multiply(part.value) != self.line.part_check(tau, self.online_point(name))
        ]
        party.blame((Masks, Part), false, "its part does not fit its check value", step="5")
        values = {self.structure.nodes[name]: item.value for name, item in items.items()}
        given = [part.value for part in parts.values()] + ([] if own is None else [own])
        share = line.assemble(party.group, values, given, self.degree)
        if generator.multiply(share) != self.line.share_check(tau):
            raise LocalError("refresh: checked items do not add up; our own part must be wrong")
        return Secret(share), next(iter(items.values())).chain_code

    async def _items(self, tau: int) -> dict[PartyId, Item]:
        """d+1 items that fit, of the first nodes whose do; a false one is blamed only if it is missed.

        Ending at the first false item would let one node end every refresh at the very step after which the
        fresh keys are burned.
        """
        fits: dict[PartyId, bool] = {}

        def enough(heard: Mapping[PartyId, Item]) -> bool:
            fits.update((n, self._holds_item(tau, n, item)) for n, item in heard.items() if n not in fits)
            return sum(fits.values()) > self.degree

        def judge() -> None:
            false = [name for name, good in fits.items() if not good]
            self.party.blame((Known, Item), false, "its item does not fit its check value", step="5")

        try:
            items = await self._until(Item, self.nodes, enough)
        except Missing:
            judge()
            raise
        if not enough(items):
            judge()
        return {name: item for name, item in items.items() if fits[name]}

    def _holds_item(self, tau: int, name: PartyId, item: Item) -> bool:
        point = self.structure.nodes[name]
        fits = self.party.group.generator.multiply(item.value) == self.line.item_check(tau, point)
        return fits and self.known is not None and chain_code_hash(item.chain_code) == self.known.chain_code

    async def confirmed(self, request: bytes) -> None:
        """Returns when every other target has confirmed its new share."""
        party = self.party
        confirms = await party.gather(Confirm, [name for name in self.targets if name != party.me])
        self._same(Confirm, {name: message.request for name, message in confirms.items()}, request, "5")
        false = []
        for name, message in confirms.items():
            tau = self.targets[name]
            bound = confirm_context(party.session_id, request, tau)
            try:
                message.proof.verify(Tag.REFRESH_SHARE, bound, self.line.share_check(tau))
            except ProofRejected:
                false.append(name)
        party.blame(Confirm, false, "it does not prove that it holds its new share", step="5")

    async def ready(self, statement: Prepared, own: Ready | None) -> None:
        """Returns when R nodes are prepared for the same epoch."""
        await self._quorum(Ready, own, to_sign(statement), self.quorums.ready, "6")

    def statement(self, request: bytes) -> Prepared:
        """What a node signs when the epoch exists beside the old one."""
        change, public = self.change, self.line
        checks = public.checks(self.targets.values())
        factors = ((t.name, public.share_check(t.point).to_bytes()) for t in change.targets)
        return Prepared(
            change.network,
            change.account,
            change.key_id,
            change.epoch + 1,
            request,
            str(self.structure),
            change.public_key,
            tuple(point.to_bytes() for point in public.fresh.points),
            tuple(factors),
            digest(Tag.REFRESH_SHARE, encode(checks)),
        )

    def share(self, me: PartyId, secret: Secret[Scalar], chain_code: bytes) -> KeyShare:
        """The share of the next epoch, with everybody's public shares on the fresh line."""
        public = self.line
        shares = {name: public.fresh.at(point) for name, point in self.structure.nodes.items()}
        shares |= {name: public.share_check(point) for name, point in self.targets.items()}
        return KeyShare(
            self.change.key_id,
            self.change.epoch + 1,
            self.structure,
            public.public_key,
            shares,
            me,
            secret,
            chain_code,
        )

    def _same(self, kind: type[Message], said: Mapping[PartyId, bytes], mine: bytes, step: str) -> None:
        others = [name for name, value in said.items() if value != mine]
        if others:
            # a lie about values that were compared; but what was compared is no single message to show
            raise Suspicion("they speak of another request", parties=[self.party.me, *others], step=step)

    async def _quorum(
        self, kind: type[Lock | Ready], own: Lock | Ready | None, value: bytes, needed: int, step: str
    ) -> None:
        """Broadcast `own`, then wait for equal messages of `needed` nodes, `own` included."""
        if own is not None:
            self.party.broadcast(own)
            needed -= 1
        asked = [name for name in self.nodes if name != self.party.me]

        def agreeing(heard: Mapping[PartyId, Lock | Ready]) -> int:
            return sum(_content(message) == value for message in heard.values())

        heard = await self._until(kind, asked, lambda heard: agreeing(heard) >= needed)
        if agreeing(heard) < needed:
            others = [name for name, message in heard.items() if _content(message) != value]
            raise Suspicion("too few nodes agree with us", parties=[self.party.me, *others], step=step)

    async def _until(
        self, kind: type[M], asked: Sequence[PartyId], enough: Callable[[Mapping[PartyId, M]], bool]
    ) -> dict[PartyId, M]:
        """Messages in order of arrival until they are enough, or all have answered.

        Not `gather`: one silent node must not make everybody wait for a deadline that the others share.
        """
        heard: dict[PartyId, M] = {}
        if enough(heard) or not asked:
            return heard
        try:
            async for sender, message in self.party.messages(kind):
                if sender in asked:
                    heard[sender] = message
                if enough(heard) or len(heard) == len(asked):
                    break
        except Missing:
            silent = [name for name in asked if name not in heard]
            raise Missing(
                f"no answer from {', '.join(silent)} ({tag_of(kind)})", parties=silent, step=tag_of(kind)
            ) from None
        return heard


def known_of(change: Change, share: KeyShare, keys: Sequence[GeneratedKey]) -> Known:
    """What a record says; a party that is no node of the pool keys gives none of them."""
    by_point = sorted(share.structure.nodes, key=share.structure.nodes.__getitem__)
    return Known(
        change.core_hash,
        share.public_key,
        tuple(share.public_shares[name] for name in by_point),
        tuple(share.public_shares[name] for name, _ in change.online),
        tuple(key.public.commitment.points for key in keys),
        chain_code_hash(share.chain_code),
    )


def _content(message: Lock | Ready) -> bytes:
    return message.request if isinstance(message, Lock) else message.statement


def chain_code_hash(chain_code: bytes) -> bytes:
    """As in the KEY-FORMED statement."""
    return digest(Tag.CHAIN_CODE, chain_code)


def confirm_context(session_id: bytes, request: bytes, tau: int) -> bytes:
    """What a target's proof of its new share is bound to."""
    return encode((session_id, request, tau))


def _consistent(run: Run, known: Known) -> bool:
    """Whether the stated values are of the requested key: what a new factor can check without a record."""
    change, group = run.change, run.party.group
    if known.core != change.core_hash or known.public_key.to_bytes() != change.public_key:
        return False
    if tuple(point.to_bytes() for point in known.online) != tuple(stated for _, stated in change.online):
        return False
    if len(known.old) != len(run.structure.nodes) or len(known.pool) != len(change.pool):
        return False
    if {len(points) for points in known.pool} != {run.degree + 1}:
        return False
    old = AccessStructure.parse(change.old).factors
    shares = {COMMITTEE_POINT: interpolate_public(group, dict(enumerate(known.old, 1)))}
    shares |= {old[name]: point for (name, _), point in zip(change.online, known.online, strict=True)}
    return interpolate_public(group, shares) == known.public_key


def _refuse(message: str) -> NoReturn:
    raise Refused(f"refresh refused: {message}", code="refresh-parties", step="1")
