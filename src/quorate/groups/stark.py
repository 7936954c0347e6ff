"""The STARK curve of Starknet: y^2 = x^3 + x + b over 2^251 + 17*2^192 + 1 (StarkWare's documentation of
ECDSA "STARK curve"), in our own arithmetic.

**Not constant time.** No maintained library offers constant-time operations on this curve, so secret scalars
meet Python and gmpy2 integers. What bounds the leak: every product with a secret scalar adds a random 64-bit
multiple of the order to it, starts from coordinates with a random Z, and takes the same sequence of doublings
and additions whatever the scalar is (windows whose digits are never zero). An attacker on the same machine
who watches the cache may still learn more than from the other curves; see SECURITY.md.

Signatures are ECDSA with ranges of their own: message, r and 1/s lie in [1, 2^251), which Starknet's
contracts and StarkWare's verifier check. Everything public runs in `quorate.groups.weierstrass`.
"""

from __future__ import annotations

from typing import Final

from quorate.entropy import Rng, system_rng
from quorate.errors import ProofRejected
from quorate.groups.group import Point, Scalar, mixed
from quorate.groups.integers import Convert, LucasV, fastest
from quorate.groups.weierstrass import Affine, Curve, CurveGroup, CurvePoint, Jacobian

ORDER: Final = 0x08000000_00000010_FFFFFFFF_FFFFFFFF_B781126D_CAE7B232_1E66A241_ADC64D2F
FIELD: Final = 0x08000000_00000011_00000000_00000000_00000000_00000000_00000000_00000001
B: Final = 0x06F21413_EFBE40DE_150E596D_72F7A8C5_609AD26C_15C915C1_F4CDFCB9_9CEE9E89
GENERATOR: Final = (
    0x01EF15C1_8599971B_7BECED41_5A40F0C7_DEACFD9B_0D1819E0_3D723D8B_C943CFCA,
    0x00566806_0AA49730_B7BE4801_DF46EC62_DE53ECD1_1ABE43A3_2873000C_36E8DC1F,
)

MAX_ELEMENT: Final = 1 << 251
"""Bound of message, r and 1/s in a signature."""

_BLIND_BITS: Final = 64
"""Bits of the random multiple of the order that is added to a secret scalar."""
_LENGTH: Final = ORDER.bit_length() + _BLIND_BITS
_WINDOW: Final = 4
_FIXED_WINDOW: Final = 6
"""Bits of a digit of another point's factor, and of the generator's: its table has 3,392 points (0.6 MB, made
in 20 ms at first use), and halving the additions again would take eight times as many."""


class StarkPoint(CurvePoint):
    """A point of the STARK curve."""

    __slots__ = ()

    group: StarkGroup

    def multiply(self, scalar: Scalar) -> Point:
        group, at = self.group, self.at
        if scalar.group is not group:
            raise mixed(group, scalar.group)
        if at is None or scalar.value == 0:
            return group.identity
        curve = group.curve
        double, add = curve.double, curve.add
        base = group.blinded(at)
        table = [base, double(base)]
        while len(table) < 1 << _WINDOW:
            table.append(add(table[-1], base))
        digits = group.digits(scalar.value, _WINDOW, group.blinding())
        total = table[digits[-1]]
        for digit in reversed(digits[:-1]):
            total = add(double(double(double(double(total)))), table[digit])
        return group.affine(total)


class _Generator(StarkPoint):
    """The generator, with a table of its multiples: an eighth of another point's time."""

    __slots__ = ()

    def multiply(self, scalar: Scalar) -> Point:
        group = self.group
        if scalar.group is not group:
            raise mixed(group, scalar.group)
        if scalar.value == 0:
            return group.identity
        return self._by_table(group.digits(scalar.value, _FIXED_WINDOW, group.blinding()), secret=True)

    def multiply_public(self, scalar: Scalar) -> Point:
        group = self.group
        if scalar.group is not group:
            raise mixed(group, scalar.group)
        if scalar.value == 0:
            return group.identity
        return self._by_table(group.digits(scalar.value, _FIXED_WINDOW, 1 << _BLIND_BITS - 1), secret=False)

    def _by_table(self, digits: list[int], *, secret: bool) -> Point:
        group = self.group
        rows = group.table()
        add = group.curve.add_affine
        first = rows[0][digits[0]]
        total = group.blinded(first) if secret else (*first, group.curve.identity[0])
        for row, digit in zip(rows[1:], digits[1:], strict=True):
            total = add(total, row[digit])
        return group.affine(total)


