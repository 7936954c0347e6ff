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


# StarkWare's starkex-resources, crypto/starkware/crypto/signature: keys_precomputed.json (x coordinates only)
KEYS = {
    0x1: 0x1EF15C18599971B7BECED415A40F0C7DEACFD9B0D1819E03D723D8BC943CFCA,
    0x2: 0x759CA09377679ECD535A81E83039658BF40959283187C654C5416F439403CF5,
    0x3: 0x411494B501A98ABD8262B0DA1351E17899A0C4EF23DD2F96FEC5BA847310B20,
    0x9: 0x216B4F076FF47E03A05032D1C6EE17933D8DE8B2B4C43EB5AD5A7E1B25D3849,
    MAX_ELEMENT: 0x5C79074E7F7B834C12C81A9BB0D46691A5E7517767A849D9D98CB84E2176ED2,
    MAX_ELEMENT + 9: 0x7A5B4797F4E56ED1473876BC2693FBE3F2FEF7E050717CBAE924FF23D426052,
    0x2E9C99D8382FA004DCBBEE720AEF8A97002DE0E991F6A8344E6DC636A71B59E: (
        0x1FF6803AE740E7E596504AC5C6AFBEA472E53679361E214F12BE0155B13E25D
    ),
    0x7EAE185E1F41EC76D214D763F0592F194933622A9DD5F3D52D0209F71619C1A: (
        0x2B0160052E70176E5B0FF2A6EFF90896AE07B732FC27219E36E077735ABD57E
    ),
}


def test_published_keys_are_multiples_of_the_generator(curve: StarkGroup) -> None:
    for secret, x in KEYS.items():
        point = curve.generator.multiply(curve.scalar(secret))
        assert curve.x_coordinate(point) == x
        base = curve.point_from_bytes(curve.generator.to_bytes())  # without the generator's table
        assert base.multiply(curve.scalar(secret)) == point == base.multiply_public(curve.scalar(secret))


# the same folder: rfc6979_signature_test_vector.json; the key's y is in crypto-cpp's ecdsa_test.cc
SIGNER = (
    0x3C1E9550E66958296D11B60F8E8E7A7AD990D07FA65D5F7652C4A6C87D4E3CC,
    0x77A3B314DB07C45076D11F62B6F9E748A39790441823307743CF00D6597EA43,
    0x54D7BEEC5EC728223671C627557EFC5C9A6508425DC6C900B7741BF60AFEC06,
)
SIGNATURES = [
    (
        0x1,
        3162358736122783857144396205516927012128897537504463716197279730251407200037,
        1447067116407676619871126378936374427636662490882969509559888874644844560850,
    ),
    (
        0x9999,
        3551214266795401081823453828727326248401688527835302880992409448142527576296,
        2580950807716503852408066180369610390914312729170066679103651110985466032285,
    ),
    (
        0x4C1E9550E66958296D11B60F8E8E7F7AE99DD0CFA6BD5FA652C1A6C87D4E2CC,
        3562728603055564208884290243634917206833465920158600288670177317979301056463,
        1958799632261808501999574190111106370256896588537275453140683641951899459876,
    ),
    (
        0x6362B40C218FB4C8A8BD42CA482145E8513B78E00FAA0DE76A98BA14FC37AE8,
        3485557127492692423490706790022678621438670833185864153640824729109010175518,
        897592218067946175671768586886915961592526001156186496738437723857225288280,
    ),
]


@pytest.mark.parametrize(("message", "r", "s"), SIGNATURES)
def test_published_signatures_verify(message: int, r: int, s: int) -> None:
    public = STARK.generator.multiply(STARK.scalar(SIGNER[0]))
    assert isinstance(public, StarkPoint)
    assert public.at == SIGNER[1:]
    verify_ecdsa(public, message, r, s)
    for wrong in ((message ^ 2, r, s), (message, r ^ 2, s), (message, r, s ^ 2)):
        with pytest.raises(ProofRejected):
            verify_ecdsa(public, *wrong)
