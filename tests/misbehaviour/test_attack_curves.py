"""Attacks on ECDSA over three curves and on the arithmetic below it; most of them fail, and say why.

What the table of docs/protocols/ecdsa.md promises, check by check, is tested in test_ecdsa_curves.py.
"""

from typing import Any

import pytest
from tests.support.signing import table

from quorate.errors import LocalError, Malformed, ProofRejected
from quorate.groups import ED25519, SECP256K1, Group, Point, group_named
from quorate.groups.integers import fastest, lucas_v
from quorate.groups.p256 import P256, P256Group
from quorate.groups.stark import STARK, StarkGroup
from quorate.schemes.ecdsa.conventions import OutOfRange, hash_scalar, nonce_scalar
from quorate.schemes.ecdsa.scheme import ECDSA
from quorate.schemes.ecdsa.signature import Signature, normalised

DIGEST = bytes(4) + b"\x05" * 28
CURVES: dict[str, Group] = {"secp256k1": SECP256K1, "p256": P256, "stark": STARK}


def beyond(group: Group) -> Point:
    """A point whose x coordinate is above the order, found as anybody can find one."""
    for x in range(group.order + 1, group.order + 64):
        try:
            return group.point_from_bytes(b"\x02" + x.to_bytes(32, "big"))
        except Malformed:
            continue
    raise AssertionError("no such point")


def key_for(nonce_point: Point, r: int, s: int, digest: bytes) -> Point:
    """The public key under which (r, s) satisfies ECDSA's equation: X = (s R - h G) / r."""
    group = nonce_point.group
    inverse = group.scalar(r).inverse()
    return nonce_point.multiply_public(group.scalar(s) * inverse) - group.generator.multiply_public(
        hash_scalar(group, digest) * inverse
    )


# --- r, where the coordinate is larger than the order -------------------------------------------------------


@pytest.mark.parametrize("name", ["secp256k1", "p256"])
def test_a_coordinate_above_the_order_is_reduced_and_its_recovery_id_says_so(name: str) -> None:
    """Once in 2^128 (secp256k1) or 2^32 (P-256); here by a key that is made for it."""
    group = CURVES[name]
    point = beyond(group)
    assert group.x_coordinate(point) >= group.order
    assert nonce_scalar(point).value == group.x_coordinate(point) - group.order
    signature = normalised(point, group.scalar(7))
    key = key_for(point, signature.r, signature.s, DIGEST)
    ECDSA.verify(key, DIGEST, signature.to_bytes())
    assert signature.recovery == (2 if name == "secp256k1" else 0)
    for recovery in set(range(4)) - {signature.recovery}:
        with pytest.raises(ProofRejected, match="recovery id"):
            ECDSA.verify(key, DIGEST, Signature(signature.r, signature.s, recovery).to_bytes())
    # the unreduced coordinate is no r
    with pytest.raises(ProofRejected):
        ECDSA.verify(key, DIGEST, Signature(group.x_coordinate(point), signature.s, 0).to_bytes())


