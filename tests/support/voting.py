"""An agreement without sharings: dealings complete at each voter when its seed says so.

What a real sharing guarantees is kept: what completes at one honest voter completes at all, some day. The
"proof" of a dealing is a digest that verifies for this dealer and no other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from quorate.entropy import Rng
from quorate.errors import ProofRejected
from quorate.session import Declaration, Party
from quorate.sharing.agreement import MESSAGES, Agreement, rules
from quorate.sharing.avss import ReadyCertificate
from quorate.sharing.quorums import Quorums
from quorate.testing import Dice, Faults, Result, Scheduler, Simulation
from quorate.testing.network import any_scheduler
from quorate.testing.scenarios import names

VOTING: Final = Declaration("voting", 1, *rules(), sender_limit=16 << 20, tolerant=True)

SETS: Final = (
    Quorums(4, 1, 1, 0),
    Quorums(5, 2, 1, 0),
    Quorums(6, 2, 1, 1),
    Quorums(7, 2, 2, 0),
    Quorums(9, 3, 2, 1),
)
"""The sizes of the specification at the most liars and absent each allows."""

SUBJECT: Final = bytes(32)


def proof_of(dealer: str) -> ReadyCertificate:
    return ReadyCertificate(dealer.encode().ljust(32, b"-"), ())


def verify(dealer: str, proof: ReadyCertificate) -> None:
    if proof != proof_of(dealer):
        raise ProofRejected("not the proof of this dealer")


Kind = Callable[..., Agreement]


def voting(quorums: Quorums, kind: Kind = Agreement) -> Callable[[Party], Any]:
    """One voter's run: votes as its messages, completions and ticks have it, and serves for ever."""

    async def run(party: Party) -> None:
        voters = party.parties
        agreement = kind(party, quorums, voters, voters, quorums.degree + 1, verify, SUBJECT)
        left = shuffled(voters, party.rng)
        for _ in range(party.rng(1)[0] % (len(voters) + 1)):
            complete(agreement, left)
        concluded = conclude(party, agreement, concluded=False)
        async for arrival in party.stream(*MESSAGES):
            if arrival is None:
                agreement.tick()
                complete(agreement, left)
            else:
                agreement.receive(arrival.sender, arrival.message, arrival.path)
                if party.rng(1)[0] < 64:
                    complete(agreement, left)
            concluded = conclude(party, agreement, concluded=concluded)

    return run


def complete(agreement: Agreement, left: list[str]) -> None:
    if left:
        dealer = left.pop()
        agreement.completed(dealer, proof_of(dealer))


def conclude(party: Party, agreement: Agreement, *, concluded: bool) -> bool:
    if agreement.decided is not None and not concluded:
        party.conclude((agreement.decided, agreement.view))
        return True
    return concluded


def shuffled(items: Sequence[str], rng: Rng) -> list[str]:
    left, found = list(items), []
    while left:
        found.append(left.pop(rng(2)[0] % len(left)))
    return found


def play(
    quorums: Quorums,
    seed: int,
    *,
    liars: Sequence[Kind] = (),
    away: int = 0,
    honest: Kind = Agreement,
    faults: Faults | None = None,
    scheduler: Scheduler | None = None,
    **more: Any,
) -> Result[Any]:
    """One run with these liars in seats that the seed draws, `away` more of which are dead from the start."""
    dice = Dice("voting", seed, quorums.nodes)
    everybody = names(quorums.nodes)
    left = list(everybody)
    hands: dict[str, Any] = {}
    for kind in liars:
        hands[left.pop(dice.below(len(left)))] = voting(quorums, kind)
    for _ in range(away):
        hands[left.pop(dice.below(len(left)))] = dead
    storm = Faults(duplicate=0.05, lose=0.05, crash=0.01, deadline=0.02, power_cut=0.003, forget=True)
    result: Result[Any] = Simulation(
        VOTING,
        voting(quorums, honest),
        everybody,
        seed=seed,
        by_hand=hands,
        faults=storm if faults is None else faults,
        scheduler=scheduler or any_scheduler(everybody, dice),
        **more,
    ).run()
    return result


async def dead(party: Party) -> None:
    """Says nothing, ever."""
    async for _ in party.stream(*MESSAGES):
        pass


def decisions(result: Result[Any]) -> set[tuple[str, ...]]:
    return {result.values[name][0] for name in result.honest if name in result.values}


def all_decide_alike(result: Result[Any]) -> None:
    """What must hold of every run: no honest voter is blamed, none hangs, all decide the same."""
    result.assert_sound()
    decided = decisions(result)
    assert len(decided) == 1, result.story()
    assert set(result.values) >= set(result.honest), result.story()
