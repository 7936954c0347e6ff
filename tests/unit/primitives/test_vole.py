"""The multiplication: its identity, its strictness, and what each byte is bound to."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.transfers import ESID, P256, multiply, rng, set_up, toy_pair

from quorate.errors import AlreadyUsed, CheckFailed, Malformed
from quorate.groups import SECP256K1, Group
from quorate.groups.toy import TOY_GROUP
from quorate.primitives import vole
from quorate.primitives.limbs import kernel
from quorate.primitives.parameters import STANDARD, TOY, OTParameters

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "multiplication.json").read_text())
GROUPS = {"secp256k1": SECP256K1, "p256": P256, "toy": TOY_GROUP}
CASES = [
    (SECP256K1, STANDARD),
    (P256, STANDARD),
    (TOY_GROUP, TOY),
    (TOY_GROUP, STANDARD),
    (SECP256K1, OTParameters("k=1", depth=1)),
    (SECP256K1, OTParameters("k=4", depth=4)),
]
each_case = pytest.mark.parametrize(("group", "parameters"), CASES, ids=lambda x: x.name)


@each_case
def test_the_two_ends_add_up_to_the_product(group: Group, parameters: OTParameters) -> None:
    run = multiply(group, parameters)
    ends = vole.finish(run.started, run.message2)
    for a, c, d in zip(run.inputs, run.outputs, ends, strict=True):
        assert c + d == a * run.started.chi
    lengths = len(run.message1), len(run.message2)
    assert lengths == vole.message_lengths(group, parameters)


@settings(max_examples=30, deadline=None)
@given(seed=st.binary(min_size=1, max_size=32), case=st.sampled_from(CASES[:3]), data=st.data())
def test_the_product_holds_for_any_inputs(
    seed: bytes, case: tuple[Group, OTParameters], data: st.DataObject
) -> None:
    group, parameters = case
    values = st.one_of(st.integers(0, group.order - 1), st.sampled_from([0, 1, group.order - 1]))
    inputs = group.scalar(data.draw(values)), group.scalar(data.draw(values))
    pair, source = toy_pair(parameters), rng(f"any {seed.hex()}"[:32])
    started, message1 = vole.start(group, parameters, pair.bob, ESID, source)
    outputs, message2 = vole.multiply(
        group, parameters, pair.alice, ESID, source(32), message1, inputs, source
    )
    ends = vole.finish(started, message2)
    for a, c, d in zip(inputs, outputs, ends, strict=True):
        assert c + d == a * started.chi


def test_messages_have_the_stated_sizes() -> None:
    assert vole.message_lengths(SECP256K1, STANDARD) == (64 + 4352 + 16 + 2048, 32 + 39936 + 32 + 32)


def test_the_multiplier_is_balanced() -> None:
    bob = toy_pair(STANDARD).bob
    source = rng("balance")
    chis = [vole.start(SECP256K1, STANDARD, bob, ESID, source)[0].chi.value for _ in range(128)]
    assert len(set(chis)) == 128
    # every bit of chi below the top ones is a fair coin; 6 standard deviations of 128 coins are 34
    for bit in range(0, 252, 7):
        assert abs(sum(chi >> bit & 1 for chi in chis) - 64) < 34
    # and chi is spread over the whole range: quarters, 6 deviations of a quarter of 128 are 29
    for quarter in range(4):
        assert abs(sum(chi * 4 // SECP256K1.order == quarter for chi in chis) - 32) < 29


def test_the_multiplier_is_the_sum_of_the_chosen_weights() -> None:
    started, _ = vole.start(SECP256K1, STANDARD, toy_pair(STANDARD).bob, ESID, rng("sum"))
    arithmetic = kernel(SECP256K1.order)
    halves = vole._gadget(SECP256K1.order, 416).astype(int)
    weights = [sum(int(half) << 16 * i for i, half in enumerate(column)) for column in halves.T]
    assert all(0 < weight < SECP256K1.order for weight in weights)
    assert len(set(weights)) == len(weights) == 416
    bits = started.take().bits.tolist()
    assert started.chi.value == sum(w for w, b in zip(weights, bits, strict=True) if b) % arithmetic.order


def test_a_replayed_first_message_meets_other_pads() -> None:
    """Without Alice's nonce, two answers to one message would differ by exactly the difference of inputs."""
    pair, source = toy_pair(STANDARD), rng("replay")
    _, message1 = vole.start(SECP256K1, STANDARD, pair.bob, ESID, source)
    a, b = (SECP256K1.random_scalar(source), SECP256K1.random_scalar(source))
    answers = []
    for inputs in ((a, b), (a, b)):
        _, message2 = vole.multiply(
            SECP256K1, STANDARD, pair.alice, ESID, source(32), message1, inputs, source
        )
        numbers = [message2[32 + 32 * i : 64 + 32 * i] for i in range(3 * 416)]
        answers.append(numbers)
    assert not set(answers[0]) & set(answers[1])
    differences = {
        (int.from_bytes(x, "little") - int.from_bytes(y, "little")) % SECP256K1.order
        for x, y in zip(*answers, strict=True)
    }
    assert len(differences) == 3 * 416


def test_a_started_multiplication_is_finished_once() -> None:
    run = multiply(TOY_GROUP, TOY)
    vole.finish(run.started, run.message2)
    with pytest.raises(AlreadyUsed):
        vole.finish(run.started, run.message2)


def test_a_failed_answer_spends_the_multiplication_too() -> None:
    run = multiply(TOY_GROUP, TOY)
    with pytest.raises(Malformed):
        vole.finish(run.started, run.message2[:-1])
    with pytest.raises(AlreadyUsed):
        vole.finish(run.started, run.message2)


