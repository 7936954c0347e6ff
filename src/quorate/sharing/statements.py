"""What nodes sign about a key outside any session: each statement's bytes, and the check of a certificate.

A statement is a canonical struct under its own name; the bytes a node signs are a tagged hash of it, so a
signature under one kind of statement is none under another. A certificate is a set of signatures of
distinct nodes over the same statement. Nodes sign with their identity keys, in the layers above.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from quorate.encoding import MAX_TEXT_BYTES, Canonical, encode
from quorate.errors import ProofRejected
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import PartyId, PublicIdentity
from quorate.sharing.expression import MAX_EXPRESSION, MAX_LEAVES

Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT_BYTES)]
Structure = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_EXPRESSION)]
Encoded = Annotated[bytes, msgspec.Meta(min_length=1, max_length=256)]
Epoch = Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 1)]
PublicShares = Annotated[tuple[tuple[str, Encoded], ...], msgspec.Meta(max_length=MAX_LEAVES)]
Commitment = Annotated[tuple[Encoded, ...], msgspec.Meta(min_length=1, max_length=MAX_LEAVES)]

CommitteeEpoch = Annotated[int, msgspec.Meta(ge=0, le=(1 << 16) - 1)]
BatchNumber = Annotated[int, msgspec.Meta(ge=1, le=(1 << 31) - 1)]
Position = Annotated[int, msgspec.Meta(ge=0, le=(1 << 16) - 1)]

NO_ARCHIVE: Final = b""
"""The archive hash of a key that has no exit kit yet."""


class Statement(Canonical, tag="statement"):
    """Base; subclasses give their own ``tag=``."""


class KeyFormed(Statement, tag="key-formed"):
    """A key exists between a committee and a device. It signs when its account's register says so."""

    network: Name
    account: Digest
    curve: Name
    key_id: Digest
    structure: Structure
    public_key: Encoded
    committee: Commitment
    factors: PublicShares
    chain_code: Digest
    """The hash of the chain code: the register is read by more than those who may derive addresses."""
    archive: bytes = NO_ARCHIVE


class Prepared(Statement, tag="prepared"):
    """The epoch exists at this node beside the old one; all present factors have confirmed."""

    network: Name
    account: Digest
    key_id: Digest
    epoch: Epoch
    request: Digest
    structure: Structure
    public_key: Encoded
    committee: Commitment
    factors: PublicShares
    checks: Digest
    """The hash of all check values of the items and parts that were dealt."""
    archive: bytes = NO_ARCHIVE


class KeyAssigned(Statement, tag="key-assigned"):
    """A committee key made ahead is this account's, whose device has committed to a share of its own.

    A node signs it for one account at most, ever. `epoch` is the committee's; (curve, batch, position) names
    the key.
    """

    network: Name
    epoch: CommitteeEpoch
    curve: Name
    batch: BatchNumber
    position: Position
    account: Digest
    commitment: Digest


class Grant(Canonical):
    """The certificate of a `KeyAssigned`: signatures of an echo quorum of the committee of `epoch`."""

    epoch: CommitteeEpoch
    batch: BatchNumber
    position: Position
    signatures: Annotated[
        tuple[tuple[Name, Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]], ...],
        msgspec.Meta(min_length=1, max_length=MAX_LEAVES),
    ]

    def statement(self, network: str, curve: str, account: bytes, commitment: bytes) -> KeyAssigned:
        """What was signed, if this is a certificate for that account and commitment."""
        return KeyAssigned(network, self.epoch, curve, self.batch, self.position, account, commitment)

    def verify(
        self, statement: KeyAssigned, committee: Mapping[PartyId, PublicIdentity], quorum: int
    ) -> None:
        """Raises `ProofRejected` unless `quorum` distinct nodes have signed `statement`."""
        signatures = dict(self.signatures)
        if len(signatures) != len(self.signatures):
            raise ProofRejected("certificate: a node signs once")
        verify_certificate(statement, signatures, committee, quorum)


def to_sign(statement: Statement) -> bytes:
    """The 32 bytes that nodes sign; also the digest by which other statements name this one."""
    return digest(Tag.STATEMENT, encode(statement))


def verify_certificate(
    statement: Statement,
    signatures: Mapping[PartyId, bytes],
    committee: Mapping[PartyId, PublicIdentity],
    quorum: int,
) -> None:
    """Raises `ProofRejected` unless at least `quorum` nodes of the committee, and only such, have signed.

    One bad signature spoils the certificate: whoever collected it should have dropped that one, and a
    verifier that skips silently would hide who sends garbage.
    """
    data = to_sign(statement)
    for name, signature in sorted(signatures.items()):
        if name not in committee:
            raise ProofRejected(f"certificate: {name} is not of the committee")
        try:
            committee[name].verify(data, signature)
        except ProofRejected:
            raise ProofRejected(f"certificate: the signature of {name} is not over this statement") from None
    if len(signatures) < quorum:
        raise ProofRejected(f"certificate: {len(signatures)} signatures, {quorum} are needed")
