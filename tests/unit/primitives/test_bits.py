"""Bit matrices against their definitions."""

import hashlib
import os

import numpy as np
import pytest

from quorate.primitives import bits


@pytest.mark.parametrize(("rows", "columns"), [(128, 544), (16, 96), (8, 8), (256, 24)])
def test_transposing_moves_every_bit_to_its_place(rows: int, columns: int) -> None:
    packed = bits.octets(os.urandom(rows * columns // 8), rows, columns // 8)
    assert (bits.unpack(bits.transpose(packed)) == bits.unpack(packed).T).all()


def test_packing_numbers_bits_from_the_least_significant() -> None:
    assert bits.unpack(bits.octets(b"\x05\x80", 2)).tolist() == [1, 0, 1] + 12 * [0] + [1]
    packed = bits.octets(os.urandom(12), 3, 4)
    assert (bits.pack(bits.unpack(packed)) == packed).all()


def test_masks_are_all_zeros_or_all_ones() -> None:
    assert bits.masks(np.array([0, 1], np.uint8)).tolist() == [[0], [255]]


@pytest.mark.parametrize(("width", "inputs", "length"), [(16, 416, 128), (2, 80, 16), (1, 8, 8), (3, 24, 40)])
def test_the_check_hash_is_its_defining_matrix_product(width: int, inputs: int, length: int) -> None:
    seed = os.urandom(32)
    strings = bits.octets(os.urandom(width * (inputs + length)), 8 * width, (inputs + length) // 8)
    columns = bits.transpose(strings)
    before = columns.copy()
    stream = hashlib.shake_128(seed).digest(length * inputs // 8)
    matrix = bits.unpack(bits.octets(stream, length, inputs // 8)).astype(int)
    unpacked = bits.unpack(strings).astype(int)
    expected = (unpacked[:, :inputs] @ matrix.T + unpacked[:, inputs:]) % 2
    check = bits.CheckHash(seed, inputs, length)
    assert (expected == bits.unpack(check.of_columns(columns)).T).all()
    assert (columns == before).all()
    for string, row in zip(strings, expected, strict=True):
        assert (bits.unpack(check.of_string(string)) == row).all()


def test_expanding_is_the_written_oracle_on_every_row() -> None:
    key, rows = os.urandom(32), bits.octets(os.urandom(48), 3, 16)
    numbers = np.array([7, 0, 2**31], np.uint32)
    expected = [
        hashlib.shake_128(key + int(number).to_bytes(4, "little") + row.tobytes()).digest(20)
        for number, row in zip(numbers, rows, strict=True)
    ]
    assert [row.tobytes() for row in bits.expand(key, numbers, rows, 20)] == expected
