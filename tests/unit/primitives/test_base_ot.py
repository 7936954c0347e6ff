"""Base transfers and trees: what each end holds, what it refuses, and that nobody can hold both keys."""

from collections.abc import Iterator

import numpy as np
import pytest
from tests.support.transfers import SID, Pair, rng, set_up, toy_pair

from quorate.encoding import encode
from quorate.errors import AlreadyUsed, CheckFailed, Malformed
from quorate.groups import SECP256K1, Scalar
from quorate.groups.toy import TOY_GROUP, ToyGroup, ToyPoint
from quorate.primitives import base_ot, trees
from quorate.primitives.bits import octets, unpack
from quorate.primitives.correlation import ReceiverState, SenderState, _Stored
from quorate.primitives.parameters import SEED_BYTES, STANDARD, TOY, OTParameters
from quorate.secret import Secret

SETS = [TOY, STANDARD, OTParameters("k=1", depth=1), OTParameters("k=4", security=32, depth=4)]


@pytest.fixture(scope="module")
def pair() -> Pair:
    return set_up(SECP256K1, STANDARD)


def leaves(state: SenderState | ReceiverState, held: int) -> np.ndarray:
    return octets(state.leaves, state.parameters.trees, held, SEED_BYTES)


def assert_all_but_one(alice: SenderState, bob: ReceiverState) -> None:
    parameters = alice.parameters
    theirs, all_of_them = leaves(alice, parameters.leaves - 1), leaves(bob, parameters.leaves)
    for tree, bits in enumerate(unpack(octets(alice.delta, -1)).reshape(parameters.trees, parameters.depth)):
        missing = int("".join(map(str, bits)), 2)
        for slot in range(1, parameters.leaves):
            assert (theirs[tree, slot - 1] == all_of_them[tree, slot ^ missing]).all()
        assert not (theirs[tree] == all_of_them[tree, missing]).all(axis=1).any()


@pytest.mark.parametrize("parameters", SETS, ids=lambda p: p.name)
def test_alice_holds_every_leaf_but_the_one_that_delta_names(parameters: OTParameters) -> None:
    pair = toy_pair(parameters)
    assert_all_but_one(pair.alice, pair.bob)


def test_a_setup_on_secp256k1_is_consistent_and_has_the_stated_sizes(pair: Pair) -> None:
    assert_all_but_one(pair.alice, pair.bob)
    assert (len(pair.message1), len(pair.message2)) == base_ot.message_lengths(SECP256K1, STANDARD)
    assert (len(pair.message1), len(pair.message2)) == (8448, 8448 + 6144)
    assert len(pair.bob.to_bytes()) < 4300
    assert len(pair.alice.to_bytes()) < 3300


def test_both_ends_have_the_same_fingerprint_and_each_setup_another(pair: Pair) -> None:
    assert pair.alice.fingerprint() == pair.bob.fingerprint()
    other = set_up(SECP256K1, STANDARD, "another")
    assert other.alice.fingerprint() == other.bob.fingerprint() != pair.bob.fingerprint()


def test_states_are_stored_and_read_back(pair: Pair) -> None:
    assert SenderState.from_bytes(pair.alice.to_bytes()) == pair.alice
    assert ReceiverState.from_bytes(pair.bob.to_bytes()) == pair.bob
    toy = toy_pair(TOY)
    assert SenderState.from_bytes(toy.alice.to_bytes()) == toy.alice
    assert len({pair.alice, toy.alice, SenderState.from_bytes(toy.alice.to_bytes())}) == 2
    assert pair.alice != toy.alice
    assert pair.alice != pair.bob
    assert pair.bob != toy.bob


