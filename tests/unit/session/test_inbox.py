"""At the door: what is dropped and counted, what ends the session with a blame, and what is kept."""

from collections.abc import Callable

import pytest
from tests.unit.session.table import ALICE, BOB, CAROL, WHISPER, Table, Whisper, whisper

from quorate.encoding import MAX_MESSAGE_BYTES, encode
from quorate.errors import Blame, Unavailable
from quorate.session import (
    MAX_ENVELOPE_BYTES,
    Declaration,
    Envelope,
    Message,
    Offence,
    Party,
    Rule,
    Session,
    convict,
)
from quorate.testing import UnsafeIdentity
from quorate.testing.toss import TOSS, Commit, Open

COMMIT = Commit(bytes(range(32)))
OPEN = Open(bytes(32), bytes(32))


@pytest.fixture(params=["real", "unsafe"])
def table(request: pytest.FixtureRequest) -> Table:
    return Table(real=request.param == "real")


def started(table: Table, **other: object) -> Session[object]:
    seat = table.seat(ALICE, **other)  # type: ignore[arg-type]
    seat.start()
    return seat


def assert_dropped(seat: Session[object], data: bytes, reason: str) -> None:
    assert seat.receive(data) == []
    assert dict(seat.dropped) == {reason: 1}
    assert not seat.done


def test_truncated_at_any_byte_an_envelope_is_dropped(table: Table) -> None:
    seat, whole = started(table), table.envelope(BOB, COMMIT)
    for length in range(len(whole)):
        assert seat.receive(whole[:length]) == []
    assert dict(seat.dropped) == {"malformed": len(whole)}
    assert not seat.done


def test_with_any_bit_flipped_an_envelope_is_dropped(table: Table) -> None:
    seat, whole = started(table), table.envelope(BOB, COMMIT)
    for place in range(len(whole)):
        for bit in (1, 128):
            assert seat.receive(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :]) == []
    assert sum(seat.dropped.values()) == 2 * len(whole)
    assert not seat.done


def test_an_envelope_with_bytes_behind_it_is_dropped(table: Table) -> None:
    assert_dropped(started(table), table.envelope(BOB, COMMIT) + b"\x00", "malformed")


def test_an_oversized_envelope_is_dropped_unread(table: Table) -> None:
    assert_dropped(started(table), bytes(MAX_ENVELOPE_BYTES + 1), "oversized")


def test_an_envelope_of_full_size_is_read(table: Table) -> None:
    assert_dropped(started(table), bytes(MAX_ENVELOPE_BYTES), "malformed")


def test_a_wide_spelling_of_an_envelope_is_dropped(table: Table) -> None:
    whole = table.envelope(BOB, COMMIT)
    session = table.spec.id
    assert whole[1:3] == b"\xc4\x20"
    wide = whole[:1] + b"\xc5\x00\x20" + session + whole[3 + 32 :]
    assert_dropped(started(table), wide, "malformed")


def test_an_envelope_of_another_session_is_dropped(table: Table) -> None:
    assert_dropped(started(table), table.envelope(BOB, COMMIT, session=bytes(32)), "another session")


def test_an_envelope_signed_by_another_key_is_dropped(table: Table) -> None:
    assert_dropped(started(table), table.envelope(BOB, COMMIT, signer=CAROL), "bad signature")


def test_an_envelope_of_a_stranger_is_dropped(table: Table) -> None:
    assert_dropped(started(table), table.envelope("mallory", COMMIT, signer=BOB), "unknown sender")


def test_our_own_envelope_coming_back_is_dropped(table: Table) -> None:
    seat = table.seat(ALICE)
    (mine,) = seat.start()
    assert_dropped(seat, mine, "unknown sender")


def test_an_envelope_for_somebody_else_is_dropped(table: Table) -> None:
    seat = started(table)
    assert_dropped(seat, table.envelope(BOB, COMMIT, CAROL), "not for us")


def test_a_sealed_message_where_a_broadcast_belongs_is_dropped(table: Table) -> None:
    assert_dropped(started(table), table.envelope(BOB, COMMIT, ALICE), "undeclared slot")


def test_a_broadcast_where_a_sealed_message_belongs_is_dropped() -> None:
    table = Table(WHISPER)
    seat = started(table, run=whisper)
    assert_dropped(seat, table.envelope(BOB, Whisper(table.group.scalar(1))), "undeclared slot")


