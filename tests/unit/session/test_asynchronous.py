"""What asynchronous protocols need of the engine: going on without liars, ticks, conclusions, help."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.unit.session.table import ALICE, BOB, CAROL, Table, settle

from quorate.errors import Blame, LocalError, Missing, ProofRejected
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import (
    HELP_BUDGET,
    Declaration,
    MemoryJournal,
    Message,
    Offence,
    Party,
    Rule,
    convict,
    tag_of,
)

DAVE = "dave"
EVERYONE = (ALICE, BOB, CAROL, DAVE)


class Word(Message, frozen=True, tag="test.word"):
    word: bytes


class Secretly(Message, frozen=True, tag="test.secretly"):
    word: bytes


class Spoken(Message, frozen=True, tag="test.spoken"):
    signature: bytes


TALK = Declaration(
    "talk",
    1,
    Rule(Word, limit=64),
    Rule(Word, "*", limit=64),
    Rule(Secretly, unicast=True, limit=64),
    Rule(Spoken, limit=128),
    tolerant=True,
)


async def talk(party: Party) -> bytes:
    """Everybody says a word; what three of four have said is the result, and an empty word is a lie."""
    party.broadcast(Word(b"yes"))
    said = {party.me: b"yes"}
    async for arrival in party.stream(Word):
        if arrival is None:
            continue
        if not arrival.message.word:
            party.accuse(Word, arrival.sender, "says nothing", step="1")
            continue
        said[arrival.sender] = arrival.message.word
        if len(said) == 3:
            break
    ((word, _),) = Counter(said.values()).most_common(1)
    return word


def test_two_different_messages_in_one_slot_are_noted_and_the_first_one_counts() -> None:
    table = Table(TALK, EVERYONE)
    alice = table.seat(ALICE, talk)
    alice.start()
    alice.receive(table.envelope(DAVE, Word(b"no")))
    alice.receive(table.envelope(DAVE, Word(b"yes")))
    assert not alice.done
    alice.receive(table.envelope(BOB, Word(b"no")))
    assert alice.result() == b"no"
    (finding,) = convict(alice.deviations[DAVE], table.spec, table.roster, TALK, table.group)
    assert (finding.party, finding.offence) == (DAVE, Offence.EQUIVOCATION)


def test_a_slot_whose_first_message_did_not_read_stays_empty() -> None:
    table = Table(TALK, EVERYONE)
    alice = table.seat(ALICE, talk)
    alice.start()
    alice.receive(table.envelope(DAVE, None, tag=tag_of(Word), body=b"\xc1"))
    alice.receive(table.envelope(DAVE, Word(b"no")))
    alice.receive(table.envelope(BOB, Word(b"yes")))
    assert not alice.done
    assert alice.dropped["spoilt slot"] == 1
    (finding,) = convict(alice.deviations[DAVE], table.spec, table.roster, TALK, table.group)
    assert finding.offence is Offence.UNREADABLE


def test_a_sealed_message_that_does_not_open_is_noted() -> None:
    table = Table(TALK, EVERYONE)
    alice = table.seat(ALICE, talk)
    alice.start()
    alice.receive(table.envelope(DAVE, Secretly(b"x"), ALICE, sealed=False))
    assert not alice.done
    assert set(alice.deviations) == {DAVE}


def test_later_deviations_of_a_party_are_dropped_and_never_reach_the_journal() -> None:
    table, journal = Table(TALK, EVERYONE), MemoryJournal()
    alice = table.seat(ALICE, talk, journal=journal)
    alice.start()
    for number in range(5):
        alice.receive(table.envelope(DAVE, Word(b"no %d" % number)))
    found = journal.load(alice.id)
    assert found is not None
    assert len(found[1]) == 3  # the start, the first word, the first lie about it
    assert alice.dropped["deviates again"] == 3


def test_a_replayed_session_remembers_the_lies() -> None:
    table, journal = Table(TALK, EVERYONE), MemoryJournal()
    alice = table.seat(ALICE, talk, journal=journal)
    alice.start()
    alice.receive(table.envelope(DAVE, Word(b"no")))
    alice.receive(table.envelope(DAVE, Word(b"yes")))
    again = table.seat(ALICE, talk, journal=journal)
    again.start()
    assert set(again.deviations) == {DAVE}
    again.receive(table.envelope(BOB, Word(b"yes")))
    assert again.done


def test_a_protocol_accuses_and_goes_on() -> None:
    table = Table(TALK, EVERYONE)
    alice = table.seat(ALICE, talk)
    alice.start()
    alice.receive(table.envelope(DAVE, Word(b"")))
    alice.receive(table.envelope(BOB, Word(b"yes")))
    alice.receive(table.envelope(CAROL, Word(b"yes")))
    assert alice.result() == b"yes"
    blame = alice.deviations[DAVE]
    assert "says nothing" in str(blame)
    (finding,) = convict(blame, table.spec, table.roster, TALK, table.group)
    assert finding.messages[0][1] == Word(b"")


def test_only_a_tolerant_protocol_accuses() -> None:
    strict = Declaration("talk", 1, Rule(Word, limit=64))
    table = Table(strict, EVERYONE)
    alice = table.seat(ALICE, talk)
    alice.start()
    with pytest.raises(ValueError, match="not tolerant"):
        alice.receive(table.envelope(DAVE, Word(b"")))


def test_a_protocol_that_is_not_tolerant_still_ends_with_the_blame() -> None:
    table = Table(Declaration("talk", 1, Rule(Word, limit=64)), EVERYONE)
    alice = table.seat(ALICE, talk)
    alice.start()
    alice.receive(table.envelope(DAVE, Word(b"no")))
    alice.receive(table.envelope(DAVE, Word(b"yes")))
    with pytest.raises(Blame):
        alice.result()


def test_a_stream_hears_all_paths_below_in_the_order_of_arrival() -> None:
    heard: list[tuple[str, str]] = []

    async def listen(party: Party) -> None:
        party.fork("two")
        async for arrival in party.stream(Word):
            if arrival is not None:
                heard.append((arrival.path, arrival.sender))

    table = Table(TALK, EVERYONE)
    alice = table.seat(ALICE, listen)
    alice.start()
    alice.receive(table.envelope(BOB, Word(b"x"), path="2"))
    alice.receive(table.envelope(BOB, Word(b"x")))
    alice.receive(table.envelope(CAROL, Word(b"x"), path="1"))
    assert heard == [("2", BOB), ("", BOB), ("1", CAROL)]


def test_a_deadline_is_a_tick_and_ends_nothing() -> None:
    ticks: list[int] = []

    async def count(party: Party) -> None:
        async for arrival in party.stream(Word):
            if arrival is None:
                ticks.append(len(ticks))

    table, journal = Table(TALK, EVERYONE), MemoryJournal()
    alice = table.seat(ALICE, count, journal=journal)
    alice.start()
    alice.expire()
    alice.expire()
    assert ticks == [0, 1]
    table.seat(ALICE, count, journal=journal).start()
    assert ticks == [0, 1, 2, 3]


async def serve(party: Party) -> str:
    """Concludes with the first word, and answers every later one."""
    first = True
    async for arrival in party.stream(Word):
        if arrival is not None and first:
            first = False
            party.conclude("heard")
        elif arrival is not None:
            party.send(arrival.sender, Secretly(b"late"))
    return "never"


def test_a_concluded_session_has_its_result_and_still_answers() -> None:
    table = Table(TALK, EVERYONE)
    alice = table.seat(ALICE, serve)
    alice.start()
    alice.receive(table.envelope(BOB, Word(b"x")))
    assert alice.concluded
    assert not alice.done
    assert alice.result() == "heard"
    assert len(alice.receive(table.envelope(CAROL, Word(b"x")))) == 1


def test_what_ends_a_session_after_its_conclusion_takes_nothing_away() -> None:
    table = Table(TALK, EVERYONE)
    alice = table.seat(ALICE, serve)
    alice.start()
    alice.receive(table.envelope(BOB, Word(b"x")))
    alice.abandon(Missing("its host needs the room", parties=[], needed=0))
    assert alice.done
    assert alice.result() == "heard"


def test_a_session_concludes_once() -> None:
    async def twice(party: Party) -> None:
        party.conclude(1)
        party.conclude(2)

    alice = Table(TALK, EVERYONE).seat(ALICE, twice)
    alice.start()
    assert alice.result() == 1
    assert isinstance(alice.error, LocalError)


def test_statements_are_signed_for_strangers_and_again_the_same() -> None:
    statement = digest(Tag.STATEMENT, b"a vote")

    async def vote(party: Party) -> bytes:
        party.broadcast(Spoken(party.sign(statement)))
        return party.sign(statement)

    for real in (True, False):
        table = Table(TALK, EVERYONE, real=real)
        alice = table.seat(ALICE, vote)
        alice.start()
        table.roster[ALICE].verify(statement, alice.result())
        with pytest.raises(ProofRejected):
            table.roster[BOB].verify(statement, alice.result())


def test_only_digests_are_signed() -> None:
    async def vote(party: Party) -> bytes:
        return party.sign(b"anything")

    with pytest.raises(ValueError, match="32-byte"):
        Table(TALK, EVERYONE).seat(ALICE, vote).start()


async def tell(party: Party) -> None:
    party.broadcast(Word(b"x"))
    for other in party.others:
        party.send(other, Secretly(b"y"))
    async for _ in party.stream(Word):
        pass


def test_help_gives_a_peer_everything_that_was_sent_to_it_and_nothing_else() -> None:
    table = Table(TALK, EVERYONE)
    alice = table.seat(ALICE, tell)
    sent = alice.start()
    assert alice.help(BOB) == [sent[0], sent[1]]
    assert alice.help(CAROL) == [sent[0], sent[2]]
    assert alice.help(ALICE) == alice.help("stranger") == []


def test_help_is_bounded_for_one_peer_and_for_all() -> None:
    alice = Table(TALK, EVERYONE).seat(ALICE, tell)
    alice.start()
    assert [bool(alice.help(BOB)) for _ in range(HELP_BUDGET + 1)] == [True] * HELP_BUDGET + [False]
    assert [bool(alice.help(CAROL)) for _ in range(HELP_BUDGET)] == [True] * HELP_BUDGET
    assert alice.help(DAVE) == []


def test_before_it_starts_a_session_has_nothing_to_help_with() -> None:
    assert Table(TALK, EVERYONE).seat(ALICE, tell).help(BOB) == []


def test_all_of_it_together_agrees() -> None:
    table = Table(TALK, EVERYONE)
    seats = [table.seat(name, talk) for name in EVERYONE]
    settle(*seats)
    assert {seat.result() for seat in seats} == {b"yes"}
