"""Signatures as values: the low form, the recovery id, and verification on any group."""

from hashlib import sha256

import pytest
from tests.support.signing import rng

from quorate.errors import Malformed, ProofRejected
from quorate.groups import SECP256K1, Group, Scalar
from quorate.groups.pure import PURE_SECP256K1
from quorate.groups.secp256k1 import FIELD, recover
from quorate.groups.toy import TOY_GROUP
from quorate.schemes.ecdsa import Signature, verify
from quorate.schemes.ecdsa.conventions import hash_scalar
from quorate.schemes.ecdsa.signature import normalised

GROUPS = [SECP256K1, PURE_SECP256K1, TOY_GROUP]
DIGEST = sha256(b"a message").digest()


def signed(group: Group, digest: bytes, seed: int) -> tuple[Scalar, Signature]:
    """Plain ECDSA by one who holds the whole key."""
    source = rng("signature", group.name, seed)
    secret, nonce = group.random_scalar(source), group.random_scalar(source)
    point = group.generator.multiply(nonce)
    r = group.scalar(group.x_coordinate(point))
    return secret, normalised(point, nonce.inverse() * (hash_scalar(group, digest) + r * secret))


@pytest.mark.parametrize("group", GROUPS, ids=repr)
@pytest.mark.parametrize("seed", range(6))
def test_a_normalised_signature_is_low_and_verifies(group: Group, seed: int) -> None:
    secret, signature = signed(group, DIGEST, seed)
    assert 0 < signature.s <= group.order // 2
    verify(group.generator.multiply(secret), DIGEST, signature)


@pytest.mark.parametrize("seed", range(6))
def test_the_recovery_id_leads_to_the_key(seed: int) -> None:
    secret, signature = signed(SECP256K1, DIGEST, seed)
    public = SECP256K1.generator.multiply(secret)
    assert recover(DIGEST, signature.r, signature.s, signature.recovery) == public


@pytest.mark.parametrize("group", GROUPS, ids=repr)
def test_whatever_is_changed_does_not_verify(group: Group) -> None:
    secret, signature = signed(group, DIGEST, 1)
    public = group.generator.multiply(secret)
    r, s, q = signature.r, signature.s, group.order
    for wrong in ((r, q - s), (r + 1, s), (r, s + 1), (0, s), (r, 0), (q + r, s), (r, q + s)):
        with pytest.raises(ProofRejected):
            verify(public, DIGEST, Signature(*wrong, 0))
    with pytest.raises(ProofRejected):
        verify(public + group.generator, DIGEST, signature)
    for digest in (sha256(b"another").digest(), DIGEST[:-1], b""):
        with pytest.raises(ProofRejected):
            verify(public, digest, signature)
    with pytest.raises(ProofRejected):
        verify(group.identity, DIGEST, signature)


def test_an_x_coordinate_above_the_order_is_told_by_the_recovery_id() -> None:
    """Nobody meets one by chance (2^-128); the field has some, and here is the first that is on the curve."""
    for x in range(SECP256K1.order, FIELD):
        try:
            point = SECP256K1.point_from_bytes(b"\x02" + x.to_bytes(32, "big"))
            break
        except Malformed:
            continue
    signature = normalised(point, SECP256K1.scalar(5))
    assert signature == Signature(x - SECP256K1.order, 5, 2)
    assert normalised(point, SECP256K1.scalar(-5)) == Signature(x - SECP256K1.order, 5, 3)


def test_bytes_are_r_s_and_the_recovery_id() -> None:
    signature = Signature(1, 2, 3)
    assert Signature.from_bytes(signature.to_bytes()) == signature
    assert len(signature.to_bytes()) == 65
    for wrong in (signature.to_bytes()[:-1], signature.to_bytes() + b"\x00", bytes(64) + b"\x04"):
        with pytest.raises(Malformed):
            Signature.from_bytes(wrong)


def test_a_digest_gives_its_leftmost_bits() -> None:
    digest = bytes(range(32))
    assert hash_scalar(SECP256K1, digest).value == int.from_bytes(digest, "big")
    assert hash_scalar(TOY_GROUP, digest).value == int.from_bytes(digest, "big") >> 195
