"""A change of a key's factors: what is asked for, and what a node refuses.

`Change` is the core of a refresh request: all that is fixed before any secret is dealt, hashed into
every later value. `examine` holds the rules that keep "add a factor" from being a key export in disguise:
a device that could name two points of its own, or one point twice, would interpolate the key.

Pure. The rules that need a register, approvals or delays stand above; the request hash is at most once
answered per pool key, which `quorate.sharing.refresh` asks its `Locks` to remember.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, NoReturn

import msgspec

from quorate.encoding import Canonical, encode
from quorate.errors import LocalError, Refused
from quorate.groups import Group
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import PartyId
from quorate.sharing.access import AccessStructure
from quorate.sharing.expression import MAX_LEAVES, MAX_POINT, Leaf
from quorate.sharing.generation import CommitteeKey
from quorate.sharing.keyshare import KeyShare
from quorate.sharing.polynomial import interpolate_public
from quorate.sharing.quorums import Quorums
from quorate.sharing.statements import Digest, Encoded, Epoch, Name, Structure

FIRST_FACTOR: Final = 2
MAX_LIFETIME: Final = 15 * 60
"""Seconds a request may stand open. All parties are present; a person confirms on two devices meanwhile."""


class Target(Canonical):
    """A factor of the new structure: its point, its name, what it is, and its identity's public bytes."""

    point: Annotated[int, msgspec.Meta(ge=0, le=(1 << 53) - 1)]
    name: Name
    kind: Name
    factor: Encoded


class Change(Canonical):
    """The payload of a refresh session. `pool` names the fresh committee keys: s', then r_1 .. r_{T-2}.

    `online` are the factors that give their old shares, with their public shares; with the committee they
    are an exact signer set of the old structure. `targets` are all factors of the new one; all are present.
    """

    network: Name
    account: Digest
    curve: Name
    key_id: Digest
    node_epoch: Epoch
    epoch: Epoch
    public_key: Encoded
    pool: Annotated[tuple[Digest, ...], msgspec.Meta(min_length=1, max_length=MAX_LEAVES)]
    old: Structure
    new: Structure
    online: Annotated[tuple[tuple[Name, Encoded], ...], msgspec.Meta(min_length=1, max_length=MAX_LEAVES)]
    targets: Annotated[tuple[Target, ...], msgspec.Meta(min_length=1, max_length=MAX_LEAVES)]
    expires: Annotated[int, msgspec.Meta(ge=0, le=(1 << 53) - 1)]
    nonce: Digest

    @property
    def core_hash(self) -> bytes:
        """H(core): in the label of everything that follows."""
        return digest(Tag.REFRESH_CORE, encode(self))


@dataclass(frozen=True, slots=True)
class Standing:
    """What is on record about a key when a change is asked for.

    `share` is one's own (its public side is the record), `factors` the identities of the live factors,
    `pending` identities named by other requests that are still open.
    """

    network: str
    account: bytes
    node_epoch: int
    share: KeyShare
    factors: Mapping[PartyId, bytes]
    pending: frozenset[bytes] = frozenset()


def propose(
    standing: Standing,
    new: AccessStructure,
    targets: Sequence[Target],
    *,
    pool: Sequence[bytes],
    online: Sequence[PartyId],
    expires: int,
    nonce: bytes,
) -> Change:
    """The request of an online factor, filled in from its own record."""
    share = standing.share
    return Change(
        standing.network,
        standing.account,
        share.group.name,
        share.key_id,
        standing.node_epoch,
        share.epoch,
        share.public_key.to_bytes(),
        tuple(pool),
        str(share.structure),
        str(new),
        tuple((name, share.public_shares[name].to_bytes()) for name in sorted(online)),
        tuple(sorted(targets, key=lambda target: target.point)),
        expires,
        nonce,
    )


def examine(change: Change, standing: Standing, pool: Mapping[bytes, CommitteeKey], now: int) -> None:
    """Raise `Refused` unless this change of the standing key may be dealt. `pool`: committee keys at hand."""
    share = standing.share
    place = (change.network, change.account, change.curve, change.key_id, change.public_key)
    known = (
        standing.network,
        standing.account,
        share.group.name,
        share.key_id,
        share.public_key.to_bytes(),
    )
    if place != known:
        _refuse("key", "the request is about another key than the one on record")
    if (change.node_epoch, change.epoch) != (standing.node_epoch, share.epoch):
        _refuse("epoch", f"the key is in epoch {share.epoch}, the request starts from {change.epoch}")
    if change.old != str(share.structure):
        _refuse("structure", "the request starts from another structure than the one on record")
    if not now < change.expires <= now + MAX_LIFETIME:
        _refuse("expired", "the request has expired, or would stand open for too long")
    new = structure_of(change)
    _examine_online(change, standing)
    _examine_targets(change, standing)
    _examine_pool(change, new, share, pool)


