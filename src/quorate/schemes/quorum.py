"""Who signs together, with which part of the key.

A quorum is an exact signer set of one key in one epoch. It turns Shamir shares into additive ones: the
structure gives each signer a public coefficient, and the parts ``coefficient * share`` sum to the key
(threshold schemes since Desmedt and Frankel, 1989). Everything public about it goes into one digest, which
every hash of a signing session is bound to: parties whose records differ notice before any check that could
harm an honest pair.

Coefficients come from a party's own record of the key, never from a message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from quorate.errors import LocalError
from quorate.groups import Group, Point, Scalar
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.secret import Secret
from quorate.session import PartyId
from quorate.sharing.keyshare import KeyShare


@dataclass(frozen=True, slots=True)
class Quorum:
    """The public side. `parts` holds coefficient * public share of each signer; they sum to the key.

    `keepers` are the signers that hold the entropy of a presignature: the committee's nodes among the
    signers, or all signers when no node is among them. A device that signs with nodes keeps none, because
    it is the one that asks (docs/protocols/ecdsa.md, steps 2.5 and 3.2).
    """

    key_id: bytes
    epoch: int
    group: Group
    public_key: Point
    parts: Mapping[PartyId, Point]
    keepers: frozenset[PartyId]
    _digest: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.parts) < 2:
            raise LocalError("a quorum has at least two signers; one alone would hold the key")
        if list(self.parts) != sorted(self.parts) or not self.keepers <= set(self.parts) or not self.keepers:
            raise LocalError("quorum: signers in ascending order, and keepers among them")
        if self.group.sum(self.parts.values()) != self.public_key:
            raise LocalError(
                "the recorded public shares of these signers do not make the recorded public key"
            )
        object.__setattr__(self, "_digest", self._hash())

    @property
    def signers(self) -> tuple[PartyId, ...]:
        """All signers, sorted."""
        return tuple(self.parts)

    def digest(self) -> bytes:
        """Commits to everything in the quorum. Computed once: a signing asks for it several times."""
        return self._digest

    def _hash(self) -> bytes:
        fields = [
            self.key_id,
            self.epoch.to_bytes(4, "big"),
            self.group.name.encode(),
            self.public_key.to_bytes(),
        ]
        for name, part in self.parts.items():
            fields += (name.encode(), part.to_bytes(), b"keeper" if name in self.keepers else b"")
        return digest(Tag.QUORUM, *fields)


@dataclass(frozen=True, slots=True)
class Signer:
    """One signer's own view: the quorum, its seat, its additive part of the key.

    Made by `of` from a `KeyShare`, which was checked against its own record: a party with a wrong or stale
    share finds out there, and not by being blamed.
    """

    quorum: Quorum
    me: PartyId
    part: Secret[Scalar] = field(repr=False)

    @classmethod
    def of(cls, key: KeyShare, signers: Iterable[PartyId]) -> Signer:
        """The seat of the share's owner among `signers`.

        Raises `NotAuthorised` or `NotExact` if the structure says so, and `LocalError` if we are not among
        the signers or the recorded public shares do not make the recorded key.
        """
        group = key.group
        coefficients = key.structure.coefficients(signers, group.order)
        if key.me not in coefficients:
            raise LocalError(f"{key.me} is not among the signers {', '.join(coefficients)}")
        parts = {
            name: key.public_shares[name].multiply_public(group.scalar(value))
            for name, value in coefficients.items()
        }
        nodes = frozenset(key.structure.nodes) & frozenset(parts)
        quorum = Quorum(key.key_id, key.epoch, group, key.public_key, parts, nodes or frozenset(parts))
        return cls(quorum, key.me, Secret(group.scalar(coefficients[key.me]) * key.share.reveal()))
