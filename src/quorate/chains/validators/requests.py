"""Payloads from what validator software asks a remote signer: the JSON of Web3Signer's ``eth2/sign``.

A signing request there names its type, the message, and the fork schedule around now (`fork_info`), from
which the version is chosen by the message's own epoch, as the specification's `get_domain` does. The
``signingRoot`` that such a request may carry is not read: every signer computes it.

An exit is valid under the Capella version since Deneb (EIP-7044), which `fork_info` does not tell: it is
known for the known networks, and elsewhere given as ``fork_version`` beside the message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from quorate.chains.chain import Request
from quorate.chains.validators.messages import (
    Aggregate,
    AggregationSlot,
    AttestationData,
    AttestationMessage,
    BlockHeader,
    Checkpoint,
    Deposit,
    Fork,
    Message,
    RandaoReveal,
    SyncContribution,
    SyncMessage,
    SyncSelection,
    VoluntaryExit,
)
from quorate.chains.validators.networks import capella_version, network_id
from quorate.encoding import encode
from quorate.errors import Malformed

SLOTS_PER_EPOCH: Final = 32
"""Of the mainnet preset, which all known networks share; it only picks the fork's version."""

_DIGITS: Final = re.compile(r"0|[1-9][0-9]{0,19}")
_HEX: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


def from_web3signer(document: Mapping[str, Any], account: str, chain: str = "") -> bytes:
    """The payload of one signing request for the validator `account`.

    `chain` is needed for deposits alone, which name no network. Raises `Malformed`.
    """
    kind = document.get("type")
    if kind == "DEPOSIT":
        if not chain:
            raise Malformed("DEPOSIT: a deposit names no network; say for which chain it is meant")
        return to_payload(_deposit(_Reader(document)), account, chain)
    build = _BUILDERS.get(kind) if isinstance(kind, str) else None
    if build is None:
        raise Malformed(f"type: not one of {', '.join((*_BUILDERS, 'DEPOSIT'))}")
    reader = _Reader(document)
    root = reader.inside("fork_info").octets("genesis_validators_root", 32)
    named = network_id(root)
    if chain and chain != named:
        raise Malformed(f"fork_info: the request is for {named}, not for {chain}")
    return to_payload(build(reader), account, named)


def to_payload(message: Message, account: str, chain: str) -> bytes:
    """The payload that asks `account` to sign `message` on `chain`."""
    return Request(1, chain, account, message.kind, encode(message)).to_payload()


