"""The error tree."""

import pytest

from quorate.errors import (
    Abort,
    AlreadyUsed,
    Blame,
    CheckFailed,
    LimitExceeded,
    LocalError,
    Malformed,
    Missing,
    ProofRejected,
    QuorateError,
    Refused,
    Remedy,
    Suspicion,
    Unavailable,
)


@pytest.mark.parametrize("kind", [Malformed, ProofRejected, LimitExceeded, Unavailable, AlreadyUsed])
def test_what_is_wrong_on_our_side_is_a_local_error_and_a_person_decides(kind: type[LocalError]) -> None:
    error = kind("words")
    assert isinstance(error, LocalError)
    assert not isinstance(error, Abort)
    assert str(error) == "words"
    assert error.remedy is Remedy.ASK


def test_an_abort_sorts_its_parties_and_names_each_once() -> None:
    error = Blame("lied", parties=["n3", "n1", "n3"], step="K2", evidence=[b"one", b"two"])
    assert error.parties == ("n1", "n3")
    assert error.step == "K2"
    assert error.evidence == (b"one", b"two")
    assert error.remedy is Remedy.EXCLUDE


def test_only_a_leak_bearing_suspicion_quarantines() -> None:
    assert Suspicion("odd", parties=["a", "b"]).remedy is Remedy.EXCLUDE
    assert Suspicion("odd", parties=["a", "b"], leak_bearing=True).remedy is Remedy.QUARANTINE
    assert Suspicion("odd", leak_bearing=True, remedy=Remedy.ASK).remedy is Remedy.ASK


def test_missing_is_not_guilty_and_says_how_many_would_do() -> None:
    error = Missing("no answer", parties=["n2"], needed=1)
    assert not isinstance(error, Blame | Suspicion)
    assert (error.remedy, error.needed) == (Remedy.RETRY, 1)


def test_a_refusal_carries_a_code_for_programs() -> None:
    error = Refused("not today", code="policy.hours", parties=["n1"])
    assert (error.code, error.parties, error.remedy) == ("policy.hours", ("n1",), Remedy.ASK)


def test_a_remedy_given_to_the_constructor_stays_with_that_error_alone() -> None:
    assert QuorateError("x", remedy=Remedy.RETRY).remedy is Remedy.RETRY
    assert QuorateError("x").remedy is Remedy.ASK


def test_a_failed_check_must_say_whether_it_leaked() -> None:
    assert CheckFailed("x", leak_bearing=True).leak_bearing
    with pytest.raises(TypeError):
        CheckFailed("x")  # type: ignore[call-arg]
