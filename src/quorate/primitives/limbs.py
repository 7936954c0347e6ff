"""Whole arrays of scalars at once: the arithmetic modulo a group order behind `quorate.primitives.vole`.

A multiplication works on 3 * 416 scalars per side; one Python integer each would cost more than all its
hashing. Here a scalar is a row of `words` little-endian 32-bit words, and two tools do everything:

- sums with public weights are matrix products in float64 over 16-bit halves. They are exact, since every
  sum stays below 2^53; each bound is stated where the product is made;
- `ScalarKernel.canonical` reduces words with slack (signed 64-bit) to the one number below the order: one
  estimated quotient, one carry chain, one conditional subtraction.

No branch and no memory address depends on a scalar; selections are masks. That numpy and the BLAS are
data-independent below is what we see, not what they promise.

Assumes a little-endian machine. Fits any odd order of up to 256 bits whose highest 32-bit word has at
least 24 (the toy group, secp256k1, P-256, STARK, Ed25519). Python integers appear only for a handful of
scalars per call.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

if sys.byteorder != "little":
    raise ImportError("quorate.primitives.limbs views bytes as little-endian words; this machine is not")

Octets: TypeAlias = npt.NDArray[np.uint8]
Words: TypeAlias = npt.NDArray[np.uint32]
"""Shape (..., words): a scalar per row, little-endian in memory, canonical unless said otherwise."""
Lanes: TypeAlias = npt.NDArray[np.int64]
"""Shape (words, n): word i of n scalars side by side, weight 2^(32 i); signed, with slack."""
Floats: TypeAlias = npt.NDArray[np.float64]
A = TypeVar("A", bound=npt.NDArray[Any])

MAX_BITS: Final = 256
"""Bits of the largest order: with more halves the sums of `ScalarKernel.combinations` would pass 2^53."""
MIN_TOP_BITS: Final = 24
"""Bits that the highest word of an order must have, so that a quotient estimate stays below 2^30."""
QUOTIENT_MARGIN: Final = 2.0**-18
"""Taken off an estimated quotient, whose error is below 2^-20, so that no remainder is negative."""
NARROW_BIAS_BITS: Final = 127
"""Uniform words serve as a scalar as they are if reducing them is biased by less than 2^-127 (secp256k1)."""
WIDE_MARGIN: Final = 16
"""Bytes that uniform strings have beyond a scalar where the order is not that close to a power of two."""


@contextmanager
def wiping() -> Iterator[Callable[[A], A]]:
    """A function that marks arrays to be overwritten with zeros at the end of the block, however it ends.

    This shortens the life of the big secrets. It cannot reach what hash functions returned as `bytes`, nor
    Python integers.
    """
    marked: list[Any] = []

    def mark(array: A) -> A:
        marked.append(array)
        return array

    try:
        yield mark
    finally:
        for array in marked:
            array.fill(0)


@lru_cache(maxsize=16)
def kernel(order: int) -> ScalarKernel:
    """The one `ScalarKernel` of an order. Raises ValueError for an order that does not fit the layout."""
    return ScalarKernel(order)


class ScalarKernel:
    """Arithmetic on arrays of integers modulo one order. Immutable."""

    __slots__ = ("_half_digits", "_order_lanes", "_scale", "halves", "length", "order", "pad_length", "words")

    def __init__(self, order: int) -> None:
        bits = order.bit_length()
        if order % 2 == 0 or not 32 < bits <= MAX_BITS or 0 < bits % 32 < MIN_TOP_BITS:
            raise ValueError(f"no word layout for an order of {bits} bits")
        self.order: Final = order
        self.words: Final = -(-bits // 32)
        self.halves: Final = 2 * self.words
        self.length: Final = 4 * self.words
        """Bytes of one scalar in an array."""
        whole = 1 << 32 * self.words
        narrow = whole - order << NARROW_BIAS_BITS < whole
        self.pad_length: Final = self.length if narrow else self.length + WIDE_MARGIN
        """Bytes of a uniform string that stands for one scalar; see `from_pads`."""
        self._order_lanes: Final = self.pack([order]).T.astype(np.int64)
        self._scale: Final = [2 ** (32 * (self.words - 1 - i)) / order for i in range(min(3, self.words))]
        self._half_digits: Final = self.digits(1, self.pad_length // 2)

    # Conversions

    def pack(self, values: Iterable[int]) -> Words:
        """Integers from 0 to 2^(32 words) - 1 as rows, shape (n, words)."""
        data = b"".join(value.to_bytes(self.length, "little") for value in values)
        return np.frombuffer(data, "<u4").reshape(-1, self.words)

    def unpack(self, words: Words) -> list[int]:
        """Rows as integers."""
        data, length = words.tobytes(), self.length
        return [int.from_bytes(data[i : i + length], "little") for i in range(0, len(data), length)]

    def is_canonical(self, words: Words) -> bool:
        """Whether every row is below the order. In variable time: for received, public rows only."""
        top = words[..., -1]
        border = top >= self.order >> 32 * (self.words - 1)
        return not border.any() or all(value < self.order for value in self.unpack(words[border]))

    def from_pads(self, pads: Octets) -> Words:
        """Uniform strings, shape (n, pad_length), as rows that are uniform modulo the order.

        Where the order is close to a power of two, rows are the strings themselves and may exceed it; the
        other methods take such rows. Elsewhere the wider strings are reduced.
        """
        if self.pad_length == self.length:
            return pads.view("<u4")
        # pad_length/2 <= 24 halves below 2^16 times digits of at most 2^31: sums below 2^52
        halves = pads.view("<u2").astype(np.float64)
        return self.canonical((self._half_digits.T @ halves.T).astype(np.int64))

    def halves_of(self, words: Words) -> Floats:
        """16-bit halves, shape (n, m * halves), of n rows of m scalars."""
        return words.reshape(len(words), -1).view("<u2").astype(np.float64)

    # Exact sums with public weights

    def digits(self, value: int, count: int) -> Floats:
        """Row i: value * 2^(16 i) modulo the order as `words` signed digits of 32 bits, i < count.

        A row of 16-bit halves times this matrix is value times the row, congruent modulo the order.
        """
        order, words = self.order, self.words
        offset = 2**31 * ((1 << 32 * words) - 1) // (2**32 - 1)  # 2^31 in every word
        largest = (1 << 32 * words) - 1 - offset  # the largest number with digits below 2^31
        rows = []
        for _ in range(count):
            rows.append((value - order if value > largest else value) + offset)
            value = (value << 16) % order
        return self.pack(rows).astype(np.float64) - 2.0**31

    def inner_products(self, weights: Floats, halves: Floats) -> list[int]:
        """For each scalar column: the sum over rows of weight times entry, modulo the order.

        `weights`, shape (self.halves, n), holds n public scalars in halves below 2^16; `halves`, shape
        (n, m * self.halves), n rows of m scalars in halves below 2^17. Exact for n up to 2^15.
        """
        wide, columns = self.halves, halves.shape[1] // self.halves
        # entry (i, k) of a column's square block has weight 2^(16 (i + k)); a row stride of one more
        # than the width shifts row i by i places, so that adding rows adds what has equal weight
        skewed = np.zeros((columns, wide, 2 * wide))
        skewed[:, :, :wide] = (weights @ halves).reshape(wide, columns, wide).transpose(1, 0, 2)
        flat = skewed.reshape(columns, -1)[:, : wide * (2 * wide - 1)]
        # equal weights: at most 16 entries, each n terms below 2^16 * 2^17, below 2^52 for n = 2^15
        sums = flat.reshape(columns, wide, 2 * wide - 1).sum(axis=1).astype(np.int64)
        return [self._evaluate(column) for column in sums.tolist()]

    def combinations(
        self, halves: Floats, weights: tuple[int, int], constant: int = 0, bits: Octets | None = None
    ) -> Words:
        """For every row (x_1, x_2, x_3): x_3 + weights . (x_1, x_2) - bit * constant, canonical.

        `halves` as in `inner_products`, m = 3; `bits`, shape (n,), are all zero if not given.
        """
        # per lane: 2 * halves terms below 2^17 * 2^31, two of x_3 and one of the constant: below 2^53 for
        # halves <= 16
        digits = np.concatenate(
            [*(self.digits(weight, self.halves) for weight in weights), self._half_digits[: self.halves]]
        )
        lanes = (digits.T @ halves.T).astype(np.int64)
        if bits is not None:
            taken = self.pack([constant]).T.astype(np.int64) * bits
            lanes -= taken
            taken.fill(0)
        result = self.canonical(lanes)
        lanes.fill(0)
        return result

    def differences(self, minuends: Words, subtrahends: Words, addends: tuple[int, ...]) -> Words:
        """minuend - subtrahend + addend, canonical; shape (n, m, words), with one addend per column."""
        rows, columns, words = minuends.shape
        lanes = minuends.reshape(-1, words).T.astype(np.int64, order="C")
        lanes -= subtrahends.reshape(-1, words).T
        lanes.reshape(words, rows, columns)[...] += self.pack(addends).T[:, None]
        result = self.canonical(lanes)
        lanes.fill(0)
        return result.reshape(minuends.shape)

    def subset_sum(self, bits: Octets, weights: Floats) -> int:
        """The sum of the weights (see `inner_products`) whose bit is one, modulo the order."""
        chosen = bits.astype(np.float64)
        sums = (weights @ chosen).astype(np.int64)
        chosen.fill(0)
        return self._evaluate(sums.tolist())

    def _evaluate(self, column: list[int]) -> int:
        total = 0
        for value in reversed(column):
            total = (total << 16) + value
        return total % self.order

    # Reduction

    def canonical(self, lanes: Lanes) -> Words:
        """The rows below the order that are congruent to the given lanes, shape (n, words).

        Every lane must be below 2^53 in magnitude.
        """
        words, order = self.words, self._order_lanes
        # 1. Quotient. |value / order| < 2^53 / 2^(MIN_TOP_BITS - 1) = 2^30; the lanes left out and the
        #    rounding of three terms move it by less than 2^-20.
        estimate = lanes[words - 1] * self._scale[0]
        for i, scale in enumerate(self._scale[1:], 2):
            estimate += lanes[words - i] * scale
        estimate -= QUOTIENT_MARGIN
        quotient = np.floor(estimate, out=estimate).astype(np.int64)
        # 2. Remainder y, from 0 to slightly above the order, and beside it z = y - order.
        both = np.empty((words, 2, lanes.shape[1]), np.int64)
        remainder, reduced = both[:, 0], both[:, 1]
        np.multiply(order, quotient, out=remainder)
        np.subtract(lanes, remainder, out=remainder)
        np.subtract(remainder, order, out=reduced)
        # 3. Carry, both at once. Low 32 bits are digits; the highest lane keeps the sign.
        carry = np.empty(both.shape[1:], np.int64)
        for i in range(words - 1):
            np.right_shift(both[i], 32, out=carry)
            both[i + 1] += carry
        # 4. y where z is negative, else z; digits only.
        negative = (reduced[-1] >> 63).astype(np.uint32)
        digits = both.astype(np.uint32)
        other, chosen = digits[:, 0], digits[:, 1]
        other ^= chosen
        other &= negative
        chosen ^= other
        result = chosen.T.copy()
        for secret in (both, digits, quotient, estimate):
            secret.fill(0)
        return result
