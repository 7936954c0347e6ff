"""Forks of the account register by hand: n0, n1, n2 are honest, n3 signs anything, a thief carries.

Each script goes to the last step before two entries of one version are decided, and the real node refuses
that step. Random schedules find few of these (docs/protocols/register.md), so each guard has its script here.
"""

import msgspec
import pytest
from tests.support.register_nodes import SUBJECT, Nodes, entry_of, without

from quorate.account.register import Certificate, Entry, Proof, Row, View
from quorate.account.register.handlers import ABSTAINS, FINISHED
from quorate.account.register.handover import adopt, show, verify_final
from quorate.account.register.messages import (
    Commit,
    Conflict,
    Decided,
    Denied,
    Head,
    Lock,
    Pending,
    StaleView,
    Voted,
)
from quorate.errors import Missing, ProofRejected
from quorate.testing.register.factors import ACCOUNT, NETWORK

OPEN = View(0)
LIAR = 3


@pytest.fixture
def nodes() -> Nodes:
    made = Nodes()
    made.decide(entry_of("alice", None, b"first"))
    return made


def rivals(nodes: Nodes) -> tuple[Entry, Entry]:
    head = nodes.rows[0].entry
    return entry_of("alice", head, b"good"), entry_of("bob", head, b"evil")


def decided_by_two(nodes: Nodes, entry: Entry, view: View = OPEN, just=()) -> Certificate:
    """n0 and n1 lock and commit; with the liar's signatures that is decided. n2 has heard of nothing."""
    certificate = nodes.lock([0, 1], entry, view, just)
    lie = nodes.forged_lock(LIAR, entry, view)
    certificate = msgspec.structs.replace(certificate, signatures=(*certificate.signatures, lie))
    nodes.commit([0, 1], certificate, entry)
    return certificate


def test_a_second_lock_in_one_view(nodes: Nodes) -> None:
    good, evil = rivals(nodes)
    decided_by_two(nodes, good)
    nodes.lock([2], evil)
    for member in (0, 1):
        assert nodes.reason(member, Lock(OPEN, evil)) == Pending(nodes.rows[member].certificate, good)
    fresh = Nodes()
    fresh.decide(entry_of("alice", None, b"first"))
    fresh.lock([0], good)
    assert fresh.reason(0, Lock(OPEN, evil)) == Conflict(OPEN, good.hash)


def test_any_value_where_a_certificate_is_shown(nodes: Nodes) -> None:
    good, evil = rivals(nodes)
    decided_by_two(nodes, good)
    view = nodes.slot("bob")
    just = (*nodes.prepare([0, 2], view, 2, "bob"), nodes.forged_state(LIAR, 2, view))
    for member in (0, 1, 2):
        assert nodes.reason(member, Lock(view, evil, just)).rule == "obliged"
    assert isinstance(nodes.ask(2, Lock(view, good, just)), Voted)


def test_the_lowest_certificate_instead_of_the_highest(nodes: Nodes) -> None:
    good, evil = rivals(nodes)
    hoarded = nodes.lock([0, 1], evil)
    hoarded = msgspec.structs.replace(
        hoarded, signatures=(*hoarded.signatures, nodes.forged_lock(LIAR, evil, OPEN))
    )
    first = nodes.slot("alice")
    just = (*nodes.prepare([0, 1], first, 2, "alice"), nodes.forged_state(LIAR, 2, first))
    decided_by_two(nodes, good, first, just)
    nodes.commit([2], hoarded, evil)
    second = nodes.slot("bob", first.slot)
    just = (*nodes.prepare([0, 2], second, 2, "bob"), nodes.forged_state(LIAR, 2, second))
    for member in (0, 1, 2):
        assert nodes.reason(member, Lock(second, evil, just)).rule == "obliged"
    # And with the states turned round, so that the last one is the lower.
    assert [state.certificate.view for state in just if state.certificate] == [first, OPEN]


def test_states_of_fewer_than_e_members(nodes: Nodes) -> None:
    good, evil = rivals(nodes)
    decided_by_two(nodes, good)
    view = nodes.slot("bob")
    just = (*nodes.prepare([2], view, 2, "bob"), nodes.forged_state(LIAR, 2, view))
    repeated = (just[0], just[1], just[1])
    for states in (just, repeated):
        for member in (0, 1, 2):
            assert nodes.reason(member, Lock(view, evil, states)).rule == "just"


