"""The simulator's group."""

import pytest

from quorate.entropy import SeededRng
from quorate.errors import Malformed
from quorate.groups.toy import MODULUS, ORDER, TOY_GROUP


def is_prime(n: int) -> bool:
    """Miller-Rabin with the first twelve primes, which decides below 3.3e24."""
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37):
        power = pow(base, odd, n)
        if power in (1, n - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % n
            if power == n - 1:
                break
        else:
            return False
    return True


def test_the_order_is_a_prime_of_61_bits_and_the_modulus_safe() -> None:
    assert ORDER.bit_length() == 61
    assert is_prime(ORDER)
    assert is_prime(MODULUS)
    assert MODULUS == 2 * ORDER + 1


def test_every_integer_up_to_the_order_but_one_is_a_point() -> None:
    for residue in (2, 3, 4, ORDER - 1, ORDER):
        point = TOY_GROUP.point_from_bytes(residue.to_bytes(8, "big"))
        assert point.to_bytes() == residue.to_bytes(8, "big")
        assert point.multiply(TOY_GROUP.scalar(ORDER - 1)) == -point
        assert (point.multiply(TOY_GROUP.scalar(ORDER - 1)) + point).is_identity


@pytest.mark.parametrize("residue", [0, 1, ORDER + 1, MODULUS - 1, MODULUS, 2**64 - 1])
def test_other_integers_are_not(residue: int) -> None:
    with pytest.raises(Malformed, match="not a point"):
        TOY_GROUP.point_from_bytes(residue.to_bytes(8, "big"))


@pytest.mark.parametrize("length", [0, 7, 9])
def test_other_lengths_are_refused(length: int) -> None:
    with pytest.raises(Malformed, match="8 bytes"):
        TOY_GROUP.point_from_bytes(b"\x02" * length)


def test_a_point_and_its_negative_share_their_x_coordinate() -> None:
    rng = SeededRng(b"toy")
    for _ in range(20):
        point = TOY_GROUP.generator.multiply(TOY_GROUP.random_scalar(rng))
        assert TOY_GROUP.x_coordinate(point) == TOY_GROUP.x_coordinate(-point)
        assert 0 < TOY_GROUP.x_coordinate(point) <= ORDER
    with pytest.raises(Malformed):
        TOY_GROUP.x_coordinate(TOY_GROUP.identity)


def test_hashed_points_are_points_and_differ() -> None:
    points = {TOY_GROUP.hash_to_point(bytes([n])) for n in range(50)}
    assert len(points) == 50
    assert all(TOY_GROUP.point_from_bytes(point.to_bytes()) == point for point in points)
