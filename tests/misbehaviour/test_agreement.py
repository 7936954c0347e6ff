"""The agreement, one offence at a time: nothing comes of it, its author is named, and a stranger agrees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.support.voter import NAMES, QUORUMS, TERMS, A, B, Bench, E, R, certificate, change, signed, votes
from tests.support.voting import SETS, SUBJECT, VOTING, all_decide_alike, play, proof_of, verify

from quorate.encoding import decode
from quorate.errors import ProofRejected
from quorate.groups.toy import TOY_GROUP
from quorate.session import Exhibit, Message, Offence, PartyId, convict, examine
from quorate.sharing.agreement import (
    Certificate,
    Change,
    Decided,
    Echo,
    Proposal,
    Ready,
    Terms,
    Vote,
    check,
    offence,
)
from quorate.sharing.agreement.messages import to_change, to_echo, to_ready
from quorate.testing import Faults, Result
from quorate.testing.liars import FORGERIES, Forger, Forgetful, Liar, TwoFaced

PROOFS = tuple(map(proof_of, A))
LEADER = TERMS.leader(0)


def caught(view: int, sender: str, message: Message, reason: str) -> None:
    """An honest voter names the sender and goes on as if nothing had come; anybody comes to the same."""
    bench = Bench()
    if sender == bench.me:
        bench = Bench(next(name for name in NAMES if name != sender and name != TERMS.leader(view)))
    bench.hear(sender, message, view)
    assert set(bench.seat.accused) == {sender}
    assert reason in bench.seat.accused[sender]
    assert not bench.seat.said
    assert (bench.agreement.view, bench.agreement.decided) == (0, None)
    with pytest.raises(ProofRejected, match=reason or None):
        check(TERMS, view, sender, message)


def passes(view: int, sender: str, message: Message) -> None:
    """What the offence was made from is true: it is the change alone that is caught."""
    check(TERMS, view, sender, message)


# --- proposals ----------------------------------------------------------------------------------------


def first(dealers: tuple[str, ...] = A) -> Proposal:
    return Proposal(dealers, tuple(map(proof_of, dealers)), None, ())


def test_a_dealer_named_as_often_as_dealers_are_needed() -> None:
    """Its key alone, three times: found in an archived network's agreement (keygen proposals)."""
    passes(0, LEADER, first())
    caught(0, LEADER, first(("p1", "p1", "p1")), "once each")


@pytest.mark.parametrize(
    ("dealers", "reason"),
    [
        (("p2", "p1", "p3"), "in order"),
        (("p1", "p2", "p3", "p3"), "once each"),
        (("p1", "p2", "zz"), "deals nothing"),
        (("P1", "p1", "p2"), "deals nothing"),
        (("p1", "p2"), "are needed"),
        ((), "are needed"),
    ],
)
def test_dealers_that_are_no_set_of_the_committee(dealers: tuple[str, ...], reason: str) -> None:
    caught(0, LEADER, first(dealers), reason)


def test_a_proposal_by_somebody_else() -> None:
    caught(0, TERMS.leader(1), first(), "does not lead")


@pytest.mark.parametrize("proofs", [(), PROOFS[:2], (*PROOFS, PROOFS[0]), PROOFS[::-1], (PROOFS[0],) * 3])
def test_dealers_without_the_proof_of_each(proofs: tuple[Any, ...]) -> None:
    with pytest.raises(ProofRejected):
        check(TERMS, 0, LEADER, Proposal(A, proofs, None, ()))
    bench = Bench()
    bench.hear(LEADER, Proposal(A, proofs, None, ()), 0)
    assert set(bench.seat.accused) == {LEADER}
    assert not bench.seat.said


def test_votes_or_a_certificate_where_there_can_be_none() -> None:
    caught(0, LEADER, Proposal(A, PROOFS, None, votes(1, R)), "made by no votes")
    caught(0, LEADER, Proposal(A, (), certificate(0, A, ready=False, count=E), ()), "not older than")


def later(**changed: Any) -> Proposal:
    fields = {"dealers": A, "proofs": PROOFS, "certificate": None, "votes": votes(2, R)}
    return Proposal(**{**fields, **changed})


def leads(message: Proposal, reason: str) -> None:
    caught(2, TERMS.leader(2), message, reason)


def test_a_view_that_too_few_have_voted_for() -> None:
    passes(2, TERMS.leader(2), later())
    leads(later(votes=votes(2, R - 1)), "make a view")
    leads(later(votes=()), "make a view")


