"""The product curve on both of its bindings; its neighbours are in tests/properties/test_groups.py."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from quorate.entropy import SeededRng
from quorate.errors import Malformed, ProofRejected
from quorate.groups.pure import PURE_SECP256K1
from quorate.groups.secp256k1 import (
    FIELD,
    ORDER,
    SECP256K1,
    Secp256k1Group,
    Secp256k1Point,
    btclib_backend,
    coincurve_backend,
    recover,
    uncompressed,
    verify_ecdsa,
)
from quorate.groups.toy import TOY_GROUP

BACKENDS = {"btclib": btclib_backend, "coincurve": coincurve_backend}


@pytest.fixture(scope="module", params=BACKENDS)
def curve(request: pytest.FixtureRequest) -> Secp256k1Group:
    if request.param == "coincurve":
        pytest.importorskip("coincurve")
    return Secp256k1Group(BACKENDS[request.param]())


# SEC 2 gives G; its multiples are published in many places, and the pure curve agrees
KNOWN = {
    1: "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    2: "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
    3: "02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
    7: "025cbdf0646e5db4eaa398f365f2ea7a0e3d419b7e0330e39ce92bddedcac4f9bc",
    ORDER - 1: "0379be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
}


@pytest.mark.parametrize("factor", KNOWN)
def test_multiples_of_the_generator_are_the_published_ones(curve: Secp256k1Group, factor: int) -> None:
    k = curve.scalar(factor)
    wanted = KNOWN[factor]
    same_point = curve.point_from_bytes(curve.generator.to_bytes())  # without the generator's own path
    for base in (curve.generator, same_point):
        assert base.multiply(k).to_bytes().hex() == wanted
        assert base.multiply_public(k).to_bytes().hex() == wanted
    assert (k * curve.generator).to_bytes().hex() == wanted


def test_the_package_uses_the_binding_with_the_callback_in_c() -> None:
    assert SECP256K1.backend == "btclib"


def test_zero_times_a_point_is_the_identity_and_the_identity_absorbs(curve: Secp256k1Group) -> None:
    zero, five = curve.scalar(0), curve.scalar(5)
    point = curve.generator.multiply(five)
    for base in (curve.generator, point):
        assert base.multiply(zero).is_identity
        assert base.multiply_public(zero).is_identity
    for product in (curve.identity.multiply(five), curve.identity.multiply_public(five), -curve.identity):
        assert product is curve.identity or product == curve.identity
    assert curve.identity + point == point == point + curve.identity
    assert (point - point).is_identity
    assert (point + -point) == curve.identity
    assert curve.identity != point
    assert hash(curve.identity) == hash(point - point)


class Recording:
    """A binding's functions that note which of them were called."""

    def __init__(self, lib: Any) -> None:
        self.lib = lib
        self.called: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.called.append(name.removeprefix("secp256k1_"))
        return getattr(self.lib, name)


@pytest.mark.parametrize("name", BACKENDS)
def test_secret_scalars_reach_only_the_constant_time_functions(name: str) -> None:
    if name == "coincurve":
        pytest.importorskip("coincurve")
    backend = BACKENDS[name]()
    lib = Recording(backend.lib)
    curve = Secp256k1Group(replace(backend, lib=lib))
    secret = curve.scalar(12345)
    point = curve.hash_to_point(b"any")
    lib.called.clear()
    curve.generator.multiply(secret)
    assert lib.called == ["ec_pubkey_create"]
    lib.called.clear()
    point.multiply(secret)
    assert lib.called == ["ecdh", "ec_pubkey_parse"]
    lib.called.clear()
    _ = secret * point
    assert lib.called == ["ecdh", "ec_pubkey_parse"]
    lib.called.clear()
    point.multiply_public(secret)
    assert lib.called == ["ec_pubkey_tweak_mul"]


def test_doubling_by_addition_works(curve: Secp256k1Group) -> None:
    assert curve.generator + curve.generator == curve.generator.multiply(curve.scalar(2))


