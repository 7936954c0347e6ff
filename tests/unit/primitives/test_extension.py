"""OT extension: the correlation itself, the shape of its message, and what its check catches."""

import numpy as np
import pytest
from tests.support.transfers import rng, toy_pair

from quorate.errors import CheckFailed, Malformed
from quorate.primitives import extension
from quorate.primitives.bits import octets, unpack
from quorate.primitives.parameters import STANDARD, TOY, OTParameters

XI = 416
KEY = bytes(range(32))
SETS = [STANDARD, TOY, OTParameters("k=1", depth=1), OTParameters("k=4", security=32, depth=4)]


@pytest.mark.parametrize("parameters", SETS, ids=lambda p: p.name)
@pytest.mark.parametrize("xi", [XI, 80])
def test_rows_differ_by_delta_exactly_where_bob_chose_one(parameters: OTParameters, xi: int) -> None:
    pair = toy_pair(parameters)
    received, message = extension.receive(pair.bob, xi, KEY, rng("bob"))
    assert len(message) == extension.message_length(parameters, xi)
    rows = extension.send(pair.alice, xi, KEY, message)
    assert rows.shape == received.rows.shape == (xi, parameters.security // 8)
    delta = octets(pair.alice.delta, parameters.security // 8)
    assert (received.rows == rows ^ received.bits[:, None] * delta).all()
    assert set(received.bits.tolist()) == {0, 1}


def test_rows_are_writable_so_that_they_can_be_wiped() -> None:
    pair = toy_pair(TOY)
    received, message = extension.receive(pair.bob, 80, KEY, rng("bob"))
    rows = extension.send(pair.alice, 80, KEY, message)
    assert rows.flags.writeable
    assert received.rows.flags.writeable
    assert received.bits.flags.writeable


def test_another_key_gives_unrelated_rows_and_choices_are_fresh() -> None:
    bob = toy_pair(STANDARD).bob
    one, _ = extension.receive(bob, XI, KEY, rng("one"))
    two, _ = extension.receive(bob, XI, bytes(32), rng("one"))
    three, _ = extension.receive(bob, XI, KEY, rng("two"))
    assert not (one.rows == two.rows).all(axis=1).any()
    assert 100 < int((one.bits ^ three.bits).sum()) < 316  # 416 coins, more than 10 deviations


@pytest.mark.parametrize("change", [-1, 1])
def test_a_message_of_another_length_is_malformed_and_leaks_nothing(change: int) -> None:
    pair = toy_pair(STANDARD)
    _, message = extension.receive(pair.bob, XI, KEY, rng("bob"))
    with pytest.raises(Malformed):
        extension.send(pair.alice, XI, KEY, message + b"\0" if change > 0 else message[:-1])
    with pytest.raises(Malformed):
        extension.send(pair.alice, XI, KEY, b"")


def places(parameters: OTParameters) -> list[tuple[str, int]]:
    row = (XI + parameters.check) // 8
    u = parameters.trees * row
    x = parameters.check // 8
    t = parameters.check * parameters.security // 8
    sampled = [("u", i) for i in (0, 1, row - 1, row, 17 * row + 5, u - 17, u - 1)]
    sampled += [("x^", u + i) for i in (0, 7, x - 1)]
    return sampled + [("t^", u + x + i) for i in (0, 1, 15, 16, 1000, t - 1)]


@pytest.mark.parametrize(("field", "place"), places(STANDARD))
@pytest.mark.parametrize("bit", [0, 7])
def test_a_flipped_bit_anywhere_fails_the_check(field: str, place: int, bit: int) -> None:
    pair = toy_pair(STANDARD)
    _, message = extension.receive(pair.bob, XI, KEY, rng("bob"))
    tampered = bytearray(message)
    tampered[place] ^= 1 << bit
    with pytest.raises(CheckFailed) as failure:
        extension.send(pair.alice, XI, KEY, bytes(tampered))
    assert failure.value.leak_bearing


def test_another_key_fails_the_check() -> None:
    pair = toy_pair(STANDARD)
    _, message = extension.receive(pair.bob, XI, KEY, rng("bob"))
    with pytest.raises(CheckFailed):
        extension.send(pair.alice, XI, bytes(32), message)


def test_the_check_seed_depends_on_every_byte_of_u() -> None:
    u = octets(rng("u")(64 * 68), 64, 68)
    seed = extension._seed(KEY, u)
    for place in ((0, 0), (31, 40), (63, 67)):
        changed = u.copy()
        changed[place] ^= 1
        assert extension._seed(KEY, changed) != seed
    assert extension._seed(bytes(32), u) != seed


def test_all_zero_and_all_one_choices_work() -> None:
    pair = toy_pair(STANDARD)
    for value in (0, 255):
        received, message = extension.receive(pair.bob, XI, KEY, lambda n, value=value: bytes([value]) * n)
        rows = extension.send(pair.alice, XI, KEY, message)
        delta = octets(pair.alice.delta, 16)
        assert (received.rows == rows ^ (delta if value else np.zeros(16, np.uint8))).all()
        assert unpack(octets(bytes([value]), 1))[0] == received.bits[0]
