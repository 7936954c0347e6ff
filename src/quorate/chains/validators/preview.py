"""What a person reads, and what a policy judges, of each message of a validator.

Attestations come every six minutes and nobody reads them; the fields are what matters there. A deposit and an
exit are read by people, and both are for good.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from quorate.chains.chain import Field, Level, Risk
from quorate.chains.sheet import Sheet
from quorate.chains.validators import ssz
from quorate.chains.validators.messages import (
    COMMITTEE_BITS,
    SLOT_BITS,
    Aggregate,
    AggregationSlot,
    AttestationData,
    AttestationMessage,
    BlockHeader,
    Deposit,
    Message,
    RandaoReveal,
    SyncContribution,
    SyncMessage,
    SyncSelection,
    VoluntaryExit,
)

_EXECUTION: Final = {0x01: "an execution address", 0x02: "an execution address, compounding"}


def show(sheet: Sheet, message: Message) -> None:
    """Fill the sheet; every kind also has the fields fork_version and signing_root."""
    _SHOWN[type(message)](sheet, message)
    root, version = hexed(message.signing_root()), hexed(message.fork.version)
    sheet.fields |= {"fork_version": version, "signing_root": root}
    sheet.add("Fork", version)
    sheet.add("Signing root", root)


def _attestation(sheet: Sheet, message: AttestationMessage) -> None:
    """Fields: slot, index, beacon_block_root, source_epoch, source_root, target_epoch, target_root."""
    sheet.title = f"Attest in slot {message.data.slot}"
    _data(sheet, message.data)


def _data(sheet: Sheet, data: AttestationData) -> None:
    sheet.fields |= {
        "slot": data.slot,
        "index": data.index,
        "beacon_block_root": hexed(data.beacon_block_root),
        "source_epoch": data.source.epoch,
        "source_root": hexed(data.source.root),
        "target_epoch": data.target.epoch,
        "target_root": hexed(data.target.root),
    }
    sheet.add("Slot", f"{data.slot}, committee {data.index}")
    sheet.add("Head", hexed(data.beacon_block_root))
    sheet.add("Source", f"epoch {data.source.epoch}, {hexed(data.source.root)}")
    sheet.add("Target", f"epoch {data.target.epoch}, {hexed(data.target.root)}")


def _block(sheet: Sheet, message: BlockHeader) -> None:
    """Fields: slot, proposer_index, parent_root, state_root, body_root."""
    sheet.title = f"Propose the block of slot {message.slot}"
    _numbers(sheet, slot=message.slot, proposer_index=message.proposer_index)
    _roots(sheet, parent_root=message.parent_root, state_root=message.state_root, body_root=message.body_root)
    sheet.add("Contents", "only the block's roots are signed; what is in it is not shown", Level.CAUTION)


def _randao(sheet: Sheet, message: RandaoReveal) -> None:
    """Fields: epoch."""
    sheet.title = f"Reveal the randomness for epoch {message.epoch}"
    _numbers(sheet, epoch=message.epoch)


def _aggregation_slot(sheet: Sheet, message: AggregationSlot) -> None:
    """Fields: slot."""
    sheet.title = f"Draw whether to aggregate in slot {message.slot}"
    _numbers(sheet, slot=message.slot)


def _aggregate(sheet: Sheet, message: Aggregate) -> None:
    """Fields: aggregator_index, bits, electra, and those of an attestation."""
    limit = SLOT_BITS if message.committee_bits else COMMITTEE_BITS
    bits = ssz.bitlist_length(message.aggregation_bits, limit)
    sheet.title = f"Hand on an aggregate of slot {message.data.slot}"
    _numbers(sheet, aggregator_index=message.aggregator_index)
    sheet.fields |= {"bits": bits, "electra": bool(message.committee_bits)}
    votes = int.from_bytes(message.aggregation_bits, "little").bit_count() - 1
    sheet.add("Attesters", f"{votes} of {bits}")
    _data(sheet, message.data)


def _sync_message(sheet: Sheet, message: SyncMessage) -> None:
    """Fields: beacon_block_root."""
    sheet.title = "Vote for a head in the sync committee"
    _roots(sheet, beacon_block_root=message.beacon_block_root)


def _sync_selection(sheet: Sheet, message: SyncSelection) -> None:
    """Fields: slot, subcommittee_index."""
    sheet.title = f"Draw whether to aggregate for the sync committee in slot {message.slot}"
    _numbers(sheet, slot=message.slot, subcommittee_index=message.subcommittee_index)


def _sync_contribution(sheet: Sheet, message: SyncContribution) -> None:
    """Fields: aggregator_index, slot, subcommittee_index, beacon_block_root."""
    sheet.title = f"Hand on votes of the sync committee in slot {message.slot}"
    _numbers(
        sheet,
        aggregator_index=message.aggregator_index,
        slot=message.slot,
        subcommittee_index=message.subcommittee_index,
    )
    _roots(sheet, beacon_block_root=message.beacon_block_root)


def _exit(sheet: Sheet, message: VoluntaryExit) -> None:
    """Fields: epoch, validator_index."""
    sheet.title = f"END validator {message.validator_index} for ever"
    sheet.add(
        "Effect",
        "the validator leaves and cannot come back; its balance goes where its withdrawal credentials say",
        Level.DANGER,
        Risk.ACCOUNT_DELETION,
    )
    _numbers(sheet, validator_index=message.validator_index, epoch=message.epoch)


def _deposit(sheet: Sheet, message: Deposit) -> None:
    """Fields: amount (Gwei), withdrawal_credentials, withdrawal_address (empty unless it is one)."""
    credentials = message.withdrawal_credentials
    kind = _EXECUTION.get(credentials[0]) if not any(credentials[1:12]) else None
    address = hexed(credentials[12:]) if kind else ""
    sheet.title = f"Begin a validator with {sheet.chain.amount(message.amount)}"
    sheet.fields |= {
        "amount": message.amount,
        "withdrawal_credentials": hexed(credentials),
        "withdrawal_address": address,
    }
    sheet.add("Amount", sheet.chain.amount(message.amount))
    if kind:
        sheet.add("Withdrawals", f"to {address} ({kind}), for ever", Level.CAUTION, Risk.OWNERSHIP)
    elif credentials[0] == 0x00:
        shown = f"to whoever has the BLS key behind {hexed(credentials)}"
        sheet.add("Withdrawals", shown, Level.DANGER, Risk.OWNERSHIP)
    else:
        shown = f"to credentials of an unknown form: {hexed(credentials)}"
        sheet.add("Withdrawals", shown, Level.DANGER, Risk.OWNERSHIP)


def _numbers(sheet: Sheet, **values: int) -> None:
    for name, value in values.items():
        sheet.fields[name] = value
        sheet.add(name.replace("_", " ").capitalize(), str(value))


def _roots(sheet: Sheet, **values: bytes) -> None:
    for name, value in values.items():
        shown: Field = hexed(value)
        sheet.fields[name] = shown
        sheet.add(name.replace("_", " ").capitalize(), hexed(value))


def hexed(value: bytes) -> str:
    """As the consensus layer's interfaces write bytes."""
    return "0x" + value.hex()


_SHOWN: Final[Mapping[type[Message], Callable[[Sheet, Any], None]]] = {
    AttestationMessage: _attestation,
    BlockHeader: _block,
    RandaoReveal: _randao,
    AggregationSlot: _aggregation_slot,
    Aggregate: _aggregate,
    SyncMessage: _sync_message,
    SyncSelection: _sync_selection,
    SyncContribution: _sync_contribution,
    VoluntaryExit: _exit,
    Deposit: _deposit,
}
