"""A NEAR transaction of version 0, which is the one the network takes, and a NEP-413 message.

Version 1 (nearcore's `TransactionV1`, with a priority fee) has an encoding, but no protocol has admitted
it; it is refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quorate.chains.near import hashing
from quorate.chains.near.accounts import AccessKey
from quorate.chains.near.actions import (
    Action,
    DelegateAction,
    account,
    read_actions,
    read_delegate,
    write_actions,
)
from quorate.chains.near.borsh import Reader, number, option, text
from quorate.errors import Malformed, Refused

NONCE_LENGTH: Final = 32
"""Of a message: what the application gave, so that it knows its own."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """`signer` acts on `receiver`; all `actions` happen or none."""

    signer: str
    key: AccessKey
    nonce: int
    receiver: str
    block_hash: bytes
    actions: tuple[Action, ...]

    def to_bytes(self) -> bytes:
        """The one encoding."""
        head = text(self.signer) + self.key.to_bytes() + number(self.nonce, 8)
        return head + text(self.receiver) + self.block_hash + write_actions(self.actions)

    def digest(self) -> bytes:
        """What is signed, and the transaction's name."""
        return hashing.plain(self.to_bytes())


@dataclass(frozen=True, slots=True)
class Message:
    """NEP-413: a text for `recipient` alone."""

    message: str
    nonce: bytes
    recipient: str
    callback_url: str | None = None

    def to_bytes(self) -> bytes:
        """The one encoding, without the number that is hashed before it."""
        callback = None if self.callback_url is None else text(self.callback_url)
        return text(self.message) + self.nonce + text(self.recipient) + option(callback)

    def digest(self) -> bytes:
        """What is signed."""
        return hashing.prefixed(hashing.MESSAGE, self.to_bytes())


def parse_transaction(data: bytes) -> Transaction:
    """The transaction of these bytes. Raises `Malformed`; `LimitExceeded`; `Refused`
    (``unsupported-transaction``, ``unsupported-action``)."""
    # version 0 has no version: it begins with a length below 256, so its second byte is 0
    if len(data) > 1 and data[1]:
        raise Refused(
            f"transaction: version {data[0]} is not taken by the network; build one of version 0",
            code="unsupported-transaction",
        )
    reader = Reader(data, "transaction")
    transaction = Transaction(
        account(reader),
        AccessKey.read(reader),
        reader.number(8),
        account(reader),
        reader.take(32),
        read_actions(reader),
    )
    reader.finish()
    if not transaction.actions:
        raise Malformed("transaction: has no actions, so it would only cost its fee")
    _check(transaction.to_bytes(), data, "transaction")
    return transaction


def parse_delegate(data: bytes) -> DelegateAction:
    """The delegate action of these bytes. Raises like `parse_transaction`."""
    reader = Reader(data, "delegate action")
    action = read_delegate(reader)
    reader.finish()
    if not action.actions:
        raise Malformed("delegate action: has no actions")
    _check(action.to_bytes(), data, "delegate action")
    return action


def parse_message(data: bytes) -> Message:
    """The NEP-413 message of these bytes. Raises `Malformed`."""
    reader = Reader(data, "message")
    content, nonce, recipient = reader.text(), reader.take(NONCE_LENGTH), reader.text()
    message = Message(content, nonce, recipient, reader.text() if reader.flag() else None)
    reader.finish()
    if not recipient:
        raise Malformed("message: names no recipient, so anybody could pass it on")
    _check(message.to_bytes(), data, "message")
    return message


def delegate_digest(action: DelegateAction) -> bytes:
    """What the sender of a delegate action signs."""
    return hashing.prefixed(hashing.DELEGATE, action.to_bytes())


def _check(again: bytes, data: bytes, what: str) -> None:
    if again != data:
        raise Malformed(f"{what}: not the canonical encoding")
