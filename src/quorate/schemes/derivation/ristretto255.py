"""Account indices of sr25519 keys: schnorrkel's own soft derivation, with the wallet's chain code.

    t, c' = Merlin("SchnorrRistrettoHDKD"; sign-bytes: i, chain-code: c, public-key: A)
    A' = A + t*B

with i as 4 bytes, big-endian; t is 64 bytes reduced modulo the order (schnorrkel, `derive.rs`). It differs
from the soft junctions of Substrate's key URIs in what stands for the chain code: there it is the junction
itself, so that whoever knows an address can list the accounts below it. Ours needs the wallet's chain code.
"""

from __future__ import annotations

from quorate.groups import Point
from quorate.primitives.merlin import Transcript
from quorate.schemes.derivation.child import CHAIN_CODE_BYTES, Child, no_child
from quorate.schemes.derivation.path import checked_path


def child_of(parent: Point, chain_code: bytes, index: int) -> Child:
    """One step. Raises `NoChild` for an index without a key (once in 2^252)."""
    (index,) = checked_path([index])
    transcript = Transcript(b"SchnorrRistrettoHDKD").append(b"sign-bytes", index.to_bytes(4, "big"))
    transcript.append(b"chain-code", chain_code).append(b"public-key", parent.to_bytes())
    tweak = transcript.challenge_scalar(b"HDKD-scalar", parent.group)
    if tweak.is_zero:
        raise no_child(index)
    return Child.of(parent, tweak, transcript.challenge(b"HDKD-chaincode", CHAIN_CODE_BYTES), index)
