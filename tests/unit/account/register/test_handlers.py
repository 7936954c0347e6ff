"""Each rule of a register node, and somebody who breaks exactly that one."""

import msgspec
import pytest
from tests.support.register_nodes import Nodes, entry_of, without

from quorate.account.register import Certificate, Entry, Login, Proof, View
from quorate.account.register.entries import SLOT_SECONDS, next_slot, owns
from quorate.account.register.handlers import ABSTAINS, FINISHED
from quorate.account.register.messages import (
    Behind,
    Commit,
    Conflict,
    Decided,
    Denied,
    Head,
    Headed,
    Installed,
    Lock,
    NeedEntry,
    Pending,
    StaleView,
    Stated,
    VersionConflict,
    Voted,
    WrongEpoch,
    WrongSlot,
)
from quorate.account.register.rows import learned
from quorate.testing.register.factors import ACCOUNT, START, Factors, key_of, make_entry

OPEN = View(0)


@pytest.fixture
def nodes() -> Nodes:
    """Four nodes, of whom three are a quorum, with one version decided."""
    made = Nodes()
    made.decide(entry_of("alice", None, b"first"))
    return made


def head_of(nodes: Nodes) -> Entry:
    entry = nodes.rows[0].entry
    assert entry is not None
    return entry


def test_a_lock_in_the_open_view_is_given_once_and_again_for_the_same(nodes: Nodes) -> None:
    one, two = (entry_of(name, head_of(nodes), name.encode()) for name in ("alice", "bob"))
    first = nodes.ask(0, Lock(OPEN, one))
    assert isinstance(first, Voted)
    assert nodes.reason(0, Lock(OPEN, two)) == Conflict(OPEN, one.hash)
    assert nodes.ask(0, Lock(OPEN, one)) == first
    # Also when it would be too late by now: the same vote again is no new one.
    late = entry_of("alice", head_of(nodes), b"late", expires=int(START) + 1)
    again = nodes.ask(1, Lock(OPEN, late))
    nodes.now = START + 2
    assert nodes.ask(1, Lock(OPEN, late)) == again


def test_a_lock_at_a_later_view_bars_the_earlier_ones(nodes: Nodes) -> None:
    """Only the last lock is kept, so a lower one in its place would let the later view be locked twice."""
    one, two = (entry_of(name, head_of(nodes), name.encode()) for name in ("alice", "bob"))
    view = nodes.slot("alice")
    states = nodes.prepare([0, 1, 2], view, 2, "alice")
    assert isinstance(nodes.ask(3, Lock(view, one, tuple(states))), Voted)
    assert nodes.reason(3, Lock(OPEN, two)) == Conflict(view, one.hash)
    assert nodes.reason(3, Lock(view, two, tuple(states))) == Conflict(view, one.hash)


def test_versions_and_epochs_out_of_place_are_told_where_we_are(nodes: Nodes) -> None:
    head = head_of(nodes)
    proof = nodes.rows[0].proof
    past = make_entry("alice", None, Factors((key_of("alice"),), 1 << 40), b"." * 16)
    assert nodes.reason(0, Lock(OPEN, past)) == VersionConflict(head, proof)
    later = msgspec.structs.replace(entry_of("alice", head, b"x"), version=3)
    assert nodes.reason(0, Lock(OPEN, later)) == Behind(1)
    entry = entry_of("alice", head, b"x")
    for epoch in (1, 7):
        assert nodes.reason(0, Lock(View(epoch), entry)) == WrongEpoch(0, b"0")
        assert nodes.reason(0, Head(ACCOUNT, epoch, bytes(32), bytes(32))) == WrongEpoch(0, b"0")


