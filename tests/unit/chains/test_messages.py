"""Texts under every scheme: what is signed is what is shown, and no transaction reads as one."""

from __future__ import annotations

import pytest
from tests.support.signers import DealtKey

from quorate.chains import Chain, Chains
from quorate.chains.chain import Request
from quorate.chains.messages import MAX_TEXT, PREFIX, SCHEMES, Messages, message
from quorate.errors import LimitExceeded, Malformed, ProofRejected, Refused
from quorate.schemes.registry import scheme_named, scheme_names

CHAINS = Chains()
TEXT = "I agree.\nTwice."
PAIRS = [(name, curve) for name in SCHEMES for curve in scheme_named(name).curves]


@pytest.mark.parametrize(("name", "curve"), PAIRS)
def test_a_text_is_signed_by_each_scheme_on_each_curve(name: str, curve: str) -> None:
    key = DealtKey(curve)
    account = CHAINS.address(f"quorate:{name}", key.public_key)
    decoded = CHAINS.decode(message(TEXT, account, name), key.public_key)
    (digest,) = decoded.digests
    assert (digest.scheme, digest.group) == (name, curve)
    assert "I agree." in decoded.preview.text()
    assert "Twice." in decoded.preview.text()
    signature = key.sign(name, digest.value)
    signed = CHAINS.attach(decoded, [signature])
    assert signed.raw == signature
    assert bytes.fromhex(str(signed.details["message"])) == PREFIX + name.encode() + b"\n" + TEXT.encode()
    with pytest.raises((ProofRejected, Malformed)):
        CHAINS.attach(decoded, [signature[:-1] + bytes([signature[-1] ^ 1])])
    with pytest.raises((ProofRejected, Malformed)):
        CHAINS.attach(decoded, [signature + b"\x00"])
    with pytest.raises(Malformed):
        CHAINS.attach(decoded, [])


def test_every_scheme_of_ours_has_a_row() -> None:
    ours = {name for name in scheme_names() if scheme_named(name).__class__.__module__.startswith("quorate.")}
    assert ours == set(SCHEMES)


def test_the_scheme_of_another_package_takes_a_row() -> None:
    family = Messages([Chain("quorate:gost", "Text, signed by GOST", "-", 0)])
    with pytest.raises(Refused) as error:
        family.decode(message("text", "00", "gost"), DealtKey("ed25519").public_key)
    assert error.value.code == "unknown-chain"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", LimitExceeded),
        ("x" * (MAX_TEXT + 1), LimitExceeded),
        ("a\rb", Malformed),
        ("a\u202eb", Malformed),
        ("\ud800", Malformed),
    ],
)
def test_what_nobody_can_read_is_no_text(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        message(text, "00", "ed25519")


def test_a_request_for_another_key_scheme_or_kind_is_refused() -> None:
    key = DealtKey("ed25519")
    account = CHAINS.address("quorate:ed25519", key.public_key)
    for payload, code in [
        (message(TEXT, account, "frost-p256"), "other-curve"),
        (message(TEXT, account, "elgamal"), "unknown-chain"),
        (message(TEXT, account[:-2] + "00", "ed25519"), "other-account"),
    ]:
        with pytest.raises(Refused) as error:
            CHAINS.decode(payload, key.public_key)
        assert error.value.code == code
    family = Messages()
    with pytest.raises(Malformed, match="unknown kind"):
        family.decode(Request(1, "quorate:ed25519", account, "blind", b"x").to_payload(), key.public_key)
    with pytest.raises(Malformed, match="UTF-8"):
        family.decode(Request(1, "quorate:ed25519", account, "message", b"\xff").to_payload(), key.public_key)
    with pytest.raises(Malformed, match="point of some group"):
        family.address(key.public_key.to_bytes())
