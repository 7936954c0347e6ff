"""Whatever arrives, NEAR's `decode` answers with a `Decoded`, `Malformed`, `Refused` or `LimitExceeded`."""

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chains.scalar_key import ScalarKey
from tests.unit.chains.near.test_actions import MULTI, transactions

from quorate.chains.chain import Request
from quorate.chains.near import Near
from quorate.chains.near.accounts import AccessKey
from quorate.chains.near.actions import FunctionCall, Transfer
from quorate.chains.near.transaction import Transaction, parse_transaction
from quorate.errors import LimitExceeded, Malformed, Refused

NEAR = Near()
KEY = ScalarKey(12345)
OWN = AccessKey.of(KEY.public_key)
BASE = Transaction("alice.near", OWN, 7, "bob.near", bytes(32), (Transfer(10**24),))


def decode(body: bytes, kind: str = "transaction", account: str = "alice.near") -> bool:
    """Decoding answers in one of the ways the port names; anything else fails the test."""
    payload = Request(1, "near:mainnet", account, kind, body).to_payload()
    try:
        decoded = NEAR.decode(payload, KEY.public_key)
    except (Malformed, Refused, LimitExceeded):
        return False
    assert len(decoded.digest) == 32
    assert decoded.preview.text()
    assert all(line.label.isprintable() and line.value.isprintable() for line in decoded.preview.lines)
    return True


@given(st.binary(max_size=400))
def test_arbitrary_bytes(payload: bytes) -> None:
    with pytest.raises((Malformed, Refused, LimitExceeded)):
        NEAR.decode(payload, KEY.public_key)


@settings(max_examples=300)
@given(
    st.sampled_from(["transaction", "delegate", "message"]),
    st.sampled_from([b"", b"\x0a\0\0\0alice.near", BASE.to_bytes()[:-17], BASE.to_bytes()[:-21]]),
    st.binary(max_size=200),
)
def test_an_arbitrary_body(kind: str, head: bytes, body: bytes) -> None:
    decode(head + body, kind)


@settings(max_examples=200, deadline=None)
@given(transactions)
def test_a_transaction_of_any_actions_is_shown(transaction: Transaction) -> None:
    mine = replace(transaction, key=OWN)
    assert decode(mine.to_bytes(), account=transaction.signer)
    itself = replace(mine, receiver=transaction.signer)
    assert decode(itself.to_bytes(), account=transaction.signer)


@settings(max_examples=300)
@given(st.data())
def test_what_passes_with_bytes_changed_is_still_the_only_encoding_of_its_meaning(
    data: st.DataObject,
) -> None:
    body = bytearray(
        replace(parse_transaction(bytes.fromhex(MULTI)), key=OWN, signer="alice.near").to_bytes()
    )
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    if decode(bytes(body)):
        assert parse_transaction(bytes(body)).to_bytes() == bytes(body)


@pytest.mark.parametrize(
    "actions",
    [
        (FunctionCall("ft_transfer", b"[" * 125_000, 1, 0),),
        (FunctionCall("ft_transfer", b'"' * 125_000, 1, 0),),
        (FunctionCall("ft_transfer", b"9" * 8_192, 1, 0),),
        (FunctionCall("ft_transfer", b'{"amount":"' + b"9" * 8_000 + b'"}', 1, 0),),
        tuple(FunctionCall("ft_transfer", b"[" * 1_200, 1, 0) for _ in range(100)),
    ],
)
def test_no_payload_takes_long_to_judge(actions: tuple[FunctionCall, ...]) -> None:
    body = replace(BASE, actions=actions).to_bytes()
    before = time.process_time()
    assert decode(body)
    assert time.process_time() - before < 1