def test_pure_validity_is_asked_always(nodes: Nodes) -> None:
    head = head_of(nodes)
    stranger = make_entry("mallory", head, Factors((key_of("mallory"),), 1 << 40), b"." * 16)
    assert nodes.reason(0, Lock(OPEN, stranger)).rule == "authors"
    unsigned = msgspec.structs.replace(entry_of("alice", head, b"x"), signatures=(bytes(64),))
    assert nodes.reason(0, Lock(OPEN, unsigned)).rule == "signature"
    orphan = msgspec.structs.replace(entry_of("alice", head, b"x"), parent=b"p" * 32)
    assert nodes.reason(0, Lock(OPEN, orphan)).rule == "parent"
    abroad = msgspec.structs.replace(entry_of("alice", head, b"x"), network="elsewhere")
    assert nodes.reason(0, Lock(OPEN, abroad)).rule == "network"
    garbage = msgspec.structs.replace(entry_of("alice", head, b"x"), record=b"\xc1")
    assert nodes.reason(0, Lock(OPEN, garbage)).rule == "malformed"


def test_local_validity_is_asked_unless_a_certificate_obliges(nodes: Nodes) -> None:
    entry = entry_of("alice", head_of(nodes), b"soon", expires=int(START) + 5)
    certificate = nodes.lock([0, 1, 2], entry)
    nodes.commit([0], certificate, entry)
    nodes.now = START + 60
    assert nodes.reason(3, Lock(OPEN, entry)).rule == "expired"
    nodes.login = None
    view = nodes.slot("bob")
    states = nodes.prepare([0, 1, 3], view, 2, "bob")
    assert isinstance(nodes.ask(3, Lock(view, entry, tuple(states))), Voted)


def test_a_held_certificate_bars_the_open_view(nodes: Nodes) -> None:
    one, two = (entry_of(name, head_of(nodes), name.encode()) for name in ("alice", "bob"))
    certificate = nodes.lock([0, 1, 2], one)
    nodes.commit([3], certificate, one)
    assert nodes.reason(3, Lock(OPEN, two)) == Pending(certificate, one)
    nodes.now = START + 20_000  # past its expiry: what is certified can still be locked
    assert isinstance(nodes.ask(3, Lock(OPEN, one)), Voted)


def test_a_promise_bars_every_lower_lock_and_commit(nodes: Nodes) -> None:
    entry = entry_of("alice", head_of(nodes), b"x")
    certificate = nodes.lock([0, 1, 2], entry)
    view = nodes.slot("bob")
    nodes.prepare([0, 3], view, 2, "bob")
    assert nodes.reason(3, Lock(OPEN, entry)) == StaleView(view)
    assert nodes.reason(0, Commit(ACCOUNT, certificate, entry)) == StaleView(view)
    # Half a second into it, the slot before is still within what clocks may differ by.
    before = View(0, view.slot - 1)
    assert nodes.reason(0, nodes.preparation(before, 2, "alice")) == StaleView(view)
    assert isinstance(nodes.ask(1, Commit(ACCOUNT, certificate, entry)), Voted)


def test_only_the_owner_prepares_a_slot_and_only_in_it(nodes: Nodes) -> None:
    view = nodes.slot("alice")
    for early in (view.slot * SLOT_SECONDS - 1.1, (view.slot + 1) * SLOT_SECONDS + 1.1):
        nodes.now = early
        assert nodes.reason(0, nodes.preparation(view, 2, "alice")) == WrongSlot(int(early))
    for fine in (view.slot * SLOT_SECONDS - 0.9, (view.slot + 1) * SLOT_SECONDS + 0.9):
        nodes.now = fine
        assert isinstance(nodes.ask(0, nodes.preparation(view, 2, "alice")), Stated)
    assert nodes.reason(0, nodes.preparation(view, 2, "bob")).rule == "owner"
    forged = msgspec.structs.replace(nodes.preparation(view, 2, "alice"), signature=bytes(64))
    assert nodes.reason(1, forged).rule == "proof"
    assert nodes.reason(0, nodes.preparation(OPEN, 2, "alice")).rule == "view"


def test_the_open_view_has_one_spelling(nodes: Nodes) -> None:
    entry = entry_of("alice", head_of(nodes), b"x")
    view = nodes.slot("alice")
    states = nodes.prepare([0, 1, 2], view, 2, "alice")
    assert nodes.reason(3, Lock(OPEN, entry, tuple(states))).rule == "view"
    assert nodes.reason(3, Lock(View(0, 1), entry)).rule == "just"