def test_states_for_another_view(nodes: Nodes) -> None:
    """Promises for an earlier slot do not bar what was committed since."""
    good, evil = rivals(nodes)
    early = nodes.slot("bob")
    just = (*nodes.prepare([0, 2], early, 2, "bob"), nodes.forged_state(LIAR, 2, early))
    middle = nodes.slot("alice", early.slot)
    states = (*nodes.prepare([0, 1], middle, 2, "alice"), nodes.forged_state(LIAR, 2, middle))
    decided_by_two(nodes, good, middle, states)
    late = nodes.slot("bob", middle.slot)
    for member in (0, 1, 2):
        assert nodes.reason(member, Lock(late, evil, just)).rule == "proof"


def test_a_certificate_of_the_liars_own_in_a_state(nodes: Nodes) -> None:
    good, evil = rivals(nodes)
    decided_by_two(nodes, good)
    earlier = nodes.slot("alice")
    view = nodes.slot("bob", earlier.slot)
    forged = Certificate(2, earlier, evil.hash, (nodes.forged_lock(LIAR, evil, earlier),))
    just = (*nodes.prepare([0, 2], view, 2, "bob"), nodes.forged_state(LIAR, 2, view, forged))
    for member in (0, 1, 2):
        assert nodes.reason(member, Lock(view, evil, just)).rule == "proof"


def test_a_certificate_of_the_same_or_a_later_view_in_a_state(nodes: Nodes) -> None:
    """It would let a value oblige at a view for which it was itself unjustified."""
    good, evil = rivals(nodes)
    view = nodes.slot("bob")
    states = (*nodes.prepare([0, 1], view, 2, "bob"), nodes.forged_state(LIAR, 2, view))
    certificate = decided_by_two(nodes, good, view, states)
    shown = nodes.forged_state(LIAR, 2, view, certificate)
    assert nodes.reason(2, Lock(view, good, (*states[:2], shown))).rule == "just"
    assert evil.version == good.version


def test_a_commit_below_a_promise(nodes: Nodes) -> None:
    """A hoarded certificate, shown after a later view has been promised and has decided."""
    good, evil = rivals(nodes)
    hoarded = nodes.lock([0, 1], evil)
    hoarded = msgspec.structs.replace(
        hoarded, signatures=(*hoarded.signatures, nodes.forged_lock(LIAR, evil, OPEN))
    )
    view = nodes.slot("alice")
    just = (*nodes.prepare([0, 1], view, 2, "alice"), nodes.forged_state(LIAR, 2, view))
    decided_by_two(nodes, good, view, just)
    for member in (0, 1):
        assert nodes.reason(member, Commit(ACCOUNT, hoarded, evil)) == StaleView(view)


def test_a_certificate_that_is_kept_is_shown_to_the_next_view(nodes: Nodes) -> None:
    good, _ = rivals(nodes)
    certificate = decided_by_two(nodes, good)
    view = nodes.slot("bob")
    assert [state.certificate for state in nodes.prepare([0, 2], view, 2, "bob")] == [certificate, None]


@pytest.mark.parametrize("how", ["few", "repeated", "lock as commit", "other view"])
def test_certificates_and_proofs_that_are_none(nodes: Nodes, how: str) -> None:
    _, evil = rivals(nodes)
    locks = nodes.lock([2], evil)
    lie = nodes.forged_lock(LIAR, evil, OPEN)
    commit = nodes.forged_commit(LIAR, evil, OPEN)
    signatures = {
        "few": (*locks.signatures, lie),
        "repeated": (*locks.signatures, lie, lie),
        "lock as commit": (*locks.signatures, commit),
        "other view": (*locks.signatures, lie),
    }[how]
    view = View(0, 7) if how == "other view" else OPEN
    forged = Certificate(2, view, evil.hash, signatures)
    proof = Proof(2, view, evil.hash, signatures)
    for member in (0, 1, 2):
        assert nodes.reason(member, Commit(ACCOUNT, forged, evil)).rule == "proof"
        assert nodes.reason(member, Decided(evil, proof)).rule == "proof"


def test_an_entry_on_another_past(nodes: Nodes) -> None:
    _, evil = rivals(nodes)
    orphan = entry_of("bob", msgspec.structs.replace(evil, version=1), b"orphan")
    assert orphan.version == 2
    assert nodes.reason(0, Lock(OPEN, orphan)).rule == "parent"


def test_a_lost_disk_that_votes_at_once(nodes: Nodes) -> None:
    good, evil = rivals(nodes)
    decided_by_two(nodes, good)
    head = nodes.rows[1]
    nodes.rows[1] = Row.fresh(0, head.entry, head.proof)  # restored to before its lock
    nodes.silent[1] = ABSTAINS
    nodes.lock([2], evil)
    assert nodes.reason(1, Lock(OPEN, evil)).rule == ABSTAINS
    assert nodes.reason(1, Head(ACCOUNT, 0, bytes(32), bytes(32))).rule == ABSTAINS


