"""P-256: secret scalars on OpenSSL, public values in our own arithmetic."""

from collections.abc import Callable
from hashlib import sha256
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from fastecdsa.curve import P256 as FAST

from quorate.entropy import SeededRng
from quorate.errors import Malformed, ProofRejected
from quorate.groups import SECP256K1, group_named, integers
from quorate.groups.integers import lucas_v
from quorate.groups.p256 import FIELD, ORDER, P256, P256Group, P256Point, verify_ecdsa

# multiples of G from NIST's "Mathematical routines for the NIST prime elliptic curves"
KNOWN = {
    1: "036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
    2: "037cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978",
    3: "025ecbe4d1a6330a44c8f7ef951d4bf165e6c6b721efada985fb41661bc6e7fd6c",
    ORDER - 1: "026b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
}


@pytest.fixture(scope="module", params=["installed", "plain"])
def curve(request: pytest.FixtureRequest) -> P256Group:
    return P256 if request.param == "installed" else P256Group(int, lucas_v)


@pytest.mark.parametrize("factor", KNOWN)
def test_multiples_of_the_generator_are_the_published_ones(curve: P256Group, factor: int) -> None:
    k = curve.scalar(factor)
    same_point = curve.point_from_bytes(curve.generator.to_bytes())  # without the generator's own path
    for base in (curve.generator, same_point):
        assert base.multiply(k).to_bytes().hex() == KNOWN[factor]
        assert base.multiply_public(k).to_bytes().hex() == KNOWN[factor]


def test_products_and_sums_agree_with_another_library(curve: P256Group) -> None:
    rng = SeededRng(b"p256")
    points, others, weights = [], [], []
    for number in range(7):
        a, b = curve.random_scalar(rng), curve.random_scalar(rng)
        point, other = curve.generator.multiply(a), FAST.G * a.value
        assert same(point, other)
        assert same(point.multiply(b), other * b.value)
        assert same(point.multiply_public(b), other * b.value)
        points.append(point)
        others.append(other)
        weights.append(b.value >> (30 * number))
    for count in range(1, 8):
        expected = others[0] * weights[0]
        for other, weight in zip(others[1:count], weights[1:count], strict=True):
            expected += other * weight
        assert same(curve.combination(points[:count], weights[:count]), expected)


def same(point: Any, other: Any) -> bool:
    return bool((int(point.at[0]), int(point.at[1])) == (other.x, other.y))


def test_the_last_scalars_before_the_order_are_multiplied_as_all_others(curve: P256Group) -> None:
    point = curve.hash_to_point(b"some point")
    for distance in (1, 2, 3):
        k = curve.scalar(-distance)
        assert point.multiply(k) + point.multiply(curve.scalar(distance)) == curve.identity
        assert curve.generator.multiply(k) == -curve.generator.multiply(curve.scalar(distance))
    for small in (1, 2, 3):
        assert point.multiply(curve.scalar(small)) == curve.sum([point] * small)


def test_secret_scalars_reach_only_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    point, secret = P256.hash_to_point(b"any"), P256.scalar(12345 << 100)

    def refused(*_: object) -> None:
        raise AssertionError("our own arithmetic met a secret scalar")

    monkeypatch.setattr(type(P256.curve), "combination", refused)
    monkeypatch.setattr(type(P256.curve), "double", refused)
    product = point.multiply(secret)
    assert P256.generator.multiply(secret).to_bytes()[0] in (2, 3)
    monkeypatch.undo()
    assert product == P256.affine(P256.curve.combination([(point.at, secret.value)]))


@pytest.mark.parametrize(
    ("encoding", "reason"),
    [
        ("", "33 bytes"),
        (KNOWN[1] + "00", "33 bytes"),
        ("04" + KNOWN[1][2:], "begins with 02 or 03"),
        ("00" * 33, "begins with 02 or 03"),
        ("02" + (1).to_bytes(32, "big").hex(), "not the x coordinate"),
        ("02" + FIELD.to_bytes(32, "big").hex(), "not the x coordinate"),
        ("02" + (FIELD + 5).to_bytes(32, "big").hex(), "not the x coordinate"),
        ("02" + "ff" * 32, "not the x coordinate"),
    ],
)
def test_what_is_no_compressed_point_is_refused(curve: P256Group, encoding: str, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        curve.point_from_bytes(bytes.fromhex(encoding))


def test_the_point_with_x_zero_is_read_and_multiplied(curve: P256Group) -> None:
    point = curve.point_from_bytes(b"\x02" + bytes(32))
    assert curve.x_coordinate(point) == 0
    assert point.multiply(curve.scalar(9)) == curve.sum([point] * 9)


def signature(number: int) -> tuple[P256Point, bytes, int, int]:
    rng = SeededRng(b"signature" + bytes([number]))
    secret, digest = P256.random_scalar(rng), rng(32)
    key = ec.derive_private_key(secret.value, ec.SECP256R1())
    r, s = utils.decode_dss_signature(key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))))
    public = P256.generator.multiply(secret)
    assert isinstance(public, P256Point)
    return public, digest, r, s