def test_a_view_made_by_one_voter_under_several_names() -> None:
    one = votes(2, 1)
    leads(later(votes=one * R), "once each")
    named = tuple(msgspec.structs.replace(one[0], voter=name) for name in NAMES)
    leads(later(votes=named), "")
    stranger = msgspec.structs.replace(one[0], voter="zz")
    leads(later(votes=(*votes(2, R), stranger)), "of the committee")


def test_votes_for_another_view_or_of_another_lock() -> None:
    leads(later(votes=votes(3, R)), "")
    lock = certificate(0, B, ready=False, count=E)
    locked = votes(2, R, lock)
    unlocked = tuple(msgspec.structs.replace(vote, locked=0, dealers=()) for vote in locked)
    leads(later(votes=unlocked), "")


def test_a_vote_with_a_lock_of_a_view_to_come_or_on_nobody() -> None:
    for locked, dealers in ((3, A), (1, ()), (0, A)):
        vote = Vote("p1", locked, dealers, signed("p1", to_change(TERMS.bound, 2, locked, dealers)))
        leads(later(votes=(vote, *votes(2, R + 1)[1:])), "cannot have voted")


def test_something_fresh_although_a_voter_is_locked() -> None:
    one = votes(2, 1, certificate(0, B, ready=False, count=E))
    leads(later(votes=(*one, *votes(2, R)[1:])), "something fresh")


def certified(lock: Certificate | None, **changed: Any) -> Proposal:
    dealers = A if lock is None else lock.dealers
    return later(**{"dealers": dealers, "proofs": (), "certificate": lock, **changed})


def test_a_certificate_older_than_a_lock_among_the_votes() -> None:
    newer, older = certificate(1, B, ready=False, count=E), certificate(0, A, ready=False, count=E)
    shown = (*votes(2, 1, newer), *votes(2, R)[1:])
    passes(2, TERMS.leader(2), certified(newer, votes=shown))
    leads(certified(older, votes=shown), "older than a lock")


def test_a_certificate_of_the_view_itself() -> None:
    leads(certified(certificate(2, A, ready=False, count=E)), "not older than the view")


def test_a_certificate_for_other_dealers_or_with_proofs_beside_it() -> None:
    lock = certificate(0, A, ready=False, count=E)
    passes(2, TERMS.leader(2), certified(lock))
    leads(certified(lock, dealers=B), "other dealers")
    leads(certified(lock, proofs=PROOFS), "proofs beside")


def spoilt_certificates() -> list[tuple[Certificate, str]]:
    true = certificate(0, A, ready=False, count=E)
    names = tuple(name for name, _ in true.signatures)
    by_one = tuple((name, true.signatures[0][1]) for name in names)
    readies = certificate(0, A, ready=True, count=E)
    thrice = ("p1", "p1", "p1")
    return [
        (certificate(0, A, ready=False, count=E - 1), "make a certificate"),
        (certificate(0, A, ready=True, count=QUORUMS.liars), "make a certificate"),
        (msgspec.structs.replace(true, signatures=true.signatures[:1] * E), "once each"),
        (msgspec.structs.replace(true, signatures=true.signatures[::-1]), "in order"),
        (msgspec.structs.replace(true, signatures=by_one), ""),
        (msgspec.structs.replace(true, signatures=readies.signatures), ""),
        (msgspec.structs.replace(true, ready=True), ""),
        (msgspec.structs.replace(true, view=1), ""),
        (msgspec.structs.replace(true, dealers=("p1", "p2", "p4")), ""),
        (msgspec.structs.replace(true, signatures=(*true.signatures, ("zz", bytes(64)))), "of the committee"),
        (certificate(0, thrice, ready=False, count=E), "once each"),
        (certificate(0, A[:2], ready=False, count=E), "are needed"),
    ]


@pytest.mark.parametrize(("spoilt", "reason"), spoilt_certificates())
def test_forged_certificates_in_every_place_that_holds_one(spoilt: Certificate, reason: str) -> None:
    leads(certified(spoilt), reason)
    statement = to_change(TERMS.bound, 2, spoilt.view + 1, spoilt.dealers)
    caught(2, "p1", Change(spoilt, (), (), signed("p1", statement)), reason)
    if spoilt.ready:
        caught(2, "p1", Decided(spoilt), "")


def test_decided_by_echoes_or_by_too_few() -> None:
    passes(0, "p1", Decided(certificate(0, A, ready=True, count=R)))
    caught(0, "p1", Decided(certificate(0, A, ready=False, count=7)), "decide nothing")
    caught(0, "p1", Decided(certificate(0, A, ready=True, count=R - 1)), "make a certificate")


