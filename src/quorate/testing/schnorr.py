"""What a seed makes of FROST: who signs, who combines, cold or with nonces made before, and who lies.

The runs are on the real curve of Ed25519, which costs a millisecond each; the toy group would need a suite of
its own and show less. Keys are made once in each process by the key generation itself, without faults.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from quorate.errors import ProofRejected
from quorate.groups import ED25519
from quorate.schemes.quorum import Signer
from quorate.schemes.schnorr import (
    ONLINE,
    PREPARE,
    SIGN,
    Batch,
    Prepared,
    ReadyNonces,
    Request,
    prepare,
    sign,
    sign_online,
)
from quorate.schemes.schnorr.suites.ed25519 import SUITE
from quorate.schemes.tweak import Tweak
from quorate.session import Declaration, Party, PartyId
from quorate.sharing import keygen
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.keyshare import KeyShare
from quorate.testing.dice import seed_of
from quorate.testing.result import Result
from quorate.testing.simulation import Simulation

if TYPE_CHECKING:  # scenarios imports this module
    from quorate.testing.scenarios import Conditions, Report

NODES: Final = ("p1", "p2", "p3", "p4")
KEYGEN: Final = Declaration("keygen", 1, *keygen.rules())


def play(seed: int, conditions: Conditions, report: Report) -> None:
    """One signature by 2 to 4 of 4 signers. Raises `AssertionError` when something does not hold."""
    _Run(seed, conditions, report).play()


class _Run:
    """What the seed chose, and the two ways to sign."""

    def __init__(self, seed: int, conditions: Conditions, report: Report) -> None:
        dice = conditions.dice
        self.conditions, self.report = conditions, report
        count = 2 + dice.below(len(NODES) - 1)
        start = dice.below(len(NODES))
        self.signers = tuple(sorted(NODES[(start + offset) % len(NODES)] for offset in range(count)))
        shares = {name: _keys(count - 1)[name] for name in self.signers}
        self.seats = {name: Signer.of(shares[name], self.signers) for name in self.signers}
        self.combiner = dice.choose(self.signers)
        self.key = shares[self.combiner]
        self.message = seed_of(seed, "payload")
        self.tweak = Tweak(ED25519.scalar(dice.below(1 << 32))) if dice.below(2) else Tweak.none(ED25519)
        self.cold = dice.below(2) == 0
        self.batch = 1 + dice.below(3)

    def play(self) -> None:
        if self.cold:
            self._cold()
            return
        made = self._simulate(PREPARE, self._prepare, messages=1, payload=Batch(self.batch).to_payload())
        if set(made.values) == set(self.signers):
            self._online({name: several[-1] for name, several in made.values.items()})

    def _cold(self) -> None:
        async def run(party: Party) -> bytes | None:
            seat = self.seats[party.me]
            return await sign(party, seat, SUITE, self.message, combiner=self.combiner, tweak=self.tweak)

        self._check(self._simulate(SIGN, run, messages=2))

    async def _prepare(self, party: Party) -> list[Prepared]:
        return await prepare(party, self.seats[party.me], SUITE, count=self.batch)

    def _online(self, made: Mapping[PartyId, Prepared]) -> None:
        async def run(party: Party) -> bytes | None:
            request = Request.of(
                party.spec,
                made[party.me].id,
                SUITE,
                self.message,
                combiner=self.combiner,
                tweak=self.tweak,
            )
            ready = ReadyNonces(made[party.me])
            return await sign_online(party, ready, self.seats[party.me], SUITE, request, self.message)

        self._check(self._simulate(ONLINE, run, messages=1))

    def _simulate(
        self, declaration: Declaration, run: Any, *, messages: int, payload: bytes = b""
    ) -> Result[Any]:
        return self.conditions.simulate(
            declaration,
            run,
            self.signers,
            messages=messages,
            check=lambda _: None,
            report=self.report,
            group=ED25519,
            suite=SUITE.session_suite,
            key=self.key.key_id,
            payload=payload or self.message,
            journaled=False,
        )

    def _check(self, result: Result[bytes | None]) -> None:
        for name in result.honest:
            signature = result.values.get(name)
            if name != self.combiner and signature is not None:
                raise AssertionError(f"{name} does not combine and has a signature")
            if name == self.combiner and signature is not None:
                try:
                    SUITE.verify(self.tweak.child(self.key.public_key), self.message, signature)
                except ProofRejected as error:
                    raise AssertionError("a signature came out that does not verify") from error


@lru_cache(maxsize=8)
def _keys(degree: int) -> Mapping[PartyId, KeyShare]:
    """Shares of one key of `degree` among all nodes."""

    async def run(party: Party) -> GeneratedKey:
        return (await keygen.generate(party, degree=degree, count=1, context=b"simulation"))[0]

    made = Simulation(KEYGEN, run, NODES, seed=degree, group=ED25519).run().values
    return {name: KeyShare.of_committee(key) for name, key in made.items()}
