"""Resharing with a cheat at each check: it gains nothing, it is named where that can be proved, all go on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest

from quorate.errors import ProofRejected
from quorate.groups.toy import TOY_GROUP
from quorate.session import Envelope, Message, Party, PartyId
from quorate.sharing import agreement, avss
from quorate.sharing.agreement import Agreement, Decided, Proposal
from quorate.sharing.avss import Sharing
from quorate.sharing.avss.commitments import bitmap
from quorate.sharing.avss.messages import Dealing, Echo, Ready, Send
from quorate.sharing.polynomial import interpolate
from quorate.sharing.quorums import Quorums
from quorate.sharing.reshare import FORK, Reshared
from quorate.testing import InOrder, Result, Starve
from quorate.testing.cheats import Aimed, Draft, Inject
from quorate.testing.resharings import EpochChange, OldCommittee, change, key_id

Q4, Q5, Q7, Q7F = Quorums(4, 1, 1, 0), Quorums(5, 2, 1, 0), Quorums(7, 2, 2, 0), Quorums(7, 3, 1, 1)


@dataclass(frozen=True)
class Rewrite(Aimed):
    """Sends what a function makes of the true message."""

    change: Callable[[Any], Message]

    def lie(self, draft: Draft, everybody: Sequence[PartyId]) -> Iterable[Draft]:
        return [replace(draft, message=self.change(draft.message))]


def seat(epoch: EpochChange, deal: Callable[[Sharing], None], dealer: PartyId) -> Callable[[Party], Any]:
    """A seat that deals as it likes on the path of `dealer`, takes part in that, and in nothing else."""

    async def run(party: Party) -> None:
        deals = party.fork(FORK)
        sharing = Sharing(deals.fork(dealer), epoch.terms.setting(deals, dealer), dealer)
        deal(sharing)
        async for arrival in party.stream(*avss.KINDS):
            if arrival is not None and arrival.path == f"{FORK}/{dealer}":
                sharing.receive(arrival.sender, arrival.message)

    return run


def dealers_of(result: Result[Any]) -> set[PartyId]:
    return {d for v in result.values.values() if isinstance(v, Reshared) for d in v.dealers}


def with_leader(old: str, new: str, quorums: tuple[Quorums, Quorums]) -> tuple[EpochChange, PartyId]:
    """An epoch change, and who leads its first view in the run of seed 1."""
    epoch = change((old, quorums[0]), (new, quorums[1]))
    return epoch, epoch.voting(epoch.simulation(seed=1)).leader(0)


# --- dealers that deal something else ------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 2])
def test_who_deals_another_constant_is_named_and_left_out(number: int) -> None:
    epoch = change(("abcde", Q5), ("abcfg", Q5))
    secrets = [TOY_GROUP.scalar(share or 0) for share in epoch.old.shares["d"]]
    secrets[number] += TOY_GROUP.scalar(1)
    result = epoch.play(by_hand={"d": seat(epoch, lambda s: s.deal(secrets), "d")})
    assert result.blamed() == {"d"}
    assert "d" not in dealers_of(result)
    assert all(isinstance(result.values[node], Reshared) for node in "abcfg")


def test_two_constants_swapped_are_other_constants() -> None:
    epoch = change(("abcde", Q5), ("abcde", Q5))
    secrets = [TOY_GROUP.scalar(share or 0) for share in epoch.old.shares["d"]]
    swapped = [secrets[1], secrets[0], secrets[2]]
    result = epoch.play(by_hand={"d": seat(epoch, lambda s: s.deal(swapped), "d")})
    assert result.blamed() == {"d"}


def test_the_shares_of_another_node_are_other_constants() -> None:
    epoch = change(("abcde", Q5), ("abcde", Q5))
    others = [TOY_GROUP.scalar(share or 0) for share in epoch.old.shares["e"]]
    result = epoch.play(by_hand={"d": seat(epoch, lambda s: s.deal(others), "d")})
    assert result.blamed() == {"d"}


def test_fresh_keys_in_the_place_of_the_old_are_other_constants() -> None:
    epoch = change(("abcde", Q5), ("abcde", Q5))
    result = epoch.play(by_hand={"d": seat(epoch, lambda s: s.deal(), "d")})
    assert result.blamed() == {"d"}


def longer(dealing: Dealing) -> Dealing:
    """The matrix of one degree more, first columns as they are: Feldman vectors that are over-long."""
    return Dealing(dealing.gaps, dealing.matrix + TOY_GROUP.generator.to_bytes() * 3 * 4)


@pytest.mark.parametrize(
    ("kind", "lie"),
    [
        (Dealing, longer),
        (Dealing, lambda m: Dealing(m.gaps, m.matrix + m.matrix[-8:])),
        (Dealing, lambda m: Dealing(m.gaps, m.matrix[:-8])),
        (Dealing, lambda m: Dealing(m.gaps, m.matrix[: 3 * 3 * 8])),  # the degree below
        (Dealing, lambda m: Dealing(m.gaps, b"")),
        (Dealing, lambda m: Dealing(m.gaps, bytes(len(m.matrix)))),
        (Dealing, lambda m: Dealing(bytes(1), m.matrix)),
        (Dealing, lambda m: Dealing(b"\xff", m.matrix)),
        (Send, lambda m: Send(m.row + m.row[-8:])),
        (Send, lambda m: Send(m.row[:-8])),
        (Send, lambda m: Send(b"\xff" * len(m.row))),
    ],
)
def test_vectors_are_exact_so_that_nobody_moves_the_degree(kind: type[Message], lie: Any) -> None:
    epoch = change(("abcde", Q5), ("abcde", Q5))
    result = epoch.play(cheats=[Rewrite("d", kind, lie)])
    assert result.blamed() == {"d"}
    assert "d" not in dealers_of(result)
    for node in "abce":
        assert result.values[node].keys.degree == 2


def test_a_dealing_that_lacks_a_live_key_has_nobodys_voice() -> None:
    """Nor is it a lie that could be proved: a node may have lost a share."""
    epoch = change(("abcde", Q5), ("abcde", Q5))
    result = epoch.play(cheats=[Rewrite("d", Dealing, lambda m: Dealing(bitmap((0,), 3), m.matrix))])
    assert "d" not in dealers_of(result)
    assert all(result.values[node].lost == () for node in "abce")


def test_liars_that_claim_to_lack_spare_keys_lose_none_that_the_honest_have() -> None:
    epoch = change(("abcdefg", Q7), ("abcdefg", Q7), spare=True)
    everything = bitmap((0, 1, 2), 3)
    for seed in range(8):
        liars = [Rewrite(name, Dealing, lambda m: Dealing(everything, m.matrix)) for name in "ab"]
        result = epoch.play(seed, cheats=liars)
        assert all(result.values[node].lost == () for node in "cdefg")


def test_false_rows_to_one_node_keep_it_from_nothing() -> None:
    """One receiver gives up, others go on and forget the old shares: so resharings by rounds are broken."""
    epoch = change(("abcde", Q5), ("abcfg", Q5))
    for victim, seed in itertools.product("acfg", range(4)):
        cheat = Rewrite("b", Send, lambda m: Send(bytes(len(m.row))), recipient=victim)
        result = epoch.play(seed, cheats=[cheat])
        assert isinstance(result.values[victim], Reshared)
        assert result.blamed() <= {"b"}


@pytest.mark.parametrize("kind", [Echo, Ready])
def test_false_points_of_a_new_node_are_told_from_true_ones(kind: type[Message]) -> None:
    epoch = change(("abcde", Q5), ("abcfg", Q5))

    def false(message: Any) -> Message:
        return msgspec.structs.replace(message, values=bytes(7) + b"\x01" + message.values[8:])

    result = epoch.play(cheats=[Rewrite("f", kind, false)])
    assert result.blamed() == {"f"}


# --- dealers that are none -----------------------------------------------------------------------------


def test_a_new_node_that_was_no_old_one_deals_to_nobody() -> None:
    epoch = change(("abcde", Q5), ("abcfg", Q5))
    result = epoch.play(by_hand={"f": seat(epoch, lambda s: s.deal(), "f")})
    assert "f" not in dealers_of(result)
    assert all(isinstance(result.values[node], Reshared) for node in "abcg")


def test_nobody_deals_in_the_place_of_another() -> None:
    """Neither a new node nor another old one, on the path of a dealer that is away."""
    epoch = change(("abcde", Q5), ("abcfg", Q5))
    for cheater in "ef":

        async def run(party: Party) -> None:
            deals = party.fork(FORK).fork("d")
            setting = epoch.terms.setting(Party(party._core, FORK), "d")
            matrix = TOY_GROUP.generator.to_bytes() * (setting.matrix_bytes // 8)
            deals.broadcast(Dealing(b"", matrix))
            for node in epoch.terms.new_nodes:
                if node != party.me:
                    deals.send(node, Send(bytes(setting.row_bytes)))

        result = epoch.play(by_hand={cheater: run})
        assert result.blamed() == {cheater}


# --- leaders that propose something else ---------------------------------------------------------------


def twice(proposal: Proposal) -> Proposal:
    """T5: one dealer listed until the list is long enough."""
    count = len(proposal.dealers)
    return msgspec.structs.replace(
        proposal, dealers=proposal.dealers[:1] * count, proofs=proposal.proofs[:1] * count
    )


@pytest.mark.parametrize(
    "lie",
    [
        twice,
        lambda p: msgspec.structs.replace(p, dealers=p.dealers[::-1], proofs=p.proofs[::-1]),
        # fewer than agreed: with d of them the old liars would know the new polynomial
        lambda p: msgspec.structs.replace(p, dealers=p.dealers[:2], proofs=p.proofs[:2]),
        lambda p: msgspec.structs.replace(p, dealers=("f", *p.dealers[1:])),  # a new node, no dealer
        lambda p: msgspec.structs.replace(p, dealers=(*p.dealers[:-1], "A")),
        lambda p: msgspec.structs.replace(p, proofs=p.proofs[:-1]),
        lambda p: msgspec.structs.replace(p, proofs=p.proofs[::-1]),  # proofs of one dealing for another
        lambda p: msgspec.structs.replace(
            p,
            proofs=tuple(msgspec.structs.replace(c, signatures=c.signatures[:1] * 4) for c in p.proofs),
        ),
        lambda p: msgspec.structs.replace(
            p, proofs=tuple(msgspec.structs.replace(c, digest=bytes(32)) for c in p.proofs)
        ),
    ],
)
def test_a_leader_that_proposes_what_is_none_is_named_and_the_next_leads(lie: Any) -> None:
    epoch, first = with_leader("abcde", "abcdf", (Q5, Q5))
    result = epoch.play(1, cheats=[Rewrite(first, Proposal, lie)])
    assert result.blamed() == {first}
    assert all(isinstance(result.values[n], Reshared) for n in epoch.terms.new_nodes if n != first)


def test_thresholds_and_members_are_in_no_message() -> None:
    """T5: whoever takes them from a proposal counts as the proposer likes."""
    told = {name for kind in (*avss.KINDS, *agreement.MESSAGES) for name in kind.__struct_fields__}
    assert told == {
        *("gaps", "matrix", "row", "digest", "values", "signature", "envelope"),
        *("dealers", "proofs", "certificate", "votes", "lock"),
    }


# --- other epochs, other attempts ----------------------------------------------------------------------


def recorded(epoch: EpochChange, seed: int = 9) -> tuple[bytes, ...]:
    """Every envelope of an honest run."""
    result = epoch.simulation(seed, scheduler=InOrder()).run()
    return tuple(dict.fromkeys(event.data for event in result.trace if event.data))


@pytest.mark.parametrize("other", [{"chunk": 1}, {"attempt": 1}, {"seed": 2}])
def test_what_was_said_in_another_session_counts_in_none(other: dict[str, int]) -> None:
    envelopes = recorded(change(("abcd", Q4), ("abcd", Q4), **other))
    epoch = change(("abcd", Q4), ("abcd", Q4))
    result = epoch.play(cheats=[Inject("b", envelopes)])
    assert not result.blamed()
    assert result.dropped["a"]["another session"] >= len(envelopes) // 2


def test_the_same_session_of_the_epoch_before_counts_in_none() -> None:
    """Renewals look alike: same nodes, same thresholds, same keys."""
    first = change(("abcd", Q4), ("abcd", Q4))
    envelopes = recorded(first)
    again = replace(first, terms=replace(first.terms, epoch=2, change=bytes(32)))
    result = again.play(cheats=[Inject("b", envelopes)])
    assert not result.blamed()
    assert result.dropped["a"]["another session"] >= len(envelopes) // 2


def test_a_proof_from_another_attempt_proves_nothing() -> None:
    """A ready is signed for one dealing of one sharing of one session."""
    proofs: dict[PartyId, Any] = {}

    class Collecting(Agreement):
        def completed(self, dealer: PartyId, certificate: Any) -> None:
            proofs[dealer] = certificate
            super().completed(dealer, certificate)

    other = change(("abcd", Q4), ("abcd", Q4), attempt=1)
    other.play(seed=9, by_hand={"c": other.seat("c", voting=Collecting)})
    assert set(proofs) == set("abcd")
    epoch, first = with_leader("abcd", "abcd", (Q4, Q4))

    def replay(proposal: Proposal) -> Proposal:
        return msgspec.structs.replace(proposal, proofs=tuple(proofs[d] for d in proposal.dealers))

    result = epoch.play(1, cheats=[Rewrite(first, Proposal, replay)])
    assert result.blamed() == {first}
    simulation = epoch.simulation()
    with pytest.raises(ProofRejected):
        proofs["a"].verify(epoch.setting(simulation, "a"), simulation.roster)


# --- committees that overlap ---------------------------------------------------------------------------


OVERLAPS = [
    (("abcde", Q5), ("abcde", Q5)),
    (("abcde", Q5), ("edcba", Q5)),
    (("abcde", Q5), ("bcdef", Q5)),
    (("abcde", Q5), ("cdefg", Q5)),
    (("abcde", Q5), ("efghi", Q5)),
    (("abcdefg", Q7F), ("gfedc", Q5)),
    (("abcd", Q4), ("dcbaefg", Q7F)),
]


@pytest.mark.parametrize(("old", "new"), OVERLAPS)
def test_a_node_that_stays_is_not_done_before_its_new_seat_is(old: Any, new: Any) -> None:
    """A known fault elsewhere: what an old seat has finished marks the whole party's round as finished."""
    epoch = change(old, new)
    for staying in sorted(set(old[0]) & set(new[0])):
        result = epoch.play(scheduler=Starve(staying))
        assert isinstance(result.values[staying], Reshared)


