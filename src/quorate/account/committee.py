"""The committee of nodes, epoch after epoch: its record, the chain of records, and the switch to the next.

A record says who the nodes are in one committee epoch and which thresholds hold. It names the digest of its
parent, and E nodes of the parent sign it: whoever trusts one record follows the chain to any later one. The
first record comes from the nodes' configuration and is trusted as that is.

The switch has two phases (docs/protocols/resharing.md): the new nodes sign STORED over the public side of
all they now hold, and R' of them are ACTIVATE, after which, and only then, old shares are erased. All of this
is agreed between nodes; what owners decide is in the register, and neither names the other.

Every statement is signed over a digest under a tag of its own by the nodes' identity keys. Pure: nothing is
stored here, and a node that signs must first have written down what it signs (`docs/protocols/resharing.md`
says what it signs at most once).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Final

import msgspec

from quorate.encoding import Canonical, encode
from quorate.errors import Malformed, ProofRejected
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import Identity, PartyId, PublicIdentity, PublicKeys, is_party_id
from quorate.session.identity import SIGNATURE_BYTES
from quorate.sharing.epochs import MAX_EPOCH
from quorate.sharing.quorums import Quorums

MAX_NODES: Final = 32
"""Of one committee: an old and a new one, wholly different, then still fit one session."""

MAX_URL_BYTES: Final = 256
"""A host name has at most 253 bytes; addresses of nodes have no long paths."""

FIRST_PARENT: Final = bytes(32)
"""What stands for the parent of the first record."""

Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
Network = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Number = Annotated[int, msgspec.Meta(ge=0, le=MAX_EPOCH)]
Signature = Annotated[bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]
Signatures = Annotated[tuple[tuple[Name, Signature], ...], msgspec.Meta(max_length=MAX_NODES)]
"""By name, ascending: one spelling for each set, and nobody twice."""


class Seat(Canonical, frozen=True):
    """A node in one committee epoch. `keys`: its signing key, kept for life, and this epoch's sealing key."""

    name: Name
    url: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_URL_BYTES)]
    keys: Annotated[bytes, msgspec.Meta(min_length=65, max_length=65)]

    @property
    def identity(self) -> PublicKeys:
        """The keys, parsed. Raises `Malformed`."""
        return _parsed(self.keys)


class CommitteeRecord(Canonical, frozen=True):
    """One committee epoch. Members stand at the points 1..n in this order. Raises `Malformed` if unsound."""

    network: Network
    epoch: Number
    members: Annotated[tuple[Seat, ...], msgspec.Meta(min_length=1, max_length=MAX_NODES)]
    degree: Annotated[int, msgspec.Meta(ge=0, le=MAX_NODES)]
    liars: Annotated[int, msgspec.Meta(ge=0, le=MAX_NODES)]
    away: Annotated[int, msgspec.Meta(ge=0, le=MAX_NODES)]
    parent: Digest = FIRST_PARENT

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.members) or not all(map(is_party_id, self.names)):
            raise Malformed("committee: its nodes have distinct plain names")
        identities = [seat.identity for seat in self.members]
        for part in ({keys.verifying for keys in identities}, {keys.sealing for keys in identities}):
            if len(part) != len(self.members):
                # quorums count operators; whoever has one key under two names would be counted twice
                raise Malformed("committee: every node has keys of its own")
        if (self.epoch == 0) != (self.parent == FIRST_PARENT):
            raise Malformed("committee: the first record, and only the first, has no parent")
        self.quorums  # noqa: B018 - raises for thresholds out of bounds

    @property
    def digest(self) -> bytes:
        """What stands for this record, and through its parent for the whole chain before it."""
        return digest(Tag.COMMITTEE_RECORD, encode(self))

    @property
    def names(self) -> tuple[PartyId, ...]:
        """The nodes in the order of their points."""
        return tuple(seat.name for seat in self.members)

    @property
    def identities(self) -> dict[PartyId, PublicKeys]:
        """The nodes' public keys."""
        return {seat.name: seat.identity for seat in self.members}

    @property
    def quorums(self) -> Quorums:
        """What is counted in this epoch."""
        return Quorums(len(self.members), self.degree, self.liars, self.away)

    def seat(self, name: PartyId) -> Seat | None:
        """The seat of this node."""
        return next((seat for seat in self.members if seat.name == name), None)


