"""SCALE: the published examples, and every way to be wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.chains.polkadot.scale import Reader, compact, sequence, u32
from quorate.errors import Malformed

# The table of examples in the documentation of py-scale-codec (the package scalecodec), and that of the
# SCALE codec's reference at docs.polkadot.com for the four sizes.
COMPACTS = [
    (0, "00"),
    (1, "04"),
    (42, "a8"),
    (63, "fc"),
    (64, "0101"),
    (69, "1501"),
    (16383, "fdff"),
    (16384, "02000100"),
    ((1 << 30) - 1, "feffffff"),
    (1 << 30, "0300000040"),
    (100000000000000, "0b00407a10f35a"),
]


@pytest.mark.parametrize(("value", "encoded"), COMPACTS)
def test_the_published_compact_integers_read_and_write(value: int, encoded: str) -> None:
    assert compact(value).hex() == encoded
    reader = Reader(bytes.fromhex(encoded), "number")
    assert reader.compact(128) == value
    reader.end()


def test_the_published_fixed_integers_and_vectors() -> None:
    assert u32(16777215).hex() == "ffffff00"
    assert sequence(b"").hex() == "00"
    assert sequence(b"SCALE").hex() == "14" + b"SCALE".hex()
    reader = Reader(bytes.fromhex("0100ffffff0014534341" + "4c45"), "values")
    assert (reader.boolean(), reader.boolean(), reader.u32(), reader.octets()) == (
        True,
        False,
        16777215,
        b"SCALE",
    )
    reader.end()


@given(st.integers(0, (1 << 536) - 1))
def test_a_compact_integer_is_read_back(value: int) -> None:
    reader = Reader(compact(value) + b"rest", "number")
    assert reader.compact(536) == value
    assert reader.left == 4


@pytest.mark.parametrize(
    "longer",
    ["0100", "fd00", "02000000", "feff0000", "0300000000", "03ffffff3f", "070000000000", "0700000040" + "00"],
)
def test_a_number_that_is_not_in_its_shortest_form_is_refused(longer: str) -> None:
    with pytest.raises(Malformed, match="shortest"):
        Reader(bytes.fromhex(longer), "number").compact(128)


def test_a_number_above_its_bits_is_refused() -> None:
    assert Reader(compact((1 << 32) - 1), "n").compact(32) == (1 << 32) - 1
    with pytest.raises(Malformed, match="more than 32 bits"):
        Reader(compact(1 << 32), "n").compact(32)
    for value in (-1, 1 << 536):
        with pytest.raises(ValueError, match="compact"):
            compact(value)


@pytest.mark.parametrize("data", ["", "01", "02ffff", "03", "fc"])
def test_what_ends_too_early_is_refused(data: str) -> None:
    with pytest.raises(Malformed, match="too early"):
        reader = Reader(bytes.fromhex(data), "value")
        reader.compact(128)
        reader.u32()


def test_a_boolean_is_one_of_two_bytes_and_nothing_may_be_left() -> None:
    with pytest.raises(Malformed, match="boolean"):
        Reader(b"\2", "flag").boolean()
    with pytest.raises(Malformed, match="2 bytes too many"):
        Reader(b"ab", "end").end()
