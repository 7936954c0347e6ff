"""Signatures on a message: checking them, and the bytes that are sent.

The wire form is the number of signatures, the signatures in the order of the signers, and the message. A
transaction some of whose signers have not signed yet has zeros in their places, as every wallet of this chain
hands it on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from quorate.chains.solana.heavy import load
from quorate.chains.solana.message import MAX_WIRE_BYTES, SIGNATURE_LENGTH, Reader, length_prefix, parse
from quorate.encoding import base58
from quorate.errors import LimitExceeded, Malformed, ProofRejected, Refused

ABSENT: Final = bytes(SIGNATURE_LENGTH)


def check_signature(signature: bytes, key: bytes, signed: bytes) -> None:
    """Raises `ProofRejected` unless two strict verifiers accept, `Malformed` for what is no signature.

    Strict (canonical s, no small-order points) is what the network has been. It may come to accept more; what
    an honest signer makes passes both.
    """
    from nacl.bindings import crypto_sign_open
    from nacl.exceptions import BadSignatureError

    if len(signature) != SIGNATURE_LENGTH:
        raise Malformed(f"signature: {len(signature)} bytes instead of {SIGNATURE_LENGTH}")
    solders = load()
    try:
        crypto_sign_open(signature + signed, key)
        agreed = solders.signature.Signature.from_bytes(signature).verify(
            solders.pubkey.Pubkey.from_bytes(key), signed
        )
    except BadSignatureError:
        agreed = False
    if not agreed:
        raise ProofRejected(
            f"the signature is not one of {base58.encode(key)} over this request; nothing was attached"
        )


def assemble(data: bytes, signatures: Mapping[bytes, bytes]) -> bytes:
    """The wire form of a message with these signatures, by their signers' keys, each of which is checked.

    Raises `ProofRejected` for a wrong signature, `Malformed` for one of a key that does not sign here.
    """
    message = parse(data)
    for key, signature in signatures.items():
        if key not in message.signers:
            raise Malformed(f"signature: {base58.encode(key)} is not a signer of this transaction")
        check_signature(signature, key, data)
    listed = [signatures.get(key, ABSENT) for key in message.signers]
    raw = length_prefix(len(listed)) + b"".join(listed) + data
    if raw != _solders_form(data, listed):
        raise Malformed("transaction: two encoders disagree about its signatures, so nothing was attached")
    return raw


def split(raw: bytes) -> tuple[bytes, Mapping[bytes, bytes]]:
    """A wire transaction taken apart: its message, and the signatures that are there, unchecked.

    Raises `Malformed` and what `parse` raises.
    """
    if len(raw) > MAX_WIRE_BYTES:
        raise LimitExceeded(f"transaction: {len(raw)} bytes, at most {MAX_WIRE_BYTES}")
    reader = Reader(raw)
    listed = [reader.take(SIGNATURE_LENGTH) for _ in range(reader.length())]
    data = raw[reader.position :]
    message = parse(data)
    if len(listed) != message.required:
        raise Malformed(f"transaction: {len(listed)} signatures for {message.required} signers")
    pairs = zip(message.signers, listed, strict=True)
    return data, {key: signature for key, signature in pairs if signature != ABSENT}


def join(first: bytes, second: bytes) -> bytes:
    """Two wire transactions of one message, each signed by some, as one signed by all of them."""
    data, signatures = split(first)
    other, more = split(second)
    if data != other:
        raise Malformed("transaction: these are signatures of two different messages")
    return assemble(data, {**signatures, **more})


def completed(original: bytes, raw: bytes) -> bytes:
    """A signed transaction with the signatures that were there before: of what `requests.transaction` was
    given. Raises like `join`, also for a signature that was wrong from the start."""
    try:
        parse(original)
    except (Malformed, LimitExceeded, Refused):
        return join(original, raw)
    return raw  # a message alone, which has none


def _solders_form(data: bytes, listed: list[bytes]) -> bytes:
    solders = load()
    message = solders.message.from_bytes_versioned(data)
    signatures = [solders.signature.Signature.from_bytes(signature) for signature in listed]
    return bytes(solders.transaction.VersionedTransaction.populate(message, signatures))
