"""One voter at a time: what it says on what it hears, step by step (docs/protocols/dkg.md)."""

from __future__ import annotations

from typing import cast

import pytest
from tests.support.voter import (
    NAMES,
    QUORUMS,
    TERMS,
    A,
    B,
    Bench,
    E,
    R,
    certificate,
    change,
    signed,
    votes,
)
from tests.support.voting import SUBJECT, proof_of, verify

from quorate.errors import Malformed
from quorate.session import Party
from quorate.sharing.agreement import (
    FIRST_DELAY,
    MAX_DELAY,
    MAX_VIEWS,
    Agreement,
    Change,
    Decided,
    Echo,
    Proposal,
    Ready,
    Terms,
    delay_of,
)
from quorate.sharing.agreement.messages import to_ready
from quorate.sharing.quorums import Quorums


def test_the_leader_proposes_the_first_completed_dealings_in_order() -> None:
    bench = Bench(leading=0)
    bench.complete(("p3", "p1"))
    assert not bench.seat.said
    bench.complete(("p2", "p6"))
    ((path, proposal),) = bench.said(Proposal)
    assert path == "view/0"
    assert proposal == Proposal(A, tuple(map(proof_of, A)), None, ())
    assert bench.views(Echo) == [0], "a leader echoes its own proposal"


def test_nobody_else_proposes() -> None:
    bench = Bench()
    bench.complete(NAMES)
    assert not bench.seat.said


def test_a_proposal_is_echoed_once() -> None:
    bench = Bench()
    bench.propose(0)
    bench.propose(0, B)
    ((_, echo),) = bench.said(Echo)
    assert cast(Echo, echo).dealers == A


def test_a_ready_takes_an_echo_quorum_on_the_same_dealers() -> None:
    bench = Bench()
    bench.echoes(0, A, bench.peers[: E - 1])
    bench.echoes(0, B, bench.peers[E - 1 :])
    assert not bench.said(Ready)
    bench = Bench()
    bench.echoes(0, A, bench.peers[: E - 1])
    bench.propose(0)
    assert bench.views(Ready) == [0], "our own echo counts"


def test_a_sender_is_counted_once() -> None:
    bench = Bench()
    for _ in range(E):
        bench.echoes(0, A, bench.peers[:1])
        bench.readies(0, A, bench.peers[:1])
    assert not bench.said(Ready)


def test_liars_and_one_more_readies_make_one_ready() -> None:
    bench = Bench()
    bench.readies(0, A, bench.peers[: QUORUMS.liars])
    assert not bench.said(Ready)
    bench.readies(0, A, bench.peers[: QUORUMS.liars + 1])
    assert bench.views(Ready) == [0]


def test_a_decision_takes_the_ready_quorum_and_is_told_to_all() -> None:
    bench = Bench()
    bench.readies(0, A, bench.peers[: R - 2])
    assert bench.agreement.decided is None
    bench.readies(0, A, bench.peers[R - 2 : R - 1])
    assert bench.agreement.decided == A
    told = bench.said(Decided)
    assert len(told) == len(NAMES) - 1
    assert {path for path, _ in told} == {"view"}
    assert len(cast(Decided, told[0][1]).certificate.signatures) == R


def test_readies_of_a_view_that_is_past_still_decide() -> None:
    bench = Bench()
    bench.changes(1, bench.peers[:R])
    assert bench.agreement.view == 1
    bench.readies(0, A, bench.peers[:R])
    assert bench.agreement.decided == A
    assert not bench.said(Ready)


def test_a_decided_certificate_decides_at_once() -> None:
    bench = Bench()
    bench.agreement.receive("p1", Decided(certificate(3, B, ready=True, count=R)), "view")
    assert bench.agreement.decided == B


@pytest.mark.parametrize("count", [1, R - 1])
def test_fewer_readies_decide_nothing(count: int) -> None:
    bench = Bench()
    bench.agreement.receive("p1", Decided(certificate(0, B, ready=True, count=count)), "view")
    assert bench.agreement.decided is None
    assert set(bench.seat.accused) == {"p1"}


def test_the_timer_runs_from_the_moment_that_something_could_be_proposed() -> None:
    bench = Bench()
    bench.tick(100)
    assert not bench.seat.said
    bench.complete(A)
    bench.tick(FIRST_DELAY - 1)
    assert not bench.said(Change)
    bench.tick(1)
    assert bench.views(Change) == [1]
    bench.tick(100)
    bench.complete(("p6",))
    bench.tick(100)
    assert bench.views(Change) == [1], "one vote for one view"


def test_delays_double_up_to_a_limit() -> None:
    delays = [delay_of(view) for view in range(MAX_VIEWS)]
    assert delays[:4] == [FIRST_DELAY, 2 * FIRST_DELAY, 4 * FIRST_DELAY, 8 * FIRST_DELAY]
    assert max(delays) == MAX_DELAY == delays[-1]


def test_a_new_view_gives_its_leader_the_longer_delay() -> None:
    bench = Bench()
    bench.complete(A)
    bench.tick(FIRST_DELAY - 1)
    bench.changes(1, bench.peers[:R])
    bench.tick(delay_of(1) - 1)
    assert bench.views(Change) == [1], "only the amplified vote"
    bench.tick(1)
    assert bench.views(Change) == [1, 2]


