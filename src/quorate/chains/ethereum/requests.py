"""Payloads from what a caller has: a dictionary, a message, typed data, an authorization, a digest.

The device's side of the port; the signers' side is `Ethereum.decode`. Every function returns the canonical
bytes of a `Request` and raises `Malformed` naming the field that is wrong (`Refused` where `decode` would
refuse). `path` is that of a derived account; `account` is then its address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quorate.chains.chain import Request
from quorate.chains.ethereum import family
from quorate.chains.ethereum.address import checksummed, parse_address
from quorate.chains.ethereum.networks import chain_id
from quorate.chains.ethereum.rpc_fields import authorization_from_rpc, transaction_from_rpc
from quorate.chains.ethereum.typed_data import parse
from quorate.errors import Malformed


def transaction(fields: Mapping[str, Any], account: str, path: str = "") -> bytes:
    """A transaction with JSON-RPC names, complete; its ``chainId`` names the chain."""
    parsed = transaction_from_rpc(fields, parse_address(account, "account"))
    return _payload(f"eip155:{parsed.chain_id}", account, family.TRANSACTION, parsed.preimage(), path)


def message(content: bytes | str, account: str, chain: str, path: str = "") -> bytes:
    """A personal message (EIP-191, ``personal_sign``). The chain is shown and judged, though not hashed."""
    if not isinstance(content, bytes | str):
        raise Malformed(f"message: expected text or bytes, not {type(content).__name__}")
    try:
        body = content.encode() if isinstance(content, str) else content
    except UnicodeEncodeError:
        raise Malformed("message: text with half a surrogate pair") from None
    return _payload(chain, account, family.MESSAGE, body, path)


def typed_data(document: Mapping[str, Any], account: str, chain: str = "", path: str = "") -> bytes:
    """EIP-712: an object with types, primaryType, domain and message.

    `chain` is needed where the domain has no ``chainId``.
    """
    parsed = parse(document)
    if not chain:
        if parsed.chain_id is None:
            raise Malformed("typed data domain: names no chainId; say which chain the request is for")
        chain = f"eip155:{parsed.chain_id}"
    return _payload(chain, account, family.TYPED_DATA, parsed.body(), path)


def authorization(fields: Mapping[str, Any], account: str, chain: str = "", path: str = "") -> bytes:
    """An EIP-7702 authorization: ``chainId``, ``address``, ``nonce``."""
    parsed = authorization_from_rpc(fields)
    if parsed.chain_id == 0:
        raise family.every_chain()
    where = chain or f"eip155:{parsed.chain_id}"
    return _payload(where, account, family.AUTHORIZATION, parsed.preimage(), path)


def blind(digest: bytes, account: str, chain: str, path: str = "") -> bytes:
    """A bare 32-byte digest, which signers refuse unless their configuration allows it."""
    if len(digest) != 32:
        raise Malformed("digest: expected 32 bytes")
    return _payload(chain, account, family.BLIND, bytes(digest), path)


def _payload(chain: str, account: str, kind: str, body: bytes, path: str) -> bytes:
    chain_id(chain)
    address = checksummed(parse_address(account, "account"))
    return Request(1, chain, address, kind, body, path).to_payload()
