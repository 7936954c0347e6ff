"""The array arithmetic against Python's integers, at random and at every edge that an estimate could miss."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.transfers import P256

from quorate.groups import SECP256K1
from quorate.groups.toy import ORDER as TOY
from quorate.primitives.limbs import ScalarKernel, kernel, wiping

ORDERS = {
    "toy": TOY,
    "secp256k1": SECP256K1.order,
    "p256": P256.order,
    "stark": 0x08000000_00000010_FFFFFFFF_FFFFFFFF_B781126D_CAE7B232_1E66A241_ADC64D2F,
    "ed25519": 2**252 + 27742317777372353535851937790883648493,
    "the thinnest top word": 2**151 + 1,
    "the fullest": 2**160 - 1,
}
quick = settings(max_examples=40, deadline=None)
lane = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.sampled_from([0, 1, -1, 2**32, -(2**32), 2**32 - 1, 2**53 - 1, 1 - 2**53]),
)


@pytest.fixture(params=ORDERS)
def arithmetic(request: pytest.FixtureRequest) -> ScalarKernel:
    return kernel(ORDERS[request.param])


def lanes_of(arithmetic: ScalarKernel, values: list[int]) -> np.ndarray:
    """Integers of any sign as lanes; what the lower words leave is the top lane."""
    words = arithmetic.words
    low = [[value >> 32 * i & 0xFFFFFFFF for value in values] for i in range(words - 1)]
    return np.array([*low, [value >> 32 * (words - 1) for value in values]], np.int64)


@quick
@given(data=st.data(), order=st.sampled_from(sorted(ORDERS.values())))
def test_canonical_agrees_with_integers_for_any_lanes(data: st.DataObject, order: int) -> None:
    arithmetic = kernel(order)
    columns = data.draw(
        st.lists(st.lists(lane, min_size=arithmetic.words, max_size=arithmetic.words), min_size=1)
    )
    expected = [sum(value << 32 * i for i, value in enumerate(column)) % order for column in columns]
    assert arithmetic.unpack(arithmetic.canonical(np.array(columns, np.int64).T.copy())) == expected


@quick
@given(data=st.data(), size=st.sampled_from([56, 61, 64, 88, 120, 160, 185, 224, 252, 255, 256]))
def test_any_odd_order_of_a_fitting_size_will_do(data: st.DataObject, size: int) -> None:
    order = data.draw(st.integers(2 ** (size - 1), 2**size - 1)) | 1
    arithmetic = ScalarKernel(order)
    column = data.draw(st.lists(lane, min_size=arithmetic.words, max_size=arithmetic.words))
    expected = sum(value << 32 * i for i, value in enumerate(column)) % order
    assert arithmetic.unpack(arithmetic.canonical(np.array([column], np.int64).T.copy())) == [expected]
    weights = data.draw(st.tuples(st.integers(0, order - 1), st.integers(0, order - 1)))
    rows = data.draw(st.lists(st.integers(0, order - 1), min_size=3, max_size=3))
    halves = arithmetic.halves_of(arithmetic.pack(rows).reshape(1, 3, -1))
    mu = arithmetic.combinations(halves, weights)
    assert arithmetic.unpack(mu) == [(weights[0] * rows[0] + weights[1] * rows[1] + rows[2]) % order]


def test_canonical_is_exact_next_to_every_multiple_of_the_order(arithmetic: ScalarKernel) -> None:
    order = arithmetic.order
    largest = (2**53 - 2) << 32 * (arithmetic.words - 1)
    multiples = {0, 1, 2, 3, 1000, 2**20, largest // order - 1, largest // order}
    values = [sign * m * order + d for m in multiples for sign in (1, -1) for d in (-2, -1, 0, 1, 2)]
    assert arithmetic.unpack(arithmetic.canonical(lanes_of(arithmetic, values))) == [
        value % order for value in values
    ]


def test_canonical_is_exact_at_the_largest_lanes(arithmetic: ScalarKernel) -> None:
    for value in (2**53 - 1, 1 - 2**53):
        lanes = np.full((arithmetic.words, 3), value, np.int64)
        expected = sum(value << 32 * i for i in range(arithmetic.words)) % arithmetic.order
        assert arithmetic.unpack(arithmetic.canonical(lanes)) == [expected] * 3


@quick
@given(order=st.sampled_from(sorted(ORDERS.values())), data=st.data())
def test_differences_agree_with_integers(order: int, data: st.DataObject) -> None:
    arithmetic = kernel(order)
    # pads may exceed the order where it is close to a power of two
    pads = st.integers(0, 2 ** (32 * arithmetic.words) - 1)
    below = st.integers(0, order - 1)
    rows = data.draw(st.integers(1, 5))
    first = data.draw(st.lists(pads, min_size=3 * rows, max_size=3 * rows))
    second = data.draw(st.lists(pads, min_size=3 * rows, max_size=3 * rows))
    addends = data.draw(st.tuples(below, below, below))
    shape = (rows, 3, arithmetic.words)
    result = arithmetic.differences(
        arithmetic.pack(first).reshape(shape), arithmetic.pack(second).reshape(shape), addends
    )
    assert result.shape == shape
    expected = [(x - y + addends[i % 3]) % order for i, (x, y) in enumerate(zip(first, second, strict=True))]
    assert arithmetic.unpack(result) == expected


@quick
@given(order=st.sampled_from(sorted(ORDERS.values())), data=st.data())
def test_combinations_agree_with_integers(order: int, data: st.DataObject) -> None:
    arithmetic = kernel(order)
    pads = st.integers(0, 2 ** (32 * arithmetic.words) - 1)
    below = st.one_of(
        st.integers(0, order - 1), st.sampled_from([0, 1, order - 1, order // 2, order // 2 + 1])
    )
    rows = data.draw(st.integers(1, 4))
    one = data.draw(st.lists(pads, min_size=3 * rows, max_size=3 * rows))
    two = data.draw(st.lists(pads, min_size=3 * rows, max_size=3 * rows))
    weights = data.draw(st.tuples(below, below))
    constant = data.draw(below)
    bits = data.draw(st.lists(st.integers(0, 1), min_size=rows, max_size=rows))
    shape = (rows, 3, arithmetic.words)
    # the halves of a sum of two numbers, uncarried, as the receiver has them
    halves = arithmetic.halves_of(arithmetic.pack(one).reshape(shape))
    halves += arithmetic.halves_of(arithmetic.pack(two).reshape(shape))
    totals = [x + y for x, y in zip(one, two, strict=True)]
    expected = [
        (totals[3 * j + 2] + weights[0] * totals[3 * j] + weights[1] * totals[3 * j + 1] - bits[j] * constant)
        % order
        for j in range(rows)
    ]
    mu = arithmetic.combinations(halves, weights, constant, np.array(bits, np.uint8))
    assert arithmetic.unpack(mu) == expected


def test_combinations_are_exact_at_the_largest_halves(arithmetic: ScalarKernel) -> None:
    order, largest = arithmetic.order, 2 ** (32 * arithmetic.words) - 1
    # every 32-bit digit of a weight times 2^(16 i) near its bound, where that is possible
    weights = (2**31 * (largest // (2**32 - 1)) % order, (order - 1) // 2)
    halves = np.full((2, 3 * arithmetic.halves), 2.0**17 - 2)
    total = sum((2**17 - 2) << 16 * i for i in range(arithmetic.halves))
    expected = (total + sum(weights) * total - (order - 1)) % order
    ones = np.ones(2, np.uint8)
    assert arithmetic.unpack(arithmetic.combinations(halves, weights, order - 1, ones)) == [expected] * 2


def test_sums_stay_exact_for_the_largest_weights_and_entries(arithmetic: ScalarKernel) -> None:
    rows, largest = 512, 2 ** (32 * arithmetic.words) - 1
    weights = arithmetic.halves_of(arithmetic.pack([largest] * rows)).T.copy()
    halves = np.full((rows, 2 * arithmetic.halves), 2.0**17 - 2)
    entry = sum((2**17 - 2) << 16 * i for i in range(arithmetic.halves))
    expected = rows * largest * entry % arithmetic.order
    assert arithmetic.inner_products(weights, halves) == [expected] * 2
    ones = np.ones(rows, np.uint8)
    assert arithmetic.subset_sum(ones, weights) == rows * largest % arithmetic.order


@quick
@given(order=st.sampled_from(sorted(ORDERS.values())), data=st.data())
def test_inner_products_and_subset_sums_agree_with_integers(order: int, data: st.DataObject) -> None:
    arithmetic = kernel(order)
    below = st.integers(0, order - 1)
    rows = data.draw(st.integers(1, 6))
    weights = data.draw(st.lists(below, min_size=rows, max_size=rows))
    entries = data.draw(st.lists(below, min_size=2 * rows, max_size=2 * rows))
    bits = data.draw(st.lists(st.integers(0, 1), min_size=rows, max_size=rows))
    packed = arithmetic.halves_of(arithmetic.pack(weights)).T.copy()
    halves = arithmetic.halves_of(arithmetic.pack(entries).reshape(rows, 2, arithmetic.words))
    assert arithmetic.inner_products(packed, halves) == [
        sum(weights[j] * entries[2 * j + i] for j in range(rows)) % order for i in range(2)
    ]
    chosen = sum(weight for weight, bit in zip(weights, bits, strict=True) if bit)
    assert arithmetic.subset_sum(np.array(bits, np.uint8), packed) == chosen % order


def test_pads_are_reduced_wide_except_where_the_order_is_close_to_a_power_of_two() -> None:
    wide = {name for name, order in ORDERS.items() if kernel(order).pad_length > kernel(order).length}
    assert wide == set(ORDERS) - {"secp256k1", "the fullest"}


def test_pads_become_scalars_congruent_to_the_string(arithmetic: ScalarKernel) -> None:
    count = 64
    data = os.urandom((count - 2) * arithmetic.pad_length) + bytes(arithmetic.pad_length)
    data += b"\xff" * arithmetic.pad_length
    pads = np.frombuffer(data, np.uint8).reshape(count, arithmetic.pad_length)
    values = arithmetic.unpack(arithmetic.from_pads(pads))
    assert [value % arithmetic.order for value in values] == [
        int.from_bytes(row.tobytes(), "little") % arithmetic.order for row in pads
    ]


def test_only_numbers_below_the_order_count_as_canonical(arithmetic: ScalarKernel) -> None:
    order, largest = arithmetic.order, 2 ** (32 * arithmetic.words) - 1
    assert arithmetic.is_canonical(arithmetic.pack([0, 1, order - 1]))
    for value in {order, min(order + 1, largest), largest}:
        assert not arithmetic.is_canonical(arithmetic.pack([0, value, 1]))


@pytest.mark.parametrize("order", [2**255, 2**31 - 1, 2**40 - 87, 2**130 - 5, 2**150 + 1, 2**288 - 1])
def test_an_order_without_a_word_layout_is_refused(order: int) -> None:
    with pytest.raises(ValueError, match="no word layout"):
        ScalarKernel(order)


def test_marked_arrays_are_zero_after_the_block_even_if_it_fails() -> None:
    secret = np.arange(1, 5)
    with pytest.raises(RuntimeError), wiping() as wiped:
        assert wiped(secret) is secret
        raise RuntimeError
    assert not secret.any()


def test_products_stay_on_one_thread_unless_the_operator_says_otherwise() -> None:
    code = "import quorate.primitives.limbs, os; print(os.environ['OPENBLAS_NUM_THREADS'])"
    environment = {key: value for key, value in os.environ.items() if key != "OPENBLAS_NUM_THREADS"}

    def shown(extra: dict[str, str]) -> str:
        run = subprocess.run(
            [sys.executable, "-c", code], env=environment | extra, capture_output=True, text=True, check=True
        )
        return run.stdout.strip()

    assert shown({}) == "1"
    assert shown({"OPENBLAS_NUM_THREADS": "3"}) == "3"