def test_sums_skip_the_identity_and_may_be_empty(curve: Secp256k1Group) -> None:
    points = [curve.generator.multiply(curve.scalar(k)) for k in (3, 4, 5)]
    assert curve.sum(points) == curve.generator.multiply(curve.scalar(12))
    assert curve.sum([curve.identity, *points]) == curve.sum(points)
    assert curve.sum([]).is_identity
    assert curve.sum([points[0], -points[0]]).is_identity
    assert curve.sum(iter(points[:1])) == points[0]


def test_the_identity_is_not_encoded(curve: Secp256k1Group) -> None:
    for call in (curve.identity.to_bytes, lambda: curve.x_coordinate(curve.identity)):
        with pytest.raises(Malformed, match="no encoding"):
            call()
    assert "identity" in repr(curve.identity)


G = KNOWN[1]
OFF_CURVE = "02" + (5).to_bytes(32, "big").hex()  # 5^3 + 7 is no square


@pytest.mark.parametrize(
    ("encoding", "reason"),
    [
        ("00", "33 bytes"),
        ("", "33 bytes"),
        (G[:-2], "33 bytes"),
        (G + "00", "33 bytes"),
        ("04" + G[2:], "begins with 02 or 03"),
        ("00" + G[2:], "begins with 02 or 03"),
        ("06" + G[2:], "begins with 02 or 03"),
        ("00" * 33, "begins with 02 or 03"),
        (OFF_CURVE, "not the x coordinate"),
        ("02" + FIELD.to_bytes(32, "big").hex(), "not the x coordinate"),
        ("02" + (FIELD + 1).to_bytes(32, "big").hex(), "not the x coordinate"),
        ("02" + "ff" * 32, "not the x coordinate"),
        ("02" + "00" * 32, "not the x coordinate"),
    ],
)
def test_what_is_no_compressed_point_is_refused(curve: Secp256k1Group, encoding: str, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        curve.point_from_bytes(bytes.fromhex(encoding))


def test_other_forms_of_a_valid_point_are_refused(curve: Secp256k1Group) -> None:
    full = uncompressed(curve.generator)
    hybrid = bytes([6 + (full[-1] & 1)]) + full[1:]
    for form in (full, hybrid):
        with pytest.raises(Malformed):
            curve.point_from_bytes(form)


def test_a_bytearray_is_copied_so_that_later_changes_do_not_reach_the_point(curve: Secp256k1Group) -> None:
    octets = bytearray.fromhex(G)
    point = curve.point_from_bytes(octets)
    octets[5] ^= 1
    assert point.to_bytes().hex() == G


def test_the_uncompressed_form_is_that_of_sec_1(curve: Secp256k1Group) -> None:
    assert uncompressed(curve.generator).hex() == (
        "04"
        "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
        "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
    )
    with pytest.raises(Malformed):
        uncompressed(curve.identity)
    with pytest.raises(Malformed):
        uncompressed(TOY_GROUP.generator)


def test_hashing_to_a_point_agrees_with_the_pure_curve(curve: Secp256k1Group) -> None:
    for number in range(20):
        data = number.to_bytes(4, "big")
        assert curve.hash_to_point(data).to_bytes() == PURE_SECP256K1.hash_to_point(data).to_bytes()


def test_points_of_two_backends_or_groups_do_not_mix(curve: Secp256k1Group) -> None:
    other = PURE_SECP256K1.generator
    with pytest.raises(TypeError, match="do not mix"):
        curve.generator + other
    with pytest.raises(TypeError, match="do not mix"):
        other + curve.generator
    with pytest.raises(TypeError, match="do not mix"):
        curve.sum([curve.generator, other])
    with pytest.raises(TypeError, match="do not mix"):
        curve.generator.multiply(PURE_SECP256K1.scalar(2))
    with pytest.raises(TypeError, match="do not mix"):
        (curve.generator + curve.generator).multiply_public(PURE_SECP256K1.scalar(2))
    assert curve.generator != other
    assert curve.generator != SECP256K1.generator
    with pytest.raises(TypeError, match="do not mix"):
        curve.generator + SECP256K1.generator


def test_a_key_agreement_equals_that_of_openssl(curve: Secp256k1Group) -> None:
    rng = SeededRng(b"agreement")
    for _ in range(5):
        ours = curve.random_scalar(rng)
        theirs = ec.derive_private_key(curve.random_scalar(rng).value, ec.SECP256K1())
        numbers = theirs.public_key().public_numbers()
        point = curve.point_from_bytes(bytes([2 + (numbers.y & 1)]) + numbers.x.to_bytes(32, "big"))
        peer = ec.EllipticCurvePublicKey.from_encoded_point(
            ec.SECP256K1(), (curve.generator.multiply(ours)).to_bytes()
        )
        shared = theirs.exchange(ec.ECDH(), peer)
        assert curve.x_coordinate(point.multiply(ours)).to_bytes(32, "big") == shared


def signature(number: int) -> tuple[Secp256k1Point, bytes, int, int]:
    """A signature by OpenSSL in low-s form: key, digest, r, s."""
    rng = SeededRng(b"signature" + bytes([number]))
    secret = SECP256K1.random_scalar(rng)
    key = ec.derive_private_key(secret.value, ec.SECP256K1())
    digest = rng(32)
    r, s = utils.decode_dss_signature(key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))))
    public = SECP256K1.generator.multiply(secret)
    assert isinstance(public, Secp256k1Point)
    return public, digest, r, min(s, ORDER - s)


