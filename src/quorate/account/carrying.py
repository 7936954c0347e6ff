"""Carrying keys from one committee epoch to the next: what is agreed about each, what becomes of its record.

A resharing moves the committee's share of a key to other points and other nodes. Everything else about the
key stays: its public key, its factors and their shares, its chain code, its user epoch. So the next record
follows from the last one and from the new public shares alone; nodes and devices derive it, each on its own.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from quorate.account.committee import CommitteeRecord
from quorate.account.records import Digest, KeyRecord, Member
from quorate.encoding import Canonical, encode
from quorate.errors import Malformed
from quorate.groups import Point
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.sharing.access import AccessStructure
from quorate.sharing.epochs import committee_epoch, in_committee_epoch
from quorate.sharing.expression import Leaf, Threshold
from quorate.sharing.generation import CommitteeKey
from quorate.sharing.keyshare import KeyShare
from quorate.sharing.polynomial import Commitment


class Holding(Canonical, frozen=True):
    """A key that a committee holds for an account: one that signs, or one that waits to.

    `statement` is the digest of what the nodes signed about it, in the committee epoch `made_in`. Whether the
    key signs is no part of it: a node knows that from a certificate over the statement, at a time of its own.
    """

    record: KeyRecord
    statement: Digest
    made_in: Annotated[int, msgspec.Meta(ge=0)] = 0

    @property
    def digest(self) -> bytes:
        """What nodes compare: equal if, and only if, they hold the same of this key."""
        return digest(Tag.HOLDING, encode(self))

    @property
    def label(self) -> bytes:
        """What a resharing calls it: a key may wait in one user epoch while it is live in another."""
        return digest(Tag.HOLDING_LABEL, self.record.key, self.record.epoch.to_bytes(4, "big"))


def committee_key(record: KeyRecord, label: bytes) -> CommitteeKey:
    """The committee's share of a key as a key of its own, named `label`, from the nodes' public shares.

    Raises `Malformed` if those do not lie on one polynomial of the structure's degree.
    """
    access, shares = record.access, record.public_shares
    access.check_seats()
    nodes, committee = tuple(access.nodes), access.committee()
    if committee is None:
        raise Malformed("this key has no committee")
    points = [shares[name] for name in nodes]
    commitment = Commitment(_coefficients(points[: committee.needed]))
    if any(commitment.at(x) != point for x, point in enumerate(points, 1)):
        raise Malformed("the nodes' public shares lie on no polynomial of the committee's degree")
    return CommitteeKey(label, nodes, commitment)


def _coefficients(values: list[Point]) -> tuple[Point, ...]:
    """The coefficients of the polynomial through `values` at 1, 2, ..., in the exponent."""
    group = values[0].group
    order, xs = group.order, range(1, len(values) + 1)
    columns: list[Point] = []
    basis = [_basis(x, list(xs), order) for x in xs]
    for power in range(len(values)):
        weights = [coefficients[power] for coefficients in basis]
        columns.append(
            group.sum(
                value.multiply_public(group.scalar(weight))
                for value, weight in zip(values, weights, strict=True)
                if weight
            )
        )
    return tuple(columns)


def _basis(x: int, xs: list[int], order: int) -> list[int]:
    """Lagrange's polynomial that is 1 at `x` and 0 at the others, by coefficients from the constant up."""
    found, denominator = [1], 1
    for other in xs:
        if other != x:
            # times (X - other)
            shifted, scaled = [0, *found], [-other * c for c in found] + [0]
            found = [(a + b) % order for a, b in zip(shifted, scaled, strict=True)]
            denominator = denominator * (x - other) % order
    inverse = pow(denominator, -1, order)
    return [c * inverse % order for c in found]


def carried_structure(structure: AccessStructure, committee: CommitteeRecord) -> AccessStructure:
    """The same structure with another committee at its first point."""
    root = structure.root
    nodes = tuple(Leaf(name, x) for x, name in enumerate(committee.names, 1))
    first = Threshold(committee.degree + 1, nodes, 1)
    return AccessStructure(Threshold(root.needed, (first, *root.members[1:]), 0))


def carried_record(before: KeyRecord, committee: CommitteeRecord, key: CommitteeKey) -> KeyRecord:
    """The record of the same key in the epoch of `committee`; `key` is what the resharing came to.

    Raises `Malformed` unless that is the same shared value, among exactly these nodes.
    """
    if key.nodes != committee.names or key.degree != committee.degree:
        raise Malformed("the reshared key is not of this committee")
    if committee_key(before, key.key_id).public_key != key.public_key:
        raise Malformed("a resharing never changes what is shared")
    members = tuple(
        Member(seat.name, seat.keys, key.public_share(seat.name).to_bytes()) for seat in committee.members
    )
    return KeyRecord(
        network=before.network,
        account=before.account,
        key=before.key,
        curve=before.curve,
        epoch=in_committee_epoch(before.epoch, committee.epoch),
        public_key=before.public_key,
        chain_code=before.chain_code,
        structure=str(carried_structure(before.access, committee)),
        committee=members,
        factors=before.factors,
    )


def check_carried(before: KeyRecord, after: KeyRecord, committee: CommitteeRecord) -> None:
    """Raises `Malformed` unless `after` is `before`, carried to the epoch of `committee`, no more."""
    if committee_epoch(after.epoch) != committee.epoch or committee.epoch <= committee_epoch(before.epoch):
        raise Malformed("the record is of another committee epoch")
    expected = carried_record(before, committee, committee_key(after, bytes(32)))
    if expected != after:
        raise Malformed("the record differs in more than its committee")


def carried_share(share: KeyShare, after: KeyRecord) -> KeyShare:
    """A factor's share under the carried record: the same secret, among other public shares.

    Raises `Malformed` unless all of them belong to the public key.
    """
    carried = KeyShare(
        share.key_id,
        after.epoch,
        after.access,
        share.public_key,
        after.public_shares,
        share.me,
        share.share,
        share.chain_code,
    )
    carried.check()
    return carried
