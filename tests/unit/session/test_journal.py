"""Journaled sessions: after a crash at any moment, the same bytes leave again, and no others."""

from collections.abc import Sequence

import pytest
from tests.unit.session.table import ALICE, BOB, CAROL, WHISPER, Table, Whisper, whisper

from quorate.entropy import SeededRng
from quorate.errors import Blame, LocalError, Missing
from quorate.session import MemoryJournal, Party, Session
from quorate.session.journal import Record
from quorate.testing.toss import Commit, Open, toss

COMMIT = Commit(bytes(32))


class Disk(MemoryJournal):
    """A journal that fails when told to, and can be copied as it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False

    def append(self, session: bytes, inbound: bytes, outbound: Sequence[bytes]) -> None:
        if self.full:
            raise OSError("no space left on device")
        super().append(session, inbound, outbound)

    def copy(self) -> "Disk":
        other = Disk()
        other._sessions = {
            session: (header, list(records)) for session, (header, records) in self._sessions.items()
        }
        return other

    def records(self, table: Table) -> Sequence[Record]:
        found = self.load(table.spec.id)
        assert found is not None
        return found[1]


def restarted(table: Table, disk: Disk, run: object = toss) -> Session[object]:
    """The same session in a new process: same disk, other randomness."""
    return table.seat(ALICE, run, journal=disk.copy(), rng=SeededRng(b"another process"))  # type: ignore[arg-type]


def others(table: Table, run: object = toss) -> list[Session[object]]:
    return [table.seat(name, run) for name in (BOB, CAROL)]  # type: ignore[arg-type]


@pytest.mark.parametrize("real", [True, False])
def test_after_a_crash_at_any_event_the_same_bytes_leave_again(real: bool) -> None:
    table = Table(WHISPER, real=real)
    disk = Disk()
    alice, peers = table.seat(ALICE, whisper, journal=disk), others(table, whisper)
    sent = alice.start()
    inbound = [data for peer in peers for data in peer.start()]
    for data in inbound:
        again = restarted(table, disk, whisper)
        assert again.start() == sent
        for rest in inbound:
            again.receive(rest)
        assert again.done
        sent += alice.receive(data)
    assert restarted(table, disk, whisper).start() == sent
    finished = restarted(table, disk, whisper)
    finished.start()
    assert finished.result() == alice.result()


def test_a_restarted_session_goes_on_to_the_same_end() -> None:
    table, disk = Table(), Disk()
    alice, peers = table.seat(ALICE, toss, journal=disk), others(table)
    under_way = alice.start() + [data for peer in peers for data in peer.start()]
    alice.receive(under_way[1])
    again = restarted(table, disk)
    under_way += again.start()
    while under_way:
        data = under_way.pop(0)
        for seat in (again, *peers):
            under_way += seat.receive(data)
    assert len({seat.result() for seat in (again, *peers)}) == 1
    assert sum(seat.dropped["duplicate"] for seat in peers) > 0


def test_randomness_comes_from_the_journals_seed() -> None:
    table, disk = Table(), Disk()
    sent = table.seat(ALICE, journal=disk).start()
    assert table.seat(ALICE, journal=Disk(), rng=SeededRng(b"other")).start() != sent
    assert restarted(table, disk).start() == sent


def test_a_crash_before_the_first_record_begins_again_from_the_seed() -> None:
    table, disk = Table(), Disk()
    disk.full = True
    with pytest.raises(OSError, match="no space"):
        table.seat(ALICE, journal=disk).start()
    disk.full = False
    first = restarted(table, disk).start()
    assert first
    assert restarted(table, disk).start() == first


def test_what_the_journal_did_not_take_never_leaves() -> None:
    table, disk = Table(), Disk()
    seat = table.seat(ALICE, journal=disk)
    seat.start()
    seat.receive(table.envelope(BOB, COMMIT))
    disk.full = True
    with pytest.raises(OSError, match="no space"):
        seat.receive(table.envelope(CAROL, COMMIT))
    # memory is ahead of the disk: this object says nothing more
    assert seat.done
    disk.full = False
    assert seat.receive(table.envelope(CAROL, COMMIT)) == []
    with pytest.raises(LocalError, match="could not be written"):
        seat.result()
    again = restarted(table, disk)
    again.start()
    assert again.receive(table.envelope(CAROL, COMMIT)) != []


def test_what_was_dropped_is_not_recorded() -> None:
    table, disk = Table(), Disk()
    seat = table.seat(ALICE, journal=disk)
    seat.start()
    data = table.envelope(BOB, COMMIT)
    for junk in (
        b"",
        b"\x00",
        b"\x01",
        data[:-1],
        table.envelope(BOB, COMMIT, session=bytes(32)),
        data,
        data,
    ):
        seat.receive(junk)
    assert [inbound for inbound, _ in disk.records(table)] == [b"\x00", data]


def test_a_deadline_is_replayed_too() -> None:
    table, disk = Table(), Disk()
    seat = table.seat(ALICE, journal=disk)
    seat.start()
    seat.expire()
    again = restarted(table, disk)
    again.start()
    with pytest.raises(Missing):
        again.result()


def test_a_blame_is_replayed_too() -> None:
    table, disk = Table(), Disk()
    seat = table.seat(ALICE, journal=disk)
    seat.start()
    for name in (BOB, CAROL):
        seat.receive(table.envelope(name, COMMIT))
        seat.receive(table.envelope(name, Open(bytes(32), bytes(32))))
    again = restarted(table, disk)
    again.start()
    with pytest.raises(Blame) as caught:
        again.result()
    assert caught.value.parties == (BOB, CAROL)


def test_a_replay_that_differs_from_what_was_sent_sends_nothing() -> None:
    async def another(party: Party) -> None:
        party.rng(1)
        await toss(party)

    table, disk = Table(), Disk()
    table.seat(ALICE, journal=disk).start()
    again = restarted(table, disk, another)
    with pytest.raises(LocalError, match="did not replay"):
        again.start()
    assert again.done
    assert again.receive(table.envelope(BOB, COMMIT)) == []


def test_an_ended_journal_is_forgotten() -> None:
    table, disk = Table(), Disk()
    first = table.seat(ALICE, journal=disk).start()
    disk.end(table.spec.id)
    disk.end(table.spec.id)
    assert disk.load(table.spec.id) is None
    assert restarted(table, disk).start() != first


def test_without_a_journal_nothing_is_kept() -> None:
    table = Table(WHISPER)
    seat = table.seat(ALICE, whisper)
    seat.start()
    seat.receive(table.envelope(BOB, Whisper(table.group.scalar(1)), ALICE))
    assert seat._journal is None
