"""Key generation without a clock, over schedules, accidents and liars, at every size it is made for."""

from __future__ import annotations

import gc
import weakref
from collections import Counter

import pytest

from quorate.groups import Group, group_named
from quorate.session import Envelope, KeyPair, Party, tag_of
from quorate.sharing.avss.messages import Dealing, Send
from quorate.sharing.dkg import DkgResult, Generation, generate
from quorate.sharing.quorums import Quorums
from quorate.testing import Cheat, Faults, Inject, InOrder
from quorate.testing.dealers import Absent, TwoFacedDealer, seat
from quorate.testing.dice import seed_of
from quorate.testing.generations import SIZES, Play, check_play, play
from quorate.testing.liars import Silent
from quorate.testing.network import Parcel

SEEDS = 100
"""Of each size; `make simulate` plays 2,000."""

AWAY_FOR_A_WHILE = (Quorums(6, 2, 1, 1), Quorums(9, 3, 2, 1))
"""The highest degrees, where the absent must come back for all that was begun to be finished."""


@pytest.mark.parametrize("quorums", SIZES, ids=lambda quorums: f"n{quorums.nodes}")
def test_seeds_of_the_most_that_may_go_wrong(quorums: Quorums) -> None:
    happened: Counter[str] = Counter()
    for seed in range(SEEDS):
        played = play(seed, quorums)
        check_play(played)
        happened += played.result.happened
        happened["named"] += len(played.result.blamed())
    for accident in ("named", "lose", "duplicate", "help", "power cut", "early deadline"):
        assert happened[accident], accident
    assert happened["crash before"] + happened["crash after"]


@pytest.mark.parametrize("quorums", AWAY_FOR_A_WHILE, ids=lambda quorums: f"n{quorums.nodes}")
def test_the_highest_degree_holds_where_crashed_nodes_come_back(quorums: Quorums) -> None:
    for seed in range(12 if quorums.nodes == 6 else 5):
        everybody = [f"p{number}" for number in range(1, quorums.nodes + 1)]
        check_play(play(seed, quorums, journaled=everybody))


@pytest.mark.parametrize("quorums", SIZES, ids=lambda quorums: f"n{quorums.nodes}")
def test_the_honest_alone_need_no_more_messages_than_the_page_says(quorums: Quorums) -> None:
    played = play(0, quorums, lying=False, faults=Faults(), scheduler=InOrder())
    check_play(played)
    n = quorums.nodes
    sharings = n * (n - 1) * (2 + 2 * n)
    agreement = (n - 1) * (1 + 2 * n + n)
    done = n * (n - 1)
    assert played.result.happened["deliver"] <= sharings + agreement + done
    assert not any(played.result.deviations.values())
    assert played.result.happened["deadline"] == 0


@pytest.mark.parametrize("curve", ["secp256k1", "ed25519", "p256", "stark", "bls12381g1", "bls12381g2"])
@pytest.mark.parametrize("seed", range(5))
def test_real_groups_and_real_identities(curve: str, seed: int) -> None:
    group: Group = group_named(curve)
    quorums = SIZES[seed % 2]
    identities = {f"p{i}": KeyPair.generate(lambda n, i=i: seed_of("key", i)[:n]) for i in range(1, 10)}
    mine = {name: identities[name] for name in list(identities)[: quorums.nodes]}
    liar = seat(quorums, 3, sharing=Absent, voting=Silent)
    played = play(seed, quorums, count=3, group=group, identities=mine, faults=Faults(), hands={"p1": liar})
    check_play(played)
    assert played.result.values["p2"].keys.count == 3


def test_a_batch_has_as_many_keys_as_asked_for_and_no_two_alike() -> None:
    played = play(1, SIZES[1], count=20)
    check_play(played)
    keys = played.result.values[played.result.honest[0]].keys
    assert keys.count == len({key.public_key for key in keys}) == len(set(keys.key_ids)) == 20


@pytest.mark.parametrize("quorums", SIZES[:3], ids=lambda quorums: f"n{quorums.nodes}")
def test_keys_stand_at_the_first_honest_end_though_every_dealer_stops_then(quorums: Quorums) -> None:
    """P5: from then on nothing that any dealer has dealt arrives, and all others end with the same keys."""
    stopped = 0
    for seed in range(25):
        seats: dict[str, Generation] = {}

        def censor(parcel: Parcel, seats: dict[str, Generation] = seats) -> bool:
            dealt = Envelope.parse(parcel.data).tag in (tag_of(Dealing), tag_of(Send))
            return dealt and any(made.result is not None for made in seats.values())

        played = play(seed, quorums, lying=False, censor=censor, seats=seats)
        check_play(played)
        stopped += played.result.happened["censor"]
    assert stopped


