"""The dealer's commitments to a batch, and what is checked against them in the exponent.

The matrix of a secret is C_jl = c_jl G for the coefficients of `bivariate.pairs` (Feldman). A batch is
checked by a random linear combination (Bellare, Garay and Rabin, Eurocrypt 1998, the small exponents test):
with weights w_k of 128 bits drawn after the matrix has come, `Folded` holds F_jl = sum over k of w_k C_k,jl,
and a vector of B values passes if sum of w_k v_k, times G, is what F gives at that place. A vector with a
wrong value passes with probability 2^-128 (docs/protocols/avss.md, soundness of the folds). What fails is
wrong for certain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul
from typing import Final

from quorate.courtesy import breathe
from quorate.entropy import Rng
from quorate.errors import Malformed, ProofRejected
from quorate.groups import Group, Point
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.sharing.avss.bivariate import Column, pairs, places
from quorate.sharing.avss.messages import Dealing
from quorate.sharing.avss.setting import Setting

WEIGHT_BYTES: Final = 16
"""128 bits: a false batch passes with probability 2^-128, and a sum costs half of one with full weights."""

Columns = tuple[list[Point], ...]
"""One list of B points for each coefficient."""


def digest_of(setting: Setting, dealing: Dealing) -> bytes:
    """What stands for a dealing in echoes, readies and certificates."""
    return digest(Tag.AVSS_DEALING, setting.session, dealing.gaps, dealing.matrix)


def commit(group: Group, columns: Sequence[Column]) -> Columns:
    """The matrices of a batch, by coefficient. Constant time as far as the group is."""
    generator, scalar = group.generator, group.scalar
    found = []
    for column in columns:
        found.append([generator.multiply(scalar(value)) for value in column])
        breathe()
    return tuple(found)


def pack(columns: Columns) -> bytes:
    """The encodings, by coefficient and then by secret. Raises `Malformed` if there is an identity."""
    return b"".join([point.to_bytes() for column in columns for point in column])


def bitmap(gaps: Sequence[int], count: int) -> bytes:
    """How a dealing says which secrets its dealer lacks: nothing if none."""
    bits = sum(1 << index for index in gaps)
    return bits.to_bytes((count + 7) // 8, "little") if bits else b""


def gaps_of(setting: Setting, dealing: Dealing) -> tuple[int, ...]:
    """The secrets that the dealer says it lacks. Raises `ProofRejected` for anything but `bitmap`'s form."""
    if not dealing.gaps:
        return ()
    bits = int.from_bytes(dealing.gaps, "little")
    found = tuple(index for index in range(setting.count) if bits >> index & 1)
    if bitmap(found, setting.count) != dealing.gaps:
        raise ProofRejected("the list of lacking secrets is not in its one form")
    return found


def check_shape(setting: Setting, dealing: Dealing, constants: Sequence[Point] | None) -> None:
    """Raises `ProofRejected` unless length, gaps and constants are as they must be.

    Without `constants` (fresh secrets) nobody lacks any. With them, what is shared is compared as bytes.
    """
    if len(dealing.matrix) != setting.matrix_bytes:
        raise ProofRejected(f"a matrix of {len(dealing.matrix)} bytes, not {setting.matrix_bytes}")
    gaps = gaps_of(setting, dealing)
    if constants is None:
        if gaps:
            raise ProofRejected("nobody lacks a fresh secret")
        return
    if len(constants) != setting.count:
        raise ValueError(f"{len(constants)} constants for {setting.count} secrets")
    length = setting.group.point_length
    for index, constant in enumerate(constants):
        given = dealing.matrix[index * length : (index + 1) * length]
        # A liar may have dealt itself a share of zero: its public share is the identity, which nobody shares.
        if index not in gaps and (constant.is_identity or given != constant.to_bytes()):
            raise ProofRejected(f"what is shared as number {index} is not the required secret")


@dataclass(frozen=True, slots=True, eq=False)
class Folded:
    """A batch of matrices under one set of weights. `public` holds the columns of phi(0, y), parsed."""

    setting: Setting
    weights: Sequence[int]
    totals: tuple[Point, ...]
    public: Columns

    @classmethod
    def read(cls, setting: Setting, matrix: bytes, rng: Rng) -> Folded:
        """Parse every point and fold. Raises `Malformed` if one of them is none."""
        group, count = setting.group, setting.count
        data = rng(WEIGHT_BYTES * count)
        read = int.from_bytes
        weights = [read(data[i : i + WEIGHT_BYTES], "big") for i in range(0, len(data), WEIGHT_BYTES)]
        size = count * group.point_length
        if len(matrix) != setting.matrix_bytes:
            raise Malformed("a matrix of another length")
        totals, public = [], []
        for place in range(len(pairs(setting.degree))):
            block = matrix[place * size : (place + 1) * size]
            points, total = group.read_and_combine(block, count, weights)
            totals.append(total)
            if place <= setting.degree:
                public.append(points)
        return cls(setting, weights, tuple(totals), tuple(public))

    def row(self, x: int) -> list[Point]:
        """The commitments A_l to the coefficients of a_x(y), folded."""
        degree, place = self.setting.degree, places(self.setting.degree)
        powers = [x**j for j in range(degree + 1)]
        combine = self.setting.group.combination
        return [
            combine([self.totals[place[j, l]] for j in range(degree + 1)], powers) for l in range(degree + 1)
        ]

    def check_row(self, x: int, coefficients: Sequence[Column]) -> None:
        """Raises `ProofRejected` unless these are the rows of the node at `x`, of every secret."""
        if len(coefficients) != self.setting.degree + 1:
            raise ProofRejected("a row of another degree")
        for commitment, column in zip(self.row(x), coefficients, strict=True):
            self._check(commitment, column)

    def check_values(self, x: int, y: int, values: Column) -> None:
        """Raises `ProofRejected` unless these are phi(x, y), of every secret."""
        powers = [y**l for l in range(self.setting.degree + 1)]
        self._check(self.setting.group.combination(self.row(x), powers), values)

    def _check(self, commitment: Point, values: Column) -> None:
        group = self.setting.group
        if len(values) != len(self.weights):
            raise ProofRejected("a vector of another length")
        folded = group.scalar(sum(map(mul, self.weights, values)))
        if group.generator.multiply(folded) != commitment:
            raise ProofRejected("a value does not lie on the committed polynomial")


def check_one(setting: Setting, matrix: bytes, index: int, x: int, y: int, value: bytes) -> None:
    """The exact check of one value; raises `ProofRejected` unless it is phi(x, y) of that secret."""
    group, degree = setting.group, setting.degree
    length, stride = group.point_length, setting.count * group.point_length
    points, powers = [], []
    for place, (j, l) in enumerate(pairs(degree)):
        start = place * stride + index * length
        points.append(group.point_from_bytes(matrix[start : start + length]))
        powers.append(x**j * y**l if j == l else x**j * y**l + x**l * y**j)
    try:
        given = group.scalar_from_bytes(value)
    except Malformed as error:
        raise ProofRejected(str(error)) from None
    if group.generator.multiply(given) != group.combination(points, powers):
        raise ProofRejected(f"value number {index} does not lie on the committed polynomial")
