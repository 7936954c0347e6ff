"""FROST sessions without anybody lying: every suite, every quorum, and what other verifiers make of it."""

import importlib
import sys
from collections.abc import Callable

import nacl.exceptions
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from nacl.signing import VerifyKey
from solders.pubkey import Pubkey
from solders.signature import Signature as SolanaSignature
from tests.support.schnorr import MESSAGE, OF_PAIR, OF_THREE, PAIR, THREE, suite_named, table
from tests.support.signers import DealtKey, sign_with

from quorate.errors import LocalError, Malformed, ProofRejected, Unavailable
from quorate.groups import ED25519, registry
from quorate.schemes.schnorr import MAX_BATCH, Batch
from quorate.schemes.tweak import Tweak

NAMES = ["ed25519", "frost-ristretto255", "frost-secp256k1", "frost-p256"]


# --- verifiers that are not ours ----------------------------------------------------------------------------


def pynacl(key: bytes, message: bytes, signature: bytes) -> None:
    VerifyKey(key).verify(message, signature)


def openssl(key: bytes, message: bytes, signature: bytes) -> None:
    Ed25519PublicKey.from_public_bytes(key).verify(signature, message)


def solana(key: bytes, message: bytes, signature: bytes) -> None:
    if not SolanaSignature.from_bytes(signature).verify(Pubkey.from_bytes(key), message):
        raise InvalidSignature


VERIFIERS = [pynacl, openssl, solana]
REFUSALS = (nacl.exceptions.BadSignatureError, InvalidSignature)


@pytest.mark.parametrize("verify", VERIFIERS, ids=lambda verify: verify.__name__)
def test_ed25519_signatures_satisfy_other_people_s_verifiers(
    verify: Callable[[bytes, bytes, bytes], None],
) -> None:
    point, signature = sign_with("ed25519", MESSAGE)
    key = point.to_bytes()
    verify(key, MESSAGE, signature)
    for place in range(len(signature)):
        changed = bytearray(signature)
        changed[place] ^= 1
        with pytest.raises(REFUSALS):
            verify(key, MESSAGE, bytes(changed))
        with pytest.raises(ProofRejected):
            suite_named("ed25519").verify(point, MESSAGE, bytes(changed))
    with pytest.raises(REFUSALS):
        verify(key, MESSAGE + b"\0", signature)


def test_the_border_between_signature_and_message_does_not_move() -> None:
    """libsodium reads both as one string of bytes."""
    point, signature = sign_with("ed25519", MESSAGE)
    verify = suite_named("ed25519").verify
    for border in (0, 1, 32, 63, 65, 70):
        whole = signature + MESSAGE
        with pytest.raises(ProofRejected):
            verify(point, whole[border:], whole[:border])


def test_a_response_above_the_order_is_refused() -> None:
    point, signature = sign_with("ed25519", MESSAGE)
    raised = int.from_bytes(signature[32:], "little") + ED25519.order
    with pytest.raises(ProofRejected):
        suite_named("ed25519").verify(point, MESSAGE, signature[:32] + raised.to_bytes(32, "little"))


# --- every suite --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("text", "signers"), [(OF_PAIR, PAIR), (OF_THREE, THREE)], ids=["two", "three"])
def test_a_quorum_signs_cold_and_only_the_combiner_gets_it(
    name: str, text: str, signers: tuple[str, ...]
) -> None:
    key = table(text, signers, name)
    result = key.signing("device")
    result.assert_sound()
    signature = result.values["device"]
    assert [result.values[other] for other in signers if other != "device"] == [None] * (len(signers) - 1)
    key.suite.verify(key.public_key, MESSAGE, signature)
    assert len(signature) == key.suite.signature_length


@pytest.mark.parametrize("name", NAMES)
def test_one_message_each_is_enough_with_nonces_made_before(name: str) -> None:
    key = table(OF_THREE, THREE, name)
    result = key.online(key.prepared(), "device")
    result.assert_sound()
    key.suite.verify(key.public_key, MESSAGE, result.values["device"])
    assert result.happened["deliver"] >= 2