# --- echoes, readies, votes ---------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "state"), [(Echo, to_echo), (Ready, to_ready)])
def test_echoes_and_readies_that_are_not_what_they_seem(kind: Any, state: Callable[..., bytes]) -> None:
    passes(1, "p1", kind(A, signed("p1", state(TERMS.bound, 1, A))))
    other = to_ready if state is to_echo else to_echo
    for statement in (
        state(TERMS.bound, 2, A),
        state(TERMS.bound, 1, B),
        state(bytes(32), 1, A),
        other(TERMS.bound, 1, A),
        to_change(TERMS.bound, 1, 1, A),
    ):
        caught(1, "p1", kind(A, signed("p1", statement)), "")
    caught(1, "p1", kind(A, signed("p2", state(TERMS.bound, 1, A))), "")
    for dealers in (("p1", "p1", "p1"), A[:2], ("p1", "p2", "zz")):
        caught(1, "p1", kind(dealers, signed("p1", state(TERMS.bound, 1, dealers))), "")


def test_a_vote_for_the_first_view() -> None:
    caught(0, "p1", change("p1", 0, None), "the first view")


def test_votes_that_carry_nothing_or_both_or_too_much() -> None:
    lock = certificate(0, A, ready=False, count=E)
    passes(1, "p1", change("p1", 1, lock))
    passes(1, "p1", change("p1", 1, None))
    statement = to_change(TERMS.bound, 1, 0, ())
    caught(1, "p1", Change(None, (), (), signed("p1", statement)), "are needed")
    caught(1, "p1", Change(None, A, (), signed("p1", statement)), "proof for each")
    caught(1, "p1", Change(None, A, PROOFS[::-1], signed("p1", statement)), "not the proof")
    caught(1, "p1", msgspec.structs.replace(change("p1", 1, lock), dealers=A, proofs=PROOFS), "other attach")
    caught(1, "p1", change("p1", 1, certificate(1, A, ready=False, count=E)), "still to come")


def test_a_vote_that_signs_another_lock_than_it_carries() -> None:
    lock = certificate(0, A, ready=False, count=E)
    without = change("p1", 2, None)
    caught(2, "p1", msgspec.structs.replace(without, signature=change("p1", 2, lock).signature), "")
    caught(2, "p1", msgspec.structs.replace(change("p1", 2, lock), signature=without.signature), "")
    caught(2, "p1", change("p2", 2, None), "")


# --- in a session, with the evidence ------------------------------------------------------------------


def judged(result: Result[Any], quorums: Any) -> set[PartyId]:
    """Everybody who is accused, each by evidence that the pure check refuses too."""
    nodes = result.spec.parties
    terms = Terms(SUBJECT, quorums, nodes, nodes, quorums.degree + 1, result.roster, verify)
    accused = set()
    for name in result.honest:
        for offender, blame in result.deviations[name].items():
            (finding,) = convict(blame, result.spec, result.roster, VOTING, TOY_GROUP)
            accused.add(offender)
            if finding.offence is Offence.EQUIVOCATION:
                continue
            shown = [
                examine(decode(Exhibit, data), result.spec, result.roster, VOTING, TOY_GROUP)
                for data in blame.evidence
            ]
            assert offence(terms, offender, shown)
            for other in set(nodes) - {offender}:
                with pytest.raises(ProofRejected):
                    offence(terms, other, shown)
    return accused


@pytest.mark.parametrize(
    ("kind", "forge"),
    [(kind, forge) for kind, ways in FORGERIES.items() for forge in ways],
    ids=lambda value: getattr(value, "__name__", str(value)).strip("_"),
)
def test_each_forgery_is_named_and_nobody_else(
    kind: type[Message], forge: Callable[[Liar, int, Message], Message]
) -> None:
    class Once(Forger):
        def _say(self, view: int, message: Message) -> None:
            lie = forge(self, view, message) if isinstance(message, kind) else message
            super(Forger, self)._say(view, lie)

        def _decide(self, certificate: Certificate) -> None:
            super(Forger, self)._decide(certificate)

    named: set[PartyId] = set()
    for seed in range(12):
        result = play(SETS[0], seed, liars=[Once], faults=Faults(deadline=0.05))
        all_decide_alike(result)
        accused = judged(result, SETS[0])
        assert accused <= result.cheaters
        named |= accused
        if named:
            break
    assert named, "in a dozen runs the lie was told once"


def test_a_forged_decision_is_named() -> None:
    class Hasty(Forger):
        def _say(self, view: int, message: Message) -> None:
            super(Forger, self)._say(view, message)

    result = play(SETS[0], 1, liars=[Hasty], faults=Faults())
    all_decide_alike(result)
    assert judged(result, SETS[0]) <= result.cheaters