@pytest.mark.parametrize(("old", "new"), OVERLAPS)
def test_what_a_staying_node_says_as_a_new_one_speaks_for_no_old_one(old: Any, new: Any) -> None:
    """A party that is no good as a dealer is no dealer, however much it says as a receiver."""
    epoch = change(old, new)
    staying = max(set(old[0]) & set(new[0]))
    epoch.old.shares[staying] = []
    assert staying not in dealers_of(epoch.play())


def test_dealers_at_points_that_the_new_committee_has_not_count_by_their_old_points() -> None:
    """T6: marks kept by the index in one committee and read by that in the other."""
    epoch = change(("abcdefg", Q7F), ("vwxy", Q4))
    for node in "abc":
        epoch.old.shares[node] = []
    result = epoch.play()
    assert dealers_of(result) == set("defg")
    growing = change(("ab", Quorums(2, 1, 0, 0)), ("bcdefga", Q7F))
    assert dealers_of(growing.play()) == set("ab")


# --- who has gone --------------------------------------------------------------------------------------


def test_a_removed_node_gets_no_row_no_point_and_no_share() -> None:
    epoch = change(("abcde", Q5), ("abcdf", Q5))
    simulation = epoch.simulation()
    result = simulation.run()
    sealed = [Envelope.parse(event.data) for event in result.trace if event.data and event.party == "e"]
    assert sealed
    assert {e.tag for e in sealed if e.recipient == "e"} <= {Decided.__struct_config__.tag}
    assert result.values["e"] is None


