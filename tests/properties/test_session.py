"""Sessions under whatever Hypothesis thinks of: any bytes, any order, any interruption."""

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.session.table import ALICE, BOB, CAROL, Table, settle

from quorate.encoding import decode, encode
from quorate.errors import QuorateError
from quorate.session import Envelope, MemoryJournal, Session
from quorate.testing import Faults, Simulation, Wild
from quorate.testing.toss import TOSS, Commit, toss

TABLE = Table()
COMMIT = TABLE.envelope(BOB, Commit(bytes(32)))


def started() -> Session[bytes]:
    seat = TABLE.seat(ALICE)
    seat.start()
    return seat


@given(st.binary(max_size=400))
def test_no_bytes_of_a_stranger_end_a_session(data: bytes) -> None:
    seat = started()
    assert seat.receive(data) == []
    assert not seat.done


@given(st.integers(0, len(COMMIT) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_no_edit_of_an_envelope_ends_a_session(place: int, inserted: bytes, removed: int) -> None:
    seat = started()
    edited = COMMIT[:place] + inserted + COMMIT[place + removed :]
    seat.receive(edited)
    assert not seat.done
    seat.receive(COMMIT)
    assert seat.waiting is not None
    assert seat.waiting.parties == (CAROL,)


@given(st.binary(max_size=200))
def test_what_is_read_as_an_envelope_is_written_the_same(data: bytes) -> None:
    try:
        envelope = Envelope.parse(data)
    except QuorateError:
        return
    assert encode(envelope) == data


@given(
    st.tuples(
        st.binary(min_size=32, max_size=32),
        st.text(max_size=128),
        st.text(min_size=1, max_size=64),
        st.text(min_size=1, max_size=32),
        st.text(max_size=32),
        st.binary(max_size=100),
        st.binary(min_size=64, max_size=64),
    )
)
def test_an_envelope_survives_the_wire(fields: tuple[bytes, str, str, str, str, bytes, bytes]) -> None:
    envelope = Envelope(*fields)
    assert decode(Envelope, encode(envelope)) == envelope


def calm_coin() -> bytes:
    seats = [TABLE.seat(ALICE, journal=MemoryJournal()), *(TABLE.seat(name) for name in (BOB, CAROL))]
    settle(*seats)
    coin: bytes = seats[0].result()
    return coin


CALM_COIN = calm_coin()


@given(st.permutations(range(4)), st.sets(st.integers(0, 3)), st.integers(0, 3))
def test_order_duplicates_and_a_restart_do_not_change_the_end(
    order: list[int], twice: set[int], crash: int
) -> None:
    peers = [TABLE.seat(name) for name in (BOB, CAROL)]
    commits = [data for peer in peers for data in peer.start()]
    journal = MemoryJournal()
    alice = TABLE.seat(ALICE, journal=journal)
    mine = alice.start()
    opened = []
    for index, peer in enumerate(peers):
        peer.receive(mine[0])
        opened += peer.receive(commits[1 - index])
    inbound = [*commits, *opened]
    for step, index in enumerate(order):
        if step == crash:
            alice = TABLE.seat(ALICE, journal=journal)
            alice.start()
        for _ in range(1 + (index in twice)):
            alice.receive(inbound[index])
    assert alice.result() == CALM_COIN


@given(st.integers(0, 1 << 32), st.integers(2, 5), st.floats(0, 0.3), st.integers(0, 1))
def test_any_seed_and_weather_is_sound(seed: int, parties: int, chance: float, nth: int) -> None:
    weather = Faults(duplicate=chance, lose=chance, damage=chance, crash=chance / 4, deadline=chance / 10)
    cheats = [Wild("p1", nth, seed)] if seed % 2 else []
    result = Simulation(TOSS, toss, parties, seed=seed, faults=weather, cheats=cheats).run()
    result.assert_sound()
    assert len({value for party, value in result.values.items() if party in result.honest}) <= 1
