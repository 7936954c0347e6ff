"""HPKE against its published vectors, and openings that a stranger can check."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hpke as openssl_hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from quorate.entropy import SeededRng
from quorate.errors import Malformed, ProofRejected
from quorate.groups import SECP256K1
from quorate.groups.pure import PURE_SECP256K1
from quorate.groups.secp256k1 import uncompressed
from quorate.groups.toy import TOY_GROUP
from quorate.primitives import hpke
from quorate.primitives.proofs import DleqProof, SchnorrProof
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest

FOLDER = Path(__file__).resolve().parents[2] / "vectors"
PUBLISHED = json.loads((FOLDER / "hpke.json").read_text())
VECTORS = json.loads((FOLDER / "sealing.json").read_text())
SECRET = SECP256K1.scalar_from_bytes(bytes.fromhex(VECTORS["secret"]))
RECIPIENT = SECP256K1.generator.multiply(SECRET)
INFO, AAD = b"session", b"slot"
BOX = hpke.seal(RECIPIENT, INFO, AAD, b"a message", SeededRng(b"box"))
OPENING = hpke.prove_opening(SECRET, INFO, AAD, BOX, SeededRng(b"opening"))


def octets(case: dict[str, Any]) -> dict[str, bytes]:
    return {name: bytes.fromhex(value) for name, value in case.items() if isinstance(value, str)}


def x25519_shared(secret: bytes, encapsulated: bytes, recipient: bytes, peer: bytes) -> bytes:
    """DHKEM(X25519, HKDF-SHA256) on our key schedule; this KEM exists for the tests alone."""
    exchanged = X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(peer))
    return hpke.extract_and_expand(0x0020, exchanged, encapsulated + recipient)


def test_rfc_9180_appendix_a_1_1() -> None:
    case, v = PUBLISHED["x25519"], octets(PUBLISHED["x25519"])
    for secret, peer in [(v["skEm"], v["pkRm"]), (v["skRm"], v["enc"])]:
        shared = x25519_shared(secret, v["enc"], v["pkRm"], peer)
        assert shared == v["shared_secret"]
    suite = hpke.Suite(case["kem"], case["aead"], case["key_length"], AESGCM)
    key, nonce = hpke.key_schedule(suite, shared, v["info"])
    assert (key, nonce) == (v["key"], v["base_nonce"])
    assert suite.cipher(key).encrypt(nonce, v["pt"], v["aad"]) == v["ct"]


@pytest.mark.parametrize("number", range(2))
def test_the_published_vectors_of_the_secp256k1_kem(number: int) -> None:
    case = PUBLISHED["secp256k1"][number]
    v = octets(case)
    ephemeral, secret = (SECP256K1.scalar_from_bytes(v[name]) for name in ("skEm", "skRm"))
    encapsulated, recipient = (SECP256K1.generator.multiply(k) for k in (ephemeral, secret))
    assert uncompressed(encapsulated) == v["enc"]
    assert uncompressed(recipient) == v["pkRm"]
    for point in (recipient.multiply(ephemeral), encapsulated.multiply(secret)):
        exchanged = SECP256K1.x_coordinate(point).to_bytes(32, "big")
        shared = hpke.extract_and_expand(case["kem"], exchanged, v["enc"] + v["pkRm"])
        assert shared == v["shared_secret"]
    suite = hpke.Suite(case["kem"], case["aead"], case["key_length"], AESGCM)
    assert hpke.key_schedule(suite, shared, v["info"]) == (v["key"], v["base_nonce"])


def test_a_box_is_exactly_what_the_published_kem_makes_but_for_the_short_point() -> None:
    """Sealing with the vector's ephemeral key gives its key and nonce: the whole path, not its parts."""
    v = octets(PUBLISHED["secp256k1"][1])
    recipient = SECP256K1.generator.multiply(SECP256K1.scalar_from_bytes(v["skRm"]))
    wide = (int.from_bytes(v["skEm"], "big") - 1).to_bytes(48, "big")
    box = hpke.seal(recipient, v["info"], b"aad", b"text", lambda _: wide)
    assert uncompressed(SECP256K1.point_from_bytes(box[:33])) == v["enc"]
    assert AESGCM(v["key"]).decrypt(v["base_nonce"], box[hpke.FRONT :], b"aad") == b"text"


