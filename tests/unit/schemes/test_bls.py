"""Threshold BLS: published vectors, what others accept of ours, and what partials are worth."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import milagro_bls_binding
import pytest
from tests.support.bls import MESSAGE, SIGNERS, STRUCTURE, Table, py_ecc, split, table
from tests.support.signing import KEY_ID, deal

from quorate.errors import LocalError, ProofRejected, Unavailable
from quorate.groups import ED25519
from quorate.groups.bls12381 import BLS12381_G1, BLS12381_G2
from quorate.schemes.bls import (
    SIGN,
    SUITES,
    Context,
    FalsePartials,
    Partial,
    Suite,
    combine,
    partial,
    pop_verify,
    prove_possession,
    suite_named,
    verify,
    verify_partial,
)
from quorate.schemes.bls.scheme import AUGMENTED_SCHEME, POSSESSION_SCHEME
from quorate.schemes.bls.suites import AUGMENTED, BASIC, POSSESSION, POSSESSION_SHORT
from quorate.schemes.tweak import Tweak
from quorate.session import Party
from quorate.testing import Simulation

ALL = pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "bls.json").read_text())

# drand quicknet (scheme bls-unchained-g1-rfc9380), round 1000; the message is SHA-256 of the round's 8 bytes
QUICKNET_KEY = (
    "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
    "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
)

QUICKNET_1000 = (
    "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"
)


def signed(key: Table, message: bytes = MESSAGE) -> bytes:
    context = key.context(message)
    return combine(context, [(name, partial(seat, context)) for name, seat in key.seats.items()])


def flipped(octets: bytes, place: int) -> bytes:
    return octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1 :]


@pytest.mark.parametrize(
    "case", VECTORS["ethereum"], ids=lambda case: case["secret"][:4] + case["message"][:2]
)
def test_signatures_are_those_of_ethereum_s_vectors(case: dict[str, str]) -> None:
    key = split(POSSESSION, int(case["secret"], 16))
    assert signed(key, bytes.fromhex(case["message"])).hex() == case["signature"]


@pytest.mark.parametrize("case", VECTORS["chia"], ids=lambda case: case["suite"])
def test_signatures_of_all_three_suites_are_those_of_chia_s_vectors(case: dict[str, str]) -> None:
    key = split(suite_named(case["suite"]), int(case["secret"], 16))
    assert signed(key, bytes.fromhex(case["message"])).hex() == case["signature"]


def test_a_beacon_of_drand_verifies_with_short_signatures() -> None:
    # drand hashes with the suite's basic domain
    suite = suite_named("bls-basic-short")
    key = BLS12381_G2.point_from_bytes(bytes.fromhex(QUICKNET_KEY))
    signature = bytes.fromhex(QUICKNET_1000)
    message = sha256((1000).to_bytes(8, "big")).digest()
    verify(suite, key, message, signature)
    for wrong in (flipped(signature, 47), signature[:-1], b""):
        with pytest.raises(ProofRejected):
            verify(suite, key, message, wrong)
    with pytest.raises(ProofRejected):
        verify(suite, key, sha256((1001).to_bytes(8, "big")).digest(), signature)


@ALL
def test_any_quorum_makes_the_one_signature_of_the_key(suite: Suite) -> None:
    shares = deal(STRUCTURE, suite.keys)
    made = set()
    for signers in (("n1", "n2", "device"), ("n2", "n3", "device"), ("n1", "n3", "device")):
        key = Table(suite, STRUCTURE, signers)
        assert key.public_key == shares["n1"].public_key
        made.add(signed(key))
    (signature,) = made
    assert len(signature) == suite.signature_length
    verify(suite, key.public_key, MESSAGE, signature)


@ALL
def test_a_signature_is_refused_with_any_byte_changed(suite: Suite) -> None:
    key = table(suite)
    signature = signed(key)
    for place in range(0, len(signature), 5):
        with pytest.raises(ProofRejected):
            verify(suite, key.public_key, MESSAGE, flipped(signature, place))
    for message in (MESSAGE + b"!", b"", flipped(MESSAGE, 0)):
        with pytest.raises(ProofRejected):
            verify(suite, key.public_key, message, signature)
    with pytest.raises(ProofRejected):
        verify(suite, key.public_key + suite.keys.generator, MESSAGE, signature)


@ALL
def test_the_identity_is_neither_key_nor_signature(suite: Suite) -> None:
    infinity = bytes([0xC0]) + bytes(suite.signature_length - 1)
    hashed = suite.hash(suite.keys.generator, MESSAGE)
    for key in (suite.keys.identity, suite.keys.generator):
        with pytest.raises(ProofRejected):
            verify(suite, key, MESSAGE, infinity)
        with pytest.raises(ProofRejected):
            suite.check(key, hashed, suite.signatures.identity)
    with pytest.raises(ProofRejected):
        suite.check(suite.keys.identity, hashed, suite.signatures.generator)
    with pytest.raises(ProofRejected):
        verify(suite, ED25519.generator, MESSAGE, infinity)


@ALL
def test_a_signature_of_one_suite_is_none_of_another(suite: Suite) -> None:
    key = table(suite)
    signature = signed(key)
    for other in SUITES.values():
        if other.keys is suite.keys and other is not suite:
            with pytest.raises(ProofRejected):
                verify(other, key.public_key, MESSAGE, signature)


def test_milagro_accepts_ours_and_refuses_it_with_a_byte_changed() -> None:
    key = table(POSSESSION)
    signature, public = signed(key), key.public_key.to_bytes()
    assert milagro_bls_binding.Verify(public, MESSAGE, signature)
    assert not milagro_bls_binding.Verify(public, flipped(MESSAGE, 0), signature)
    assert not milagro_bls_binding.Verify(public, MESSAGE, signed(key, b"another"))
    infinity = bytes([0xC0]) + bytes(95)
    assert not milagro_bls_binding.Verify(bytes([0xC0]) + bytes(47), MESSAGE, infinity)


@pytest.mark.parametrize(
    ("suite", "theirs"),
    [(BASIC, "G2Basic"), (AUGMENTED, "G2MessageAugmentation"), (POSSESSION, "G2ProofOfPossession")],
    ids=["basic", "aug", "pop"],
)
def test_py_ecc_accepts_ours(suite: Suite, theirs: str) -> None:
    key = table(suite)
    assert getattr(py_ecc("bls"), theirs).Verify(key.public_key.to_bytes(), MESSAGE, signed(key))


def test_py_ecc_refuses_ours_for_a_message_with_a_byte_changed() -> None:
    key = table(POSSESSION)
    assert not py_ecc("bls").G2ProofOfPossession.Verify(
        key.public_key.to_bytes(), flipped(MESSAGE, 3), signed(key)
    )


@pytest.mark.parametrize("suite", [POSSESSION, POSSESSION_SHORT], ids=lambda suite: suite.name)
def test_a_quorum_proves_possession_of_its_key(suite: Suite) -> None:
    key = table(suite)

    async def run(party: Party) -> bytes | None:
        return await prove_possession(party, key.seats[party.me], suite, combiner="device")

    agreed = suite.proving().agreed
    result = Simulation(SIGN, run, SIGNERS, group=suite.keys, suite=agreed, key=KEY_ID, journaled=False).run()
    result.assert_sound()
    proof = result.values["device"]
    assert proof is not None
    pop_verify(suite, key.public_key, proof)
    for wrong in (flipped(proof, 20), signed(key, key.public_key.to_bytes())):
        with pytest.raises(ProofRejected):
            pop_verify(suite, key.public_key, wrong)
    with pytest.raises(ProofRejected):  # and it signs nothing
        verify(suite, key.public_key, key.public_key.to_bytes(), proof)
    with pytest.raises(ProofRejected):
        pop_verify(suite, suite.keys.identity, proof)
    if suite is POSSESSION:
        assert py_ecc("bls").G2ProofOfPossession.PopVerify(key.public_key.to_bytes(), proof)


def test_suites_without_proofs_have_none() -> None:
    with pytest.raises(LocalError, match="no proofs of possession"):
        pop_verify(AUGMENTED, BLS12381_G1.generator, b"")


@ALL
def test_a_partial_verifies_under_its_maker_s_public_part_alone(suite: Suite) -> None:
    key = table(suite)
    context = key.context()
    for name, seat in key.seats.items():
        made = partial(seat, context)
        assert made == partial(seat, context)
        verify_partial(context, name, made)
        for other in key.names:
            if other != name:
                with pytest.raises(ProofRejected):
                    verify_partial(context, other, made)


def test_wrong_partials_are_named() -> None:
    key = table(POSSESSION)
    context = key.context()
    true = {name: partial(seat, context) for name, seat in key.seats.items()}
    twice = BLS12381_G2.point_from_bytes(true["n1"].point)
    for wrong in (
        (twice + twice).to_bytes(),  # a point of the group
        true["n2"].point,  # another signer's
        bytes([0xC0]) + bytes(95),  # the identity
        flipped(true["n1"].point, 50),  # no point at all
        true["n1"].point[:-1],
        b"",
    ):
        given = {**true, "n1": Partial(context.digest, wrong)}
        with pytest.raises(FalsePartials) as caught:
            combine(context, given.items())
        assert (caught.value.wrong, caught.value.duplicate, caught.value.foreign) == (("n1",), (), ())
        assert "n1" in str(caught.value)


def test_duplicate_and_foreign_partials_are_named_and_equal_copies_count_once() -> None:
    key = table(POSSESSION)
    context = key.context()
    true = [(name, partial(seat, context)) for name, seat in key.seats.items()]
    assert combine(context, [*true, true[0]]) == combine(context, true)
    other = key.context(b"something else")
    foreign_context = ("n2", partial(key.seats["n2"], other))
    with pytest.raises(FalsePartials) as caught:
        combine(context, [*true, ("n1", Partial(context.digest, true[0][1].point)), foreign_context])
    assert caught.value.duplicate == ("n1",)
    assert caught.value.foreign == ("n2",)
    with pytest.raises(FalsePartials) as caught:
        combine(context, [*true, ("stranger", true[0][1])])
    assert (caught.value.wrong, caught.value.foreign) == ((), ("stranger",))


def test_two_partials_that_are_wrong_together_and_right_in_sum_make_the_signature() -> None:
    # only liars can do this, and what they get is what honest signers would have made
    key = table(POSSESSION)
    context = key.context()
    true = {name: partial(seat, context) for name, seat in key.seats.items()}
    shift = BLS12381_G2.generator
    points = {name: BLS12381_G2.point_from_bytes(true[name].point) for name in ("n1", "n2")}
    given = {
        **true,
        "n1": Partial(context.digest, (points["n1"] + shift).to_bytes()),
        "n2": Partial(context.digest, (points["n2"] - shift).to_bytes()),
    }
    assert combine(context, given.items()) == signed(key)


def test_a_missing_partial_and_a_stranger_s_name_are_refused() -> None:
    key = table(POSSESSION)
    context = key.context()
    made = partial(key.seats["n1"], context)
    with pytest.raises(LocalError, match="no partial signature of device, n2"):
        combine(context, [("n1", made)])
    with pytest.raises(LocalError, match="not among the signers"):
        verify_partial(context, "stranger", made)
    with pytest.raises(LocalError, match="another request"):
        verify_partial(key.context(b"other"), "n1", made)


def test_a_damaged_record_is_found_and_nobody_is_named() -> None:
    key = table(POSSESSION)
    context = key.context()
    given = [(name, partial(seat, context)) for name, seat in key.seats.items()]
    damaged = object.__new__(type(key.quorum))
    for field in ("key_id", "epoch", "group", "parts", "keepers"):
        object.__setattr__(damaged, field, getattr(key.quorum, field))
    object.__setattr__(damaged, "public_key", key.public_key + BLS12381_G1.generator)
    with pytest.raises(LocalError, match="record is damaged"):
        combine(replace(context, quorum=damaged), given)


def test_a_context_is_of_one_quorum_suite_and_message() -> None:
    key = table(POSSESSION)
    other = Table(POSSESSION, STRUCTURE, ("n1", "n3", "device"))
    with pytest.raises(LocalError, match="another quorum"):
        partial(key.seats["n1"], other.context())
    with pytest.raises(LocalError, match="keys of bls12381g2"):
        Context.of(POSSESSION_SHORT, key.quorum, MESSAGE)
    digests = {
        Context.of(suite, key.quorum, message).digest
        for suite in (BASIC, AUGMENTED, POSSESSION, POSSESSION.proving())
        for message in (b"", MESSAGE)
    }
    assert len({other.context().digest, *digests}) == 9


def test_the_augmented_message_carries_the_group_s_key_and_not_a_signer_s() -> None:
    key = table(AUGMENTED)
    plain = replace(AUGMENTED, augmented=False)
    message = key.public_key.to_bytes() + MESSAGE
    context = Context.of(plain, key.quorum, message)
    given = [(name, partial(seat, context)) for name, seat in key.seats.items()]
    assert signed(key) == combine(context, given)


def test_a_scheme_signs_and_verifies_and_has_no_derived_keys() -> None:
    key = table(POSSESSION)
    assert POSSESSION_SCHEME.suite(BLS12381_G1) == "bls12381g1/bls-pop"
    assert (POSSESSION_SCHEME.curve, POSSESSION_SCHEME.signature_length) == ("bls12381g1", 96)
    with pytest.raises(LocalError, match="keys of bls12381g1"):
        AUGMENTED_SCHEME.suite(BLS12381_G2)

    def play(tweak: Tweak | None, path: str) -> dict[str, bytes | None]:
        async def run(party: Party) -> bytes | None:
            return await POSSESSION_SCHEME.sign(
                party, key.seats[party.me], MESSAGE, combiner="device", tweak=tweak, path=path
            )

        agreed = POSSESSION_SCHEME.suite(BLS12381_G1)
        result = Simulation(
            SIGN, run, SIGNERS, group=BLS12381_G1, suite=agreed, key=KEY_ID, journaled=False
        ).run()
        for error in result.errors.values():
            raise error
        return result.values

    signature = play(Tweak.none(BLS12381_G1), "")["device"]
    assert signature is not None
    POSSESSION_SCHEME.verify(key.public_key, MESSAGE, signature)
    with pytest.raises(ProofRejected):
        POSSESSION_SCHEME.verify(key.public_key, b"", signature)
    for tweak, path in ((Tweak(BLS12381_G1.scalar(1)), ""), (None, "0/7")):
        with pytest.raises(LocalError, match="no derived accounts"):
            play(tweak, path)


def test_an_unknown_suite_is_refused() -> None:
    with pytest.raises(Unavailable, match="bls-pop"):
        suite_named("bls")
