"""Key generations in the simulator: who lies how in a seed, and what must hold of every end.

What must hold are the guarantees of docs/protocols/dkg.md: agreement (one set of dealers, equal keys),
correctness (each share on its commitment, any d+1 of them make the key), totality and liveness (everybody
honest has keys); and no honest node is accused, and every accusation is proved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from types import SimpleNamespace
from typing import Any, Final, cast

from quorate.encoding import decode
from quorate.errors import Blame
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import Exhibit, Offence, Party, PartyId, convict, examine
from quorate.sharing import agreement, avss
from quorate.sharing.agreement import Agreement, Terms
from quorate.sharing.avss import ReadyCertificate, Setting
from quorate.sharing.dkg import DKG, FORK, DkgResult, Generation
from quorate.sharing.polynomial import interpolate
from quorate.sharing.quorums import Quorums
from quorate.testing.dealers import DEALERS, seat
from quorate.testing.dice import Dice
from quorate.testing.liars import LIARS
from quorate.testing.network import NO_FAULTS, Faults, any_scheduler
from quorate.testing.result import Result
from quorate.testing.simulation import Simulation

SIZES: Final = (
    Quorums(4, 1, 1, 0),
    Quorums(5, 2, 1, 0),
    Quorums(6, 1, 1, 1),
    Quorums(7, 2, 2, 0),
    Quorums(9, 2, 2, 1),
)
"""The most liars and absent that each size stands when the absent never come back."""

STORM: Final = Faults(
    duplicate=0.05, lose=0.05, damage=0.01, crash=0.002, deadline=0.002, power_cut=0.002, forget=True
)

VOTERS: Final[tuple[type[Agreement], ...]] = (Agreement, *LIARS)

MAX_SUBSETS: Final = 40
"""Sets of d+1 nodes that are interpolated: all of them up to seven nodes."""


@dataclass(slots=True)
class Play:
    """One run: its result, the honest nodes' objects as they ended, and what the liars were."""

    result: Result[DkgResult]
    quorums: Quorums
    count: int
    seats: dict[PartyId, Generation] = field(default_factory=dict)
    lies: str = ""


def play(
    seed: int,
    quorums: Quorums,
    *,
    count: int = 1,
    lying: bool = True,
    faults: Faults | None = None,
    hands: Mapping[PartyId, Any] | None = None,
    seats: dict[PartyId, Generation] | None = None,
    **more: Any,
) -> Play:
    """A run in which t nodes lie, if `lying`, and, now and then, f more have lost their disks.

    `hands` takes the place of what the seed draws. A node without a disk stays dead when it crashes. `seats`
    is filled with the honest nodes' objects.
    """
    everybody = tuple(f"p{number}" for number in range(1, quorums.nodes + 1))
    dice = Dice("generation", seed, quorums.nodes)
    left, lies, drawn = list(everybody), [], {}
    for _ in range(quorums.liars if lying else 0):
        name = left.pop(dice.below(len(left)))
        sharing, voting = dice.choose(DEALERS), dice.choose(VOTERS)
        drawn[name] = seat(quorums, count, sharing=sharing, voting=voting)
        lies.append(f"{name} {sharing.__name__} {voting.__name__}")
    diskless = {left.pop(dice.below(len(left))) for _ in range(quorums.away if dice.below(3) == 0 else 0)}
    seats = {} if seats is None else seats
    settings: dict[str, Any] = {
        "seed": seed,
        "by_hand": drawn if hands is None else hands,
        "journaled": [name for name in everybody if name not in diskless],
        "faults": (STORM if dice.below(3) else NO_FAULTS) if faults is None else faults,
        "scheduler": any_scheduler(everybody, dice),
    }
    run = seat(quorums, count, kept=seats)
    result = Simulation(DKG, run, everybody, **{**settings, **more}).run()
    return Play(result, quorums, count, seats, "; ".join(lies))


def check_play(played: Play) -> None:
    """Everything that must hold. Raises `AssertionError`."""
    result = played.result
    result.assert_sound()
    alive = [name for name in result.honest if name not in result.errors]
    dead = set(result.honest) - set(alive)
    _require(result, len(dead) <= played.quorums.away, f"more than may be away are gone: {dead}")
    _require(result, set(alive) <= set(result.values), "an honest node has no keys")
    held = [result.values[name] for name in alive]
    _require(result, len({value.dealers for value in held}) == 1, "two honest nodes took other dealers")
    _require(result, len({value.keys.digest for value in held}) == 1, "two honest nodes hold other keys")
    _require(result, len(set(held[0].dealers)) > played.quorums.degree, "too few dealers made the keys")
    _require(result, held[0].keys.degree == played.quorums.degree, "keys of another degree")
    check_shares(result, alive)
    check_accusations(played)


def check_shares(result: Result[DkgResult], names: Sequence[PartyId]) -> None:
    """Each share is on its commitment, and every d+1 of them make the key."""
    keys, group = result.values[names[0]].keys, result.group
    for name in names:
        result.values[name].parts(name)
    for index, key in enumerate(keys):
        points = {key.point(name): group.scalar(result.values[name].shares.reveal()[index]) for name in names}
        for chosen in list(combinations(sorted(points), key.degree + 1))[:MAX_SUBSETS]:
            secret = interpolate(group, {x: points[x] for x in chosen})
            _require(result, group.generator.multiply(secret) == key.public_key, f"{chosen} make another key")


def check_accusations(played: Play) -> None:
    """Whatever honest nodes noted of others convinces a stranger who has nothing but the evidence."""
    for name in played.result.honest:
        for offender, blame in played.result.deviations.get(name, {}).items():
            prove(played, offender, blame)


def prove(played: Play, offender: PartyId, blame: Blame) -> str:
    """What the evidence shows. Raises `ProofRejected` if it shows nothing."""
    result = played.result
    (finding,) = convict(blame, result.spec, result.roster, result.declaration, result.group)
    if finding.offence is not Offence.STATEMENT:
        return str(finding.offence)
    shown = [
        examine(decode(Exhibit, data), result.spec, result.roster, result.declaration, result.group)
        for data in blame.evidence
    ]
    first = next(slot.path for slot, _ in shown if slot.sender == offender)
    if first.startswith(f"{FORK}/"):
        dealer = first.removeprefix(f"{FORK}/")
        return avss.offence(
            setting_of(played, dealer),
            dealer,
            offender,
            shown,
            path=first,
            session=result.spec.id,
            identities=result.roster,
        )
    return agreement.offence(terms_of(played), offender, shown)


def setting_of(played: Play, dealer: PartyId) -> Setting:
    """A sharing as anybody knows it who knows the session's agreement."""
    result = played.result
    place = SimpleNamespace(path=FORK, session_id=result.spec.id, group=result.group)
    return Setting.of(
        cast(Party, place),
        dealer,
        nodes=result.spec.parties,
        quorums=played.quorums,
        count=played.count,
    )


def terms_of(played: Play) -> Terms:
    """The agreement as anybody knows it."""
    result, nodes = played.result, played.result.spec.parties

    def verify(dealer: PartyId, certificate: ReadyCertificate) -> None:
        certificate.verify(setting_of(played, dealer), result.roster)

    subject = digest(Tag.DKG_AGREEMENT, result.spec.id, b"")
    return Terms(subject, played.quorums, nodes, nodes, played.quorums.degree + 1, result.roster, verify)


def _require(result: Result[Any], holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(f"{what}\n{result.story()}")
