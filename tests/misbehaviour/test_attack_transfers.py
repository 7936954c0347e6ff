"""Attacks on the transfers under a multiplication that need no luck: grinding, reflection, replay."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from tests.support.transfers import ESID, rng, set_up, toy_pair

from quorate.errors import CheckFailed, Malformed
from quorate.groups import SECP256K1
from quorate.groups.toy import TOY_GROUP
from quorate.primitives import extension, vole
from quorate.primitives.bits import CheckHash, expand, octets, transpose, unpack
from quorate.primitives.limbs import Octets, ScalarKernel
from quorate.primitives.parameters import SEED_BYTES, STANDARD, TOY, OTParameters, parameters_named

SHORT = OTParameters("a check of 8 bits", security=16, statistical=8, depth=2, check=8)
XI = 80


def ground(state: vole.ReceiverState, key: bytes, tree: int, place: int) -> tuple[Octets, Octets, bytes]:
    """Other choices in one tree at one place, and a u for which the check happens not to look there.

    The matrix of the check follows from u, so Bob tries u after u, offline, with nobody to stop him. Gives
    his rows and choices beside the message.
    """
    parameters, length = state.parameters, (XI + state.parameters.check) // 8
    count = parameters.trees * parameters.leaves
    seeds, numbers = octets(state.leaves, count, SEED_BYTES), np.arange(count, dtype=np.uint32)
    streams = expand(key, numbers, seeds, length).reshape(parameters.trees, parameters.leaves, length)
    source = rng(f"grinding {tree}")
    columns = transpose(extension._rows(parameters, streams, 0))
    while True:
        choices = octets(source(length), length)
        u = np.bitwise_xor.reduce(streams, axis=1) ^ choices
        u[tree, place // 8] ^= np.uint8(1 << place % 8)
        check = CheckHash(extension._seed(key, u), XI, parameters.check)
        if not (check._index[:, place // 8] >> place % 8 & 1).any():
            message = u.tobytes() + check.of_string(choices).tobytes() + check.of_columns(columns).tobytes()
            return columns, unpack(choices), message


def test_a_short_check_is_ground_offline_and_gives_all_of_delta_without_one_failure() -> None:
    """2^8 tries a tree here. This is why the check has 128 bits although its failures happen online."""
    pair, place, found = toy_pair(SHORT), 5, []
    delta = unpack(octets(pair.alice.delta, -1)).reshape(SHORT.trees, SHORT.depth)
    for tree in range(SHORT.trees):
        key = bytes([tree]) * 32
        columns, choices, message = ground(pair.bob, key, tree, place)
        rows = extension.send(pair.alice, XI, key, message)  # no failure, hence no quarantine
        # where his choices agree in all trees her row is his, or off by Delta; at `place` it is off by the
        # piece of Delta of the tree he cheated in as well
        other = next(j for j in range(XI) if j != place and choices[j] == choices[place])
        off = unpack(rows[place] ^ columns[place]) ^ unpack(rows[other] ^ columns[other])
        found.append(off.reshape(SHORT.trees, SHORT.depth)[tree].tolist())
        assert not off.reshape(SHORT.trees, SHORT.depth)[:tree].any()
    assert found == delta.tolist()


def test_nothing_but_the_full_check_can_be_asked_for_by_name() -> None:
    assert STANDARD.check >= 128
    assert parameters_named(STANDARD.name) == STANDARD
    for name in (TOY.name, SHORT.name, "", STANDARD.name + " "):
        with pytest.raises(Malformed):
            parameters_named(name)


def test_a_stored_setup_of_weaker_sizes_is_not_used_for_standard_ones() -> None:
    """Were a state relabelled on disk, the sizes would still differ before any secret is met."""
    pair, source = toy_pair(SHORT), rng("relabelled")
    weaker = dataclasses.replace(STANDARD, name=SHORT.name, security=16, check=8)
    relabelled = dataclasses.replace(pair.bob, parameters=weaker)
    with pytest.raises(Malformed):
        vole.start(SECP256K1, STANDARD, relabelled, ESID, source)


def test_a_message_reflected_to_its_sender_is_malformed_and_costs_no_quarantine() -> None:
    """Two setups, one each way. What n1 made as receiver comes back as if n2 had made it."""
    there, back = set_up(TOY_GROUP, TOY, "there"), set_up(TOY_GROUP, TOY, "back")
    source = rng("reflected")
    inputs = TOY_GROUP.random_scalar(source), TOY_GROUP.random_scalar(source)
    _, message = vole.start(TOY_GROUP, TOY, there.bob, ESID, source)
    with pytest.raises(Malformed, match="another session or another OT setup"):
        vole.multiply(TOY_GROUP, TOY, back.alice, ESID, source(32), message, inputs, source)


def test_the_context_cannot_be_patched_onto_a_message_of_another_session() -> None:
    """The streams hang on the context: a patched head makes it the message of a cheat, who answers for it."""
    pair, source = toy_pair(TOY), rng("patched")
    _, old = vole.start(TOY_GROUP, TOY, pair.bob, b"then", source)
    _, new = vole.start(TOY_GROUP, TOY, pair.bob, b"now", source)
    inputs = TOY_GROUP.random_scalar(source), TOY_GROUP.random_scalar(source)
    for patched in (new[:32] + old[32:], new[:64] + old[64:]):
        with pytest.raises(Exception, match="consistency check") as failure:
            vole.multiply(TOY_GROUP, TOY, pair.alice, b"now", source(32), patched, inputs, source)
        assert failure.value.leak_bearing


def test_equal_inputs_and_equal_messages_never_give_equal_answers() -> None:
    """A device restored from a backup replays: the difference of two answers must say nothing."""
    pair, source = toy_pair(TOY), rng("again")
    started, message = vole.start(TOY_GROUP, TOY, pair.bob, ESID, source)
    inputs = TOY_GROUP.random_scalar(source), TOY_GROUP.random_scalar(source)
    answers = [
        vole.multiply(TOY_GROUP, TOY, pair.alice, ESID, source(32), message, inputs, source)[1]
        for _ in range(8)
    ]
    size = vole.kernel(TOY_GROUP.order).length
    bodies = [answer[32 : -32 - size] for answer in answers]
    numbers = {body[i : i + size] for body in bodies for i in range(0, len(body), size)}
    assert len(numbers) == len(bodies) * len(bodies[0]) // size
    assert len({answer[-32:] for answer in answers}) == len(answers)
    assert started.chi.group is TOY_GROUP


def test_rows_do_not_outlive_a_check_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever then reads the process's memory, a core file say, finds no row; two of them differ by Delta."""
    pair, made = toy_pair(TOY), []
    _, message = extension.receive(pair.bob, XI, bytes(32), rng("wiped"))
    genuine = extension.transpose

    def recorded(packed: Octets) -> Octets:
        made.append((packed, genuine(packed)))
        return made[-1][1]

    monkeypatch.setattr(extension, "transpose", recorded)
    with pytest.raises(CheckFailed):
        extension.send(pair.alice, XI, bytes(32), message[:-1] + bytes([message[-1] ^ 1]))
    assert len(made) == 1
    assert not any(array.any() for array in made[0])


