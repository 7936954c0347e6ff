"""Changes of the committee as certificates, made from nodes' keys by a test that has them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.support.registering import hand_over

from quorate.account.committee import (
    Activation,
    CommitteeRecord,
    Seat,
    Stored,
    Succession,
    in_order,
    succession_digest,
)
from quorate.entropy import system_rng
from quorate.node.identity import NodeKeys
from quorate.session import KeyPair
from quorate.sharing.generation import CommitteeKey
from quorate.sharing.polynomial import Polynomial, interpolate
from quorate.testing.committee import LocalCommittee


def keys_of(committee: LocalCommittee, name: str, epoch: int) -> KeyPair:
    """A node's keys for an epoch, from its vault."""
    return NodeKeys(committee.nodes[name].vault, system_rng).of(epoch)


def next_record(
    parent: CommitteeRecord, keys: Mapping[str, KeyPair], *, degree: int, liars: int = 1, away: int = 0
) -> CommitteeRecord:
    """The record after `parent` with these members, in this order."""
    seats = tuple(Seat(name, "memory:", pair.public.to_bytes()) for name, pair in keys.items())
    return CommitteeRecord(parent.network, parent.epoch + 1, seats, degree, liars, away, parent.digest)


def succession(record: CommitteeRecord, signers: Mapping[str, KeyPair]) -> Succession:
    """Signed by these nodes of the parent."""
    subject = succession_digest(record)
    return Succession(record, in_order({name: pair.sign(subject) for name, pair in signers.items()}))


def activation(record: CommitteeRecord, signers: Mapping[str, KeyPair]) -> Activation:
    """Signed by these nodes of the record."""
    stored = Stored(record.network, record.epoch, record.digest, b"r" * 32)
    signatures = {name: pair.sign(stored.to_sign()) for name, pair in signers.items()}
    return Activation(stored, in_order(signatures))


def renewal(
    committee: LocalCommittee, names: Sequence[str] | None = None, *, degree: int = 2, liars: int = 1
) -> tuple[Succession, Activation]:
    """The next epoch of running nodes, with these members; by default with the same."""
    node = next(iter(committee.nodes.values()))
    parent = node.committee.record
    epoch = parent.epoch + 1
    fresh = {name: keys_of(committee, name, epoch) for name in names or parent.names}
    record = next_record(parent, fresh, degree=degree, liars=liars)
    old = {name: committee.nodes[name].identity for name in parent.names if name in committee.nodes}
    return succession(record, old), activation(record, fresh)


def reshare_by_hand(
    committee: LocalCommittee,
    change: Succession,
    proof: Activation,
    *,
    switch: Sequence[str] | None = None,
    without_share: Sequence[str] = (),
    live: bool = True,
) -> None:
    """What nodes come to by resharing, worked out by a test that has all shares; then the switch at `switch`.

    Everything in between (staging, the one write) is the product's own.
    """
    record = change.record
    nodes = committee.nodes
    old = next(node.committee.record for node in nodes.values() if node.committee.is_member)
    holdings = nodes[old.names[-1]].keybook.holdings()
    for holding in holdings:
        group, access = holding.record.group, holding.record.access
        shares = {
            access.nodes[name]: nodes[name].keybook.share(holding.record).share.reveal()
            for name in old.names
            if name in nodes
        }
        some = dict(list(shares.items())[: old.degree + 1])
        secret = interpolate(group, some)
        polynomial = Polynomial.random(group, record.degree, system_rng, constant=secret)
        key = CommitteeKey(holding.label, record.names, polynomial.commit())
        for x, name in enumerate(record.names, 1):
            if name in nodes:
                own = None if name in without_share else polynomial.at(x)
                nodes[name].carrying.stage(record, holding, key, own, live=live)
    for name in nodes if switch is None else switch:
        nodes[name].carrying.switch([change], proof)
    if switch is None:
        hand_over(committee)
    if switch is None or switch:
        committee.follow(record)
