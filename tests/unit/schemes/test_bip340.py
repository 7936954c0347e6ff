"""BIP 340 with the tweaks of BIP 341, signed in the flavour of BIP 445: all three against their vectors."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from embit.ec import PublicKey, SchnorrSig
from tests.support.schnorr import OF_PAIR, OF_THREE, PAIR, THREE, Table, table

from quorate.errors import Blame, LocalError, Malformed, ProofRejected
from quorate.groups import ED25519, SECP256K1, Point, Scalar
from quorate.schemes.derivation import derive
from quorate.schemes.registry import scheme_named
from quorate.schemes.schnorr import Share
from quorate.schemes.schnorr.frost import Nonces, Package
from quorate.schemes.schnorr.suite import Commitment
from quorate.schemes.schnorr.suites import bip340
from quorate.schemes.schnorr.suites.bip340 import SUITE, Bip340, taproot_output, taproot_tweak, x_only_bytes
from quorate.schemes.tweak import Accumulated, Tweak, has_even_y
from quorate.secret import Secret
from quorate.testing import Mutation, Tamper

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/bip340.json").read_text())
DRAFT: dict[str, Any] = VECTORS["bip445"]
NONE = Tweak.none(SECP256K1)
CODE = bytes(range(32))


def hexed(text: str) -> bytes:
    return bytes.fromhex(text)


def scalar(text: str) -> Scalar:
    return SECP256K1.scalar_from_bytes(hexed(text))


def point(text: str) -> Point:
    return SECP256K1.point_from_bytes(hexed(text))


# --- the verifier ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", VECTORS["bip340"], ids=lambda case: str(case["index"]))
def test_the_verifier_answers_as_bip340_says(case: dict[str, Any]) -> None:
    key, message, signature = hexed(case["key"]), hexed(case["message"]), hexed(case["signature"])
    if not case["valid"]:
        with pytest.raises(ProofRejected):
            bip340.verify(key, message, signature)
        return
    bip340.verify(key, message, signature)
    for parity in (b"\x02", b"\x03"):
        SUITE.verify(SECP256K1.point_from_bytes(parity + key), message, signature)


def test_a_signature_with_one_byte_changed_is_refused() -> None:
    case = VECTORS["bip340"][17]
    key, message, signature = hexed(case["key"]), hexed(case["message"]), hexed(case["signature"])
    for place in range(64):
        changed = bytearray(signature)
        changed[place] ^= 1
        with pytest.raises(ProofRejected):
            bip340.verify(key, message, bytes(changed))
    for other in (message + b"\0", message[:-1], b""):
        with pytest.raises(ProofRejected):
            bip340.verify(key, other, signature)


def test_keys_and_signatures_of_another_length_or_curve_are_refused() -> None:
    case = VECTORS["bip340"][0]
    key, message, signature = hexed(case["key"]), hexed(case["message"]), hexed(case["signature"])
    for wrong in (b"", key[:-1], b"\x02" + key):
        with pytest.raises(ProofRejected):
            bip340.verify(wrong, message, signature)
    for wrong in (b"", signature[:-1], signature + b"\x01"):
        with pytest.raises(ProofRejected):
            bip340.verify(key, message, wrong)
    for stranger in (ED25519.generator, SECP256K1.identity):
        with pytest.raises(ProofRejected):
            SUITE.verify(stranger, message, signature)


# --- taproot -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", VECTORS["bip341"], ids=lambda case: case["internal"][:8])
def test_taproot_outputs_are_those_of_bip341(case: dict[str, str]) -> None:
    for parity in (b"\x02", b"\x03"):
        internal = SECP256K1.point_from_bytes(parity + hexed(case["internal"]))
        root = hexed(case["merkle_root"])
        assert taproot_tweak(internal, root).hex() == case["tweak"]
        assert taproot_output(internal, root).hex() == case["output"]
        tweak = Tweak(SECP256K1.scalar(0), taproot_tweak(internal, root))
        SUITE.verify(tweak.child(internal), hexed(case["sighash"]), hexed(case["signature"]))


def test_another_library_tweaks_alike() -> None:
    for value in range(1, 9):
        internal = SECP256K1.generator.multiply_public(SECP256K1.scalar(value))
        theirs = PublicKey.parse(internal.to_bytes())
        assert theirs.taproot_tweak(b"").xonly() == taproot_output(internal)
        assert theirs.taproot_tweak(b"r" * 32).xonly() == taproot_output(internal, b"r" * 32)


def test_a_merkle_root_has_32_bytes_or_none() -> None:
    for root in (b"\x01", b"r" * 31, b"r" * 33):
        with pytest.raises(Malformed):
            taproot_tweak(SECP256K1.generator, root)


def test_a_key_without_a_taproot_output_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bip340, "tagged", lambda *_: b"\xff" * 32)
    with pytest.raises(LocalError, match="take the next index"):
        taproot_tweak(SECP256K1.generator)


# --- BIP 445 -----------------------------------------------------------------------------------------------


class Tweaked(Bip340):
    """Any list of tweaks, as BIP 445 allows; the product has at most one of each kind, in order."""

    def __init__(self, tweaks: Sequence[int] = (), x_only: Sequence[bool] = ()) -> None:
        self.tweaks = [
            (scalar(DRAFT["tweaks"][index]), flag) for index, flag in zip(tweaks, x_only, strict=True)
        ]

    def key(self, root: Point, tweak: Tweak) -> Accumulated:
        state = Accumulated.start(root)
        for value, flag in self.tweaks:
            state = state.plus_x_only(value) if flag else state.plus(value)
        return state.even()


class WithoutCount(Tweaked):
    """b as the draft had it before version 0.8.0: the identifiers' count was not hashed."""

    def coefficient(self, key: Point, message: bytes, commitments: Sequence[Commitment]) -> Scalar:
        hashed = bip340.tagged(
            "BIP0445/noncecoef",
            b"".join((row.identifier - 1).to_bytes(4, "big") for row in commitments),
            hexed(aggregate(commitments)),
            x_only_bytes(key),
            message,
        )
        return SECP256K1.scalar(int.from_bytes(hashed, "big"))


