"""Changes of the committee as certificates, made from nodes' keys by a test that has them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    committee: LocalCommittee, names: Sequence[str] | None = None, *, degree: int = 2
) -> tuple[Succession, Activation]:
    """The next epoch of running nodes, with these members; by default with the same."""
    node = next(iter(committee.nodes.values()))
    parent = node.committee.record
    epoch = parent.epoch + 1
    fresh = {name: keys_of(committee, name, epoch) for name in names or parent.names}
    record = next_record(parent, fresh, degree=degree)
    old = {name: committee.nodes[name].identity for name in parent.names if name in committee.nodes}
    return succession(record, old), activation(record, fresh)
