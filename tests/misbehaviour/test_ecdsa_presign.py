"""Presigning with one cheat at each check of its table: the right error, about the right party, and no other.

Rows and reactions are those of docs/protocols/ecdsa.md, "Checks". n1 cheats; n2 and the device are honest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest
from tests.support.signing import Table, pair, table

from quorate.errors import Blame, LocalError, Missing, Suspicion
from quorate.groups import Scalar
from quorate.groups.toy import TOY_GROUP
from quorate.primitives import extension, vole
from quorate.primitives.parameters import TOY
from quorate.schemes.ecdsa import Disagreement, Presignature, Signer, StaleSetup, Unattributable, presign
from quorate.schemes.ecdsa.checks import Products
from quorate.schemes.ecdsa.evidence import deviated_presigning
from quorate.schemes.ecdsa.messages import Commitment, Extension, Multiplication, Opening
from quorate.schemes.ecdsa.presign import _Run
from quorate.secret import Secret
from quorate.session import Message, Party, PartyId
from quorate.session.echo import Seen
from quorate.session.evidence import Offence
from quorate.testing import Cheat, Mutation, Recorder, Result, Tamper, Withhold

SIGNERS = ("n1", "n2", "device")
STRUCTURE = "2 of (2 of (n1 n2 n3), device)"
ONE = TOY_GROUP.scalar(1)
GENERATOR = TOY_GROUP.generator

XI = TOY.xi(TOY_GROUP)
HEADER = vole.HASH_BYTES + vole.NONCE_BYTES
U_BYTES = TOY.trees * (XI + TOY.check) // 8
FIRST, SECOND = vole.message_lengths(TOY_GROUP, TOY)


def play(*cheats: Cheat, key: Table | None = None, seed: int = 0) -> Result[Presignature]:
    result = (key or table(STRUCTURE, SIGNERS)).presigning(cheats=cheats, seed=seed)
    result.assert_sound()
    return result


def tamper(kind: type[Message], field: str, change: Callable[[Any], Any], to: str | None = None) -> Tamper:
    return Tamper("n1", kind, field, Mutation("changed", change), recipient=to)


def bump(place: int) -> Callable[[bytes], bytes]:
    """Flips one bit of one byte."""
    return lambda data: data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def assert_evidence(result: Result[Presignature]) -> None:
    """Every blame convinces a stranger who has nothing but public things."""
    quorum = table(STRUCTURE, SIGNERS).seats["device"].quorum
    findings = result.findings()
    assert findings
    for finding in findings:
        assert finding.party == "n1"
        assert deviated_presigning(finding, result.spec.id, result.roster, quorum, TOY)


@dataclass(frozen=True)
class Row:
    """One cheat, towards n2 alone or towards all, and what n2 must make of it."""

    name: str
    cheat: Cheat
    step: str
    leak_bearing: bool = False


PRIVATE = [
    Row("u", tamper(Extension, "body", bump(HEADER), "n2"), "2.4", leak_bearing=True),
    Row("x hash", tamper(Extension, "body", bump(HEADER + U_BYTES), "n2"), "2.4", leak_bearing=True),
    Row("t hash", tamper(Extension, "body", bump(FIRST - 1), "n2"), "2.4", leak_bearing=True),
    Row("nonce of the extension", tamper(Extension, "body", bump(40), "n2"), "2.4", leak_bearing=True),
    Row("context of the extension", tamper(Extension, "body", bump(0), "n2"), "2.4"),
    Row("nonce of the sender", tamper(Multiplication, "body", bump(0), "n2"), "2.8"),
    Row("corrections", tamper(Multiplication, "body", bump(vole.NONCE_BYTES + 7), "n2"), "2.8"),
    Row("eta'", tamper(Multiplication, "body", bump(SECOND - 33), "n2"), "2.8"),
    Row("H(mu)", tamper(Multiplication, "body", bump(SECOND - 1), "n2"), "2.8"),
    Row("Gamma^u", tamper(Multiplication, "gamma_nonce", lambda p: p + GENERATOR, "n2"), "2.8 (K1)"),
    Row("Gamma^v", tamper(Multiplication, "gamma_key", lambda p: p + GENERATOR, "n2"), "2.8 (K2)"),
]


@pytest.mark.parametrize("row", PRIVATE, ids=lambda row: row.name)
def test_a_check_between_two_suspects_the_pair_and_nobody_else(row: Row) -> None:
    result = play(row.cheat)
    error = result.errors["n2"]
    assert isinstance(error, Suspicion), error
    assert error.parties == ("n1", "n2")
    assert error.step == row.step
    assert error.leak_bearing is row.leak_bearing
    assert not result.blamed()
    # the device saw nothing wrong: it has a presignature, or waits for n2, and in no case accuses anybody
    device = result.errors.get("device")
    assert device is None or (isinstance(device, Missing) and device.parties == ("n2",))


def test_nothing_of_round_two_leaves_after_a_leak_bearing_failure() -> None:
    cheat = tamper(Extension, "body", bump(HEADER), "n2")
    result = play(cheat)
    sent = [str(event) for event in result.trace if "n2 →" in str(event)]
    assert sent
    assert not [line for line in sent if "opening" in line or "multiplication" in line]


PROVABLE = [
    ("R_j", Opening, "nonce_point", lambda p: p + GENERATOR, "2.6"),
    ("salt", Opening, "salt", bump(31), "2.6"),
    ("commitment", Commitment, "commitment", bump(0), "2.6"),
    ("pk_j", Opening, "key_point", lambda p: p + GENERATOR, "2.7"),
    ("Z", Opening, "zeros", lambda z: (z[0] + GENERATOR, *z[1:]), "2.7"),
    ("one Z too few", Opening, "zeros", lambda z: z[1:], "2.7"),
    ("one Z too many", Opening, "zeros", lambda z: (*z, z[0]), "2.7"),
    ("extension too long", Extension, "body", lambda b: b + b"\x00", "2.2"),
    ("extension too short", Extension, "body", lambda b: b[:-1], "2.2"),
    ("no extension", Extension, "body", lambda b: b"", "2.2"),
    ("multiplication too long", Multiplication, "body", lambda b: b + b"\x00", "2.8"),
    ("no multiplication", Multiplication, "body", lambda b: b"", "2.8"),
]


@pytest.mark.parametrize(
    ("kind", "field", "change", "step"), [row[1:] for row in PROVABLE], ids=[r[0] for r in PROVABLE]
)
def test_what_signed_messages_show_is_blamed_with_evidence(
    kind: type[Message], field: str, change: Callable[[Any], Any], step: str
) -> None:
    result = play(tamper(kind, field, change))
    for party in ("n2", "device"):
        error = result.errors[party]
        assert isinstance(error, Blame), error
        assert error.parties == ("n1",)
        assert error.step == step
    assert_evidence(result)


@pytest.mark.parametrize("change", [lambda k: b"", lambda k: k[:-1]], ids=["none", "short"])
def test_a_node_that_keeps_its_entropy_from_another_node_is_blamed_by_it(
    change: Callable[[bytes], bytes],
) -> None:
    result = play(tamper(Multiplication, "entropy", change, "n2"))
    assert isinstance(result.errors["n2"], Blame)
    assert result.errors["n2"].step == "2.8"
    assert_evidence(result)


def test_a_node_that_gives_a_device_its_entropy_is_blamed_by_the_device() -> None:
    result = play(tamper(Multiplication, "entropy", lambda _: bytes(32), "device"))
    assert isinstance(result.errors["device"], Blame)
    assert_evidence(result)


@pytest.mark.parametrize("field", ["nonce_point", "key_point"])
@pytest.mark.parametrize("value", [bytes(8), b"\xff" * 8, b"\x01".rjust(8, b"\x00"), b"", bytes(9)], ids=repr)
def test_a_point_that_is_none_is_blamed_at_the_door(field: str, value: bytes) -> None:
    result = play(tamper(Opening, field, lambda _: value))
    for party in ("n2", "device"):
        assert isinstance(result.errors[party], Blame)
    assert {finding.offence for finding in result.findings()} == {Offence.UNREADABLE}


@pytest.mark.parametrize(
    "value", [TOY_GROUP.order.to_bytes(8, "big"), b"\xff" * 8, bytes(7), bytes(9)], ids=repr
)
def test_an_offset_that_is_no_scalar_is_blamed_at_the_door(value: bytes) -> None:
    result = play(tamper(Multiplication, "offset", lambda _: value))
    assert isinstance(result.errors["n2"], Blame)
    assert {finding.offence for finding in result.findings()} == {Offence.UNREADABLE}


def test_two_commitments_are_shown_by_the_digest_of_round_one() -> None:
    """n1 commits to one point towards n2 and to another towards the device: no zero share can match."""
    result = play(tamper(Commitment, "commitment", bump(0), "n2"))
    for party in ("n2", "device"):
        error = result.errors[party]
        assert isinstance(error, Blame), error
        assert error.parties == ("n1",)
        assert error.step == "2.6"
    assert {finding.offence for finding in result.findings()} == {Offence.EQUIVOCATION}


def test_two_commitments_are_shown_although_their_sender_falls_silent() -> None:
    """n1 also keeps its own report to itself: the honest ones' reports are enough."""
    result = play(tamper(Commitment, "commitment", bump(0), "n2"), Withhold("n1", Seen))
    for party in ("n2", "device"):
        error = result.errors[party]
        assert isinstance(error, Blame), error
        assert error.parties == ("n1",)


