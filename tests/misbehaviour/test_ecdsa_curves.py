"""The checks that depend on the curve, on P-256 and STARK: each cheat, who is named, and nobody else.

What depends on bytes alone (commitments, views, lengths) is in tests/misbehaviour/test_ecdsa_presign.py.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from tests.support.signing import Table, table

from quorate.errors import Blame, Malformed, Missing, Suspicion
from quorate.groups import Group, Scalar, p256, stark
from quorate.primitives import vole
from quorate.primitives.parameters import STANDARD
from quorate.schemes.ecdsa import Presignature, Signer, Unattributable
from quorate.schemes.ecdsa.checks import Products
from quorate.schemes.ecdsa.evidence import deviated_presigning
from quorate.schemes.ecdsa.messages import Extension, Multiplication, Opening
from quorate.schemes.ecdsa.online import Answer
from quorate.schemes.ecdsa.presign import _Run
from quorate.secret import Secret
from quorate.session import Message, Party, PartyId
from quorate.session.evidence import Offence
from quorate.testing import Cheat, Mutation, Result, Tamper

CURVES: dict[str, Group] = {"p256": p256.P256, "stark": stark.STARK}
FIELDS = {"p256": p256.FIELD, "stark": stark.FIELD}
SIGNERS = ("n1", "n2", "device")
STRUCTURE = "2 of (2 of (n1 n2 n3), device)"
XI = 416
HEADER = vole.HASH_BYTES + vole.NONCE_BYTES


@pytest.fixture(scope="module", params=CURVES)
def curve(request: pytest.FixtureRequest) -> Group:
    return CURVES[request.param]


def play(curve: Group, *cheats: Cheat, key: Table | None = None) -> Result[Presignature]:
    result = (key or table(STRUCTURE, SIGNERS, curve)).presigning(cheats=cheats)
    result.assert_sound()
    return result


def tamper(kind: type[Message], field: str, change: Callable[[Any], Any], to: str | None = None) -> Tamper:
    return Tamper("n1", kind, field, Mutation("changed", change), recipient=to)


def flip(place: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def assert_evidence(curve: Group, result: Result[Presignature]) -> None:
    quorum = table(STRUCTURE, SIGNERS, curve).seats["device"].quorum
    findings = result.findings()
    assert findings
    for finding in findings:
        assert finding.party == "n1"
        assert deviated_presigning(finding, result.spec.id, result.roster, quorum, STANDARD)


@pytest.mark.parametrize(
    ("kind", "field", "place", "step", "leak_bearing"),
    [
        (Extension, "body", HEADER, "2.4", True),
        (Extension, "body", -1, "2.4", True),
        (Extension, "body", 0, "2.4", False),
        (Multiplication, "body", 0, "2.8", False),
        (Multiplication, "body", vole.NONCE_BYTES + 7, "2.8", False),
        (Multiplication, "body", -33, "2.8", False),
        (Multiplication, "body", -1, "2.8", False),
    ],
    ids=["u", "t hash", "context", "nonce of the sender", "corrections", "eta'", "H(mu)"],
)
def test_a_check_between_two_suspects_the_pair_and_nobody_else(
    curve: Group, kind: type[Message], field: str, place: int, step: str, leak_bearing: bool
) -> None:
    first, second = vole.message_lengths(curve, STANDARD)
    length = first if kind is Extension else second
    result = play(curve, tamper(kind, field, flip(place % length), "n2"))
    assert_suspected(result, step, leak_bearing)


@pytest.mark.parametrize("row", [0, XI - 1, XI])
def test_a_correction_that_is_no_scalar_of_the_curve_suspects_the_pair(curve: Group, row: int) -> None:
    """The order itself would be zero again after reduction: one value, two encodings."""
    place = vole.NONCE_BYTES + 32 * vole.WIDTH * row
    order = curve.order.to_bytes(32, "little")
    result = play(curve, tamper(Multiplication, "body", lambda b: b[:place] + order + b[place + 32 :], "n2"))
    assert_suspected(result, "2.8", leak_bearing=False)
    assert "not below the order" in str(result.errors["n2"])


@pytest.mark.parametrize(
    ("field", "step"), [("gamma_nonce", "2.8 (K1)"), ("gamma_key", "2.8 (K2)")], ids=["K1", "K2"]
)
def test_a_false_gamma_suspects_the_pair(curve: Group, field: str, step: str) -> None:
    result = play(curve, tamper(Multiplication, field, lambda point: point + curve.generator, "n2"))
    assert_suspected(result, step, leak_bearing=False)


def assert_suspected(result: Result[Presignature], step: str, leak_bearing: bool) -> None:
    error = result.errors["n2"]
    assert isinstance(error, Suspicion), error
    assert (error.parties, error.step, error.leak_bearing) == (("n1", "n2"), step, leak_bearing)
    assert not result.blamed()
    device = result.errors.get("device")
    assert device is None or (isinstance(device, Missing) and device.parties == ("n2",))


@pytest.mark.parametrize("shift", [(1, 0), (0, 1)], ids=["K1", "K2"])
def test_multiplying_by_other_numbers_than_shown_suspects_each_pair(
    curve: Group, shift: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    class OtherInputs(_Run):
        def _multiply(
            self, peer: PartyId, extension: Extension, nonce: Scalar, key: Scalar
        ) -> tuple[Products, bytes]:
            moved = (nonce + curve.scalar(shift[0]), key + curve.scalar(shift[1]))
            return super()._multiply(peer, extension, *moved)

    def choose(party: Party, *rest: Any) -> _Run:
        return (OtherInputs if party.me == "n1" else _Run)(party, *rest)

    monkeypatch.setattr(import_module("quorate.schemes.ecdsa.presign"), "_Run", choose)
    result = table(STRUCTURE, SIGNERS, curve).presigning()
    for party in ("n2", "device"):
        error = result.errors[party]
        assert isinstance(error, Suspicion), error
        assert error.parties == tuple(sorted(("n1", party)))
        assert error.step == f"2.8 (K{shift.index(1) + 1})"
    assert not result.blamed()


@pytest.mark.parametrize(
    ("field", "step"), [("nonce_point", "2.6"), ("key_point", "2.7"), ("zeros", "2.7")], ids=str
)
def test_a_moved_point_is_blamed_with_evidence(curve: Group, field: str, step: str) -> None:
    def moved(value: Any) -> Any:
        return (value[0] + curve.generator, *value[1:]) if field == "zeros" else value + curve.generator

    result = play(curve, tamper(Opening, field, moved))
    assert_blamed(result, step)
    assert_evidence(curve, result)


def test_a_wrong_share_names_its_owner(curve: Group) -> None:
    key = Table(STRUCTURE, SIGNERS, curve)
    seat = key.seats["n1"]
    key.seats["n1"] = Signer(seat.quorum, "n1", Secret(seat.part.reveal() + curve.scalar(1)))
    result = key.presigning()
    assert_blamed(result, "2.7")
    assert_evidence(curve, result)


def assert_blamed(result: Result[Presignature], step: str) -> None:
    for party in ("n2", "device"):
        error = result.errors[party]
        assert isinstance(error, Blame), error
        assert (error.parties, error.step) == (("n1",), step)


def no_points(name: str) -> dict[str, bytes]:
    """33 bytes and others that encode no point of the curve."""
    group, field = CURVES[name], FIELDS[name]
    valid = group.generator.to_bytes()
    off = next(x for x in range(1, 50) if not _is_coordinate(group, x))
    on = next(x for x in range(1, 50) if _is_coordinate(group, x))
    return {
        "not on the curve": b"\x02" + off.to_bytes(32, "big"),
        "a coordinate not reduced": b"\x02" + (field + on).to_bytes(32, "big"),
        "the identity": bytes(33),
        "without a sign": b"\x04" + valid[1:],
        "uncompressed": b"\x04" + valid[1:] + bytes(32),
        "short": valid[:-1],
        "nothing": b"",
    }


def _is_coordinate(group: Group, x: int) -> bool:
    try:
        group.point_from_bytes(b"\x02" + x.to_bytes(32, "big"))
    except Malformed:
        return False
    return True


@pytest.mark.parametrize("what", list(no_points("p256")))
def test_a_point_that_is_none_is_blamed_at_the_door(curve: Group, what: str) -> None:
    encoding = no_points(curve.name)[what]
    result = play(curve, tamper(Opening, "nonce_point", lambda _: encoding))
    for party in ("n2", "device"):
        assert isinstance(result.errors[party], Blame)
    assert {finding.offence for finding in result.findings()} == {Offence.UNREADABLE}


def test_an_offset_that_is_no_scalar_is_blamed_at_the_door(curve: Group) -> None:
    for encoding in (curve.order.to_bytes(32, "big"), b"\xff" * 32, bytes(31)):
        result = play(curve, tamper(Multiplication, "offset", lambda _, encoding=encoding: encoding))
        assert isinstance(result.errors["n2"], Blame)
        assert {finding.offence for finding in result.findings()} == {Offence.UNREADABLE}


@pytest.mark.parametrize("field", ["w", "u"])
def test_a_false_answer_is_found_by_the_curves_own_verifier(curve: Group, field: str) -> None:
    """With two signers the pair is suspected; with three nobody can be named."""
    for text, signers in ((STRUCTURE, SIGNERS), ("2 of (1 of (n1), device)", ("n1", "device"))):
        key = table(text, signers, curve)
        made = key.presigning().values
        result = key.online(made, "device", cheats=[tamper(Answer, field, lambda x: x + curve.scalar(1))])
        error = result.errors["device"]
        assert isinstance(error, Suspicion if len(signers) == 2 else Unattributable), error
        assert error.step == "3.5"
        assert not result.values.get("device")
