"""Parties who cheat in the multiplication, and honest ones whose messages somebody changed or swapped."""

import hmac

import numpy as np
import pytest
from tests.support.transfers import ESID, multiply, rng, toy_pair

from quorate.errors import CheckFailed, Malformed
from quorate.groups import SECP256K1, Scalar
from quorate.groups.toy import TOY_GROUP
from quorate.primitives import vole
from quorate.primitives.limbs import ScalarKernel
from quorate.primitives.parameters import STANDARD, TOY

ROW = 3 * 32
NONCE, NUMBERS = 32, 416 * ROW


@pytest.mark.parametrize(
    ("field", "place"),
    [("nonce", 0), ("nonce", 31)]
    + [(f"row {row}, column {i}", 32 + ROW * row + 32 * i) for row in (0, 207, 415) for i in range(3)]
    + [("eta'", NONCE + NUMBERS), ("eta'", NONCE + NUMBERS + 30)]
    + [("H(mu)", NONCE + NUMBERS + 32), ("H(mu)", NONCE + NUMBERS + 63)],
)
@pytest.mark.parametrize("bit", [0, 5])
def test_a_flipped_bit_anywhere_in_alices_message_is_noticed(field: str, place: int, bit: int) -> None:
    run = multiply(SECP256K1, STANDARD)
    tampered = bytearray(run.message2)
    tampered[place] ^= 1 << bit
    with pytest.raises(CheckFailed) as failure:
        vole.finish(run.started, bytes(tampered))
    assert not failure.value.leak_bearing


@pytest.mark.parametrize(
    "place",
    [0, 31, 32, 63, 64, 64 + 2000, 64 + 4351, 64 + 4352, 64 + 4367, 64 + 4368, 64 + 4368 + 2047],
)
def test_a_flipped_bit_anywhere_in_bobs_message_is_noticed(place: int) -> None:
    pair, run = toy_pair(STANDARD), multiply(SECP256K1, STANDARD)
    tampered = bytearray(run.message1)
    tampered[place] ^= 4
    # the context costs nobody a quarantine; all else is part of the check
    expected = Malformed if place < 32 else CheckFailed
    with pytest.raises(expected) as failure:
        vole.multiply(
            SECP256K1, STANDARD, pair.alice, ESID, bytes(32), bytes(tampered), run.inputs, rng("alice")
        )
    if isinstance(failure.value, CheckFailed):
        assert failure.value.leak_bearing


def test_an_answer_to_another_message_of_the_same_bob_is_refused() -> None:
    one, two = multiply(SECP256K1, STANDARD, "one"), multiply(SECP256K1, STANDARD, "two")
    with pytest.raises(CheckFailed):
        vole.finish(one.started, two.message2)
    with pytest.raises(CheckFailed):
        vole.finish(two.started, one.message2)


def test_a_mixture_of_two_answers_to_one_message_is_refused() -> None:
    pair, source = toy_pair(TOY), rng("mixture")
    inputs = TOY_GROUP.random_scalar(source), TOY_GROUP.random_scalar(source)
    for cut in (32, 32 + 8 * 3 * 40, 32 + 8 * 3 * 80, 32 + 8 * 3 * 80 + 8):
        started, message1 = vole.start(TOY_GROUP, TOY, pair.bob, ESID, source)
        answers = [
            vole.multiply(TOY_GROUP, TOY, pair.alice, ESID, source(32), message1, inputs, source)[1]
            for _ in range(2)
        ]
        with pytest.raises(CheckFailed):
            vole.finish(started, answers[0][:cut] + answers[1][cut:])


@pytest.mark.parametrize("column", [0, 1])
@pytest.mark.parametrize("rows", [1, 40, 80])
def test_other_inputs_in_some_rows_pass_only_where_bob_did_not_choose(
    monkeypatch: pytest.MonkeyPatch, column: int, rows: int
) -> None:
    """Alice adds 1 to her input in the first `rows` rows and hashes mu as if all were well.

    Bob notices if he chose one of those rows; if he chose none, his result is right. So the failure tells
    Alice whether he chose any: bits of this run's beta, which the gadget's extra 2 * statistical rows cover.
    """
    genuine = ScalarKernel.differences

    def shifted(self: ScalarKernel, one: np.ndarray, two: np.ndarray, addends: tuple[int, ...]) -> np.ndarray:
        honest = genuine(self, one, two, addends)
        moved = genuine(self, one, two, tuple(a + (i == column) for i, a in enumerate(addends)))
        honest[:rows] = moved[:rows]
        return honest

    monkeypatch.setattr(ScalarKernel, "differences", shifted)
    outcomes = []
    for attempt in range(24):
        run = multiply(TOY_GROUP, TOY, f"shift {attempt}")
        received = run.started._received
        assert received is not None
        chosen = bool(received.bits[:rows].any())
        outcomes.append(chosen)
        if chosen:
            with pytest.raises(CheckFailed) as failure:
                vole.finish(run.started, run.message2)
            assert not failure.value.leak_bearing
        else:
            ends = vole.finish(run.started, run.message2)
            for a, c, d in zip(run.inputs, run.outputs, ends, strict=True):
                assert c + d == a * run.started.chi
    assert any(outcomes)
    assert rows > 1 or not all(outcomes)


def test_alice_may_use_any_input_she_likes_here_which_is_why_signing_checks_it_in_the_exponent() -> None:
    pair, source = toy_pair(TOY), rng("any input")
    started, message1 = vole.start(TOY_GROUP, TOY, pair.bob, ESID, source)
    inputs = TOY_GROUP.scalar(0), Scalar(7, TOY_GROUP)
    outputs, message2 = vole.multiply(TOY_GROUP, TOY, pair.alice, ESID, source(32), message1, inputs, source)
    ends = vole.finish(started, message2)
    assert (outputs[0] + ends[0]).is_zero
    assert outputs[1] + ends[1] == inputs[1] * started.chi


def test_verdicts_are_given_by_one_constant_time_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    genuine = hmac.compare_digest

    def recording(a: bytes, b: bytes) -> bool:
        compared.append((len(a), len(b)))
        return genuine(a, b)

    monkeypatch.setattr(hmac, "compare_digest", recording)
    run = multiply(SECP256K1, STANDARD)
    vole.finish(run.started, run.message2)
    # context, all check rows of the extension at once, H(mu)
    assert compared == [(32, 32), (2048, 2048), (32, 32)]
