"""The off-chain message format, and when bare text may be signed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import VerifyKey
from tests.chains.scalar_key import ScalarKey
from tests.unit.chains.solana.test_message import BASE, V0

from quorate.chains import Level, Risk
from quorate.chains.chain import Request
from quorate.chains.solana import NETWORKS, Solana, requests
from quorate.chains.solana.message import MAX_WIRE_BYTES
from quorate.chains.solana.offchain import (
    EXTENDED_UTF8,
    LIMITED_UTF8,
    MAX_MESSAGE_BYTES,
    RESTRICTED_ASCII,
    OffChain,
    check_bare,
    compose,
    parse_off_chain,
)
from quorate.encoding import base58
from quorate.errors import LimitExceeded, Malformed, Refused

SOLANA = Solana()
KEY = ScalarKey(12345)
ME = SOLANA.address(KEY.public_key)
CHAIN = NETWORKS[0].caip2
PREAMBLE = 85

# test_offchain_message_ascii and _utf8 of the offchain_message.rs whose HEADER_LENGTH is 85; the key is zeros
ASCII = b"\xffsolana offchain" + bytes(34) + b"\1" + bytes(32) + b"\x0c\0Test Message"
UTF8 = b"\xffsolana offchain" + bytes(33) + b"\1\1" + bytes(32) + b"\x23\0" + "Тестовое сообщение".encode()

# Made by the Solana CLI (`solana sign-offchain-message testmessage`, key EW8XHqff...),
# as the source of a program on the chain that checks such signatures notes it beside its SOLANA_PREFIX
SHORT = bytes.fromhex("FF736F6C616E61206F6666636861696E00000B00746573746D657373616765")
SHORT_KEY = "c89e476874977dcaca32f66ffab10d4a5a89b6ae5a31ae68caf91d7967d25fe0"
SHORT_SIGNATURE = (
    "b842f6f3ab7f0bf38abc3d0d822002c32e693e8fff7290952f7c0755d6f8a050bb8f35f66b7eeaecb16c4d441174d2794dc2866ce27b1da5"
    "74d7d870e37d5a06"
)


@pytest.mark.parametrize(
    ("data", "style", "text"),
    [(ASCII, RESTRICTED_ASCII, "Test Message"), (UTF8, LIMITED_UTF8, "Тестовое сообщение")],
)
def test_published_messages(data: bytes, style: int, text: str) -> None:
    message = OffChain(bytes(32), style, (bytes(32),), text)
    assert parse_off_chain(data) == message
    assert message.to_bytes() == compose(text, bytes(32)) == data


def test_the_short_header_of_the_solana_cli() -> None:
    VerifyKey(bytes.fromhex(SHORT_KEY)).verify(SHORT, bytes.fromhex(SHORT_SIGNATURE))
    assert parse_off_chain(SHORT) == OffChain(b"", RESTRICTED_ASCII, (), "testmessage")
    assert compose("testmessage", b"", b"") == SHORT
    decoded = SOLANA.decode(requests.cli_message("testmessage", ME), KEY.public_key)
    assert decoded.digest == SHORT
    assert "Form      the Solana CLI's, which names neither signer nor application" in decoded.preview.text()
    assert decoded.fields["format"] == "off-chain-short"
    assert decoded.fields["signers"] == ()
    longest = "x" * (MAX_WIRE_BYTES - 20)
    assert parse_off_chain(compose(longest, b"", b"")).style == RESTRICTED_ASCII
    assert parse_off_chain(compose(longest + "x", b"", b"")).style == EXTENDED_UTF8


def test_a_message_that_reads_under_both_headers_is_refused() -> None:
    text = "x" * 10
    size = 17 + 32 + 2 + 32 + 2 + len(text)
    domain = bytes([RESTRICTED_ASCII + 1]) + (size - 20).to_bytes(2, "little") + b"d" * 29
    both = OffChain(domain, RESTRICTED_ASCII, (b"s" * 32,), text)
    with pytest.raises(Malformed, match="two ways"):
        parse_off_chain(both.to_bytes())


def test_a_message_is_shown_and_signed_whole() -> None:
    payload = requests.message("Sign in to Example\nNonce: 7", ME, domain=b"D" * 32)
    decoded = SOLANA.decode(payload, KEY.public_key)
    assert decoded.digest.startswith(b"\xffsolana offchain\0" + b"D" * 32)
    assert decoded.preview.text() == (
        "Sign an off-chain message\n"
        f"   Asked on     Solana ({CHAIN}); the signature itself names no chain\n"
        f"   Account      {ME}\n"
        "   Message      │ Sign in to Example\n"
        "                │ Nonce: 7\n"
        f"   Application  {base58.encode(b'D' * 32)} (as it calls itself)"
    )
    assert dict(decoded.fields) == {
        "length": 27,
        "text": "Sign in to Example\nNonce: 7",
        "format": "off-chain",
        "domain": base58.encode(b"D" * 32),
        "signers": (ME,),
    }
    assert not decoded.risks
    signed = SOLANA.attach(decoded, [KEY.sign(decoded.digest)])
    assert len(signed.raw) == 64
    assert signed.id == signed.details["signature"]


def test_the_format_is_the_most_restricted_that_holds_the_text() -> None:
    signer = KEY.public_key
    for text, style in (
        ("plain", RESTRICTED_ASCII),
        ("two\nlines", LIMITED_UTF8),
        ("x" * (MAX_WIRE_BYTES - PREAMBLE), RESTRICTED_ASCII),
        ("x" * (MAX_WIRE_BYTES - PREAMBLE + 1), EXTENDED_UTF8),
        ("x" * (MAX_MESSAGE_BYTES - PREAMBLE), EXTENDED_UTF8),
    ):
        assert parse_off_chain(compose(text, signer)).style == style


def test_messages_beyond_their_formats_length() -> None:
    with pytest.raises(LimitExceeded):
        compose("x" * (MAX_MESSAGE_BYTES - PREAMBLE + 1), KEY.public_key)
    for style in (RESTRICTED_ASCII, LIMITED_UTF8):
        long = OffChain(bytes(32), style, (KEY.public_key,), "x" * (MAX_WIRE_BYTES - PREAMBLE + 1))
        with pytest.raises(LimitExceeded, match="its format admits 1232"):
            parse_off_chain(long.to_bytes())
    with pytest.raises(LimitExceeded):
        check_bare(b"x" * (MAX_MESSAGE_BYTES + 1))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xfesolana offchain" + ASCII[16:], "prefix"),
        (ASCII[:49] + b"\3" + ASCII[50:], "no such message format"),
        (ASCII[:50] + b"\0" + ASCII[83:], "without a signer"),
        (SHORT[:18] + b"\0\0", "without text"),
        (SHORT[:-1] + b"\n", "printable characters"),
        (ASCII[:83] + b"\0\0", "without text"),
        (ASCII + b"x", "after its end"),
        (ASCII[:-1], "ends in the middle"),
        (ASCII[:-1] + b"\n", "printable characters"),
        (UTF8[:-1] + b"\xff", "not text"),
    ],
)
def test_messages_that_are_not_what_they_say(data: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        parse_off_chain(data)


def test_another_header_version_is_refused_by_name() -> None:
    with pytest.raises(Refused) as caught:
        parse_off_chain(ASCII[:16] + b"\1" + ASCII[17:])
    assert caught.value.code == "unsupported-message"


def test_a_message_that_does_not_name_the_wallet() -> None:
    with pytest.raises(Refused) as caught:
        SOLANA.decode(Request(1, CHAIN, ME, "message", ASCII).to_payload(), KEY.public_key)
    assert caught.value.code == "not-a-signer"


def test_several_signers_are_shown() -> None:
    both = OffChain(bytes(32), RESTRICTED_ASCII, (bytes(32), KEY.public_key), "We agree")
    decoded = SOLANA.decode(Request(1, CHAIN, ME, "message", both.to_bytes()).to_payload(), KEY.public_key)
    assert f"Signers      11111111111111111111111111111111, {ME}" in decoded.preview.text()


def test_bare_text_is_signed_with_a_caution() -> None:
    decoded = SOLANA.decode(requests.bare_message("Sign in", ME), KEY.public_key)
    assert decoded.digest == b"Sign in"
    assert decoded.preview.title == "Sign bare text"
    assert decoded.preview.level is Level.CAUTION
    assert decoded.fields["format"] == "bare"
    assert SOLANA.attach(decoded, [KEY.sign(b"Sign in")]).raw == KEY.sign(b"Sign in")


def test_bare_text_that_looks_like_a_hash_is_a_danger() -> None:
    decoded = SOLANA.decode(requests.bare_message("ab" * 32, ME), KEY.public_key)
    assert decoded.risks == {Risk.OPAQUE_MESSAGE}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (BASE.to_bytes(), "not-text"),
        (V0.to_bytes(), "not-text"),
        (b"", "not-text"),
        (b"\x80", "not-text"),
        (b"bell\x07", "not-text"),
        (b"\x7f", "not-text"),
        (b"\xc0\x80", "not-text"),
        (b"0123456789abcdef0123456789abcdef", "could-be-digest"),
        (bytes(range(32)), "not-text"),
    ],
)
def test_bare_bytes_that_could_be_something_else_are_refused(body: bytes, code: str) -> None:
    with pytest.raises(Refused) as caught:
        SOLANA.decode(Request(1, CHAIN, ME, "message", body).to_payload(), KEY.public_key)
    assert caught.value.code == code


def test_a_transaction_made_of_text_alone_is_refused_as_such() -> None:
    # a header of line breaks and tabs, 32 keys, and nine instructions, in characters that text may have
    keys = b"".join(bytes([65 + index % 26]) * 31 + bytes([65 + index // 26]) for index in range(33))
    body = b"\r\t\t " + keys + b"\t" + (b"\t" + b"\t" + b"\r" * 9 + b"\t" + b"some data") * 9
    with pytest.raises(Refused) as caught:
        check_bare(body)
    assert caught.value.code == "transaction"


@given(st.text(min_size=1, max_size=60))
def test_any_text_composed_is_read_back(text: str) -> None:
    try:
        data = compose(text, KEY.public_key)
    except Malformed:
        assert any("\ud800" <= character <= "\udfff" for character in text)
        return
    assert parse_off_chain(data).text == text


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_no_off_chain_message_and_are_signed_only_as_text(data: bytes) -> None:
    for body in (data, ASCII[:17] + data):
        try:
            decoded = SOLANA.decode(Request(1, CHAIN, ME, "message", body).to_payload(), KEY.public_key)
        except (Malformed, Refused, LimitExceeded):
            continue
        assert body.decode() == decoded.fields["text"]
