"""Setting up with a device or another node: a fresh OT instance, as they propose it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from quorate.encoding import decode
from quorate.errors import Malformed, Refused
from quorate.groups import SECP256K1
from quorate.node.callers import Caller
from quorate.node.offers.offer import Run, Services
from quorate.primitives.parameters import STANDARD
from quorate.schemes.ecdsa import SETUP, PairSetup, set_up, suite
from quorate.session import PublicKeys, Session, SessionSpec
from quorate.transport.host import Hosted

MAX_GENERATION: Final = 1 << 32
"""What a setup counts in 32 bits; refused here, before a database meets an integer that it cannot hold."""


class SetupOffer:
    """``ecdsa.setup``: a fresh OT instance with a device or another node."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def consider(self, caller: Caller, spec: SessionSpec) -> None:
        shard, generation = self._instance(caller, spec)
        await self._services.worker(self._services.pairs.check_setup, caller, shard, generation)

    async def open(self, caller: Caller, spec: SessionSpec, roster: Mapping[str, PublicKeys]) -> Hosted:
        services = self._services
        shard, generation = self._instance(caller, spec)

        def keep(setup: PairSetup) -> bytes:
            services.pairs.accept(caller, setup)
            services.log("instance", peer=caller.peer, shard=shard)
            return setup.fingerprint

        session = Session(
            spec,
            services.me,
            services.keys_in(roster),
            roster,
            SETUP,
            SECP256K1,
            lambda party: set_up(party, shard, generation),
            rng=services.rng,
        )
        return Run(session, services, keep)

    def _instance(self, caller: Caller, spec: SessionSpec) -> tuple[int, int]:
        if spec.parties != tuple(sorted((self._services.me, caller.name))):
            raise Refused("a setup is between the caller and this node", code="parties")
        if spec.suite != suite(SECP256K1, STANDARD):
            raise Refused(f"setups are made over {suite(SECP256K1, STANDARD)}", code="suite")
        try:
            shard, generation = decode(tuple[int, int], spec.payload)
        except Malformed as error:
            raise Refused(f"the payload names no instance: {error}", code="payload") from None
        if not 0 < generation < MAX_GENERATION:
            raise Refused(f"a generation is above 0 and below {MAX_GENERATION}", code="generation")
        return shard, generation
