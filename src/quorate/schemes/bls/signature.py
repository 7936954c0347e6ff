"""Verification of a finished signature and of a proof of possession, from bytes.

CoreVerify and PopVerify of draft-irtf-cfrg-bls-signature, sections 2.7 and 3.3.3. A key arrives as a `Point`,
so its subgroup check and its being no identity are done; a signature arrives as bytes, and is checked here.
"""

from __future__ import annotations

from quorate.errors import Malformed, ProofRejected
from quorate.groups import Point
from quorate.schemes.bls.suites import Suite


def verify(suite: Suite, public_key: Point, message: bytes, signature: bytes) -> None:
    """Step 4. Raises `ProofRejected` unless `signature` is this key's signature of `message`."""
    if public_key.group is not suite.keys or public_key.is_identity:
        raise ProofRejected(f"not a public key of {suite.name}")
    try:
        point = suite.signatures.point_from_bytes(signature)
    except Malformed as error:
        raise ProofRejected(f"not a signature of {suite.name}: {error}") from None
    suite.check(public_key, suite.hash(public_key, message), point)


def pop_verify(suite: Suite, public_key: Point, proof: bytes) -> None:
    """Raises `ProofRejected` unless `proof` shows that somebody (a quorum of ours, say) holds this key.

    Whoever aggregates signatures of several keys checks each key's proof once. Raises `LocalError` for a
    suite without proofs.
    """
    proving = suite.proving()
    if public_key.is_identity:
        raise ProofRejected(f"not a public key of {suite.name}")
    verify(proving, public_key, public_key.to_bytes(), proof)