# --- who sits, and that the parent agrees --------------------------------------------------------------


class Claim(Canonical, frozen=True):
    """A node's own word for its seat in the epoch after `parent`, signed by its identity key.

    It proves that whoever holds the identity made this epoch's sealing key, and made it for this epoch.
    """

    network: Network
    epoch: Number
    parent: Digest
    seat: Seat
    signature: Signature

    @classmethod
    def make(cls, parent: CommitteeRecord, seat: Seat, identity: Identity) -> Claim:
        """Sign for a seat in the next epoch."""
        unsigned = cls(parent.network, parent.epoch + 1, parent.digest, seat, bytes(SIGNATURE_BYTES))
        return msgspec.structs.replace(unsigned, signature=identity.sign(unsigned.to_sign()))

    def to_sign(self) -> bytes:
        """The 32 bytes that the node signs."""
        bare = msgspec.structs.replace(self, signature=bytes(SIGNATURE_BYTES))
        return digest(Tag.COMMITTEE_CLAIM, encode(bare))

    def verify(self, parent: CommitteeRecord) -> None:
        """Raises `ProofRejected` unless this is the seat's own word for the epoch after `parent`."""
        if (self.network, self.epoch, self.parent) != (parent.network, parent.epoch + 1, parent.digest):
            raise ProofRejected(f"claim of {self.seat.name}: it is for another epoch")
        self.seat.identity.verify(self.to_sign(), self.signature)


def check_succession(parent: CommitteeRecord, record: CommitteeRecord) -> None:
    """Raises `ProofRejected` unless `record` may follow `parent`, whoever signed it.

    A node checks this before it signs; `verify_chain` checks it again.
    """
    if record.network != parent.network:
        raise ProofRejected(f"committee of {record.network}: ours is of {parent.network}")
    if record.epoch != parent.epoch + 1 or record.parent != parent.digest:
        raise ProofRejected(f"committee epoch {record.epoch} does not follow epoch {parent.epoch} as known")
    try:
        record.quorums.require_revocation()
    except Malformed as error:
        raise ProofRejected(f"committee epoch {record.epoch}: {error}") from None
    before = {keys.verifying: name for name, keys in parent.identities.items()}
    sealing = {keys.sealing for keys in parent.identities.values()}
    for name, keys in record.identities.items():
        seat = parent.seat(name)
        if before.get(keys.verifying) != (None if seat is None else name):
            # one party of the change's sessions has one identity, and one identity is one party
            raise ProofRejected(f"committee epoch {record.epoch}: {name} has another identity than before")
        if keys.sealing in sealing:
            raise ProofRejected(
                f"committee epoch {record.epoch}: {name} keeps a sealing key of the last epoch"
            )


class Succession(Canonical, frozen=True):
    """A record with the signatures of E nodes of its parent."""

    record: CommitteeRecord
    signatures: Signatures

    def verify(self, parent: CommitteeRecord) -> None:
        """Raises `ProofRejected` unless the parent's committee has made this its successor."""
        check_succession(parent, self.record)
        subject = succession_digest(self.record)
        check_signatures(subject, self.signatures, parent.identities, parent.quorums.echo)


def succession_digest(record: CommitteeRecord) -> bytes:
    """What a node signs to let this record follow its parent: for each epoch once, ever."""
    return succession_subject(record.digest)


def succession_subject(record: bytes) -> bytes:
    """`succession_digest` of the record of this digest."""
    return digest(Tag.COMMITTEE_SUCCESSION, record)


def verify_chain(trusted: CommitteeRecord, chain: Iterable[Succession]) -> CommitteeRecord:
    """The last record of a chain that begins right after a trusted one. Raises `ProofRejected`.

    That a record follows does not say that it is in force: for the last one, ask for its `Activation`. That
    the earlier ones were is vouched for by their nodes, who signed what comes after.
    """
    last = trusted
    for succession in chain:
        succession.verify(last)
        last = succession.record
    return last


