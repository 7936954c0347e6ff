"""The online phase with a lying signer, a lying combiner, and presignatures used twice."""

from dataclasses import replace

import pytest
from tests.support.signing import DIGEST, KEY_ID, PAYLOAD, Table, table

from quorate.errors import AlreadyUsed, LocalError, Suspicion
from quorate.groups import SECP256K1
from quorate.groups.toy import TOY_GROUP
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import scalar
from quorate.schemes.ecdsa import (
    ONLINE,
    Answer,
    Derivation,
    Presignature,
    ReadyPresignature,
    Request,
    Signature,
    Unattributable,
    answer,
    combine,
    sign_online,
    verify,
)
from quorate.schemes.ecdsa.online import Disclosure
from quorate.secret import Secret
from quorate.session import Party
from quorate.testing import Mutation, Simulation, Tamper

PAIR = ("n1", "device")
THREE = ("n1", "n2", "device")
ONE = TOY_GROUP.scalar(1)


def two() -> Table:
    return table("2 of (1 of (n1), device)", PAIR)


def three() -> Table:
    return table("2 of (2 of (n1 n2 n3), device)", THREE)


def made(key: Table, derivation: Derivation = Derivation.ROOT) -> dict[str, Presignature]:
    return key.presigning(derivation=derivation).values


def request(presignature: Presignature, /, **change: object) -> Request:
    """A complete request to these signers; `change` alters fields of it."""
    fields = {
        "presignature": presignature.id,
        "payload": bytes(32),
        "digest": DIGEST,
        "path": "",
        "tweak": bytes(presignature.group.scalar_length),
        "signers": presignature.signers,
        "combiner": "device",
        "nonces": tuple(bytes([i]) * 32 for i in range(len(presignature.signers))),
        **change,
    }
    return Request(**fields)


# --- one answer ---------------------------------------------------------------------------------------------

CHANGES = [
    {"digest": bytes(32)},
    {"payload": b"\x01" * 32},
    {"nonces": (b"\x09" * 32, b"\x01" * 32)},
    {"combiner": "n1"},
]


@pytest.mark.parametrize("change", CHANGES[:3], ids=str)
def test_a_second_request_is_refused_even_for_the_same_digest(change: dict[str, object]) -> None:
    ready = ReadyPresignature(made(two())["n1"])
    presignature = made(two())["n1"]
    first = answer(ready, request(presignature))
    with pytest.raises(AlreadyUsed):
        answer(ready, request(presignature, **change))
    assert answer(ready, request(presignature)) == first


def test_every_field_of_a_request_changes_its_hash() -> None:
    presignature = made(two())["n1"]
    plain = request(presignature)
    others = [request(presignature, **change) for change in CHANGES]
    others += [
        request(presignature, presignature=bytes(32)),
        request(presignature, path="m"),
        request(presignature, tweak=b"\x00" * 7 + b"\x01"),
        request(presignature, signers=("device", "n2")),
    ]
    assert len({value.hash() for value in (plain, *others)}) == len(others) + 1


def test_two_answers_of_one_signer_would_give_its_mask_and_so_the_key() -> None:
    """Why all of this is done: the attack that a second answer allows, carried out to the private key."""
    key = two()
    values = made(key)
    presignature = values["n1"]
    # the same digest and two nonces of the device: u - u' = (delta - delta') * phi
    requests = [request(presignature), request(presignature, nonces=(b"\x07" * 32, b"\x01" * 32))]
    first, second = (answer(ReadyPresignature(presignature), asked) for asked in requests)
    shifts = [scalar(Tag.ECDSA_DELTA, TOY_GROUP, a.context, a.entropy) for a in (first, second)]
    mask = (first.u - second.u) * (shifts[0] - shifts[1]).inverse()
    assert mask == presignature.mask.reveal()
    phi = mask + values["device"].mask.reveal()
    secret_times_phi = presignature.key_share.reveal() + values["device"].key_share.reveal()
    assert TOY_GROUP.generator.multiply(secret_times_phi * phi.inverse()) == key.public_key


def test_a_combiner_does_not_combine_two_sets_of_answers() -> None:
    values = made(two())
    ready = ReadyPresignature(values["device"])
    good = answer(ReadyPresignature(values["n1"]), request(values["n1"]))
    wrong = Answer(good.context, good.entropy, good.w + ONE, good.u)
    with pytest.raises(Unattributable):
        combine(ready, request(values["device"]), {"n1": wrong})
    with pytest.raises(AlreadyUsed):
        combine(ready, request(values["device"]), {"n1": good})


def test_a_combiner_that_has_its_signature_gives_no_other() -> None:
    values = made(two())
    ready, asked = ReadyPresignature(values["device"]), request(values["device"])
    good = answer(ReadyPresignature(values["n1"]), asked)
    signature = combine(ready, asked, {"n1": good})
    assert combine(ready, asked, {"n1": good}) == signature
    with pytest.raises(AlreadyUsed):
        combine(ready, asked, {"n1": Answer(good.context, good.entropy, good.w + ONE, good.u)})