def test_a_lie_about_round_one_is_found_before_any_other_check_and_blames_the_liar() -> None:
    """n1 vouches for a view that nobody has and also spoils everything that is checked later."""
    result = play(
        tamper(Opening, "view", bump(0)),
        tamper(Multiplication, "body", bump(SECOND - 1)),
        tamper(Opening, "salt", bump(0)),
    )
    # nobody differs from n1, so n1 itself never shows anything: that is silence, not proof
    for party in ("n2", "device"):
        error = result.errors[party]
        assert isinstance(error, Missing), error
        assert error.parties == ("n1",)


def test_a_lie_about_round_one_with_a_report_to_match_is_blamed_with_both() -> None:
    async def liar(party: Party) -> Presignature:
        made = await presign(party, key.seats["n1"], key.pairs["n1"], parameters=TOY)
        envelopes = {**party.envelopes(Commitment), "n1": party.own_envelope(Commitment)}
        party.broadcast(Seen(tuple(envelopes[name] for name in sorted(envelopes))))
        return made

    key = table(STRUCTURE, SIGNERS)
    result = key.presigning(cheats=[tamper(Opening, "view", bump(0))], by_hand={"n1": liar})
    result.assert_sound()
    for party in ("n2", "device"):
        error = result.errors[party]
        assert isinstance(error, Blame), error
        assert error.parties == ("n1",)
    assert_evidence(result)


