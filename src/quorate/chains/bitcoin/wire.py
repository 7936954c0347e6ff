"""Transactions as bytes (BIP 144), read strictly: shortest lengths, nothing left over, possible amounts.

What is refused here is refused by the network too, or has a second spelling that the network would accept; a
request has one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from quorate.chains.bitcoin.hashes import double
from quorate.errors import Malformed

MAX_MONEY: Final = 21_000_000 * 100_000_000
"""Satoshi that can ever exist; consensus refuses an output, or a sum of outputs, above it."""

FINAL_SEQUENCE: Final = 0xFFFF_FFFF
"""An input that neither waits nor may be replaced; also what BIP 370 fills in where none is given."""


@dataclass(frozen=True, slots=True)
class Input:
    """Spends output `index` of the transaction `previous` (32 bytes as hashed, not as displayed)."""

    previous: bytes
    index: int
    sequence: int
    script: bytes = b""
    witness: tuple[bytes, ...] = ()

    @property
    def outpoint(self) -> bytes:
        """36 bytes."""
        return self.previous + self.index.to_bytes(4, "little")

    @property
    def name(self) -> str:
        """As explorers write it: ``<txid>:<index>``."""
        return f"{self.previous[::-1].hex()}:{self.index}"


@dataclass(frozen=True, slots=True)
class Output:
    """Satoshi, and the script that says who may spend them."""

    value: int
    script: bytes

    def to_bytes(self) -> bytes:
        """As in a transaction."""
        return self.value.to_bytes(8, "little") + sized(self.script)


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction, signed or not."""

    version: int
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    locktime: int

    def to_bytes(self, *, witness: bool = True) -> bytes:
        """The network's form; with `witness` false (or none there), the form that the id is the hash of."""
        witness = witness and any(entry.witness for entry in self.inputs)
        parts = [self.version.to_bytes(4, "little"), b"\x00\x01" if witness else b""]
        parts.append(compact(len(self.inputs)))
        for entry in self.inputs:
            parts += [entry.outpoint, sized(entry.script), entry.sequence.to_bytes(4, "little")]
        parts.append(compact(len(self.outputs)))
        parts += [output.to_bytes() for output in self.outputs]
        if witness:
            parts += [stack(entry.witness) for entry in self.inputs]
        parts.append(self.locktime.to_bytes(4, "little"))
        return b"".join(parts)

    @property
    def hash(self) -> bytes:
        """32 bytes, as inputs refer to it."""
        return double(self.to_bytes(witness=False))

    @property
    def txid(self) -> str:
        """As people and explorers write it: the hash in reverse."""
        return self.hash[::-1].hex()

    def finished(self, scripts: Iterable[tuple[bytes, tuple[bytes, ...]]]) -> Transaction:
        """With these scripts and witnesses, one pair for each input."""
        inputs = tuple(
            replace(entry, script=script, witness=witness)
            for entry, (script, witness) in zip(self.inputs, scripts, strict=True)
        )
        return replace(self, inputs=inputs)


class Reader:
    """Takes a byte string apart from the front. Every method raises `Malformed` naming `where`."""

    __slots__ = ("at", "data", "where")

    def __init__(self, data: bytes, where: str) -> None:
        self.data = data
        self.at = 0
        self.where = where

    def take(self, length: int) -> bytes:
        """Exactly so many bytes."""
        end = self.at + length
        if end > len(self.data):
            raise Malformed(f"{self.where}: ends too early")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def number(self, length: int) -> int:
        """A little-endian number."""
        return int.from_bytes(self.take(length), "little")

    def compact(self) -> int:
        """A length in its shortest form."""
        first = self.number(1)
        if first < 0xFD:
            return first
        width, least = {0xFD: (2, 0xFD), 0xFE: (4, 1 << 16), 0xFF: (8, 1 << 32)}[first]
        value = self.number(width)
        if value < least:
            raise Malformed(f"{self.where}: a length that is not in its shortest form")
        return value

    def sized(self) -> bytes:
        """A length and so many bytes."""
        return self.take(self.compact())

    def count(self, least_bytes: int) -> int:
        """How many entries follow, of `least_bytes` each or more; never more than could be there."""
        value = self.compact()
        if value * least_bytes > len(self.data) - self.at:
            raise Malformed(f"{self.where}: counts more entries than it holds")
        return value

    def end(self) -> None:
        """There is nothing more."""
        if self.at != len(self.data):
            raise Malformed(f"{self.where}: bytes follow its end")


def compact(value: int) -> bytes:
    """The shortest form of a length."""
    if value < 0xFD:
        return bytes([value])
    if value < 1 << 16:
        return b"\xfd" + value.to_bytes(2, "little")
    if value < 1 << 32:
        return b"\xfe" + value.to_bytes(4, "little")
    return b"\xff" + value.to_bytes(8, "little")


def sized(data: bytes) -> bytes:
    """The length, then the bytes."""
    return compact(len(data)) + data


def stack(items: Iterable[bytes]) -> bytes:
    """A witness: how many items, then each with its length."""
    items = tuple(items)
    return compact(len(items)) + b"".join(map(sized, items))


def parse_transaction(data: bytes, where: str) -> Transaction:
    """Strict inverse of `Transaction.to_bytes`. Raises `Malformed`."""
    reader = Reader(data, where)
    version = reader.number(4)
    count = reader.count(0)
    has_witness = count == 0
    if has_witness:
        if reader.take(1) != b"\x01":
            raise Malformed(f"{where}: a transaction without inputs")
        count = reader.count(41)
    inputs = [_read_input(reader) for _ in range(count)]
    outputs = tuple(read_output(reader) for _ in range(reader.count(9)))
    if has_witness:
        inputs = [replace(entry, witness=read_stack(reader)) for entry in inputs]
    transaction = Transaction(version, tuple(inputs), outputs, reader.number(4))
    reader.end()
    if not (inputs and outputs) or (has_witness and not any(entry.witness for entry in inputs)):
        raise Malformed(f"{where}: a transaction has inputs and outputs, and witnesses where it says so")
    if sum(output.value for output in outputs) > MAX_MONEY:
        raise Malformed(f"{where}: its outputs hold more coins than exist")
    return transaction


def read_output(reader: Reader) -> Output:
    """One output. Raises `Malformed`."""
    value = reader.number(8)
    if value > MAX_MONEY:
        raise Malformed(f"{reader.where}: an output of more coins than exist")
    return Output(value, reader.sized())


def read_stack(reader: Reader) -> tuple[bytes, ...]:
    """The items of a witness. Raises `Malformed`."""
    return tuple(reader.sized() for _ in range(reader.count(1)))


def _read_input(reader: Reader) -> Input:
    previous, index = reader.take(32), reader.number(4)
    script = reader.sized()
    return Input(previous, index, reader.number(4), script)
