"""Signatures into a PSBT, the finished inputs, and the transaction (BIP 174's Finalizer and Extractor).

Two PSBTs come out besides the transaction: the *signed* one, with field 0x02 or 0x13 filled in, which any
wallet can combine and finish; and the *final* one, whose inputs carry their witness and nothing more than
BIP 174 leaves them. Inputs of others stay as they came.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Final

from quorate.chains.bitcoin import fields
from quorate.chains.bitcoin.psbt import Psbt
from quorate.chains.bitcoin.scripts import Kind, program
from quorate.chains.bitcoin.spending import Own, Spending, final_scripts
from quorate.chains.bitcoin.wire import Transaction, stack
from quorate.chains.chain import Field, Signed

_KEPT: Final = frozenset(
    [
        fields.PREVIOUS,
        fields.SPENT,
        fields.PREVIOUS_ID,
        fields.OUTPUT_INDEX,
        fields.SEQUENCE,
        fields.LOCK_TIME,
        fields.LOCK_HEIGHT,
    ]
)
"""What a finished input keeps besides its scripts and unknown fields."""


def attach_signatures(spending: Spending, written: Sequence[bytes]) -> Signed:
    """`written`: for each of our inputs its signature as the witness carries it, verified."""
    psbt = spending.psbt
    partial, final = list(psbt.inputs), list(psbt.inputs)
    for own, signature in zip(spending.own, written, strict=True):
        partial[own.index] = _with_signature(psbt.inputs[own.index], spending, own, signature)
        final[own.index] = _finished(psbt.inputs[own.index], spending, own, signature)
    overall = _fixed(psbt.overall)
    signed = psbt.with_inputs(tuple(partial), overall)
    finished = psbt.with_inputs(tuple(final), overall)
    scripts = [final_scripts(map_) for map_ in finished.inputs]
    transaction = spending.transaction.finished(found or (b"", ()) for found in scripts)
    complete = None not in scripts
    details: dict[str, Field] = {
        "txid": transaction.txid,
        "txid_final": complete or _id_is_fixed(spending, scripts),
        "complete": complete,
        "psbt": _base64(signed),
        "final_psbt": _base64(finished),
    }
    return Signed(_raw(transaction, signed, complete=complete), transaction.txid, details)


def witness_of(spending_key: bytes, own: Own, signature: bytes) -> tuple[bytes, ...]:
    """The witness of one input: the signature, for P2WPKH with the key."""
    return (signature, spending_key) if own.kind is Kind.P2WPKH else (signature,)


def _raw(transaction: Transaction, signed: Psbt, *, complete: bool) -> bytes:
    # while others have still to sign there is no transaction to send, and the PSBT is what goes round
    return transaction.to_bytes() if complete else signed.to_bytes()


def _with_signature(
    map_: Mapping[bytes, bytes], spending: Spending, own: Own, signature: bytes
) -> Mapping[bytes, bytes]:
    if own.kind is Kind.P2WPKH:
        return {**map_, bytes([fields.PARTIAL]) + spending.key.public: signature}
    return {**map_, fields.TAPROOT_SIGNATURE: signature}


def _finished(
    map_: Mapping[bytes, bytes], spending: Spending, own: Own, signature: bytes
) -> Mapping[bytes, bytes]:
    kept = {key: value for key, value in map_.items() if key in _KEPT or not fields.known("input", key)}
    return {**kept, fields.FINAL_WITNESS: stack(witness_of(spending.key.public, own, signature))}


def _fixed(overall: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
    """BIP 370: a signature of all inputs and outputs ends their being modifiable."""
    if fields.MODIFIABLE not in overall:
        return overall
    return {**overall, fields.MODIFIABLE: bytes([overall[fields.MODIFIABLE][0] & ~0b11 & 0xFF])}


def _id_is_fixed(spending: Spending, scripts: Sequence[object]) -> bool:
    """Whether the id cannot change any more: inputs still open spend witness programs, so need no script."""
    return all(
        found is not None or program(output.script) is not None
        for found, output in zip(scripts, spending.psbt.spent, strict=True)
    )


def _base64(psbt: Psbt) -> str:
    return b64encode(psbt.to_bytes()).decode()
