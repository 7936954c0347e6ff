"""What a device does: two round trips when all is well, and what it makes of everything else."""

from collections.abc import Callable

import msgspec
import pytest
from tests.support.register_drive import Drive, client_of
from tests.support.register_nodes import SUBJECT, Nodes, entry_of, without

from quorate.account.register import Entry, Proof, View
from quorate.account.register.handlers import refuse
from quorate.account.register.messages import (
    Commit,
    Decided,
    Denied,
    Head,
    Headed,
    Lock,
    Pending,
    Prepare,
    Question,
    Refusal,
    Reply,
    VersionConflict,
    Voted,
    WrongEpoch,
)
from quorate.account.register.procedures import MAX_ROUNDS, install, read, write
from quorate.entropy import SeededRng
from quorate.errors import Missing, Refused
from quorate.testing.identities import unsafe_identity
from quorate.testing.register.factors import ACCOUNT, START

OPEN = View(0)


@pytest.fixture
def nodes() -> Nodes:
    made = Nodes()
    made.decide(entry_of("alice", None, b"first"))
    return made


@pytest.fixture
def rng() -> SeededRng:
    return SeededRng(bytes(32))


def wants(author: str, note: bytes, *, expires: int = int(START) + 10_000) -> Callable[[Entry | None], Entry]:
    return lambda head: entry_of(author, head, note, expires=expires)


def test_a_write_takes_two_round_trips(nodes: Nodes, rng: SeededRng) -> None:
    drive, client = Drive(nodes), client_of(nodes, "alice")
    drive.run(client, read(client, rng))
    done = drive.run(client, write(client, wants("alice", b"second")))
    assert drive.rounds == ["Head", "Lock", "Commit"]
    assert (done.version, client.version) == (2, 2)
    assert [row.version for row in nodes.rows] == [2, 2, 2, 2]
    # Only the quorum was waited for; commits carry no entry to whom has it.
    assert all(question.entry is None for _, question in drive.asked if isinstance(question, Commit))


def test_a_first_write_needs_no_head(rng: SeededRng) -> None:
    nodes = Nodes()
    drive, client = Drive(nodes, away=[3]), client_of(nodes, "alice")
    assert drive.run(client, read(client, rng)) is None
    assert drive.run(client, write(client, wants("alice", b"first"))).version == 1


def test_a_flip_waits_for_r_nodes_that_act(nodes: Nodes, rng: SeededRng) -> None:
    drive, client = Drive(nodes, away=[3]), client_of(nodes, "alice")
    drive.run(client, read(client, rng))
    done = drive.run(client, write(client, wants("alice", b"second"), installed=True))
    assert drive.rounds[-1] == "Decided"
    nodes.rows[2] = nodes.rows[3]

    def deaf(member: int, question: Question) -> Reply | None:
        return refuse(question, Denied("deaf", ""), nodes.context(member)) if member == 2 else None

    with pytest.raises(Missing, match="3 nodes must act on it and 2 have") as raised:
        Drive(nodes, away=[3], instead=deaf).run(client, install(client))
    assert raised.value.parties == ("n2", "n3")
    assert client.entry == done


def test_too_few_nodes_decide_nothing(nodes: Nodes, rng: SeededRng) -> None:
    drive, client = Drive(nodes, away=[2, 3]), client_of(nodes, "alice")
    with pytest.raises(Missing, match="3 nodes must show"):
        drive.run(client, read(client, rng))
    drive, client = Drive(nodes), client_of(nodes, "alice")
    drive.run(client, read(client, rng))
    drive.away = {2, 3}
    with pytest.raises(Missing, match="could not be written"):
        drive.run(client, write(client, wants("alice", b"x")))
    assert drive.rounds.count("Prepare") == MAX_ROUNDS - 1


def test_a_split_is_settled_in_a_slot(nodes: Nodes, rng: SeededRng) -> None:
    head = nodes.rows[0].entry
    nodes.lock([2, 3], entry_of("bob", head, b"rival"))
    drive, client = Drive(nodes), client_of(nodes, "alice")
    drive.run(client, read(client, rng))
    done = drive.run(client, write(client, wants("alice", b"mine")))
    assert drive.rounds[-5:] == ["Lock", "sleep", "Prepare", "Lock", "Commit"]
    assert done.operation.startswith(b"mine")


def test_a_rival_that_was_decided_is_followed_by_ours(nodes: Nodes, rng: SeededRng) -> None:
    drive, client = Drive(nodes), client_of(nodes, "alice")
    drive.run(client, read(client, rng))
    nodes.decide(entry_of("bob", nodes.rows[0].entry, b"rival"))
    done = drive.run(client, write(client, wants("alice", b"mine")))
    assert (done.version, done.operation[:4]) == (3, b"mine")


