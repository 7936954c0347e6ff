"""Signed messages: BIP 322, the *simple* variant.

Two transactions that no chain will ever hold: one commits to the message and "pays" to the account, the other
spends it. The witness of the second is the signature, so an account proves itself exactly as it spends. Since
its final version the BIP has the variant's name before the base64 text: ``smp``.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import Final

from quorate.chains.bitcoin.digests import ALL, DEFAULT
from quorate.chains.bitcoin.finish import witness_of
from quorate.chains.bitcoin.hashes import tagged
from quorate.chains.bitcoin.scripts import Key, Kind
from quorate.chains.bitcoin.second import Agreed
from quorate.chains.bitcoin.spending import MESSAGE_OUTPUT, Own
from quorate.chains.bitcoin.wire import Input, Output, Transaction, stack
from quorate.chains.chain import Signed

PREFIX: Final = "smp"
"""The simple variant's name; verifiers older than the final BIP want the text without it."""

_NOWHERE: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Message:
    """A message for one account, the two transactions, and what is signed."""

    key: Key
    own: Own
    to_spend: Transaction
    to_sign: Transaction

    def attach(self, signature: bytes) -> Signed:
        """The witness; `Signed.details` has it as the text that is handed over."""
        witness = stack(witness_of(self.key.public, self.own, signature))
        text = b64encode(witness).decode()
        details = {"signature": PREFIX + text, "without_prefix": text, "to_sign": self.to_sign.txid}
        return Signed(witness, self.own.digest.hex(), details)


def message_hash(message: bytes) -> bytes:
    """BIP 322's tagged hash."""
    return tagged("BIP0322-signed-message", message)


def virtual(message: bytes, script: bytes) -> tuple[Transaction, Transaction]:
    """``to_spend`` and ``to_sign``, unsigned."""
    commitment = b"\x00\x20" + message_hash(message)
    to_spend = Transaction(0, (Input(bytes(32), _NOWHERE, 0, commitment),), (Output(0, script),), 0)
    to_sign = Transaction(0, (Input(to_spend.hash, 0, 0),), (MESSAGE_OUTPUT,), 0)
    return to_spend, to_sign


def read(message: bytes, key: Key, kind: Kind) -> Message:
    """What an account of `key` signs for a message."""
    script = key.scripts[kind]
    to_spend, to_sign = virtual(message, script)
    digests = Agreed(to_sign, to_spend.outputs)
    if kind is Kind.P2WPKH:
        own = Own(0, kind, ALL, digests.witness(0, key.hash))
    else:
        own = Own(0, kind, DEFAULT, digests.taproot(0, DEFAULT), b"", key.tweak())
    return Message(key, own, to_spend, to_sign)
