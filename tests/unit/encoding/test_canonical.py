"""The one accepted encoding of a value, and everything that is refused."""

from typing import Annotated, Any

import msgspec
import pytest

from quorate.encoding import MAX_MESSAGE_BYTES, Canonical, decode, encode
from quorate.encoding.limits import MAX_TEXT_BYTES
from quorate.errors import LimitExceeded, Malformed


class Inner(Canonical, frozen=True):
    count: int


class Record(Canonical, frozen=True):
    number: int
    name: Annotated[str, msgspec.Meta(max_length=8)]
    key: Annotated[bytes, msgspec.Meta(min_length=2, max_length=2)]
    inner: Inner
    items: tuple[int, ...] = ()


RECORD = Record(1, "one", b"k1", Inner(2), (3, 4))
WIRE = bytes.fromhex("95 01 a36f6e65 c4026b31 9102 920304".replace(" ", ""))


class Foreign:
    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    def to_bytes(self) -> bytes:
        return self.octets

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Foreign) and other.octets == self.octets

    __hash__ = None  # type: ignore[assignment]


class Carrier(Canonical, frozen=True):
    foreign: Foreign


def parse(kind: type, value: Any) -> Foreign:
    if kind is not Foreign or value != b"good":
        raise Malformed("no foreigner")
    return Foreign(value)


def test_fields_go_in_order_and_names_stay_home() -> None:
    assert encode(RECORD) == WIRE


def test_what_was_encoded_is_read_back() -> None:
    assert decode(Record, WIRE) == RECORD


def test_a_memoryview_of_the_bytes_is_as_good_as_bytes() -> None:
    assert decode(Record, memoryview(WIRE)) == RECORD  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wire", "offence"),
    [
        ("95cc01a36f6e65c4026b319102920304", "integer spelled with one byte too many"),
        ("95cd0001a36f6e65c4026b319102920304", "integer spelled wide"),
        ("95cf0000000000000001a36f6e65c4026b319102920304", "integer spelled very wide"),
        ("95d001a36f6e65c4026b319102920304", "positive integer spelled as signed"),
        ("9501d9036f6e65c4026b319102920304", "short string spelled long"),
        ("9501a36f6e65c500026b319102920304", "bytes with a wide length"),
        ("dc000501a36f6e65c4026b319102920304", "array with a wide length"),
        ("95cb3ff0000000000000a36f6e65c4026b319102920304", "float for an integer"),
        ("95c3a36f6e65c4026b319102920304", "boolean for an integer"),
        ("95a131a36f6e65c4026b319102920304", "digits for an integer"),
        ("9501a36f6e65a26b319102920304", "string for bytes"),
        ("9501c4036f6e65c4026b319102920304", "bytes for a string"),
        ("9501a3ff6e65c4026b319102920304", "string that is not UTF-8"),
        ("9501a36f6e65c4026b31920203920304", "extra field in a nested value"),
        ("9601a36f6e65c4026b31910292030405", "extra field"),
        ("9401a36f6e65c4026b319102", "default left out"),
        ("9301a36f6e65c4026b31", "field missing"),
        ("9501a36f6e65c4026b31910292030400", "trailing byte"),
        ("9501a36f6e65c4026b3191029203", "cut short"),
        ("9501a36f6e65c4016b9102920304", "bytes too short for the field"),
        ("9501a36f6e65c4036b31329102920304", "bytes too long for the field"),
        ("9501a96e696e65206c6f6e67c4026b319102920304", "string too long for the field"),
        ("9501a36f6e65c4026b31c0920304", "nil for a nested value"),
        ("85a66e756d62657201a46e616d65a36f6e65a36b6579c4026b31a5696e6e65729102a56974656d73920304", "a map"),
        ("", "nothing"),
        ("c1", "the byte that means nothing"),
        ("9501a36f6e65c4026b319102d40001", "an extension type"),
    ],
)
def test_any_other_spelling_is_refused(wire: str, offence: str) -> None:
    with pytest.raises(Malformed):
        decode(Record, bytes.fromhex(wire))


def test_depth_without_end_is_refused_not_a_crash() -> None:
    with pytest.raises(Malformed):
        decode(Record, b"\x91" * 100_000)


def test_the_limit_is_exact() -> None:
    assert decode(Record, WIRE, limit=len(WIRE)) == RECORD
    with pytest.raises(LimitExceeded, match="Record: 15 bytes, at most 14"):
        decode(Record, WIRE, limit=len(WIRE) - 1)


def test_a_message_above_the_general_limit_is_not_even_read() -> None:
    class Blob(Canonical, frozen=True):
        octets: bytes

    room = MAX_MESSAGE_BYTES - 6
    assert decode(Blob, encode(Blob(bytes(room)))).octets == bytes(room)
    with pytest.raises(LimitExceeded):
        decode(Blob, encode(Blob(bytes(room + 1))))


def test_text_has_a_limit_to_name_in_fields() -> None:
    assert MAX_TEXT_BYTES == 1024


def test_a_foreign_value_is_written_by_itself_and_read_by_the_hook() -> None:
    wire = encode(Carrier(Foreign(b"good")))
    assert wire.hex() == "91c404676f6f64"
    assert decode(Carrier, wire, parse) == Carrier(Foreign(b"good"))


def test_the_words_of_the_hook_reach_the_error() -> None:
    with pytest.raises(Malformed, match="no foreigner"):
        decode(Carrier, encode(Carrier(Foreign(b"evil"))), parse)


def test_a_foreign_value_without_a_hook_is_refused() -> None:
    with pytest.raises(Malformed):
        decode(Carrier, encode(Carrier(Foreign(b"good"))))


def test_what_cannot_write_itself_is_not_encoded() -> None:
    with pytest.raises(TypeError, match="object has no canonical encoding"):
        encode(object())


def test_a_value_cannot_be_changed_after_it_was_read() -> None:
    with pytest.raises(AttributeError):
        RECORD.number = 2  # type: ignore[misc]