def test_states_that_justify_nothing_are_refused(nodes: Nodes) -> None:
    head = head_of(nodes)
    entry = entry_of("alice", head, b"x")
    view = nodes.slot("alice")
    states = nodes.prepare([0, 1, 2], view, 2, "alice")
    assert nodes.reason(3, Lock(view, entry, tuple(states[:2]))).rule == "just"
    assert nodes.reason(3, Lock(view, entry, (states[0], states[0], states[1]))).rule == "just"
    assert nodes.reason(3, Lock(view, entry, (states[1], states[0], states[2]))).rule == "just"
    other = nodes.slot("alice", view.slot)
    assert nodes.reason(3, Lock(other, entry, tuple(states))).rule == "proof"
    past = nodes.forged_state(2, 2, other, nodes.past)
    more = nodes.prepare([0, 1], other, 2, "alice")
    assert nodes.reason(3, Lock(other, entry, (*more, past))).rule == "just"
    nodes = nodes.fresh()
    states = nodes.prepare([0, 1, 2], view, 2, "alice")
    higher = Certificate(2, other, entry.hash, ())
    lie = nodes.forged_state(2, 2, view, higher)
    assert nodes.reason(3, Lock(view, entry, (*states[:2], lie))).rule == "just"
    short = without(nodes.lock([0, 1, 2], entry, view, states), count=2)
    lie = nodes.forged_state(2, 2, other, short)
    more = nodes.prepare([0, 1], other, 2, "alice")
    assert nodes.reason(3, Lock(other, entry, (*more, lie))).rule == "proof"


def test_a_commit_needs_a_certificate_of_e_distinct_members_and_its_entry(nodes: Nodes) -> None:
    head = head_of(nodes)
    entry, other = entry_of("alice", head, b"x"), entry_of("bob", head, b"y")
    certificate = nodes.lock([0, 1, 2], entry)
    assert nodes.reason(3, Commit(ACCOUNT, without(certificate, count=2), entry)).rule == "proof"
    doubled = msgspec.structs.replace(
        certificate, signatures=(certificate.signatures[0], *certificate.signatures[:2])
    )
    assert nodes.reason(3, Commit(ACCOUNT, doubled, entry)).rule == "proof"
    moved = msgspec.structs.replace(certificate, view=View(0, 5))
    assert nodes.reason(3, Commit(ACCOUNT, moved, entry)).rule == "proof"
    assert nodes.reason(3, Commit(ACCOUNT, certificate)) == NeedEntry()
    assert nodes.reason(3, Commit(ACCOUNT, certificate, other)).rule == "entry"
    stranger = msgspec.structs.replace(
        certificate, signatures=(*certificate.signatures[:2], (9, certificate.signatures[2][1]))
    )
    assert nodes.reason(3, Commit(ACCOUNT, stranger, entry)).rule == "proof"


def test_the_highest_certificate_stays(nodes: Nodes) -> None:
    head = head_of(nodes)
    entry = entry_of("alice", head, b"x")
    low = nodes.lock([0, 1, 2], entry)
    view = nodes.slot("alice")
    states = nodes.prepare([1, 2, 3], view, 2, "alice")
    high = nodes.lock([1, 2, 3], entry, view, states)
    nodes.commit([0], high, entry)
    nodes.commit([0], low, entry)  # not promised to the slot, so it may; it keeps what it has
    assert nodes.rows[0].certificate == high


def test_decided_needs_a_proof_and_repeats(nodes: Nodes) -> None:
    head = head_of(nodes)
    entry, other = entry_of("alice", head, b"x"), entry_of("bob", head, b"y")
    certificate = nodes.lock([0, 1, 2], entry)
    proof = nodes.commit([0, 1, 2], certificate, entry)
    assert nodes.reason(3, Decided(entry, without(proof, count=2))).rule == "proof"
    assert nodes.reason(3, Decided(other, proof)).rule == "entry"
    locks_only = Proof(2, OPEN, entry.hash, certificate.signatures)
    assert nodes.reason(3, Decided(entry, locks_only)).rule == "proof"
    first = nodes.ask(3, Decided(entry, proof))
    assert isinstance(first, Installed)
    assert nodes.ask(3, Decided(entry, proof)) == first
    row = nodes.rows[3]
    assert (row.version, row.promised, row.lock, row.certificate, row.bodies) == (2, OPEN, None, None, ())
    ahead = msgspec.structs.replace(proof, view=View(4))
    nodes.rows[3] = nodes.rows[0]
    assert nodes.reason(3, Decided(entry, ahead)) == WrongEpoch(0, b"0")


