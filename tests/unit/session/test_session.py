"""The engine: what a session takes, gives and ends with."""

import pytest
from tests.unit.session.table import ALICE, BOB, CAROL, WHISPER, Table, Whisper, settle, whisper

from quorate.encoding import encode
from quorate.entropy import SeededRng
from quorate.errors import Blame, LimitExceeded, LocalError, Malformed, Missing, Refused
from quorate.session import Declaration, Message, Party, Rule, roster_digest
from quorate.testing.identities import unsafe_identity
from quorate.testing.toss import TOSS, Commit, Open, toss


@pytest.mark.parametrize("real", [True, False])
def test_a_protocol_ends_with_the_same_value_for_everybody(real: bool) -> None:
    table = Table(real=real)
    seats = [table.seat(name) for name in table.spec.parties]
    settle(*seats)
    assert len({seat.result() for seat in seats}) == 1


@pytest.mark.parametrize("real", [True, False])
def test_what_is_sealed_arrives(real: bool) -> None:
    table = Table(WHISPER, (ALICE, BOB), real=real)
    alice, bob = table.seat(ALICE, whisper), table.seat(BOB, whisper)
    settle(alice, bob)
    assert alice.result() != bob.result()


def test_a_session_is_started_once_and_first() -> None:
    seat = Table().seat(ALICE)
    with pytest.raises(LocalError, match="start the session first"):
        seat.receive(b"")
    with pytest.raises(LocalError, match="start the session first"):
        seat.expire()
    seat.start()
    with pytest.raises(LocalError, match="already been started"):
        seat.start()


def test_a_running_session_has_no_result() -> None:
    seat = Table().seat(ALICE)
    seat.start()
    with pytest.raises(LocalError, match="still running"):
        seat.result()


def test_a_session_says_whom_it_waits_for() -> None:
    table = Table()
    alice, bob = table.seat(ALICE), table.seat(BOB)
    alice.start()
    assert alice.waiting is not None
    assert alice.waiting.parties == (BOB, CAROL)
    for data in bob.start():
        alice.receive(data)
    assert alice.waiting.parties == (CAROL,)
    assert alice.waiting.tag == "toss.commit"


def test_the_deadline_names_the_silent_and_blames_nobody() -> None:
    table = Table()
    alice, bob = table.seat(ALICE), table.seat(BOB)
    alice.start()
    for data in bob.start():
        alice.receive(data)
    alice.expire()
    with pytest.raises(Missing) as caught:
        alice.result()
    assert caught.value.parties == (CAROL,)
    assert caught.value.step == "toss.commit"
    assert caught.value.needed == 2


def test_a_finished_session_is_deaf() -> None:
    table = Table()
    seats = [table.seat(name) for name in table.spec.parties]
    settle(*seats)
    before = seats[0].result()
    assert seats[0].receive(table.envelope(BOB, Commit(bytes(32)))) == []
    assert seats[0].expire() == []
    seats[0].abandon(LocalError("too late"))
    assert seats[0].result() == before


def test_a_host_can_abandon_a_session_with_its_reason() -> None:
    seat = Table().seat(ALICE)
    seat.start()
    seat.abandon(Refused("policy", code="policy"))
    with pytest.raises(Refused):
        seat.result()


def test_a_one_byte_message_is_not_the_deadline() -> None:
    seat = Table().seat(ALICE)
    seat.start()
    for byte in range(256):
        assert seat.receive(bytes([byte])) == []
    assert not seat.done
    assert seat.dropped["malformed"] == 256


def test_an_error_in_a_protocols_own_code_reaches_the_host_and_ends_the_session() -> None:
    async def broken(party: Party) -> None:
        await party.gather(Commit)
        raise KeyError("a mistake")

    table = Table(TOSS, (ALICE, BOB))
    seat = table.seat(ALICE, broken)
    seat.start()
    with pytest.raises(KeyError):
        seat.receive(table.envelope(BOB, Commit(bytes(32))))
    assert seat.done
    with pytest.raises(LocalError, match="its own code"):
        seat.result()


def test_a_protocol_cannot_send_what_it_never_declared() -> None:
    async def chatty(party: Party) -> None:
        party.broadcast(Whisper(party.group.scalar(1)))

    with pytest.raises(ValueError, match="never declared"):
        Table().seat(ALICE, chatty).start()


