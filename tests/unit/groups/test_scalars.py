"""Scalars, which all groups share."""

import pytest

from quorate.entropy import SeededRng
from quorate.errors import LocalError, Malformed
from quorate.groups import SECP256K1, Group, Scalar
from quorate.groups.pure import PURE_SECP256K1
from quorate.groups.toy import TOY_GROUP

GROUPS = [SECP256K1, PURE_SECP256K1, TOY_GROUP]
groups = pytest.mark.parametrize("group", GROUPS, ids=lambda group: type(group).__name__)


@groups
def test_arithmetic_is_that_of_integers_modulo_the_order(group: Group) -> None:
    a, b, q = group.order - 3, group.order // 2 + 7, group.order
    x, y = group.scalar(a), group.scalar(b)
    assert (x + y).value == (a + b) % q
    assert (x - y).value == (a - b) % q
    assert (y - x).value == (b - a) % q
    assert (x * y).value == a * b % q
    assert (-x).value == 3
    assert (-group.scalar(0)).value == 0
    assert (x * x.inverse()).value == 1


@groups
def test_any_integer_is_reduced(group: Group) -> None:
    assert group.scalar(-1).value == group.order - 1
    assert group.scalar(group.order).is_zero
    assert not group.scalar(1).is_zero


@groups
def test_zero_has_no_inverse(group: Group) -> None:
    with pytest.raises(LocalError, match="zero has no inverse"):
        group.scalar(0).inverse()


@groups
def test_the_encoding_is_fixed_length_and_big_endian(group: Group) -> None:
    assert group.scalar(1).to_bytes() == bytes(group.scalar_length - 1) + b"\x01"
    assert group.scalar_from_bytes(group.scalar(-1).to_bytes()) == group.scalar(-1)
    assert group.scalar_from_bytes(bytes(group.scalar_length)).is_zero


@groups
@pytest.mark.parametrize("above", [0, 1])
def test_an_encoding_from_the_order_on_is_refused(group: Group, above: int) -> None:
    with pytest.raises(Malformed, match="below the group order"):
        group.scalar_from_bytes((group.order + above).to_bytes(group.scalar_length, "big"))


@groups
@pytest.mark.parametrize("change", [-1, 1])
def test_an_encoding_of_another_length_is_refused(group: Group, change: int) -> None:
    with pytest.raises(Malformed, match="bytes"):
        group.scalar_from_bytes(bytes(group.scalar_length + change))


@groups
def test_wide_bytes_are_reduced_and_narrow_ones_refused(group: Group) -> None:
    wide = b"\xff" * (group.scalar_length + 16)
    assert group.scalar_from_wide(wide).value == int.from_bytes(wide, "big") % group.order
    with pytest.raises(Malformed):
        group.scalar_from_wide(wide[:-1])


@groups
def test_a_random_scalar_is_never_zero_and_uses_wide_bytes(group: Group) -> None:
    asked: list[int] = []

    def worst(count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    assert group.random_scalar(worst).value == 1
    assert asked == [group.scalar_length + 16]
    rng = SeededRng(b"seed")
    assert len({group.random_scalar(rng).value for _ in range(50)}) == 50


@groups
def test_a_scalar_does_not_print(group: Group) -> None:
    shown = repr(group.scalar(123456789))
    assert "123456789" not in shown
    assert "75bcd15" not in shown


@groups
def test_equal_scalars_are_one_dictionary_key(group: Group) -> None:
    assert {group.scalar(5): "x"}[group.scalar(5)] == "x"
    assert group.scalar(5) != group.scalar(6)
    assert group.scalar(5) != 5


def test_scalars_of_two_groups_do_not_mix() -> None:
    one, other = SECP256K1.scalar(2), PURE_SECP256K1.scalar(2)
    assert one != other
    for operation in (Scalar.__add__, Scalar.__sub__, Scalar.__mul__):
        with pytest.raises(TypeError, match="do not mix"):
            operation(one, other)