@pytest.mark.parametrize("name", NAMES)
def test_a_quorum_signs_for_a_child_key_and_not_for_the_root(name: str) -> None:
    key = table(OF_THREE, THREE, name)
    tweak = Tweak(key.group.scalar(4711))
    for result in (
        key.signing("device", tweak=tweak, path="0/7"),
        key.online(key.prepared(), "device", tweak=tweak, path="0/7"),
    ):
        result.assert_sound()
        signature = result.values["device"]
        key.suite.verify(tweak.child(key.public_key), MESSAGE, signature)
        with pytest.raises(ProofRejected):
            key.suite.verify(key.public_key, MESSAGE, signature)


def test_any_signer_combines_in_a_quorum_without_a_device() -> None:
    key = table("2 of (n1 n2 n3)", ("n1", "n3"))
    for combiner in ("n1", "n3"):
        result = key.signing(combiner)
        result.assert_sound()
        key.suite.verify(key.public_key, MESSAGE, result.values[combiner])


def test_signatures_of_one_message_differ_since_nonces_are_random() -> None:
    key = table(OF_PAIR, PAIR)
    assert len({key.signing("device", seed=seed).values["device"] for seed in range(4)}) == 4


@pytest.mark.parametrize("message", [b"", bytes(1), bytes(100_000)], ids=len)
def test_messages_of_any_length_are_signed(message: bytes) -> None:
    key = table(OF_PAIR, PAIR)
    result = key.signing("device", message=message)
    key.suite.verify(key.public_key, message, result.values["device"])


def test_one_key_signs_by_its_scheme_s_name() -> None:
    dealt = DealtKey("ed25519", OF_THREE, THREE)
    signature = dealt.sign("ed25519", MESSAGE)
    assert signature != dealt.sign("ed25519", MESSAGE)
    suite_named("ed25519").verify(dealt.public_key, MESSAGE, signature)


# --- batches ------------------------------------------------------------------------------------------------


def test_a_batch_makes_as_many_independent_nonces_as_agreed() -> None:
    key = table(OF_THREE, THREE)
    result = key.preparing(3)
    result.assert_sound()
    made = result.values
    assert {len(several) for several in made.values()} == {3}
    for index in range(3):
        at = {name: several[index] for name, several in made.items()}
        assert len({one.id for one in at.values()}) == 1
        assert len({one.public.list_hash() for one in at.values()}) == 1
        signed = key.online(at, "device", seed=index)
        signed.assert_sound()
        key.suite.verify(key.public_key, MESSAGE, signed.values["device"])
    ids = {one.id for one in made["n1"]}
    nonces = {one.nonces.hiding.reveal() for one in made["n1"]} | {
        one.nonces.binding.reveal() for one in made["n1"]
    }
    assert (len(ids), len(nonces)) == (3, 6)


def test_nonces_of_two_batches_do_not_sign_together() -> None:
    key = table(OF_PAIR, PAIR)
    first, second = key.prepared(seed=1), key.prepared(seed=2)
    result = key.online({"device": first["device"], "n1": second["n1"]}, "device")
    assert not result.blamed()
    assert result.values.get("device") is None


def test_a_batch_has_a_limit() -> None:
    assert Batch.from_payload(Batch(MAX_BATCH).to_payload()) == Batch(MAX_BATCH)
    for wrong in (0, MAX_BATCH + 1, -1):
        with pytest.raises(Malformed):
            Batch.from_payload(Batch(wrong).to_payload())
        result = table(OF_PAIR, PAIR).preparing(wrong)
        error = result.errors["n1"]
        assert isinstance(error, LocalError)
        assert "at a time" in str(error)
    result = table(OF_PAIR, PAIR).preparing(MAX_BATCH)
    result.assert_sound()


# --- optional libraries -------------------------------------------------------------------------------------


def test_a_suite_whose_library_is_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from quorate.schemes.schnorr.suites.ristretto255 import Ristretto255

    monkeypatch.setitem(sys.modules, "rbcl", None)
    monkeypatch.delitem(sys.modules, "quorate.groups.ristretto255", raising=False)
    monkeypatch.setattr(registry, "_load", registry._load.__wrapped__)
    with pytest.raises(Unavailable, match=r"install quorate\[sr25519\]"):
        _ = Ristretto255().group
    assert importlib.import_module("quorate.schemes.registry").scheme_named("frost-ristretto255")