# --- a change of the committee ----------------------------------------------------------------------------


def test_an_entry_decided_last_is_not_overridden_by_the_next_committee(nodes: Nodes) -> None:
    good, evil = rivals(nodes)
    certificate = decided_by_two(nodes, good)
    empty = show({}, {})
    finals = [nodes.final(0), nodes.final(2), nodes.final(LIAR, empty)]
    after = nodes.next(finals)
    for member in range(4):
        assert after.reason(member, Lock(View(1), evil)) == Pending(certificate, good)
    assert isinstance(after.ask(0, Lock(View(1), good)), Voted)


def test_finals_of_fewer_than_e_members(nodes: Nodes) -> None:
    good, _ = rivals(nodes)
    decided_by_two(nodes, good)
    empty = show({}, {})
    with pytest.raises(Missing, match="3 are needed"):
        nodes.next([nodes.final(2), nodes.final(LIAR, empty)])
    with pytest.raises(Missing, match="3 are needed"):
        nodes.next([nodes.final(2), nodes.final(LIAR, empty), nodes.final(LIAR, empty)])


def test_a_vote_after_the_last_word(nodes: Nodes) -> None:
    good, evil = rivals(nodes)
    certificate = nodes.lock([0, 1], good)
    lie = nodes.forged_lock(LIAR, good, OPEN)
    certificate = msgspec.structs.replace(certificate, signatures=(*certificate.signatures, lie))
    finals = [nodes.final(0), nodes.final(1), nodes.final(2)]
    after = nodes.next(finals)
    after.decide(evil)
    for member in (0, 1):
        reason = nodes.reason(member, Commit(ACCOUNT, certificate, good))
        assert isinstance(reason, Denied)
        assert reason.rule == FINISHED
    # Nor does it say what the head is: the next committee may have gone on.
    assert nodes.reason(0, Head(ACCOUNT, 0, bytes(32), bytes(32))).rule == FINISHED


def test_a_certificate_of_the_committee_before_decides_nothing_now(nodes: Nodes) -> None:
    good, _ = rivals(nodes)
    certificate = decided_by_two(nodes, good)
    after = nodes.next([nodes.final(0), nodes.final(1), nodes.final(2)])
    reason = after.ask(0, Commit(ACCOUNT, certificate, good))
    assert reason.reason.epoch == 1


def test_last_words_that_are_not_proven(nodes: Nodes) -> None:
    good, evil = rivals(nodes)
    certificate = decided_by_two(nodes, good)
    true = show({ACCOUNT: nodes.rows[0]}, {})
    row = true.rows[0]
    replace = msgspec.structs.replace
    lies = [
        replace(row, certificate=without(certificate, count=2)),
        replace(row, body=evil),
        replace(row, body=None),
        replace(row, proof=without(row.proof, count=2)),
        replace(row, entry=good),
        replace(row, account=b"o" * 32),
        replace(row, certificate=replace(certificate, version=3)),
    ]
    for lie in lies:
        final, shown = nodes.final(LIAR, replace(true, rows=(lie,)))
        with pytest.raises(ProofRejected):
            verify_final(final, shown, NETWORK, nodes.committees.get)
    final, _ = nodes.final(LIAR, true)
    with pytest.raises(ProofRejected, match="not the ones"):
        verify_final(final, show({}, {}), NETWORK, nodes.committees.get)
    with pytest.raises(ProofRejected):
        verify_final(replace(final, member=2), true, NETWORK, nodes.committees.get)
    verify_final(final, true, NETWORK, nodes.committees.get)


def test_the_highest_head_and_certificate_are_adopted(nodes: Nodes) -> None:
    good, evil = rivals(nodes)
    decided_by_two(nodes, good)
    after = nodes.next([nodes.final(0), nodes.final(1), nodes.final(2)])
    assert (after.rows[0].version, after.rows[0].certificate.hash) == (1, good.hash)
    assert (after.rows[0].lock, after.rows[0].promised) == (None, View(1))
    # A member that stays counts its own row: it may know more than the E it heard.
    rows, _ = adopt(
        [nodes.final(2), nodes.final(LIAR, show({}, {})), nodes.final(0, show({}, {}))],
        nodes.committee,
        1,
        {ACCOUNT: nodes.rows[1]},
        {},
    )
    assert rows[ACCOUNT].certificate.hash == good.hash
    assert SUBJECT.account == ACCOUNT
    assert evil.version == 2