def test_on_stark_a_reduced_coordinate_satisfies_the_equation_and_is_refused() -> None:
    """Starknet compares r with the coordinate itself; a verifier that reduced it would take this one."""
    point = beyond(STARK)
    with pytest.raises(OutOfRange):
        nonce_scalar(point)
    r = STARK.x_coordinate(point) % STARK.order
    # with an s whose inverse is in range, so that the coordinate is the only fault
    s = next(s for s in (pow(w, -1, STARK.order) for w in range(2, 99)) if s <= STARK.order // 2)
    key = key_for(point, r, s, DIGEST)
    inverse = STARK.scalar(s).inverse()
    found = STARK.combination(
        [STARK.generator, key],
        [(inverse * hash_scalar(STARK, DIGEST)).value, (inverse * STARK.scalar(r)).value],
    )
    assert found == point
    for wrong in (r, STARK.x_coordinate(point)):
        with pytest.raises(ProofRejected):
            ECDSA.verify(key, DIGEST, Signature(wrong, s, 0).to_bytes())


# --- signatures that move -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CURVES)
def test_a_signature_moves_between_related_keys_only_to_a_digest_that_nobody_chose(name: str) -> None:
    """(r, s) on h under X is one on h - r t under X + t G: so for every pair of accounts of one root.

    That is ECDSA's and no fault of additive derivation done right; r comes out of the signing, after h is
    fixed, so h - r t is the digest of no message. It is why digests are computed and never taken.
    """
    group = CURVES[name]
    k, t, secret = group.scalar(1234567), group.scalar(99), group.scalar(424242)
    point = group.generator.multiply(k)
    r = nonce_scalar(point)
    s = k.inverse() * (hash_scalar(group, DIGEST) + r * secret)
    signature = normalised(point, s)
    root = group.generator.multiply(secret)
    child = root + group.generator.multiply(t)
    ECDSA.verify(root, DIGEST, signature.to_bytes())
    with pytest.raises(ProofRejected):
        ECDSA.verify(child, DIGEST, signature.to_bytes())
    moved = (hash_scalar(group, DIGEST) - r * t).to_bytes()
    if name == "secp256k1":
        ECDSA.verify(child, moved, signature.to_bytes())
    else:
        # the recovery id is no part of these signatures; the digest may be out of Starknet's range
        satisfied = s.inverse() * group.scalar(int.from_bytes(moved, "big"))
        assert (group.generator.multiply_public(satisfied) + child.multiply_public(s.inverse() * r)) == point


@pytest.mark.parametrize("name", CURVES)
def test_a_signature_under_the_key_of_another_curve_is_refused(name: str) -> None:
    group = CURVES[name]
    point, secret = group.generator.multiply(group.scalar(77)), group.scalar(5)
    s = group.scalar(77).inverse() * (hash_scalar(group, DIGEST) + nonce_scalar(point) * secret)
    signature = normalised(point, s).to_bytes()
    ECDSA.verify(group.generator.multiply(secret), DIGEST, signature)
    others = [*CURVES.values(), ED25519, group_named("ristretto255")]
    for other in others:
        if other is not group:
            with pytest.raises(ProofRejected):
                ECDSA.verify(other.generator.multiply(other.scalar(5)), DIGEST, signature)
        with pytest.raises(ProofRejected):
            ECDSA.verify(other.identity, DIGEST, signature)


# --- arithmetic at its edges --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [P256Group, StarkGroup])
@pytest.mark.parametrize("integers", [(int, lucas_v), fastest()], ids=["int", "fastest"])
def test_sums_and_products_are_right_where_formulas_have_exceptions(kind: Any, integers: Any) -> None:
    """Doubling in an addition, opposite points, the identity, weights at both ends of the range."""
    group = kind(*integers)
    n, one = group.order, group.generator
    weights = [0, 1, 2, 3, n - 1, n - 2, n // 2, n // 2 + 1, (1 << 80) - 1, 1 << 80, (1 << 80) + 1]
    for a in (1, 2, n - 1, n // 2 + 1):
        point = group.point_from_bytes(one.multiply(group.scalar(a)).to_bytes())
        assert (point - point).is_identity
        assert point + point == point.multiply(group.scalar(2))
        assert point + group.identity == group.identity + point == point
        assert group.sum([point, point, -point, group.identity, -point]).is_identity
        for k in weights:
            wanted = one.multiply(group.scalar(a * k))
            found = [
                point.multiply(group.scalar(k)),
                point.multiply_public(group.scalar(k)),
                one.multiply_public(group.scalar(a * k)),
                group.combination([point, point, -point], [k, k, k]),
                group.combination([point] * 6 + [group.identity], [k, k, k, -k, -k, 0, 5]),
            ]
            assert all(value == wanted and value.is_identity == wanted.is_identity for value in found), k


# --- digests ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [31, 33, 64])
@pytest.mark.parametrize("group", [SECP256K1, P256, STARK], ids=lambda group: group.name)
def test_a_digest_of_another_length_is_refused_and_makes_nobody_a_suspect(group: Group, length: int) -> None:
    """All signers would compute alike, and the verifier refuse: with two signers, a `Suspicion` of both."""
    result = table("2 of (1 of (n1), device)", ("n1", "device"), group).signing(
        "device", digest=b"\x01" * length
    )
    assert set(result.errors) == {"n1", "device"}
    for error in result.errors.values():
        assert isinstance(error, LocalError)
        assert "a digest has 32 bytes" in str(error)
    assert not [event for event in result.trace if "→" in str(event)]
