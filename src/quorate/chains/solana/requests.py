"""Payloads from what a caller has: a transaction of any library, a text, a simple transfer.

The device's side of the port; the signers' side is `Solana.decode`. Every function returns the canonical
bytes of a `Request` and raises what `decode` would raise about the same bytes.
"""

from __future__ import annotations

from quorate.chains.chain import Request
from quorate.chains.solana import family, offchain
from quorate.chains.solana.address import parse_address
from quorate.chains.solana.message import Instruction, Message, parse
from quorate.chains.solana.networks import NETWORKS, check_cluster
from quorate.chains.solana.programs import SYSTEM
from quorate.chains.solana.wire import split
from quorate.encoding import base58
from quorate.errors import LimitExceeded, Malformed, Refused

MAINNET = NETWORKS[0].caip2

MAX_LAMPORTS = (1 << 64) - 1

_BLOCKHASHES = "SysvarRecentB1ockHashes11111111111111111111"


def transaction(data: bytes, account: str, chain: str = MAINNET, path: str = "") -> bytes:
    """A transaction as libraries hand it over: its message, or the whole with empty or other signatures.

    The signatures are not part of the request; put them back with `wire.join`.
    """
    try:
        body = parse(data).to_bytes()
    except (Malformed, LimitExceeded, Refused) as error:
        try:
            body, _ = split(data)
        except (Malformed, LimitExceeded):
            raise error from None
    return _payload(chain, account, family.TRANSACTION, body, path)


def message(
    text: str, account: str, chain: str = MAINNET, domain: bytes = bytes(32), path: str = ""
) -> bytes:
    """A text in the off-chain message format, signed by this account alone."""
    if len(domain) != 32:
        raise Malformed(f"application domain: {len(domain)} bytes instead of 32")
    body = offchain.compose(text, parse_address(account, "account"), domain)
    return _payload(chain, account, family.MESSAGE, body, path)


def cli_message(text: str, account: str, chain: str = MAINNET, path: str = "") -> bytes:
    """A text with the short header, as ``solana verify-offchain-signature`` checks it."""
    return _payload(chain, account, family.MESSAGE, offchain.compose(text, b"", b""), path)


def bare_message(text: str, account: str, chain: str = MAINNET, path: str = "") -> bytes:
    """A text without any prefix, as ``signMessage`` of most wallets takes it."""
    try:
        body = text.encode()
    except UnicodeEncodeError:
        raise Malformed("message: text with half a surrogate pair") from None
    offchain.check_bare(body)
    return _payload(chain, account, family.MESSAGE, body, path)


def transfer(
    to: str,
    lamports: int,
    account: str,
    blockhash: str,
    chain: str = MAINNET,
    *,
    nonce_account: str = "",
    path: str = "",
) -> bytes:
    """Send lamports. With a nonce account (whose authority this account is) `blockhash` is its current value,
    and the transaction stays valid for as long as people take to approve it."""
    if not 0 < lamports <= MAX_LAMPORTS:
        raise Malformed(f"lamports: between 1 and {MAX_LAMPORTS}")
    source, target = parse_address(account, "account"), parse_address(to, "to")
    data = (2).to_bytes(4, "little") + lamports.to_bytes(8, "little")
    calls: list[tuple[tuple[bytes, ...], bytes]] = [((source, target), data)]
    writable, readonly = [source, target], [parse_address(SYSTEM, "system program")]
    if nonce_account:
        nonce, sysvar = parse_address(nonce_account, "nonce account"), parse_address(_BLOCKHASHES, "sysvar")
        calls.insert(0, ((nonce, sysvar, source), (4).to_bytes(4, "little")))
        writable.append(nonce)
        readonly.insert(0, sysvar)
    keys = (*dict.fromkeys(writable), *readonly)
    instructions = tuple(
        Instruction(len(keys) - 1, bytes(keys.index(key) for key in accounts), data)
        for accounts, data in calls
    )
    head = base58.decode(blockhash, 32, "blockhash")
    body = Message("legacy", 1, 0, len(readonly), keys, head, instructions).to_bytes()
    return _payload(chain, account, family.TRANSACTION, parse(body).to_bytes(), path)


def _payload(chain: str, account: str, kind: str, body: bytes, path: str) -> bytes:
    check_cluster(chain)
    parse_address(account, "account")
    return Request(1, chain, account, kind, body, path).to_payload()
