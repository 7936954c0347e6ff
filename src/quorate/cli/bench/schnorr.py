"""Threshold Schnorr by FROST: a cold signature, and the one message after nonces were made before.

Two signers are a device and a server; N are the device with N - 1 nodes of a committee that shares by degree
N - 2, as for ECDSA. Everything runs in one thread, so times are of all parties together, envelopes included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quorate.cli.bench.ecdsa import DEVICE, DIGEST, Seat, dealt
from quorate.cli.bench.harness import Room, Sample, require
from quorate.entropy import system_rng
from quorate.errors import LocalError
from quorate.groups import group_named
from quorate.schemes.quorum import Signer
from quorate.schemes.registry import scheme_named
from quorate.schemes.schnorr import (
    ONLINE,
    PREPARE,
    Batch,
    Prepared,
    ReadyNonces,
    Request,
    Schnorr,
    prepare,
    sign_online,
)
from quorate.session import Declaration, Party, PartyId


@dataclass(slots=True)
class Bench:
    """A device and N - 1 nodes with a key that was dealt: this measures signing."""

    room: Room
    scheme: Schnorr
    signers: Mapping[PartyId, Signer]

    @classmethod
    def of(cls, name: str, size: int) -> Bench:
        """Make it, for the scheme of that name."""
        scheme = scheme_named(name)
        if not isinstance(scheme, Schnorr):
            raise LocalError(f"{name} is no Schnorr signature")
        nodes = tuple(f"node{i}" for i in range(1, size))
        room = Room((DEVICE, *nodes), hub=DEVICE)
        shares = dealt(nodes, group_named(scheme.curve))
        return cls(room, scheme, {share.me: Signer.of(share, room.names) for share in shares})

    def sign(self) -> Sample:
        """Cold: both rounds in one session."""

        def seat(name: PartyId) -> Seat:
            async def run(party: Party) -> bytes | None:
                return await self.scheme.sign(party, self.signers[name], DIGEST, combiner=DEVICE)

            return run

        return self._signed(self.scheme.declaration, {name: seat(name) for name in self.room.names})

    def prepare(self) -> dict[PartyId, Prepared]:
        """Everything that needs no message, for one signature."""

        def seat(name: PartyId) -> Seat:
            async def run(party: Party) -> Prepared:
                (made,) = await prepare(party, self.signers[name], self.scheme.schnorr)
                return made

            return run

        seats = {name: seat(name) for name in self.room.names}
        return self._run(PREPARE, seats, Batch(1).to_payload())[0]

    def online(self, made: Mapping[PartyId, Prepared]) -> Sample:
        """The last move, with nonces that were made earlier."""
        suite = self.scheme.schnorr

        def seat(name: PartyId) -> Seat:
            async def run(party: Party) -> bytes | None:
                request = Request.of(party.spec, made[name].id, suite, DIGEST, combiner=DEVICE)
                ready = ReadyNonces(made[name])
                return await sign_online(party, ready, self.signers[name], suite, request, DIGEST)

            return run

        return self._signed(ONLINE, {name: seat(name) for name in self.room.names})

    def _signed(self, declaration: Declaration, seats: Mapping[PartyId, Seat]) -> Sample:
        results, sample = self._run(declaration, seats, system_rng(16))
        signature = results[DEVICE]
        require(isinstance(signature, bytes), "the device has no signature")
        self.scheme.verify(self.signers[DEVICE].quorum.public_key, DIGEST, signature)
        return sample

    def _run(
        self, declaration: Declaration, seats: Mapping[PartyId, Seat], payload: bytes
    ) -> tuple[dict[PartyId, Any], Sample]:
        quorum = self.signers[DEVICE].quorum
        spec = self.room.spec(
            declaration,
            self.room.names,
            suite=self.scheme.suite(quorum.group),
            key=quorum.key_id,
            epoch=quorum.epoch,
            payload=payload,
        )
        return self.room.run(spec, declaration, seats, quorum.group)
