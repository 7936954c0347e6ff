"""Threshold ECDSA on any of its curves: setup of a pair, presigning, the online move, and all of it.

``N-parties`` is the device with N - 1 nodes of a committee that shares by degree N - 2. Setup is always of
one pair. Everything runs in one thread, so times are of all parties together.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from quorate.cli.bench.harness import Room, Sample, require
from quorate.entropy import system_rng
from quorate.groups import SECP256K1, Group
from quorate.primitives.parameters import STANDARD
from quorate.schemes.ecdsa import (
    ONLINE,
    PRESIGN,
    SETUP,
    SIGN,
    PairSetup,
    ReadyPresignature,
    Request,
    Signer,
    instance_payload,
    presign,
    set_up,
    sign,
    sign_online,
    suite,
    verify,
)
from quorate.secret import Secret
from quorate.session import Party, PartyId
from quorate.sharing.access import AccessStructure
from quorate.sharing.keyshare import KeyShare
from quorate.sharing.polynomial import Polynomial

DEVICE = "device"
DIGEST = bytes(range(32))
"""Begins with a zero byte, so it is a number that can be signed on every curve."""
Seat = Callable[[Party], Coroutine[Any, Any, Any]]


@dataclass(slots=True)
class Bench:
    """A device and N - 1 nodes with a key of theirs (dealt: this measures signing) and all pair setups."""

    room: Room
    signers: Mapping[PartyId, Signer]
    pairs: Mapping[PartyId, dict[PartyId, PairSetup]]

    @classmethod
    def of(cls, size: int, group: Group = SECP256K1) -> Bench:
        """Make it. Takes the setup time of every pair."""
        nodes = tuple(f"node{i}" for i in range(1, size))
        room = Room((DEVICE, *nodes), hub=DEVICE)
        signers = {share.me: Signer.of(share, room.names) for share in dealt(nodes, group)}
        pairs: dict[PartyId, dict[PartyId, PairSetup]] = {name: {} for name in room.names}
        for i, first in enumerate(room.names):
            for second in room.names[i + 1 :]:
                results, _ = setup_pair(room, first, second)
                pairs[first][second], pairs[second][first] = results[first], results[second]
        return cls(room, signers, pairs)

    @property
    def _group(self) -> Group:
        return self.signers[DEVICE].quorum.group

    @property
    def _suite(self) -> str:
        return suite(self._group, STANDARD)

    def sign(self) -> Sample:
        """Cold: presigning and the online move in one session."""
        quorum = self.signers[DEVICE].quorum
        spec = self.room.spec(
            SIGN,
            self.room.names,
            suite=self._suite,
            key=quorum.key_id,
            epoch=quorum.epoch,
            payload=system_rng(16),
        )
        seats = {name: self._cold(name) for name in self.room.names}
        results, sample = self.room.run(spec, SIGN, seats, self._group)
        verify(quorum.public_key, DIGEST, results[DEVICE])
        return sample

    def presign(self) -> tuple[dict[PartyId, Any], Sample]:
        """Everything that needs no message."""
        quorum = self.signers[DEVICE].quorum
        spec = self.room.spec(
            PRESIGN, self.room.names, suite=self._suite, key=quorum.key_id, epoch=quorum.epoch
        )
        seats = {name: self._presigning(name) for name in self.room.names}
        return self.room.run(spec, PRESIGN, seats, self._group)

    def online(self, made: Mapping[PartyId, Any]) -> Sample:
        """The last move, with a presignature that was made earlier."""
        quorum = self.signers[DEVICE].quorum
        spec = self.room.spec(
            ONLINE, self.room.names, suite=self._suite, key=quorum.key_id, epoch=quorum.epoch
        )
        identifier = made[DEVICE].id
        request = Request.of(spec, identifier, DIGEST, combiner=DEVICE, tweak=self._group.scalar(0))

        def seat(name: PartyId) -> Seat:
            async def run(party: Party) -> Any:
                return await sign_online(party, ReadyPresignature(made[name]), request)

            return run

        seats = {name: seat(name) for name in self.room.names}
        results, sample = self.room.run(spec, ONLINE, seats, self._group)
        verify(quorum.public_key, DIGEST, results[DEVICE])
        return sample

    def _cold(self, name: PartyId) -> Seat:
        async def run(party: Party) -> Any:
            return await sign(party, self.signers[name], self.pairs[name], DIGEST, combiner=DEVICE)

        return run

    def _presigning(self, name: PartyId) -> Seat:
        async def run(party: Party) -> Any:
            return await presign(party, self.signers[name], self.pairs[name])

        return run


def setup_pair(room: Room, first: PartyId, second: PartyId) -> tuple[dict[PartyId, Any], Sample]:
    """Base OT in both directions between two parties of a room."""

    async def run(party: Party) -> PairSetup:
        return await set_up(party, 0, 1)

    spec = room.spec(SETUP, (first, second), suite=suite(SECP256K1, STANDARD), payload=instance_payload(0, 1))
    results, sample = room.run(spec, SETUP, {first: run, second: run})
    require(results[first].fingerprint == results[second].fingerprint, "the ends of a setup differ")
    return results, sample


def dealt(nodes: tuple[PartyId, ...], group: Group) -> list[KeyShare]:
    """A key for measuring, dealt in one place: ``2 of (all of (nodes), device)``."""
    structure = AccessStructure.with_committee(nodes, len(nodes) - 1, {DEVICE: 2})
    secret = group.random_scalar(system_rng)
    slope = group.random_scalar(system_rng)
    committee = Polynomial.random(group, len(nodes) - 1, system_rng, constant=secret + slope)
    values = {name: committee.at(point).reveal() for name, point in structure.nodes.items()}
    values[DEVICE] = secret + slope + slope
    generator = group.generator
    public = {name: generator.multiply(value) for name, value in values.items()}
    key, code = system_rng(32), system_rng(32)
    return [
        KeyShare(key, 0, structure, generator.multiply(secret), public, name, Secret(value), code)
        for name, value in values.items()
    ]
