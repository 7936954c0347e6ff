"""Attacks on the whole: replay, reorder, forge, crash, split. Each once broke somebody's wallet."""

from dataclasses import replace

import pytest
from tests.support.signing import DIGEST, Table, pair, table

from quorate.encoding import encode
from quorate.entropy import SeededRng
from quorate.errors import Blame, Missing, Suspicion
from quorate.groups.toy import TOY_GROUP
from quorate.primitives import vole
from quorate.primitives.limbs import np
from quorate.primitives.parameters import TOY
from quorate.schemes.ecdsa import ReadyPresignature, verify
from quorate.schemes.ecdsa.messages import Commitment, Extension, Multiplication, Opening
from quorate.schemes.ecdsa.online import Answer
from quorate.session import Envelope, tag_of
from quorate.testing import (
    Damage,
    Garble,
    Impersonate,
    Inject,
    LastFirst,
    Mutation,
    Recorder,
    Starve,
    Tamper,
    Uniform,
    Withhold,
)

SIGNERS = ("n1", "n2", "device")
STRUCTURE = "2 of (2 of (n1 n2 n3), device)"
KINDS = (Commitment, Extension, Opening, Multiplication, Answer)


def key() -> Table:
    return table(STRUCTURE, SIGNERS)


def meant_for(recorder: Recorder) -> dict[str, Extension]:
    """The extension messages of a recorded party, by recipient."""
    return {d.recipient: d.message for d in recorder.drafts if isinstance(d.message, Extension)}


def recorded(seed: int) -> tuple[bytes, ...]:
    """Every envelope of another session of the same parties."""
    result = key().signing("device", seed=seed)
    result.assert_sound()
    return tuple(event.data for event in result.trace if event.what == "deliver")


@pytest.mark.parametrize("kind", KINDS)
def test_messages_of_another_session_are_dropped_and_reach_no_check(kind) -> None:
    """Replays must not even make the leak-bearing check run: an honest pair would quarantine itself."""
    old = tuple(data for data in recorded(5) if Envelope.parse(data).tag == tag_of(kind))
    assert old
    result = key().signing("device", seed=6, cheats=[Inject("n1", old)])
    result.assert_sound()
    assert result.values["device"] is not None
    assert result.dropped["n2"]["another session"] >= len(old)
    assert set(result.dropped["n2"]) <= {"another session", "not for us", "unknown sender"}


@pytest.mark.parametrize("kind", KINDS)
def test_messages_of_another_session_with_this_ones_number_are_dropped(kind) -> None:
    """Readdressing an old envelope breaks its signature."""
    fresh = key().signing("device", seed=6).spec.id
    parsed = (Envelope.parse(data) for data in recorded(5))
    old = tuple(
        encode(Envelope(fresh, e.path, e.tag, e.sender, e.recipient, e.body, e.signature))
        for e in parsed
        if e.tag == tag_of(kind)
    )
    result = key().signing("device", seed=6, cheats=[Inject("n1", old)])
    result.assert_sound()
    assert result.values["device"] is not None


def test_a_signed_extension_of_another_session_is_malformed_and_costs_no_quarantine() -> None:
    """Even a signer that re-signs an old body for the new session cannot make the check speak about Delta."""
    recorder = Recorder("n1")
    key().presigning(seed=5, cheats=[recorder])
    old = meant_for(recorder)["n2"]
    cheat = Tamper("n1", Extension, "body", Mutation("old", lambda _: old.body), recipient="n2")
    result = key().presigning(seed=6, cheats=[cheat])
    result.assert_sound()
    error = result.errors["n2"]
    assert isinstance(error, Suspicion)
    assert not error.leak_bearing


