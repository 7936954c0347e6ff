"""Partially signed transactions of version 0 (BIP 174) and 2 (BIP 370), read strictly.

A PSBT is a list of maps: one for the whole, one for each input and each output. BIP 174 leaves the order of
a map's fields open; a request has one body, so here they are sorted by key (most writers do that anyway) and
`normal` sorts those of others. Nothing is dropped.

Every input must say which output it spends. BIP 143 hashes the amount of its own input only and BIP 341 those
of all, so a signer that does not know them all signs a fee it does not know. `witness_utxo` is taken as the
word of whoever made the PSBT, `non_witness_utxo` (the whole previous transaction) is checked against the
outpoint and proves it; where both are there they must agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from quorate.chains.bitcoin import fields
from quorate.chains.bitcoin.wire import (
    FINAL_SEQUENCE,
    MAX_MONEY,
    Input,
    Output,
    Reader,
    Transaction,
    compact,
    parse_transaction,
    read_output,
    sized,
)
from quorate.errors import LimitExceeded, Malformed

MAGIC: Final = b"psbt\xff"

MAX_INPUTS: Final = 250
"""Inputs of one request. Each of ours is a signature of its own, and each a line to read."""

MAX_OUTPUTS: Final = 250
"""Outputs of one request: as many as anybody could still read."""

LOCKTIME_THRESHOLD: Final = 500_000_000
"""A lock time below this is a block's height, from it on seconds since 1970 (consensus)."""

Map = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Psbt:
    """A PSBT whose every input says what it spends. `proven` tells which of them prove it."""

    version: int
    overall: Map
    inputs: tuple[Map, ...]
    outputs: tuple[Map, ...]
    transaction: Transaction
    spent: tuple[Output, ...]
    proven: tuple[bool, ...]

    def to_bytes(self) -> bytes:
        """The one encoding: fields sorted by key."""
        return MAGIC + b"".join(_write(fields_) for fields_ in (self.overall, *self.inputs, *self.outputs))

    @property
    def fee(self) -> int:
        """What the inputs hold beyond the outputs. Never negative: `parse` refuses that."""
        return sum(entry.value for entry in self.spent) - sum(out.value for out in self.transaction.outputs)

    def with_inputs(self, inputs: tuple[Map, ...], overall: Map | None = None) -> Psbt:
        """The same transaction with other input maps."""
        return replace(self, inputs=inputs, overall=self.overall if overall is None else overall)


def parse(data: bytes) -> Psbt:
    """Strict inverse of `Psbt.to_bytes`. Raises `Malformed` or `LimitExceeded`."""
    return _assemble(*_split(data, in_order=True))


def normal(data: bytes) -> bytes:
    """The one encoding of a PSBT whose maps are in any order. Raises like `parse`."""
    return _assemble(*_split(data, in_order=False)).to_bytes()


def _split(data: bytes, *, in_order: bool) -> tuple[Map, tuple[Map, ...], tuple[Map, ...]]:
    reader = Reader(data, "PSBT")
    if reader.take(len(MAGIC)) != MAGIC:
        raise Malformed("PSBT: does not begin like one")
    overall = _read(reader, "global", "PSBT", in_order=in_order)
    version = int.from_bytes(overall.get(fields.VERSION, bytes(4)), "little")
    if version == 0:
        unsigned = parse_transaction(_needed(overall, fields.UNSIGNED, "PSBT"), "PSBT: its transaction")
        counts = len(unsigned.inputs), len(unsigned.outputs)
    elif version == 2:
        counts = _count(overall, fields.INPUT_COUNT), _count(overall, fields.OUTPUT_COUNT)
    else:
        raise Malformed(f"PSBT: version {version} is not known; 0 and 2 are")
    for count, limit, what in zip(counts, (MAX_INPUTS, MAX_OUTPUTS), ("inputs", "outputs"), strict=True):
        if count == 0:
            raise Malformed(f"PSBT: has no {what}")
        if count > limit:
            raise LimitExceeded(f"PSBT: {count} {what}; at most {limit} can be shown to anybody")
    inputs, outputs = (
        tuple(_read(reader, kind, f"PSBT {kind} {index}", in_order=in_order) for index in range(count))
        for kind, count in zip(("input", "output"), counts, strict=True)
    )
    reader.end()
    return overall, inputs, outputs


def _read(reader: Reader, kind: str, where: str, *, in_order: bool) -> Map:
    found: dict[bytes, bytes] = {}
    last = b""
    while length := reader.compact():
        key = reader.take(length)
        if key in found:
            raise Malformed(f"{where}: one field twice")
        if in_order and key < last:
            raise Malformed(f"{where}: its fields are not sorted, which the canonical form needs")
        value = reader.sized()
        fields.check_field(kind, key, value, where)
        found[key] = value
        last = key
    return dict(sorted(found.items()))


def _write(fields_: Map) -> bytes:
    return b"".join(sized(key) + sized(fields_[key]) for key in sorted(fields_)) + b"\x00"


