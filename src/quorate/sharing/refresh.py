"""Refresh: the same key on a fresh line, for a new set of factors. Nobody learns the key or a second share.

First refresh, add, revoke, replace, raise and lower are one protocol; the algebra is `quorate.sharing.line`,
what may be asked for `quorate.sharing.change`, and steps carry the numbers of docs/protocols/refresh.md.
Parties: the present nodes, the online factors (who give their old shares) and all factors of the new
structure, each with its own identity, each opening its own items only. A new factor is another process or
another device than the one that asks; nothing here would let one party take two seats.

Assumes all targets are present. Sealing items for an absent factor needs a publicly verifiable encryption
and is no part of this. Stores nothing but the locks; results are pending until the flip, which is a
certificate of statements in the layers above. An abort burns the pool keys: they are locked to this request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from quorate.encoding import decode
from quorate.errors import ProofRejected, Refused
from quorate.primitives.proofs import SchnorrProof
from quorate.primitives.tags import Tag
from quorate.session import Party
from quorate.sharing import line
from quorate.sharing.change import Change, Standing, examine
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.keyshare import KeyShare
from quorate.sharing.line import COMMITTEE_POINT
from quorate.sharing.masks import Deal, auxiliary_context, check_mask_shares
from quorate.sharing.refresh_messages import (
    DECLARATION,
    Accept,
    Confirm,
    Item,
    Lock,
    Masks,
    MaskShares,
    Part,
    Ready,
)
from quorate.sharing.refresh_run import Run, confirm_context, known_of
from quorate.sharing.statements import Prepared, to_sign

__all__ = ["DECLARATION", "Locks", "Refreshed", "refresh_as_factor", "refresh_as_node"]


class Locks(Protocol):
    """Where a node remembers for ever which request a pool key serves."""

    def write_once(self, slot: bytes, value: bytes) -> None:
        """Durably bind `slot` to `value` before returning. Equal again: fine. Other: raises `AlreadyUsed`."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh gives one party: its share of the next epoch, still pending.

    `share` is None for an online factor that the new structure leaves out.
    """

    share: KeyShare | None
    statement: Prepared
    request: bytes


async def refresh_as_node(
    party: Party,
    *,
    standing: Standing,
    pool: Mapping[bytes, GeneratedKey],
    locks: Locks,
    now: int,
) -> Refreshed:
    """A node's seat. `pool` holds its parts of unused pool keys; `now` is unix time in seconds."""
    change = decode(Change, party.spec.payload)
    run = Run.of(party, change)
    # 1. examine before a word is said; then say what is on record
    examine(change, standing, {key_id: key.public for key_id, key in pool.items()}, now)
    run.seated(standing)
    keys = [pool[key_id] for key_id in change.pool]
    known = known_of(change, standing.share, keys)
    party.broadcast(known)
    await run.hear(known)
    # 2. open and check the own mask shares, know the request
    dealt = await party.gather(MaskShares, run.online)
    point = run.structure.nodes[party.me]
    for online, shares in dealt.items():
        try:
            check_mask_shares(run.masks[online], point, shares)
        except ProofRejected as error:
            party.blame((Masks, MaskShares), [online], str(error), step="2")
    request = await run.authorised()
    # 3. one request per pool key, for ever; durable before the word leaves
    for key_id in change.pool:
        locks.write_once(key_id, request)
    await run.locked(request, Lock(request))
    # 4. items, to each target its own
    lam = run.line.weights[COMMITTEE_POINT]
    fresh, *auxiliary = (key.share.reveal() for key in keys)
    for index, target in enumerate(change.targets):
        value = line.item(
            run.line.basis(target.point),
            lam,
            standing.share.share.reveal(),
            fresh,
            auxiliary,
            [dealt[e].values[index] for e in run.online],
        )
        party.send(target.name, Item(value, standing.share.chain_code))
    # 5. every target has opened and checked
    await run.confirmed(request)
    # 6. prepared
    statement = run.statement(request)
    share = run.share(party.me, keys[0].share, standing.share.chain_code)
    await run.ready(statement, Ready(to_sign(statement)))
    return Refreshed(share, statement, request)


async def refresh_as_factor(party: Party, *, standing: Standing | None = None) -> Refreshed:
    """A factor's seat: online, target, or both. An online factor brings its `standing`."""
    change = decode(Change, party.spec.payload)
    run = Run.of(party, change)
    if standing is not None:
        run.seated(standing)
    # 1. prove possession; deal masks
    deal = None
    if party.me in run.online:
        if standing is None:
            raise Refused("an online factor needs its own record of the key", code="refresh-online", step="1")
        points = [target.point for target in change.targets]
        deal = Deal.random(party.group, points, run.degree, run.structure.root.needed - 2, party.rng)
        bound = auxiliary_context(party.session_id, change.core_hash, party.me)
        run.masks[party.me] = deal.opened(bound, party.rng)
        party.broadcast(run.masks[party.me])
        for node in run.nodes:
            party.send(node, deal.at(run.structure.nodes[node]))
    if party.me in run.targets:
        party.broadcast(Accept(change.core_hash))
    expected = None if standing is None else known_of(change, standing.share, ())
    await run.hear(expected)
    # 2. sign the request
    request = await run.authorised()
    # 3. locks of an echo quorum; nothing that depends on the old share leaves before
    await run.locked(request, None)
    # 4. parts, to each target its own
    own = None
    if deal is not None and standing is not None:
        for name, tau in run.targets.items():
            part = deal.part(run.line, run.online_point(party.me), tau, standing.share.share.reveal())
            if name == party.me:
                own = part
            else:
                party.send(name, Part(part))
    # 5. open, check, confirm
    share, chain_code = None, None
    if party.me in run.targets:
        share, chain_code = await run.opened(own)
        point = run.targets[party.me]
        bound = confirm_context(party.session_id, request, point)
        public = run.line.share_check(point)
        proof = SchnorrProof.prove(Tag.REFRESH_SHARE, bound, share.reveal(), public, party.rng)
        party.broadcast(Confirm(request, proof))
    await run.confirmed(request)
    # 6. prepared
    statement = run.statement(request)
    await run.ready(statement, None)
    if share is None or chain_code is None:
        return Refreshed(None, statement, request)
    return Refreshed(run.share(party.me, share, chain_code), statement, request)