@pytest.mark.parametrize("path", ["0", "bob", "*", "no/such"])
def test_a_message_on_an_undeclared_path_is_dropped(table: Table, path: str) -> None:
    assert_dropped(started(table), table.envelope(BOB, COMMIT, path=path), "undeclared slot")


def test_a_message_of_an_undeclared_type_is_dropped(table: Table) -> None:
    assert_dropped(started(table), table.envelope(BOB, COMMIT, tag="toss.other"), "undeclared slot")


def test_an_equal_duplicate_is_ignored(table: Table) -> None:
    seat, data = started(table), table.envelope(BOB, COMMIT)
    seat.receive(data)
    assert_dropped(seat, data, "duplicate")


def test_a_message_before_its_time_is_kept(table: Table) -> None:
    seat = started(table)
    seat.receive(table.envelope(BOB, OPEN))
    seat.receive(table.envelope(CAROL, COMMIT))
    assert seat.waiting is not None
    assert seat.waiting.parties == (BOB,)
    assert not seat.dropped


# --- blamed -------------------------------------------------------------------------------------------


def the_blame(seat: Session[object]) -> Blame:
    assert seat.done
    with pytest.raises(Blame) as caught:
        seat.result()
    return caught.value


def test_two_different_messages_in_one_slot_are_equivocation_that_a_stranger_sees(table: Table) -> None:
    seat = started(table)
    seat.receive(table.envelope(BOB, COMMIT))
    seat.receive(table.envelope(BOB, Commit(bytes(32))))
    blame = the_blame(seat)
    assert blame.parties == (BOB,)
    (finding,) = convict(blame, table.spec, table.roster, table.declaration, table.group)
    assert (finding.party, finding.offence) == (BOB, Offence.EQUIVOCATION)


def test_two_different_sealed_messages_in_one_slot_are_equivocation() -> None:
    table = Table(WHISPER, real=True)
    seat = started(table, run=whisper)
    for number in (1, 2):
        seat.receive(table.envelope(BOB, Whisper(table.group.scalar(number)), ALICE))
    (finding,) = convict(the_blame(seat), table.spec, table.roster, table.declaration, table.group)
    assert (finding.party, finding.offence) == (BOB, Offence.EQUIVOCATION)


def test_a_second_message_with_a_bad_signature_frames_nobody(table: Table) -> None:
    seat = started(table)
    seat.receive(table.envelope(BOB, COMMIT))
    assert_dropped(seat, table.envelope(BOB, Commit(bytes(32)), signer=CAROL), "bad signature")


BODIES: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("nothing", lambda body: b""),
    ("truncated", lambda body: body[:-1]),
    ("with a byte behind", lambda body: body + b"\x00"),
    ("spelled wide", lambda body: body.replace(b"\xc4\x20", b"\xc5\x00\x20")),
    ("of another type", lambda body: encode(OPEN)),
    ("no array", lambda body: b"\x01"),
    ("with a field too many", lambda body: bytes([body[0] + 1]) + body[1:] + b"\xc0"),
    ("beyond its limit", lambda body: body + bytes(100)),
]


@pytest.mark.parametrize(("what", "change"), BODIES, ids=[what for what, _ in BODIES])
def test_a_signed_message_that_does_not_read_is_blamed(
    table: Table, what: str, change: Callable[[bytes], bytes]
) -> None:
    seat = started(table)
    seat.receive(table.envelope(BOB, COMMIT, body=change(encode(COMMIT))))
    blame = the_blame(seat)
    assert blame.parties == (BOB,)
    (finding,) = convict(blame, table.spec, table.roster, table.declaration, table.group)
    assert (finding.party, finding.offence) == (BOB, Offence.UNREADABLE)


