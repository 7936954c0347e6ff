"""Transaction messages: published bytes, solders' opinion, and every rule with a message that breaks it."""

from dataclasses import replace

import pytest
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import CompiledInstruction
from solders.message import Message as SoldersMessage
from solders.message import MessageAddressTableLookup, MessageHeader, MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from quorate.chains.solana.message import (
    MAX_INSTRUCTIONS,
    MAX_WIRE_BYTES,
    Instruction,
    Lookup,
    Message,
    Reader,
    begins_like_transaction,
    length_prefix,
    parse,
    read,
)
from quorate.encoding import base58
from quorate.errors import LimitExceeded, Malformed, Refused

PAYER, OTHER, PROGRAM, BLOCK = (bytes([byte]) * 32 for byte in (1, 2, 3, 4))

BASE = Message("legacy", 1, 0, 1, (PAYER, OTHER, PROGRAM), BLOCK, (Instruction(2, b"\0\1", b"data"),))
V0 = replace(BASE, version="v0", lookups=(Lookup(bytes([9]) * 32, b"\7", b"\1\2"),))

# trustwallet/wallet-core, tests/chains/Solana/TransactionTests.cpp, TransferMessageData
PUBLISHED = (
    "0100010353f9d600fe925083bb399907ea648d23a6a081fc7e9059202fd725f7edd281dd3cc1ff9ba3c7a876c8"
    "082df2f8a36ea9342ce3819dd4b6fa72d4a18e04a5363a00000000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000000000000000000000000000000000000000000010202"
    "00010c020000002a00000000000000"
)


def test_a_published_transfer() -> None:
    message = parse(bytes.fromhex(PUBLISHED))
    assert message.names() == (
        "6eoo7i1khGhVm8tLBMAdq4ax2FxkKP4G7mCcfHyr3STN",
        "56B334QvCDMSirsmtEJGfanZm8GqeQarrSjdAb2MbeNM",
        "11111111111111111111111111111111",
    )
    assert message.instructions == (Instruction(2, b"\0\1", bytes.fromhex("020000002a00000000000000")),)
    assert message.blockhash == bytes(32)
    assert message.to_bytes().hex() == PUBLISHED


def test_what_solders_builds_is_read_as_it_was_meant() -> None:
    payer, to = Pubkey.from_bytes(PAYER), Pubkey.from_bytes(OTHER)
    calls = [
        set_compute_unit_price(7),
        set_compute_unit_limit(8),
        transfer(TransferParams(from_pubkey=payer, to_pubkey=to, lamports=5)),
    ]
    legacy = SoldersMessage.new_with_blockhash(calls, payer, Hash.from_bytes(BLOCK))
    v0 = MessageV0.try_compile(payer, calls, [], Hash.from_bytes(BLOCK))
    for theirs, version in ((legacy, "legacy"), (v0, "v0")):
        data = to_bytes_versioned(theirs)
        ours = parse(data)
        assert ours.version == version
        assert ours.keys == tuple(bytes(key) for key in theirs.account_keys)
        assert [entry.data for entry in ours.instructions] == [
            bytes(entry.data) for entry in theirs.instructions
        ]
        assert ours.blockhash == BLOCK
        assert ours.to_bytes() == data


def test_lookup_tables_are_read_and_their_accounts_named_by_their_place() -> None:
    message = parse(V0.to_bytes())
    table = base58.encode(bytes([9]) * 32)
    assert message == V0
    assert message.names()[3:] == (
        f"entry 7 of table {table}",
        f"entry 1 of table {table}",
        f"entry 2 of table {table}",
    )
    theirs = MessageV0(
        MessageHeader(1, 0, 1),
        [Pubkey.from_bytes(key) for key in V0.keys],
        Hash.from_bytes(BLOCK),
        [CompiledInstruction(2, b"data", b"\0\1")],
        [MessageAddressTableLookup(Pubkey.from_bytes(bytes([9]) * 32), b"\7", b"\1\2")],
    )
    assert to_bytes_versioned(theirs) == V0.to_bytes()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"required": 0}, "nobody pays"),
        ({"readonly_signed": 1}, "nobody pays"),
        ({"readonly_unsigned": 3}, "fewer accounts"),
        ({"required": 4}, "fewer accounts"),
        ({"keys": (PAYER, OTHER, PAYER)}, "twice"),
        ({"instructions": ()}, "no instructions"),
        ({"instructions": (Instruction(0, b"", b""),)}, "cannot be the payer"),
        ({"instructions": (Instruction(3, b"", b""),)}, "must be named in the message"),
        ({"instructions": (Instruction(2, b"\3", b""),)}, "not there"),
    ],
)
def test_what_validators_would_not_execute(changes: dict[str, object], reason: str) -> None:
    for message in (BASE, replace(BASE, version="v0")):
        with pytest.raises(Malformed, match=reason):
            parse(replace(message, **changes).to_bytes())  # type: ignore[arg-type]