def rows(ids: Sequence[int], nonces: Sequence[str] | None = None) -> list[Commitment]:
    shown = nonces or [DRAFT["pubnonces"][index] for index in ids]
    return [
        Commitment(index + 1, point(nonce[:66]), point(nonce[66:]))
        for index, nonce in zip(ids, shown, strict=True)
    ]


def aggregate(commitments: Sequence[Commitment]) -> str:
    hiding = SECP256K1.sum(row.hiding for row in commitments).to_bytes()
    return (hiding + SECP256K1.sum(row.binding for row in commitments).to_bytes()).hex()


def part(signer: int, ids: Sequence[int]) -> Scalar:
    """Lagrange's coefficient times the share."""
    value = scalar(DRAFT["secshares"][signer])
    for other in ids:
        if other != signer:
            below = SECP256K1.scalar(other - signer)
            value = value * SECP256K1.scalar(other + 1) * below.inverse()
    return value


def nonces_of(signer: int) -> Nonces:
    text = DRAFT["secnonces"][signer]
    return Nonces(Secret(scalar(text[:64])), Secret(scalar(text[64:])))


def package(suite: Bip340, case: dict[str, Any]) -> Package:
    return Package.of(suite, point(DRAFT["thresh_pk"]), NONE, hexed(case["message"]), rows(case["ids"]))


@pytest.mark.parametrize("case", DRAFT["sign"], ids=lambda case: str(case["test"]))
def test_partial_signatures_are_those_of_the_draft(case: dict[str, Any]) -> None:
    assert aggregate(rows(case["ids"])) == case["aggnonce"]
    made, signer = package(SUITE, case), case["signer"]
    share = made.share(signer + 1, nonces_of(signer), part(signer, case["ids"]))
    assert share.to_bytes().hex() == case["share"]
    made.check(signer + 1, SECP256K1.generator.multiply(part(signer, case["ids"])), share)


