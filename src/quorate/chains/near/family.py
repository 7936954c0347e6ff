"""`Near`: the family of NEAR's networks. The package's docstring lists the payload kinds."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from quorate.chains.chain import (
    Chain,
    Decoded,
    Digest,
    Family,
    Field,
    Request,
    Signature,
    Signed,
    unknown_chain,
)
from quorate.chains.near.accounts import CURVES, SCHEMES, AccessKey, check_account, implicit_account
from quorate.chains.near.networks import NETWORKS, check_network
from quorate.chains.near.preview import show_delegate, show_near_message, show_transaction
from quorate.chains.near.signature import check_signature
from quorate.chains.near.transaction import (
    Message,
    Transaction,
    delegate_digest,
    parse_delegate,
    parse_message,
    parse_transaction,
)
from quorate.chains.sheet import Sheet
from quorate.encoding import base58
from quorate.errors import Malformed, Refused

TRANSACTION: Final = "transaction"
DELEGATE: Final = "delegate"
MESSAGE: Final = "message"


class Near(Family):
    """Accounts, digests, previews and final objects of NEAR, for Ed25519 and secp256k1 access keys."""

    namespace = "near"
    curves = ("ed25519", "secp256k1")

    def __init__(self, rows: Sequence[Chain] = ()) -> None:
        for row in rows:
            check_network(row.caip2)
        self.chains = MappingProxyType({row.caip2: row for row in (*NETWORKS, *rows)})

    def address(self, public_key: Any) -> str:
        """The implicit account of an Ed25519 key. `Refused` (``no-account``) for a secp256k1 key, which has
        none: it signs for named accounts that it was added to."""
        key = AccessKey.of(public_key)
        account = implicit_account(key)
        if not account:
            raise Refused(
                f"{key} has no account of its own; name the account it was added to", code="no-account"
            )
        return account

    def addresses(self, public_key: Any, caip2: str = "") -> Mapping[str, str]:
        """The implicit account, where there is one. Every other account is known to the chain alone; `decode`
        takes any name."""
        account = implicit_account(AccessKey.of(public_key))
        return {"implicit": account} if account else {}

    def decode(self, payload: bytes, public_key: Any) -> Decoded:
        """See `Family.decode`. `Refused` codes: ``unknown-chain``, ``other-account``, ``other-key``,
        ``unsupported-transaction``, ``unsupported-action``."""
        request = Request.from_payload(payload)
        key = AccessKey.of(public_key)
        check_network(request.chain)
        chain = self.chains.get(request.chain)
        if chain is None:
            raise unknown_chain(request.chain)
        account = check_account(request.account, "account")
        read = _READERS.get(request.kind)
        if read is None:
            raise Malformed(f"request: unknown kind; this family knows {', '.join(_READERS)}")
        sheet = Sheet(chain, account)
        content, digest = read(sheet, request.body, key)
        return Decoded(
            payload=payload,
            kind=request.kind,
            chain=chain,
            account=account,
            public_key=key.compressed,
            preview=sheet.preview(),
            risks=frozenset(sheet.risks),
            fields=MappingProxyType(sheet.fields),
            digests=(Digest(digest, scheme=SCHEMES[key.curve], group=CURVES[key.curve]),),
            content=content,
        )

    def attach(self, decoded: Decoded, signatures: Sequence[Signature]) -> Signed:
        """The signed transaction or delegate action in Borsh, whose id is its hash in base 58; of a message
        the signature alone.

        Details: ``signature`` and ``public_key`` as NEAR writes them, ``base64`` of what is returned; for
        messages also ``account_id``, so that these are NEP-413's answer.
        """
        if len(signatures) != 1:
            raise Malformed(f"{decoded.kind}: takes one signature, not {len(signatures)}")
        signature = signatures[0]
        key = AccessKey.of(decoded.public_key)
        check_signature(signature, key, decoded.digest)
        if decoded.kind == MESSAGE:
            raw = signature
        else:
            raw = decoded.content.to_bytes() + bytes([key.curve]) + signature
        details: dict[str, Field] = {
            "signature": f"{CURVES[key.curve]}:{base58.encode(signature)}",
            "public_key": str(key),
            "base64": b64encode(raw).decode(),
            "account_id": decoded.account,
        }
        return Signed(raw, base58.encode(decoded.digest), details)

    def warm(self) -> None:
        """Nothing to load: Borsh is read here."""


def _read_transaction(sheet: Sheet, body: bytes, key: AccessKey) -> tuple[Transaction, bytes]:
    transaction = parse_transaction(body)
    _check_signer(sheet, transaction.signer, transaction.key, key)
    show_transaction(sheet, transaction)
    return transaction, transaction.digest()


def _read_delegate(sheet: Sheet, body: bytes, key: AccessKey) -> tuple[Any, bytes]:
    action = parse_delegate(body)
    _check_signer(sheet, action.sender, action.key, key)
    show_delegate(sheet, action)
    return action, delegate_digest(action)


def _read_message(sheet: Sheet, body: bytes, key: AccessKey) -> tuple[Message, bytes]:
    message = parse_message(body)
    show_near_message(sheet, message, key)
    return message, message.digest()


def _check_signer(sheet: Sheet, signer: str, named: AccessKey, key: AccessKey) -> None:
    account = sheet.lines[1].value
    if signer != account:
        raise Refused(f"the request is for {account}, its bytes are {signer}'s", code="other-account")
    if named != key:
        raise Refused(f"the bytes name the key {named}, this wallet's is {key}", code="other-key")


_READERS: Final[Mapping[str, Callable[[Sheet, bytes, AccessKey], tuple[Any, bytes]]]] = {
    TRANSACTION: _read_transaction,
    DELEGATE: _read_delegate,
    MESSAGE: _read_message,
}