def test_a_vote_is_joined_when_somebody_honest_must_have_cast_one() -> None:
    bench = Bench()
    few = QUORUMS.liars + QUORUMS.away
    bench.changes(5, bench.peers[:few])
    assert not bench.said(Change)
    bench.changes(3, bench.peers[few : few + 1])
    assert bench.views(Change) == [3], "the earliest that anybody asks for"


def test_votes_by_the_same_few_for_many_views_are_not_joined() -> None:
    bench = Bench()
    for view in range(1, MAX_VIEWS):
        bench.changes(view, bench.peers[: QUORUMS.liars + QUORUMS.away])
    assert not bench.said(Change)
    assert bench.agreement.view == 0


def test_no_vote_without_something_that_others_could_propose() -> None:
    bench = Bench()
    bench.agreement._move(1)
    bench.tick(MAX_DELAY)
    assert not bench.said(Change)


def test_there_is_no_view_after_the_last() -> None:
    bench = Bench()
    bench.complete(A)
    bench.agreement._move(MAX_VIEWS - 1)
    bench.tick(MAX_DELAY)
    # entering it was a vote for it, and there is none for a later one
    assert [path for path, _ in bench.said(Change)] == [f"view/{MAX_VIEWS - 1}"]
    bench.hear("p1", change("p1", MAX_VIEWS, None), MAX_VIEWS)
    assert not bench.seat.accused


def test_the_ready_quorum_of_votes_makes_a_view_and_its_leader_proposes() -> None:
    bench = Bench(leading=1)
    bench.changes(1, bench.peers[: R - 2])
    assert bench.agreement.view == 0, "with our own vote, which was amplified, one is lacking"
    bench.changes(1, bench.peers[R - 2 : R - 1])
    assert bench.agreement.view == 1
    ((path, message),) = bench.said(Proposal)
    proposal = cast(Proposal, message)
    assert path == "view/1"
    assert proposal.dealers == A
    assert len(proposal.votes) == R


def test_a_new_leader_proposes_the_lock_of_the_latest_view() -> None:
    bench = Bench(leading=3)
    older, newer = certificate(0, B, ready=False, count=E), certificate(1, A, ready=False, count=E)
    bench.changes(3, bench.peers[:2], newer)
    bench.changes(3, bench.peers[2:4], older)
    bench.changes(3, bench.peers[4:])
    proposal = cast(Proposal, bench.said(Proposal)[0][1])
    assert proposal.certificate == newer
    assert proposal.dealers == A


def test_no_echo_and_no_ready_below_a_view_that_was_voted_for() -> None:
    bench = Bench()
    bench.complete(A)
    bench.tick(FIRST_DELAY)
    bench.propose(0)
    bench.echoes(0, A, bench.peers[:E])
    bench.readies(0, A, bench.peers[: QUORUMS.liars + 1])
    assert not bench.said(Echo)
    assert not bench.said(Ready)


def test_no_ready_in_a_view_that_is_past() -> None:
    bench = Bench()
    bench.propose(1, B, votes=votes(1, R))
    bench.echoes(0, A, bench.peers[:E])
    bench.readies(0, A, bench.peers[: QUORUMS.liars + 1])
    assert bench.views(Echo) == [1]
    assert not bench.said(Ready)


def test_no_ready_in_a_view_before_the_locks() -> None:
    """Entered by a certificate and without a vote: nothing but the view itself forbids it."""
    bench = Bench()
    bench.changes(5, bench.peers[:1], certificate(4, A, ready=False, count=E))
    bench.echoes(3, A, bench.peers[:E])
    assert not bench.said(Ready)


def test_a_vote_carries_the_lock() -> None:
    bench = Bench()
    bench.complete(B)
    bench.echoes(0, A, bench.peers[:E])
    bench.tick(FIRST_DELAY)
    ((_, message),) = bench.said(Change)
    lock = cast(Change, message).lock
    assert lock is not None
    assert (lock.view, lock.dealers) == (0, A)
    assert not cast(Change, message).proofs


def locked(view: int = 0) -> Bench:
    bench = Bench()
    bench.echoes(view, A, bench.peers[:E])
    assert bench.views(Ready) == [view]
    return bench


def test_a_lock_refuses_other_dealers_without_a_newer_certificate() -> None:
    bench = locked(1)
    bench.propose(2, B, votes=votes(2, R))
    bench.propose(2, B, certificate(0, B, ready=False, count=E), votes(2, R))
    assert not bench.said(Echo)
    assert not bench.seat.accused, "the leader may not know of our lock"


def test_a_lock_gives_way_to_a_newer_certificate() -> None:
    bench = locked(0)
    bench.propose(2, B, certificate(1, B, ready=True, count=QUORUMS.liars + 1), votes(2, R))
    assert [cast(Echo, echo).dealers for _, echo in bench.said(Echo)] == [B]


