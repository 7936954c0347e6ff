"""The algebra of resharing: Lagrange over batches, in the exponent, with gaps; and the columns of keys."""

from __future__ import annotations

import itertools

import pytest

from quorate.entropy import SeededRng
from quorate.errors import LocalError, Malformed
from quorate.groups import Group, Point, group_named
from quorate.groups.toy import TOY_GROUP
from quorate.sharing.access import lagrange
from quorate.sharing.polynomial import Commitment, Polynomial
from quorate.sharing.quorums import Quorums
from quorate.sharing.reshare.combining import (
    choose,
    coefficients,
    combine_commitments,
    combine_shares,
)
from quorate.sharing.reshare.keys import MAX_KEYS, SharedKeys
from quorate.testing.resharings import OldCommittee, key_id

SECP = group_named("secp256k1")
FIVE = ("a", "b", "c", "d", "e")


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_coefficients_over_the_integers_are_those_modulo_the_order(size: int) -> None:
    for points in itertools.combinations(range(1, 8), size):
        factors, denominator = coefficients(points)
        order = TOY_GROUP.order
        expected = [lagrange(points, x, 0, order) for x in points]
        assert [factor * pow(denominator, -1, order) % order for factor in factors] == expected
        assert 0 < denominator < 1 << 16


def dealings(
    committee: OldCommittee, points: tuple[int, ...], degree: int, receivers: int, seed: int
) -> tuple[list[list[list[Point]]], list[list[list[int]]]]:
    """For each dealer its columns, and for each dealer and receiver the values dealt."""
    rng = SeededRng(bytes([seed]) * 32)
    columns, values = [], []
    for point in points:
        shares = committee.shares[committee.nodes[point - 1]]
        polynomials = [
            Polynomial.random(committee.group, degree, rng, constant=committee.group.scalar(share or 0))
            for share in shares
        ]
        committed = (polynomial.commit().points for polynomial in polynomials)
        columns.append([list(column) for column in zip(*committed, strict=True)])
        values.append(
            [[polynomial.at(x).reveal().value for polynomial in polynomials] for x in range(1, receivers + 1)]
        )
    return columns, values


@pytest.mark.parametrize("group", [TOY_GROUP, SECP], ids=lambda group: group.name)
@pytest.mark.parametrize("points", [(1, 2, 3), (1, 2, 4), (3, 1, 5), (2, 4, 5)])
@pytest.mark.parametrize("degree", [0, 1, 3])
def test_combined_shares_lie_on_the_combined_commitment_with_the_old_key_at_0(
    group: Group, points: tuple[int, ...], degree: int
) -> None:
    old = OldCommittee(FIVE, Quorums(5, 2, 1, 0), count=2, group=group)
    columns, values = dealings(old, points, degree, 4, 1)
    public = list(old.keys.columns[0])
    combined = combine_commitments(group, points, columns, public)
    assert len(combined) == degree + 1
    assert combined[0] == public
    for x in range(1, 5):
        shares = combine_shares(group, points, [dealt[x - 1] for dealt in values])
        for index, share in enumerate(shares):
            commitment = Commitment(tuple(column[index] for column in combined))
            commitment.check(x, group.scalar(share))


def test_too_few_or_too_many_dealings_are_no_combination() -> None:
    old = OldCommittee(FIVE, Quorums(5, 2, 1, 0))
    columns, values = dealings(old, (1, 2, 3), 2, 4, 1)
    public = old.keys.columns[0]
    with pytest.raises(ValueError, match="as many dealings"):
        combine_shares(TOY_GROUP, (1, 2, 3), [values[0][0], values[1][0]])
    with pytest.raises(ValueError, match="as many dealings"):
        combine_commitments(TOY_GROUP, (1, 2, 3), columns[:2], public)
    with pytest.raises(LocalError, match="do not combine to the key"):
        combine_commitments(TOY_GROUP, (1, 2), columns[:2], public)  # d of them
    with pytest.raises(LocalError, match="do not combine to the key"):
        combine_commitments(TOY_GROUP, (1, 2, 4), columns, public)  # the wrong points


def test_a_longer_commitment_among_the_dealt_is_refused_and_not_cut() -> None:
    old = OldCommittee(FIVE, Quorums(5, 2, 1, 0))
    columns, _ = dealings(old, (1, 2, 3), 2, 4, 1)
    longer = [*columns[:2], [*columns[2], columns[2][1]]]
    with pytest.raises(ValueError, match="all of one degree"):
        combine_commitments(TOY_GROUP, (1, 2, 3), longer, old.keys.columns[0])
    shorter = [*columns[:2], [column[:2] for column in columns[2]]]
    with pytest.raises(ValueError, match="argument"):
        combine_commitments(TOY_GROUP, (1, 2, 3), shorter, old.keys.columns[0])