@pytest.mark.parametrize("number", range(3))
def test_signatures_of_another_signer_verify_in_both_forms(number: int) -> None:
    public, digest, r, s = signature(number)
    verify_ecdsa(public, digest, r, s)
    verify_ecdsa(public, digest, r, ORDER - s)


def test_an_altered_signature_is_refused() -> None:
    public, digest, r, s = signature(0)
    flipped = bytes([digest[0] ^ 1]) + digest[1:]
    for key, message, bad_r, bad_s in [
        (public, flipped, r, s),
        (public, digest, r ^ 1, s),
        (public, digest, r, s ^ 1),
        (-public, digest, r, s),
        (P256.generator, digest, r, s),
    ]:
        with pytest.raises(ProofRejected, match="does not verify"):
            verify_ecdsa(key, message, bad_r, bad_s)


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (ORDER, 1), (1, ORDER), (-1, 1), (1 << 256, 1)])
def test_numbers_out_of_range_are_refused(r: int, s: int) -> None:
    with pytest.raises(ProofRejected, match="not a signature"):
        verify_ecdsa(P256.generator, bytes(32), r, s)
    with pytest.raises(ProofRejected, match="not a signature"):
        verify_ecdsa(P256.generator, bytes(31), 1, 1)


def test_only_points_of_this_curve_are_public_keys() -> None:
    for wrong in (P256.identity, SECP256K1.generator):
        with pytest.raises(ProofRejected, match="not a public key"):
            verify_ecdsa(wrong, bytes(32), 1, 1)


def test_points_of_two_groups_do_not_mix(curve: P256Group) -> None:
    other = P256Group(int, lucas_v).generator
    operations: list[Callable[[], object]] = [
        lambda: curve.generator + other,
        lambda: curve.sum([curve.generator, other]),
        lambda: curve.combination([other], [1]),
        lambda: curve.combination([other], [1 << 200]),
        lambda: curve.x_coordinate(other),
        lambda: curve.generator.multiply(other.group.scalar(2)),
        lambda: (curve.generator + curve.generator).multiply(other.group.scalar(2)),
        lambda: (curve.generator + curve.generator).multiply_public(other.group.scalar(2)),
    ]
    for operation in operations:
        with pytest.raises(TypeError, match="do not mix"):
            operation()
    assert curve.generator != other


def test_the_curve_is_known_by_name() -> None:
    assert group_named("p256") is P256


def test_without_gmpy2_integers_are_pythons(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> ModuleType:
        if name == "gmpy2":
            raise ImportError(name)
        return import_module(name)

    monkeypatch.setattr(integers, "import_module", absent)
    assert integers.fastest() == (int, lucas_v)


def test_the_two_ladders_of_a_lucas_sequence_agree() -> None:
    gmpy2 = pytest.importorskip("gmpy2")
    for k in (0, 1, 2, 3, 17, ORDER):
        assert gmpy2.lucasv_mod(5, 1, k, FIELD) == lucas_v(5, 1, k, FIELD)
    with pytest.raises(ValueError, match="Q = 1"):
        lucas_v(5, 2, 3, FIELD)


# RFC 6979, appendix A.2.5: P-256 with SHA-256; the second s is in the lower half
RFC_SECRET = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
RFC_PUBLIC = "0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
RFC_SIGNATURES = [
    (
        b"sample",
        0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716,
        0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8,
    ),
    (
        b"test",
        0xF1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367,
        0x019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083,
    ),
]


@pytest.mark.parametrize(("message", "r", "s"), RFC_SIGNATURES)
def test_the_signatures_of_rfc_6979_verify(curve: P256Group, message: bytes, r: int, s: int) -> None:
    public = curve.generator.multiply(curve.scalar(RFC_SECRET))
    assert public.to_bytes().hex() == RFC_PUBLIC
    digest = sha256(message).digest()
    verify_ecdsa(public, digest, r, s)
    with pytest.raises(ProofRejected):
        verify_ecdsa(public, digest, r, s ^ 1)
