"""What a validator signs: the containers of the consensus specification, and their signing roots.

One struct for each payload kind; its encoding is the request's body. All numbers that go into the signature
are in it, so every signer computes the root itself: the root of the message's container, hashed with a domain
that names the kind of message, the fork and the network (consensus-specs, phase0/beacon-chain,
`compute_domain` and `compute_signing_root`; altair for sync committees, electra for its aggregates).

A message that can get a validator slashed also says so, as a `Duty`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar, Final, TypeAlias

import msgspec

from quorate.chains.validators import ssz
from quorate.encoding import Canonical
from quorate.errors import Malformed
from quorate.vault.slashing import Attestation, Block, Duty

Uint64: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
"""MessagePack has no larger numbers."""
Octets4: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=4, max_length=4)]
Octets32: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Octets48: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=48, max_length=48)]
Octets96: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=96, max_length=96)]

COMMITTEE_BITS: Final = 2048
"""MAX_VALIDATORS_PER_COMMITTEE: bits of an attestation before Electra."""
SLOT_BITS: Final = 131_072
"""... times MAX_COMMITTEES_PER_SLOT: since Electra."""
COMMITTEES: Final = 64
SYNC_BITS: Final = 128
"""SYNC_COMMITTEE_SIZE over SYNC_COMMITTEE_SUBNET_COUNT."""


class Fork(Canonical):
    """For which network and fork a message is valid."""

    version: Octets4
    genesis_validators_root: Octets32


class Message(Canonical):
    """Base of the kinds. `domain` is the specification's DOMAIN_..."""

    kind: ClassVar[str]
    domain: ClassVar[bytes]

    fork: Fork

    @abstractmethod
    def object_root(self) -> bytes:
        """The hash tree root of what is signed."""

    def duty(self) -> Duty | None:
        """What must not be signed in a second way, if this is such a message."""
        return None

    def signing_root(self) -> bytes:
        """The 32 bytes that are signed."""
        data = ssz.container(ssz.octets(self.fork.version), self.fork.genesis_validators_root)
        return ssz.container(self.object_root(), self.domain + data[:28])


class Checkpoint(Canonical):
    """An epoch and the block it is about."""

    epoch: Uint64
    root: Octets32

    def object_root(self) -> bytes:
        """Its hash tree root."""
        return ssz.container(ssz.uint64(self.epoch), self.root)


class AttestationData(Canonical):
    """What an attestation says."""

    slot: Uint64
    index: Uint64
    beacon_block_root: Octets32
    source: Checkpoint
    target: Checkpoint

    def object_root(self) -> bytes:
        """Its hash tree root."""
        return ssz.container(
            ssz.uint64(self.slot),
            ssz.uint64(self.index),
            self.beacon_block_root,
            self.source.object_root(),
            self.target.object_root(),
        )


class AttestationMessage(Message, frozen=True):
    """A vote for a head and for a pair of checkpoints."""

    kind: ClassVar[str] = "attestation"
    domain: ClassVar[bytes] = bytes.fromhex("01000000")

    data: AttestationData

    def object_root(self) -> bytes:
        return self.data.object_root()

    def duty(self) -> Duty:
        return Attestation(self.data.source.epoch, self.data.target.epoch, self.signing_root())


class BlockHeader(Message, frozen=True):
    """A proposed block, by its header: a block has its header's root."""

    kind: ClassVar[str] = "block"
    domain: ClassVar[bytes] = bytes.fromhex("00000000")

    slot: Uint64
    proposer_index: Uint64
    parent_root: Octets32
    state_root: Octets32
    body_root: Octets32

    def object_root(self) -> bytes:
        numbers = (ssz.uint64(self.slot), ssz.uint64(self.proposer_index))
        return ssz.container(*numbers, self.parent_root, self.state_root, self.body_root)

    def duty(self) -> Duty:
        return Block(self.slot, self.signing_root())


class RandaoReveal(Message, frozen=True):
    """The proposer's contribution to the chain's randomness."""

    kind: ClassVar[str] = "randao"
    domain: ClassVar[bytes] = bytes.fromhex("02000000")

    epoch: Uint64

    def object_root(self) -> bytes:
        return ssz.uint64(self.epoch)


class AggregationSlot(Message, frozen=True):
    """Whether this validator aggregates in a slot is drawn from its signature of the slot."""

    kind: ClassVar[str] = "aggregation-slot"
    domain: ClassVar[bytes] = bytes.fromhex("05000000")

    slot: Uint64

    def object_root(self) -> bytes:
        return ssz.uint64(self.slot)


