"""FROST with one cheat at each check of its table: the right error, about the right party, and no other.

Rows and reactions are those of docs/protocols/frost.md, "Checks". n1 cheats; n2 and the device, which
combines, are honest.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.support.edwards import BASE, torsion
from tests.support.schnorr import MESSAGE, OF_THREE, THREE, Table, table
from tests.support.signing import KEY_ID, PAYLOAD

from quorate.encoding import encode
from quorate.errors import Blame, LocalError, Missing, ProofRejected
from quorate.groups import ED25519, SECP256K1
from quorate.schemes.faults import Disagreement
from quorate.schemes.quorum import Signer
from quorate.schemes.schnorr import ONLINE, PREPARE, SIGN, Commitments, Request, Share
from quorate.schemes.schnorr.evidence import deviated_preparing, deviated_signing
from quorate.schemes.schnorr.online import Context
from quorate.schemes.schnorr.prepared import Preparation
from quorate.schemes.tweak import Tweak
from quorate.secret import Secret
from quorate.session import Message
from quorate.session.evidence import Finding, Offence
from quorate.testing import Cheat, Contradict, Garble, Mutation, Recorder, Result, Tamper, Withhold

ONE = ED25519.scalar(1)
GENERATOR = ED25519.generator


def key() -> Table:
    return table(OF_THREE, THREE)


def play(*cheats: Cheat, **more: Any) -> Result[bytes | None]:
    result = key().signing("device", cheats=cheats, **more)
    result.assert_sound()
    return result


def tamper(kind: type[Message], field: str, change: Callable[[Any], Any], to: str | None = None) -> Tamper:
    return Tamper("n1", kind, field, Mutation("changed", change), recipient=to)


def garbled(octets: bytes) -> Garble:
    """n1 shows these bytes as its D, signed and sealed as ever."""

    def change(body: bytes) -> bytes:
        place = body.index(b"\xc4\x20", 40) + 2  # the header of a string of 32 bytes, after the ssid
        return body[:place] + octets + body[place + 32 :]

    return Garble("n1", Commitments, change)


def request_of(result: Result[Any], public: Preparation, message: bytes = MESSAGE) -> Request:
    return Request.of(result.spec, public.id, key().suite, message, combiner="device")


def shows_deviation(finding: Finding, result: Result[Any]) -> bool:
    return deviated_preparing(finding, result.spec.id, key().seats["device"].quorum, key().suite, 1)


def public_half(made: dict[str, Any]) -> Preparation:
    found: Preparation = made["device"].public
    return found


# --- the first round ----------------------------------------------------------------------------------------

NOT_POINTS = {
    "the identity": (1).to_bytes(32, "little"),
    "of small order": next(point.encode() for point in torsion() if point.encode() != BASE.times(0).encode()),
    "torsioned": (BASE + torsion()[1]).encode(),
    "not canonical": ((1 << 255) - 19 + 3).to_bytes(32, "little"),
    "not on the curve": (2).to_bytes(32, "little"),
    "zero": bytes(32),
}


@pytest.mark.parametrize("octets", NOT_POINTS.values(), ids=NOT_POINTS)
def test_a_commitment_outside_the_group_is_blamed_before_anything_is_computed(octets: bytes) -> None:
    result = play(garbled(octets))
    for honest in ("n2", "device"):
        error = result.errors[honest]
        assert isinstance(error, Blame), error
        assert error.parties == ("n1",)
    assert {finding.offence for finding in result.findings()} == {Offence.UNREADABLE}
    assert not any("share" in str(event) for event in result.trace if "n2 →" in str(event))


def test_eight_small_order_points_are_refused_each() -> None:
    for point in torsion():
        result = play(garbled(point.encode()))
        assert result.blamed() == {"n1"}


@pytest.mark.parametrize(
    "change",
    [lambda points: points[:1], lambda points: (), lambda points: (*points, *points)],
    ids=["one point", "none", "two pairs"],
)
def test_another_number_of_nonces_is_blamed(change: Callable[[Any], Any]) -> None:
    result = play(tamper(Commitments, "points", change))
    assert result.blamed() == {"n1"}
    findings = result.findings()
    assert findings
    assert all(shows_deviation(finding, result) for finding in findings)


def test_an_honest_list_of_nonces_shows_nothing() -> None:
    result = play(tamper(Commitments, "points", lambda points: points[:1]))
    (finding, *_) = result.findings()
    honest = key().preparing(seed=3).values["n2"]
    points = tuple(p for row in honest[0].public.commitments[:1] for p in (row.hiding, row.binding))
    message = Commitments(finding.messages[0][1].ssid, points)  # type: ignore[attr-defined]
    shown = replace(finding, messages=((finding.messages[0][0], message),))
    assert not shows_deviation(shown, result)
    assert shows_deviation(replace(finding, offence=Offence.EQUIVOCATION), result)
    assert not shows_deviation(replace(finding, messages=()), result)


def test_records_that_differ_accuse_nobody() -> None:
    result = play(tamper(Commitments, "ssid", lambda ssid: bytes(32)))
    for honest in ("n2", "device"):
        error = result.errors[honest]
        assert isinstance(error, Disagreement)
        assert "n1" in error.parties
        assert error.step == "1.2"
    assert not result.blamed()


def test_two_commitments_in_one_slot_are_equivocation() -> None:
    cheat = Contradict("n1", Commitments, "points.0", Mutation("moved", lambda p: p + GENERATOR))
    result = play(cheat)
    assert result.blamed() == {"n1"}
    assert {finding.offence for finding in result.findings()} == {Offence.EQUIVOCATION}


def test_commitments_of_an_earlier_session_reach_no_check() -> None:
    """A replayed envelope is of another session; a replayed message names another ssid."""
    recorder = Recorder("n1")
    play(recorder, seed=41)
    (old,) = [draft.message for draft in recorder.drafts if isinstance(draft.message, Commitments)]
    result = play(Tamper("n1", Commitments, "ssid", Mutation("old", lambda _: old.ssid)), seed=42)
    assert isinstance(result.errors["device"], Disagreement)
    # its old points under the new ssid: its share is for a list that nobody else has
    replayed = Tamper("n1", Commitments, "points", Mutation("old", lambda _: old.points))
    result = play(replayed, seed=42)
    error = result.errors["device"]
    assert isinstance(error, Disagreement)
    assert "n1" in error.parties


def test_the_commitments_of_another_signer_serve_nobody() -> None:
    recorder = Recorder("n2")
    play(recorder, seed=7)
    (theirs,) = [draft.message for draft in recorder.drafts if isinstance(draft.message, Commitments)]
    result = play(Tamper("n1", Commitments, "points", Mutation("copied", lambda _: theirs.points)), seed=7)
    assert isinstance(result.errors["device"], Disagreement)
    assert not result.blamed()


@pytest.mark.parametrize("kind", [Commitments, Share])
def test_a_silent_signer_is_missing_and_not_guilty(kind: type[Message]) -> None:
    result = play(Withhold("n1", kind))
    error = result.errors["device"]
    assert isinstance(error, Missing)
    assert error.parties == ("n1",)
    assert not result.blamed()


# --- the second round ---------------------------------------------------------------------------------------

WRONG = {
    "plus one": lambda z: z + ONE,
    "negated": lambda z: -z,
    "zero": lambda z: z - z,
    "doubled": lambda z: z + z,
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_wrong_share_is_blamed_with_evidence_for_a_stranger(change: Callable[[Any], Any]) -> None:
    made = key().prepared()
    result = key().online(made, "device", cheats=[tamper(Share, "response", change)])
    result.assert_sound()
    error = result.errors["device"]
    assert isinstance(error, Blame)
    assert (error.parties, error.step) == (("n1",), "2.5")
    assert result.values == {"n2": None, "n1": None}
    (finding,) = result.findings()
    public, quorum, suite = public_half(made), key().seats["device"].quorum, key().suite
    request = request_of(result, public)
    assert deviated_signing(finding, public, quorum, suite, request, MESSAGE)
    # whoever blames can't show the share against another request, message, list or record of the key
    other = request_of(result, public, b"another")
    assert not deviated_signing(finding, public, quorum, suite, other, b"another")
    assert not deviated_signing(finding, public, quorum, suite, request, b"another")
    rows = public.commitments
    moved = replace(public, commitments=(replace(rows[0], hiding=rows[0].hiding + GENERATOR), *rows[1:]))
    assert not deviated_signing(finding, moved, quorum, suite, request, MESSAGE)
    elsewhere = Table(OF_THREE, THREE, seed=5).seats["device"].quorum
    assert not deviated_signing(finding, public, elsewhere, suite, request, MESSAGE)
    forged = replace(public, quorum=elsewhere.digest())
    assert not deviated_signing(finding, forged, elsewhere, suite, request, MESSAGE)


def test_a_wrong_share_in_a_cold_signature_is_blamed_too() -> None:
    result = play(tamper(Share, "response", lambda z: z + ONE))
    assert result.blamed() == {"n1"}


def test_all_wrong_shares_are_named_at_once() -> None:
    cheats = [
        Tamper(name, Share, "response", Mutation("changed", lambda z: z + ONE)) for name in ("n1", "n2")
    ]
    result = key().signing("device", cheats=cheats)
    result.assert_sound()
    error = result.errors["device"]
    assert isinstance(error, Blame)
    assert error.parties == ("n1", "n2")


def test_two_shares_wrong_in_opposite_directions_make_a_valid_signature_and_no_quarrel() -> None:
    """Verifying shares is for naming who spoilt a signature; a good one needs nobody named."""
    cheats = [
        Tamper("n1", Share, "response", Mutation("more", lambda z: z + ONE)),
        Tamper("n2", Share, "response", Mutation("less", lambda z: z - ONE)),
    ]
    result = key().signing("device", cheats=cheats)
    result.assert_sound()
    key().suite.verify(key().public_key, MESSAGE, result.values["device"])


def test_an_honest_share_shows_nothing_to_a_stranger() -> None:
    made = key().prepared()
    recorder = Recorder("n2")
    cheat = tamper(Share, "response", lambda z: z + ONE)
    result = key().online(made, "device", cheats=[cheat, recorder])
    (finding,) = result.findings()
    (share,) = [draft.message for draft in recorder.drafts if isinstance(draft.message, Share)]
    slot = finding.messages[0][0]
    public, quorum, suite = public_half(made), key().seats["device"].quorum, key().suite
    request = request_of(result, public)
    honest = replace(finding, party="n2", messages=((slot, share),))
    assert not deviated_signing(honest, public, quorum, suite, request, MESSAGE)
    assert not deviated_signing(replace(finding, party="n3"), public, quorum, suite, request, MESSAGE)
    assert not deviated_signing(replace(finding, messages=()), public, quorum, suite, request, MESSAGE)
    equivocated = replace(finding, offence=Offence.EQUIVOCATION)
    assert deviated_signing(equivocated, public, quorum, suite, request, MESSAGE)


def test_a_share_for_another_request_is_no_blame_and_no_signature() -> None:
    result = key().signing("device", message={"n1": b"other", "n2": MESSAGE, "device": MESSAGE})
    error = result.errors["device"]
    assert isinstance(error, Disagreement)
    assert (error.parties, error.step) == (("device", "n1"), "2.4")
    assert not result.blamed()


def test_a_share_for_another_tweak_or_path_is_no_blame() -> None:
    made = key().prepared()
    tweaks = {"n1": Tweak(ONE), "n2": Tweak.none(ED25519), "device": Tweak.none(ED25519)}
    result = key().online(made, "device", tweak=tweaks)
    assert isinstance(result.errors["device"], Disagreement)
    assert not result.blamed()


def test_a_false_context_hides_a_wrong_share_and_frames_nobody() -> None:
    result = play(tamper(Share, "context", lambda c: bytes(32)), tamper(Share, "response", lambda z: z + ONE))
    error = result.errors["device"]
    assert isinstance(error, Disagreement)
    assert not result.blamed()


def test_a_wrong_share_is_blamed_although_another_is_for_another_list() -> None:
    cheats = [
        tamper(Share, "response", lambda z: z + ONE),
        Tamper("n2", Share, "context", Mutation("other", lambda c: bytes(32))),
    ]
    result = key().signing("device", cheats=cheats)
    result.assert_sound()
    error = result.errors["device"]
    assert isinstance(error, Blame)
    assert error.parties == ("n1",)


@pytest.mark.parametrize("victim", ["n2", "device"])
def test_a_list_changed_for_one_signer_frames_nobody(victim: str) -> None:
    """n1 tells the victim other nonces than the rest; whoever differs is honest, and is not accused."""
    result = play(tamper(Commitments, "points.1", lambda p: p + GENERATOR, victim))
    error = result.errors["device"]
    assert isinstance(error, Disagreement | Blame)
    if isinstance(error, Blame):
        assert error.parties == ("n1",)
    assert result.blamed() <= {"n1"}


def test_a_combiner_that_shows_each_signer_another_list_gets_no_two_shares_that_fit() -> None:
    cheat = Tamper(
        "device", Commitments, "points.0", Mutation("moved", lambda p: p + GENERATOR), recipient="n1"
    )
    result = key().signing("device", cheats=[cheat])
    result.assert_sound()
    assert result.values.get("device") is None
    assert not result.blamed() - {"device"}


# --- what never leaves --------------------------------------------------------------------------------------


def test_the_combiner_sends_no_share() -> None:
    recorder = Recorder("device")
    result = key().signing("device", cheats=[recorder])
    assert [type(draft.message) for draft in recorder.drafts] == [Commitments]
    assert result.values["device"]


def test_without_the_combiner_s_share_the_others_make_no_signature() -> None:
    """Shares travel in clear: those of all but the combiner are no signature, whoever adds them up."""
    made, shares = key().prepared(), {}
    for name in ("n1", "n2"):
        recorder = Recorder(name)
        result = key().online(made, "device", cheats=[recorder])
        (shares[name],) = [draft.message.response for draft in recorder.drafts]  # type: ignore[attr-defined]
    public = public_half(made)
    request = request_of(result, public)
    context = Context.of(public, key().seats["device"].quorum, key().suite, request, MESSAGE)
    responses = {public.identifier(name): share for name, share in shares.items()}
    signature = context.package.aggregate({**responses, public.identifier("device"): ED25519.scalar(0)})
    with pytest.raises(ProofRejected):
        key().suite.verify(key().public_key, MESSAGE, signature)
    assert not any(declared.is_unicast(Share) for declared in (ONLINE, SIGN))


# --- inputs that do not belong ------------------------------------------------------------------------------


def refused(match: str, **more: Any) -> None:
    combiner = more.pop("combiner", "device")
    result = key().signing(combiner, **more)
    error = result.errors["device"]
    assert isinstance(error, LocalError)
    assert re.search(match, str(error))


def test_a_session_of_another_key_epoch_suite_or_group_is_refused_before_anything_is_sent() -> None:
    refused("another key, epoch or suite", key=bytes(32))
    refused("another key, epoch or suite", epoch=1)
    refused("another key, epoch or suite", suite="ed25519/sr25519")
    refused("signs with keys of ed25519", seats=Table(OF_THREE, THREE, "frost-secp256k1").seats)


def test_a_seat_that_is_not_ours_or_of_another_quorum_is_refused() -> None:
    seats = key().seats
    refused("not the quorum's signers", seats={**seats, "device": seats["n1"]})
    two = Table("2 of (1 of (n1), device)", ("n1", "device")).seats
    refused("not the quorum's signers", seats={**seats, "device": two["device"]})


def test_a_part_that_is_not_the_recorded_share_is_the_owner_s_own_error() -> None:
    seat = key().seats["device"]
    wrong = Signer(seat.quorum, "device", Secret(seat.part.reveal() + ONE))
    refused("our own part", seats={**key().seats, "device": wrong})


def test_a_combiner_that_does_not_sign_is_refused() -> None:
    refused("combines nothing", combiner="n3")


def test_messages_of_the_protocol_fit_their_slots() -> None:
    from quorate.schemes.schnorr import MAX_BATCH

    points = tuple([SECP256K1.generator] * (2 * MAX_BATCH))
    assert len(encode(Commitments(bytes(32), points))) < PREPARE.rules[0].limit
    assert len(encode(Share(bytes(32), ONE))) < ONLINE.rules[0].limit
    assert KEY_ID
    assert PAYLOAD
