"""The codec on random values and on random damage."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.encoding import Canonical, decode, encode
from quorate.errors import Malformed
from quorate.groups import SECP256K1, Point, Scalar, parser_for


class Leaf(Canonical, frozen=True):
    number: int
    text: str


class Record(Canonical, frozen=True):
    number: int
    octets: bytes
    leaf: Leaf
    leaves: tuple[Leaf, ...]
    maybe: bytes | None
    point: Point
    scalar: Scalar


integers = st.integers(min_value=-(2**63), max_value=2**64 - 1)
leaves = st.builds(Leaf, integers, st.text(max_size=40))
records = st.builds(
    Record,
    integers,
    st.binary(max_size=300),
    leaves,
    st.lists(leaves, max_size=20).map(tuple),
    st.none() | st.binary(max_size=4),
    st.integers(1, 2**64).map(lambda k: SECP256K1.generator.multiply(SECP256K1.scalar(k))),
    integers.map(SECP256K1.scalar),
)
read = parser_for(SECP256K1)
examples = settings(max_examples=60, deadline=None)


@examples
@given(record=records)
def test_every_value_survives(record: Record) -> None:
    assert decode(Record, encode(record), read) == record


@examples
@given(record=records, data=st.data())
def test_every_truncation_and_every_extension_is_refused(record: Record, data: Any) -> None:
    wire = encode(record)
    cut = data.draw(st.integers(0, len(wire) - 1))
    for wrong in (wire[:cut], wire[:-1], wire + bytes([data.draw(st.integers(0, 255))]), b"\x90" + wire):
        with pytest.raises(Malformed):
            decode(Record, wrong, read)


@examples
@given(record=records, data=st.data())
def test_one_changed_byte_is_refused_or_is_another_value(record: Record, data: Any) -> None:
    wire = bytearray(encode(record))
    place = data.draw(st.integers(0, len(wire) - 1))
    wire[place] ^= data.draw(st.integers(1, 255))
    try:
        other = decode(Record, bytes(wire), read)
    except Malformed:
        return
    assert other != record
    assert encode(other) == bytes(wire)


@examples
@given(octets=st.binary(max_size=200))
def test_whatever_is_accepted_is_canonical(octets: bytes) -> None:
    try:
        value = decode(Leaf, octets)
    except Malformed:
        return
    assert encode(value) == octets


@examples
@given(value=st.recursive(st.none() | integers | st.text() | st.binary(), st.lists, max_leaves=20))
def test_foreign_messages_never_crash_the_reader(value: Any) -> None:
    wire = msgspec.msgpack.encode(value)
    try:
        decode(Record, wire, read)
    except Malformed:
        return
    pytest.fail("a random value passed for a record")