def test_a_zero_point_told_differently_to_two_suspects_the_pair() -> None:
    """n1 shifts Z_12 and its key point with it: consistent in itself, but n2 sent another Z_12."""
    result = play(
        tamper(Opening, "zeros", lambda z: (z[0], z[1] + GENERATOR)),
        tamper(Opening, "key_point", lambda p: p + GENERATOR),
    )
    for party in ("n2", "device"):
        error = result.errors[party]
        assert isinstance(error, Suspicion), error
        assert error.parties == ("n1", "n2")
        assert error.step == "2.7"
        assert not error.leak_bearing


def test_records_that_differ_end_the_session_before_any_check_that_could_harm() -> None:
    """n1 signs with another record of the key: nobody is accused, and nothing leak-bearing was tried."""
    key = Table(STRUCTURE, SIGNERS)
    key.seats["n1"] = Table(STRUCTURE, SIGNERS, seed=9).seats["n1"]
    result = key.presigning(cheats=[Withhold("n1", Opening)])
    for party in ("n2", "device"):
        error = result.errors[party]
        assert isinstance(error, Disagreement), error
        assert not isinstance(error, StaleSetup)
        assert error.parties == tuple(sorted(("n1", party)))
        assert error.step == "2.2"


def test_ends_of_two_different_setups_end_the_session_before_any_check_that_could_harm() -> None:
    key = Table(STRUCTURE, SIGNERS)
    key.pairs["n1"] = {**key.pairs["n1"], "n2": pair("n1", "n2", TOY_GROUP, 1)["n1"]}
    result = key.presigning()
    for party, other in (("n1", "n2"), ("n2", "n1")):
        error = result.errors[party]
        assert isinstance(error, StaleSetup), error
        assert error.parties == ("n1", "n2")
        assert other in error.parties
    assert not result.blamed()