def test_a_lock_lets_the_same_dealers_pass() -> None:
    bench = locked(0)
    bench.propose(1, A, votes=votes(1, R))
    assert bench.views(Echo) == [1]


def test_a_certificate_of_a_later_view_moves_us_there() -> None:
    bench = Bench()
    bench.changes(5, bench.peers[:1], certificate(4, A, ready=False, count=E))
    assert bench.agreement.view == 4
    bench.tick(MAX_DELAY)
    assert bench.views(Change) == [5], "never a vote for a view before the lock's"


def test_a_proposal_with_its_votes_makes_the_view() -> None:
    bench = Bench()
    bench.propose(1, votes=votes(1, R))
    assert bench.agreement.view == 1
    assert bench.views(Echo) == [1]
    bench.propose(0)
    assert bench.views(Echo) == [1], "a view that is past"


def test_who_asks_for_a_leader_after_the_decision_is_told_once_in_each_view() -> None:
    bench = Bench()
    bench.readies(0, A, bench.peers[:R])
    told = len(bench.said(Decided))
    for _ in range(2):
        bench.changes(1, bench.peers[:2])
        bench.changes(2, bench.peers[:1])
    assert len(bench.said(Decided)) == told + 3
    assert [to for path, to, _ in bench.seat.said if path == "view/1"] == list(bench.peers[:2])
    assert not bench.said(Change)


def test_after_the_decision_nothing_is_said_any_more() -> None:
    bench = Bench(leading=1)
    bench.readies(0, A, bench.peers[:R])
    said = len(bench.seat.said)
    bench.complete(NAMES)
    bench.tick(MAX_DELAY)
    bench.echoes(0, A, bench.peers)
    bench.propose(0)
    assert len(bench.seat.said) == said


def test_who_is_no_voter_listens_and_decides() -> None:
    bench = Bench("p7", nodes=NAMES)
    six = Quorums(6, 2, 1, 0)
    bench.agreement = Agreement(cast(Party, bench.seat), six, NAMES[:6], NAMES, 3, verify, SUBJECT)
    terms = bench.agreement.terms
    proofs = tuple(map(proof_of, A))
    bench.hear(terms.leader(0), Proposal(A, proofs, None, ()), 0)
    bench.complete(A)
    bench.tick(MAX_DELAY)
    assert not bench.seat.said
    for name in NAMES[: six.ready]:
        bench.hear(name, Ready(A, signed(name, to_ready(terms.bound, 0, A))), 0)
    assert bench.agreement.decided == A
    assert {type(message) for _, _, message in bench.seat.said} == {Decided}


def test_a_stranger_does_not_vote() -> None:
    bench = Bench("p1")
    bench.agreement = Agreement(
        cast(Party, bench.seat), Quorums(6, 2, 1, 0), NAMES[:6], NAMES, 3, verify, SUBJECT
    )
    terms = bench.agreement.terms
    bench.hear("p7", Ready(A, signed("p7", to_ready(terms.bound, 0, A))), 0)
    assert "no voter" in bench.seat.accused["p7"]


@pytest.mark.parametrize("path", ["view/p1", "view/01", "view/64", "view/-1", "view/0/1", "elsewhere"])
def test_what_comes_on_no_views_path_is_nothing(path: str) -> None:
    bench = Bench()
    bench.agreement.receive("p1", Proposal(A, (), None, ()), path)
    assert not bench.seat.said
    assert not bench.seat.accused


@pytest.mark.parametrize(
    ("nodes", "dealers", "needed"),
    [
        (NAMES[:6], NAMES, 3),
        ((*NAMES[:6], "p1"), NAMES, 3),
        (NAMES, (*NAMES, "p1"), 3),
        (NAMES, NAMES, 0),
        (NAMES, NAMES[:2], 3),
    ],
)
def test_terms_that_do_not_fit_each_other_are_refused(
    nodes: tuple[str, ...], dealers: tuple[str, ...], needed: int
) -> None:
    with pytest.raises(Malformed):
        Terms(SUBJECT, QUORUMS, nodes, dealers, needed, {}, verify)


def test_votes_are_bound_to_everything_agreed() -> None:
    bounds = {
        Terms(subject, quorums, nodes, dealers, needed, {}, verify).bound
        for subject, quorums, nodes, dealers, needed in (
            (SUBJECT, QUORUMS, NAMES, NAMES, 3),
            (b"1" * 32, QUORUMS, NAMES, NAMES, 3),
            (SUBJECT, Quorums(7, 3, 1, 1), NAMES, NAMES, 3),
            (SUBJECT, Quorums(7, 2, 1, 0), NAMES, NAMES, 3),
            (SUBJECT, Quorums(7, 2, 2, 0), NAMES, NAMES, 3),
            (SUBJECT, QUORUMS, NAMES[::-1], NAMES, 3),
            (SUBJECT, QUORUMS, NAMES, NAMES[:6], 3),
            (SUBJECT, QUORUMS, NAMES, NAMES, 4),
        )
    }
    assert len(bounds) == 8


def test_leaders_take_turns() -> None:
    assert {TERMS.leader(view) for view in range(7)} == set(NAMES)
    assert TERMS.leader(0) == TERMS.leader(7)
