"""ECDSA on P-256 and the STARK curve: accepted by others' verifiers, over setups that all curves share."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from itertools import combinations

import pytest
from crypto_cpp_py.cpp_bindings import cpp_verify
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from tests.support.signing import DIGEST, KEY_ID, pair, rng, table

from quorate.errors import AlreadyUsed, LocalError, Malformed, Missing, ProofRejected, Remedy
from quorate.groups import SECP256K1, Group, Point
from quorate.groups.p256 import P256
from quorate.groups.stark import MAX_ELEMENT, STARK
from quorate.primitives import vole
from quorate.primitives.parameters import STANDARD
from quorate.schemes.ecdsa import (
    SIGN,
    Derivation,
    OutOfRange,
    Presignature,
    ReadyPresignature,
    Signature,
    checks,
    conventions,
    verify,
)
from quorate.schemes.ecdsa.conventions import Convention, hash_scalar
from quorate.schemes.registry import scheme_named
from quorate.session import Party
from quorate.testing import Simulation

CURVES = {"p256": P256, "stark": STARK}
TWO = ("2 of (1 of (n1), device)", ("n1", "device"))
QUORUMS = [
    TWO,
    ("2 of (2 of (n1 n2 n3), device)", ("n1", "n3", "device")),
    ("2 of (3 of (n1 n2 n3 n4), device, backup)", ("n1", "n2", "n4", "device")),
    ("2 of (2 of (n1 n2 n3), device, backup)", ("device", "backup")),
]


@pytest.fixture(scope="module", params=CURVES)
def curve(request: pytest.FixtureRequest) -> Group:
    return CURVES[request.param]


def openssl_accepts(public: Point, digest: bytes, r: int, s: int) -> bool:
    key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), public.to_bytes())
    try:
        key.verify(encode_dss_signature(r, s), digest, ECDSA(Prehashed(SHA256())))
    except InvalidSignature:
        return False
    return True


def starkware_accepts(public: Point, digest: bytes, r: int, s: int) -> bool:
    inverse = pow(s, -1, STARK.order)
    return bool(cpp_verify(int.from_bytes(digest, "big"), r, inverse, STARK.x_coordinate(public)))


JUDGES: dict[str, Callable[[Point, bytes, int, int], bool]] = {
    "p256": openssl_accepts,
    "stark": starkware_accepts,
}


def assert_accepted(public: Point, digest: bytes, signature: Signature) -> None:
    """By us and by software of others; and refused by both with a byte changed anywhere."""
    judge, octets = JUDGES[public.group.name], signature.to_bytes()
    verify(public, digest, signature)
    assert judge(public, digest, signature.r, signature.s)
    assert signature.recovery == 0
    for place in range(1, 64, 9):
        changed = Signature.from_bytes(octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1 :])
        with pytest.raises(ProofRejected):
            verify(public, digest, changed)
        assert not judge(public, digest, changed.r, changed.s)
    other = digest[:-1] + bytes([digest[-1] ^ 1])
    with pytest.raises(ProofRejected):
        verify(public, other, signature)
    assert not judge(public, other, signature.r, signature.s)


@pytest.mark.parametrize(("text", "signers"), QUORUMS, ids=str)
def test_a_cold_signature_is_accepted_by_a_verifier_of_others(
    curve: Group, text: str, signers: tuple[str, ...]
) -> None:
    key = table(text, signers, curve)
    result = key.signing("device")
    result.assert_sound()
    signature = result.values["device"]
    assert signature is not None
    assert signature.s <= curve.order // 2
    assert_accepted(key.public_key, key.digest, signature)


def test_a_presignature_signs_what_is_asked_later_also_for_a_child_key(curve: Group) -> None:
    key = table(*TWO, curve)
    made = key.presigning(derivation=Derivation.PATH)
    tweak = int.from_bytes(sha256(b"tau").digest(), "big") % curve.order
    child = key.public_key + curve.generator.multiply_public(curve.scalar(tweak))
    for public, shift, path in ((key.public_key, 0, ""), (child, tweak, "0/7")):
        result = key.online(made.values, "device", tweak=shift, path=path)
        signature = result.values["device"]
        assert signature is not None
        assert_accepted(public, key.digest, signature)
        made = key.presigning(derivation=Derivation.PATH, seed=1)


def test_a_stored_presignature_keeps_its_curve(curve: Group) -> None:
    made = table(*TWO, curve).presigning().values["n1"]
    read = Presignature.from_bytes(made.to_bytes())
    assert read == made
    assert read.group is curve


def test_a_high_s_is_refused_though_the_standard_allows_it(curve: Group) -> None:
    key = table(*TWO, curve)
    signature = key.signing("device").values["device"]
    assert signature is not None
    mirrored = replace(signature, s=curve.order - signature.s)
    assert JUDGES[curve.name](key.public_key, key.digest, mirrored.r, mirrored.s)
    with pytest.raises(ProofRejected, match="low-s"):
        verify(key.public_key, key.digest, mirrored)


# One setup, many curves


def test_one_setup_of_a_pair_signs_on_every_curve() -> None:
    groups = (SECP256K1, P256, STARK)
    tables = [table(*TWO, group) for group in groups]
    assert len({key.pairs["n1"]["device"].fingerprint for key in tables}) == 1
    for key in tables:
        signature = key.signing("device").values["device"]
        assert signature is not None
        verify(key.public_key, key.digest, signature)


def test_nothing_of_one_curve_is_repeated_on_another() -> None:
    """Same pair, session, signers, randomness: the identifiers, masks and streams have nothing in common."""
    groups = (SECP256K1, P256, STARK)
    quorums = [table(*TWO, group).seats["n1"].quorum for group in groups]
    session, suite = bytes(32), "suite"
    ids = [checks.presigning_id(session, "", quorum, suite, Derivation.ROOT) for quorum in quorums]
    assert len(set(ids)) == 3
    zeros = {checks.zero_share(bytes(32), session, session, group).value for group in groups}
    assert len(zeros) == 3
    receiver = pair("device", "n1", SECP256K1)["device"].receiver
    bodies = [vole.start(group, STANDARD, receiver, session, rng("same"))[1] for group in groups]
    header = vole.HASH_BYTES + vole.NONCE_BYTES
    assert len({body[vole.HASH_BYTES : header] for body in bodies}) == 1, "the same nonce, by the same rng"
    for first, second in combinations(bodies, 2):
        assert first[: vole.HASH_BYTES] != second[: vole.HASH_BYTES]
        equal = sum(a == b for a, b in zip(first[header:], second[header:], strict=True))
        assert equal < len(first) // 64


def test_a_message_made_for_one_curve_is_turned_away_before_any_check_on_another() -> None:
    ends = pair("device", "n1", SECP256K1)
    esid = bytes(32)
    _, message = vole.start(P256, STANDARD, ends["device"].receiver, esid, rng("receiver"))
    one = STARK.scalar(1)
    with pytest.raises(Malformed, match="another session"):
        vole.multiply(STARK, STANDARD, ends["n1"].sender, esid, bytes(32), message, (one, one), rng("sender"))


def test_hashes_become_scalars_by_wide_reduction(curve: Group) -> None:
    """48 bytes for each: 32 would be biased by 2^-32 on P-256 and 2^-50 on STARK."""
    asked: list[int] = []
    source = rng("pads")

    def counting(count: int) -> bytes:
        asked.append(count)
        return source(count)

    curve.random_scalar(counting)
    assert asked == [48]
    assert vole.kernel(curve.order).pad_length == 48
    assert vole.kernel(SECP256K1.order).pad_length == 32
    assert STANDARD.xi(curve) == 416


# Starknet's ranges


@pytest.mark.parametrize("digest", [bytes(32), MAX_ELEMENT.to_bytes(32, "big"), b"\xff" * 32])
def test_a_digest_beyond_starknets_range_is_refused_before_a_word_is_said(digest: bytes) -> None:
    key = table(*TWO, STARK)
    result = key.signing("device", digest=digest)
    assert set(result.errors) == {"n1", "device"}
    for error in result.errors.values():
        assert isinstance(error, LocalError)
        assert "1 to 2^251 - 1" in str(error)
    assert not [event for event in result.trace if "→" in str(event)]


def test_the_largest_and_the_smallest_digest_of_starknet_are_signed() -> None:
    key = table(*TWO, STARK)
    for number in (1, MAX_ELEMENT - 1):
        digest = number.to_bytes(32, "big")
        signature = key.signing("device", digest=digest).values["device"]
        assert signature is not None
        assert_accepted(key.public_key, digest, signature)


def test_on_other_curves_every_digest_is_signed() -> None:
    assert hash_scalar(P256, b"\xff" * 32).value == (2**256 - 1) % P256.order
    key = table(*TWO, P256)
    for digest in (bytes(32), b"\xff" * 32):
        signature = key.signing("device", digest=digest).values["device"]
        assert signature is not None
        assert_accepted(key.public_key, digest, signature)


def test_what_comes_out_of_range_costs_the_presignature_and_blames_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Real bounds fail once in 2^55. With one bit less, every second coordinate and inverse is beyond."""
    bound = MAX_ELEMENT >> 1
    monkeypatch.setattr(conventions, "convention", lambda _: Convention(bound=bound))
    key = table(*TWO, STARK)
    digest = bytes([DIGEST[0] & 3]) + DIGEST[1:]
    met: set[str] = set()
    for seed in range(40):
        if len(met) == 3:
            break
        result = key.signing("device", digest=digest, seed=seed)
        assert not result.blamed()
        signature = result.values.get("device")
        if signature is not None:
            met.add("signed")
            assert signature.r < bound
            assert pow(signature.s, -1, STARK.order) < bound
            continue
        # the node knows the shifted nonce point first; it says nothing then, and the device waits in vain
        (error,) = [one for one in result.errors.values() if not isinstance(one, Missing)]
        assert isinstance(error, OutOfRange), error
        assert error.remedy is Remedy.RETRY
        assert error.parties == ()
        assert (error.step == "3.3") == ("n1" in result.errors)
        assert not [event for event in result.trace if "ecdsa.answer" in str(event) and error.step == "3.3"]
        met.add(error.step)
    assert met == {"signed", "3.3", "3.5"}