def test_a_crash_at_every_delivery_changes_nothing_and_makes_nobody_a_liar() -> None:
    """P8: before the journal was written, and after it and before anything left."""
    crashes = 0
    for after in (False, True):
        for nth in range(1, 200):
            played = play(
                nth % 3, SIZES[0], lying=False, faults=Faults(forget=True), crash_at=("p2", nth, after)
            )
            check_play(played)
            assert not any(played.result.deviations.values())
            if not played.result.happened["help"]:
                break
            crashes += 1
    assert crashes > 60


def test_duplicates_change_nothing() -> None:
    """P11: the same deliveries in the same order, half of them twice."""
    once = play(5, SIZES[1], lying=False, faults=Faults(), scheduler=InOrder())
    twice = play(5, SIZES[1], lying=False, faults=Faults(duplicate=0.5), scheduler=InOrder())
    check_play(twice)
    assert twice.result.happened["duplicate"] > 100
    assert digest_of(once) == digest_of(twice)


def test_what_was_said_in_another_session_is_nothing_here() -> None:
    other = play(6, SIZES[0], lying=False, faults=Faults(), scheduler=InOrder())
    said = [event.data for event in other.result.trace if event.what == "deliver"][::10]
    replayer: Cheat = Inject("p4", tuple(said))
    calm = play(5, SIZES[0], lying=False, faults=Faults(), scheduler=InOrder())
    played = play(5, SIZES[0], lying=False, faults=Faults(), scheduler=InOrder(), cheats=[replayer])
    check_play(played)
    assert all(played.result.dropped[name]["another session"] for name in played.result.honest)
    assert not any(played.result.deviations[name] for name in played.result.honest)
    assert digest_of(played) == digest_of(calm)


def digest_of(played: Play) -> bytes:
    return played.result.values[played.result.honest[0]].keys.digest


def test_all_sessions_end_when_all_are_done_and_serve_while_somebody_is_not() -> None:
    calm = play(1, SIZES[0], lying=False, faults=Faults())
    assert all(made._done == set(made.party.others) for made in calm.seats.values())
    hands = {"p1": seat(SIZES[0], 1, sharing=TwoFacedDealer, voting=Silent)}
    waiting = play(1, SIZES[0], hands=hands, faults=Faults(), censor=lambda parcel: parcel.sender == "p1")
    check_play(waiting)
    for made in waiting.seats.values():
        assert made._done == {"p2", "p3", "p4"} - {made.party.me}


def test_nothing_of_a_generation_is_left_in_memory_when_its_session_has_ended() -> None:
    """P10: rows and polynomials go with the coroutine; the result holds shares, which the host seals."""
    seats: list[weakref.ref[Generation]] = []

    async def run(party: Party) -> DkgResult:
        made = Generation(party, SIZES[0], 1, party.parties)
        seats.append(weakref.ref(made))
        return await made.run()

    played = play(
        3, SIZES[0], lying=False, faults=Faults(), hands=dict.fromkeys(("p1", "p2", "p3", "p4"), run)
    )
    assert len(played.result.values) == 4
    gc.collect()
    assert [ref() for ref in seats] == [None] * 4


def test_the_plain_function_is_what_was_tested() -> None:
    async def run(party: Party) -> DkgResult:
        return await generate(party, quorums=SIZES[0], count=1)

    hands = dict.fromkeys(("p1", "p2", "p3", "p4"), run)
    played = play(3, SIZES[0], lying=False, faults=Faults(), hands=hands)
    assert len({value.keys.digest for value in played.result.values.values()}) == 1


def test_a_lost_disk_takes_the_place_of_a_liar_and_stops_nobody() -> None:
    """Where nobody may be away: the node that lost it must stay out, and the others have keys without it."""
    lost = 0
    for seed in range(12):
        with_disks = [name for name in ("p1", "p2", "p3", "p4") if name != "p3"]
        played = play(seed, SIZES[0], lying=False, journaled=with_disks, crash_at=("p3", 3 * seed + 1, False))
        others = [played.result.values[name] for name in with_disks]
        assert len({value.keys.digest for value in others}) == 1
        assert not any(played.result.deviations[name] for name in with_disks)
        lost += "p3" in played.result.errors
    assert lost > 6
