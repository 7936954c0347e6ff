"""Whatever arrives, Solana's `decode` answers with a `Decoded`, `Malformed`, `Refused` or `LimitExceeded`."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.message import from_bytes_versioned, to_bytes_versioned
from tests.chains.scalar_key import ScalarKey
from tests.unit.chains.solana.test_preview import BLOCK, TO, build, price, send

from quorate.chains.chain import Request
from quorate.chains.solana import NETWORKS, Solana, programs, requests
from quorate.chains.solana.message import Instruction, Lookup, Message, parse
from quorate.encoding import base58
from quorate.errors import LimitExceeded, Malformed, Refused

SOLANA = Solana()
KEY = ScalarKey(12345)
ME = SOLANA.address(KEY.public_key)
CHAIN = NETWORKS[0].caip2
TRANSFER = requests.transfer(TO, 5, ME, base58.encode(BLOCK))

known = st.sampled_from([base58.decode(name, 32, "key") for name in programs.NAMES])
keys = st.one_of(known, st.binary(min_size=32, max_size=32))


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """A message that obeys the rules, of any instructions."""
    others = draw(st.lists(keys, min_size=1, max_size=6, unique=True))
    lookups = draw(
        st.lists(
            st.builds(Lookup, st.just(bytes(32)), st.binary(min_size=1, max_size=3), st.binary(max_size=3)),
            max_size=2,
        )
    )
    version = draw(st.sampled_from(["legacy", "v0"]))
    named = [KEY.public_key, *others]
    total = len(named) + (
        sum(len(entry.writable) + len(entry.readonly) for entry in lookups) if version == "v0" else 0
    )
    instructions = draw(
        st.lists(
            st.builds(
                Instruction,
                st.integers(1, len(others)),
                st.lists(st.integers(0, total - 1), max_size=8).map(bytes),
                st.one_of(
                    st.binary(max_size=40),
                    st.tuples(st.integers(0, 20), st.binary(max_size=70)).map(
                        lambda pair: bytes([pair[0]]) + pair[1]
                    ),
                    st.tuples(st.integers(0, 12), st.binary(max_size=70)).map(
                        lambda pair: pair[0].to_bytes(4, "little") + pair[1]
                    ),
                ),
            ),
            min_size=1,
            max_size=5,
        )
    )
    return Message(
        version,
        1,
        0,
        draw(st.integers(0, len(others))),
        tuple(named),
        draw(st.binary(min_size=32, max_size=32)),
        tuple(instructions),
        tuple(lookups) if version == "v0" else (),
    )


def decode(payload: bytes) -> bool:
    """Decoding answers in one of the ways the port names; anything else fails the test."""
    try:
        decoded = SOLANA.decode(payload, KEY.public_key)
    except (Malformed, Refused, LimitExceeded):
        return False
    assert decoded.payload == payload
    assert decoded.preview.text()
    assert all(line.label.isprintable() and line.value.isprintable() for line in decoded.preview.lines)
    return True


@given(st.binary(max_size=400))
def test_arbitrary_bytes(payload: bytes) -> None:
    assert not decode(payload)


@settings(max_examples=300)
@given(st.sampled_from([b"", b"\x80", b"\1\0\1\3", b"\x80\1\0\1\3", b"\xff"]), st.binary(max_size=300))
def test_an_arbitrary_body_is_no_transaction(head: bytes, body: bytes) -> None:
    assert not decode(Request(1, CHAIN, ME, "transaction", head + body).to_payload())


@settings(max_examples=200)
@given(messages())
def test_a_message_of_any_instructions_is_shown(message: Message) -> None:
    data = message.to_bytes()
    assert parse(data) == message
    assert to_bytes_versioned(from_bytes_versioned(data)) == data
    assert decode(Request(1, CHAIN, ME, "transaction", data).to_payload())


@settings(max_examples=300)
@given(messages(), st.data())
def test_what_passes_with_bytes_changed_is_still_the_only_encoding_of_its_meaning(
    message: Message, data: st.DataObject
) -> None:
    body = bytearray(message.to_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    if decode(Request(1, CHAIN, ME, "transaction", bytes(body)).to_payload()):
        assert parse(bytes(body)).to_bytes() == bytes(body)


@given(st.data())
def test_a_payload_with_bytes_changed(data: st.DataObject) -> None:
    payload = bytearray(TRANSFER)
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    decode(bytes(payload))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("transaction", b"\xff" * 130_000),
        ("transaction", b"\1\0\1\xff\xff\3" + bytes(129_000)),
        ("transaction", build(price(1), *[send(5)] * 60).to_bytes()),
        ("message", b"x" * 65_535),
        ("message", b"\r\t\t " + b"\t" * 65_000),
        ("message", b"\xffsolana offchain" + bytes(65_000)),
    ],
)
def test_no_payload_takes_long_to_judge(kind: str, body: bytes) -> None:
    payload = Request(1, CHAIN, ME, kind, body).to_payload()
    decode(TRANSFER)
    before = time.process_time()
    decode(payload)
    assert time.process_time() - before < 1
