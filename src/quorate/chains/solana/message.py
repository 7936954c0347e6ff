"""A transaction's message: what Solana's signers sign, byte for byte, without hashing it first.

Two forms are read, legacy and version 0 (with address lookup tables). Parsing is strict where the network is
lenient only by accident: one length prefix for each length, no trailing bytes, indices in range, at least one
writable signer who pays. The message is then encoded again by us and by solders, and unless all three agree
nobody signs. Version 1 messages, which some tools read already, are refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quorate.chains.solana.heavy import load
from quorate.encoding import base58
from quorate.errors import LimitExceeded, Malformed, Refused

MAX_WIRE_BYTES: Final = 1232
"""A transaction with its signatures: IPv6's minimum of 1280 bytes less 48 for headers."""

MAX_INSTRUCTIONS: Final = 64
"""What the runtime executes in one transaction; the smallest take three bytes, so more would fit."""

MAX_ACCOUNTS: Final = 256
"""Accounts are named by one byte."""

SIGNATURE_LENGTH: Final = 64

_VERSIONED: Final = 0x80
_OFF_CHAIN: Final = 0x7F


@dataclass(frozen=True, slots=True)
class Lookup:
    """Accounts of a table on the chain: which of its entries come in, writable and not."""

    table: bytes
    writable: bytes
    readonly: bytes


@dataclass(frozen=True, slots=True)
class Instruction:
    """A call of one program. `accounts` are indices into the message's accounts."""

    program: int
    accounts: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """All fields; an instance from `parse` is a message the network's rules admit.

    `keys` are the accounts named in the message itself: first the signers, of which the last
    `readonly_signed` are not written to, then the others, of which the last `readonly_unsigned` are not.
    """

    version: str
    required: int
    readonly_signed: int
    readonly_unsigned: int
    keys: tuple[bytes, ...]
    blockhash: bytes
    instructions: tuple[Instruction, ...]
    lookups: tuple[Lookup, ...] = ()

    @property
    def signers(self) -> tuple[bytes, ...]:
        """Whose signatures the network wants, in their order. The first pays."""
        return self.keys[: self.required]

    @property
    def looked_up(self) -> tuple[str, ...]:
        """How the accounts that come from tables are written, in the order of their indices."""
        entries = [(lookup.table, index) for lookup in self.lookups for index in lookup.writable]
        entries += [(lookup.table, index) for lookup in self.lookups for index in lookup.readonly]
        return tuple(f"entry {index} of table {base58.encode(table)}" for table, index in entries)

    def names(self) -> tuple[str, ...]:
        """Every account as it is shown: an address, or the place in a table that only the chain can read."""
        return (*(base58.encode(key) for key in self.keys), *self.looked_up)

    def to_bytes(self) -> bytes:
        """The one encoding."""
        out = bytearray(b"\x80" if self.version == "v0" else b"")
        out += bytes([self.required, self.readonly_signed, self.readonly_unsigned])
        out += length_prefix(len(self.keys)) + b"".join(self.keys) + self.blockhash
        out += length_prefix(len(self.instructions))
        for instruction in self.instructions:
            out += bytes([instruction.program])
            out += length_prefix(len(instruction.accounts)) + instruction.accounts
            out += length_prefix(len(instruction.data)) + instruction.data
        if self.version == "v0":
            out += length_prefix(len(self.lookups))
            for lookup in self.lookups:
                out += lookup.table
                out += length_prefix(len(lookup.writable)) + lookup.writable
                out += length_prefix(len(lookup.readonly)) + lookup.readonly
        return bytes(out)


def parse(data: bytes) -> Message:
    """The message of these bytes, on which solders agrees.

    Raises `Malformed`; `LimitExceeded` beyond the size of a transaction or the number of instructions;
    `Refused` (``unsupported-transaction``) for a version that is not read here.
    """
    message = read(data)
    if message.to_bytes() != data or _solders_encoding(data) != data:
        raise Malformed("transaction: two encoders disagree about these bytes, so nobody signs them")
    return message


def read(data: bytes) -> Message:
    """As `parse`, by our own reader alone; needs no library."""
    reader, version = _opened(data)
    required = int.from_bytes(data[reader.position : reader.position + 1], "big")
    size = len(length_prefix(required)) + required * SIGNATURE_LENGTH + len(data)
    if size > MAX_WIRE_BYTES:
        raise LimitExceeded(f"transaction: {size} bytes with its signatures, at most {MAX_WIRE_BYTES}")
    message = _structure(reader, version)
    reader.finish()
    _check(message)
    return message