class _Reader:
    """A JSON object read by name, with errors that say where."""

    def __init__(self, value: Any, where: str = "") -> None:
        if not isinstance(value, Mapping):
            raise Malformed(f"{where or 'the request'}: expected an object")
        self._value = value
        self._where = where

    def has(self, name: str) -> bool:
        return self._value.get(name) is not None

    def inside(self, name: str) -> _Reader:
        return _Reader(self._value.get(name), self._place(name))

    def number(self, name: str) -> int:
        """Decimal digits in quotation marks, as the consensus layer's interfaces write numbers."""
        value = self._value.get(name)
        if not isinstance(value, str) or not _DIGITS.fullmatch(value) or int(value) >> 64:
            raise Malformed(f"{self._place(name)}: expected a number below 2^64 in quotation marks")
        return int(value)

    def octets(self, name: str, length: int = 0) -> bytes:
        value = self._value.get(name)
        if (
            not isinstance(value, str)
            or not _HEX.fullmatch(value)
            or (length and len(value) != 2 + 2 * length)
        ):
            raise Malformed(f"{self._place(name)}: expected 0x and {2 * length or 'hexadecimal'} digits")
        return bytes.fromhex(value[2:])

    def _place(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name


def _fork(reader: _Reader, epoch: int) -> Fork:
    """The version in force in `epoch`."""
    schedule = reader.inside("fork_info").inside("fork")
    name = "previous_version" if epoch < schedule.number("epoch") else "current_version"
    root = reader.inside("fork_info").octets("genesis_validators_root", 32)
    return Fork(schedule.octets(name, 4), root)


def _data(reader: _Reader) -> AttestationData:
    source, target = reader.inside("source"), reader.inside("target")
    return AttestationData(
        reader.number("slot"),
        reader.number("index"),
        reader.octets("beacon_block_root", 32),
        Checkpoint(source.number("epoch"), source.octets("root", 32)),
        Checkpoint(target.number("epoch"), target.octets("root", 32)),
    )


def _attestation(reader: _Reader) -> Message:
    data = _data(reader.inside("attestation"))
    return AttestationMessage(_fork(reader, data.target.epoch), data)


def _block(reader: _Reader) -> Message:
    block = reader.inside("beacon_block")
    if not block.has("block_header"):
        raise Malformed("beacon_block.block_header: send the header (BLOCK_V2), not the whole block")
    header = block.inside("block_header")
    slot = header.number("slot")
    return BlockHeader(
        _fork(reader, slot // SLOTS_PER_EPOCH),
        slot,
        header.number("proposer_index"),
        header.octets("parent_root", 32),
        header.octets("state_root", 32),
        header.octets("body_root", 32),
    )


def _randao(reader: _Reader) -> Message:
    epoch = reader.inside("randao_reveal").number("epoch")
    return RandaoReveal(_fork(reader, epoch), epoch)


def _aggregation_slot(reader: _Reader) -> Message:
    slot = reader.inside("aggregation_slot").number("slot")
    return AggregationSlot(_fork(reader, slot // SLOTS_PER_EPOCH), slot)


def _aggregate(reader: _Reader) -> Message:
    outer = reader.inside("aggregate_and_proof")
    if outer.has("data"):  # the second version wraps it with the fork's name
        outer = outer.inside("data")
    inner = outer.inside("aggregate")
    data = _data(inner.inside("data"))
    return Aggregate(
        _fork(reader, data.slot // SLOTS_PER_EPOCH),
        outer.number("aggregator_index"),
        inner.octets("aggregation_bits"),
        data,
        inner.octets("signature", 96),
        outer.octets("selection_proof", 96),
        inner.octets("committee_bits", 8) if inner.has("committee_bits") else b"",
    )


def _sync_message(reader: _Reader) -> Message:
    said = reader.inside("sync_committee_message")
    slot = said.number("slot")
    return SyncMessage(_fork(reader, slot // SLOTS_PER_EPOCH), said.octets("beacon_block_root", 32))


def _sync_selection(reader: _Reader) -> Message:
    said = reader.inside("sync_aggregator_selection_data")
    slot = said.number("slot")
    return SyncSelection(_fork(reader, slot // SLOTS_PER_EPOCH), slot, said.number("subcommittee_index"))


def _sync_contribution(reader: _Reader) -> Message:
    outer = reader.inside("contribution_and_proof")
    inner = outer.inside("contribution")
    slot = inner.number("slot")
    return SyncContribution(
        _fork(reader, slot // SLOTS_PER_EPOCH),
        outer.number("aggregator_index"),
        slot,
        inner.octets("beacon_block_root", 32),
        inner.number("subcommittee_index"),
        inner.octets("aggregation_bits", 16),
        inner.octets("signature", 96),
        outer.octets("selection_proof", 96),
    )


def _exit(reader: _Reader) -> Message:
    said = reader.inside("voluntary_exit")
    root = reader.inside("fork_info").octets("genesis_validators_root", 32)
    version = reader.octets("fork_version", 4) if reader.has("fork_version") else capella_version(root)
    if not version:
        raise Malformed("fork_version: give the Capella version of this network; exits are signed for it")
    return VoluntaryExit(Fork(version, root), said.number("epoch"), said.number("validator_index"))


def _deposit(reader: _Reader) -> Message:
    said = reader.inside("deposit")
    return Deposit(
        Fork(said.octets("genesis_fork_version", 4), bytes(32)),
        said.octets("pubkey", 48),
        said.octets("withdrawal_credentials", 32),
        said.number("amount"),
    )


_BUILDERS: Final[Mapping[str, Callable[[_Reader], Message]]] = {
    "ATTESTATION": _attestation,
    "BLOCK_V2": _block,
    "RANDAO_REVEAL": _randao,
    "AGGREGATION_SLOT": _aggregation_slot,
    "AGGREGATE_AND_PROOF": _aggregate,
    "AGGREGATE_AND_PROOF_V2": _aggregate,
    "SYNC_COMMITTEE_MESSAGE": _sync_message,
    "SYNC_COMMITTEE_SELECTION_PROOF": _sync_selection,
    "SYNC_COMMITTEE_CONTRIBUTION_AND_PROOF": _sync_contribution,
    "VOLUNTARY_EXIT": _exit,
}
