"""The Ed25519 subgroup: published values, and the points that must never get in."""

import hashlib

import pytest
from tests.support.edwards import BASE, NEUTRAL, PURE_ED25519, Edwards, L, P, torsion

from quorate.entropy import SeededRng
from quorate.errors import Malformed, Unavailable
from quorate.groups import ED25519, SECP256K1, Point, ed25519
from quorate.groups.ed25519 import FIELD, ORDER

TORSION = torsion()
SOME = BASE.times(0x1234567890ABCDEF)


def scalar_of(seed: str) -> int:
    """RFC 8032 section 5.1.5, steps 1 to 3: clamped, little-endian."""
    octets = bytearray(hashlib.sha512(bytes.fromhex(seed)).digest()[:32])
    octets[0] &= 248
    octets[31] = octets[31] & 127 | 64
    return int.from_bytes(octets, "little")


# RFC 8032 section 7.1, tests 1, 2, 3 and 1024: secret key, public key
RFC_8032 = {
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60": "d75a980182b10ab7d54bfed3c964073a"
    "0ee172f3daa62325af021a68f707511a",
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb": "3d4017c3e843895a92b70aa74d1b7ebc"
    "9c982ccf2ec4968cc0cd55f12af4660c",
    "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7": "fc51cd8e6218a1a38da47ed00230f058"
    "0816ed13ba3303ac5deb911548908025",
    "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5": "278117fc144c72340f67d0f2316e8386"
    "ceffbf2b2428c9c51fef7c597f1d426e",
}


@pytest.mark.parametrize("seed", RFC_8032)
def test_public_keys_are_those_of_the_rfc(seed: str) -> None:
    secret = ED25519.scalar(scalar_of(seed))
    expected = bytes.fromhex(RFC_8032[seed])
    assert ED25519.generator.multiply(secret).to_bytes() == expected
    assert ED25519.generator.multiply_public(secret).to_bytes() == expected
    same_point = ED25519.point_from_bytes(ED25519.generator.to_bytes())  # without the generator's own path
    assert same_point.multiply(secret).to_bytes() == same_point.multiply_public(secret).to_bytes() == expected


def test_the_parameters_are_those_of_the_rfc() -> None:
    assert (ORDER, FIELD) == (L, P)
    # section 5.1, table 1: B
    x = 15112221349535400772501151409588531511454012693041857206046113283949847762202
    y = 46316835694926478169428394003475163141307993866256225615783033603165251855960
    assert ED25519.generator.to_bytes() == Edwards.affine(x, y).encode()
    assert ED25519.x_coordinate(ED25519.generator) == y


def test_the_oracle_of_these_tests_has_the_curve_s_eight_points_of_small_order() -> None:
    encodings = {point.encode() for point in TORSION}
    assert len(encodings) == 8
    assert {point.times(8).encode() for point in TORSION} == {NEUTRAL.encode()}
    # two of the encodings that libsodium's and other lists of small-order points contain
    assert bytes(32) in encodings
    assert bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05") in encodings


def refused(octets: bytes) -> None:
    with pytest.raises(Malformed):
        ED25519.point_from_bytes(octets)
    with pytest.raises(Malformed):
        PURE_ED25519.point_from_bytes(octets)
    good = SOME.encode()
    for data in (octets + good, good + octets):
        with pytest.raises(Malformed):
            ED25519.read_points(data, 2)
        # every path of the multiplication, those with nothing to multiply included
        for weight in (0, 1, 2, 3, 8, ORDER - 1, ORDER, ORDER + 8, 2**128 - 1):
            with pytest.raises(Malformed):
                ED25519.read_and_combine(data, 2, [weight, weight])


def test_the_control_of_the_refusals_is_accepted() -> None:
    octets = SOME.encode()
    assert ED25519.point_from_bytes(octets).to_bytes() == octets
    assert ED25519.read_and_combine(octets * 2, 2, [8, 1])[1].to_bytes() == SOME.times(9).encode()


@pytest.mark.parametrize("i", range(8))
def test_a_point_of_small_order_is_refused(i: int) -> None:
    refused(TORSION[i].encode())


@pytest.mark.parametrize("i", range(1, 8))
def test_a_point_with_a_torsion_part_is_refused(i: int) -> None:
    refused((SOME + TORSION[i]).encode())


