"""Proofs of knowledge and of equal logarithms: honest ones pass, every lie and every move is refused."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from quorate.encoding import decode, encode
from quorate.entropy import SeededRng
from quorate.errors import LocalError, Malformed, ProofRejected
from quorate.groups import SECP256K1, Group, Point, Scalar, parser_for
from quorate.groups.pure import PURE_SECP256K1
from quorate.groups.toy import TOY_GROUP
from quorate.primitives.proofs import DleqProof, SchnorrProof
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest

VECTORS = json.loads((Path(__file__).resolve().parents[2] / "vectors/proofs.json").read_text())
TAG, OTHER_TAG, CONTEXT = Tag.HPKE_OPENING, Tag.SEALED_BOX, b"session 1, n1"


@dataclass(frozen=True)
class Statement:
    group: Group
    secret: Scalar
    point: Point
    base: Point
    other: Point


@pytest.fixture(params=[SECP256K1, TOY_GROUP, PURE_SECP256K1], ids=lambda group: type(group).__name__)
def statement(request: pytest.FixtureRequest) -> Statement:
    group: Group = request.param
    secret = group.random_scalar(SeededRng(b"statement"))
    base = group.hash_to_point(b"base")
    return Statement(group, secret, group.generator.multiply(secret), base, base.multiply(secret))


def schnorr(s: Statement) -> SchnorrProof:
    return SchnorrProof.prove(TAG, CONTEXT, s.secret, s.point, SeededRng(b"nonce"))


def dleq(s: Statement) -> DleqProof:
    return DleqProof.prove(TAG, CONTEXT, s.secret, s.point, s.base, s.other, SeededRng(b"nonce"))


def test_honest_proofs_verify_also_after_travelling(statement: Statement) -> None:
    read = parser_for(statement.group)
    schnorr(statement).verify(TAG, CONTEXT, statement.point)
    dleq(statement).verify(TAG, CONTEXT, statement.point, statement.base, statement.other)
    decode(SchnorrProof, encode(schnorr(statement)), read).verify(TAG, CONTEXT, statement.point)
    decode(DleqProof, encode(dleq(statement)), read).verify(
        TAG, CONTEXT, statement.point, statement.base, statement.other
    )


def test_the_equation_is_the_one_of_the_page() -> None:
    x, group = SECP256K1.scalar(77), SECP256K1
    point = group.generator.multiply(x)
    proof = SchnorrProof.prove(TAG, CONTEXT, x, point, SeededRng(b"n"))
    fields = (b"context", CONTEXT, b"point", point.to_bytes(), b"commitment", proof.commitment.to_bytes())
    challenge = group.scalar_from_wide(digest(TAG, *fields, b"secp256k1", length=48))
    assert group.generator.multiply(proof.response - challenge * x) == proof.commitment


def test_a_proof_of_knowledge_cannot_be_moved(statement: Statement) -> None:
    proof, g = schnorr(statement), statement.group.generator
    for tag, context, point in [
        (OTHER_TAG, CONTEXT, statement.point),
        (TAG, b"session 2, n1", statement.point),
        (TAG, b"", statement.point),
        (TAG, CONTEXT, statement.point + g),
        (TAG, CONTEXT, -statement.point),
        (TAG, CONTEXT, g),
    ]:
        with pytest.raises(ProofRejected, match="does not verify"):
            proof.verify(tag, context, point)


def test_an_altered_proof_of_knowledge_is_refused(statement: Statement) -> None:
    proof, group = schnorr(statement), statement.group
    one = group.scalar(1)
    for lie in [
        SchnorrProof(proof.commitment, proof.response + one),
        SchnorrProof(proof.commitment, -proof.response),
        SchnorrProof(proof.commitment, group.scalar(0)),
        SchnorrProof(proof.commitment + group.generator, proof.response + one),
        SchnorrProof(-proof.commitment, proof.response),
        SchnorrProof(statement.point, proof.response),
    ]:
        with pytest.raises(ProofRejected, match="does not verify"):
            lie.verify(TAG, CONTEXT, statement.point)


def test_a_forger_who_picks_the_commitment_after_the_challenge_is_refused(statement: Statement) -> None:
    # the attack on proofs that leave the commitment out of the hash: R = z*G - c*X for chosen z and c
    group = statement.group
    z, c = group.scalar(5), group.scalar(7)
    forged = SchnorrProof(group.generator.multiply(z) - statement.point.multiply(c), z)
    with pytest.raises(ProofRejected, match="does not verify"):
        forged.verify(TAG, CONTEXT, statement.point)


def test_someone_without_the_secret_cannot_prove(statement: Statement) -> None:
    wrong = statement.secret + statement.group.scalar(1)
    proof = SchnorrProof.prove(TAG, CONTEXT, wrong, statement.point, SeededRng(b"nonce"))
    with pytest.raises(ProofRejected, match="does not verify"):
        proof.verify(TAG, CONTEXT, statement.point)


def test_different_logarithms_are_not_proved_equal(statement: Statement) -> None:
    s, one = statement, statement.group.scalar(1)
    false_other = s.base.multiply(s.secret + one)
    for point, other in [(s.point, false_other), (s.point + s.group.generator, s.other)]:
        for secret in (s.secret, s.secret + one):
            proof = DleqProof.prove(TAG, CONTEXT, secret, point, s.base, other, SeededRng(b"nonce"))
            with pytest.raises(ProofRejected, match="equal logarithms does not verify"):
                proof.verify(TAG, CONTEXT, point, s.base, other)


def test_a_proof_of_equality_cannot_be_moved_or_altered(statement: Statement) -> None:
    s, proof, g = statement, dleq(statement), statement.group.generator
    one = s.group.scalar(1)
    for tag, context, points in [
        (OTHER_TAG, CONTEXT, (s.point, s.base, s.other)),
        (TAG, b"elsewhere", (s.point, s.base, s.other)),
        (TAG, CONTEXT, (s.other, s.base, s.point)),
        (TAG, CONTEXT, (s.point, s.base + g, s.other)),
        (TAG, CONTEXT, (s.point, s.base, s.other + g)),
        (TAG, CONTEXT, (-s.point, s.base, -s.other)),
    ]:
        with pytest.raises(ProofRejected, match="does not verify"):
            proof.verify(tag, context, *points)
    for lie in [
        DleqProof(proof.commitment, proof.other_commitment, proof.response + one),
        DleqProof(proof.other_commitment, proof.commitment, proof.response),
        DleqProof(proof.commitment + g, proof.other_commitment, proof.response + one),
        DleqProof(proof.commitment, -proof.other_commitment, proof.response),
    ]:
        with pytest.raises(ProofRejected, match="does not verify"):
            lie.verify(TAG, CONTEXT, s.point, s.base, s.other)


def test_nothing_is_proved_about_the_identity(statement: Statement) -> None:
    s, nothing, zero = statement, statement.group.identity, statement.group.scalar(0)
    with pytest.raises(LocalError, match="identity"):
        SchnorrProof.prove(TAG, CONTEXT, zero, nothing, SeededRng(b"n"))
    for points in [(nothing, s.base, s.other), (s.point, nothing, s.other), (s.point, s.base, nothing)]:
        with pytest.raises(LocalError, match="identity"):
            DleqProof.prove(TAG, CONTEXT, s.secret, *points, SeededRng(b"n"))


def test_the_identity_is_refused_in_statement_and_commitment(statement: Statement) -> None:
    s, nothing = statement, statement.group.identity
    knows, equal = schnorr(s), dleq(s)
    for proof, point in [(knows, nothing), (SchnorrProof(nothing, knows.response), s.point)]:
        with pytest.raises(ProofRejected, match="identity"):
            proof.verify(TAG, CONTEXT, point)
    for points in [(nothing, s.base, s.other), (s.point, nothing, s.other), (s.point, s.base, nothing)]:
        with pytest.raises(ProofRejected, match="identity"):
            equal.verify(TAG, CONTEXT, *points)
    for first, second in [(nothing, equal.other_commitment), (equal.commitment, nothing)]:
        with pytest.raises(ProofRejected, match="identity"):
            DleqProof(first, second, equal.response).verify(TAG, CONTEXT, s.point, s.base, s.other)


def test_values_of_another_group_are_refused() -> None:
    toy, native = TOY_GROUP, SECP256K1
    x = native.scalar(3)
    proof = SchnorrProof.prove(TAG, CONTEXT, x, native.generator.multiply(x), SeededRng(b"n"))
    with pytest.raises(ProofRejected, match="another group"):
        proof.verify(TAG, CONTEXT, toy.generator)
    with pytest.raises(ProofRejected, match="another group"):
        SchnorrProof(proof.commitment, toy.scalar(3)).verify(TAG, CONTEXT, native.generator)


def test_a_repeating_generator_repeats_a_nonce_only_for_the_same_proof(statement: Statement) -> None:
    def stuck(count: int) -> bytes:
        return bytes(count)

    s, g = statement, statement.group.generator
    commitments = {
        SchnorrProof.prove(TAG, CONTEXT, s.secret, s.point, stuck).commitment,
        SchnorrProof.prove(TAG, b"elsewhere", s.secret, s.point, stuck).commitment,
        SchnorrProof.prove(OTHER_TAG, CONTEXT, s.secret, s.point, stuck).commitment,
        SchnorrProof.prove(TAG, CONTEXT, s.secret + s.group.scalar(1), s.point, stuck).commitment,
        SchnorrProof.prove(TAG, CONTEXT, s.secret, s.point + g, stuck).commitment,
        DleqProof.prove(TAG, CONTEXT, s.secret, s.point, s.base, s.other, stuck).commitment,
        DleqProof.prove(TAG, CONTEXT, s.secret, s.point, s.base + g, s.other, stuck).commitment,
    }
    assert len(commitments) == 7
    again = SchnorrProof.prove(TAG, CONTEXT, s.secret, s.point, stuck)
    assert again.commitment in commitments


def test_fresh_randomness_gives_fresh_nonces(statement: Statement) -> None:
    rng = SeededRng(b"fresh")
    proofs = {SchnorrProof.prove(TAG, CONTEXT, statement.secret, statement.point, rng) for _ in range(5)}
    assert len(proofs) == 5


def test_a_malformed_proof_is_not_read() -> None:
    wire = encode(SchnorrProof(SECP256K1.generator, SECP256K1.scalar(1)))
    read = parser_for(SECP256K1)
    above = SECP256K1.order.to_bytes(32, "big")
    for wrong in (wire[:-1], wire + b"\0", wire[:3] + bytes(33) + wire[36:], wire[:-32] + above):
        with pytest.raises(Malformed):
            decode(SchnorrProof, wrong, read)


def test_proofs_are_those_of_the_vectors() -> None:
    group, tag, context = SECP256K1, Tag(VECTORS["tag"]), bytes.fromhex(VECTORS["context"])
    secret = group.scalar_from_bytes(bytes.fromhex(VECTORS["secret"]))
    point = group.point_from_bytes(bytes.fromhex(VECTORS["point"]))
    made = SchnorrProof.prove(tag, context, secret, point, lambda _: bytes.fromhex(VECTORS["schnorr"]["rng"]))
    assert encode(made).hex() == VECTORS["schnorr"]["proof"]
    case = VECTORS["dleq"]
    base, other = (group.point_from_bytes(bytes.fromhex(case[name])) for name in ("base", "other"))
    equal = DleqProof.prove(tag, context, secret, point, base, other, lambda _: bytes.fromhex(case["rng"]))
    assert encode(equal).hex() == case["proof"]
    decode(DleqProof, bytes.fromhex(case["proof"]), parser_for(group)).verify(
        tag, context, point, base, other
    )
