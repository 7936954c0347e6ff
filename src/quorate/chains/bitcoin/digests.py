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


class Digests:
    """The digests of one transaction that spends these outputs. What its inputs share is hashed once."""

    __slots__ = ("_outpoints", "_outputs", "_sequences", "_spending", "_spent", "_transaction")

    def __init__(self, transaction: Transaction, spent: Sequence[Output]) -> None:
        self._transaction = transaction
        self._spent = tuple(spent)
        # BIP 341 takes SHA-256 of each list, BIP 143 the same once more
        self._outpoints = single(b"".join(each.outpoint for each in transaction.inputs))
        self._sequences = single(b"".join(each.sequence.to_bytes(4, "little") for each in transaction.inputs))
        self._outputs = single(b"".join(output.to_bytes() for output in transaction.outputs))
        amounts = single(b"".join(output.value.to_bytes(8, "little") for output in spent))
        self._spending = amounts + single(b"".join(sized(output.script) for output in spent))

    def witness(self, index: int, key_hash: bytes) -> bytes:
        """BIP 143's digest of a P2WPKH input with type ALL."""
        transaction, entry = self._transaction, self._transaction.inputs[index]
        return double(
            b"".join(
                (
                    transaction.version.to_bytes(4, "little"),
                    single(self._outpoints),
                    single(self._sequences),
                    entry.outpoint,
                    sized(key_hash_script(key_hash)),
                    self._spent[index].value.to_bytes(8, "little"),
                    entry.sequence.to_bytes(4, "little"),
                    single(self._outputs),
                    transaction.locktime.to_bytes(4, "little"),
                    ALL.to_bytes(4, "little"),
                )
            )
        )

    def taproot(self, index: int, kind: int) -> bytes:
        """BIP 341's digest of a key path without annex; `kind` is DEFAULT or ALL."""
        return tagged("TapSighash", self.taproot_message(index, kind))

    def taproot_message(self, index: int, kind: int) -> bytes:
        """What `taproot` hashes: the epoch byte, then "Common signature message" of BIP 341."""
        transaction = self._transaction
        return b"".join(
            (
                b"\x00",
                bytes([kind]),
                transaction.version.to_bytes(4, "little"),
                transaction.locktime.to_bytes(4, "little"),
                self._outpoints,
                self._spending,
                self._sequences,
                self._outputs,
                b"\x00",
                index.to_bytes(4, "little"),
            )
        )
