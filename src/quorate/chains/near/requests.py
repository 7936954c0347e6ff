"""Payloads from what a caller has: a transaction of any library, a delegate action, a message, a transfer.

The device's side of the port; the signers' side is `Near.decode`. Every function returns the canonical bytes
of a `Request` and raises what `decode` would raise about the same bytes.
"""

from __future__ import annotations

from typing import Any

from quorate.chains.chain import Request
from quorate.chains.near import actions as kinds
from quorate.chains.near import family
from quorate.chains.near.accounts import AccessKey, check_account
from quorate.chains.near.networks import NETWORKS, check_network
from quorate.chains.near.transaction import (
    NONCE_LENGTH,
    Message,
    Transaction,
    parse_delegate,
    parse_message,
    parse_transaction,
)
from quorate.encoding import base58
from quorate.errors import Malformed

MAINNET = NETWORKS[0].caip2


def transaction(data: bytes, chain: str = MAINNET, path: str = "") -> bytes:
    """An unsigned transaction in Borsh, as libraries encode it; it names its account."""
    return _payload(chain, parse_transaction(data).signer, family.TRANSACTION, data, path)


def delegate(data: bytes, chain: str = MAINNET, path: str = "") -> bytes:
    """An unsigned delegate action in Borsh (NEP-366); it names its account."""
    return _payload(chain, parse_delegate(data).sender, family.DELEGATE, data, path)


def message(
    text: str,
    nonce: bytes,
    recipient: str,
    account: str,
    chain: str = MAINNET,
    *,
    callback_url: str | None = None,
    path: str = "",
) -> bytes:
    """A NEP-413 message. The 32-byte nonce is the application's."""
    if len(nonce) != NONCE_LENGTH:
        raise Malformed(f"nonce: {len(nonce)} bytes instead of {NONCE_LENGTH}")
    body = Message(text, nonce, recipient, callback_url).to_bytes()
    parse_message(body)
    return _payload(chain, account, family.MESSAGE, body, path)


def transfer(
    to: str,
    yocto: int,
    account: str,
    public_key: Any,
    nonce: int,
    block_hash: str,
    chain: str = MAINNET,
    path: str = "",
) -> bytes:
    """Send yoctoNEAR. `nonce` is above the access key's; `block_hash` is recent, in base 58."""
    built = Transaction(
        check_account(account, "account"),
        AccessKey.of(public_key),
        nonce,
        check_account(to, "to"),
        base58.decode(block_hash, 32, "block hash"),
        (kinds.Transfer(yocto),),
    )
    return transaction(built.to_bytes(), chain, path)


def _payload(chain: str, account: str, kind: str, body: bytes, path: str) -> bytes:
    check_network(chain)
    return Request(1, chain, check_account(account, "account"), kind, body, path).to_payload()
