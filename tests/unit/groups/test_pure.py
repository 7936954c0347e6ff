"""The pure curve is generic: P-256, checked against OpenSSL, needs no line of code."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from quorate.entropy import SeededRng
from quorate.errors import Malformed
from quorate.groups.pure import PURE_SECP256K1, WeierstrassGroup

P256 = WeierstrassGroup(
    "p256",
    field=0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
    a=-3,
    b=0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    order=0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    generator=(
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    ),
)
# 29 points, a prime number small enough to list them all
SMALL = WeierstrassGroup("small", field=23, a=1, b=4, order=29, generator=(0, 2))


def test_p256_agrees_with_openssl() -> None:
    rng = SeededRng(b"p256")
    for _ in range(3):
        secret = P256.random_scalar(rng)
        numbers = ec.derive_private_key(secret.value, ec.SECP256R1()).public_key().public_numbers()
        point = P256.generator.multiply(secret)
        assert point == P256.point(numbers.x, numbers.y)
        assert P256.point_from_bytes(point.to_bytes()) == point
        hashed = P256.hash_to_point(rng(8))
        assert P256.point_from_bytes(hashed.to_bytes()) == hashed


def test_a_whole_small_curve_is_a_group() -> None:
    multiples = [SMALL.generator.multiply(SMALL.scalar(k)) for k in range(29)]
    assert len(set(multiples)) == 29
    assert multiples[0].is_identity
    for i, left in enumerate(multiples):
        assert left + -left == SMALL.identity
        for j, right in enumerate(multiples):
            assert left + right == multiples[(i + j) % 29]


def test_decoding_the_small_curve_accepts_its_28_points_and_nothing_else() -> None:
    decoded = set()
    for prefix in range(256):
        for x in range(256):
            try:
                point = SMALL.point_from_bytes(bytes([prefix, x]))
            except Malformed:
                continue
            assert point.to_bytes() == bytes([prefix, x])
            decoded.add(point)
    assert len(decoded) == 28


def test_hashing_to_the_small_curve_reaches_every_point() -> None:
    assert len({SMALL.hash_to_point(n.to_bytes(2, "big")) for n in range(400)}) == 28


def test_coordinates_off_the_curve_are_refused() -> None:
    for x, y in [(0, 3), (23, 2), (0, 2 - 23), (-23, 2)]:
        with pytest.raises(Malformed, match="not a point of small"):
            SMALL.point(x, y)


def test_a_field_without_plain_square_roots_is_refused() -> None:
    with pytest.raises(ValueError, match="3 modulo 4"):
        WeierstrassGroup("odd", field=29, a=1, b=4, order=29, generator=(0, 2))


def test_strict_decoding_has_the_reasons_of_the_native_curve() -> None:
    good = PURE_SECP256K1.generator.to_bytes()
    for bad, reason in [
        (good[:-1], "33 bytes"),
        (good + b"\0", "33 bytes"),
        (b"\x04" + good[1:], "begins with"),
        (b"\x02" + (5).to_bytes(32, "big"), "not the x coordinate"),
        (b"\x02" + PURE_SECP256K1.field.to_bytes(32, "big"), "not the x coordinate"),
    ]:
        with pytest.raises(Malformed, match=reason):
            PURE_SECP256K1.point_from_bytes(bad)