def test_a_presignature_that_answered_does_not_combine_and_the_other_way_round() -> None:
    key = table("2 of (n1, n2)", ("n1", "n2"))
    values = made(key)
    asked = request(values["n1"], combiner="n1")
    ready = ReadyPresignature(values["n1"])
    answer(ready, asked)
    with pytest.raises(AlreadyUsed):
        combine(ready, asked, {"n2": answer(ReadyPresignature(values["n2"]), asked)})
    ready = ReadyPresignature(values["n1"])
    combine(ready, asked, {"n2": answer(ReadyPresignature(values["n2"]), asked)})
    with pytest.raises(AlreadyUsed):
        answer(ready, asked)


# --- requests that do not belong --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"presignature": bytes(32)},
        {"signers": ("device", "n2")},
        {"combiner": "n9"},
        {"combiner": "n1"},
        {"nonces": (bytes(32),)},
        {"tweak": b"\x00" * 7 + b"\x01"},
        {"tweak": TOY_GROUP.order.to_bytes(8, "big")},
        {"tweak": b"\x00"},
        {"path": "m/1"},
    ],
    ids=str,
)
def test_a_request_that_does_not_fit_uses_nothing_up(change: dict[str, object]) -> None:
    presignature = made(two())["n1"]
    ready = ReadyPresignature(presignature)
    with pytest.raises(LocalError):
        answer(ready, request(presignature, **change))
    answer(ready, request(presignature))


def test_a_path_that_leads_to_no_key_is_refused() -> None:
    """tweak = -x is the one number that nobody should be able to ask for; with a dealt toy key a test can."""
    key = two()
    values = made(key, Derivation.PATH)
    total = TOY_GROUP.scalar(0)
    for seat in key.seats.values():
        total = total + seat.part.reveal()
    with pytest.raises(LocalError, match="leads to no key"):
        answer(ReadyPresignature(values["n1"]), request(values["n1"], tweak=(-total).to_bytes(), path="m/0"))


def test_a_device_does_not_answer_without_the_keepers_entropy_and_a_keeper_takes_none() -> None:
    values = made(three())
    ready = ReadyPresignature(values["device"])
    with pytest.raises(LocalError, match="entropy"):
        answer(ready, request(values["device"]))
    with pytest.raises(LocalError, match="entropy"):
        answer(ReadyPresignature(values["n1"]), request(values["n1"]), bytes(32))


def test_answers_of_all_others_are_needed_and_of_nobody_else() -> None:
    values = made(three())
    asked = request(values["device"])
    replies = {name: answer(ReadyPresignature(values[name]), asked) for name in ("n1", "n2")}
    ready = ReadyPresignature(values["device"])
    for wrong in ({"n1": replies["n1"]}, {**replies, "n3": replies["n1"]}, {}):
        with pytest.raises(LocalError):
            combine(ready, asked, wrong)
    signature = combine(ready, asked, replies)
    verify(three().public_key, DIGEST, signature)


# --- lying signers ----------------------------------------------------------------------------------------

WRONG = [
    ("w", lambda x: x + ONE, "3.5"),
    ("u", lambda x: x + ONE, "3.5"),
    ("w", lambda x: -x, "3.5"),
    ("entropy", lambda e: bytes([e[0] ^ 1]) + e[1:], "3.4"),
    ("entropy", lambda e: b"", "3.4"),
    ("entropy", lambda e: e[:-1], "3.4"),
    ("context", lambda c: bytes(32), "3.4"),
]


@pytest.mark.parametrize(("field", "change", "step"), WRONG)
def test_a_wrong_answer_of_the_only_other_signer_suspects_the_pair(field, change, step) -> None:
    if field == "entropy" and len(change(bytes(32))) == 32:
        step = "3.5"  # a single keeper's entropy is its own word; the sum shows that the shares used another
    cheat = Tamper("n1", Answer, field, Mutation("changed", change))
    result = two().online(made(two()), "device", cheats=[cheat])
    error = result.errors["device"]
    assert isinstance(error, Suspicion), error
    assert error.parties == ("device", "n1")
    assert error.step == step
    assert not error.leak_bearing
    assert not result.values.get("device")


@pytest.mark.parametrize(("field", "change", "step"), WRONG)
def test_a_wrong_answer_of_one_of_several_names_nobody(field, change, step) -> None:
    cheat = Tamper("n1", Answer, field, Mutation("changed", change))
    result = three().online(made(three()), "device", cheats=[cheat])
    error = result.errors["device"]
    assert not result.blamed()
    if field == "context":
        assert isinstance(error, Suspicion), error
        assert error.parties == ("device", "n1")
    else:
        assert isinstance(error, Unattributable), error
        assert error.parties == tuple(sorted(THREE))
    assert error.step == step


def test_a_signer_that_signs_another_digest_spoils_the_signature_and_learns_nothing_valid() -> None:
    result = two().online(made(two()), "device", digest={"n1": bytes(32), "device": DIGEST})
    error = result.errors["device"]
    assert isinstance(error, Suspicion)
    assert error.step == "3.4"


