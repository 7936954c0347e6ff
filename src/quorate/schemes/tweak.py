"""What is added to a key before it signs: a public shift that every signer computes for itself.

Two kinds, in the order in which wallets apply them (BIP 327 and BIP 445, "Tweaking"; BIP 341):

- `plain`: a scalar t1, the key becomes X + t1*G. Derived accounts (`quorate.schemes.derivation`) are this.
- `x_only`: 32 bytes t2 of BIP 341, the output key of a taproot address. It is added to the point with the
  same x coordinate and *even* y, so the key becomes +-(X + t1*G) + t2*G. Only secp256k1 has it.

A tweak shifts the public key by something public, so one party adds it for all: no share changes, and any
quorum can do it. Whoever signs computes the tweak from its own record of the key and from the payload; a
tweak that arrives in a message would let its sender choose the key (a forger's shift cancels X).
`accumulated` gives the three values that scheme code needs; `child` is the resulting key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quorate.errors import LocalError, Malformed
from quorate.groups import Group, Point, Scalar

X_ONLY_BYTES: Final = 32
_X_ONLY_CURVE: Final = "secp256k1"


@dataclass(frozen=True, slots=True)
class Tweak:
    """Public. `x_only` is empty where no taproot output is involved."""

    plain: Scalar
    x_only: bytes = b""

    def __post_init__(self) -> None:
        if not self.x_only:
            return
        group = self.plain.group
        if group.name != _X_ONLY_CURVE:
            raise LocalError(f"an x-only tweak belongs to {_X_ONLY_CURVE}, not to {group.name}")
        if len(self.x_only) != X_ONLY_BYTES:
            raise Malformed(f"an x-only tweak has {X_ONLY_BYTES} bytes, not {len(self.x_only)}")
        group.scalar_from_bytes(self.x_only)

    @classmethod
    def none(cls, group: Group) -> Tweak:
        """The tweak that changes nothing: the root key."""
        return cls(group.scalar(0))

    @property
    def is_none(self) -> bool:
        """Whether the key stays what it is."""
        return self.plain.is_zero and not self.x_only

    def child(self, point: Point) -> Point:
        """The key that signs, for the root key `point`. Raises `LocalError` where there is none."""
        return self.accumulated(point).point

    def accumulated(self, point: Point) -> Accumulated:
        """The same with what a signer needs to follow: which sign the root key carries, and the sum."""
        state = Accumulated.start(point)
        if not self.plain.is_zero:
            state = state.plus(self.plain)
        if self.x_only:
            state = state.plus_x_only(self.plain.group.scalar_from_bytes(self.x_only))
        return state

    def to_bytes(self) -> bytes:
        """For hashes that bind the request: the scalar, then the x-only part or nothing."""
        return self.plain.to_bytes() + self.x_only

    @classmethod
    def from_bytes(cls, data: bytes, group: Group) -> Tweak:
        """Read `to_bytes`. Raises `Malformed`."""
        length = group.scalar_length
        return cls(group.scalar_from_bytes(data[:length]), data[length:])


@dataclass(frozen=True, slots=True)
class Accumulated:
    """A key after tweaks: ``point = sign * root + total * G``, the gacc and tacc of BIP 327 and BIP 445.

    `sign` is +1 or -1. With plain tweaks alone it stays +1.
    """

    point: Point
    sign: int
    total: Scalar

    @classmethod
    def start(cls, root: Point) -> Accumulated:
        """No tweak yet."""
        return cls(root, 1, root.group.scalar(0))

    def plus(self, tweak: Scalar) -> Accumulated:
        """After one plain tweak. Raises `LocalError` if it cancels the key."""
        point = self.point + self.point.group.generator.multiply_public(tweak)
        return Accumulated(_usable(point), self.sign, self.total + tweak)

    def plus_x_only(self, tweak: Scalar) -> Accumulated:
        """After one x-only tweak: the key is negated first if its y is odd."""
        return self.even().plus(tweak)

    def even(self) -> Accumulated:
        """The same x coordinate with even y, which is what 32 bytes of a key mean in BIP 340."""
        if has_even_y(self.point):
            return self
        return Accumulated(-self.point, -self.sign, -self.total)


def has_even_y(point: Point) -> bool:
    """Whether y is even; for secp256k1, whose compressed form (SEC 1) says it in its first byte."""
    return point.to_bytes()[0] == 2


def _usable(point: Point) -> Point:
    if point.is_identity:
        raise LocalError("this tweak cancels the key and leaves none; take the next index")
    return point
