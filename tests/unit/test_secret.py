"""A `Secret` stays out of logs, pickles and dictionaries."""

import copy
import pickle

import pytest

from quorate.groups.secp256k1 import SECP256K1
from quorate.secret import Secret


@pytest.mark.parametrize("value", [b"key material", "passphrase", 0xC0FFEE, SECP256K1.scalar(0xC0FFEE)])
def test_it_prints_nothing_of_its_value(value: object) -> None:
    secret = Secret(value)
    shown = f"{secret} {secret!r} {secret!s} {secret:>40} {[secret]}"
    for leak in ("key", "passphrase", "12648430", "c0ffee"):
        assert leak not in shown.lower()
    assert "Secret(…)" in shown


def test_revealing_is_the_way_to_the_value() -> None:
    assert Secret(b"value").reveal() == b"value"


@pytest.mark.parametrize("value", [b"a", "a", 7, SECP256K1.scalar(7), bytearray(b"a")])
def test_equal_values_compare_equal(value: object) -> None:
    assert Secret(value) == Secret(value)


@pytest.mark.parametrize(
    ("one", "other"), [(b"a", b"b"), ("a", "b"), (7, 8), (7, -7), (SECP256K1.scalar(7), SECP256K1.scalar(8))]
)
def test_different_values_compare_different(one: object, other: object) -> None:
    assert Secret(one) != Secret(other)


def test_it_never_equals_the_bare_value() -> None:
    assert Secret(b"a") != b"a"


def test_a_kind_without_constant_time_comparison_is_refused() -> None:
    with pytest.raises(TypeError):
        Secret(1.5) == Secret(1.5)  # noqa: B015  # the comparison itself is what raises


def test_it_is_no_dictionary_key() -> None:
    with pytest.raises(TypeError):
        hash(Secret(b"a"))


def test_it_is_neither_pickled_nor_copied() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret(b"a"))
    with pytest.raises(TypeError):
        copy.deepcopy(Secret(b"a"))
