"""Signatures as the schemes give them, checked against the key and digest and written as Bitcoin has them.

ECDSA: r || s || recovery id becomes DER (BIP 66) with the type's byte behind; high s is refused, because
nodes do not relay it (BIP 146) and a correct signer never makes it. BIP 340: 64 bytes, with a type's byte
only for ALL (BIP 341).
"""

from __future__ import annotations

from typing import Final

from quorate.chains.bitcoin.digests import ALL
from quorate.chains.bitcoin.scripts import Key, Kind
from quorate.chains.bitcoin.spending import Own
from quorate.chains.chain import Signature
from quorate.errors import Malformed, ProofRejected
from quorate.groups.secp256k1 import ORDER, SECP256K1, verify_ecdsa

ECDSA_LENGTH: Final = 65
SCHNORR_LENGTH: Final = 64


def verified(signature: Signature, key: Key, own: Own) -> bytes:
    """The signature of one input as its witness carries it. Raises `Malformed` or `ProofRejected`."""
    if own.kind is Kind.P2WPKH:
        return _ecdsa(signature, key, own.digest) + bytes([ALL])
    check_schnorr(signature, key.output_key(own.merkle_root), own.digest)
    return signature + (bytes([ALL]) if own.sighash == ALL else b"")


def check_schnorr(signature: Signature, x_only: bytes, digest: bytes) -> None:
    """BIP 340 verification. Raises `Malformed` for another length, `ProofRejected` for a wrong signature."""
    from btclib_secp256k1 import ssa

    if len(signature) != SCHNORR_LENGTH:
        raise Malformed(f"signature: BIP 340's have {SCHNORR_LENGTH} bytes, not {len(signature)}")
    if not ssa.verify(digest, x_only, signature):
        raise ProofRejected("the signature is not one of this wallet's output key; nothing was attached")


def _ecdsa(signature: Signature, key: Key, digest: bytes) -> bytes:
    if len(signature) != ECDSA_LENGTH:
        raise Malformed("signature: r, s and the recovery id take 32 + 32 + 1 bytes")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if not (0 < r < ORDER and 0 < s < ORDER) or signature[64] > 3:
        raise Malformed("signature: r and s lie between 1 and the group order, the recovery id below 4")
    if s > ORDER // 2:
        raise Malformed("signature: s is in the upper half of its range, which nodes do not relay (BIP 146)")
    verify_ecdsa(SECP256K1.point_from_bytes(key.public), digest, r, s)
    inner = _integer(r) + _integer(s)
    return b"\x30" + bytes([len(inner)]) + inner


def _integer(value: int) -> bytes:
    # DER's integers are signed: a leading one bit needs a zero byte before it
    data = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return b"\x02" + bytes([len(data)]) + data
