"""Folded checks of batches, over every group there is."""

from __future__ import annotations

import pytest
from tests.support.dealing import FIVE, Batch, names

from quorate.entropy import SeededRng
from quorate.errors import Malformed, ProofRejected
from quorate.groups import SECP256K1, Group, group_named
from quorate.groups.toy import TOY_GROUP
from quorate.sharing.avss import Setting, commitments, reconstruct
from quorate.sharing.avss.commitments import Folded, bitmap, check_one, check_shape, gaps_of
from quorate.sharing.avss.messages import Dealing
from quorate.sharing.polynomial import Commitment

COUNT = 4


GROUPS = [TOY_GROUP, SECP256K1, *map(group_named, ("ed25519", "p256", "stark"))]


@pytest.fixture(params=GROUPS, ids=lambda group: group.name)
def batch(request: pytest.FixtureRequest) -> Batch:
    group: Group = request.param
    return Batch(Setting(bytes(32), group, names(5), FIVE, COUNT))


def fold(batch: Batch) -> Folded:
    return Folded.read(batch.setting, batch.dealing.matrix, SeededRng(b"weights"))


def test_every_row_and_every_value_of_an_honest_batch_passes(batch: Batch) -> None:
    folded = fold(batch)
    for x in range(1, 6):
        folded.check_row(x, batch.rows(x))
        for y in range(1, 6):
            values = batch.setting.group.read_scalars(batch.values(f"n{y}", f"n{x}"), COUNT)
            folded.check_values(x, y, values)
            packed = batch.setting.group.write_scalars(values)
            for index in range(COUNT):
                size = batch.setting.group.scalar_length
                value = packed[index * size : (index + 1) * size]
                check_one(batch.setting, batch.dealing.matrix, index, x, y, value)


def test_every_single_wrong_coefficient_is_found(batch: Batch) -> None:
    folded, order = fold(batch), batch.setting.group.order
    for place in range(3):
        for index in range(COUNT):
            rows = [list(column) for column in batch.rows(2)]
            rows[place][index] = (rows[place][index] + 1) % order
            with pytest.raises(ProofRejected):
                folded.check_row(2, rows)


def test_errors_that_cancel_without_weights_are_found(batch: Batch) -> None:
    """A checker that only added the batch up would see nothing."""
    folded, order = fold(batch), batch.setting.group.order
    values = batch.setting.group.read_scalars(batch.values("n3", "n2"), COUNT)
    values[0], values[1] = (values[0] + 1) % order, (values[1] - 1) % order
    with pytest.raises(ProofRejected):
        folded.check_values(2, 3, values)


def test_a_value_at_another_place_does_not_pass(batch: Batch) -> None:
    folded = fold(batch)
    values = batch.setting.group.read_scalars(batch.values("n3", "n2"), COUNT)
    for x, y in ((2, 4), (3, 3), (1, 2), (0, 3)):
        with pytest.raises(ProofRejected):
            folded.check_values(x, y, values)
    folded.check_values(3, 2, values)


def test_weights_are_fresh_for_each_fold(batch: Batch) -> None:
    rng = SeededRng(b"one generator")
    first = Folded.read(batch.setting, batch.dealing.matrix, rng)
    second = Folded.read(batch.setting, batch.dealing.matrix, rng)
    assert list(first.weights) != list(second.weights)
    assert all(0 <= weight < 1 << 128 for weight in first.weights)
    assert max(weight.bit_length() for weight in first.weights) > 100


def test_a_point_that_is_none_stops_the_fold_wherever_it_stands(batch: Batch) -> None:
    length, matrix = batch.setting.group.point_length, batch.dealing.matrix
    for start in range(0, len(matrix), length):
        with pytest.raises(Malformed):
            Folded.read(
                batch.setting, matrix[:start] + b"\xff" * length + matrix[start + length :], SeededRng(b"w")
            )


def test_the_first_columns_are_the_commitments_of_the_shares(batch: Batch) -> None:
    folded, group = fold(batch), batch.setting.group
    assert tuple(map(list, folded.public)) == tuple(map(list, batch.public[:3]))
    assert folded.public[0] == [group.generator.multiply(group.scalar(s)) for s in batch.columns[0]]


def test_gaps_have_one_form() -> None:
    setting = Setting(bytes(32), TOY_GROUP, names(5), FIVE, 10)
    for gaps in ((), (0,), (9,), (1, 8), tuple(range(10))):
        assert gaps_of(setting, Dealing(bitmap(gaps, 10), b"")) == gaps
    for false in (b"\x00", b"\x00\x00", b"\x01", b"\x01\x00\x00", b"\x00\x04", b"\xff\xff"):
        with pytest.raises(ProofRejected):
            gaps_of(setting, Dealing(false, b""))


def test_required_constants_are_compared_one_by_one(batch: Batch) -> None:
    constants = list(batch.public[0])
    check_shape(batch.setting, batch.dealing, constants)
    for index in range(COUNT):
        false = [*constants[:index], batch.setting.group.generator, *constants[index + 1 :]]
        with pytest.raises(ProofRejected):
            check_shape(batch.setting, batch.dealing, false)
        gap = Dealing(bitmap([index], COUNT), batch.dealing.matrix)
        check_shape(batch.setting, gap, false)
    with pytest.raises(ValueError, match="3 constants for 4"):
        check_shape(batch.setting, batch.dealing, constants[:-1])


def test_a_required_identity_is_never_shared_and_stops_nothing(batch: Batch) -> None:
    """A liar can choose its own dealing so that its share, and so its public share, is zero."""
    constants = [*batch.public[0][:-1], batch.setting.group.identity]
    with pytest.raises(ProofRejected):
        check_shape(batch.setting, batch.dealing, constants)
    check_shape(batch.setting, Dealing(bitmap([COUNT - 1], COUNT), batch.dealing.matrix), constants)


def test_the_digest_commits_to_session_gaps_and_matrix(batch: Batch) -> None:
    other = Setting(bytes([1]) * 32, batch.setting.group, names(5), FIVE, COUNT)
    found = {
        commitments.digest_of(batch.setting, batch.dealing),
        commitments.digest_of(other, batch.dealing),
        commitments.digest_of(batch.setting, Dealing(b"\x01", batch.dealing.matrix)),
        commitments.digest_of(batch.setting, Dealing(b"", batch.dealing.matrix[:-1] + b"\x00")),
    }
    assert len(found) == 4


def test_reconstruction_sees_wrong_shares_and_needs_d_and_one_right_ones(batch: Batch) -> None:
    group = batch.setting.group
    commitment = Commitment(tuple(column[0] for column in batch.public[:3]))
    shares = {x: group.scalar(batch.rows(x)[0][0]) for x in range(1, 6)}
    shares[2] = shares[2] + group.scalar(1)
    secret, wrong = reconstruct(commitment, shares)
    assert (secret.value, wrong) == (batch.columns[0][0], (2,))
    with pytest.raises(ProofRejected):
        reconstruct(commitment, {x: shares[x] for x in (1, 2, 3)})
