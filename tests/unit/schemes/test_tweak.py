"""Tweaks: a public shift of a key, plain first, then x-only."""

import pytest

from quorate.errors import LocalError, Malformed
from quorate.groups import ED25519, SECP256K1
from quorate.groups.toy import TOY_GROUP
from quorate.schemes.tweak import Accumulated, Tweak, has_even_y

G = SECP256K1.generator
TWO = (2).to_bytes(32, "big")


def public(value: int) -> object:
    return G.multiply_public(SECP256K1.scalar(value))


def odd_key() -> int:
    return next(value for value in range(1, 50) if not has_even_y(public(value)))  # type: ignore[arg-type]


def test_no_tweak_leaves_the_key_alone() -> None:
    tweak = Tweak.none(SECP256K1)
    assert tweak.is_none
    assert tweak.child(G) == G
    assert not Tweak(SECP256K1.scalar(1)).is_none
    assert not Tweak(SECP256K1.scalar(0), TWO).is_none


@pytest.mark.parametrize("group", [SECP256K1, ED25519, TOY_GROUP])
def test_a_plain_tweak_adds_a_multiple_of_the_generator(group: object) -> None:
    root = group.generator.multiply_public(group.scalar(5))  # type: ignore[attr-defined]
    child = Tweak(group.scalar(7)).child(root)  # type: ignore[attr-defined]
    assert child == group.generator.multiply_public(group.scalar(12))  # type: ignore[attr-defined]


def test_an_x_only_tweak_is_added_to_the_point_with_even_y() -> None:
    for value in range(1, 12):
        sign = 1 if has_even_y(public(value)) else -1  # type: ignore[arg-type]
        assert Tweak(SECP256K1.scalar(0), TWO).child(public(value)) == public(sign * value + 2)  # type: ignore[arg-type]


def test_the_plain_tweak_comes_first() -> None:
    value = odd_key()
    tweak = Tweak(SECP256K1.scalar(3), TWO)
    sign = 1 if has_even_y(public(value + 3)) else -1  # type: ignore[arg-type]
    assert tweak.child(public(value)) == public(sign * (value + 3) + 2)  # type: ignore[arg-type]


def test_what_is_accumulated_says_how_the_root_and_the_sum_make_the_key() -> None:
    for value in range(1, 12):
        for tweak in (Tweak(SECP256K1.scalar(3)), Tweak(SECP256K1.scalar(3), TWO)):
            state = tweak.accumulated(public(value))  # type: ignore[arg-type]
            assert public(state.sign * value + state.total.value) == state.point
            even = state.even()
            assert has_even_y(even.point)
            assert public(even.sign * value + even.total.value) == even.point


def test_a_tweak_that_cancels_the_key_is_refused() -> None:
    with pytest.raises(LocalError, match="cancels the key"):
        Tweak(SECP256K1.scalar(-5)).child(public(5))  # type: ignore[arg-type]
    with pytest.raises(LocalError, match="cancels the key"):
        Accumulated.start(G).plus_x_only(SECP256K1.scalar(-1))


def test_only_secp256k1_has_x_only_tweaks() -> None:
    with pytest.raises(LocalError, match="belongs to secp256k1"):
        Tweak(ED25519.scalar(0), TWO)


@pytest.mark.parametrize("tweak", [b"\x01", TWO + b"\x00", SECP256K1.order.to_bytes(32, "big"), b"\xff" * 32])
def test_an_x_only_tweak_is_32_bytes_below_the_order(tweak: bytes) -> None:
    with pytest.raises(Malformed):
        Tweak(SECP256K1.scalar(0), tweak)


def test_a_tweak_survives_its_encoding() -> None:
    for tweak in (Tweak.none(SECP256K1), Tweak(SECP256K1.scalar(9)), Tweak(SECP256K1.scalar(9), TWO)):
        assert Tweak.from_bytes(tweak.to_bytes(), SECP256K1) == tweak
    with pytest.raises(Malformed):
        Tweak.from_bytes(bytes(31), SECP256K1)
    with pytest.raises(Malformed):
        Tweak.from_bytes(bytes(33), SECP256K1)