@pytest.mark.parametrize("number", range(5))
def test_signatures_of_another_library_verify_and_recover(number: int) -> None:
    public, digest, r, s = signature(number)
    verify_ecdsa(public, digest, r, s)
    assert public in [recover(digest, r, s, parity) for parity in (0, 1)]


def test_an_altered_signature_is_refused() -> None:
    public, digest, r, s = signature(0)
    flipped = bytes([digest[0] ^ 1]) + digest[1:]
    other = SECP256K1.generator
    for key, message, bad_r, bad_s in [
        (public, flipped, r, s),
        (public, digest, r + 1, s),
        (public, digest, r, s + 1),
        (other, digest, r, s),
        (-public, digest, r, s),
    ]:
        with pytest.raises(ProofRejected):
            verify_ecdsa(key, message, bad_r, bad_s)


def test_the_high_s_mirror_of_a_signature_is_refused() -> None:
    public, digest, r, s = signature(0)
    with pytest.raises(ProofRejected):
        verify_ecdsa(public, digest, r, ORDER - s)


@pytest.mark.parametrize(
    ("r", "s"), [(0, 1), (1, 0), (ORDER, 1), (1, ORDER), (-1, 1), (1, -1), (1 << 256, 1)]
)
def test_numbers_out_of_range_are_refused(r: int, s: int) -> None:
    with pytest.raises(ProofRejected, match="not a signature"):
        verify_ecdsa(SECP256K1.generator, bytes(32), r, s)
    with pytest.raises(ProofRejected, match="not a recoverable signature"):
        recover(bytes(32), r, s, 0)


def test_a_digest_of_another_length_is_refused() -> None:
    public, digest, r, s = signature(0)
    for wrong in (digest[:-1], digest + b"\0", b""):
        with pytest.raises(ProofRejected):
            verify_ecdsa(public, wrong, r, s)
        with pytest.raises(ProofRejected):
            recover(wrong, r, s, 0)


@pytest.mark.parametrize("recovery", [-1, 4])
def test_a_recovery_number_out_of_range_is_refused(recovery: int) -> None:
    _, digest, r, s = signature(0)
    with pytest.raises(ProofRejected):
        recover(digest, r, s, recovery)


def test_a_signature_without_a_key_is_refused() -> None:
    # 5 is no x coordinate, so no nonce point has it
    with pytest.raises(ProofRejected, match="no public key"):
        recover(bytes(32), 5, 1, 0)


def test_only_points_of_this_curve_are_public_keys() -> None:
    for wrong in (SECP256K1.identity, TOY_GROUP.generator, PURE_SECP256K1.generator):
        with pytest.raises(ProofRejected, match="not a public key"):
            verify_ecdsa(wrong, bytes(32), 1, 1)
