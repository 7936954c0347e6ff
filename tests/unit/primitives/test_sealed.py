"""Boxes sealed to factor keys."""

import json
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from quorate.entropy import SeededRng
from quorate.errors import LimitExceeded, Malformed, ProofRejected
from quorate.groups import SECP256K1
from quorate.groups.pure import PURE_SECP256K1
from quorate.groups.secp256k1 import uncompressed
from quorate.groups.toy import TOY_GROUP
from quorate.primitives import sealed
from quorate.primitives.sealed import MAX_PLAINTEXT, OVERHEAD, SealContext, open_sealed, seal

VECTORS = json.loads((Path(__file__).resolve().parents[2] / "vectors/sealing.json").read_text())
SECRET = SECP256K1.scalar_from_bytes(bytes.fromhex(VECTORS["secret"]))
RECIPIENT = SECP256K1.generator.multiply(SECRET)
CONTEXT = SealContext("account-1", "device", 3, "share")
BOX = seal(RECIPIENT, b"a share", context=CONTEXT, rng=SeededRng(b"box"))


def fixed_ephemeral(count: int) -> bytes:
    """Randomness that `random_scalar` turns into the vector's ephemeral scalar."""
    return (int(VECTORS["ephemeral"], 16) - 1).to_bytes(count, "big")


def openssl_opens(secret: int, box: bytes, context: SealContext) -> bytes:
    """The page's steps with OpenSSL's curve, HKDF and AES; nothing of ours but the context's encoding."""
    key = ec.derive_private_key(secret, ec.SECP256K1())
    peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), box[:33])
    numbers = key.public_key().public_numbers()
    recipient = bytes([2 + (numbers.y & 1)]) + numbers.x.to_bytes(32, "big")
    plain_context = msgspec.msgpack.encode([context.account, context.factor, context.epoch, context.purpose])
    fields = [b"quorate/v1", b"sealed/box", box[:33], recipient, plain_context]
    info = b"".join(len(field).to_bytes(8, "big") + field for field in fields)
    output = HKDF(SHA256(), 44, None, info).derive(key.exchange(ec.ECDH(), peer))
    return AESGCM(output[:32]).decrypt(output[32:], box[33:], None)


def test_the_recipient_opens_it_under_the_same_context() -> None:
    assert open_sealed(SECRET, BOX, CONTEXT) == b"a share"
    assert len(BOX) == len(b"a share") + OVERHEAD


@pytest.mark.parametrize("length", [0, 1, 32, 1000])
def test_openssl_reads_our_boxes_by_the_page(length: int) -> None:
    rng = SeededRng(length.to_bytes(2, "big"))
    secret = SECP256K1.random_scalar(rng)
    plaintext = rng(length)
    box = seal(SECP256K1.generator.multiply(secret), plaintext, context=CONTEXT, rng=rng)
    assert openssl_opens(secret.value, box, CONTEXT) == plaintext == open_sealed(secret, box, CONTEXT)


def test_boxes_are_those_of_the_vectors() -> None:
    case = VECTORS["sealed"]
    context = SealContext(case["account"], case["factor"], case["epoch"], case["purpose"])
    assert context == CONTEXT
    box = seal(RECIPIENT, bytes.fromhex(case["plaintext"]), context=context, rng=fixed_ephemeral)
    assert box.hex() == case["box"]
    assert openssl_opens(SECRET.value, box, context).hex() == case["plaintext"]


def test_a_shared_coordinate_with_a_leading_zero_keeps_its_32_bytes() -> None:
    # search for a recipient whose shared x begins with a zero byte: dropping it is a classic incompatibility
    ephemeral = SECP256K1.scalar(int(VECTORS["ephemeral"], 16))
    for number in range(1, 5000):
        secret = SECP256K1.scalar(number)
        shared = SECP256K1.generator.multiply(secret * ephemeral)
        if shared.to_bytes()[1] == 0:
            break
    else:
        pytest.fail("no such recipient below 5000")
    recipient = SECP256K1.generator.multiply(secret)
    box = seal(recipient, b"zero", context=CONTEXT, rng=fixed_ephemeral)
    assert openssl_opens(secret.value, box, CONTEXT) == b"zero"


