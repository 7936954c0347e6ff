"""Threshold BLS with one cheat at each check: the right error, about the right party, and no other.

Rows and reactions are those of docs/protocols/bls.md, "Checks". n1 cheats; n2 and the device are honest.
"""

from collections.abc import Callable
from typing import Any

import pytest
from tests.support.bls import MESSAGE, SIGNERS, STRUCTURE, Table, table
from tests.support.signing import KEY_ID

from quorate.errors import Blame, LocalError, Missing
from quorate.groups.bls12381 import BLS12381_G2
from quorate.schemes.bls import SIGN, FalsePartials, Partial, deviated, partial, sign, verify
from quorate.schemes.bls.suites import BASIC, POSSESSION, POSSESSION_SHORT, Suite
from quorate.schemes.faults import Disagreement
from quorate.session import Offence, Party
from quorate.testing import (
    Cheat,
    Contradict,
    Garble,
    Impersonate,
    Mutation,
    Result,
    Simulation,
    Tamper,
    Withhold,
)

BOTH_SIZES = pytest.mark.parametrize("suite", [POSSESSION, POSSESSION_SHORT], ids=lambda suite: suite.name)


def play(*cheats: Cheat, suite: Suite = POSSESSION) -> Result[bytes | None]:
    result = table(suite).signing(cheats=cheats)
    result.assert_sound()
    return result


def run_session(run: Any, *, key: bytes = KEY_ID, suite: str = POSSESSION.agreed) -> Result[bytes | None]:
    return Simulation(SIGN, run, SIGNERS, group=POSSESSION.keys, suite=suite, key=key, journaled=False).run()


def tamper(field: str, change: Callable[[bytes], bytes], party: str = "n1") -> Tamper:
    return Tamper(party, Partial, field, Mutation("changed", change))


def doubled(octets: bytes) -> bytes:
    point = BLS12381_G2.point_from_bytes(octets)
    return (point + point).to_bytes()


def bumped(octets: bytes) -> bytes:
    return octets[:-1] + bytes([octets[-1] ^ 1])


FALSE_POINTS: dict[str, Callable[[bytes], bytes]] = {
    "another point of the group": doubled,
    "the identity": lambda octets: bytes([0xC0]) + bytes(len(octets) - 1),
    "no point": lambda octets: bytes([octets[0] & 0x7F]) + octets[1:],
    "a byte changed": bumped,
    "too short": lambda octets: octets[:-1],
    "nothing": lambda octets: b"",
}


@pytest.mark.parametrize("name", FALSE_POINTS)
def test_a_false_partial_is_blamed_on_its_sender_with_evidence_for_strangers(name: str) -> None:
    result = play(tamper("point", FALSE_POINTS[name]))
    error = result.errors["device"]
    assert isinstance(error, Blame)
    assert (error.parties, error.step) == (("n1",), "3")
    key = table(POSSESSION)
    (finding,) = result.findings()
    assert (finding.party, finding.offence) == ("n1", Offence.STATEMENT)
    assert deviated(finding, POSSESSION, key.quorum, MESSAGE)
    # it is an offence about this message, this suite and this quorum only
    assert not deviated(finding, POSSESSION, key.quorum, b"another")
    assert not deviated(finding, BASIC, key.quorum, MESSAGE)
    other = Table(POSSESSION, STRUCTURE, ("n1", "n3", "device"))
    assert not deviated(finding, POSSESSION, other.quorum, MESSAGE)


@BOTH_SIZES
def test_all_who_lie_are_blamed_and_nobody_else(suite: Suite) -> None:
    result = play(tamper("point", bumped), tamper("point", bumped, "n2"), suite=suite)
    error = result.errors["device"]
    assert isinstance(error, Blame)
    assert error.parties == ("n1", "n2")
    assert all(deviated(f, suite, table(suite).quorum, MESSAGE) for f in result.findings())


def test_an_honest_partial_convicts_nobody() -> None:
    recorded = play(tamper("point", bumped))
    key = table(POSSESSION)
    (finding,) = recorded.findings()
    slot, _ = finding.messages[0]
    honest = partial(key.seats["n1"], key.context())
    shown = type(finding)("n1", Offence.STATEMENT, ((slot, honest),))
    assert not deviated(shown, POSSESSION, key.quorum, MESSAGE)
    framed = type(finding)("n2", Offence.STATEMENT, ((slot, honest),))
    assert deviated(framed, POSSESSION, key.quorum, MESSAGE)  # had n2 signed it, which no exhibit can show


def test_an_answer_to_another_request_ends_the_session_and_blames_nobody() -> None:
    result = play(tamper("context", bumped))
    error = result.errors["device"]
    assert isinstance(error, Disagreement)
    assert error.parties == ("device", "n1")
    assert not result.blamed()


def test_a_party_that_reads_the_payload_otherwise_is_not_blamed() -> None:
    key = table(POSSESSION)

    async def run(party: Party) -> bytes | None:
        message = b"slot 8" if party.me == "n2" else MESSAGE
        return await sign(party, key.seats[party.me], POSSESSION, message, combiner="device")

    result = run_session(run)
    assert isinstance(result.errors["device"], Disagreement)
    assert not result.blamed()


def test_two_different_partials_of_one_signer_are_equivocation() -> None:
    result = play(Contradict("n1", Partial, "point", Mutation("doubled", doubled)))
    error = result.errors["device"]
    assert isinstance(error, Blame)
    assert error.parties == ("n1",)
    assert {finding.offence for finding in result.findings()} == {Offence.EQUIVOCATION}
    assert deviated(result.findings()[0], POSSESSION, table(POSSESSION).quorum, MESSAGE)


def test_a_message_that_does_not_read_is_blamed() -> None:
    result = play(Garble("n1", Partial, change=lambda data: data + b"\0"))
    error = result.errors["device"]
    assert isinstance(error, Blame)
    assert error.parties == ("n1",)
    assert result.findings()[0].offence is Offence.UNREADABLE


def test_a_silent_signer_is_missing_and_not_blamed() -> None:
    result = play(Withhold("n1", Partial))
    error = result.errors["device"]
    assert isinstance(error, Missing)
    assert error.parties == ("n1",)
    assert not result.blamed()


def test_a_partial_in_somebody_else_s_name_changes_nothing() -> None:
    result = play(Impersonate("n1", "n2"))
    signature = result.values["device"]
    assert signature is not None
    verify(POSSESSION, table(POSSESSION).public_key, MESSAGE, signature)


def test_a_combiner_with_a_damaged_share_accuses_nobody() -> None:
    key = Table(POSSESSION, STRUCTURE, SIGNERS)
    seat = key.seats["device"]
    object.__setattr__(seat, "part", key.seats["n1"].part)
    result = key.signing()
    assert isinstance(result.errors["device"], FalsePartials)
    assert result.errors["device"].wrong == ("device",)
    assert not result.blamed()


@pytest.mark.parametrize("wrong", ["key", "combiner", "suite"])
def test_a_session_for_another_key_or_suite_or_without_its_combiner_does_not_begin(wrong: str) -> None:
    key = table(POSSESSION)
    combiner = "stranger" if wrong == "combiner" else "device"

    async def run(party: Party) -> bytes | None:
        return await sign(party, key.seats[party.me], POSSESSION, MESSAGE, combiner=combiner)

    suite = BASIC if wrong == "suite" else POSSESSION
    result = run_session(run, key=bytes(32) if wrong == "key" else KEY_ID, suite=suite.agreed)
    assert set(result.errors) == set(SIGNERS)
    assert all(type(error) is LocalError for error in result.errors.values())
