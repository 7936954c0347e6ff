"""`Solana`: the family of all clusters of Solana. The package's docstring lists the payload kinds."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
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
from quorate.chains.sheet import Sheet
from quorate.chains.solana.address import parse_address, public_key_bytes
from quorate.chains.solana.heavy import load
from quorate.chains.solana.message import Message, parse
from quorate.chains.solana.networks import NETWORKS, check_cluster
from quorate.chains.solana.offchain import PREFIX, OffChain, check_bare, parse_off_chain
from quorate.chains.solana.preview import show_bare, show_off_chain, show_transaction
from quorate.chains.solana.wire import assemble, check_signature
from quorate.encoding import base58
from quorate.errors import Malformed, Refused

TRANSACTION: Final = "transaction"
MESSAGE: Final = "message"


class Solana(Family):
    """Addresses, previews and final objects of Solana's clusters. What is signed is never hashed first."""

    namespace = "solana"
    curves = ("ed25519",)

    def __init__(self, rows: Sequence[Chain] = ()) -> None:
        for row in rows:
            check_cluster(row.caip2)
        self.chains = MappingProxyType({row.caip2: row for row in (*NETWORKS, *rows)})

    def address(self, public_key: Any) -> str:
        """The key itself in base 58."""
        return base58.encode(public_key_bytes(public_key))

    def decode(self, payload: bytes, public_key: Any) -> Decoded:
        """See `Family.decode`. `Refused` codes: ``unknown-chain``, ``other-account``, ``not-a-signer``,
        ``unsupported-transaction``, ``unsupported-message``, and of bare messages ``not-text``,
        ``could-be-digest``, ``other-chain``, ``transaction``. Raises `Unavailable` where solders is not
        installed."""
        request = Request.from_payload(payload)
        key = public_key_bytes(public_key)
        check_cluster(request.chain)
        chain = self.chains.get(request.chain)
        if chain is None:
            raise unknown_chain(request.chain)
        account = self._account(request, key)
        sheet = Sheet(chain, account)
        if request.kind == TRANSACTION:
            content: Message | OffChain | None = _read_transaction(sheet, request.body, key)
        elif request.kind == MESSAGE:
            content = _read_message(sheet, request.body, key)
        else:
            raise Malformed(f"request: unknown kind; this family knows {TRANSACTION}, {MESSAGE}")
        return Decoded(
            payload=payload,
            kind=request.kind,
            chain=chain,
            account=account,
            public_key=key,
            preview=sheet.preview(),
            risks=frozenset(sheet.risks),
            fields=MappingProxyType(sheet.fields),
            digests=(Digest(request.body, scheme="ed25519", group="ed25519"),),
            content=content,
        )

    def attach(self, decoded: Decoded, signatures: Sequence[Signature]) -> Signed:
        """The wire transaction, or the 64 bytes of a message's signature.

        The id of a transaction is the first signer's signature: empty while that one is missing. Details:
        ``signature`` (this wallet's, in base 58); for transactions ``base64`` (what a node is sent),
        ``complete``, and ``missing``, the signers that have yet to sign.
        """
        if len(signatures) != 1:
            raise Malformed(f"{decoded.kind}: takes one signature, not {len(signatures)}")
        signature = signatures[0]
        check_signature(signature, decoded.public_key, decoded.digest)
        details: dict[str, Field] = {"signature": base58.encode(signature)}
        if decoded.kind == MESSAGE:
            return Signed(signature, base58.encode(signature), details)
        message: Message = decoded.content
        raw = assemble(decoded.digest, {decoded.public_key: signature})
        missing = tuple(base58.encode(key) for key in message.signers if key != decoded.public_key)
        details |= {"base64": b64encode(raw).decode(), "complete": not missing, "missing": missing}
        pays = message.signers[0] == decoded.public_key
        return Signed(raw, base58.encode(signature) if pays else "", details)

    def warm(self) -> None:
        """Import solders (a tenth of a second)."""
        load()

    def _account(self, request: Request, key: bytes) -> str:
        account = base58.encode(key)
        if request.account != account:
            parse_address(request.account, "account")
            raise Refused(
                f"the request is for {request.account}, this wallet is {account}", code="other-account"
            )
        return account


def _read_transaction(sheet: Sheet, body: bytes, key: bytes) -> Message:
    message = parse(body)
    if key not in message.signers:
        raise Refused(
            "the transaction does not ask for this wallet's signature, so signing it changes nothing",
            code="not-a-signer",
        )
    show_transaction(sheet, message)
    return message


def _read_message(sheet: Sheet, body: bytes, key: bytes) -> OffChain | None:
    if not body.startswith(PREFIX[:1]):
        check_bare(body)
        show_bare(sheet, body)
        return None
    message = parse_off_chain(body)
    if message.signers and key not in message.signers:
        raise Refused("the message does not name this wallet among its signers", code="not-a-signer")
    show_off_chain(sheet, message)
    return message