def signing_with(part_of: Table) -> Table:
    """n1 has a part of the key that is not the recorded one, and otherwise does all as it should."""
    key = Table(STRUCTURE, SIGNERS)
    key.seats["n1"] = Signer(key.seats["n1"].quorum, "n1", part_of.seats["n1"].part)
    return key


@pytest.mark.parametrize(
    "part_of",
    [
        Table(STRUCTURE, SIGNERS, seed=1),
        Table(STRUCTURE, ("n1", "n3", "device")),
    ],
    ids=["another share (stale epoch)", "another coefficient"],
)
def test_a_wrong_share_names_its_owner(part_of: Table) -> None:
    result = play(Recorder("n1"), key=signing_with(part_of))
    for party in ("n2", "device"):
        error = result.errors[party]
        assert isinstance(error, Blame), error
        assert error.parties == ("n1",)
        assert error.step == "2.7"
    assert_evidence(result)


def test_a_tweaked_share_names_its_owner() -> None:
    key = Table(STRUCTURE, SIGNERS)
    seat = key.seats["n1"]
    key.seats["n1"] = Signer(seat.quorum, "n1", Secret(seat.part.reveal() + ONE))
    result = play(Recorder("n1"), key=key)
    assert isinstance(result.errors["n2"], Blame)
    assert_evidence(result)


class OtherInputs(_Run):
    """Multiplies by other numbers than the ones it opens and shows."""

    shift = (ONE, TOY_GROUP.scalar(0))

    def _multiply(
        self, peer: PartyId, extension: Extension, nonce: Scalar, key: Scalar
    ) -> tuple[Products, bytes]:
        return super()._multiply(peer, extension, nonce + self.shift[0], key + self.shift[1])


class OtherKey(OtherInputs):
    shift = (TOY_GROUP.scalar(0), ONE)


@pytest.mark.parametrize(("run", "step"), [(OtherInputs, "2.8 (K1)"), (OtherKey, "2.8 (K2)")])
def test_multiplying_by_other_numbers_than_shown_suspects_each_pair(
    run: type[_Run], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module("quorate.schemes.ecdsa.presign")

    def choose(party: Party, *rest: Any) -> _Run:
        return (run if party.me == "n1" else _Run)(party, *rest)

    monkeypatch.setattr(module, "_Run", choose)
    result = table(STRUCTURE, SIGNERS).presigning()
    for party in ("n2", "device"):
        error = result.errors[party]
        assert isinstance(error, Suspicion), error
        assert error.parties == tuple(sorted(("n1", party)))
        assert error.step == step
        assert not error.leak_bearing
    assert not result.blamed()


def test_an_offset_changed_in_secret_is_found_at_the_end_only() -> None:
    """psi is unchecked by design: a wrong one spoils the signature, not the key."""
    key = table(STRUCTURE, SIGNERS)
    made = play(tamper(Multiplication, "offset", lambda x: x + ONE, "n2"))
    assert set(made.values) == set(SIGNERS)
    result = key.online(made.values, "device")
    error = result.errors["device"]
    assert isinstance(error, Unattributable), error
    assert error.parties == tuple(sorted(SIGNERS))
    assert error.step == "3.5"


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key.pairs.update(n1={"n2": key.pairs["n1"]["n2"]}),
        lambda key: key.pairs.update(n1={**key.pairs["n1"], "n2": key.pairs["n1"]["device"]}),
        lambda key: key.seats.update(n1=key.seats["n2"]),
        lambda key: key.seats.update(n1=Table(STRUCTURE, ("n1", "n3", "device")).seats["n1"]),
        lambda key: key.seats.update(n1=Table(STRUCTURE, SIGNERS, epoch=1).seats["n1"]),
    ],
    ids=["no setup", "another's setup", "another's seat", "another quorum", "another epoch"],
)
def test_inputs_that_do_not_fit_the_session_are_refused_before_a_word_is_said(change) -> None:
    key = Table(STRUCTURE, SIGNERS)
    change(key)
    result = key.presigning()
    assert isinstance(result.errors["n1"], LocalError)
    assert not [event for event in result.trace if "n1 →" in str(event)]
    for party in ("n2", "device"):
        assert isinstance(result.errors[party], Missing)


def test_the_extension_message_has_the_layout_these_tests_assume() -> None:
    assert HEADER + extension.message_length(TOY, XI) == FIRST
