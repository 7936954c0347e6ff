"""What a seed makes of a session of threshold BLS: which suite, who signs, who combines, who lies.

A session signs one or two messages side by side, each in a fork of its own, as a validator with several
duties would. There is no toy pairing, so these runs are on the real curve: some milliseconds each. Keys are
made once in each process by the key generation itself, without faults.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from quorate.errors import ProofRejected
from quorate.groups import Group
from quorate.schemes.bls import SUITES, Suite, sign, verify
from quorate.schemes.bls.sign import rules
from quorate.schemes.quorum import Signer
from quorate.session import Declaration, Party, PartyId, together
from quorate.sharing import keygen
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.keyshare import KeyShare
from quorate.testing.dice import seed_of
from quorate.testing.result import Result
from quorate.testing.simulation import Simulation

if TYPE_CHECKING:  # scenarios imports this module
    from quorate.testing.scenarios import Conditions, Report

NODES: Final = ("p1", "p2", "p3", "p4", "p5")
KEYGEN: Final = Declaration("keygen", 1, *keygen.rules())
BATCH: Final = Declaration("bls.batch", 1, *rules("*"))
MOST_MESSAGES: Final = 2


def play(seed: int, conditions: Conditions, report: Report) -> None:
    """One session by 2 to 5 of 5 signers. Raises `AssertionError` when something does not hold."""
    dice = conditions.dice
    suite = dice.choose(tuple(SUITES.values()))
    count = 2 + dice.below(len(NODES) - 1)
    start = dice.below(len(NODES))
    signers = tuple(sorted(NODES[(start + offset) % len(NODES)] for offset in range(count)))
    shares = {name: _keys(suite.keys, count - 1)[name] for name in signers}
    seats = {name: Signer.of(shares[name], signers) for name in signers}
    combiner = dice.choose(signers)
    messages = [seed_of(seed, "payload", str(number)) for number in range(1 + dice.below(MOST_MESSAGES))]

    async def run(party: Party) -> list[bytes | None]:
        forks = [party.fork(str(number)) for number in range(len(messages))]
        return await together(
            *(
                sign(fork, seats[party.me], suite, message, combiner=combiner)
                for fork, message in zip(forks, messages, strict=True)
            )
        )

    def check(result: Result[list[bytes | None]]) -> None:
        if combiner in result.values and combiner not in result.cheaters:
            for message, signature in zip(messages, result.values[combiner], strict=True):
                _check_signature(suite, shares[combiner], message, signature or b"")

    conditions.simulate(
        BATCH,
        run,
        signers,
        messages=len(messages),
        check=check,
        report=report,
        group=suite.keys,
        suite=suite.agreed,
        key=shares[combiner].key_id,
        payload=seed_of(seed, "payload"),
        journaled=False,
    )


def _check_signature(suite: Suite, key: KeyShare, message: bytes, signature: bytes) -> None:
    try:
        verify(suite, key.public_key, message, signature)
    except ProofRejected as error:
        raise AssertionError("a signature came out that does not verify") from error


@lru_cache(maxsize=8)
def _keys(group: Group, degree: int) -> Mapping[PartyId, KeyShare]:
    """Shares of one key of `degree` among all nodes."""

    async def run(party: Party) -> GeneratedKey:
        return (await keygen.generate(party, degree=degree, count=1, context=b"simulation"))[0]

    made = Simulation(KEYGEN, run, NODES, seed=degree, group=group).run().values
    return {name: KeyShare.of_committee(key) for name, key in made.items()}