@pytest.mark.parametrize(
    ("aead", "code", "cipher", "length"),
    [
        ("AES_128_GCM", 1, AESGCM, 16),
        ("AES_256_GCM", 2, AESGCM, 32),
        ("CHACHA20_POLY1305", 3, ChaCha20Poly1305, 32),
    ],
)
def test_our_key_schedule_opens_what_openssl_sealed(aead: str, code: int, cipher: Any, length: int) -> None:
    theirs = openssl_hpke.Suite(
        openssl_hpke.KEM.X25519, openssl_hpke.KDF.HKDF_SHA256, getattr(openssl_hpke.AEAD, aead)
    )
    key = X25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = key.public_key().public_bytes_raw()
    box = theirs.encrypt(b"hello", key.public_key(), info=INFO)
    shared = x25519_shared(bytes(range(32)), box[:32], public, box[:32])
    secret, nonce = hpke.key_schedule(hpke.Suite(0x0020, code, length, cipher), shared, INFO)
    assert cipher(secret).decrypt(nonce, box[32:], b"") == b"hello"


def test_the_recipient_opens_its_box() -> None:
    assert hpke.open(SECRET, INFO, AAD, BOX) == b"a message"
    assert hpke.open(SECRET, INFO, AAD, BOX, public=RECIPIENT) == b"a message"
    assert len(BOX) == len(b"a message") + hpke.OVERHEAD


def test_boxes_and_openings_are_those_of_the_vectors() -> None:
    case = octets(VECTORS["hpke"])
    wide = (int(VECTORS["ephemeral"], 16) - 1).to_bytes(48, "big")
    box = hpke.seal(RECIPIENT, case["info"], case["aad"], case["plaintext"], lambda _: wide)
    assert box == case["box"]
    opening = hpke.prove_opening(SECRET, case["info"], case["aad"], box, SeededRng(b"opening"))
    assert opening.to_bytes() == case["opening"]
    read = hpke.Opening.from_bytes(case["opening"])
    assert hpke.open_with(read, RECIPIENT, case["info"], case["aad"], box) == case["plaintext"]


def test_the_senders_proof_is_the_one_of_the_page() -> None:
    """docs/protocols/sealing.md, step 9, with hashes and a curve of this test's own."""

    def hashed(*fields: bytes, length: int) -> bytes:
        parts = (b"quorate/v1", b"hpke/sender", *fields, length.to_bytes(8, "big"))
        octets = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hashlib.sha256(octets).digest() if length == 32 else hashlib.shake_256(octets).digest(length)

    case = octets(VECTORS["hpke"])
    enc, commitment, response, sealed = (
        case["box"][a:b] for a, b in ((0, 33), (33, 66), (66, 98), (98, None))
    )
    place = hashed(case["info"], case["aad"], sealed, length=32)
    labelled = (b"context", place, b"point", enc, b"commitment", commitment, b"secp256k1")
    challenge = int.from_bytes(hashed(*labelled, length=48), "big")
    curve = PURE_SECP256K1
    left = curve.generator.multiply(curve.scalar_from_bytes(response))
    right = curve.point_from_bytes(enc).multiply(curve.scalar(challenge))
    assert left == curve.point_from_bytes(commitment) + right


@pytest.mark.parametrize(
    ("info", "aad"), [(b"other", AAD), (INFO, b"other"), (b"", AAD), (INFO, b""), (b"sessions", b"lot")]
)
def test_another_purpose_or_place_does_not_open_it(info: bytes, aad: bytes) -> None:
    for call in (
        lambda: hpke.open(SECRET, info, aad, BOX),
        lambda: hpke.prove_opening(SECRET, info, aad, BOX, SeededRng(b"")),
        lambda: hpke.open_with(OPENING, RECIPIENT, info, aad, BOX),
    ):
        with pytest.raises(Malformed, match="does not open"):
            call()


def test_another_key_does_not_open_it() -> None:
    for other in (SECRET + SECP256K1.scalar(1), -SECRET):
        with pytest.raises(ProofRejected):
            hpke.open(other, INFO, AAD, BOX)
    with pytest.raises(ProofRejected):
        hpke.open(SECRET, INFO, AAD, BOX, public=SECP256K1.generator)


def test_no_altered_cut_or_longer_box_opens() -> None:
    changed = [BOX[:n] + bytes([BOX[n] ^ 1]) + BOX[n + 1 :] for n in range(len(BOX))]
    cut = [BOX[:n] for n in range(len(BOX))]
    for wrong in [*changed, *cut, BOX + b"\0"]:
        with pytest.raises((ProofRejected, Malformed)):
            hpke.open(SECRET, INFO, AAD, wrong)


@pytest.mark.parametrize("recipient", [SECP256K1.identity, TOY_GROUP.generator, PURE_SECP256K1.generator])
def test_only_a_usable_key_gets_a_box(recipient: Any) -> None:
    with pytest.raises(Malformed):
        hpke.seal(recipient, INFO, AAD, b"", SeededRng(b""))
    with pytest.raises(Malformed):
        hpke.open_with(OPENING, recipient, INFO, AAD, BOX)