@pytest.mark.parametrize(
    "context",
    [
        SealContext("account-2", "device", 3, "share"),
        SealContext("account-1", "backup", 3, "share"),
        SealContext("account-1", "device", 4, "share"),
        SealContext("account-1", "device", 3, "metadata"),
        SealContext("account-1d", "evice", 3, "share"),
    ],
)
def test_another_context_does_not_open_it(context: SealContext) -> None:
    with pytest.raises(ProofRejected, match="does not open"):
        open_sealed(SECRET, BOX, context)


def test_another_key_does_not_open_it() -> None:
    for other in (SECRET + SECP256K1.scalar(1), -SECRET):
        with pytest.raises(ProofRejected):
            open_sealed(other, BOX, CONTEXT)


def test_no_altered_byte_goes_unnoticed() -> None:
    for place in range(len(BOX)):
        altered = BOX[:place] + bytes([BOX[place] ^ 1]) + BOX[place + 1 :]
        with pytest.raises((ProofRejected, Malformed)):
            open_sealed(SECRET, altered, CONTEXT)


def test_a_box_cut_short_or_made_longer_is_refused() -> None:
    for length in range(len(BOX)):
        with pytest.raises((ProofRejected, Malformed)):
            open_sealed(SECRET, BOX[:length], CONTEXT)
    with pytest.raises(ProofRejected):
        open_sealed(SECRET, BOX + b"\0", CONTEXT)


@pytest.mark.parametrize(
    "front",
    [
        bytes(33),
        b"\x02" + (5).to_bytes(32, "big"),
        b"\x04" + RECIPIENT.to_bytes()[1:],
        b"\x02" + b"\xff" * 32,
    ],
)
def test_a_front_that_is_no_point_is_refused(front: bytes) -> None:
    with pytest.raises(Malformed):
        open_sealed(SECRET, front + BOX[33:], CONTEXT)
    with pytest.raises(Malformed):
        open_sealed(SECRET, uncompressed(RECIPIENT) + BOX[33:], CONTEXT)


@pytest.mark.parametrize("recipient", [SECP256K1.identity, TOY_GROUP.generator, PURE_SECP256K1.generator])
def test_only_a_usable_key_is_sealed_to(recipient: object) -> None:
    with pytest.raises(Malformed):
        seal(recipient, b"", context=CONTEXT, rng=SeededRng(b""))  # type: ignore[arg-type]


@pytest.mark.parametrize("secret", [SECP256K1.scalar(0), TOY_GROUP.scalar(3)])
def test_only_a_usable_secret_opens(secret: object) -> None:
    with pytest.raises(Malformed):
        open_sealed(secret, BOX, CONTEXT)  # type: ignore[arg-type]


def test_the_limit_on_what_a_box_holds_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_PLAINTEXT == 1 << 20
    monkeypatch.setattr(sealed, "MAX_PLAINTEXT", 100)
    rng = SeededRng(b"limit")
    box = seal(RECIPIENT, bytes(100), context=CONTEXT, rng=rng)
    assert open_sealed(SECRET, box, CONTEXT) == bytes(100)
    with pytest.raises(LimitExceeded):
        seal(RECIPIENT, bytes(101), context=CONTEXT, rng=rng)
    with pytest.raises(LimitExceeded):
        open_sealed(SECRET, box + b"\0", CONTEXT)


def test_two_boxes_of_one_value_have_nothing_in_common() -> None:
    rng = SeededRng(b"two")
    one, two = (seal(RECIPIENT, bytes(64), context=CONTEXT, rng=rng) for _ in range(2))
    assert one[:33] != two[:33]
    assert one[33:] != two[33:]