def test_secrets_at_bobs_end_are_overwritten_however_it_ends() -> None:
    for spoil in (False, True):
        run = multiply(TOY_GROUP, TOY)
        received = run.started._received
        assert received is not None
        assert received.rows.any()
        if spoil:
            with pytest.raises(CheckFailed):
                vole.finish(run.started, run.message2[:-1] + bytes([run.message2[-1] ^ 1]))
        else:
            vole.finish(run.started, run.message2)
        assert not received.rows.any()
        assert not received.bits.any()


@each_case
@pytest.mark.parametrize("change", ["short", "long", "empty"])
def test_a_message_of_another_length_is_malformed(
    group: Group, parameters: OTParameters, change: str
) -> None:
    run = multiply(group, parameters)
    spoiled = {"short": lambda m: m[:-1], "long": lambda m: m + b"\0", "empty": lambda m: b""}[change]
    with pytest.raises(Malformed, match="second message of a multiplication"):
        vole.finish(run.started, spoiled(run.message2))
    with pytest.raises(Malformed, match="first message of a multiplication"):
        vole.multiply(
            group,
            parameters,
            toy_pair(parameters).alice,
            ESID,
            bytes(32),
            spoiled(run.message1),
            run.inputs,
            rng("alice"),
        )


@pytest.mark.parametrize("column", [0, 1, 2, 3 * 80 - 1, 3 * 80])
@pytest.mark.parametrize("excess", [0, 1])
def test_a_number_not_below_the_order_is_malformed(column: int, excess: int) -> None:
    run = multiply(TOY_GROUP, TOY)
    place = 32 + 8 * column  # column 3 * 80 is eta'
    number = (TOY_GROUP.order + excess).to_bytes(8, "little")
    with pytest.raises(Malformed, match="not below the order"):
        vole.finish(run.started, run.message2[:place] + number + run.message2[place + 8 :])


def test_a_message_for_another_session_is_malformed_and_nobody_is_quarantined() -> None:
    pair, other = toy_pair(TOY), set_up(TOY_GROUP, TOY, "another setup")
    _, message1 = vole.start(TOY_GROUP, TOY, pair.bob, ESID, rng("bob"))
    inputs = TOY_GROUP.scalar(1), TOY_GROUP.scalar(2)
    same_sizes = OTParameters("toy, renamed", security=16, statistical=8, depth=2, check=16)
    renamed = type(pair.alice)(same_sizes, pair.alice.setup, pair.alice.delta, pair.alice.leaves)
    for parameters, alice, esid in (
        (TOY, pair.alice, ESID + b"."),
        (TOY, pair.alice, b"a session, from a to b, for a test"),
        (TOY, other.alice, ESID),
        (same_sizes, renamed, ESID),
        (same_sizes, pair.alice, ESID),
    ):
        with pytest.raises(Malformed):
            vole.multiply(TOY_GROUP, parameters, alice, esid, bytes(32), message1, inputs, rng("alice"))


def test_states_of_other_parameters_are_refused() -> None:
    with pytest.raises(Malformed, match="was made for"):
        vole.start(TOY_GROUP, STANDARD, toy_pair(TOY).bob, ESID, rng("bob"))


def test_the_nonce_has_32_bytes_and_inputs_are_of_the_group() -> None:
    run, pair = multiply(TOY_GROUP, TOY), toy_pair(TOY)
    with pytest.raises(ValueError, match="32 bytes"):
        vole.multiply(TOY_GROUP, TOY, pair.alice, ESID, b"", run.message1, run.inputs, rng("alice"))
    foreign = SECP256K1.scalar(1), SECP256K1.scalar(2)
    with pytest.raises(TypeError, match="do not mix"):
        vole.multiply(TOY_GROUP, TOY, pair.alice, ESID, bytes(32), run.message1, foreign, rng("alice"))


def test_a_started_multiplication_does_not_print_its_secrets() -> None:
    started = multiply(TOY_GROUP, TOY).started
    assert repr(started) == "<multiplication in toy, started>"


@pytest.mark.parametrize("vector", VECTORS["cases"], ids=lambda v: f"{v['group']}, {v['parameters']}")
def test_the_wire_is_as_recorded(vector: dict[str, str]) -> None:
    """Seeded runs against recorded hashes: a refactoring that changes one byte is a new protocol version."""
    assert record(vector["group"], vector["parameters"]) == vector


def record(group_name: str, parameters_name: str) -> dict[str, str]:
    """Everything that one seeded setup and multiplication say and give; run it to write the vectors anew."""
    group = GROUPS[group_name]
    parameters = {p.name: p for p in (STANDARD, TOY)}[parameters_name]
    base = SECP256K1 if parameters is STANDARD else TOY_GROUP
    pair, source = set_up(base, parameters, "vector"), rng("vector")
    started, message1 = vole.start(group, parameters, pair.bob, ESID, source)
    inputs = group.random_scalar(source), group.random_scalar(source)
    outputs, message2 = vole.multiply(
        group, parameters, pair.alice, ESID, source(32), message1, inputs, source
    )
    ends = vole.finish(started, message2)
    said = {
        "setup 1": pair.message1,
        "setup 2": pair.message2,
        "alice": pair.alice.to_bytes(),
        "bob": pair.bob.to_bytes(),
        "message 1": message1,
        "message 2": message2,
    }
    numbers = {"chi": started.chi, "c1": outputs[0], "c2": outputs[1], "d1": ends[0], "d2": ends[1]}
    return (
        {"group": group_name, "parameters": parameters_name}
        | {name: hashlib.sha256(data).hexdigest() for name, data in said.items()}
        | {name: number.to_bytes().hex() for name, number in numbers.items()}
    )
