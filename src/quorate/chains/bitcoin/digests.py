"""What a signature of an input signs: BIP 143 for P2WPKH, BIP 341 for a taproot key path.

Only the two types that sign the whole transaction exist here: ALL, and taproot's DEFAULT (the same with
nothing behind the signature). NONE, SINGLE and ANYONECANPAY let others change what a person has been shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quorate.chains.bitcoin.hashes import double, single, tagged
from quorate.chains.bitcoin.scripts import key_hash_script
from quorate.chains.bitcoin.wire import Output, Transaction, sized

DEFAULT: Final = 0x00
ALL: Final = 0x01


def witness_digest(transaction: Transaction, index: int, amount: int, key_hash: bytes) -> bytes:
    """BIP 143's digest of a P2WPKH input with type ALL."""
    entry = transaction.inputs[index]
    return double(
        b"".join(
            (
                transaction.version.to_bytes(4, "little"),
                double(b"".join(each.outpoint for each in transaction.inputs)),
                double(b"".join(each.sequence.to_bytes(4, "little") for each in transaction.inputs)),
                entry.outpoint,
                sized(key_hash_script(key_hash)),
                amount.to_bytes(8, "little"),
                entry.sequence.to_bytes(4, "little"),
                double(b"".join(output.to_bytes() for output in transaction.outputs)),
                transaction.locktime.to_bytes(4, "little"),
                ALL.to_bytes(4, "little"),
            )
        )
    )


def taproot_digest(transaction: Transaction, index: int, spent: Sequence[Output], kind: int) -> bytes:
    """BIP 341's digest of a key path without annex; `kind` is DEFAULT or ALL."""
    return tagged("TapSighash", taproot_message(transaction, index, spent, kind))


def taproot_message(transaction: Transaction, index: int, spent: Sequence[Output], kind: int) -> bytes:
    """What `taproot_digest` hashes: the epoch byte, then "Common signature message" of BIP 341."""
    return b"".join(
        (
            b"\x00",
            bytes([kind]),
            transaction.version.to_bytes(4, "little"),
            transaction.locktime.to_bytes(4, "little"),
            single(b"".join(each.outpoint for each in transaction.inputs)),
            single(b"".join(output.value.to_bytes(8, "little") for output in spent)),
            single(b"".join(sized(output.script) for output in spent)),
            single(b"".join(each.sequence.to_bytes(4, "little") for each in transaction.inputs)),
            single(b"".join(output.to_bytes() for output in transaction.outputs)),
            b"\x00",
            index.to_bytes(4, "little"),
        )
    )
