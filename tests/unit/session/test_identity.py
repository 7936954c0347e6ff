"""Identities: the real pair and the simulator's behave alike."""

import contextlib

import pytest
from tests.unit.session.table import real_identity

from quorate.entropy import SeededRng
from quorate.errors import Malformed, ProofRejected
from quorate.secret import Secret
from quorate.session import Identity, KeyPair, PublicKeys
from quorate.testing.identities import unsafe_identity

RNG = SeededRng(bytes(32))
INFO = b"a place"


@pytest.fixture(params=["real", "unsafe"])
def pair(request: pytest.FixtureRequest) -> tuple[Identity, Identity]:
    make = real_identity if request.param == "real" else unsafe_identity
    return make("alice"), make("bob")


def test_a_signature_is_of_one_key_over_one_text(pair: tuple[Identity, Identity]) -> None:
    alice, bob = pair
    signature = alice.sign(b"text")
    assert len(signature) == 64
    assert alice.sign(b"text") == signature
    alice.public.verify(b"text", signature)
    for verifier, text, bytes_ in [
        (bob, b"text", signature),
        (alice, b"Text", signature),
        (alice, b"text", signature[:-1]),
        (alice, b"text", signature + b"\x00"),
        (alice, b"ext", signature + b"t"),
        (alice, b"text", bytes(64)),
    ]:
        with pytest.raises(ProofRejected):
            verifier.public.verify(text, bytes_)


@pytest.mark.parametrize("length", [0, 1, 1000])
def test_a_box_opens_for_its_recipient_in_its_place(pair: tuple[Identity, Identity], length: int) -> None:
    alice, bob = pair
    box = bob.public.seal(bytes(length), INFO, RNG)
    assert bob.open(box, INFO) == bytes(length)
    assert bob.public.seal(bytes(length), INFO, RNG) != box
    for opener, data, info in [(alice, box, INFO), (bob, box, b"another"), (bob, box[:-1] + b"\x00", INFO)]:
        with pytest.raises((ProofRejected, Malformed)):
            opener.open(data, info)


def test_a_stranger_opens_a_box_with_its_opening_and_no_other(pair: tuple[Identity, Identity]) -> None:
    alice, bob = pair
    box, other = (bob.public.seal(text, INFO, RNG) for text in (b"one", b"two"))
    opening = bob.opening(box, INFO, RNG)
    assert bob.public.open_with(opening, box, INFO) == b"one"
    for public, given, data in [
        (bob.public, opening, other),
        (bob.public, bob.opening(other, INFO, RNG), box),
        (bob.public, alice.opening(box, INFO, RNG), box),
        (alice.public, opening, box),
        (bob.public, opening[:-1] + bytes([opening[-1] ^ 1]), box),
        (bob.public, b"", box),
        (bob.public, b"rubbish", box),
    ]:
        with pytest.raises(ProofRejected):
            public.open_with(given, data, INFO)


def test_a_true_opening_of_a_box_that_holds_nothing_shows_its_sender(pair: tuple[Identity, Identity]) -> None:
    _, bob = pair
    box = bob.public.seal(b"text", INFO, RNG)
    spoilt = box[:-1] + bytes([box[-1] ^ 1])
    opening = b""
    with contextlib.suppress(Malformed):  # real keys give no opening of what its sender did not make
        opening = bob.opening(spoilt, INFO, RNG)
    with pytest.raises(Malformed):
        bob.public.open_with(opening, spoilt, INFO)


def test_what_is_no_box_shows_its_sender_without_an_opening(pair: tuple[Identity, Identity]) -> None:
    _, bob = pair
    with pytest.raises(Malformed):
        bob.public.open_with(b"", b"short", INFO)


def test_public_keys_have_one_encoding() -> None:
    keys = real_identity("alice").public
    assert PublicKeys.from_bytes(keys.to_bytes()) == keys
    assert hash(PublicKeys.from_bytes(keys.to_bytes())) == hash(keys)
    assert keys != real_identity("bob").public
    for data in (b"", keys.to_bytes()[:-1], keys.to_bytes() + b"\x00", keys.to_bytes()[:32] + bytes(33)):
        with pytest.raises(Malformed):
            PublicKeys.from_bytes(data)


def test_an_identity_is_its_seed() -> None:
    assert KeyPair(Secret(bytes(32))).public == KeyPair(Secret(bytes(32))).public
    assert KeyPair.generate(RNG).public != KeyPair.generate(RNG).public


def test_a_relay_cannot_respell_a_signature() -> None:
    # s + L verifies in lax implementations; one envelope would then have two forms, and its sender be blamed
    identity = real_identity("alice")
    signature = identity.sign(b"text")
    order = (1 << 252) + 27742317777372353535851937790883648493
    respelled = int.from_bytes(signature[32:], "little") + order
    with pytest.raises(ProofRejected):
        identity.public.verify(b"text", signature[:32] + respelled.to_bytes(32, "little"))
