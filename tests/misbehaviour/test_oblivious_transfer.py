"""A receiver who cheats in the OT extension: what he learns, at what risk, and who notices.

This is why a failed check quarantines the pair: see "Leakage and quarantine" in
docs/protocols/oblivious-transfer.md.
"""

import numpy as np
import pytest
from tests.support.transfers import rng, toy_pair

from quorate.errors import CheckFailed
from quorate.primitives import extension
from quorate.primitives.bits import CheckHash, expand, octets, transpose, unpack
from quorate.primitives.correlation import ReceiverState
from quorate.primitives.parameters import SEED_BYTES, STANDARD, OTParameters

XI = 416
KOS = OTParameters("k=1", depth=1)
"""Depth 1: one tree is one bit of Delta, so one guess is one bit."""


def cheat(state: ReceiverState, key: bytes, tree: int, guess: list[int]) -> bytes:
    """Other choices in one tree than in the others, and a check value that fits if `guess` is Delta there."""
    parameters = state.parameters
    length = (XI + parameters.check) // 8
    count = parameters.trees * parameters.leaves
    seeds, numbers = octets(state.leaves, count, SEED_BYTES), np.arange(count, dtype=np.uint32)
    streams = expand(key, numbers, seeds, length).reshape(parameters.trees, parameters.leaves, length)
    choices = octets(rng("cheat")(length), length)
    error = np.zeros(length, np.uint8)
    error[3] = 0x10
    u = np.bitwise_xor.reduce(streams, axis=1) ^ choices
    u[tree] ^= error
    check = CheckHash(extension._seed(key, u), XI, parameters.check)
    # his rows as Alice will compute them, if Delta is as guessed: off by error where the guess is one
    rows = extension._rows(parameters, streams, 0)
    for level, bit in enumerate(guess):
        rows[tree * parameters.depth + level] ^= error * np.uint8(bit)
    return u.tobytes() + check.of_string(choices).tobytes() + check.of_columns(transpose(rows)).tobytes()


def passes(parameters: OTParameters, tree: int, guess: list[int]) -> bool:
    pair, key = toy_pair(parameters), bytes([tree]) * 32
    try:
        extension.send(pair.alice, XI, key, cheat(pair.bob, key, tree, guess))
    except CheckFailed as failure:
        return not failure.leak_bearing
    return True


def test_a_guess_of_one_bit_of_delta_passes_exactly_when_it_is_right() -> None:
    delta = unpack(octets(toy_pair(KOS).alice.delta, -1)).tolist()
    outcomes = []
    for tree in range(0, KOS.trees, 2):
        outcomes.append(passes(KOS, tree, [0]))
        assert outcomes[-1] == (delta[tree] == 0)
        assert passes(KOS, tree, [1]) == (delta[tree] == 1)
    # a coin each: half of the guesses end in quarantine, and every one of them told Bob a bit
    assert 10 < sum(outcomes) < 54


def test_a_tree_of_depth_two_must_be_guessed_whole() -> None:
    delta = unpack(octets(toy_pair(STANDARD).alice.delta, -1)).reshape(-1, 2).tolist()
    for tree in (0, 1, 31, 63):
        for guess in ([0, 0], [0, 1], [1, 0], [1, 1]):
            assert passes(STANDARD, tree, guess) == (guess == delta[tree])


def test_choices_that_differ_in_every_tree_do_not_pass() -> None:
    """Passing would need all 128 bits of Delta at once."""
    pair, key = toy_pair(STANDARD), bytes(32)
    state = pair.bob
    _, honest = extension.receive(state, XI, key, rng("one"))
    _, other = extension.receive(state, XI, key, rng("two"))
    u = STANDARD.trees * 68
    for mixture in (honest[:u] + other[u:], other[: u // 2] + honest[u // 2 :]):
        with pytest.raises(CheckFailed) as failure:
            extension.send(pair.alice, XI, key, mixture)
        assert failure.value.leak_bearing