def test_what_was_sealed_to_one_peer_does_not_pass_for_another() -> None:
    """n1 gives n2 the message it made for the device: another pair, another esid."""
    recorder = Recorder("n1")
    key().presigning(seed=6, cheats=[recorder])
    other = meant_for(recorder)["device"]
    cheat = Tamper("n1", Extension, "body", Mutation("swapped", lambda _: other.body), recipient="n2")
    result = key().presigning(seed=6, cheats=[cheat])
    result.assert_sound()
    error = result.errors["n2"]
    assert isinstance(error, Suspicion)
    assert not error.leak_bearing


def test_what_a_party_sent_is_of_no_use_when_it_is_sent_back() -> None:
    """n1 returns n2's own message: the other direction has another setup and another esid."""
    recorder = Recorder("n2")
    key().presigning(seed=6, cheats=[recorder])
    own = meant_for(recorder)["n1"]
    cheat = Tamper("n1", Extension, "body", Mutation("reflected", lambda _: own.body), recipient="n2")
    result = key().presigning(seed=6, cheats=[cheat])
    result.assert_sound()
    error = result.errors["n2"]
    assert isinstance(error, Suspicion)
    assert not error.leak_bearing


def test_a_commitment_copied_from_another_party_opens_for_its_author_only() -> None:
    """n1 repeats n2's commitment and opening, to make the nonces cancel or double."""
    recorder = Recorder("n2")
    key().presigning(seed=6, cheats=[recorder])
    theirs = {type(draft.message): draft.message for draft in recorder.drafts}
    copied = [
        Tamper("n1", kind, field, Mutation("copied", lambda _, k=kind, f=field: getattr(theirs[k], f)))
        for kind, field in ((Commitment, "commitment"), (Opening, "nonce_point"), (Opening, "salt"))
    ]
    result = key().presigning(seed=6, cheats=copied)
    result.assert_sound()
    for party in ("n2", "device"):
        error = result.errors[party]
        assert isinstance(error, Blame), error
        assert (error.parties, error.step) == (("n1",), "2.6")


@pytest.mark.parametrize("kind", KINDS)
def test_a_relay_that_damages_envelopes_harms_nobody(kind) -> None:
    """Bad signatures are dropped, nobody is blamed, the session only waits."""
    for change in (lambda d: d[:-1], lambda d: d[:-1] + bytes([d[-1] ^ 1]), lambda d: d + b"\x00"):
        result = key().signing("device", cheats=[Damage("n1", kind, change)])
        result.assert_sound()
        assert not result.blamed()
        for error in result.errors.values():
            assert isinstance(error, Missing)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "change",
    [lambda b: b[:-1], lambda b: b + b"\x00", lambda b: b"", lambda b: b"\xc1" + b[1:], lambda b: b * 40],
    ids=["cut", "long", "empty", "not msgpack", "oversized"],
)
def test_a_signed_message_that_does_not_read_is_its_senders_fault(kind, change) -> None:
    result = key().signing("device", cheats=[Garble("n1", kind, change=change)])
    result.assert_sound()
    assert isinstance(result.errors["device"], Blame | Missing)
    assert result.blamed() <= {"n1"}


def test_nobody_speaks_for_another() -> None:
    result = key().signing("device", cheats=[Impersonate("n1", "n2")])
    result.assert_sound()
    assert result.values["device"] is not None
    assert result.dropped["device"]["bad signature"] > 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("silent", ["n1", "device"])
def test_a_party_that_falls_silent_is_missing_and_nobody_is_blamed(kind, silent: str) -> None:
    result = key().signing("device", cheats=[Withhold(silent, kind)])
    result.assert_sound()
    assert not result.blamed()


@pytest.mark.parametrize("scheduler", [LastFirst(), Uniform(), Starve("n1"), Starve("device")], ids=str)
def test_order_of_arrival_does_not_matter(scheduler) -> None:
    for seed in range(5):
        result = key().signing("device", seed=seed, scheduler=scheduler)
        result.assert_sound()
        signature = result.values["device"]
        assert signature is not None
        verify(key().public_key, DIGEST, signature)