def test_a_libsodium_that_lets_parts_of_order_2_through_is_refused_at_import(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The check as it was until CVE-2025-69277: it looked at x alone of what should have been the neutral."""

    def as_it_was(data: bytes) -> bool:
        x, _ = Edwards.decode(data).times(ORDER).coordinates()
        return x == 0

    outsider = ed25519._outside(ED25519.generator.to_bytes())
    assert outsider in [(BASE + point).encode() for point in TORSION]
    with pytest.raises(Malformed):
        ED25519.point_from_bytes(outsider)
    monkeypatch.setattr(ed25519, "crypto_core_ed25519_is_valid_point", as_it_was)
    assert as_it_was(ED25519.generator.to_bytes())
    with pytest.raises(Unavailable, match="CVE-2025-69277"):
        ed25519.Ed25519Group()


@pytest.mark.parametrize("i", range(8))
def test_an_encoding_with_the_wrong_sign_of_a_point_of_small_order_is_refused(i: int) -> None:
    octets = bytearray(TORSION[i].encode())
    octets[31] ^= 0x80
    with pytest.raises(Malformed):
        ED25519.point_from_bytes(bytes(octets))


@pytest.mark.parametrize("y", range(19))
@pytest.mark.parametrize("sign", [0, 1])
def test_a_y_that_is_not_reduced_is_refused(y: int, sign: int) -> None:
    refused((P + y | sign << 255).to_bytes(32, "little"))


def test_a_y_without_a_point_is_refused() -> None:
    refused((2).to_bytes(32, "little"))
    refused(b"\xff" * 32)


def test_lengths_are_exact() -> None:
    octets = SOME.encode()
    for wrong in (b"", octets[:-1], octets + b"\0", b"\0" + octets):
        with pytest.raises(Malformed):
            ED25519.point_from_bytes(wrong)


def test_scalars_are_big_endian_and_below_the_order() -> None:
    assert ED25519.scalar(1).to_bytes() == bytes(31) + b"\1"
    assert ED25519.scalar_from_bytes((ORDER - 1).to_bytes(32, "big")).value == ORDER - 1
    for wrong in (ORDER, ORDER + 1, 2**256 - 1):
        with pytest.raises(Malformed, match="below the group order"):
            ED25519.scalar_from_bytes(wrong.to_bytes(32, "big"))
        with pytest.raises(Malformed, match="below the group order"):
            ED25519.read_scalars(wrong.to_bytes(32, "big"), 1)


def test_the_identity_is_a_value_without_an_encoding() -> None:
    zero, five = ED25519.scalar(0), ED25519.scalar(5)
    point = ED25519.generator.multiply(five)
    nothing = ED25519.identity
    for identity in (point - point, point.multiply(zero), point.multiply_public(zero), -nothing):
        assert identity == nothing
        assert hash(identity) == hash(nothing)
        assert identity.is_identity
        assert point + identity == identity + point == point
        assert identity.multiply(five) == identity.multiply_public(five) == nothing
        for encode in (identity.to_bytes, lambda: ED25519.x_coordinate(nothing)):
            with pytest.raises(Malformed, match="no encoding"):
                encode()
    assert ED25519.generator.multiply(zero) == ED25519.sum([]) == ED25519.sum([point, -point]) == nothing
    assert repr(nothing) == "<ed25519 point identity>"


@pytest.mark.parametrize("factor", [*range(1, 40), 63, 64, 65, ORDER - 1])
def test_small_factors_take_additions_and_agree(factor: int) -> None:
    point = ED25519.point_from_bytes(SOME.encode())
    expected = SOME.times(factor).encode()
    assert point.multiply_public(ED25519.scalar(factor)).to_bytes() == expected
    assert ED25519.combination([point], [factor]).to_bytes() == expected
    assert point.multiply(ED25519.scalar(factor)).to_bytes() == expected


def test_hashing_to_a_point_is_as_the_page_says_and_lands_in_the_subgroup() -> None:
    rng = SeededRng(b"hash to ed25519")
    for data in (b"", b"quorate", *(rng(16) for _ in range(20))):
        found = ED25519.hash_to_point(data)
        assert found.to_bytes() == PURE_ED25519.hash_to_point(data).to_bytes()
        assert Edwards.decode(found.to_bytes()).times(L).encode() == NEUTRAL.encode()


def test_hashing_passes_over_small_order_and_unreduced_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = [*(point.encode() for point in TORSION), (P + 3).to_bytes(32, "little"), (2).to_bytes(32, "little")]
    candidates = [*bad, SOME.encode()]
    monkeypatch.setattr(
        "quorate.groups.ed25519.hash_candidate", lambda group, data, attempt, length: candidates[attempt]
    )
    assert ED25519.hash_to_point(b"").to_bytes() == SOME.times(8).encode()
    monkeypatch.setattr(
        "quorate.groups.ed25519.hash_candidate", lambda group, data, attempt, length: bad[attempt % len(bad)]
    )
    with pytest.raises(Malformed, match="no point found"):
        ED25519.hash_to_point(b"")


def test_a_negative_differs_in_the_sign_alone() -> None:
    point = ED25519.point_from_bytes(SOME.encode())
    assert (-point).to_bytes() == SOME.times(L - 1).encode()
    assert ED25519.x_coordinate(-point) == ED25519.x_coordinate(point) == SOME.coordinates()[1]


def test_other_groups_do_not_mix_in() -> None:
    point, stranger = ED25519.generator, SECP256K1.generator
    same: Point = PURE_ED25519.generator
    for mistake in (
        lambda: point + stranger,
        lambda: point + same,
        lambda: point.multiply(SECP256K1.scalar(2)),
        lambda: point.multiply_public(SECP256K1.scalar(2)),
        lambda: (point + point).multiply(SECP256K1.scalar(2)),
        lambda: (point + point).multiply_public(SECP256K1.scalar(2)),
        lambda: ED25519.sum([point, same]),
        lambda: ED25519.combination([point, same], [1, 1]),
    ):
        with pytest.raises(TypeError, match="do not mix"):
            mistake()
    assert point != same
    assert point != stranger