def test_a_rival_that_is_certified_is_finished_first(nodes: Nodes, rng: SeededRng) -> None:
    rival = entry_of("bob", nodes.rows[0].entry, b"rival")
    certificate = nodes.lock([0, 1, 2], rival)
    drive, client = Drive(nodes), client_of(nodes, "alice")
    client.advance(nodes.rows[0].entry, nodes.rows[0].proof)
    nodes.commit([0], certificate, rival)
    done = drive.run(client, write(client, wants("alice", b"mine")))
    assert (done.version, nodes.rows[0].version) == (3, 3)
    assert drive.asked[1][1] != drive.asked[0][1]


def test_our_entry_is_found_where_another_has_finished_it(nodes: Nodes, rng: SeededRng) -> None:
    """We crashed after the locks; a reader finished our entry, and somebody wrote on top of it."""
    ours = entry_of("alice", nodes.rows[0].entry, b"mine")
    drive, client = Drive(nodes), client_of(nodes, "alice")
    drive.run(client, read(client, rng))

    def overtaken(member: int, question: Question) -> Reply | None:
        if isinstance(question, Lock) and nodes.rows[0].version == 1:
            nodes.decide(ours)
            nodes.decide(entry_of("bob", ours, b"later"))
        if question.__struct_config__.tag == "trail":
            from quorate.account.register.messages import Trailed

            return Trailed((ours, nodes.rows[0].entry))
        return None

    drive.instead = overtaken
    done = drive.run(client, write(client, wants("alice", b"mine")))
    assert (done, client.version) == (ours, 3)


def test_an_operation_copied_by_another_is_not_ours(nodes: Nodes, rng: SeededRng) -> None:
    drive, client = Drive(nodes), client_of(nodes, "alice")
    drive.run(client, read(client, rng))
    nodes.decide(entry_of("bob", nodes.rows[0].entry, b"mine"))
    done = drive.run(client, write(client, wants("alice", b"mine")))
    assert done.version == 3


def test_refusals_that_no_member_signed_end_nothing(nodes: Nodes, rng: SeededRng) -> None:
    """Who sits on the wire could otherwise make a device give up."""
    drive, client = Drive(nodes), client_of(nodes, "alice")
    drive.run(client, read(client, rng))

    def forged(member: int, question: Question) -> Reply | None:
        if isinstance(question, Lock) and question.view.is_open:
            return Refusal(member, Denied("whim", "no"), bytes(64))
        return None

    drive.instead = forged
    assert drive.run(client, write(client, wants("alice", b"mine"))).version == 2


def test_what_the_rules_forbid_is_refused(nodes: Nodes, rng: SeededRng) -> None:
    drive, client = Drive(nodes), client_of(nodes, "alice")
    drive.run(client, read(client, rng))
    with pytest.raises(Refused, match="too late") as raised:
        drive.run(client, write(client, wants("alice", b"x", expires=1)))
    assert raised.value.code == "expired"


def test_one_liar_ends_no_step_early(nodes: Nodes, rng: SeededRng) -> None:
    """Whatever a single member answers first, the others' votes are waited for."""
    head = nodes.rows[0]
    rival = entry_of("bob", head.entry, b"rival")
    forged = Proof(2, OPEN, rival.hash, (nodes.forged_commit(0, rival, OPEN),))
    certificate = without(nodes.fresh().lock([1, 2, 3], rival), count=2)
    lies = [
        Denied("whim", "no"),
        VersionConflict(head.entry, head.proof),  # true, and nothing new
        VersionConflict(rival, forged),
        Pending(certificate, rival),
        WrongEpoch(7, b"no record"),
        WrongEpoch(0, b""),
    ]
    for lie in lies:
        liar = nodes.fresh()
        drive, client = Drive(liar), client_of(liar, "alice")
        client.advance(head.entry, head.proof)

        def answers(member: int, question: Question, lie=lie, liar=liar) -> Reply | None:
            return refuse(question, lie, liar.context(0)) if member == 0 else None

        drive.instead = answers
        done = drive.run(client, write(client, wants("alice", b"mine")))
        assert (done.version, drive.rounds) == (2, ["Lock", "Commit"]), lie


# --- reading ----------------------------------------------------------------------------------------------


