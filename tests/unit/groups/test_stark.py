"""The STARK curve in our own arithmetic, held against fastecdsa and StarkWare's C++ library."""

from typing import Any

import pytest
from crypto_cpp_py.cpp_bindings import cpp_get_public_key, cpp_sign, cpp_verify
from tests.support.groups import FAST_STARK

from quorate.entropy import SeededRng
from quorate.errors import Malformed, ProofRejected
from quorate.groups import SECP256K1, group_named
from quorate.groups.integers import lucas_v
from quorate.groups.stark import (
    FIELD,
    GENERATOR,
    MAX_ELEMENT,
    ORDER,
    STARK,
    B,
    StarkGroup,
    StarkPoint,
    verify_ecdsa,
)


@pytest.fixture(scope="module", params=["installed", "plain"])
def curve(request: pytest.FixtureRequest) -> StarkGroup:
    return STARK if request.param == "installed" else StarkGroup(int, lucas_v)


def test_products_and_sums_agree_with_another_library(curve: StarkGroup) -> None:
    rng = SeededRng(b"stark")
    points, others, weights = [], [], []
    for number in range(5):
        a, b = curve.random_scalar(rng), curve.random_scalar(rng)
        point, other = curve.generator.multiply(a), FAST_STARK.G * a.value
        assert same(point, other)
        assert same(curve.generator.multiply_public(a), other)
        assert same(point.multiply(b), other * b.value)
        assert same(point.multiply_public(b), other * b.value)
        assert point == curve.point_from_bytes(point.to_bytes())
        points.append(point)
        others.append(other)
        weights.append(b.value >> (60 * number))
    expected = others[0] * weights[0]
    for other, weight in zip(others[1:], weights[1:], strict=True):
        expected += other * weight
    assert same(curve.combination(points, weights), expected)


def same(point: object, other: Any) -> bool:
    assert isinstance(point, StarkPoint)
    assert point.at is not None
    return bool((int(point.at[0]), int(point.at[1])) == (other.x, other.y))


def test_public_keys_are_those_of_starkware(curve: StarkGroup) -> None:
    rng = SeededRng(b"keys")
    for value in (1, 2, ORDER - 1, curve.random_scalar(rng).value):
        point = curve.generator.multiply(curve.scalar(value))
        assert curve.x_coordinate(point) == cpp_get_public_key(value)


def test_scalars_near_the_ends_are_multiplied_as_all_others(curve: StarkGroup) -> None:
    point = curve.hash_to_point(b"some point")
    for distance in (1, 2, 16, 17, 64, 65):
        k, minus = curve.scalar(distance), curve.scalar(-distance)
        repeated = curve.sum([point] * distance)
        assert point.multiply(k) == repeated
        assert point.multiply(minus) == -repeated
        assert curve.generator.multiply(k) == curve.sum([curve.generator] * distance)
        assert (curve.generator.multiply(minus) + curve.generator.multiply_public(k)).is_identity


@pytest.mark.parametrize("octet", [0x00, 0x5A, 0xFF])
def test_every_blinding_gives_the_same_product(octet: int) -> None:
    drawn: list[int] = []

    def rng(count: int) -> bytes:
        drawn.append(count)
        return bytes([octet]) * count

    curve = StarkGroup(int, lucas_v, rng)
    point = curve.generator.multiply_public(curve.scalar(7))
    for value in (1, 2, ORDER >> 1, ORDER - 1):
        k = curve.scalar(value)
        drawn.clear()
        assert point.multiply(k) == point.multiply_public(k)
        assert drawn == [48, 8], "a product with a secret draws a coordinate and a multiple of the order"
        drawn.clear()
        assert curve.generator.multiply(k) == curve.generator.multiply_public(k)
        assert sorted(drawn) == [8, 48]