def test_a_removed_node_that_says_nothing_delays_nobody() -> None:
    async def silent(party: Party) -> None:
        async for _ in party.stream(Dealing):
            pass

    epoch = change(("abcde", Q5), ("abcdf", Q5))
    result = epoch.play(by_hand={"e": silent})
    assert all(isinstance(result.values[node], Reshared) for node in "abcdf")


def test_old_nodes_that_reshare_twice_give_two_sharings_that_do_not_mix() -> None:
    """An epoch change that was given up and its second attempt: shares of both together are worth nothing."""
    quorums = Q4
    first = change(("abcd", quorums), ("abcd", quorums)).play(seed=1)
    second = change(("abcd", quorums), ("abcd", quorums), attempt=1).play(seed=2)
    committee = OldCommittee(tuple("abcd"), quorums)
    for x, y in itertools.permutations(range(4), 2):
        one = first.values["abcd"[x]].shares.reveal()[0]
        two = second.values["abcd"[y]].shares.reveal()[0]
        at = [x + 1, y + 1]
        mixed = interpolate(TOY_GROUP, {at[0]: TOY_GROUP.scalar(one), at[1]: TOY_GROUP.scalar(two)})
        assert mixed != committee.secrets[0]
    assert key_id(0) == committee.keys.key_ids[0]