@pytest.mark.parametrize("case", DRAFT["sign_refused"], ids=lambda case: str(case["test"]))
def test_partial_signatures_that_the_draft_refuses_are_refused(case: dict[str, Any]) -> None:
    public = SECP256K1.generator.multiply(part(case["signer"], case["ids"]))
    with pytest.raises(ProofRejected):
        package(SUITE, case).check(case["signer"] + 1, public, scalar(case["share"]))


@pytest.mark.parametrize("case", DRAFT["tweak"], ids=lambda case: str(case["test"]))
def test_partial_signatures_under_tweaks_are_those_of_the_draft(case: dict[str, Any]) -> None:
    made, signer = package(WithoutCount(case["tweaks"], case["x_only"]), case), case["signer"]
    share = made.share(signer + 1, nonces_of(signer), part(signer, case["ids"]))
    assert share.to_bytes().hex() == case["share"]


@pytest.mark.parametrize("case", DRAFT["aggregate"], ids=lambda case: str(case["test"]))
def test_aggregates_are_those_of_the_draft(case: dict[str, Any]) -> None:
    made = package(WithoutCount(case["tweaks"], case["x_only"]), case)
    shares = {index + 1: scalar(share) for index, share in zip(case["ids"], case["shares"], strict=True)}
    signature = made.aggregate(shares)
    assert signature.hex() == case["signature"]
    SUITE.verify(made.key.point, hexed(case["message"]), signature)


def test_commitments_that_cancel_each_other_are_signed_with_the_generator_as_in_the_draft() -> None:
    # sign_verify test 6: signer 0 of all three
    ids, message = [0, 1, 2], hexed(DRAFT["sign"][0]["message"])
    nonces = [*DRAFT["pubnonces"][:2], DRAFT["cancelling_pubnonce"]]
    made = Package.of(SUITE, point(DRAFT["thresh_pk"]), NONE, message, rows(ids, nonces))
    assert made.nonce == SECP256K1.generator
    assert not made.negated
    share = made.share(1, nonces_of(0), part(0, ids))
    assert share.to_bytes().hex() == DRAFT["cancelling_share"]
    made.check(1, SECP256K1.generator.multiply(part(0, ids)), share)


def test_a_tweak_that_leaves_no_key_is_refused() -> None:
    # tweak test 9
    tweak = Tweak(scalar(DRAFT["cancelling_tweak"]))
    with pytest.raises(LocalError, match="cancels the key"):
        Package.of(SUITE, point(DRAFT["thresh_pk"]), tweak, b"m", rows([0, 1]))


# --- what the product signs --------------------------------------------------------------------------------


def keys() -> list[int]:
    """A secret with even and one with odd y."""
    odd = next(n for n in range(2, 50) if not has_even_y(SECP256K1.generator.multiply(SECP256K1.scalar(n))))
    return [1, odd]


@pytest.mark.parametrize("secret", keys())
@pytest.mark.parametrize("path", ["", "0/3", "1/8"])
@pytest.mark.parametrize("root", [None, b"", b"m" * 32])
def test_every_parity_path_and_script_tree_verifies_elsewhere(
    secret: int, path: str, root: bytes | None
) -> None:
    public = SECP256K1.generator.multiply(SECP256K1.scalar(secret))
    derived = derive(public, CODE, path)
    x_only = b"" if root is None else taproot_tweak(derived.point, root)
    tweak = Tweak(derived.tweak.plain, x_only)
    signature, message = sign(secret, tweak), b"m" * 32
    child = tweak.child(public)
    SUITE.verify(child, message, signature)
    output = x_only_bytes(child) if root is None else taproot_output(derived.point, root)
    theirs = PublicKey.from_xonly(output)
    assert theirs.schnorr_verify(SchnorrSig(signature), message)
    changed = bytes([signature[0] ^ 1]) + signature[1:]
    with pytest.raises(ProofRejected):
        SUITE.verify(child, message, changed)
    with pytest.raises(ProofRejected):
        SUITE.verify(child, b"n" * 32, signature)