def test_the_same_setup_serves_many_signatures_and_keys_without_repeating_anything() -> None:
    """Nonces, multipliers and masks are fresh each time, though Delta is not."""
    seen = set()
    for seed in range(6):
        for other in (0, 1):
            made = Table(STRUCTURE, SIGNERS, seed=other).presigning(seed=2 * seed + other)
            made.assert_sound()
            for value in made.values.values():
                seen |= {
                    value.mask.reveal().value,
                    value.nonce_share.reveal().value,
                    value.key_share.reveal().value,
                }
    assert len(seen) == 6 * 2 * 3 * 3


def test_a_setup_of_another_generation_does_not_replay_into_this_one() -> None:
    """After a quarantine both ends have a new setup; a peer that returns with the old one is turned away."""
    fresh = pair("n1", "n2", TOY_GROUP, 7)
    changed = Table(STRUCTURE, SIGNERS)
    changed.pairs["n2"] = {**changed.pairs["n2"], "n1": fresh["n2"]}
    result = changed.presigning()
    for error in result.errors.values():
        assert not isinstance(error, Blame)
        assert not getattr(error, "leak_bearing", False)


def test_the_multiplier_of_each_session_is_uniform() -> None:
    """chi, the number that Bob brings to a multiplication: each bit is a fair coin (256 draws, 6 sigma)."""
    state, source = pair("n1", "n2")["n1"].receiver, SeededRng(bytes(32))
    draws = [vole.start(TOY_GROUP, TOY, state, bytes([i]), source)[0].chi.value for i in range(256)]
    assert len(set(draws)) == 256
    bits = np.array([[value >> place & 1 for place in range(60)] for value in draws])
    assert abs(bits.sum(axis=0) - 128).max() <= 48
    assert abs(int(bits.sum()) - 128 * 60) <= 6 * (256 * 60) ** 0.5 / 2


def test_a_crash_between_presigning_and_signing_loses_the_presignature_only() -> None:
    made = key().presigning(seed=3)
    # n2 comes back without it: the others' presignatures are of no use and harm nothing, and a new run signs
    again = key().signing("device", seed=4)
    again.assert_sound()
    assert again.values["device"] is not None
    assert {value.id for value in made.values.values()} != set()


def test_presignatures_of_all_signers_together_are_the_key_so_each_is_kept_like_a_share() -> None:
    made = key().presigning(seed=3).values
    phi, product = TOY_GROUP.scalar(0), TOY_GROUP.scalar(0)
    for value in made.values():
        phi, product = phi + value.mask.reveal(), product + value.key_share.reveal()
    assert TOY_GROUP.generator.multiply(product * phi.inverse()) == key().public_key
    assert all(ReadyPresignature(value).public.ssid == made["n1"].ssid for value in made.values())


def test_parts_are_blinded_afresh_in_every_session() -> None:
    """Two runs show different key points for the same share: the zero shares change with the session."""
    shown = []
    for seed in (1, 2):
        recorder = Recorder("n1")
        key().presigning(seed=seed, cheats=[recorder])
        shown += [draft.message.key_point for draft in recorder.drafts if draft.kind is Opening]
    assert shown[0] != shown[1]
    assert key().seats["n1"].quorum.parts["n1"] not in shown


def test_a_presignature_of_an_older_epoch_is_bound_to_it() -> None:
    old = Table(STRUCTURE, SIGNERS).presigning().values
    newer = Table(STRUCTURE, SIGNERS, epoch=1)
    result = newer.online(old, "device")
    assert len(result.errors) == 3
    assert all("another key, epoch" in str(error) for error in result.errors.values())
    forged = {name: replace(value, epoch=1) for name, value in old.items()}
    # relabelling one presignature does not help: the others' contexts stay those of the old session
    mixed = {**newer.presigning().values, "n1": forged["n1"]}
    error = newer.online(mixed, "device").errors["device"]
    assert isinstance(error, Suspicion)