def test_a_protocol_cannot_broadcast_what_it_declared_as_unicast() -> None:
    async def loud(party: Party) -> None:
        party.broadcast(Whisper(party.group.scalar(1)))

    with pytest.raises(ValueError, match="never declared"):
        Table(WHISPER).seat(ALICE, loud).start()


@pytest.mark.parametrize("to", [ALICE, "mallory"])
def test_a_protocol_sends_to_other_parties_only(to: str) -> None:
    async def lost(party: Party) -> None:
        party.send(to, Whisper(party.group.scalar(1)))

    with pytest.raises(ValueError, match="not another party"):
        Table(WHISPER).seat(ALICE, lost).start()


def test_a_protocol_cannot_fill_a_slot_twice_and_so_be_blamed() -> None:
    async def twice(party: Party) -> None:
        party.broadcast(Commit(bytes(32)))
        party.broadcast(Commit(bytes(32)))

    with pytest.raises(ValueError, match="already sent"):
        Table().seat(ALICE, twice).start()

    async def twice_sealed(party: Party) -> None:
        party.send(BOB, Whisper(party.group.scalar(1)))
        party.send(BOB, Whisper(party.group.scalar(2)))

    with pytest.raises(ValueError, match="already sent"):
        Table(WHISPER).seat(ALICE, twice_sealed).start()


class Long(Message, frozen=True, tag="test.long"):
    text: bytes


def test_a_message_beyond_its_limit_does_not_leave() -> None:
    async def verbose(party: Party) -> None:
        party.broadcast(Long(bytes(100)))

    seat = Table(Declaration("long", 1, Rule(Long, limit=100))).seat(ALICE, verbose)
    assert seat.start() == []
    with pytest.raises(LimitExceeded, match="at most 100"):
        seat.result()


def test_messages_are_gathered_from_others_only() -> None:
    async def lonely(party: Party) -> None:
        await party.gather(Commit, [party.me])

    with pytest.raises(ValueError, match="from other parties"):
        Table().seat(ALICE, lonely).start()


def test_randomness_comes_from_the_party_alone() -> None:
    table = Table()
    assert table.seat(ALICE).start() == table.seat(ALICE).start()
    assert table.seat(ALICE).start() != table.seat(ALICE, rng=SeededRng(bytes(32))).start()


# --- what must fit together before anything is sent ---------------------------------------------------


def test_a_seat_needs_a_party_of_the_session() -> None:
    table = Table()
    with pytest.raises(Malformed, match="no party of it"):
        table.seat(ALICE, me="mallory")


def test_a_roster_names_exactly_the_parties() -> None:
    table = Table()
    with pytest.raises(Malformed, match="exactly the parties"):
        table.seat(ALICE, roster={**table.roster, "mallory": table.roster[BOB]})
    with pytest.raises(Malformed, match="exactly the parties"):
        table.seat(ALICE, roster={name: table.roster[name] for name in (ALICE, BOB)})


def test_a_roster_is_the_agreed_one() -> None:
    table = Table()
    with pytest.raises(Malformed, match="not the agreed ones"):
        table.seat(ALICE, roster={**table.roster, BOB: unsafe_identity("mallory").public})
    swapped = {**table.roster, BOB: table.roster[CAROL], CAROL: table.roster[BOB]}
    assert roster_digest(swapped) != roster_digest(table.roster)


def test_protocol_version_and_group_are_the_agreed_ones() -> None:
    table = Table()
    with pytest.raises(Malformed, match="toss/1 is not toss/2"):
        table.seat(ALICE, declaration=Declaration("toss", 2, Rule(Commit), Rule(Open)))
    from quorate.groups import SECP256K1

    with pytest.raises(Malformed, match="is not over secp256k1"):
        table.seat(ALICE, group=SECP256K1)


def test_blame_carries_what_shows_the_offence() -> None:
    table = Table(TOSS, (ALICE, BOB))
    seat = table.seat(ALICE, toss)
    seat.start()
    seat.receive(table.envelope(BOB, Commit(bytes(32))))
    seat.receive(table.envelope(BOB, Open(bytes(32), bytes(32))))
    with pytest.raises(Blame, match="not the one committed to") as caught:
        seat.result()
    assert caught.value.parties == (BOB,)
    assert len(caught.value.evidence) == 2
    assert all(
        encode(Commit(bytes(32))) in data or encode(Open(bytes(32), bytes(32))) in data
        for data in caught.value.evidence
    )