def begins_like_transaction(data: bytes) -> bool:
    """Whether these bytes, of any length and with anything behind, read as a transaction's message of any
    version: what must never be signed as something else.

    Text cannot begin like a version that exists or will soon: UTF-8 has no first byte between 0x80 and 0xC1.
    """
    if data[:1] >= b"\x80":
        return data[0] < 0xC2
    try:
        message = _structure(Reader(data), "legacy")
        _check_header(message)
    except Malformed:
        return False
    return True


class Reader:
    """Takes bytes from the front; raises `Malformed` where there are none."""

    __slots__ = ("data", "position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data, self.position = data, position

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        end = self.position + count
        if end > len(self.data):
            raise Malformed("transaction: ends in the middle of a field")
        taken, self.position = self.data[self.position : end], end
        return taken

    def length(self) -> int:
        """A length of up to 16 bits, seven in a byte, in the fewest bytes that hold it."""
        value = 0
        for place in range(3):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                if (place and not byte) or value > 0xFFFF:
                    break
                return value
        raise Malformed("transaction: a length is not written in its one way")

    def finish(self) -> None:
        """Raises `Malformed` when bytes are left."""
        if self.position != len(self.data):
            raise Malformed("transaction: bytes after its end")


def length_prefix(value: int) -> bytes:
    """Inverse of `Reader.length`."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _check_version(version: int) -> None:
    if version == _OFF_CHAIN:
        raise Malformed("transaction: these bytes begin like an off-chain message")
    if version:
        raise Refused(
            f"transaction: version {version} is not read here; build a legacy or version 0 transaction",
            code="unsupported-transaction",
        )


def _opened(data: bytes) -> tuple[Reader, str]:
    if data and data[0] >= _VERSIONED:
        _check_version(data[0] - _VERSIONED)
        return Reader(data, 1), "v0"
    return Reader(data), "legacy"


def _structure(reader: Reader, version: str) -> Message:
    required, readonly_signed, readonly_unsigned = reader.take(3)
    keys = tuple(reader.take(32) for _ in range(reader.length()))
    blockhash = reader.take(32)
    instructions = tuple(_instruction(reader) for _ in range(reader.length()))
    lookups: tuple[Lookup, ...] = ()
    if version == "v0":
        lookups = tuple(_lookup(reader) for _ in range(reader.length()))
    return Message(
        version, required, readonly_signed, readonly_unsigned, keys, blockhash, instructions, lookups
    )


def _instruction(reader: Reader) -> Instruction:
    program = reader.take(1)[0]
    accounts = reader.take(reader.length())
    return Instruction(program, accounts, reader.take(reader.length()))


def _lookup(reader: Reader) -> Lookup:
    table = reader.take(32)
    writable = reader.take(reader.length())
    return Lookup(table, writable, reader.take(reader.length()))


def _check_header(message: Message) -> None:
    if message.readonly_signed >= message.required:
        raise Malformed("transaction: nobody pays; the first signer must be one that is written to")
    if message.required + message.readonly_unsigned > len(message.keys):
        raise Malformed("transaction: fewer accounts than its header speaks of")


def _check(message: Message) -> None:
    """What validators check before they look at signatures."""
    _check_header(message)
    named = len(message.keys)
    total = named + len(message.looked_up)
    if len(message.instructions) > MAX_INSTRUCTIONS:
        raise LimitExceeded(
            f"transaction: {len(message.instructions)} instructions, at most {MAX_INSTRUCTIONS} are executed"
        )
    if total > MAX_ACCOUNTS:
        raise Malformed(f"transaction: {total} accounts, at most {MAX_ACCOUNTS} can be named")
    if len(set(message.keys)) != named:
        raise Malformed("transaction: names an account twice")
    if not message.instructions:
        raise Malformed("transaction: has no instructions, so it would only cost its fee")
    for lookup in message.lookups:
        if not lookup.writable and not lookup.readonly:
            raise Malformed("transaction: a lookup table from which nothing is taken")
    for instruction in message.instructions:
        if not 0 < instruction.program < named:
            raise Malformed("transaction: a program must be named in the message, and cannot be the payer")
        if any(index >= total for index in instruction.accounts):
            raise Malformed("transaction: an instruction names an account that is not there")


def _solders_encoding(data: bytes) -> bytes:
    solders = load()
    try:
        theirs = solders.message.from_bytes_versioned(data)
        blank = [solders.signature.Signature.default()] * theirs.header.num_required_signatures
        solders.transaction.VersionedTransaction.populate(theirs, blank).sanitize()
        return bytes(solders.message.to_bytes_versioned(theirs))
    except (ValueError, TypeError, solders.transaction.SanitizeError):
        return b""
