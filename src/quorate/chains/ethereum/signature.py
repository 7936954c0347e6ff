"""A signature of the ECDSA scheme, parsed and checked against the wallet it must come from.

EIP-2 admits only low s; a high one is refused here rather than flipped, because a signer that yields it has a
defect worth seeing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quorate.chains.chain import Signature
from quorate.chains.ethereum.address import checksummed, keccak
from quorate.errors import Malformed, ProofRejected

ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""The order of secp256k1's group."""


@dataclass(frozen=True, slots=True)
class Parts:
    """r, s and the parity of the nonce point's y."""

    r: int
    s: int
    y_parity: int


def verified(signature: Signature, digest: bytes, account: bytes) -> Parts:
    """The parts of a 65-byte signature that recovers to `account` (20 bytes) over `digest`.

    Raises `Malformed` for bytes that are no low-s signature, `ProofRejected` when they recover to another
    account.
    """
    parts = parse(signature)
    if recover(parts, digest) != account:
        raise ProofRejected(f"the signature does not recover to {checksummed(account)}; nothing was attached")
    return parts


def parse(signature: Signature) -> Parts:
    """Split r || s || recovery id. Raises `Malformed` for ranges that no valid Ethereum signature has."""
    if len(signature) != 65:
        raise Malformed("signature: r, s and the recovery id take 32 + 32 + 1 bytes")
    parts = Parts(
        int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64]
    )
    check(parts, "signature")
    return parts


def check(parts: Parts, where: str) -> None:
    """Ranges of EIP-2 and of the curve. Raises `Malformed`."""
    if not (0 < parts.r < ORDER and 0 < parts.s < ORDER):
        raise Malformed(f"{where}: r and s lie between 1 and the group order")
    if parts.s > ORDER // 2:
        raise Malformed(f"{where}: s is in the upper half of its range, which Ethereum refuses (EIP-2)")
    if parts.y_parity not in (0, 1):
        # 2 and 3 mean x of the nonce point exceeded the order; Ethereum cannot express them
        raise Malformed(f"{where}: the recovery id is 0 or 1")


def recover(parts: Parts, digest: bytes) -> bytes | None:
    """The 20-byte address whose key made these parts over `digest`, or None when no key did."""
    from btclib_secp256k1 import recovery

    compact = parts.r.to_bytes(32, "big") + parts.s.to_bytes(32, "big")
    try:
        point = recovery.recover(digest, compact, parts.y_parity, compressed=False)
    except ValueError:
        return None
    return keccak(point[1:])[12:]
