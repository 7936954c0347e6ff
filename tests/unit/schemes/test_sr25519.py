"""sr25519: made by FROST, judged by schnorrkel (py-sr25519-bindings)."""

import pytest
import sr25519 as schnorrkel
from tests.support.schnorr import MESSAGE, OF_PAIR, OF_THREE, PAIR, THREE, Table, table

from quorate.errors import Blame, LocalError, ProofRejected
from quorate.groups import ED25519, group_named
from quorate.groups.ristretto255 import RISTRETTO255
from quorate.schemes.derivation import NoChild, account_path, derive, ristretto255
from quorate.schemes.registry import scheme_named
from quorate.schemes.schnorr import Share
from quorate.schemes.schnorr.suites.sr25519 import SCHEME, SUITE
from quorate.schemes.tweak import Tweak
from quorate.testing import Mutation, Tamper

CODE = bytes(range(32))


def accepts(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """schnorrkel's word, which is an exception for bytes that are no signature at all."""
    try:
        return bool(schnorrkel.verify(signature, message, public_key))
    except ValueError:
        return False


@pytest.mark.parametrize("size", [0, 1, 32, 166, 256, 1000])
def test_schnorrkel_accepts_what_two_signers_made(size: int) -> None:
    key, message = Table(OF_PAIR, PAIR, "sr25519", seed=size), b"m" * size
    result = key.signing("device", message=message)
    result.assert_sound()
    signature = result.values["device"]
    assert accepts(key.public_key.to_bytes(), message, signature)
    assert not accepts(key.public_key.to_bytes(), message + b"\0", signature)
    assert signature[63] & 0x80


def test_schnorrkel_and_we_refuse_it_with_one_byte_changed() -> None:
    key = table(OF_PAIR, PAIR, "sr25519")
    signature = key.signing("device").values["device"]
    public = key.public_key.to_bytes()
    SUITE.verify(key.public_key, MESSAGE, signature)
    for place in range(64):
        for bit in (0x01, 0x80):
            changed = bytearray(signature)
            changed[place] ^= bit
            assert not accepts(public, MESSAGE, bytes(changed))
            with pytest.raises(ProofRejected):
                SUITE.verify(key.public_key, MESSAGE, bytes(changed))


@pytest.mark.parametrize("message", [b"", b"m", b"m" * 500])
def test_our_verifier_takes_schnorrkels_own_signatures(message: bytes) -> None:
    public, secret = schnorrkel.pair_from_seed(bytes(32))
    signature = schnorrkel.sign((public, secret), message)
    point = RISTRETTO255.point_from_bytes(public)
    SUITE.verify(point, message, signature)
    with pytest.raises(ProofRejected):
        SUITE.verify(point, message + b"!", signature)
    with pytest.raises(ProofRejected):
        SUITE.verify(point + RISTRETTO255.generator, message, signature)


def test_a_signature_of_another_form_is_refused() -> None:
    key = table(OF_PAIR, PAIR, "sr25519")
    signature = key.signing("device").values["device"]
    above = int.from_bytes(signature[32:63] + bytes([signature[63] & 0x7F]), "little") + RISTRETTO255.order
    # the same response plus the order: fits below the marker, and is a second encoding of it
    doubled = signature[:32] + (above | 1 << 255).to_bytes(32, "little")
    for wrong in (b"", signature[:-1], signature + b"\x80", doubled, bytes(32) + signature[32:]):
        assert not accepts(key.public_key.to_bytes(), MESSAGE, wrong)
        with pytest.raises(ProofRejected):
            SUITE.verify(key.public_key, MESSAGE, wrong)
    for stranger in (ED25519.generator, RISTRETTO255.identity):
        with pytest.raises(ProofRejected):
            SUITE.verify(stranger, MESSAGE, signature)


def test_a_plain_ristretto_signature_is_none_of_sr25519() -> None:
    key = table(OF_PAIR, PAIR, "sr25519")
    other = table(OF_PAIR, PAIR, "frost-ristretto255")
    signature = other.signing("device").values["device"]
    assert other.public_key == key.public_key
    marked = signature[:63] + bytes([signature[63] | 0x80])
    for made in (signature, marked):
        with pytest.raises(ProofRejected):
            SUITE.verify(key.public_key, MESSAGE, made)


# --- derived accounts --------------------------------------------------------------------------------------


def test_accounts_are_those_of_schnorrkels_soft_derivation() -> None:
    root, code = RISTRETTO255.generator, CODE
    for index in (0, 7, 2**31 - 1):
        found = derive(root, code, str(index))
        theirs = schnorrkel.derive_pubkey((code, root.to_bytes()), index.to_bytes(4, "big"))
        assert theirs == (found.chain_code, found.point.to_bytes())
        assert found.tweak.child(root) == found.point
    two = derive(root, code, "3/4")
    one = schnorrkel.derive_pubkey((code, root.to_bytes()), (3).to_bytes(4, "big"))
    assert schnorrkel.derive_pubkey(one, (4).to_bytes(4, "big")) == (two.chain_code, two.point.to_bytes())
    assert account_path("ristretto255", 7) == "7"


def test_an_index_that_leaves_no_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (0, -1):
        monkeypatch.setattr(
            ristretto255.Transcript, "challenge_scalar", lambda *_, v=value: RISTRETTO255.scalar(v)
        )
        with pytest.raises(NoChild):
            derive(RISTRETTO255.generator, CODE, "5")


def test_a_derived_account_signs_and_its_root_does_not_verify() -> None:
    key = table(OF_THREE, THREE, "sr25519")
    derived = derive(key.public_key, CODE, "7")
    result = key.signing("device", tweak=derived.tweak, path="7")
    result.assert_sound()
    signature = result.values["device"]
    assert accepts(derived.point.to_bytes(), MESSAGE, signature)
    assert not accepts(key.public_key.to_bytes(), MESSAGE, signature)


@pytest.mark.parametrize("name", ["sr25519", "ed25519", "bip340"])
def test_binding_factor_and_challenge_move_with_the_tweak(name: str) -> None:
    """The re-randomised variant: nothing computed for one account serves another."""
    key = table(OF_PAIR, PAIR, name)
    made = key.prepared()["device"].public
    packages = [
        _package(key, made, derive(key.public_key, CODE, path).tweak) for path in ("", "0", "1", "0/1")
    ]
    factors = {tuple(factor.value for factor in package.factors.values()) for package in packages}
    assert len(factors) == 4
    assert len({package.challenge.value for package in packages}) == 4
    assert len({package.nonce.to_bytes() for package in packages}) == 4


def _package(key: Table, made: object, tweak: Tweak) -> object:
    from quorate.schemes.schnorr.frost import Package

    return Package.of(key.suite, key.public_key, tweak, MESSAGE, made.commitments)  # type: ignore[attr-defined]


def test_a_signer_that_derives_another_account_makes_no_signature() -> None:
    key = table(OF_PAIR, PAIR, "sr25519")
    ours, theirs = (derive(key.public_key, CODE, path).tweak for path in ("0", "1"))
    result = key.online(key.prepared(), "device", tweak={"device": ours, "n1": theirs}, path="0")
    assert not isinstance(result.errors["device"], Blame)
    assert result.values.get("device") is None


def test_a_false_share_for_a_derived_account_is_named() -> None:
    key = table(OF_THREE, THREE, "sr25519")
    more = Mutation("more", lambda value: value + RISTRETTO255.scalar(1))
    result = key.signing(
        "device",
        tweak=derive(key.public_key, CODE, "7").tweak,
        path="7",
        cheats=[Tamper("n1", Share, "response", more)],
    )
    result.assert_sound()
    assert isinstance(result.errors["device"], Blame)
    assert result.errors["device"].parties == ("n1",)


def test_sr25519_takes_no_x_only_tweak() -> None:
    with pytest.raises(LocalError, match="belongs to secp256k1"):
        Tweak(RISTRETTO255.scalar(0), bytes(32))


def test_the_scheme_is_registered() -> None:
    assert scheme_named("sr25519") is SCHEME
    assert SCHEME.suite(group_named("ristretto255")) == "ristretto255/sr25519"
