"""Bitcoin Core's consensus code (py-bitcoinkernel) as a judge of scripts and of blocks mined here.

Three traps of that package: `ScriptPubkey.verify` answers 0 or 1 and does not raise for a script that fails,
and `process_block` returns True for a block that is invalid. So the answer is compared, and a block counts as
accepted only if the chain has grown. A wrong number of spent outputs aborts the process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from hashlib import sha256

import pbk
from pbk.script import PrecomputedTransactionData

from quorate.chains.bitcoin.wire import Input, Output, Transaction, compact, parse_transaction

MATURITY = 100
SUBSIDY = 50 * 100_000_000
TIME = 1_700_000_000
BITS = 0x207FFFFF
TARGET = 0x7FFFFF << (8 * (0x20 - 3))


def accepts(raw: bytes, spent: Sequence[Output]) -> bool:
    """Whether every input satisfies the script of the output it spends, under all consensus flags."""
    try:
        transaction = pbk.Transaction(raw)
    except RuntimeError:
        return False  # not the bytes of a transaction
    if len(transaction.inputs) != len(spent):
        return False  # the kernel ends the process when it is asked about others than there are
    outputs = [pbk.TransactionOutput(pbk.ScriptPubkey(out.script), out.value) for out in spent]
    data = PrecomputedTransactionData(transaction, outputs)
    verdicts = [
        pbk.ScriptPubkey(out.script).verify(
            out.value, transaction, data, index, pbk.ScriptVerificationFlags.ALL
        )
        for index, out in enumerate(spent)
    ]
    return all(verdict == 1 for verdict in verdicts)


class Regtest:
    """A chain in memory. `fund` mines coinbases to given scripts until they may be spent."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self._context = pbk.make_context(pbk.ChainType.REGTEST)
        options = pbk.ChainstateManagerOptions(
            self._context, self._directory.name, self._directory.name + "/blocks"
        )
        options.update_block_tree_db_in_memory(True)
        options.update_chainstate_db_in_memory(True)
        self._manager = pbk.ChainstateManager(options)

    @property
    def height(self) -> int:
        return self._manager.get_active_chain().height

    def fund(self, *scripts: bytes) -> list[Transaction]:
        """A coinbase paying to each script, old enough to be spent."""
        paid = [self._mine(script, ())[1] for script in scripts]
        for _ in range(MATURITY):
            self._mine(b"\x51", ())
        return paid

    def takes(self, raw: bytes) -> bool:
        """Whether a block with this transaction extends the chain."""
        before = self.height
        self._mine(b"\x51", (raw,))
        return self.height == before + 1

    def _mine(self, script: bytes, raws: Sequence[bytes]) -> tuple[bytes, Transaction]:
        height = self.height + 1
        transactions = [parse_transaction(raw, "block") for raw in raws]
        coinbase = _coinbase(height, script, [_witness_id(raw) for raw in raws])
        root = _merkle([coinbase.hash, *(transaction.hash for transaction in transactions)])
        tip = bytes(self._manager.get_active_chain().block_tree_entries[height - 1].block_hash)
        nonce = 0
        while True:
            header = b"".join(
                (
                    (0x20000000).to_bytes(4, "little"),
                    tip,
                    root,
                    (TIME + height).to_bytes(4, "little"),
                    BITS.to_bytes(4, "little"),
                    nonce.to_bytes(4, "little"),
                )
            )
            if int.from_bytes(_double(header), "little") <= TARGET:
                break
            nonce += 1
        block = header + compact(1 + len(raws)) + coinbase.to_bytes() + b"".join(raws)
        self._manager.process_block(pbk.Block(block))
        return block, coinbase


def _coinbase(height: int, script: bytes, witness_ids: Sequence[bytes]) -> Transaction:
    number = height.to_bytes(height.bit_length() // 8 + 1, "little")
    pushed = bytes([0x50 + height]) if height <= 16 else bytes([len(number)]) + number
    commitment = _double(_merkle([bytes(32), *witness_ids]) + bytes(32))
    outputs = (Output(SUBSIDY, script), Output(0, b"\x6a\x24\xaa\x21\xa9\xed" + commitment))
    entry = Input(bytes(32), 0xFFFFFFFF, 0xFFFFFFFF, pushed + b"\x00", (bytes(32),))
    return Transaction(2, (entry,), outputs, 0)


def _witness_id(raw: bytes) -> bytes:
    return _double(raw)


def _merkle(hashes: Sequence[bytes]) -> bytes:
    row = list(hashes)
    while len(row) > 1:
        if len(row) % 2:
            row.append(row[-1])
        row = [_double(row[index] + row[index + 1]) for index in range(0, len(row), 2)]
    return row[0]


def _double(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()
