"""What ECDSA leaves to those who use a curve: how a digest becomes a number, which numbers they allow, and
whether a signature tells its key.

| curve | number of a 32-byte digest | further bounds | recovery id |
|---|---|---|---|
| secp256k1 | modulo the order (SEC 1) | none | 0 to 3, what ecrecover takes |
| P-256 | modulo the order | none | none: 0 |
| STARK | the digest itself, in [1, 2^251) | r and 1/s in [1, 2^251), r the coordinate unreduced | none: 0 |
| any other | its leftmost bits, as many as the order has | none | none: 0 |

Starknet's bounds are met by all but one in 2^55 signatures, and that one costs its presignature: whoever
tried again with the same nonce point would answer two requests from one presignature. The low form of s is
no convention here: what we make has it on every curve, since each has verifiers in use that accept no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quorate.errors import Abort, LocalError, Remedy
from quorate.groups import Group, Point, Scalar

DIGEST_BYTES: Final = 32


class OutOfRange(Abort):
    """The nonce point or the sum came out beyond the bound of this curve's verifiers. Nobody did wrong.

    The presignature is burned, as after every use. A new one meets the same bad luck once in 2^55 times.
    """

    remedy = Remedy.RETRY


@dataclass(frozen=True, slots=True)
class Convention:
    """The row of one curve. `bound` is 0 where the group's order is the only one."""

    recovers: bool = False
    bound: int = 0


def convention(group: Group) -> Convention:
    """The row of `group`, by its name."""
    match group.name:
        case "secp256k1":
            return Convention(recovers=True)
        case "stark":
            from quorate.groups.stark import MAX_ELEMENT

            return Convention(bound=MAX_ELEMENT)
        case _:
            return Convention()


def hash_scalar(group: Group, digest: bytes) -> Scalar:
    """The digest as the scalar that is signed. Raises `LocalError` for one that verifiers refuse."""
    if len(digest) != DIGEST_BYTES:
        # no verifier below takes one, and the final verification would then suspect whoever else signed
        raise LocalError(f"a digest has {DIGEST_BYTES} bytes, not {len(digest)}")
    value, bound = int.from_bytes(digest, "big"), convention(group).bound
    if bound:
        if not 0 < value < bound:
            raise LocalError(f"on {group.name} a digest is a number from 1 to 2^{bound.bit_length() - 1} - 1")
        return group.scalar(value)
    return group.scalar(value >> max(0, 8 * len(digest) - group.order.bit_length()))


def nonce_scalar(nonce_point: Point) -> Scalar:
    """Step 3.3: r of a nonce point other than the identity. Raises `OutOfRange`, at all signers alike."""
    group = nonce_point.group
    x, bound = group.x_coordinate(nonce_point), convention(group).bound
    if bound and x >= bound:
        raise OutOfRange(f"the nonce point has no coordinate for {group.name}; {_BURNED}", step="3.3")
    return group.scalar(x)


def check_inverse(group: Group, s: int) -> None:
    """Step 3.5: raise `OutOfRange` if 1/s, which verifiers of this curve take in place of s, is too large."""
    bound = convention(group).bound
    if bound and pow(s, -1, group.order) >= bound:
        raise OutOfRange(f"the sum has no inverse for {group.name}; {_BURNED}", step="3.5")


_BURNED: Final = "the presignature is burned, sign again with another"
