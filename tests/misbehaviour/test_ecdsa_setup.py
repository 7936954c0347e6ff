"""OT setup with one party that lies in each field: nothing is accepted, and the error names what is known."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.support.signing import sizes

from quorate.errors import Blame, Missing, Suspicion
from quorate.groups.toy import TOY_GROUP
from quorate.primitives import base_ot
from quorate.primitives.parameters import SEED_BYTES, TOY
from quorate.schemes.ecdsa import SETUP, Disagreement, PairSetup, instance_payload, set_up
from quorate.schemes.ecdsa.evidence import deviated_setup
from quorate.schemes.ecdsa.setup import Choice, Confirmation, Response
from quorate.session import Message
from quorate.session.evidence import Offence
from quorate.testing import Cheat, Contradict, Mutation, Result, Simulation, Tamper, Withhold

FIRST, SECOND = base_ot.message_lengths(TOY_GROUP, TOY)
POINTS = 2 * TOY.security * TOY_GROUP.point_length


def play(*cheats: Cheat, seed: int = 0) -> Result[PairSetup]:
    result = Simulation(
        SETUP,
        lambda party: set_up(party, 3, 1, parameters=sizes(TOY_GROUP), group=TOY_GROUP),
        ["a", "b"],
        payload=instance_payload(3, 1),
        cheats=cheats,
        seed=seed,
        journaled=False,
    ).run()
    result.assert_sound()
    return result


def tamper(kind: type[Message], field: str, change: Callable[[Any], Any]) -> Tamper:
    return Tamper("a", kind, field, Mutation("changed", change))


def bump(place: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize(
    ("kind", "field", "change", "step"),
    [
        (Choice, "transfers", lambda t: t[:-1], "1.2"),
        (Choice, "transfers", lambda t: t + b"\x00", "1.2"),
        (Choice, "transfers", lambda t: b"", "1.2"),
        (Choice, "commitment", bump(0), "1.3"),
        (Response, "transfers", lambda t: t[:-1], "1.3"),
        (Response, "half", bump(0), "1.3"),
        (Response, "salt", bump(31), "1.3"),
    ],
)
def test_what_signed_messages_show_is_blamed(
    kind: type[Message], field: str, change: Callable[[Any], Any], step: str
) -> None:
    result = play(tamper(kind, field, change))
    error = result.errors["b"]
    assert isinstance(error, Blame), error
    assert (error.parties, error.step) == (("a",), step)
    for finding in result.findings():
        assert finding.party == "a"
        assert deviated_setup(finding, result.spec.id, TOY, TOY_GROUP)


@pytest.mark.parametrize(
    ("kind", "field", "change", "step"),
    [
        (Choice, "transfers", lambda t: b"\xff" * 8 + t[8:], "1.2"),
        (Choice, "transfers", lambda t: bytes(8) + t[8:], "1.2"),
        (Response, "transfers", lambda t: bytes(8) + t[8:], "1.3"),
        (Response, "transfers", lambda t: bump(POINTS)(bump(POINTS + SEED_BYTES)(t)), "1.3"),
        (Response, "transfers", bump(SECOND - 1), "1.3"),
    ],
    ids=["no point", "zero point", "no point back", "tree corrections", "proof of the trees"],
)
def test_transfers_that_do_not_check_suspect_the_pair(
    kind: type[Message], field: str, change: Callable[[Any], Any], step: str
) -> None:
    result = play(tamper(kind, field, change))
    error = result.errors["b"]
    assert isinstance(error, Suspicion), error
    assert (error.parties, error.step) == (("a", "b"), step)
    assert not error.leak_bearing
    assert not result.values


def test_a_wrong_confirmation_accepts_nothing_and_accuses_nobody() -> None:
    result = play(tamper(Confirmation, "digest", bump(0)))
    error = result.errors["b"]
    assert isinstance(error, Disagreement), error
    assert error.step == "1.4"
    assert "b" not in result.values


@pytest.mark.parametrize("kind", [Choice, Response, Confirmation])
def test_silence_is_missing_and_not_guilty(kind: type[Message]) -> None:
    result = play(Withhold("a", kind))
    error = result.errors["b"]
    assert isinstance(error, Missing)
    assert error.parties == ("a",)


@pytest.mark.parametrize("kind", [Choice, Response])
def test_two_versions_are_shown(kind: type[Message]) -> None:
    field = "commitment" if kind is Choice else "half"
    result = play(Contradict("a", kind, field, Mutation("changed", bump(0))))
    error = result.errors.get("b")
    # the second version may come when b is already done with it, but never unnoticed while it runs
    assert error is None or isinstance(error, Blame)
    if isinstance(error, Blame):
        offences = {finding.offence for finding in result.findings()}
        assert offences <= {Offence.EQUIVOCATION, Offence.STATEMENT}


def test_a_choice_reflected_to_its_sender_is_of_no_use() -> None:
    """Directions are bound by name: a's message as chooser is not b's."""
    result = play()
    a, b = result.values["a"], result.values["b"]
    assert a.sender.fingerprint() != a.receiver.fingerprint()
    assert a.sender.delta != b.sender.delta