def test_a_zero_secret_opens_nothing() -> None:
    with pytest.raises(Malformed):
        hpke.open(SECP256K1.scalar(0), INFO, AAD, BOX)


OTHER_BOX = hpke.seal(RECIPIENT, INFO, AAD, b"another message", SeededRng(b"other"))


@pytest.mark.parametrize(
    "box",
    [
        bytes(33) + BOX[33:],
        b"\x02" + (5).to_bytes(32, "big") + BOX[33:],
        b"\x02" + b"\xff" * 32 + BOX[33:],
        BOX[:33] + bytes(33) + BOX[66:],
        BOX[:66] + b"\xff" * 32 + BOX[98:],
        BOX[:33] + OTHER_BOX[33:],
        BOX[:98] + OTHER_BOX[98:],
        BOX[:-1] + bytes([BOX[-1] ^ 1]),
    ],
)
def test_what_has_no_proven_point_in_front_is_malformed_for_everybody(box: bytes) -> None:
    for call in (
        lambda: hpke.encapsulation(box, INFO, AAD),
        lambda: hpke.open(SECRET, INFO, AAD, box),
        lambda: hpke.prove_opening(SECRET, INFO, AAD, box, SeededRng(b"")),
        lambda: hpke.open_with(OPENING, RECIPIENT, INFO, AAD, box),
    ):
        with pytest.raises(Malformed):
            call()


def test_a_stranger_learns_what_the_box_held() -> None:
    read = hpke.Opening.from_bytes(OPENING.to_bytes())
    assert hpke.open_with(read, RECIPIENT, INFO, AAD, BOX) == b"a message"


def test_a_true_opening_of_a_box_of_garbage_convicts_the_sender() -> None:
    secret = SECP256K1.scalar(5)
    point = SECP256K1.generator.multiply(secret)
    place = digest(Tag.HPKE_SENDER, INFO, AAD, bytes(20))
    proof = SchnorrProof.prove(Tag.HPKE_SENDER, place, secret, point, SeededRng(b"sender"))
    garbage = b"".join((point.to_bytes(), proof.commitment.to_bytes(), proof.response.to_bytes(), bytes(20)))
    with pytest.raises(ProofRejected, match="does not open"):
        hpke.open(SECRET, INFO, AAD, garbage)
    opening = hpke.prove_opening(SECRET, INFO, AAD, garbage, SeededRng(b"g"))
    assert hpke.open_with(opening, RECIPIENT, INFO, AAD, garbage) is None


def test_a_liar_with_another_shared_point_is_refused() -> None:
    g, rng = SECP256K1.generator, SeededRng(b"liar")
    encapsulated = hpke.encapsulation(BOX, INFO, AAD)
    wrong = SECRET + SECP256K1.scalar(1)
    made_for_wrong = DleqProof.prove(
        Tag.HPKE_OPENING, BOX, wrong, RECIPIENT, encapsulated, encapsulated.multiply(wrong), rng
    )
    for lie in [
        hpke.Opening(OPENING.shared + g, OPENING.proof),
        hpke.Opening(-OPENING.shared, OPENING.proof),
        hpke.Opening(encapsulated, OPENING.proof),
        hpke.Opening(encapsulated.multiply(wrong), made_for_wrong),
    ]:
        with pytest.raises(ProofRejected):
            hpke.open_with(lie, RECIPIENT, INFO, AAD, BOX)


def test_an_opening_is_for_one_box_and_one_key() -> None:
    with pytest.raises(ProofRejected):
        hpke.open_with(OPENING, RECIPIENT, INFO, AAD, OTHER_BOX)
    with pytest.raises(ProofRejected):
        hpke.open_with(OPENING, SECP256K1.generator, INFO, AAD, BOX)


def test_an_opening_does_not_open_the_next_box() -> None:
    other = hpke.seal(RECIPIENT, INFO, AAD, b"still secret", SeededRng(b"other"))
    opening = hpke.Opening(OPENING.shared, OPENING.proof)
    with pytest.raises(ProofRejected):
        hpke.open_with(opening, RECIPIENT, INFO, AAD, other)


def test_a_malformed_opening_is_not_read() -> None:
    wire = OPENING.to_bytes()
    assert len(wire) == 141
    for wrong in (wire[:-1], wire + b"\0", b"", wire[:3] + bytes(33) + wire[36:], wire[:-32] + b"\xff" * 32):
        with pytest.raises(Malformed):
            hpke.Opening.from_bytes(wrong)
