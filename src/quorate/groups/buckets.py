"""The bookkeeping of the bucket method for sums of many weighted points (Pippenger 1976; Bernstein, Doumen,
Lange and Oosterwijk 2012, section 4).

Weights are cut into windows of a few bits. In each window the points with the same digit are added up first,
into one bucket for each digit; what remains is a sum over the few buckets. For a thousand points and 128-bit
weights that is 26 additions a point, instead of a multiplication of its own. What an addition is belongs to
the backend: here are only which points meet in which bucket, and how wide a window pays.

Weights and points are public: everything here depends on them in time and in memory access.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

MAX_WINDOW: Final = 8
"""Digits are bytes. At 8 bits the buckets pay only from about ten thousand points on."""


def digits(weights: Sequence[int], bits: int, window: int) -> Any:
    """The weights' digits, least significant first: an array of bytes, one row a window, one column a weight.

    Every weight must be below 2^bits. Cutting and sorting by numpy is a third of the cost of the same in
    Python, which would cost as much as the additions.
    """
    import numpy

    if not 1 <= window <= MAX_WINDOW:
        raise ValueError(f"a window has 1 to {MAX_WINDOW} bits, not {window}")
    length = (bits + 7) // 8
    octets = numpy.frombuffer(b"".join([w.to_bytes(length, "little") for w in weights]), dtype=numpy.uint8)
    cut = numpy.unpackbits(octets.reshape(len(weights), length), axis=1, count=bits, bitorder="little")
    windows = -(-bits // window)
    padded = numpy.zeros((len(weights), windows * window), dtype=numpy.uint8)
    padded[:, :bits] = cut
    packed = numpy.packbits(padded.reshape(len(weights), windows, window), axis=2, bitorder="little")
    return numpy.ascontiguousarray(packed[:, :, 0].T)


def sorted_by_digit(table: Any, window: int) -> tuple[Any, list[list[int]]]:
    """For each row of `digits`: the columns in the order of their digits, and where each digit begins.

    `starts[row][d]` to `starts[row][d + 1]` are the places of digit d.
    """
    import numpy

    order = numpy.argsort(table, axis=1, kind="stable")
    starts = [[0, *numpy.cumsum(numpy.bincount(row, minlength=1 << window)).tolist()] for row in table]
    return order, starts


def window_for(count: int, bits: int, *, call: float, addition: float) -> tuple[int, float]:
    """The cheapest window for `count` points, and what the whole sum then costs.

    `call` is the price of one sum whatever it adds up, `addition` that of each point in it.
    """
    best = (1, float("inf"))
    for window in range(1, MAX_WINDOW + 1):
        buckets = ((1 << window) - 1) * call + window * (call + (1 << (window - 1)) * addition)
        cost = -(-bits // window) * (count * addition + buckets) + bits * call
        if cost < best[1]:
            best = (window, cost)
    return best
