"""Whatever comes is answered with a decoded request or an error of the tree."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.polkadot import (
    CHAINS,
    ED_KEY,
    POLKADOT,
    payload,
    transfer,
)

from quorate.chains import Request
from quorate.chains.polkadot.extrinsic import parse
from quorate.chains.polkadot.family import Message
from quorate.chains.polkadot.networks import BY_ID
from quorate.errors import LimitExceeded, Malformed, Refused


def decode_any(data: bytes) -> None:
    try:
        ready = CHAINS.decode(data, ED_KEY)
    except (Malformed, Refused, LimitExceeded):
        return
    assert ready.payload == data
    assert ready.preview.text()


@settings(max_examples=150)
@given(st.sampled_from(["extrinsic", "message", "other"]), st.binary(max_size=200))
def test_an_arbitrary_body_is_answered(kind: str, body: bytes) -> None:
    decode_any(Request(1, POLKADOT, CHAINS.address(POLKADOT, ED_KEY), kind, body).to_payload())


@settings(max_examples=200)
@given(st.binary(min_size=2, max_size=120), st.sampled_from([5, 7, 26, 0]), st.integers(0, 8))
def test_arbitrary_calls_are_answered(rest: bytes, pallet: int, index: int) -> None:
    decode_any(payload(transfer(call=bytes([pallet, index]) + rest)))


@settings(max_examples=150)
@given(st.data())
def test_a_payload_with_bytes_changed_is_answered(data: st.DataObject) -> None:
    changed = bytearray(payload(transfer()))
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    decode_any(bytes(changed))


def test_a_body_is_read_back() -> None:
    fields = transfer()
    assert parse(fields.body()) == fields
    assert Message("ed25519", b"x").wrapped() == b"<Bytes>x</Bytes>"
    with pytest.raises(Malformed):
        parse(fields.body() + b"\0")
    assert replace(BY_ID[POLKADOT], prefix=7).prefix == 7