def test_a_read_finishes_what_is_pending(nodes: Nodes, rng: SeededRng) -> None:
    entry = entry_of("alice", nodes.rows[0].entry, b"half")
    certificate = nodes.lock([0, 1, 2], entry)
    nodes.commit([0], certificate, entry)
    for name in ("bob", None):
        copy = nodes.fresh()
        copy.rows = list(nodes.rows)
        drive, client = Drive(copy, away=[3]), client_of(copy, name)
        assert drive.run(client, read(client, rng)) == entry
        assert drive.rounds[:2] == ["Head", "Commit"]


def test_commits_among_the_heads_are_a_proof(nodes: Nodes, rng: SeededRng) -> None:
    entry = entry_of("alice", nodes.rows[0].entry, b"half")
    nodes.commit([0, 1, 2], nodes.lock([0, 1, 2], entry), entry)
    drive, client = Drive(nodes), client_of(nodes, None)
    assert drive.run(client, read(client, rng)) == entry
    assert drive.rounds == ["Head"]
    assert [row.version for row in nodes.rows] == [2, 2, 2, 2]  # and all were told


def test_a_read_uses_a_slot_where_promises_bar_the_certificate(nodes: Nodes, rng: SeededRng) -> None:
    entry = entry_of("alice", nodes.rows[0].entry, b"half")
    certificate = nodes.lock([0, 1, 2], entry)
    nodes.commit([0], certificate, entry)
    view = nodes.slot("alice")
    nodes.prepare([0, 1, 2, 3], view, 2, "alice")
    drive, client = Drive(nodes), client_of(nodes, "bob")
    assert drive.run(client, read(client, rng)) == entry
    assert drive.rounds == ["Head", "Commit", "sleep", "Prepare", "Lock", "Commit"]
    # A reader that is no factor has no slot; it waits for somebody who has.
    nodes = Nodes()
    nodes.decide(entry_of("alice", None, b"first"))
    certificate = nodes.lock([0, 1, 2], entry)
    nodes.commit([0], certificate, entry)
    nodes.prepare([0, 1, 2, 3], nodes.slot("alice"), 2, "alice")
    drive, client = Drive(nodes), client_of(nodes, None)
    with pytest.raises(Missing, match="half-written"):
        drive.run(client, read(client, rng))


def test_what_cannot_have_been_decided_is_left(nodes: Nodes, rng: SeededRng) -> None:
    entry = entry_of("alice", nodes.rows[0].entry, b"half")
    certificate = nodes.lock([0, 1, 2], entry)
    nodes.commit([0], certificate, entry)
    nodes.prepare([0, 1, 2, 3], nodes.slot("alice"), 2, "alice")
    drive, client = Drive(nodes), client_of(nodes, "bob")
    drive.away = {0}
    heads = {0: nodes.ask(0, Head(ACCOUNT, 0, bytes(32), bytes(32)))}

    def first_only(member: int, question: Question) -> Reply | None:
        if member == 0 and isinstance(question, Head):
            return nodes.ask(0, question)
        return None

    drive.instead = first_only
    assert heads[0].pending == certificate
    assert drive.run(client, read(client, rng)) == nodes.rows[0].entry
    assert drive.rounds == ["Head", "Commit", "sleep", "Prepare"]


@pytest.mark.parametrize(
    "lie", ["nonce", "signature", "stripped", "no proof", "inflated", "unproven", "other epoch", "replayed"]
)
def test_a_head_is_believed_as_far_as_it_is_proven(nodes: Nodes, rng: SeededRng, lie: str) -> None:
    """Three of four must answer; the first one's answer is spoilt, so the other three are asked for."""
    entry = entry_of("alice", nodes.rows[0].entry, b"half")
    nodes.commit([0], nodes.lock([0, 1, 2], entry), entry)
    replace = msgspec.structs.replace
    old: list[Headed] = []

    def spoil(member: int, question: Question) -> Reply | None:
        if member != 0 or not isinstance(question, Head):
            return None
        true = nodes.ask(0, question)
        assert isinstance(true, Headed)
        old.append(true)
        sign = unsafe_identity("n0").sign

        def signed(reply: Headed) -> Headed:
            statement = Headed.statement(
                SUBJECT, reply.nonce, reply.epoch, reply.version, reply.hash, reply.pending
            )
            return replace(reply, signature=sign(statement))

        return {
            "nonce": signed(replace(true, nonce=b"o" * 32)),
            "signature": replace(true, signature=bytes(64)),
            "stripped": replace(true, pending=None, body=None, commit=None),
            "inflated": signed(replace(true, version=9, pending=None)),
            "no proof": signed(replace(true, proof=None)),
            "unproven": signed(replace(true, version=2, hash=entry.hash, entry=entry, pending=None)),
            "other epoch": signed(replace(true, epoch=1)),
            "replayed": old[0] if len(old) > 1 else None,
        }[lie]

    drive, client = Drive(nodes, instead=spoil), client_of(nodes, "bob")
    if lie == "replayed":
        drive.run(client, read(client, rng))
        client = client_of(nodes, "bob")
    drive.asked.clear()
    drive.run(client, read(client, rng))
    heads = [member for member, question in drive.asked if isinstance(question, Head)]
    assert heads == [0, 1, 2, 3]


