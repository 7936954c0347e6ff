"""Statements and certificates: what counts as signed by enough nodes."""

import msgspec
import pytest
from tests.unit.sharing.table import identity

from quorate.encoding import decode, encode
from quorate.errors import Malformed, ProofRejected
from quorate.groups import SECP256K1
from quorate.sharing.statements import (
    KeyFormed,
    Prepared,
    Statement,
    to_sign,
    verify_certificate,
)

H = bytes(32)
NODES = {f"n{i}": identity(f"n{i}", SECP256K1) for i in range(1, 6)}
COMMITTEE = {name: keys.public for name, keys in NODES.items()}
STATEMENTS: list[Statement] = [
    KeyFormed("net", H, "secp256k1", H, "2 of (1 of (n1), device)", b"X", (b"P",), (("device", b"U"),), H),
    Prepared("net", H, H, 1, H, "2 of (1 of (n1), device)", b"X", (b"P",), (("device", b"U"),), H),
]


def sign(statement: Statement, *names: str) -> dict[str, bytes]:
    return {name: NODES[name].sign(to_sign(statement)) for name in names}


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: type(s).__name__)
def test_enough_signatures_of_the_committee_are_a_certificate(statement: Statement) -> None:
    verify_certificate(statement, sign(statement, "n1", "n2", "n3", "n4"), COMMITTEE, 4)
    verify_certificate(statement, sign(statement, *NODES), COMMITTEE, 4)
    assert decode(type(statement), encode(statement)) == statement


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: type(s).__name__)
def test_everything_less_is_none(statement: Statement) -> None:
    good = sign(statement, "n1", "n2", "n3", "n4")
    with pytest.raises(ProofRejected, match="3 signatures, 4 are needed"):
        verify_certificate(statement, sign(statement, "n1", "n2", "n3"), COMMITTEE, 4)
    with pytest.raises(ProofRejected, match="signature of n2 is not"):
        verify_certificate(statement, {**good, "n2": good["n1"]}, COMMITTEE, 4)
    stranger = identity("stranger", SECP256K1)
    with pytest.raises(ProofRejected, match="stranger is not of the committee"):
        signatures = {**good, "stranger": stranger.sign(to_sign(statement))}
        verify_certificate(statement, signatures, COMMITTEE, 4)
    other = msgspec.structs.replace(statement, network="other")
    with pytest.raises(ProofRejected, match="not over this statement"):
        verify_certificate(other, good, COMMITTEE, 4)


def test_a_signature_of_one_kind_is_none_of_another() -> None:
    assert len({to_sign(statement) for statement in STATEMENTS}) == len(STATEMENTS)
    for statement in STATEMENTS:
        for other in STATEMENTS:
            if other is not statement:
                with pytest.raises(Malformed):
                    decode(type(other), encode(statement))