class StarkGroup(CurveGroup):
    """The curve with one kind of integers. The package uses `STARK`."""

    name = "stark"
    order = ORDER

    def __init__(self, convert: Convert, lucas_v: LucasV, rng: Rng = system_rng) -> None:
        self.curve = Curve(convert, lucas_v, field=FIELD, a=1, b=B)
        self._rng = rng
        self._table: list[list[Affine]] = []
        self.identity = self.made(None)
        self.generator = _Generator(self, (convert(GENERATOR[0]), convert(GENERATOR[1])))

    def made(self, at: Affine | None) -> StarkPoint:
        return StarkPoint(self, at)

    def blinding(self) -> int:
        """A random factor of the order with its highest bit set, so that all blinded scalars are as long."""
        return int.from_bytes(self._rng(_BLIND_BITS // 8), "big") | 1 << _BLIND_BITS - 1

    def blinded(self, at: Affine) -> Jacobian:
        """The same point in coordinates that nobody can foresee."""
        curve = self.curve
        p = curve.p
        z = curve.convert(int.from_bytes(self._rng(48), "big")) % (p - 1) + 1
        square = z * z % p
        return at[0] * square % p, at[1] * square % p * z % p, z

    def digits(self, value: int, window: int, blinding: int) -> list[int]:
        """value + blinding * order as windows, lowest first: digit d stands for d + 1, so none adds nothing.

        The sum of all the ones is taken off beforehand; the blinding keeps what remains above zero.
        """
        count = -(-_LENGTH // window)
        ones = ((1 << count * window) - 1) // ((1 << window) - 1)
        rest = value + blinding * ORDER - ones
        mask = (1 << window) - 1
        return [rest >> place & mask for place in range(0, count * window, window)]

    def table(self) -> list[list[Affine]]:
        """Row i: 1 to 64 times 64^i times the generator. Made once; two threads would make the same."""
        if not self._table:
            curve, size = self.curve, 1 << _FIXED_WINDOW
            x, y = GENERATOR
            base: Jacobian = (curve.convert(x), curve.convert(y), curve.identity[0])
            flat: list[Jacobian] = []
            for _ in range(-(-_LENGTH // _FIXED_WINDOW)):
                row = [base, curve.double(base)]
                while len(row) < size:
                    row.append(curve.add(row[-1], base))
                flat += row
                base = row[-1]
            points = curve.to_affine(flat)
            self._table = [points[i : i + size] for i in range(0, len(points), size)]
        return self._table


def verify_ecdsa(public: Point, message: int, r: int, s: int) -> None:
    """Check a signature on a field element as Starknet does, ranges included. Raises `ProofRejected`.

    s and its negative both pass, here as there.
    """
    if not isinstance(public, StarkPoint) or public.at is None:
        raise ProofRejected("not a public key of stark")
    if not (0 < message < MAX_ELEMENT and 0 < r < MAX_ELEMENT and 0 < s < ORDER):
        raise ProofRejected("not a signature on an element below 2^251")
    inverse = pow(s, -1, ORDER)
    if inverse >= MAX_ELEMENT:
        raise ProofRejected("1/s is not below 2^251")
    group = public.group
    point = group.generator.multiply_public(group.scalar(inverse * message)) + public.multiply_public(
        group.scalar(inverse * r)
    )
    # r is compared as it is: a verifier there does not reduce the coordinate
    if point.is_identity or group.x_coordinate(point) != r:
        raise ProofRejected("the ECDSA signature does not verify under this key")


STARK: Final = StarkGroup(*fastest())