def test_a_member_that_is_behind_is_told_and_asked_again(nodes: Nodes, rng: SeededRng) -> None:
    behind = nodes.rows[2]
    nodes.decide(entry_of("bob", nodes.rows[0].entry, b"second"))
    nodes.rows[2] = behind
    drive, client = Drive(nodes, away=[3]), client_of(nodes, "alice")
    drive.run(client, read(client, rng))
    done = drive.run(client, write(client, wants("alice", b"mine")))
    assert done.version == 3
    assert [type(question) for member, question in drive.asked if member == 2][1:4] == [Lock, Decided, Lock]


def test_a_member_without_the_entry_is_given_it(nodes: Nodes, rng: SeededRng) -> None:
    client = client_of(nodes, "alice")
    Drive(nodes).run(client, read(client, rng))
    drive = Drive(nodes)
    lost: list[int] = []

    def lose(member: int, question: Question) -> Reply | None:
        if isinstance(question, Commit) and member == 0 and not lost:
            lost.append(member)
            nodes.rows[0] = msgspec.structs.replace(nodes.rows[0], lock=None, bodies=())
        return None

    drive.instead, drive.away = lose, {3}
    drive.run(client, write(client, wants("alice", b"mine")))
    assert drive.rounds == ["Lock", "Commit", "Commit"]


def test_a_device_that_asks_in_a_past_epoch_follows_the_chain(nodes: Nodes, rng: SeededRng) -> None:
    head = nodes.rows[0].entry
    after = nodes.next([nodes.final(0), nodes.final(1), nodes.final(2)])
    client = client_of(nodes, "alice")
    client.committees = after.committees.get
    client.follow = lambda record: after.committees.get(int(record))
    everybody = after

    def moved(member: int, question: Question) -> Reply | None:
        if client.committee.epoch == 0:
            return Refusal(
                0,
                WrongEpoch(1, b"1"),
                unsafe_identity(f"n{member}").sign(
                    Refusal.statement("simulation", question, WrongEpoch(1, b"1"))
                ),
            )
        return None

    drive = Drive(everybody, instead=moved)
    assert drive.run(client, read(client, rng)) == head
    assert drive.run(client, write(client, wants("alice", b"mine"))).version == 2
    assert client.committee.epoch == 1


def test_a_certificate_of_the_last_committee_is_certified_anew(nodes: Nodes, rng: SeededRng) -> None:
    entry = entry_of("bob", nodes.rows[0].entry, b"half")
    nodes.commit([0], nodes.lock([0, 1, 2], entry), entry)
    after = nodes.next([nodes.final(0), nodes.final(1), nodes.final(2)])
    for name in ("alice", None):
        copy = after.fresh()
        copy.rows, copy.committees = list(after.rows), after.committees
        client = client_of(copy, name)
        drive = Drive(copy)
        assert drive.run(client, read(client, rng)) == entry
        assert drive.rounds == ["Head", "Lock", "Commit"]
    client = client_of(after, "alice")
    client.advance(nodes.rows[0].entry, nodes.rows[0].proof)
    drive = Drive(after)
    assert drive.run(client, write(client, wants("alice", b"mine"))).version == 3
    assert drive.rounds == ["Lock", "Lock", "Commit", "Lock", "Commit"]


def test_replies_to_another_question_are_none(nodes: Nodes) -> None:
    client = client_of(nodes, "alice")
    voted = Voted(0, bytes(64))
    view = nodes.slot("alice")
    prepare = nodes.preparation(view, 2, "alice")
    assert isinstance(prepare, Prepare)
    for question in (prepare, Head(ACCOUNT, 0, bytes(32), bytes(32)), Lock(OPEN, nodes.rows[0].entry)):
        assert not client.believes(question, 0, voted)
    nodes.now = view.slot * 4 + 1.0
    stated = nodes.ask(1, prepare)
    assert client.believes(prepare, 1, stated)
    assert not client.believes(prepare, 0, stated)