ORDER_OF_TOY = (2305843009213688669).to_bytes(8, "big")


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("body", [b"", b"\x92\xactest.whisper\xc4\x08" + ORDER_OF_TOY, bytes(200)])
def test_a_sealed_message_that_does_not_read_is_blamed(real: bool, body: bytes) -> None:
    table = Table(WHISPER, real=real)
    seat = started(table, run=whisper)
    seat.receive(table.envelope(BOB, None, ALICE, tag="test.whisper", body=body))
    (finding,) = convict(the_blame(seat), table.spec, table.roster, table.declaration, table.group)
    assert (finding.party, finding.offence) == (BOB, Offence.UNREADABLE)


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("length", [0, 10, 48, 49, 100])
def test_a_box_that_does_not_open_is_blamed(real: bool, length: int) -> None:
    table = Table(WHISPER, real=real)
    seat = started(table, run=whisper)
    box = (table.identities[BOB].public.to_bytes()[32:65] if real else b"")[:length]
    box += bytes(length - len(box))
    seat.receive(table.envelope(BOB, None, ALICE, tag="test.whisper", body=box, sealed=False))
    blame = the_blame(seat)
    (finding,) = convict(blame, table.spec, table.roster, table.declaration, table.group)
    assert (finding.party, finding.offence) == (BOB, Offence.UNREADABLE)


@pytest.mark.parametrize("real", [True, False])
def test_a_box_from_another_place_is_blamed_on_who_signed_it_there(real: bool) -> None:
    # Carol takes the box that Bob made for Alice and signs it as her own
    table = Table(WHISPER, real=real)
    stolen = Envelope.parse(table.envelope(BOB, Whisper(table.group.scalar(5)), ALICE)).body
    seat = started(table, run=whisper)
    seat.receive(table.envelope(CAROL, None, ALICE, tag="test.whisper", body=stolen, sealed=False))
    (finding,) = convict(the_blame(seat), table.spec, table.roster, table.declaration, table.group)
    assert (finding.party, finding.offence) == (CAROL, Offence.UNREADABLE)


def test_a_key_store_of_ours_that_fails_is_not_the_senders_fault() -> None:
    class Locked(UnsafeIdentity):
        def open(self, box: bytes, info: bytes) -> bytes:
            raise Unavailable("the key store is locked")

    table = Table(WHISPER)
    seat = started(table, run=whisper, identity=Locked(ALICE.encode()))
    seat.receive(table.envelope(BOB, Whisper(table.group.scalar(1)), ALICE))
    with pytest.raises(Unavailable):
        seat.result()


# --- limits -------------------------------------------------------------------------------------------


class Chunk(Message, frozen=True, tag="test.chunk"):
    data: bytes


async def listen(party: Party) -> None:
    await party.gather(Commit)


def test_a_sender_stores_no_more_than_its_limit() -> None:
    declaration = Declaration(
        "flood", 1, Rule(Commit, limit=64), Rule(Chunk, "*", limit=4000), sender_limit=10_000
    )
    table = Table(declaration)
    seat = started(table, run=listen)
    chunk = Chunk(bytes(3000))
    for number in range(5):
        seat.receive(table.envelope(BOB, chunk, path=str(number)))
    assert seat.dropped == {"over the sender's limit": 2}
    # what was dropped takes no room: a small message of the same sender still fits, and others have their own
    seat.receive(table.envelope(BOB, COMMIT))
    seat.receive(table.envelope(CAROL, chunk, path="0"))
    assert seat.dropped == {"over the sender's limit": 2}
    assert seat.waiting is not None
    assert seat.waiting.parties == (CAROL,)


def test_messages_of_full_size_in_every_slot_stay_within_the_default_limit() -> None:
    room = MAX_MESSAGE_BYTES - 100
    declaration = Declaration("large", 1, Rule(Commit, limit=64), Rule(Chunk, limit=MAX_MESSAGE_BYTES))
    table = Table(declaration)
    seat = started(table, run=listen)
    seat.receive(table.envelope(BOB, Chunk(bytes(room))))
    seat.receive(table.envelope(BOB, COMMIT))
    assert not seat.dropped
    assert TOSS.sender_limit >= 64 + 128


def test_a_whole_message_beyond_its_limit_is_blamed() -> None:
    table = Table(Declaration("long", 1, Rule(Commit, limit=64), Rule(Chunk, limit=100)))
    seat = started(table, run=listen)
    seat.receive(table.envelope(BOB, Chunk(bytes(200))))
    (finding,) = convict(the_blame(seat), table.spec, table.roster, table.declaration, table.group)
    assert (finding.party, finding.offence) == (BOB, Offence.UNREADABLE)