def test_a_signer_that_derives_another_child_is_noticed() -> None:
    values = made(two(), Derivation.PATH)
    result = two().online(values, "device", tweak={"n1": 5, "device": 6}, path="m/5")
    assert isinstance(result.errors["device"], Suspicion)


def test_presignatures_of_two_runs_do_not_mix() -> None:
    first, second = three().presigning(seed=0).values, three().presigning(seed=5).values
    result = three().online({**first, "n1": second["n1"]}, "device")
    error = result.errors["device"]
    assert isinstance(error, Suspicion), error
    assert error.parties == ("device", "n1")


def test_different_digests_to_different_nodes_give_no_signature_on_either() -> None:
    """A hub that splits the nodes: each answers once, for its own context, and the answers do not add up."""
    values = made(three())
    asked = {name: request(values[name], digest=bytes([i]) * 32) for i, name in enumerate(("n1", "n2"))}
    replies = {name: answer(ReadyPresignature(values[name]), asked[name]) for name in asked}
    assert replies["n1"].context != replies["n2"].context
    for mine in asked.values():
        with pytest.raises(Unattributable) as caught:
            combine(ReadyPresignature(values["device"]), mine, replies)
        assert "for another request" in str(caught.value)


def test_a_combining_node_holds_the_other_node_to_the_entropy_both_know() -> None:
    """The sum would even be right: the liar only lied about E. It is refused all the same."""
    key = table("2 of (n1, n2)", ("n1", "n2"))
    cheat = Tamper("n2", Answer, "entropy", Mutation("changed", lambda e: bytes(32)))
    error = key.online(made(key), "n1", cheats=[cheat]).errors["n1"]
    assert isinstance(error, Suspicion), error
    assert error.parties == ("n1", "n2")
    assert error.step == "3.4"


def test_a_device_that_answers_has_no_say_in_the_entropy() -> None:
    key = table("3 of (2 of (n1 n2 n3), device, backup)", ("n1", "n2", "device", "backup"))
    cheat = Tamper("backup", Answer, "entropy", Mutation("added", lambda _: bytes(32)))
    error = key.online(made(key), "device", cheats=[cheat]).errors["device"]
    assert isinstance(error, Unattributable), error
    assert error.step == "3.4"


def test_keepers_that_disclose_different_entropies_stop_a_second_device() -> None:
    key = table("3 of (2 of (n1 n2 n3), device, backup)", ("n1", "n2", "device", "backup"))
    cheat = Tamper("n1", Disclosure, "entropy", Mutation("changed", lambda e: bytes(32)))
    result = key.online(made(key), "device", cheats=[cheat])
    error = result.errors["backup"]
    assert isinstance(error, Unattributable), error
    assert error.parties == ("n1", "n2")
    assert error.step == "3.2"


def test_the_shift_depends_on_what_the_device_cannot_know() -> None:
    """Without kappa the device cannot compute R' of a request it has not yet made."""
    values = made(two())
    asked = request(values["n1"])
    reply = answer(ReadyPresignature(values["n1"]), asked)
    other_kappa = replace(values["n1"], entropy_key=Secret(bytes(32)))
    other = answer(ReadyPresignature(other_kappa), asked)
    assert reply.context == other.context
    assert reply.u != other.u


def test_an_answer_is_stored_and_read_back_in_one_form() -> None:
    key = table("2 of (1 of (n1), device)", PAIR, SECP256K1)
    values = made(key)
    reply = answer(ReadyPresignature(values["n1"]), request(values["n1"]))
    assert Answer.from_bytes(reply.to_bytes(), SECP256K1) == reply
    with pytest.raises(LocalError):
        Answer.from_bytes(reply.to_bytes()[:-1], SECP256K1)


def test_an_online_session_for_another_key_is_not_begun() -> None:
    key = two()
    wrong_key = {name: replace(value, key_id=bytes(32)) for name, value in made(key).items()}
    result = key.online(wrong_key, "device")
    assert all("another key" in str(error) for error in result.errors.values())
    assert len(result.errors) == 2


def test_a_presignature_of_another_party_is_not_used() -> None:
    key = two()
    values = made(key)
    result = key.online({"n1": values["device"], "device": values["n1"]}, "device")
    assert all("or party" in str(error) for error in result.errors.values())
    assert len(result.errors) == 2


@pytest.mark.parametrize("part", ["payload", "nonces"])
def test_a_request_made_for_another_session_is_not_answered_in_this_one(part: str) -> None:
    key = two()
    values = made(key)

    async def run(party: Party) -> Signature | None:
        own = Request.of(party.spec, values["n1"].id, DIGEST, combiner="device", tweak=TOY_GROUP.scalar(0))
        other = {"payload": bytes(32), "nonces": (bytes(32), bytes(32))}
        fields = {name: getattr(own, name) for name in own.__struct_fields__}
        asked = Request(**{**fields, part: other[part]})
        return await sign_online(party, ReadyPresignature(values[party.me]), asked)

    result = Simulation(ONLINE, run, key.names, suite="toy/toy", key=KEY_ID, payload=PAYLOAD).run()
    assert all("not the one this session was agreed for" in str(error) for error in result.errors.values())
    assert len(result.errors) == 2
