"""Properties of sharing that hold for any structure, any polynomial, any signer set."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.entropy import SeededRng
from quorate.errors import LocalError, QuorateError
from quorate.groups.toy import ORDER, TOY_GROUP
from quorate.sharing import line
from quorate.sharing.access import AccessStructure, NotAuthorised
from quorate.sharing.expression import MAX_EXPRESSION, MAX_POINT, Leaf, Member, Threshold
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.keyshare import KeyShare
from quorate.sharing.polynomial import Polynomial, interpolate


@st.composite
def structures(draw: st.DrawFn) -> AccessStructure:
    """Trees of up to three levels with random points."""
    counter = iter(range(1000))

    def group(depth: int) -> Threshold:
        size = draw(st.integers(1, 4 if depth else 5))
        points = sorted(draw(st.sets(st.integers(1, MAX_POINT), min_size=size, max_size=size)))
        members: list[Member] = []
        for point in points:
            if depth < 2 and draw(st.integers(0, 3)) == 0:
                inner = group(depth + 1)
                members.append(Threshold(inner.needed, inner.members, point))
            else:
                members.append(Leaf(f"p{next(counter)}", point))
        return Threshold(draw(st.integers(1, size)), tuple(members), 0)

    return AccessStructure(group(0))


def deal(member: Member, value: int, rng: SeededRng, shares: dict[str, int]) -> None:
    if isinstance(member, Leaf):
        shares[member.name] = value
        return
    polynomial = Polynomial.random(TOY_GROUP, member.needed - 1, rng, constant=TOY_GROUP.scalar(value))
    for child in member.members:
        deal(child, polynomial.at(child.point).reveal().value, rng, shares)


@given(structures())
def test_a_structure_is_its_spelling(structure: AccessStructure) -> None:
    text = str(structure)
    assert AccessStructure.parse(text) == structure
    assert str(AccessStructure.parse(text.replace(", ", "\n ,  "))) == text


@given(st.text(alphabet="0123 of(),@anb-", max_size=60))
def test_any_text_is_a_canonical_structure_or_a_named_error(text: str) -> None:
    try:
        structure = AccessStructure.parse(text)
    except LocalError:
        return
    assert AccessStructure.parse(str(structure)) == structure
    assert len(str(structure)) <= MAX_EXPRESSION


@given(structures(), st.data())
def test_any_available_set_yields_an_exact_set_that_rebuilds_or_names_who_is_missing(
    structure: AccessStructure, data: st.DataObject
) -> None:
    available = data.draw(st.sets(st.sampled_from(structure.leaves)))
    shares: dict[str, int] = {}
    deal(structure.root, 424242, SeededRng(bytes(32)), shares)
    if structure.is_authorised(available):
        signers = structure.minimal(available)
        weights = structure.coefficients(signers, ORDER)
        assert sum(weights[name] * shares[name] for name in signers) % ORDER == 424242
        assert not any(structure.is_authorised(signers - {name}) for name in signers)
    else:
        with pytest.raises(NotAuthorised) as caught:
            structure.minimal(available)
        missing = set(caught.value.missing)
        assert missing
        assert not missing & available
        assert 1 <= caught.value.needed <= len(missing)


@given(structures(), st.data())
def test_losing_and_having_are_each_others_complement(
    structure: AccessStructure, data: st.DataObject
) -> None:
    lost = data.draw(st.sets(st.sampled_from(structure.leaves)))
    assert structure.survives(lost) == structure.is_authorised(set(structure.leaves) - lost)
    breaking = next(structure.breaking_sets())
    assert not structure.survives(breaking)
    assert all(structure.survives(breaking - {name}) for name in breaking)


@settings(max_examples=50)
@given(
    st.integers(2, 4),
    st.sets(st.integers(2, MAX_POINT), min_size=4, max_size=6),
    st.binary(min_size=32, max_size=32),
)
def test_any_t_shares_of_a_fresh_line_are_the_key(needed: int, points: set[int], seed: bytes) -> None:
    rng = SeededRng(seed)
    x, committee, *auxiliary = (TOY_GROUP.random_scalar(rng) for _ in range(needed))
    values = [x, committee, *auxiliary]
    shares = {line.COMMITTEE_POINT: committee}
    for tau in points:
        a = line.basis(tau, needed, ORDER)
        shares[tau] = TOY_GROUP.scalar(sum(c * v.value for c, v in zip(a, values, strict=True)))
    chosen = sorted(shares)[-needed:]
    assert interpolate(TOY_GROUP, {p: shares[p] for p in chosen}) == x
    with_committee = [line.COMMITTEE_POINT, *sorted(points)[: needed - 1]]
    assert interpolate(TOY_GROUP, {p: shares[p] for p in with_committee}) == x


@given(st.binary(max_size=200))
def test_bytes_are_a_stored_share_or_a_named_error(data: bytes) -> None:
    for kind in (KeyShare, GeneratedKey):
        try:
            kind.from_bytes(data)
        except QuorateError:
            continue
        raise AssertionError("random bytes were read as a share")
