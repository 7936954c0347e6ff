"""Evidence: what convinces a stranger, and what of an accuser's own making does not."""

from collections.abc import Sequence

import pytest
from tests.unit.session.table import ALICE, BOB, CAROL, WHISPER, Table, Whisper

from quorate.encoding import encode
from quorate.entropy import SeededRng
from quorate.errors import Blame, Malformed, ProofRejected
from quorate.session import Envelope, Exhibit, Finding, Offence, convict, examine
from quorate.session.envelope import seal_info
from quorate.testing.toss import Commit, Open, fits, place_of, toss

COMMIT = Commit(bytes(32))


def accuse(table: Table, parties: Sequence[str], *exhibits: Exhibit) -> list[Finding]:
    blame = Blame("accused", parties=parties, evidence=[encode(exhibit) for exhibit in exhibits])
    return convict(blame, table.spec, table.roster, table.declaration, table.group)


def opened(table: Table, data: bytes, by: str) -> Exhibit:
    envelope = Envelope.parse(data)
    info = seal_info(table.spec.id, envelope.slot)
    return Exhibit(data, table.identities[by].opening(envelope.body, info, SeededRng(bytes(32))))


def test_a_signed_broadcast_shows_what_was_said() -> None:
    table = Table()
    slot, message = examine(
        Exhibit(table.envelope(BOB, COMMIT), b""), table.spec, table.roster, table.declaration, table.group
    )
    assert (slot.sender, message) == (BOB, COMMIT)


def test_a_false_opening_of_a_coin_convinces_a_stranger_by_the_protocols_own_check() -> None:
    table = Table()
    seat = table.seat(ALICE, toss)
    seat.start()
    seat.receive(table.envelope(BOB, COMMIT))
    seat.receive(table.envelope(CAROL, COMMIT))
    seat.receive(table.envelope(BOB, Open(bytes(32), bytes(32))))
    seat.receive(table.envelope(CAROL, Open(bytes(32), bytes(32))))
    assert isinstance(seat.error, Blame)
    for finding in convict(seat.error, table.spec, table.roster, table.declaration, table.group):
        assert finding.offence is Offence.STATEMENT
        (_, commit), (_, opening) = finding.messages
        assert isinstance(commit, Commit)
        assert isinstance(opening, Open)
        assert not fits(place_of(table.spec.id, finding.party), commit, opening)


@pytest.mark.parametrize("real", [True, False])
def test_a_sealed_message_is_shown_with_its_opening(real: bool) -> None:
    table = Table(WHISPER, real=real)
    message = Whisper(table.group.scalar(7))
    (finding,) = accuse(table, [BOB], opened(table, table.envelope(BOB, message, ALICE), ALICE))
    assert finding.offence is Offence.STATEMENT
    assert finding.messages[0][1] == message


@pytest.mark.parametrize("real", [True, False])
def test_a_sealed_message_without_a_true_opening_shows_nothing(real: bool) -> None:
    table = Table(WHISPER, real=real)
    data = table.envelope(BOB, Whisper(table.group.scalar(7)), ALICE)
    other = table.envelope(BOB, Whisper(table.group.scalar(8)), CAROL)
    for opening in (b"", opened(table, other, CAROL).opening, opened(table, data, CAROL).opening):
        with pytest.raises(ProofRejected):
            accuse(table, [BOB], Exhibit(data, opening))


def test_nothing_unsigned_convicts_anybody() -> None:
    table = Table()
    data = table.envelope(BOB, COMMIT)
    for exhibit in (
        Exhibit(b"", b""),
        Exhibit(b"rubbish", b""),
        Exhibit(data[:-1], b""),
        Exhibit(data[:-1] + bytes([data[-1] ^ 1]), b""),
        Exhibit(table.envelope(BOB, COMMIT, signer=CAROL), b""),
        Exhibit(table.envelope(BOB, COMMIT, session=bytes(32)), b""),
        Exhibit(bytes(2 << 20), b""),
    ):
        with pytest.raises(ProofRejected):
            accuse(table, [BOB], exhibit)
        with pytest.raises(ProofRejected):
            examine(exhibit, table.spec, table.roster, table.declaration, table.group)


def test_an_exhibit_that_is_none_shows_nothing() -> None:
    table = Table()
    with pytest.raises(ProofRejected):
        convict(
            Blame("x", parties=[BOB], evidence=[b"rubbish"]),
            table.spec,
            table.roster,
            table.declaration,
            table.group,
        )


def test_an_accusation_without_a_message_of_the_accused_shows_nothing() -> None:
    table = Table()
    with pytest.raises(ProofRejected, match="no signed message of bob"):
        accuse(table, [BOB])
    with pytest.raises(ProofRejected, match="no signed message of bob"):
        accuse(table, [BOB, CAROL], Exhibit(table.envelope(CAROL, COMMIT), b""))


def test_the_same_message_twice_is_no_equivocation() -> None:
    table = Table()
    data = table.envelope(BOB, COMMIT)
    (finding,) = accuse(table, [BOB], Exhibit(data, b""), Exhibit(data, b""))
    assert finding.offence is Offence.STATEMENT


def test_a_message_with_one_forged_twin_is_no_equivocation() -> None:
    table = Table()
    forged = table.envelope(BOB, Commit(bytes(range(32))), signer=CAROL)
    with pytest.raises(ProofRejected):
        accuse(table, [BOB], Exhibit(table.envelope(BOB, COMMIT), b""), Exhibit(forged, b""))


def test_a_message_in_no_slot_or_to_nobody_shows_nothing() -> None:
    table = Table(WHISPER)
    message = Whisper(table.group.scalar(7))
    for data in (
        table.envelope(BOB, message),
        table.envelope(BOB, message, ALICE, path="x"),
        table.envelope(BOB, message, "mallory", sealed=False),
    ):
        with pytest.raises(ProofRejected):
            accuse(table, [BOB], Exhibit(data, b""))


def test_a_signed_message_that_does_not_read_is_told_from_one_that_shows_nothing() -> None:
    table = Table()
    exhibit = Exhibit(table.envelope(BOB, COMMIT, body=b"\x00"), b"")
    with pytest.raises(Malformed):
        examine(exhibit, table.spec, table.roster, table.declaration, table.group)
    (finding,) = accuse(table, [BOB], exhibit)
    assert finding.offence is Offence.UNREADABLE