def test_two_echoes_in_one_view_convict_by_themselves() -> None:
    class Twice(TwoFaced):
        def _say(self, view: int, message: Message) -> None:
            self.whisper(view, message, self._party.others)
            if isinstance(message, Echo):
                self.whisper(view, self.sign_echo(view, self.last), self._party.others)

    result = play(SETS[0], 3, liars=[Twice], faults=Faults())
    all_decide_alike(result)
    assert judged(result, SETS[0]) == result.cheaters


# --- signatures that contradict each other, wherever they come from -----------------------------------


def compared(first: tuple[int, str, Message], second: tuple[int, str, Message]) -> dict[PartyId, str]:
    bench = Bench(next(name for name in NAMES if name not in {first[1], second[1], "p1", "p2", "p6", "p7"}))
    for view, sender, message in (first, second):
        check(TERMS, view, sender, message)
        bench.hear(sender, message, view)
    return dict(bench.seat.accused)


def echo(name: str, view: int, dealers: tuple[str, ...]) -> tuple[int, str, Message]:
    return view, name, Echo(dealers, signed(name, to_echo(TERMS.bound, view, dealers)))


def ready(name: str, view: int, dealers: tuple[str, ...]) -> tuple[int, str, Message]:
    return view, name, Ready(dealers, signed(name, to_ready(TERMS.bound, view, dealers)))


def test_an_echo_and_another_one_inside_a_certificate_convict_their_signer() -> None:
    """p1 has told us one thing and the others another; p7's lock brings theirs."""
    carried = (2, "p7", change("p7", 2, certificate(1, A, ready=False, count=E)))
    for pair in ((echo("p1", 1, B), carried), (carried, echo("p1", 1, B))):
        assert set(compared(*pair)) == {"p1"}
    assert compared(echo("p1", 1, A), carried) == {}
    assert compared(echo("p1", 0, B), carried) == {}
    assert compared(ready("p1", 1, B), carried) == {}, "echoing one set and being ready for another is honest"


def test_a_ready_and_another_one_inside_a_certificate_convict_their_signer() -> None:
    carried = (2, "p7", change("p7", 2, certificate(1, A, ready=True, count=R)))
    assert set(compared(ready("p2", 1, B), carried)) == {"p2"}


def test_a_vote_and_another_one_shown_by_a_leader_convict_the_voter() -> None:
    lock = certificate(0, A, ready=False, count=E)
    shown = (2, TERMS.leader(2), Proposal(A, PROOFS, None, votes(2, R)))
    assert set(compared((2, "p1", change("p1", 2, lock)), shown)) == {"p1"}
    assert compared((2, "p1", change("p1", 2, None)), shown) == {}


def test_a_vote_that_hides_a_lock_convicts_the_voter_in_either_order() -> None:
    hiding = (2, "p1", change("p1", 2, None))
    for pair in ((ready("p1", 1, A), hiding), (hiding, ready("p1", 1, A))):
        (reason,) = compared(*pair).values()
        assert "hides the lock" in reason
    older = certificate(0, A, ready=False, count=E)
    assert compared(ready("p1", 1, A), (2, "p1", change("p1", 2, older)))
    telling = certificate(1, A, ready=False, count=E)
    assert compared(ready("p1", 1, A), (2, "p1", change("p1", 2, telling))) == {}
    assert compared(ready("p1", 2, A), hiding) == {}, "a vote for the view itself, cast on entering it"


def test_two_signatures_seen_only_in_the_messages_of_others_accuse_nobody() -> None:
    """The evidence would hold no message of the accused, and a session's blame needs one."""
    first = (2, "p6", change("p6", 2, certificate(1, A, ready=False, count=E)))
    names = sorted(NAMES)[1 : E + 1]
    other = tuple((name, signed(name, to_echo(TERMS.bound, 1, B))) for name in names)
    second = (2, "p7", change("p7", 2, Certificate(1, B, False, other)))
    assert compared(first, second) == {}


def test_voters_with_two_faces_are_convicted_by_what_comes_around() -> None:
    named: set[PartyId] = set()
    for seed in range(20):
        result = play(SETS[3], seed, liars=[TwoFaced, TwoFaced], faults=Faults(deadline=0.05))
        all_decide_alike(result)
        accused = judged(result, SETS[3])
        assert accused <= result.cheaters
        named |= accused
    assert named


def test_a_voter_that_hides_its_lock_is_convicted() -> None:
    named: set[PartyId] = set()
    for seed in range(40):
        result = play(SETS[0], seed, liars=[Forgetful], faults=Faults(deadline=0.2))
        all_decide_alike(result)
        named |= judged(result, SETS[0])
    assert named