def test_a_dealing_of_another_secret_does_not_combine_to_the_key() -> None:
    old = OldCommittee(FIVE, Quorums(5, 2, 1, 0))
    other = OldCommittee(FIVE, Quorums(5, 2, 1, 0), seed=2)
    columns, _ = dealings(old, (1, 2, 3), 2, 4, 1)
    strange, _ = dealings(other, (3,), 2, 4, 1)
    with pytest.raises(LocalError, match="do not combine to the key"):
        combine_commitments(TOY_GROUP, (1, 2, 3), [*columns[:2], *strange], old.keys.columns[0])


# --- which dealers -------------------------------------------------------------------------------------


def test_without_gaps_one_set_of_dealers_makes_all_keys() -> None:
    chosen, lost = choose(("a", "b", "c", "d"), {}, 4, 3)
    assert chosen == {("a", "b", "c"): [0, 1, 2, 3]}
    assert lost == ()


def test_a_key_is_made_by_dealers_that_have_it_or_is_lost() -> None:
    gaps = {"a": {1, 3}, "c": {3}}
    chosen, lost = choose(("a", "b", "c", "d"), gaps, 4, 3)
    assert chosen == {("a", "b", "c"): [0, 2], ("b", "c", "d"): [1]}
    assert lost == (3,)


def test_liars_that_claim_gaps_lose_no_key_that_the_honest_have() -> None:
    """d+1+t dealers are decided: t of them may lack everything."""
    for quorums in (Quorums(5, 2, 1, 0), Quorums(7, 2, 2, 0), Quorums(9, 4, 2, 0)):
        dealers = tuple(str(number) for number in range(quorums.degree + 1 + quorums.liars))
        for liars in itertools.combinations(dealers, quorums.liars):
            everything = dict.fromkeys(liars, range(5))
            assert choose(dealers, everything, 5, quorums.degree + 1)[1] == ()


def test_a_dealer_that_is_decided_twice_is_an_error_of_our_own() -> None:
    with pytest.raises(LocalError, match="twice"):
        choose(("a", "a", "b"), {}, 1, 3)


# --- columns of keys -----------------------------------------------------------------------------------


def test_keys_in_columns_are_the_keys_one_by_one() -> None:
    committee = OldCommittee(FIVE, Quorums(5, 2, 1, 0))
    keys = committee.keys
    assert (keys.count, keys.degree) == (3, 2)
    for index, key in enumerate(keys):
        assert key.key_id == key_id(index)
        assert key.public_key == TOY_GROUP.generator.multiply(committee.secrets[index])
        for node in FIVE:
            assert keys.public_shares(node)[index] == key.public_share(node)
    again = SharedKeys.read(TOY_GROUP, FIVE, 2, keys.key_ids, keys.packed)
    assert again.digest == keys.digest


def test_the_digest_is_of_everything() -> None:
    keys = OldCommittee(FIVE, Quorums(5, 2, 1, 0)).keys
    others = [
        OldCommittee(FIVE, Quorums(5, 2, 1, 0), seed=2).keys,
        OldCommittee(FIVE, Quorums(5, 2, 1, 0), count=2).keys,
        OldCommittee(FIVE, Quorums(5, 2, 1, 0), group=SECP).keys,
        SharedKeys(TOY_GROUP, FIVE[::-1], keys.key_ids, keys.columns),
        SharedKeys(TOY_GROUP, FIVE, keys.key_ids[::-1], keys.columns),
        SharedKeys(TOY_GROUP, FIVE, keys.key_ids, keys.columns[:2]),
        SharedKeys(TOY_GROUP, (*FIVE, "f"), keys.key_ids, keys.columns),
    ]
    assert len({keys.digest, *(other.digest for other in others)}) == 8


KEYS = OldCommittee(FIVE, Quorums(5, 2, 1, 0)).keys


@pytest.mark.parametrize(
    "wrong",
    [
        {"key_ids": ()},
        {"key_ids": (key_id(0), key_id(1), key_id(1))},
        {"key_ids": (key_id(0), key_id(1), b"short")},
        {"key_ids": (key_id(0), key_id(1))},
        {"key_ids": tuple(key_id(number) for number in range(MAX_KEYS + 1))},
        {"nodes": ("a", "a", "b", "c", "d")},
        {"nodes": ("a", "b")},  # degree 2 needs three
        {"columns": ()},
        {"columns": (*KEYS.columns[:2], KEYS.columns[2][:2])},
        {"columns": (*KEYS.columns[:2], (*KEYS.columns[2], KEYS.columns[2][0]))},
        {"group": SECP},
    ],
)
def test_what_fits_not_together_is_no_keys(wrong: dict[str, object]) -> None:
    fields = {"group": TOY_GROUP, "nodes": FIVE, "key_ids": KEYS.key_ids, "columns": KEYS.columns}
    with pytest.raises(Malformed):
        SharedKeys(**{**fields, **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize("packed", [b"", KEYS.packed[:-8], KEYS.packed + KEYS.packed[:8], bytes(72)])
def test_packed_points_are_exact(packed: bytes) -> None:
    with pytest.raises(Malformed):
        SharedKeys.read(TOY_GROUP, FIVE, 2, KEYS.key_ids, packed)
