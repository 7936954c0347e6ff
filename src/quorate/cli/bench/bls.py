"""Threshold BLS: two of three holders sign, in one session.

A device and a node with a key that a third holds a share of, too. Everything runs in one thread, so times are
of both parties together, envelopes included: two partials, their sum, its verification.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from quorate.cli.bench.ecdsa import DEVICE, DIGEST, Seat
from quorate.cli.bench.harness import Room, Sample, require
from quorate.entropy import system_rng
from quorate.groups import group_named
from quorate.schemes.quorum import Signer
from quorate.schemes.registry import scheme_named
from quorate.schemes.scheme import Scheme
from quorate.secret import Secret
from quorate.session import Party, PartyId
from quorate.sharing.access import AccessStructure
from quorate.sharing.expression import Leaf
from quorate.sharing.keyshare import KeyShare


@dataclass(slots=True)
class Bench:
    """Two signers and their key, which was dealt: this measures signing."""

    room: Room
    scheme: Scheme
    signers: Mapping[PartyId, Signer]

    @classmethod
    def of(cls, name: str = "bls-pop") -> Bench:
        """Make it, for the suite of that name."""
        scheme = scheme_named(name)
        group = group_named(scheme.curve)
        structure = AccessStructure.parse(f"2 of (node1 {DEVICE} backup)")
        secret, slope = group.random_scalar(system_rng), group.random_scalar(system_rng)
        leaves = [leaf for leaf in structure.root.members if isinstance(leaf, Leaf)]
        shares = {leaf.name: secret + slope * group.scalar(leaf.point) for leaf in leaves}
        public = {name: group.generator.multiply(share) for name, share in shares.items()}
        key, code, whole = system_rng(32), system_rng(32), group.generator.multiply(secret)
        room = Room((DEVICE, "node1"), hub=DEVICE)
        signers = {}
        for me in room.names:
            share = KeyShare(key, 0, structure, whole, public, me, Secret(shares[me]), code)
            signers[me] = Signer.of(share, room.names)
        return cls(room, scheme, signers)

    def sign(self) -> Sample:
        """One signature."""

        def seat(name: PartyId) -> Seat:
            async def run(party: Party) -> bytes | None:
                return await self.scheme.sign(party, self.signers[name], DIGEST, combiner=DEVICE)

            return run

        quorum = self.signers[DEVICE].quorum
        spec = self.room.spec(
            self.scheme.declaration,
            self.room.names,
            suite=self.scheme.suite(quorum.group),
            key=quorum.key_id,
            epoch=quorum.epoch,
            payload=system_rng(16),
        )
        seats = {name: seat(name) for name in self.room.names}
        results, sample = self.room.run(spec, self.scheme.declaration, seats, quorum.group)
        require(len(results[DEVICE]) == self.scheme.signature_length, "the device has no signature")
        return sample
