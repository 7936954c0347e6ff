"""Shamir and Feldman: what is dealt can be checked, rebuilt, and only at the agreed degree."""

import pytest

from quorate.entropy import SeededRng
from quorate.errors import Malformed, ProofRejected
from quorate.groups import SECP256K1, Group
from quorate.groups.toy import TOY_GROUP
from quorate.sharing.polynomial import (
    Commitment,
    Polynomial,
    interpolate,
    interpolate_public,
    total,
)

GROUPS = pytest.mark.parametrize("group", [SECP256K1, TOY_GROUP], ids=lambda group: group.name)


def rng() -> SeededRng:
    return SeededRng(bytes(32))


@GROUPS
@pytest.mark.parametrize("degree", [0, 1, 2, 4])
def test_any_degree_plus_one_shares_rebuild_the_constant(group: Group, degree: int) -> None:
    secret = group.scalar(424242)
    polynomial = Polynomial.random(group, degree, rng(), constant=secret)
    commitment = polynomial.commit()
    assert polynomial.degree == commitment.degree == degree
    for chosen in (range(1, degree + 2), range(3, degree + 4)):
        shares = {x: polynomial.at(x).reveal() for x in chosen}
        assert interpolate(group, shares) == secret
        assert interpolate(group, shares, at=9) == polynomial.at(9).reveal()
        points = {x: commitment.at(x) for x in chosen}
        assert interpolate_public(group, points) == commitment.constant == group.generator.multiply(secret)


@GROUPS
def test_a_share_off_the_polynomial_is_rejected(group: Group) -> None:
    polynomial = Polynomial.random(group, 2, rng())
    commitment = polynomial.commit()
    for x in range(1, 6):
        share = polynomial.at(x).reveal()
        commitment.check(x, share)
        with pytest.raises(ProofRejected, match=f"point {x}"):
            commitment.check(x, share + group.scalar(1))
        with pytest.raises(ProofRejected):
            commitment.check(x + 1, share)


def test_one_share_too_few_rebuilds_something_else() -> None:
    polynomial = Polynomial.random(SECP256K1, 2, rng(), constant=SECP256K1.scalar(7))
    shares = {x: polynomial.at(x).reveal() for x in (1, 2)}
    assert interpolate(SECP256K1, shares) != SECP256K1.scalar(7)


@GROUPS
def test_the_sum_of_commitments_commits_to_the_sum(group: Group) -> None:
    source = rng()
    polynomials = [Polynomial.random(group, 2, source) for _ in range(3)]
    summed = total([p.commit() for p in polynomials])
    share = group.scalar(sum(p.at(4).reveal().value for p in polynomials))
    summed.check(4, share)


def test_commitments_of_unequal_length_have_no_sum() -> None:
    source = rng()
    unequal = [Polynomial.random(TOY_GROUP, degree, source).commit() for degree in (2, 3)]
    with pytest.raises(Malformed, match="degree"):
        total(unequal)
    with pytest.raises(Malformed, match="degree"):
        total([])
    with pytest.raises(Malformed, match="at least one"):
        Commitment(())


def test_polynomials_do_not_print_their_coefficients() -> None:
    assert "Secret(…)" in repr(Polynomial.random(TOY_GROUP, 1, rng()))


def test_commitments_encode_as_their_points() -> None:
    commitment = Polynomial.random(SECP256K1, 2, rng()).commit()
    assert len(commitment.to_bytes()) == 3 * 33
    assert commitment.to_bytes()[33:66] == commitment.points[1].to_bytes()