def test_a_stored_state_is_read_strictly(pair: Pair) -> None:
    alice, bob = pair.alice.to_bytes(), pair.bob.to_bytes()
    for data in (b"", alice[:-1], alice + b"\0", bob, alice.replace(b"DKLS23", b"DKLS24", 1)[:100]):
        with pytest.raises(Malformed):
            SenderState.from_bytes(data)
    with pytest.raises(Malformed, match="of kind 'ot-sender/1'"):
        ReceiverState.from_bytes(alice)
    with pytest.raises(Malformed, match="of kind 'ot-receiver/1'"):
        SenderState.from_bytes(bob)
    with_delta = encode(_Stored("ot-receiver/1", "", 128, 80, 2, 128, pair.bob.setup, b"d", pair.bob.leaves))
    with pytest.raises(Malformed, match="holds a Delta"):
        ReceiverState.from_bytes(with_delta)
    with pytest.raises(Malformed, match="wrong length"):
        SenderState(STANDARD, pair.alice.setup, pair.alice.delta[:-1], pair.alice.leaves)
    with pytest.raises(Malformed, match="wrong length"):
        ReceiverState(STANDARD, pair.bob.setup, pair.bob.leaves + bytes(16))
    with pytest.raises(Malformed, match="wrong length"):
        ReceiverState(STANDARD, pair.bob.setup[:-1], pair.bob.leaves)


def test_states_do_not_print_what_they_hold(pair: Pair) -> None:
    for state in (pair.alice, pair.bob):
        shown = f"{state!r} {state} {[state]}"
        assert state.leaves.hex()[:8] not in shown
        assert repr(state.leaves)[2:10] not in shown
        assert "Secret" in repr(Secret(state))
        assert Secret(state) == Secret(type(state).from_bytes(state.to_bytes()))


@pytest.mark.parametrize("change", [1, -1])
def test_a_message_of_another_length_is_malformed(change: int) -> None:
    chooser, message1 = base_ot.choose(TOY_GROUP, TOY, SID, rng("alice"))
    _, message2 = base_ot.respond(TOY_GROUP, TOY, SID, rng("bob"), message1)
    with pytest.raises(Malformed):
        base_ot.respond(TOY_GROUP, TOY, SID, rng("bob"), message1 + b"\0" if change > 0 else message1[:-1])
    with pytest.raises(Malformed):
        base_ot.finish(chooser, message2 + b"\0" if change > 0 else message2[:-1])


@pytest.mark.parametrize("place", [0, 33, 66 * 77, 66 * 127 + 33])
@pytest.mark.parametrize(
    "bytes_", [bytes(33), b"\x02" + b"\xff" * 32, b"\x04" + bytes(32), b"\x02" + bytes(32)]
)
def test_bytes_that_are_no_point_are_malformed_wherever_they_stand(place: int, bytes_: bytes) -> None:
    chooser, message1 = base_ot.choose(SECP256K1, STANDARD, SID, rng("alice"))
    with pytest.raises(Malformed):
        base_ot.respond(
            SECP256K1, STANDARD, SID, rng("bob"), message1[:place] + bytes_ + message1[place + 33 :]
        )
    # at Alice: with either choice bit, or the error would tell which it is
    message2 = message1 + bytes(6144)
    with pytest.raises(Malformed):
        base_ot.finish(chooser, message2[:place] + bytes_ + message2[place + 33 :])


def test_a_setup_is_finished_once_even_if_the_first_answer_was_bad() -> None:
    for good in (True, False):
        chooser, message1 = base_ot.choose(TOY_GROUP, TOY, SID, rng("alice"))
        _, message2 = base_ot.respond(TOY_GROUP, TOY, SID, rng("bob"), message1)
        if good:
            base_ot.finish(chooser, message2)
        else:
            with pytest.raises(CheckFailed):
                base_ot.finish(chooser, message2[:-1] + bytes([message2[-1] ^ 1]))
        with pytest.raises(AlreadyUsed):
            base_ot.finish(chooser, message2)
        assert repr(chooser) == "<OT setup on toy, begun>"


def test_a_session_id_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        base_ot.choose(TOY_GROUP, TOY, SID[:-1], rng("alice"))


