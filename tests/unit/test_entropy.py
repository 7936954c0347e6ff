"""Sources of randomness."""

from quorate.entropy import SeededRng, system_rng


def test_the_system_gives_as_many_bytes_as_asked_and_never_the_same() -> None:
    assert [len(system_rng(n)) for n in (0, 1, 32, 1000)] == [0, 1, 32, 1000]
    assert system_rng(32) != system_rng(32)


def test_one_seed_gives_one_stream() -> None:
    one, two = SeededRng(b"s" * 32), SeededRng(b"s" * 32)
    assert [one(7), one(40), one(40)] == [two(7), two(40), two(40)]


def test_calls_of_a_stream_and_streams_of_seeds_differ() -> None:
    rng = SeededRng(b"s" * 32)
    assert len({rng(32), rng(32), SeededRng(b"t" * 32)(32)}) == 3


def test_the_stream_is_fixed_for_ever_because_journals_replay_it() -> None:
    rng = SeededRng(bytes(32))
    assert rng(8).hex() == "97b081383bd1886e"
    assert rng(8).hex() == "51d84369729dbf91"
