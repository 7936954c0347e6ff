"""Weighted sums and the reading of long vectors: every backend against one point at a time."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.groups import GROUPS, point

from quorate.errors import Malformed
from quorate.groups import SECP256K1, Group, Point
from quorate.groups.buckets import MAX_WINDOW, digits, sorted_by_digit, window_for
from quorate.groups.secp256k1 import Secp256k1Group
from quorate.groups.toy import TOY_GROUP

quick = settings(max_examples=20, deadline=None)
slow = settings(max_examples=8, deadline=None)
weights = st.one_of(
    st.integers(0, 3), st.integers(0, 2**128 - 1), st.integers(-2, 2), st.integers(0, 2**256 - 1)
)
terms = st.lists(st.tuples(st.integers(-4, 40), weights), max_size=12)


@pytest.fixture(scope="module", params=GROUPS)
def group(request: pytest.FixtureRequest) -> Group:
    return GROUPS[request.param]()


@cache
def multiples(group: Group, count: int) -> tuple[Point, ...]:
    """1, 2, .. times the generator."""
    points = [group.generator]
    while len(points) < count:
        points.append(points[-1] + group.generator)
    return tuple(points)


@quick
@given(terms=terms)
def test_a_combination_follows_the_exponents(group: Group, terms: list[tuple[int, int]]) -> None:
    points = [point(group, k) for k, _ in terms]  # some are the identity, some repeat
    weights = [weight for _, weight in terms]
    expected = sum(k * weight for k, weight in terms)
    assert group.combination(points, weights) == point(group, expected)


@quick
@given(terms=terms)
def test_reading_and_combining_in_one_is_reading_and_then_combining(
    group: Group, terms: list[tuple[int, int]]
) -> None:
    points = [point(group, 1 + abs(k)) for k, _ in terms]
    weights = [weight for _, weight in terms]
    data = b"".join(p.to_bytes() for p in points)
    read, folded = group.read_and_combine(data, len(points), weights)
    assert read == points == group.read_points(data, len(points))
    assert [p.to_bytes() for p in read] == [p.to_bytes() for p in points]
    assert folded == group.combination(points, weights)


def test_nothing_adds_up_to_the_identity(group: Group) -> None:
    assert group.combination([], []) == group.identity
    assert group.combination([group.generator], [0]).is_identity
    assert group.combination([group.identity], [5]).is_identity
    assert group.combination([group.generator] * 2, [1, group.order - 1]).is_identity
    assert group.read_and_combine(b"", 0, []) == ([], group.identity)
    assert group.read_points(b"", 0) == []


@pytest.mark.parametrize(("points", "weights"), [(1, 0), (0, 1), (2, 3), (3, 2)])
def test_a_weight_too_many_or_too_few_is_a_mistake(group: Group, points: int, weights: int) -> None:
    with pytest.raises(ValueError, match="weights for"):
        group.combination([group.generator] * points, [1] * weights)
    data = group.generator.to_bytes() * points
    with pytest.raises(ValueError, match="weights for"):
        group.read_and_combine(data, points, [1] * weights)


def test_points_of_another_group_do_not_enter_a_combination(group: Group) -> None:
    stranger = TOY_GROUP if group is not TOY_GROUP else SECP256K1
    with pytest.raises(TypeError, match="do not mix"):
        group.combination([group.generator, stranger.generator], [1, 1])


@quick
@given(values=st.lists(st.integers(1, 1000), min_size=1, max_size=5), data=st.data())
def test_one_wrong_byte_in_a_vector_of_points_gives_other_points_or_none(
    group: Group, values: list[int], data: st.DataObject
) -> None:
    octets = bytearray(b"".join(point(group, v).to_bytes() for v in values))
    place = data.draw(st.integers(0, len(octets) - 1))
    octets[place] ^= data.draw(st.integers(1, 255))
    wrong, length = bytes(octets), group.point_length
    try:
        expected = [group.point_from_bytes(wrong[i : i + length]) for i in range(0, len(wrong), length)]
    except Malformed:
        for read in (group.read_points, lambda b, n: group.read_and_combine(b, n, [3] * n)):
            with pytest.raises(Malformed):
                read(wrong, len(values))
    else:
        assert group.read_points(wrong, len(values)) == expected


def test_what_is_no_point_is_none_in_a_vector_either(group: Group) -> None:
    good, length = group.generator.to_bytes(), group.point_length
    edges = [0, 2 ** (8 * length) - 1]
    if group is TOY_GROUP:
        edges += [1, group.order + 1, 2 * group.order, 2 * group.order + 1]
    if "secp256k1" in group.name:
        edges += [first << 256 | 1 for first in (0, 1, 4, 5, 6, 7)]  # 1 is the x coordinate of a point
    for edge in (edge.to_bytes(length, "big") for edge in edges):
        with pytest.raises(Malformed):
            group.point_from_bytes(edge)
        with pytest.raises(Malformed):
            group.read_points(good + edge, 2)
        with pytest.raises(Malformed):
            group.read_and_combine(good + edge, 2, [5, 5])


def test_a_vector_has_exactly_the_agreed_length(group: Group) -> None:
    octets = group.generator.to_bytes() * 3
    for wrong in (octets[:-1], octets + b"\0", octets[: group.point_length * 2], octets * 2, b""):
        with pytest.raises(Malformed, match=r"3 .* points have"):
            group.read_points(wrong, 3)
        with pytest.raises(Malformed):
            group.read_and_combine(wrong, 3, [1, 2, 3])
    octets = group.write_scalars([1, 2, 3])
    for wrong in (octets[:-1], octets + b"\0", octets[: group.scalar_length * 2], octets * 2, b""):
        with pytest.raises(Malformed, match=r"3 .* scalars have"):
            group.read_scalars(wrong, 3)


@quick
@given(values=st.lists(st.integers(0, 2**256 - 1), max_size=6))
def test_scalars_survive_in_vectors_and_only_below_the_order(group: Group, values: list[int]) -> None:
    values = [value % group.order for value in values]
    octets = group.write_scalars(values)
    assert octets == b"".join(group.scalar(value).to_bytes() for value in values)
    assert group.read_scalars(octets, len(values)) == values
    for value in (group.order, 2 ** (8 * group.scalar_length) - 1):
        wrong = octets + value.to_bytes(group.scalar_length, "big")
        with pytest.raises(Malformed):
            group.read_scalars(wrong, len(values) + 1)
    for value in (group.order, -1):
        with pytest.raises(ValueError, match="not every value"):
            group.write_scalars([*values, value])


@slow
@given(
    count=st.integers(1, 400),
    bits=st.sampled_from([1, 2, 7, 64, 128, 255, 256]),
    window=st.integers(1, MAX_WINDOW),
    seed=st.randoms(use_true_random=False),
)
def test_buckets_of_every_width_agree_with_the_exponents(count: int, bits: int, window: int, seed) -> None:  # type: ignore[no-untyped-def]
    values = [seed.randrange(1, 50) for _ in range(count)]
    factors = [min(seed.getrandbits(bits), SECP256K1.order - 1) for _ in range(count)]
    points = multiples(SECP256K1, 50)
    handles = [points[value - 1]._handle for value in values]  # type: ignore[attr-defined]
    expected = sum(v * f for v, f in zip(values, factors, strict=True))
    assert SECP256K1._by_buckets(handles, factors, bits, window) == point(SECP256K1, expected)


@pytest.mark.parametrize("name", ["secp256k1", "secp256k1 on coincurve"])
@pytest.mark.parametrize("bits", [1, 5, 128, 256])
def test_a_long_combination_takes_the_buckets_and_is_right(
    name: str, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = GROUPS[name]()
    assert isinstance(group, Secp256k1Group)
    taken = []
    real = Secp256k1Group._by_buckets
    monkeypatch.setattr(
        Secp256k1Group, "_by_buckets", lambda self, *rest: taken.append(1) or real(self, *rest)
    )
    factor = min(2**bits, group.order) - 1
    # equal and opposite points in one bucket, whole buckets and whole windows that cancel
    values = [1 + i % 30 for i in range(600)] + [-1 - i % 30 for i in range(599)]
    base = multiples(group, 30)
    points = [base[v - 1] if v > 0 else -base[-v - 1] for v in values]
    assert group.combination(points, [factor] * len(points)) == point(group, 30 * factor)
    assert group.combination([*points, -base[29]], [factor] * 1200).is_identity
    assert taken == [1, 1]


def test_few_points_are_multiplied_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Secp256k1Group, "_by_buckets", lambda *_: pytest.fail("buckets for three points"))
    points = multiples(SECP256K1, 3)
    assert SECP256K1.combination(points, [2**127, 2**128 - 1, 1]) == point(SECP256K1, 2**127 + 2**129 + 1)
    assert SECP256K1.combination(points, [1, 1, 1]) == point(SECP256K1, 6)


@quick
@given(
    factors=st.lists(st.integers(0, 2**70 - 1), min_size=1, max_size=20), window=st.integers(1, MAX_WINDOW)
)
def test_digits_put_together_are_the_weights(factors: list[int], window: int) -> None:
    table = digits(factors, 70, window)
    assert [
        sum(int(row[i]) << (window * place) for place, row in enumerate(table)) for i in range(len(factors))
    ] == factors
    order, starts = sorted_by_digit(table, window)
    for row, columns, begins in zip(table, order, starts, strict=True):
        for digit in range(1 << window):
            assert {int(row[c]) for c in columns[begins[digit] : begins[digit + 1]]} <= {digit}
        assert begins[-1] == len(factors)


def test_wider_windows_pay_for_more_points() -> None:
    widths = [window_for(count, 128, call=2.6, addition=0.23)[0] for count in (10, 100, 1000, 100_000)]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1] <= MAX_WINDOW
    for wrong in (0, MAX_WINDOW + 1):
        with pytest.raises(ValueError, match="a window has"):
            digits([1], 1, wrong)
