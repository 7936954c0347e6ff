"""The bounds behind the float arithmetic, worked out from the matrices, and inputs made to pass them.

A float64 sum is exact in any order of its terms if their magnitudes add up to at most 2^53. An inexact one
would be worse than a wrong result: it would be wrong only for some secrets. A cheating Alice chooses half of
what Bob multiplies, and th by trying messages, so "large inputs are rare" is no argument.
"""

import random

import numpy as np
import pytest

from quorate.groups import SECP256K1
from quorate.groups.toy import ORDER as TOY
from quorate.primitives.limbs import ScalarKernel, kernel
from quorate.primitives.parameters import MAX_BITS, STANDARD
from quorate.primitives.vole import _gadget

EXACT = 2**53
LARGEST_HALF = 2 * (2**16 - 1)
"""A half of a pad plus a half of a correction, uncarried."""
ORDERS = {
    "toy": TOY,
    "secp256k1": SECP256K1.order,
    "p256": 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551,
    "stark": 0x08000000_00000010_FFFFFFFF_FFFFFFFF_B781126D_CAE7B232_1E66A241_ADC64D2F,
    "the thinnest top word": 2**247 + 1,
    "the fullest": 2**256 - 1,
}


@pytest.fixture(params=ORDERS)
def arithmetic(request: pytest.FixtureRequest) -> ScalarKernel:
    return kernel(ORDERS[request.param])


def weights_of(arithmetic: ScalarKernel, count: int) -> list[int]:
    """Weights at every edge of their digits, and others."""
    words, order = arithmetic.words, arithmetic.order
    pattern = sum(1 << 32 * i for i in range(words))
    edges = [d * pattern for d in (2**31, 2**31 - 1, 2**32 - 1, 1)] + [
        order - 1,
        order // 2,
        order // 2 + 1,
        0,
    ]
    # times 2^16 these come out at such an edge
    back = pow(2**16, -1, order)
    edges += [edge * back for edge in edges]
    source = random.Random(2023)
    return [edge % order for edge in edges] + [source.randrange(order) for _ in range(count)]


def test_every_product_of_the_check_stays_exact_whatever_weights_and_rows(arithmetic: ScalarKernel) -> None:
    """combinations: two weights' digits, the digits of one, a constant; the worst case over *all* weights."""
    terms = 2 * arithmetic.halves * LARGEST_HALF * 2**31
    terms += LARGEST_HALF * int(np.abs(arithmetic.digits(1, arithmetic.halves)).sum(axis=0).max())
    assert terms + 2**32 < EXACT


def test_digits_never_leave_their_range_nor_change_the_product(arithmetic: ScalarKernel) -> None:
    for weight in weights_of(arithmetic, 200):
        digits = arithmetic.digits(weight, arithmetic.halves)
        assert digits.min() >= -(2**31)
        assert digits.max() <= 2**31 - 1
        for place, row in enumerate(digits.astype(np.int64).tolist()):
            value = sum(digit << 32 * i for i, digit in enumerate(row))
            assert (value - (weight << 16 * place)) % arithmetic.order == 0


def test_rows_chosen_to_push_each_lane_to_its_end_are_combined_exactly(arithmetic: ScalarKernel) -> None:
    """For given weights, the rows that make one word as large, or as far below zero, as any rows can."""
    order, wide = arithmetic.order, 3 * arithmetic.halves
    weights = weights_of(arithmetic, 24)
    for first, second in zip(weights, reversed(weights), strict=True):
        digits = np.concatenate(
            [
                arithmetic.digits(first, arithmetic.halves),
                arithmetic.digits(second, arithmetic.halves),
                arithmetic.digits(1, arithmetic.halves),
            ]
        )
        rows = [
            np.where(side * digits[:, i] > 0, LARGEST_HALF, 0)
            for i in range(arithmetic.words)
            for side in (1, -1)
        ]
        halves = np.array(rows, np.float64).reshape(-1, wide)
        values = [
            [sum(int(half) << 16 * i for i, half in enumerate(part)) for part in np.split(row, 3)]
            for row in halves
        ]
        bits = np.arange(len(rows), dtype=np.uint8) % 2
        expected = [
            (x3 + first * x1 + second * x2 - bit * (order - 1)) % order
            for (x1, x2, x3), bit in zip(values, bits.tolist(), strict=True)
        ]
        mu = arithmetic.combinations(halves, (first, second), order - 1, bits)
        assert arithmetic.unpack(mu) == expected


def test_sums_over_all_transfers_stay_exact_at_the_largest_sizes_that_parameters_allow() -> None:
    """inner_products: a square block, then sums along its diagonals; subset_sum; wide pads."""
    transfers = 256 + 2 * MAX_BITS
    assert transfers * (2**16 - 1) * LARGEST_HALF * 16 < EXACT
    assert transfers * (2**16 - 1) < EXACT
    for order in ORDERS.values():
        arithmetic = kernel(order)
        digits = np.abs(arithmetic.digits(1, arithmetic.pad_length // 2)).sum(axis=0)
        assert int(digits.max()) * (2**16 - 1) < EXACT


def test_the_real_gadget_with_the_largest_rows_sums_exactly() -> None:
    arithmetic, xi = kernel(SECP256K1.order), STANDARD.xi(SECP256K1)
    gadget = _gadget(SECP256K1.order, xi)
    halves = np.full((xi, 2 * arithmetic.halves), float(LARGEST_HALF))
    weights = [sum(int(half) << 16 * i for i, half in enumerate(row)) for row in gadget.T]
    assert all(weight < SECP256K1.order for weight in weights)
    row = sum(LARGEST_HALF << 16 * i for i in range(arithmetic.halves))
    assert arithmetic.inner_products(gadget, halves) == [sum(weights) * row % SECP256K1.order] * 2
    assert arithmetic.subset_sum(np.ones(xi, np.uint8), gadget) == sum(weights) % SECP256K1.order
    assert not gadget.flags.writeable