@pytest.fixture
def group_operations(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list]]:
    """Records what the toy group is asked to do."""
    seen: dict[str, list] = {"base": [], "products": [], "hashed": [], "drawn": []}
    multiply, hash_to_point, draw = ToyPoint.multiply, ToyGroup.hash_to_point, ToyGroup.random_scalar

    def recording_multiply(point: ToyPoint, scalar: Scalar) -> ToyPoint:
        product = multiply(point, scalar)
        seen["base" if point == TOY_GROUP.generator else "products"].append((scalar.value, product))
        return product

    def recording_hash(group: ToyGroup, data: bytes) -> ToyPoint:
        seen["hashed"].append(hash_to_point(group, data))
        return seen["hashed"][-1]

    def recording_draw(group: ToyGroup, source: object) -> Scalar:
        seen["drawn"].append(draw(group, source))
        return seen["drawn"][-1]

    monkeypatch.setattr(ToyPoint, "multiply", recording_multiply)
    monkeypatch.setattr(ToyPoint, "multiply_public", recording_multiply)
    monkeypatch.setattr(ToyGroup, "hash_to_point", recording_hash)
    monkeypatch.setattr(ToyGroup, "random_scalar", recording_draw)
    return seen


def test_no_point_of_a_hash_is_ever_a_known_multiple_of_the_generator(
    group_operations: dict[str, list],
) -> None:
    set_up(TOY_GROUP, TOY)
    count = TOY.security
    # Alice: one multiple of the generator per instance; Bob: two; each by a scalar fresh from the generator
    assert [value for value, _ in group_operations["base"]] == [s.value for s in group_operations["drawn"]]
    assert len(group_operations["base"]) == 3 * count
    # three hashed points per instance at Alice (one for its time alone), two at Bob, none of them a product
    assert len(group_operations["hashed"]) == 5 * count
    products = {point for kind in ("base", "products") for _, point in group_operations[kind]}
    assert not products & set(group_operations["hashed"])


def test_alice_learns_one_key_of_two_and_nothing_she_computes_is_the_other(
    monkeypatch: pytest.MonkeyPatch, group_operations: dict[str, list]
) -> None:
    keys: list[tuple[int, int, bytes, ToyPoint]] = []
    key = base_ot._key

    def recording(session, index, branch, sent, answers, shared):  # type: ignore[no-untyped-def]
        keys.append((index, branch, key(session, index, branch, sent, answers, shared), shared))
        return keys[-1][2]

    monkeypatch.setattr(base_ot, "_key", recording)
    pair = set_up(TOY_GROUP, TOY)
    bobs, alices = keys[: 2 * TOY.security], keys[2 * TOY.security :]
    of_bob = {(index, branch): (value, shared) for index, branch, value, shared in bobs}
    missing = unpack(octets(pair.alice.delta, -1)).tolist()
    assert [(index, branch) for index, branch, _, _ in alices] == [
        (i, 1 - bit) for i, bit in enumerate(missing)
    ]
    for index, branch, value, shared in alices:
        assert of_bob[index, branch] == (value, shared)
    others = {of_bob[index, 1 - branch][1] for index, branch, _, _ in alices}
    hers = group_operations["products"][2 * TOY.security :]
    assert not others & {point for _, point in hers}
    assert len({value for value, _ in of_bob.values()}) == 2 * TOY.security