def sign(secret: int, tweak: Tweak, message: bytes = b"m" * 32) -> bytes:
    """Two signers with additive parts, by the suite alone."""
    group = SECP256K1
    parts = {1: group.scalar(12345), 2: group.scalar(secret - 12345)}
    public = group.generator.multiply(group.scalar(secret))
    held = {
        name: Nonces.draw(SUITE, part, lambda count, n=name: bytes([n]) * count)
        for name, part in parts.items()
    }  # type: ignore[misc]
    made = Package.of(SUITE, public, tweak, message, [held[name].commit(name) for name in parts])
    shares = {name: made.share(name, held[name], part) for name, part in parts.items()}
    for name, part in parts.items():
        made.check(name, group.generator.multiply(part), shares[name])
    return made.aggregate(shares)


def moved(key: Table, path: str = "0/7") -> Tweak:
    """The tweak of a derived account's taproot output."""
    derived = derive(key.public_key, CODE, path)
    return Tweak(derived.tweak.plain, taproot_tweak(derived.point))


@pytest.mark.parametrize("seed", range(6))
def test_a_session_signs_for_a_taproot_output_of_a_derived_account(seed: int) -> None:
    key = Table(OF_PAIR, PAIR, "bip340", seed=seed)
    tweak = moved(key)
    result = key.signing("device", message=b"m" * 32, tweak=tweak, path="0/7")
    result.assert_sound()
    signature = result.values["device"]
    output = taproot_output(derive(key.public_key, CODE, "0/7").point)
    assert PublicKey.from_xonly(output).schnorr_verify(SchnorrSig(signature), b"m" * 32)
    with pytest.raises(ProofRejected):
        SUITE.verify(key.public_key, b"m" * 32, signature)


def test_online_signatures_under_a_tweak_need_one_message_each() -> None:
    key = table(OF_THREE, THREE, "bip340")
    result = key.online(key.prepared(), "device", tweak=moved(key), path="0/7")
    result.assert_sound()
    SUITE.verify(moved(key).child(key.public_key), b"pay 1 to 0x00", result.values["device"])


@pytest.mark.parametrize("seed", range(4))
def test_a_false_share_is_named_whatever_the_parities(seed: int) -> None:
    key = Table(OF_THREE, THREE, "bip340", seed=seed)
    more = Mutation("more", lambda value: value + SECP256K1.scalar(1))
    result = key.signing(
        "device", tweak=moved(key), path="0/7", cheats=[Tamper("n1", Share, "response", more)]
    )
    result.assert_sound()
    assert isinstance(result.errors["device"], Blame)
    assert result.errors["device"].parties == ("n1",)


def test_the_coefficient_covers_key_message_signers_and_both_sums() -> None:
    root, listed = point(DRAFT["thresh_pk"]), rows([0, 1])
    again = SUITE.coefficient(root, b"m", listed)
    assert SUITE.binding_factors(root, b"m", listed) == [again, again]
    assert SUITE.coefficient(-root, b"m", listed) == again
    swapped = [Commitment(row.identifier, row.binding, row.hiding) for row in listed]
    others = [
        SUITE.coefficient(root + SECP256K1.generator, b"m", listed),
        SUITE.coefficient(root, b"n", listed),
        SUITE.coefficient(root, b"m", rows([0, 2])),
        SUITE.coefficient(root, b"m", rows([1, 2], DRAFT["pubnonces"][:2])),
        SUITE.coefficient(root, b"m", swapped),
    ]
    assert len({value.value for value in [again, *others]}) == 6


def test_sums_at_infinity_are_hashed_as_zeros() -> None:
    nonces = [*DRAFT["pubnonces"][:2], DRAFT["cancelling_pubnonce"]]
    assert SUITE.coefficient(SECP256K1.generator, b"m", rows([0, 1, 2], nonces)).value


def test_the_scheme_is_registered() -> None:
    assert scheme_named("bip340") is bip340.SCHEME
    assert bip340.SCHEME.signature_length == 64
