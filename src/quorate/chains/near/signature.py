"""A signature on a NEAR digest, checked under the key it must come from.

A secp256k1 signature is r, s and the recovery id, with low s: nodes refuse a high one, and a signer that
makes it has a defect worth seeing.
"""

from __future__ import annotations

from typing import Final

from quorate.chains.near.accounts import ED25519, SIGNATURE_LENGTHS, AccessKey
from quorate.errors import Malformed, ProofRejected

HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def check_signature(signature: bytes, key: AccessKey, digest: bytes) -> None:
    """Raises `ProofRejected` for another's signature, `Malformed` for what is none."""
    length = SIGNATURE_LENGTHS[key.curve]
    if len(signature) != length:
        raise Malformed(f"signature: {len(signature)} bytes instead of {length}")
    verifies = _ed25519 if key.curve == ED25519 else _secp256k1
    if not verifies(signature, key, digest):
        raise ProofRejected(f"the signature is not one of {key} over this request; nothing was attached")


def _ed25519(signature: bytes, key: AccessKey, digest: bytes) -> bool:
    from nacl.bindings import crypto_sign_open
    from nacl.exceptions import BadSignatureError

    try:
        crypto_sign_open(signature + digest, key.data)
    except BadSignatureError:
        return False
    return True


def _secp256k1(signature: bytes, key: AccessKey, digest: bytes) -> bool:
    from btclib_secp256k1 import recovery

    if signature[64] > 3 or int.from_bytes(signature[32:64], "big") > HALF_ORDER:
        raise Malformed(
            "signature: s in the lower half of its range, and a recovery id of 0 to 3, are asked for"
        )
    try:
        point = recovery.recover(digest, signature[:64], signature[64], compressed=True)
    except ValueError:
        return False
    return bytes(point) == key.compressed
