"""Points and scalars inside messages."""

from typing import Any

import msgspec
import pytest

from quorate.encoding import Canonical, decode, encode
from quorate.errors import Malformed
from quorate.groups import SECP256K1, Group, Point, Scalar, Secp256k1Point, parser_for
from quorate.groups.pure import PURE_SECP256K1
from quorate.groups.toy import TOY_GROUP


class Share(Canonical, frozen=True):
    point: Point
    scalar: Scalar
    key: Secp256k1Point
    more: tuple[Point, ...] = ()


def share(group: Group) -> Share:
    point = group.generator.multiply(group.scalar(7))
    key = SECP256K1.generator.multiply(SECP256K1.scalar(9))
    assert isinstance(key, Secp256k1Point)
    return Share(point, group.scalar(8), key, (point, group.generator))


@pytest.mark.parametrize("group", [SECP256K1, TOY_GROUP, PURE_SECP256K1], ids=lambda g: type(g).__name__)
def test_a_message_is_read_back_in_the_group_of_its_session(group: Group) -> None:
    message = share(group)
    read = decode(Share, encode(message), parser_for(group))
    assert read == message
    assert read.point.group is group
    assert read.key.group is SECP256K1


def test_one_group_has_one_parser_so_that_decoders_are_cached() -> None:
    assert parser_for(SECP256K1) is parser_for(SECP256K1)
    assert parser_for(SECP256K1) is not parser_for(TOY_GROUP)


def test_points_travel_as_bytes_of_fixed_length() -> None:
    wire = encode(share(SECP256K1))
    assert wire.startswith(bytes.fromhex("94c421") + share(SECP256K1).point.to_bytes() + b"\xc4\x20")


def refused(*fields: Any, group: Group = SECP256K1) -> pytest.ExceptionInfo[Malformed]:
    with pytest.raises(Malformed) as caught:
        decode(Share, msgspec.msgpack.encode(fields), parser_for(group))
    return caught


POINT = SECP256K1.generator.to_bytes()
SCALAR = SECP256K1.scalar(1).to_bytes()


def test_the_control_of_the_refusals_below_is_accepted() -> None:
    decode(Share, msgspec.msgpack.encode((POINT, SCALAR, POINT, ())), parser_for(SECP256K1))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ((POINT[:-1], SCALAR, POINT, ()), "33 bytes"),
        ((POINT + b"\0", SCALAR, POINT, ()), "33 bytes"),
        ((bytes(33), SCALAR, POINT, ()), "begins with"),
        ((b"\x02" + (5).to_bytes(32, "big"), SCALAR, POINT, ()), "x coordinate"),
        ((POINT, SCALAR[:-1], POINT, ()), "32 bytes"),
        ((POINT, b"\xff" * 32, POINT, ()), "below the group order"),
        ((POINT, SCALAR, bytes(33), ()), "begins with"),
        ((POINT, SCALAR, POINT, (bytes(33),)), "begins with"),
        (("text", SCALAR, POINT, ()), "byte string"),
        ((7, SCALAR, POINT, ()), "byte string"),
        ((POINT, 1, POINT, ()), "byte string"),
        ((POINT, None, POINT, ()), "byte string"),
        ((POINT, SCALAR, POINT), "canonical"),
        ((POINT, SCALAR), ""),
        ((POINT, SCALAR, POINT, (), 0), ""),
    ],
)
def test_what_is_no_point_or_scalar_is_refused_with_its_reason(fields: tuple[Any, ...], reason: str) -> None:
    assert reason in str(refused(*fields).value)


def test_a_point_of_another_group_is_refused() -> None:
    assert "8 bytes" in str(refused(POINT, SCALAR, POINT, (), group=TOY_GROUP).value)


def test_a_field_of_a_strange_type_is_refused() -> None:
    class Odd(Canonical, frozen=True):
        group: Group

    with pytest.raises(Malformed, match="cannot be read from a message"):
        decode(Odd, msgspec.msgpack.encode((b"x",)), parser_for(SECP256K1))
