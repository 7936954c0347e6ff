"""A second opinion: embit reads the PSBT and computes the digests besides us, and unless both agree nobody
signs.

embit's own ``PSBT.sighash`` is not used. It takes ALL where none is named, which is a different digest for a
taproot input than the DEFAULT that a 64-byte signature has, and it hashes a transaction in which sequence 0
has become the final one. So its transaction is parsed from our bytes and its hashing functions are told the
type; and its reading of the PSBT is compared field by field.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quorate.chains.bitcoin.digests import Digests
from quorate.chains.bitcoin.library import load
from quorate.chains.bitcoin.psbt import Psbt
from quorate.chains.bitcoin.wire import FINAL_SEQUENCE, Output, Transaction
from quorate.errors import Malformed


def check_reading(psbt: Psbt) -> None:
    """Raise `Malformed` unless embit reads the same inputs, outputs and amounts."""
    library = load()
    errors = _errors(library.base.EmbitError)
    try:
        theirs = library.psbt.PSBT.parse(psbt.to_bytes())
        inputs = [
            (
                entry.txid[::-1],
                entry.vout,
                entry.sequence or FINAL_SEQUENCE,
                entry.utxo.value,
                entry.utxo.script_pubkey.data,
            )
            for entry in theirs.inputs
        ]
        outputs = [(out.value, out.script_pubkey.data) for out in theirs.outputs]
        version = theirs.tx_version
    except errors:
        raise Malformed("PSBT: the second reader does not take it") from None
    transaction = psbt.transaction
    ours = [
        # embit reads sequence 0 as the final one, in version 0 of the format only; here both count as one
        (entry.previous, entry.index, entry.sequence or FINAL_SEQUENCE, spent.value, spent.script)
        for entry, spent in zip(transaction.inputs, psbt.spent, strict=True)
    ]
    if (
        inputs != ours
        or outputs != [(out.value, out.script) for out in transaction.outputs]
        or version != transaction.version
    ):
        raise Malformed("PSBT: two readers disagree about this transaction, so nobody signs it")


class Agreed:
    """Digests of one transaction on which we and embit agree. Raises `Malformed` where not."""

    __slots__ = ("_library", "_ours", "_scripts", "_theirs", "_values")

    def __init__(self, transaction: Transaction, spent: Sequence[Output]) -> None:
        self._library = load()
        self._ours = Digests(transaction, spent)
        self._theirs: Any = self._library.transaction.Transaction.parse(transaction.to_bytes())
        self._scripts = [self._library.script.Script(output.script) for output in spent]
        self._values = [output.value for output in spent]

    def witness(self, index: int, key_hash: bytes) -> bytes:
        """See `Digests.witness`."""
        code = self._library.script.p2pkh_from_p2wpkh(self._scripts[index])
        kind = self._library.transaction.SIGHASH.ALL
        theirs = self._theirs.sighash_segwit(index, code, self._values[index], kind)
        return _agreed(self._ours.witness(index, key_hash), theirs)

    def taproot(self, index: int, kind: int) -> bytes:
        """See `Digests.taproot`."""
        theirs = self._theirs.sighash_taproot(index, self._scripts, self._values, sighash=kind)
        return _agreed(self._ours.taproot(index, kind), theirs)


def _agreed(ours: bytes, theirs: bytes) -> bytes:
    if theirs != ours:
        raise Malformed("two encoders disagree about what this input signs, so nobody signs it")
    return ours


def _errors(own: type[Exception]) -> tuple[type[Exception], ...]:
    # a parser without an error tree of its own: whatever it trips over means that it does not take the input
    return (
        own,
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    )