# --- the switch ----------------------------------------------------------------------------------------


class Frozen(Canonical, frozen=True):
    """E nodes of the old committee agree on what is reshared: `keys` is the digest of the list.

    Nodes that are new to the committee learn from it which keys there are and what their public shares were.
    """

    network: Network
    record: Digest
    keys: Digest
    signatures: Signatures = ()

    def to_sign(self) -> bytes:
        """The 32 bytes that the nodes sign; the signatures are no part of it."""
        return digest(Tag.COMMITTEE_FROZEN, self.network.encode(), self.record, self.keys)

    def verify(self, old: CommitteeRecord, new: CommitteeRecord) -> None:
        """Raises `ProofRejected` unless E old nodes froze this list for the change from `old` to `new`."""
        check_succession(old, new)
        if (self.network, self.record) != (new.network, new.digest):
            raise ProofRejected("frozen keys: of another epoch change")
        check_signatures(self.to_sign(), self.signatures, old.identities, old.quorums.echo)


class Stored(Canonical, frozen=True):
    """STORED: a new node holds, durably, its shares of all that `root` commits to. Once for each epoch."""

    network: Network
    epoch: Number
    record: Digest
    root: Digest

    def to_sign(self) -> bytes:
        """The 32 bytes that the node signs."""
        return digest(Tag.COMMITTEE_STORED, encode(self))


class Activation(Canonical, frozen=True):
    """ACTIVATE: R' nodes of the new committee have STORED the same. The epoch is in force."""

    stored: Stored
    signatures: Signatures

    def verify(self, record: CommitteeRecord) -> None:
        """Raises `ProofRejected` unless this puts `record` in force."""
        stored = self.stored
        if (stored.network, stored.epoch, stored.record) != (record.network, record.epoch, record.digest):
            raise ProofRejected("activation: of another epoch")
        check_signatures(stored.to_sign(), self.signatures, record.identities, record.quorums.ready)


class Erased(Canonical, frozen=True):
    """ERASED: a node of the old committee has destroyed what it held in the epoch of `record`.

    Nobody can check it. It is for the operators: d + 1 old nodes that never say it may still open the epoch.
    """

    network: Network
    epoch: Number
    record: Digest

    def to_sign(self) -> bytes:
        """The 32 bytes that the node signs."""
        return digest(Tag.COMMITTEE_ERASED, encode(self))


def check_signatures(
    subject: bytes, signatures: Signatures, identities: Mapping[PartyId, PublicIdentity], needed: int
) -> None:
    """Raises `ProofRejected` unless at least `needed` of these nodes, each once and nobody else, signed.

    One bad signature spoils it: whoever collected them should have dropped that one.
    """
    names = [name for name, _ in signatures]
    if names != sorted(set(names)):
        raise ProofRejected("certificate: signers are named once, in ascending order")
    for name, signature in signatures:
        if name not in identities:
            raise ProofRejected(f"certificate: {name} is not of the committee")
        try:
            identities[name].verify(subject, signature)
        except ProofRejected:
            raise ProofRejected(f"certificate: the signature of {name} is not over this") from None
    if len(names) < needed:
        raise ProofRejected(f"certificate: {len(names)} signatures, {needed} are needed")


def in_order(signatures: Mapping[PartyId, bytes]) -> tuple[tuple[PartyId, bytes], ...]:
    """Signatures as a certificate holds them."""
    return tuple(sorted(signatures.items()))


def parties_of_change(old: CommitteeRecord, new: CommitteeRecord) -> dict[PartyId, PublicKeys]:
    """Everybody in the sessions of an epoch change. Who stays is sealed to under the key of the new epoch."""
    return {**old.identities, **new.identities}


@lru_cache(maxsize=512)
def _parsed(keys: bytes) -> PublicKeys:
    return PublicKeys.from_bytes(keys)