def _assemble(overall: Map, inputs: tuple[Map, ...], outputs: tuple[Map, ...]) -> Psbt:
    if overall.get(fields.VERSION, bytes(4)) == bytes(4):
        transaction = _unsigned(overall, inputs, outputs)
        version = 0
    else:
        transaction = _constructed(overall, inputs, outputs)
        version = 2
    if len({entry.outpoint for entry in transaction.inputs}) != len(inputs):
        raise Malformed("PSBT: two inputs spend one output")
    pairs = [
        _spent(entry, map_, f"PSBT input {index}")
        for index, (entry, map_) in enumerate(zip(transaction.inputs, inputs, strict=True))
    ]
    spent = tuple(output for output, _ in pairs)
    held = sum(output.value for output in spent)
    if held > MAX_MONEY or held < sum(output.value for output in transaction.outputs):
        raise Malformed("PSBT: its outputs hold more than its inputs, or these more coins than exist")
    proven = tuple(by_transaction for _, by_transaction in pairs)
    return Psbt(version, overall, inputs, outputs, transaction, spent, proven)


def _unsigned(overall: Map, inputs: tuple[Map, ...], outputs: tuple[Map, ...]) -> Transaction:
    for kind, maps in (("global", (overall,)), ("input", inputs), ("output", outputs)):
        if any(key in map_ for map_ in maps for key in fields.ONLY_VERSION_2[kind]):
            raise Malformed(f"PSBT {kind}: a field of version 2 in one of version 0")
    transaction = parse_transaction(overall[fields.UNSIGNED], "PSBT: its transaction")
    if any(entry.script or entry.witness for entry in transaction.inputs):
        raise Malformed("PSBT: its transaction carries signatures; they belong into the inputs' maps")
    return transaction


def _constructed(overall: Map, inputs: tuple[Map, ...], outputs: tuple[Map, ...]) -> Transaction:
    if fields.UNSIGNED in overall:
        raise Malformed("PSBT: a whole transaction in one of version 2")
    built = tuple(
        Input(
            _needed(map_, fields.PREVIOUS_ID, f"PSBT input {index}"),
            _number(_needed(map_, fields.OUTPUT_INDEX, f"PSBT input {index}")),
            _number(map_.get(fields.SEQUENCE, FINAL_SEQUENCE.to_bytes(4, "little"))),
        )
        for index, map_ in enumerate(inputs)
    )
    paid = tuple(
        Output(
            _number(_needed(map_, fields.AMOUNT, f"PSBT output {index}")),
            _needed(map_, fields.SCRIPT, f"PSBT output {index}"),
        )
        for index, map_ in enumerate(outputs)
    )
    if any(output.value > MAX_MONEY for output in paid):
        raise Malformed("PSBT: an output of more coins than exist")
    version = _number(_needed(overall, fields.TX_VERSION, "PSBT"))
    return Transaction(version, built, paid, _locktime(overall, inputs))


def _locktime(overall: Map, inputs: tuple[Map, ...]) -> int:
    """BIP 370, "Determining Lock Time": the latest of what inputs need, of the one kind that suits all."""
    needing = [map_ for map_ in inputs if fields.LOCK_TIME in map_ or fields.LOCK_HEIGHT in map_]
    for map_ in needing:
        height, time = map_.get(fields.LOCK_HEIGHT), map_.get(fields.LOCK_TIME)
        if height is not None and not 0 < _number(height) < LOCKTIME_THRESHOLD:
            raise Malformed("PSBT: a required height that is none")
        if time is not None and _number(time) < LOCKTIME_THRESHOLD:
            raise Malformed("PSBT: a required time that is none")
    if not needing:
        return _number(overall.get(fields.FALLBACK_LOCKTIME, bytes(4)))
    for kind in (fields.LOCK_HEIGHT, fields.LOCK_TIME):
        if all(kind in map_ for map_ in needing):
            return max(_number(map_[kind]) for map_ in needing)
    raise Malformed("PSBT: one input needs a height and another a time, which one transaction cannot give")


def _spent(entry: Input, map_: Map, where: str) -> tuple[Output, bool]:
    """The output an input spends, and whether the PSBT proves it."""
    claimed = None
    if fields.SPENT in map_:
        reader = Reader(map_[fields.SPENT], f"{where}: witness_utxo")
        claimed = read_output(reader)
        reader.end()
    if fields.PREVIOUS not in map_:
        if claimed is None:
            raise Malformed(
                f"{where}: does not say what it spends; a signer needs witness_utxo or non_witness_utxo of "
                "every input, other people's too"
            )
        return claimed, False
    previous = parse_transaction(map_[fields.PREVIOUS], f"{where}: non_witness_utxo")
    if previous.hash != entry.previous or entry.index >= len(previous.outputs):
        raise Malformed(f"{where}: non_witness_utxo is not the transaction it spends from")
    output = previous.outputs[entry.index]
    if claimed is not None and claimed != output:
        raise Malformed(f"{where}: witness_utxo and non_witness_utxo disagree")
    return output, True


def _needed(map_: Map, key: bytes, where: str) -> bytes:
    value = map_.get(key)
    if value is None:
        raise Malformed(f"{where}: field 0x{key[0]:02x} is missing")
    return value


def _number(value: bytes) -> int:
    return int.from_bytes(value, "little")


def _count(overall: Map, key: bytes) -> int:
    data = _needed(overall, key, "PSBT")
    reader = Reader(data, "PSBT: a count")
    value = reader.compact()
    reader.end()
    if compact(value) != data:
        raise Malformed("PSBT: a count that is not in its shortest form")
    return value