def structure_of(change: Change) -> AccessStructure:
    """The new structure, fitting the targets and with the old committee. Raises `Refused`."""
    points = [target.point for target in change.targets]
    if any(not FIRST_FACTOR <= point <= MAX_POINT for point in points):
        _refuse("point", "points 0 and 1 are the key's and the committee's, very high ones are reserved")
    if len(set(points)) != len(points):
        _refuse("point", "two targets stand at one point")
    identities = [target.factor for target in change.targets]
    if len(set(identities)) != len(identities):
        _refuse("factor", "one identity stands at two points: its owner would hold two shares")
    try:
        old, new = AccessStructure.parse(change.old), AccessStructure.parse(change.new)
        new.check_seats()
    except LocalError as error:
        _refuse("structure", str(error))
    members = new.root.members[1:]
    named = [(target.name, target.point) for target in change.targets]
    if (
        str(new) != change.new
        or new.committee() is None
        or new.committee() != old.committee()
        or new.root.needed < 2
        or not all(isinstance(member, Leaf) for member in members)
        or [(member.leaves[0], member.point) for member in members] != named
    ):
        _refuse(
            "structure", "the new structure is the old committee and exactly the targets, two or more needed"
        )
    return new


def quorums_of(structure: AccessStructure) -> Quorums:
    """The quorums of a structure's committee."""
    committee = structure.committee()
    if committee is None:
        _refuse("structure", f"{structure} has no committee")
    return Quorums.standard(len(committee.members), committee.needed - 1)


def request_hash(core_hash: bytes, known: bytes, masks: Mapping[PartyId, bytes]) -> bytes:
    """What nodes lock: the core, the public values it starts from, and all that the online factors dealt.

    Ciphertexts are not in it. Mask shares, items and parts are determined by the commitments that are, and a
    wrong one is shown by opening its box.
    """
    return digest(Tag.REFRESH_REQUEST, core_hash, known, encode(sorted(masks.items())))


def _examine_online(change: Change, standing: Standing) -> None:
    share = standing.share
    names = [name for name, _ in change.online]
    old_factors = share.structure.factors
    if names != sorted(set(names)) or not set(names) <= set(old_factors):
        _refuse("online", "the online factors are distinct factors of the old structure, sorted")
    if len(names) != share.structure.root.needed - 1:
        _refuse("online", f"{share.structure.root.needed - 1} online factors and the committee are needed")
    for name, stated in change.online:
        if stated != share.public_shares[name].to_bytes():
            _refuse("share", f"the public share of {name} is not the one on record")


def _examine_targets(change: Change, standing: Standing) -> None:
    at_point = {point: name for name, point in standing.share.structure.factors.items()}
    for target in change.targets:
        holder = at_point.get(target.point)
        if holder is not None and (target.name, target.factor) != (holder, standing.factors.get(holder)):
            _refuse("factor", f"point {target.point} belongs to {holder}; a replacement takes a new point")
        if holder is None and target.name in standing.share.structure.leaves:
            _refuse("factor", f"{target.name} stands at another point on record")
        if holder is None and target.factor in (*standing.factors.values(), *standing.pending):
            _refuse("factor", "this identity already stands at a point, here or in another open request")


def _examine_pool(
    change: Change, new: AccessStructure, share: KeyShare, pool: Mapping[bytes, CommitteeKey]
) -> None:
    if len(change.pool) != new.root.needed - 1 or len(set(change.pool)) != len(change.pool):
        _refuse("pool", f"{new.root.needed - 1} distinct pool keys are needed")
    nodes = tuple(new.nodes)
    old_committee = interpolate_public(
        share.group, {point: share.public_shares[name] for name, point in share.structure.nodes.items()}
    )
    for key_id in change.pool:
        key = pool.get(key_id)
        if key is None:
            _refuse("pool", "a pool key is unknown here, or has been used")
        if key.nodes != nodes or key.degree != quorums_of(new).degree or key.group is not share.group:
            _refuse("pool", "a pool key is shared by another committee")
        if key.public_key == old_committee or key_id == change.key_id:
            # the old line again: one aborted request on it would leave two lines' worth of values
            _refuse("pool", "the fresh line needs a committee key of its own, not the live one")


def group_fits(change: Change, group: Group) -> None:
    """Raise `Refused` unless the session runs over the key's group."""
    if change.curve != group.name:
        _refuse("key", f"the key is on {change.curve}, the session on {group.name}")


def _refuse(code: str, message: str) -> NoReturn:
    raise Refused(f"refresh refused: {message}", code=f"refresh-{code}", step="1")