def test_no_row_of_either_branch_outlives_a_multiplication(monkeypatch: pytest.MonkeyPatch) -> None:
    pair, source, hashed = toy_pair(TOY), rng("branches"), []
    _, message = vole.start(TOY_GROUP, TOY, pair.bob, ESID, source)
    genuine = vole.expand

    def recorded(key: bytes, indices: np.ndarray, rows: Octets, length: int) -> Octets:
        hashed.append(rows)
        assert rows.any()
        return genuine(key, indices, rows, length)

    monkeypatch.setattr(vole, "expand", recorded)
    inputs = TOY_GROUP.random_scalar(source), TOY_GROUP.random_scalar(source)
    vole.multiply(TOY_GROUP, TOY, pair.alice, ESID, source(32), message, inputs, source)
    assert len(hashed) == 2
    assert not any(rows.any() for rows in hashed)


def test_nothing_in_halves_outlives_a_multiplication_at_either_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pads at Alice's end; at Bob's the corrections he took, which show his choices row by row."""
    pair, source, made = toy_pair(TOY), rng("halves"), []
    started, message = vole.start(TOY_GROUP, TOY, pair.bob, ESID, source)
    genuine = {name: getattr(ScalarKernel, name) for name in ("halves_of", "from_pads")}

    def recorded(name: str) -> Any:
        def record(self: ScalarKernel, *arguments: Any) -> Any:
            made.append(genuine[name](self, *arguments))
            return made[-1]

        return record

    for name in genuine:
        monkeypatch.setattr(ScalarKernel, name, recorded(name))
    inputs = TOY_GROUP.random_scalar(source), TOY_GROUP.random_scalar(source)
    _, answer = vole.multiply(TOY_GROUP, TOY, pair.alice, ESID, source(32), message, inputs, source)
    vole.finish(started, answer)
    assert len(made) == 6
    assert not any(array.any() for array in made)