def test_programs_and_accounts_of_tables() -> None:
    parse(replace(V0, instructions=(Instruction(2, b"\5", b""),)).to_bytes())
    with pytest.raises(Malformed, match="not there"):
        parse(replace(V0, instructions=(Instruction(2, b"\6", b""),)).to_bytes())
    with pytest.raises(Malformed, match="must be named in the message"):
        parse(replace(V0, instructions=(Instruction(3, b"", b""),)).to_bytes())
    with pytest.raises(Malformed, match="nothing is taken"):
        parse(replace(V0, lookups=(Lookup(PAYER, b"", b""),)).to_bytes())


def test_accounts_beyond_what_a_byte_can_name() -> None:
    full = Lookup(OTHER, bytes(200), bytes(53))
    parse(replace(V0, lookups=(full,)).to_bytes())
    with pytest.raises(Malformed, match="257 accounts"):
        parse(replace(V0, lookups=(replace(full, readonly=bytes(54)),)).to_bytes())


def test_every_beginning_and_every_continuation_is_refused() -> None:
    for data in (BASE.to_bytes(), V0.to_bytes()):
        for end in range(len(data)):
            with pytest.raises(Malformed):
                read(data[:end])
        with pytest.raises(Malformed, match="after its end"):
            parse(data + b"\0")


def test_the_largest_transaction_and_one_byte_more() -> None:
    room = MAX_WIRE_BYTES - 65 - len(BASE.to_bytes()) - 1
    largest = replace(BASE, instructions=(Instruction(2, b"\0\1", b"data" + bytes(room)),))
    assert len(parse(largest.to_bytes()).to_bytes()) == MAX_WIRE_BYTES - 65
    larger = replace(BASE, instructions=(Instruction(2, b"\0\1", b"data" + bytes(room + 1)),))
    with pytest.raises(LimitExceeded, match="1233 bytes"):
        parse(larger.to_bytes())


def test_as_many_instructions_as_are_executed_and_one_more() -> None:
    small = Instruction(2, b"", b"")
    parse(replace(BASE, instructions=(small,) * MAX_INSTRUCTIONS).to_bytes())
    with pytest.raises(LimitExceeded, match="65 instructions"):
        parse(replace(BASE, instructions=(small,) * (MAX_INSTRUCTIONS + 1)).to_bytes())


@pytest.mark.parametrize("version", [1, 2, 64, 126])
def test_other_versions_are_refused_by_name(version: int) -> None:
    with pytest.raises(Refused, match=f"version {version} ") as caught:
        parse(bytes([0x80 + version]) + BASE.to_bytes())
    assert caught.value.code == "unsupported-transaction"


def test_an_off_chain_message_is_no_transaction() -> None:
    with pytest.raises(Malformed, match="off-chain"):
        parse(b"\xffsolana offchain" + bytes(100))


@pytest.mark.parametrize("value", [0, 1, 127, 128, 255, 256, 16383, 16384, 65535])
def test_lengths_come_back(value: int) -> None:
    assert Reader(length_prefix(value)).length() == value


@pytest.mark.parametrize("data", ["8000", "ff00", "808000", "ffff04", "80808001", "ffffff"])
def test_a_length_has_one_spelling(data: str) -> None:
    with pytest.raises(Malformed, match="not written in its one way"):
        Reader(bytes.fromhex(data)).length()


def test_a_length_in_more_bytes_than_needed_is_refused_in_a_message() -> None:
    data = BASE.to_bytes()
    assert data[3] == 3
    with pytest.raises(Malformed, match="one way"):
        read(data[:3] + b"\x83\0" + data[4:])


def test_what_begins_like_a_transaction() -> None:
    for data in (BASE.to_bytes(), V0.to_bytes()):
        assert begins_like_transaction(data)
        assert begins_like_transaction(data + b" and more")
    assert begins_like_transaction(b"\x81")
    large = replace(BASE, instructions=(Instruction(2, b"", bytes(5000)),))
    assert begins_like_transaction(large.to_bytes())
    for text in ("", "hello", "Привет", "x" * 3000, "\n" * 3000, "\t\n\r " * 800):
        assert not begins_like_transaction(text.encode())
