"""Payloads from what a caller has: a PSBT as file or text, a message.

The device's side of the port; the signers' side is `Bitcoin.decode`. Every function returns the canonical
bytes of a `Request` and raises `Malformed` or `LimitExceeded`.
"""

from __future__ import annotations

import binascii
from base64 import b64decode

from quorate.chains.bitcoin.family import MESSAGE, PSBT
from quorate.chains.bitcoin.psbt import MAGIC, normal
from quorate.chains.chain import MAX_PAYLOAD_BYTES, Request
from quorate.errors import LimitExceeded, Malformed


def psbt(content: bytes | str, account: str, chain: str, path: str = "") -> bytes:
    """A PSBT: its bytes, or its base64 or hexadecimal text (as text or as the bytes of a file).

    Its maps may be in any order; the request holds the sorted form.
    """
    return Request(1, chain, account, PSBT, normal(_bytes(content)), path).to_payload()


def message(content: bytes | str, account: str, chain: str, path: str = "") -> bytes:
    """A message (BIP 322, simple). The chain is shown and judged, though not hashed."""
    if not isinstance(content, bytes | str):
        raise Malformed(f"message: expected text or bytes, not {type(content).__name__}")
    try:
        body = content.encode() if isinstance(content, str) else content
    except UnicodeEncodeError:
        raise Malformed("message: text with half a surrogate pair") from None
    return Request(1, chain, account, MESSAGE, body, path).to_payload()


def _bytes(content: bytes | str) -> bytes:
    if not isinstance(content, bytes | str):
        raise Malformed(f"PSBT: expected bytes or text, not {type(content).__name__}")
    if isinstance(content, bytes) and content[: len(MAGIC)] == MAGIC:
        return content
    if len(content) > 4 * MAX_PAYLOAD_BYTES:
        raise LimitExceeded("PSBT: more text than any request could hold")
    try:
        text = (content if isinstance(content, str) else content.decode("ascii")).strip()
        if text[: 2 * len(MAGIC)].lower() == MAGIC.hex():
            return bytes.fromhex(text)
        return b64decode("".join(text.split()), validate=True)
    except (ValueError, binascii.Error):
        raise Malformed("PSBT: neither its bytes nor their base64 or hexadecimal text") from None