def test_choices_and_delta_are_balanced() -> None:
    ones = sum(
        int.from_bytes(set_up(TOY_GROUP, TOY, f"balance {i}").alice.delta, "big").bit_count()
        for i in range(64)
    )
    total = 64 * TOY.security  # 1024 fair coins: 5 standard deviations are 80
    assert abs(ones - total // 2) < 80


def test_trees_of_every_depth_grow_and_complete() -> None:
    for depth in (1, 2, 3, 4, 5):
        parameters = OTParameters("deep", security=8 * depth, depth=depth)
        keys = octets(rng(f"keys {depth}")(parameters.security * 32), parameters.trees, depth, 2, SEED_BYTES)
        grown, corrections, proofs = trees.grow(parameters, SID, keys)
        choices = unpack(octets(rng(f"choices {depth}")(depth), depth)).reshape(parameters.trees, depth)
        chosen = np.take_along_axis(keys, choices[:, :, None, None].astype(int), axis=2)[:, :, 0]
        held = trees.complete(parameters, SID, chosen, choices, corrections, proofs)
        missing = (1 - choices) @ (1 << np.arange(depth)[::-1])
        for tree in range(parameters.trees):
            for slot in range(1, 1 << depth):
                assert (held[tree, slot - 1] == grown[tree, slot ^ missing[tree]]).all()


@pytest.mark.parametrize("part", ["correction", "xor", "hash"])
@pytest.mark.parametrize("tree", [0, 5, 63])
def test_a_tree_that_does_not_fit_its_proof_is_refused(pair: Pair, part: str, tree: int) -> None:
    chooser, message1 = base_ot.choose(SECP256K1, STANDARD, SID, rng("alice"))
    _, message2 = base_ot.respond(SECP256K1, STANDARD, SID, rng("bob"), message1)
    trees_at = len(message1)
    place = {
        # both corrections of a tree: one alone goes unnoticed half the time, see the next test
        "correction": trees_at + 32 * tree,
        "xor": trees_at + 32 * 64 + 64 * tree,
        "hash": trees_at + 32 * 64 + 64 * tree + 32,
    }[part]
    tampered = bytearray(message2)
    tampered[place] ^= 1
    if part == "correction":
        tampered[place + 16] ^= 1
    with pytest.raises(CheckFailed) as failure:
        base_ot.finish(chooser, bytes(tampered))
    assert not failure.value.leak_bearing


def test_one_wrong_correction_is_noticed_exactly_when_the_choice_needs_it() -> None:
    """The leak a setup allows: a cheater who guesses a choice bit stays unnoticed, and then knows it."""
    chooser, message1 = base_ot.choose(TOY_GROUP, TOY, SID, rng("alice"))
    _, message2 = base_ot.respond(TOY_GROUP, TOY, SID, rng("bob"), message1)
    choices, _ = chooser.take()
    for tree in range(TOY.trees):
        choice = int(choices[TOY.depth * tree + 1])
        for branch in (0, 1):
            tampered = bytearray(message2)
            tampered[len(message1) + 32 * tree + 16 * branch] ^= 0x80
            chooser, _ = base_ot.choose(TOY_GROUP, TOY, SID, rng("alice"))
            if branch == choice:
                with pytest.raises(CheckFailed):
                    base_ot.finish(chooser, bytes(tampered))
            else:
                base_ot.finish(chooser, bytes(tampered))


def test_a_point_that_cancels_its_mask_is_refused() -> None:
    _, message1 = base_ot.choose(TOY_GROUP, TOY, SID, rng("alice"))
    size, session = TOY_GROUP.point_length, base_ot._session(TOY_GROUP, TOY, SID)
    second = message1[size : 2 * size]
    cancelling = (-base_ot._mask(TOY_GROUP, session, 0, 0, second)).to_bytes()
    with pytest.raises(CheckFailed) as failure:
        base_ot.respond(TOY_GROUP, TOY, SID, rng("bob"), cancelling + message1[size:])
    assert not failure.value.leak_bearing


def test_every_key_is_bound_to_session_instance_branch_and_all_points() -> None:
    shared = TOY_GROUP.generator
    fields = (b"s" * 32, 3, 0, (b"p0", b"p1"), (b"s0", b"s1"))
    base = base_ot._key(*fields, shared)
    others = [
        (b"t" * 32, 3, 0, (b"p0", b"p1"), (b"s0", b"s1")),
        (b"s" * 32, 4, 0, (b"p0", b"p1"), (b"s0", b"s1")),
        (b"s" * 32, 3, 1, (b"p0", b"p1"), (b"s0", b"s1")),
        (b"s" * 32, 3, 0, (b"q0", b"p1"), (b"s0", b"s1")),
        (b"s" * 32, 3, 0, (b"p0", b"q1"), (b"s0", b"s1")),
        (b"s" * 32, 3, 0, (b"p0", b"p1"), (b"t0", b"s1")),
        (b"s" * 32, 3, 0, (b"p0", b"p1"), (b"s0", b"t1")),
    ]
    values = {
        base,
        *(base_ot._key(*other, shared) for other in others),
        base_ot._key(*fields, shared + shared),
    }
    assert len(values) == 2 + len(others)


def test_a_setup_answered_under_another_session_id_is_refused() -> None:
    chooser, message1 = base_ot.choose(TOY_GROUP, TOY, SID, rng("alice"))
    _, message2 = base_ot.respond(TOY_GROUP, TOY, bytes(32), rng("bob"), message1)
    with pytest.raises(CheckFailed):
        base_ot.finish(chooser, message2)