def test_a_node_that_missed_a_version_learns_it_from_what_it_had_locked(nodes: Nodes) -> None:
    second = entry_of("alice", head_of(nodes), b"x")
    certificate = nodes.lock([0, 1, 3], second)
    proof = nodes.commit([0, 1, 2], certificate, second)
    for member in (0, 1, 2):
        nodes.ask(member, Decided(second, proof))
    third = entry_of("bob", second, b"y")
    certificate = nodes.lock([0, 1, 2], third)
    proof = nodes.commit([0, 1, 2], certificate, third)
    before = nodes.rows[3]
    nodes.ask(3, Decided(third, proof))
    assert learned(before, nodes.rows[3]) == (second, third)
    assert learned(nodes.rows[3], nodes.rows[3]) == ()


def test_a_head_shows_what_is_pending_and_our_commit_on_it(nodes: Nodes) -> None:
    entry = entry_of("alice", head_of(nodes), b"x")
    certificate = nodes.lock([0, 1, 2], entry)
    proof = nodes.commit([0], certificate, entry)
    shown = nodes.ask(0, Head(ACCOUNT, 0, b"n" * 32, bytes(32)))
    assert isinstance(shown, Headed)
    assert (shown.version, shown.entry, shown.pending, shown.body) == (1, head_of(nodes), certificate, entry)
    assert shown.commit == proof.signatures[0][1]
    brief = nodes.ask(1, Head(ACCOUNT, 0, b"n" * 32, head_of(nodes).hash))
    assert isinstance(brief, Headed)
    assert (brief.entry, brief.pending, brief.commit) == (None, None, None)


@pytest.mark.parametrize("silent", [ABSTAINS, FINISHED])
def test_who_does_not_vote_says_so_and_still_takes_what_is_decided(nodes: Nodes, silent: str) -> None:
    entry = entry_of("alice", head_of(nodes), b"x")
    certificate = nodes.lock([0, 1, 2], entry)
    proof = nodes.commit([0, 1, 2], certificate, entry)
    nodes.silent[3] = silent
    view = nodes.slot("alice")
    for question in (
        Head(ACCOUNT, 0, bytes(32), bytes(32)),
        Lock(OPEN, entry),
        nodes.preparation(view, 2, "alice"),
        Commit(ACCOUNT, certificate, entry),
    ):
        assert nodes.reason(3, question) == Denied(silent, "this node does not vote in this epoch")
    assert isinstance(nodes.ask(3, Decided(entry, proof)), Installed)


def test_a_first_entry_is_prepared_by_the_device_that_is_logged_in() -> None:
    nodes = Nodes()
    view = nodes.slot("alice")
    nodes.now = view.slot * SLOT_SECONDS + 0.5
    nodes.login = Login(ACCOUNT, key_of("bob"))
    assert nodes.reason(0, nodes.preparation(view, 1, "alice")).rule == "owner"
    nodes.login = Login(ACCOUNT, key_of("alice"))
    assert isinstance(nodes.ask(0, nodes.preparation(view, 1, "alice")), Stated)


def test_slots_go_round_among_the_factors() -> None:
    keys = [key_of(name) for name in ("alice", "bob", "carol")]
    owners = [next(key for key in keys if owns(slot, key, keys)) for slot in range(100, 106)]
    assert owners[:3] == owners[3:]
    assert sorted(owners[:3]) == sorted(keys)
    assert next_slot(100, key_of("mallory"), keys) is None
    assert not any(owns(slot, keys[0], []) for slot in range(9))
    first = [slot for slot in range(8) if owns(slot, keys[0], None)]
    assert len(first) == 2
    assert first[1] - first[0] == 4