def test_a_presignature_that_came_out_of_range_answers_nothing_else() -> None:
    key = table(*TWO, STARK)
    ready = ReadyPresignature(key.presigning().values["n1"])

    def unlucky(_: object) -> None:
        raise OutOfRange("out of range", step="3.3")

    with pytest.raises(OutOfRange):
        ready.use(b"one request", unlucky)
    for purpose in (b"one request", b"another"):
        with pytest.raises(AlreadyUsed):
            ready.use(purpose, lambda held: held)


# As a scheme among others


def test_the_scheme_signs_for_any_of_its_curves_and_refuses_a_changed_byte(curve: Group) -> None:
    scheme = scheme_named("ecdsa")
    assert curve.name in scheme.curves
    key = table(*TWO, curve)

    async def run(party: Party) -> bytes | None:
        seat, pairs = key.seats[party.me], key.pairs[party.me]
        return await scheme.sign(party, seat, key.digest, combiner="device", pairs=pairs)

    suite = scheme.suite(curve)
    result = Simulation(
        SIGN, run, key.names, group=curve, suite=suite, key=KEY_ID, payload=b"any", journaled=False
    ).run()
    result.assert_sound()
    signature = result.values["device"]
    assert signature is not None
    assert len(signature) == scheme.signature_length
    scheme.verify(key.public_key, key.digest, signature)
    for place in (0, 31, 32, 63, 64):
        changed = signature[:place] + bytes([signature[place] ^ 1]) + signature[place + 1 :]
        with pytest.raises(ProofRejected):
            scheme.verify(key.public_key, key.digest, changed)