def test_every_secret_scalar_takes_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    curve = StarkGroup(int, lucas_v)
    curve.table()
    point = curve.hash_to_point(b"any")
    taken: list[str] = []
    for name in ("double", "add", "add_affine"):
        real = getattr(type(curve.curve), name)

        def noted(self: object, *points: object, name: str = name, real: object = real) -> object:
            taken.append(name)
            return real(self, *points)  # type: ignore[operator]

        monkeypatch.setattr(type(curve.curve), name, noted)
    seen = set()
    for value in (1, 3, 1 << 250, ORDER // 3, ORDER - 2):
        k = curve.scalar(value)
        taken.clear()
        point.multiply(k)
        curve.generator.multiply(k)
        seen.add(tuple(taken))
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("encoding", "reason"),
    [
        ("", "33 bytes"),
        ("02" + "00" * 33, "33 bytes"),
        ("04" + "00" * 32, "begins with 02 or 03"),
        ("02" + FIELD.to_bytes(32, "big").hex(), "not the x coordinate"),
        ("02" + (FIELD + GENERATOR[0]).to_bytes(32, "big").hex(), "not the x coordinate"),
        ("02" + "ff" * 32, "not the x coordinate"),
    ],
)
def test_what_is_no_compressed_point_is_refused(curve: StarkGroup, encoding: str, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        curve.point_from_bytes(bytes.fromhex(encoding))


def test_half_of_all_coordinates_belong_to_points(curve: StarkGroup) -> None:
    found = refused = 0
    for x in range(40):
        try:
            point = curve.point_from_bytes(b"\x03" + x.to_bytes(32, "big"))
        except Malformed:
            assert pow(x**3 + x + B, (FIELD - 1) // 2, FIELD) == FIELD - 1
            refused += 1
        else:
            assert isinstance(point, StarkPoint)
            assert point.at is not None
            y = int(point.at[1])
            assert (y * y - x**3 - x - B) % FIELD == 0
            assert y & 1
            found += 1
    assert found > 9 < refused


def signature(number: int) -> tuple[StarkPoint, int, int, int]:
    """StarkWare's signature: key, message, r, s. Its verifier takes 1/s in place of s."""
    rng = SeededRng(b"signature" + bytes([number]))
    secret, message = STARK.random_scalar(rng), int.from_bytes(rng(31), "big")
    r, s = map(int, cpp_sign(message, secret.value))
    public = STARK.generator.multiply(secret)
    assert isinstance(public, StarkPoint)
    assert cpp_verify(message, r, pow(s, -1, ORDER), STARK.x_coordinate(public))
    return public, message, r, s


@pytest.mark.parametrize("number", range(3))
def test_signatures_of_starkware_verify_in_both_forms(number: int) -> None:
    public, message, r, s = signature(number)
    verify_ecdsa(public, message, r, s)
    verify_ecdsa(public, message, r, ORDER - s)


def test_an_altered_signature_is_refused() -> None:
    public, message, r, s = signature(0)
    for key, changed, bad_r, bad_s in [
        (public, message ^ 1, r, s),
        (public, message, r ^ 1, s),
        (public, message, r, s ^ 1),
        (STARK.generator, message, r, s),
    ]:
        with pytest.raises(ProofRejected, match="does not verify"):
            verify_ecdsa(key, changed, bad_r, bad_s)


def test_the_ranges_are_those_of_starknet() -> None:
    public, message, r, s = signature(0)
    for out_of_range in (
        (0, r, s),
        (MAX_ELEMENT, r, s),
        (message + ORDER, r, s),
        (message, 0, s),
        (message, MAX_ELEMENT, s),
        (message, r, 0),
        (message, r, ORDER),
    ):
        with pytest.raises(ProofRejected, match="below 2\\^251"):
            verify_ecdsa(public, *out_of_range)
    beyond = pow(MAX_ELEMENT + 5, -1, ORDER)
    with pytest.raises(ProofRejected, match="1/s is not below"):
        verify_ecdsa(public, message, r, beyond)


def test_only_points_of_this_curve_are_public_keys() -> None:
    for wrong in (STARK.identity, SECP256K1.generator):
        with pytest.raises(ProofRejected, match="not a public key"):
            verify_ecdsa(wrong, 1, 1, 1)


def test_the_curve_is_known_by_name() -> None:
    assert group_named("stark") is STARK
