"""The mathematics of presigning: what is hashed, what is checked, how shares are combined. Pure functions.

Step numbers are those of docs/protocols/ecdsa.md. Names of the paper (DKLs23, ePrint 2023/765, protocol 3.6)
in parentheses: nonce share (r_i), mask (phi_i), key part (sk_i), Gamma^u, Gamma^v, psi.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from quorate.errors import ProofRejected
from quorate.groups import Group, Point, Scalar
from quorate.primitives.commitment import commit, opens
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest, scalar
from quorate.schemes.ecdsa.presignature import Derivation
from quorate.schemes.quorum import Quorum
from quorate.session import PartyId

VERSION = b"1"


@dataclass(frozen=True, slots=True)
class Products:
    """One party's summands of its products with one peer: of nonce share and of key part, times a mask."""

    nonce: Scalar
    key: Scalar


def presigning_id(session_id: bytes, path: str, quorum: Quorum, suite: str, derivation: Derivation) -> bytes:
    """Step 2.0: ssid. The session id commits to protocol, version, payload and a nonce of every signer."""
    fields = (session_id, path.encode(), quorum.digest(), suite.encode(), derivation.encode(), VERSION)
    return digest(Tag.ECDSA_SESSION, *fields)


def presignature_id(ssid: bytes) -> bytes:
    """The public name of the presignature that a run with this ssid makes."""
    return digest(Tag.ECDSA_PRESIGNATURE, ssid)


def commit_nonce(ssid: bytes, party: PartyId, point: Point, salt: bytes) -> bytes:
    """Step 2.1: com_i, to R_i."""
    return commit(Tag.ECDSA_NONCE, ssid + party.encode(), point.to_bytes(), salt)


def check_nonce(commitment: bytes, ssid: bytes, party: PartyId, point: Point, salt: bytes) -> bool:
    """Step 2.6: whether com_j opens to R_j."""
    try:
        opens(commitment, Tag.ECDSA_NONCE, ssid + party.encode(), point.to_bytes(), salt)
    except ProofRejected:
        return False
    return True


def round_one(ssid: bytes, commitments: Mapping[PartyId, bytes]) -> bytes:
    """Step 2.3: the digest of all commitments, which every zero share is bound to."""
    fields = [field for name in sorted(commitments) for field in (name.encode(), commitments[name])]
    return digest(Tag.ECDSA_ROUND_ONE, ssid, *fields)


def extension_id(ssid: bytes, receiver: PartyId, sender: PartyId, instance: bytes) -> bytes:
    """Step 2.1: esid. It depends on what was agreed before round 1 and on the pair alone.

    Nothing a third party sends enters it, so that nobody can make the leak-bearing check fail between two
    honest parties. The receiver's own nonce is added in `quorate.primitives.vole`.
    """
    return digest(Tag.ECDSA_EXTENSION, ssid, receiver.encode(), sender.encode(), instance)


def zero_share(seed: bytes, ssid: bytes, first_round: bytes, group: Group) -> Scalar:
    """Step 2.3: F(k_ij), which one end of the pair adds to its key part and the other subtracts."""
    return scalar(Tag.ECDSA_ZERO_SHARE, group, seed, ssid, first_round)


def signed(mine: PartyId, other: PartyId, value: Scalar) -> Scalar:
    """The sign with which `mine` uses the zero share it has with `other`: the first in order adds."""
    return value if mine < other else -value


def key_point_fits(quorum: Quorum, party: PartyId, key_point: Point, zeros: Sequence[Point]) -> bool:
    """Step 2.7 (K3): whether pk_j is what the record and the zero points that j itself sent make of it.

    `zeros` are in the order of the other signers, one for each.
    """
    others = [name for name in quorum.signers if name != party]
    if len(zeros) != len(others):
        return False
    terms = (point if party < other else -point for other, point in zip(others, zeros, strict=True))
    return quorum.group.sum([quorum.parts[party], *terms]) == key_point


def entropy_key(ssid: bytes, shares: Mapping[PartyId, bytes]) -> bytes:
    """Step 2.9: kappa, from every keeper's 32 bytes."""
    fields = [field for name in sorted(shares) for field in (name.encode(), shares[name])]
    return digest(Tag.ECDSA_ENTROPY_KEY, ssid, *fields)


def consistent(chi: Scalar, input_point: Point, ours: Scalar, theirs: Point) -> bool:
    """Steps 2.8 (K1, K2): whether the peer multiplied by the logarithm of `input_point`.

    chi * input == d * G + Gamma. Every value but the points is secret, hence the constant-time products.
    """
    return chi * input_point == ours * input_point.group.generator + theirs


def blended(value: Scalar, mask: Scalar, offsets: Iterable[Scalar], products: Iterable[Scalar]) -> Scalar:
    """Step 2.9: u_i or v_i = value * (phi_i + sum psi_ji) + sum (c_ij + d_ij)."""
    whole = mask
    for offset in offsets:
        whole = whole + offset
    total = value * whole
    for product in products:
        total = total + product
    return total