class Aggregate(Message, frozen=True):
    """An aggregate of others' attestations, handed on. `committee_bits` is empty before Electra."""

    kind: ClassVar[str] = "aggregate"
    domain: ClassVar[bytes] = bytes.fromhex("06000000")

    aggregator_index: Uint64
    aggregation_bits: Annotated[bytes, msgspec.Meta(min_length=1, max_length=SLOT_BITS // 8 + 1)]
    data: AttestationData
    signature: Octets96
    selection_proof: Octets96
    committee_bits: Annotated[bytes, msgspec.Meta(max_length=COMMITTEES // 8)]

    def object_root(self) -> bytes:
        fields = [
            ssz.bitlist(self.aggregation_bits, SLOT_BITS if self.committee_bits else COMMITTEE_BITS),
            self.data.object_root(),
            ssz.octets(self.signature),
        ]
        if self.committee_bits:
            fields.append(ssz.bitvector(self.committee_bits, COMMITTEES))
        return ssz.container(
            ssz.uint64(self.aggregator_index), ssz.container(*fields), ssz.octets(self.selection_proof)
        )


class SyncMessage(Message, frozen=True):
    """A sync committee member's vote for a head. The slot is not part of what is signed."""

    kind: ClassVar[str] = "sync-message"
    domain: ClassVar[bytes] = bytes.fromhex("07000000")

    beacon_block_root: Octets32

    def object_root(self) -> bytes:
        return self.beacon_block_root


class SyncSelection(Message, frozen=True):
    """Whether this validator aggregates for a sync subcommittee in a slot is drawn from this signature."""

    kind: ClassVar[str] = "sync-selection"
    domain: ClassVar[bytes] = bytes.fromhex("08000000")

    slot: Uint64
    subcommittee_index: Uint64

    def object_root(self) -> bytes:
        return ssz.container(ssz.uint64(self.slot), ssz.uint64(self.subcommittee_index))


class SyncContribution(Message, frozen=True):
    """An aggregate of a sync subcommittee's votes, handed on."""

    kind: ClassVar[str] = "sync-contribution"
    domain: ClassVar[bytes] = bytes.fromhex("09000000")

    aggregator_index: Uint64
    slot: Uint64
    beacon_block_root: Octets32
    subcommittee_index: Uint64
    aggregation_bits: Annotated[bytes, msgspec.Meta(min_length=SYNC_BITS // 8, max_length=SYNC_BITS // 8)]
    signature: Octets96
    selection_proof: Octets96

    def object_root(self) -> bytes:
        contribution = ssz.container(
            ssz.uint64(self.slot),
            self.beacon_block_root,
            ssz.uint64(self.subcommittee_index),
            ssz.bitvector(self.aggregation_bits, SYNC_BITS),
            ssz.octets(self.signature),
        )
        return ssz.container(
            ssz.uint64(self.aggregator_index), contribution, ssz.octets(self.selection_proof)
        )


class VoluntaryExit(Message, frozen=True):
    """The end of a validator. Since Deneb it is signed for the Capella fork, whichever is on (EIP-7044)."""

    kind: ClassVar[str] = "exit"
    domain: ClassVar[bytes] = bytes.fromhex("04000000")

    epoch: Uint64
    validator_index: Uint64

    def object_root(self) -> bytes:
        return ssz.container(ssz.uint64(self.epoch), ssz.uint64(self.validator_index))


class Deposit(Message, frozen=True):
    """The beginning of a validator: its key signs to whom its balance will go.

    Deposits are valid before the network has begun, so their domain names the genesis fork's version alone:
    `fork.genesis_validators_root` is zero.
    """

    kind: ClassVar[str] = "deposit"
    domain: ClassVar[bytes] = bytes.fromhex("03000000")

    public_key: Octets48
    withdrawal_credentials: Octets32
    amount: Uint64

    def __post_init__(self) -> None:
        if any(self.fork.genesis_validators_root):
            raise Malformed("deposit: its domain has no genesis validators root; leave it zero")

    def object_root(self) -> bytes:
        return ssz.container(
            ssz.octets(self.public_key), self.withdrawal_credentials, ssz.uint64(self.amount)
        )


KINDS: Final[dict[str, type[Message]]] = {
    kind.kind: kind
    for kind in (
        AttestationMessage,
        BlockHeader,
        RandaoReveal,
        AggregationSlot,
        Aggregate,
        SyncMessage,
        SyncSelection,
        SyncContribution,
        VoluntaryExit,
        Deposit,
    )
}
"""By the request's kind."""
