"""Sharings over bad networks, through crashes, beside as many liars and as many absent as are borne."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import Any

import pytest
from tests.support.dealing import Batch, names

from quorate.groups import SECP256K1, Group, allow_toy, group_named
from quorate.groups.toy import TOY_GROUP
from quorate.session import Party
from quorate.sharing.avss import DECLARATION, KINDS, Dealt, Setting, reconstruct, share
from quorate.sharing.avss.messages import Dealing, Echo, Ready, Send
from quorate.sharing.quorums import Quorums
from quorate.testing import Cheat, Dice, Faults, Result, Simulation, Wild, Withhold, unsafe_identity
from quorate.testing.cheats import whisper
from quorate.testing.network import any_scheduler

SETS = [
    Quorums(4, 1, 1, 0),
    Quorums(5, 2, 1, 0),
    Quorums(6, 3, 1, 0),
    Quorums(6, 1, 1, 1),
    Quorums(7, 2, 2, 0),
    Quorums(7, 3, 1, 1),
    Quorums(7, 4, 1, 0),
    Quorums(9, 4, 2, 0),
    Quorums(9, 2, 2, 1),
]
"""The largest t, the largest f beside it, and the largest d that they leave."""

SEEDS = 100
COUNT = 2
BAD = Faults(duplicate=0.05, lose=0.05, damage=0.03, crash=0.01, power_cut=0.002)
FORGETFUL = Faults(duplicate=0.05, lose=0.05, crash=0.03, power_cut=0.002, forget=True)
"""What comes to a node that is down is gone; when it is back, it asks for help."""


def named(quorums: Quorums) -> str:
    return f"{quorums.nodes}-{quorums.degree}-{quorums.liars}-{quorums.away}"


# --- who lies -----------------------------------------------------------------------------------------


async def silent(party: Party) -> None:
    """Away for good."""
    async for _ in party.stream():
        pass


async def two_faced(
    party: Party, *, dealer: str, quorums: Quorums, sides: tuple[tuple[str, ...], ...]
) -> None:
    """A dealer of two batches, and its friends: everybody hears what its side wants to hear."""
    setting = Setting.of(party, dealer, nodes=party.parties, quorums=quorums, count=COUNT)
    seat = party.fork(dealer)
    for number, side in enumerate(sides):
        batch = Batch(setting, bytes([number]))
        if party.me == dealer:
            whisper(seat, batch.dealing, side)
        for node in side:
            if party.me == dealer:
                seat.send(node, batch.send(node))
            seat.send(node, batch.echo(party.me, node))
            seat.send(node, batch.ready(party.me, node, unsafe_identity(party.me)))
    async for _ in party.stream(*KINDS):
        pass


async def false_everywhere(party: Party, *, dealer: str, quorums: Quorums) -> None:
    """A node that votes for whatever digest it hears of, with nothing behind it."""
    setting = Setting.of(party, dealer, nodes=party.parties, quorums=quorums, count=COUNT)
    seat, voted = party.fork(dealer), False
    async for arrival in party.stream(Echo):
        if arrival is None or voted or not isinstance(arrival.message, Echo):
            continue
        voted = True
        for node in party.others:
            seat.send(node, Echo(arrival.message.digest, bytes(setting.vector_bytes)))
            seat.send(node, Ready(arrival.message.digest, bytes(setting.vector_bytes), bytes(64)))


# --- one run ------------------------------------------------------------------------------------------


def play(quorums: Quorums, seed: int, group: Group = TOY_GROUP) -> Result[Dealt | None]:
    """With liars by the seed: none, a two-faced dealer, wild dealer or nodes, false votes, silence."""
    parties, dice = names(quorums.nodes), Dice("avss", named(quorums), seed)
    left = list(parties)
    chosen = [left.pop(dice.below(len(left))) for _ in range(quorums.liars + quorums.away)]
    liars, away = chosen[: quorums.liars], chosen[quorums.liars :]
    way = dice.below(6)
    dealer = liars[0] if way in (1, 2, 3) else left[0]
    by_hand: dict[str, Callable[[Party], Any]] = {}
    cheats: list[Cheat] = []
    if way == 1:
        honest = [name for name in parties if name not in liars]
        cut = dice.below(len(honest) + 1)
        sides = (tuple(honest[:cut]), tuple(honest[cut:]))
        seat = partial(two_faced, dealer=dealer, quorums=quorums, sides=sides)
        by_hand |= dict.fromkeys(liars, seat)
    elif way == 2:
        cheats = [Wild(name, dice.below(3 * len(parties)), seed + i) for i, name in enumerate(liars)]
    elif way == 3:
        cheats = [
            Withhold(dealer, Send, recipient=name) for name in parties if name != dealer and dice.below(2)
        ]
        cheats += [Withhold(dealer, Dealing, recipient=name) for name in parties if dice.below(4) == 0]
        cheats += [Wild(name, dice.below(2 * len(parties)), seed) for name in liars[1:]]
        cheats = cheats or [Withhold(dealer, Echo)]
    elif way == 4:
        cheats = [Wild(name, dice.below(2 * len(parties)), seed + i) for i, name in enumerate(liars)]
    elif way == 5:
        by_hand |= dict.fromkeys(liars, partial(false_everywhere, dealer=dealer, quorums=quorums))
    if quorums.outlasts_crashes and dice.below(2):
        by_hand |= dict.fromkeys(away, silent)
    result: Result[Dealt | None] = Simulation(
        DECLARATION,
        partial(share, dealer=dealer, quorums=quorums, count=COUNT),
        parties,
        seed=seed,
        group=group,
        scheduler=any_scheduler(parties, dice),
        faults=(Faults(), BAD, Faults(), FORGETFUL)[seed % 4],
        cheats=cheats,
        by_hand=by_hand,
    ).run()
    check(result, quorums, dealer)
    return result


def check(result: Result[Dealt | None], quorums: Quorums, dealer: str) -> None:
    """P1 to P4, P7."""
    result.assert_nobody_honest_blamed()
    result.assert_blames_are_proved()
    result.assert_errors_have_names()
    done = {name: dealt for name in result.honest if (dealt := result.values.get(name)) is not None}
    assert not done or set(done) == set(result.honest), "P3: one is done, and another is not"
    assert done or dealer in result.cheaters, "P4: an honest dealer's sharing is not completed"
    if not done:
        return
    assert len({dealt.digest for dealt in done.values()}) == 1, "P1: two batches"
    first = next(iter(done.values()))
    group, points = result.group, {name: x for x, name in enumerate(result.spec.parties, 1)}
    for index in range(COUNT):
        opened = set()
        shares = {points[name]: group.scalar(dealt.shares.reveal()[index]) for name, dealt in done.items()}
        for subset in list(combinations(shares, quorums.degree + 1))[:20]:
            secret, wrong = reconstruct(first.commitment(index), {x: shares[x] for x in subset})
            assert wrong == (), "P2: a share is wrong"
            opened.add(secret.value)
        assert len(opened) == 1, "P2: two secrets"


def seeds(quorums: Quorums, numbers: range, group: Group = TOY_GROUP) -> int:
    """How many of these runs end with a result. A failing one says how to see it again."""
    done = 0
    for seed in numbers:
        try:
            done += bool(any(play(quorums, seed, group).values.values()))
        except Exception as error:
            error.add_note(
                f"again: python -c 'from tests.simulation.test_avss import again; "
                f'again("{named(quorums)}", {seed}, "{group.name}")\''
            )
            raise
    return done


def again(quorums: str, seed: int, group: str) -> None:
    """One run, told."""
    with allow_toy():
        print(play(Quorums(*map(int, quorums.split("-"))), seed, group_named(group)).story())


@pytest.mark.parametrize("quorums", SETS, ids=named)
def test_a_hundred_seeds(quorums: Quorums) -> None:
    done = seeds(quorums, range(SEEDS))
    # liars that never let anything be shared would show nothing
    assert SEEDS // 2 < done < SEEDS


@pytest.mark.parametrize("quorums", SETS, ids=named)
def test_ten_seeds_over_secp256k1(quorums: Quorums) -> None:
    assert seeds(quorums, range(1000, 1010), SECP256K1) > 0


@pytest.mark.parametrize("quorums", SETS, ids=named)
def test_ten_seeds_over_ed25519(quorums: Quorums) -> None:
    assert seeds(quorums, range(1000, 1010), group_named("ed25519")) > 0


@pytest.mark.long
@pytest.mark.parametrize("quorums", SETS, ids=named)
def test_two_thousand_seeds(quorums: Quorums) -> None:
    assert seeds(quorums, range(2000, 4000)) > 1000


def test_equal_seeds_have_equal_traces() -> None:
    for seed in range(6):
        assert play(SETS[1], seed).trace_hash == play(SETS[1], seed).trace_hash
