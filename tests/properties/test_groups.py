"""The contract of every group, on random elements."""

import fastecdsa.curve
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.edwards import PURE_ED25519
from tests.support.groups import FAST_STARK, GROUPS, point

from quorate.errors import Malformed
from quorate.groups import ED25519, SECP256K1, Group, group_named
from quorate.groups.pure import PURE_SECP256K1

quick = settings(max_examples=25, deadline=None)
slow = settings(max_examples=8, deadline=None)
integers = st.integers(min_value=0, max_value=2**256 - 1)
# small and extreme values meet the special cases of addition formulas
scalars = st.one_of(st.integers(-3, 3), integers)


@pytest.fixture(scope="module", params=GROUPS)
def group(request: pytest.FixtureRequest) -> Group:
    return GROUPS[request.param]()


@quick
@given(a=scalars, b=scalars, c=scalars)
def test_addition_follows_the_exponents(group: Group, a: int, b: int, c: int) -> None:
    p, q, r = point(group, a), point(group, b), point(group, c)
    assert p + q == q + p == point(group, a + b)
    assert (p + q) + r == p + (q + r) == group.sum([p, q, r])
    assert p - q == point(group, a - b)
    assert (p + -p).is_identity
    assert p + group.identity == p


@quick
@given(a=scalars, b=scalars)
def test_multiplication_distributes_and_its_two_forms_agree(group: Group, a: int, b: int) -> None:
    k, p = group.scalar(b), point(group, a)
    assert p.multiply(k) == p.multiply_public(k) == k * p == point(group, a * b)
    assert p.multiply(k) + p == p.multiply(k + group.scalar(1))
    assert group.generator.multiply_public(k) == point(group, b)


@quick
@given(a=scalars)
def test_a_point_survives_its_encoding(group: Group, a: int) -> None:
    p = point(group, a)
    if p.is_identity:
        with pytest.raises(Malformed):
            p.to_bytes()
        return
    octets = p.to_bytes()
    assert len(octets) == group.point_length
    read = group.point_from_bytes(octets)
    assert read == p
    assert hash(read) == hash(p)
    assert read.to_bytes() == octets
    assert group.x_coordinate(p) == group.x_coordinate(-p)


@quick
@given(octets=st.binary(min_size=0, max_size=40))
def test_bytes_that_decode_are_the_encoding_of_what_they_decode_to(group: Group, octets: bytes) -> None:
    try:
        read = group.point_from_bytes(octets)
    except Malformed:
        return
    assert read.to_bytes() == octets


@quick
@given(a=integers)
def test_every_truncation_and_extension_of_an_encoding_is_refused(group: Group, a: int) -> None:
    octets = point(group, 1 + a % (group.order - 1)).to_bytes()
    for wrong in (octets[:-1], octets[1:], octets + b"\0", b"\0" + octets, b""):
        with pytest.raises(Malformed):
            group.point_from_bytes(wrong)


@quick
@given(data=st.binary(max_size=64))
def test_hashing_to_a_point_is_a_function_onto_valid_points(group: Group, data: bytes) -> None:
    p = group.hash_to_point(data)
    assert group.point_from_bytes(p.to_bytes()) == p == group.hash_to_point(data)
    assert (p.multiply(group.scalar(-1)) + p).is_identity


@quick
@given(a=integers, b=integers)
def test_scalars_form_a_field_and_survive_their_encoding(group: Group, a: int, b: int) -> None:
    x, y = group.scalar(a), group.scalar(b)
    assert (x + y) * (x - y) == x * x - y * y
    assert group.scalar_from_bytes(x.to_bytes()) == x
    if not y.is_zero:
        assert x * y * y.inverse() == x


ORACLES = {"secp256k1": (SECP256K1, PURE_SECP256K1), "ed25519": (ED25519, PURE_ED25519)}


# of fastecdsa, whose points are of any curve
OTHER_LIBRARY = {"p256": fastecdsa.curve.P256, "stark": FAST_STARK}


@pytest.mark.parametrize("name", OTHER_LIBRARY)
@slow
@given(a=scalars, b=integers)
def test_a_curve_of_ours_agrees_with_another_library(name: str, a: int, b: int) -> None:
    group, base = group_named(name), OTHER_LIBRARY[name].G
    a, b = a % group.order, b % group.order
    ours, theirs = point(group, a), base * a
    if a == 0 or b in (0, group.order - 1):
        return
    assert group.x_coordinate(ours) == theirs.x
    assert ours.to_bytes()[0] & 1 == theirs.y & 1
    sums = (ours.multiply(group.scalar(b)) + ours, group.combination([ours, ours], [b, 1]))
    expected = theirs * b + theirs
    assert {(group.x_coordinate(s), s.to_bytes()[0] & 1) for s in sums} == {(expected.x, expected.y & 1)}


@pytest.mark.parametrize("name", ORACLES)
@slow
@given(a=scalars, b=integers)
def test_a_native_curve_agrees_with_the_pure_one(name: str, a: int, b: int) -> None:
    group, oracle = ORACLES[name]
    native, pure = point(group, a), point(oracle, a)
    assert native.is_identity == pure.is_identity
    if native.is_identity or b % group.order == 0:
        return
    assert native.to_bytes() == pure.to_bytes()
    assert group.x_coordinate(native) == oracle.x_coordinate(pure)
    twice = native.multiply(group.scalar(b)) + native
    assert twice.is_identity or twice.to_bytes() == (pure.multiply(oracle.scalar(b)) + pure).to_bytes()
