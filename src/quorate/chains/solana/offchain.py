"""Messages that are no transactions: Solana's off-chain message format, and bare text.

The format (https://docs.anza.xyz/proposals/off-chain-message-signing, header version 0) puts a prefix before
the text that no transaction can begin with, and names the signers and the application. The Solana CLI writes
a shorter header without these two (crate solana-offchain-message), which is read as well. Many applications
ask wallets to sign bare text instead. That is offered too, because they would go elsewhere otherwise, but
only where the bytes can be nothing else:

- nothing that reads as a transaction's message of any version, strictly or with bytes behind it;
- UTF-8 text without control characters other than tab and line breaks;
- not ``<Bytes>...</Bytes>``, which is a message on Polkadot, signed by the same key in the same way;
- not exactly 32 bytes. The same key may hold accounts on chains that sign 32-byte hashes (NEAR, Stellar,
  Sui), and a hash that happens to be printable takes an attacker about 2^46 attempts, which is affordable.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from quorate.chains.solana.message import MAX_WIRE_BYTES, Reader, begins_like_transaction
from quorate.encoding import base58
from quorate.errors import LimitExceeded, Malformed, Refused

PREFIX: Final = b"\xffsolana offchain"

MAX_MESSAGE_BYTES: Final = 65_535
"""Preamble and text together, in the longest format; the same for bare text."""

DIGEST_LENGTH: Final = 32

POLKADOT: Final = b"<Bytes>"
POLKADOT_END: Final = b"</Bytes>"

RESTRICTED_ASCII: Final = 0
LIMITED_UTF8: Final = 1
EXTENDED_UTF8: Final = 2

_LIMITS: Final = {
    RESTRICTED_ASCII: MAX_WIRE_BYTES,
    LIMITED_UTF8: MAX_WIRE_BYTES,
    EXTENDED_UTF8: MAX_MESSAGE_BYTES,
}

_SHORT_HEAD: Final = 3
"""A format and a length."""


@dataclass(frozen=True, slots=True)
class OffChain:
    """An off-chain message of header version 0. `domain` names the application, by any 32 bytes; with the
    short header it is empty, and so are the signers."""

    domain: bytes
    style: int
    signers: tuple[bytes, ...]
    text: str

    def to_bytes(self) -> bytes:
        """What is signed."""
        text = self.text.encode()
        head = self.domain + bytes([self.style])
        if self.signers:
            head += bytes([len(self.signers)]) + b"".join(self.signers)
        return PREFIX + b"\0" + head + len(text).to_bytes(2, "little") + text


def compose(text: str, signer: bytes, domain: bytes = bytes(32)) -> bytes:
    """The message of one signer, in the most restricted format that can hold the text. Without `signer` and
    `domain` it gets the short header."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise Malformed("message: text with half a surrogate pair") from None
    if len(encoded) > MAX_MESSAGE_BYTES:
        raise LimitExceeded(f"message: {len(encoded)} bytes, at most {MAX_MESSAGE_BYTES}")
    style = RESTRICTED_ASCII if _printable(encoded) else LIMITED_UTF8
    message = OffChain(domain, style, (signer,) if signer else (), text)
    if len(message.to_bytes()) > MAX_WIRE_BYTES:
        message = replace(message, style=EXTENDED_UTF8)
    parse_off_chain(message.to_bytes())
    return message.to_bytes()


def parse_off_chain(data: bytes) -> OffChain:
    """The message of these bytes. Raises `Malformed`, also where both headers could be meant; `LimitExceeded`
    beyond the format's length; `Refused` (``unsupported-message``) for another header version."""
    reader = Reader(data)
    if reader.take(len(PREFIX)) != PREFIX:
        raise Malformed("off-chain message: does not begin with its prefix")
    if version := reader.take(1)[0]:
        raise Refused(
            f"off-chain message: header version {version} is not read here; use version 0",
            code="unsupported-message",
        )
    head = data[reader.position : reader.position + _SHORT_HEAD]
    shaped = len(head) == _SHORT_HEAD and head[0] in _LIMITS
    if not shaped or int.from_bytes(head[1:], "little") != len(data) - reader.position - _SHORT_HEAD:
        return _documented(reader)
    try:
        _documented(Reader(data, reader.position))
    except (Malformed, LimitExceeded):
        return _text(reader, b"", reader.take(1)[0], ())
    raise Malformed("off-chain message: reads in two ways, with the short header and the documented one")


def _documented(reader: Reader) -> OffChain:
    domain, style, count = reader.take(32), reader.take(1)[0], reader.take(1)[0]
    signers = tuple(reader.take(32) for _ in range(count))
    if not signers:
        raise Malformed("off-chain message: without a signer")
    return _text(reader, domain, style, signers)


def _text(reader: Reader, domain: bytes, style: int, signers: tuple[bytes, ...]) -> OffChain:
    if style not in _LIMITS:
        raise Malformed("off-chain message: there is no such message format")
    size = len(reader.data)
    if size > _LIMITS[style]:
        raise LimitExceeded(f"off-chain message: {size} bytes, its format admits {_LIMITS[style]}")
    text = reader.take(int.from_bytes(reader.take(2), "little"))
    reader.finish()
    if not text:
        raise Malformed("off-chain message: without text")
    if style == RESTRICTED_ASCII and not _printable(text):
        raise Malformed("off-chain message: not the printable characters its format promises")
    try:
        return OffChain(domain, style, signers, text.decode())
    except UnicodeDecodeError:
        raise Malformed("off-chain message: not text") from None


def check_bare(data: bytes) -> None:
    """Raises `Refused` unless these bytes, signed as they are, can be nothing but text."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise LimitExceeded(f"message: {len(data)} bytes, at most {MAX_MESSAGE_BYTES}")
    if not data or not _plain_text(data):
        raise Refused(
            "message: these bytes are not plain text; without a prefix they may mean anything to a program",
            code="not-text",
        )
    if len(data) == DIGEST_LENGTH:
        raise Refused(
            "message: 32 bytes without a prefix may be the hash of a transaction on another chain that "
            "this key has an account on; use the off-chain message format",
            code="could-be-digest",
        )
    if data.startswith(POLKADOT) and data.endswith(POLKADOT_END):
        raise Refused(
            "message: this is how wallets of Polkadot write a message, and the same key may have an account "
            "there; ask for it on that chain",
            code="other-chain",
        )
    if begins_like_transaction(data):
        raise Refused(
            "message: these bytes are a transaction; ask for a transaction's signature", code="transaction"
        )


def domain_text(domain: bytes) -> str:
    """The application's name for itself, as the format asks that it be shown."""
    return base58.encode(domain)


def _printable(text: bytes) -> bool:
    return all(0x20 <= byte <= 0x7E for byte in text)


def _plain_text(data: bytes) -> bool:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return all(character in "\t\r\n" or ord(character) >= 0x20 for character in text) and "\x7f" not in text
