"""The agreement: every field moves the session id, and an impossible one is not read."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from tests.unit.session.table import Table

from quorate.encoding import decode, encode
from quorate.errors import LimitExceeded, Malformed
from quorate.session import SessionSpec
from quorate.session.spec import MAX_PARTIES, MAX_PAYLOAD_BYTES

SPEC = Table(payload=b"payload").spec


def read(**changes: Any) -> SessionSpec:
    """The agreement with some fields changed, as a peer would read it."""
    fields = {name: getattr(SPEC, name) for name in SPEC.__struct_fields__}
    return decode(SessionSpec, encode(tuple({**fields, **changes}.values())))


@dataclass
class Change:
    field: str
    value: Any


CHANGES = [
    Change("protocol", "toss2"),
    Change("version", 2),
    Change("suite", "toy/other"),
    Change("key", bytes(32)),
    Change("epoch", 1),
    Change("parties", ("alice", "bob", "dave")),
    Change("roster", bytes(32)),
    Change("threshold", 2),
    Change("purpose", "another"),
    Change("payload", b"Payload"),
    Change("nonces", (bytes(32), *SPEC.nonces[1:])),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.field)
def test_every_field_moves_the_session_id(change: Change) -> None:
    assert read() == SPEC
    assert read(**{change.field: change.value}).id != SPEC.id


def test_every_field_is_among_those_changed() -> None:
    assert tuple(change.field for change in CHANGES) == SPEC.__struct_fields__


def test_the_proposal_is_the_agreement_without_nonces() -> None:
    other = SPEC.with_nonces(dict.fromkeys(SPEC.parties, bytes(32)))
    assert other.proposal_id == SPEC.proposal_id
    assert other.id != SPEC.id
    assert SPEC.proposal_id != SPEC.id


def test_a_proposal_has_no_session_id_yet() -> None:
    with pytest.raises(Malformed, match="every party has given its nonce"):
        _ = SPEC.with_nonces({}).id


def test_nonces_are_those_of_exactly_the_parties() -> None:
    with pytest.raises(Malformed, match="exactly the parties"):
        SPEC.with_nonces({"alice": bytes(32)})
    assert SPEC.nonce_of("bob") == SPEC.nonces[1]


BAD: list[tuple[str, Any]] = [
    ("protocol", ""),
    ("protocol", "x" * 1025),
    ("version", 0),
    ("version", 65536),
    ("key", bytes(33)),
    ("epoch", -1),
    ("epoch", 1 << 32),
    ("parties", ()),
    ("parties", ("bob", "alice", "carol")),
    ("parties", ("alice", "alice", "bob")),
    ("parties", ("Alice", "bob", "carol")),
    ("roster", bytes(31)),
    ("threshold", 0),
    ("threshold", 4),
    ("payload", bytes(MAX_PAYLOAD_BYTES + 1)),
    ("nonces", (bytes(32), bytes(32))),
    ("nonces", (bytes(32), bytes(32), bytes(31))),
]


@pytest.mark.parametrize(("field", "value"), BAD)
def test_an_impossible_agreement_is_not_read(field: str, value: Any) -> None:
    with pytest.raises(Malformed):
        read(**{field: value})


def test_parties_are_bounded() -> None:
    names = tuple(f"p{number:03}" for number in range(MAX_PARTIES + 1))
    read(parties=names[:-1], nonces=(), threshold=1)
    with pytest.raises(Malformed):
        read(parties=names, nonces=(), threshold=1)


def test_an_agreement_has_one_encoding() -> None:
    data = encode(SPEC)
    with pytest.raises(Malformed):
        decode(SessionSpec, data + b"\x00")
    with pytest.raises(Malformed):
        decode(SessionSpec, data[:-1])
    with pytest.raises(LimitExceeded):
        decode(SessionSpec, bytes(2 << 20))


def test_an_agreement_does_not_change() -> None:
    with pytest.raises(AttributeError):
        SPEC.epoch = 7  # type: ignore[misc]
    assert msgspec.structs.replace(SPEC, epoch=7).epoch == 7
