"""`Ethereum`: the family of all chains with EIP-155 ids. The package's docstring lists the payload kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from quorate.chains.chain import Chain, Decoded, Digest, Family, Request, Signature, Signed, unknown_chain
from quorate.chains.ethereum import preview as show
from quorate.chains.ethereum.address import address_of, checksummed, keccak, parse_address, public_key_bytes
from quorate.chains.ethereum.heavy import load
from quorate.chains.ethereum.networks import NETWORKS, chain_id
from quorate.chains.ethereum.rlp_items import number
from quorate.chains.ethereum.signature import Parts, verified
from quorate.chains.ethereum.transaction import (
    Authorization,
    Transaction,
    parse_authorization,
    parse_preimage,
)
from quorate.chains.ethereum.typed_data import TypedData, from_body
from quorate.chains.ethereum.typed_preview import show_typed_data
from quorate.chains.sheet import Sheet, show_message
from quorate.errors import Malformed, Refused

TRANSACTION: Final = "transaction"
MESSAGE: Final = "message"
TYPED_DATA: Final = "typed-data"
AUTHORIZATION: Final = "authorization"
BLIND: Final = "blind"


class Ethereum(Family):
    """Addresses, digests, previews and final objects of EIP-155 chains."""

    namespace = "eip155"

    def __init__(self, rows: Sequence[Chain] = ()) -> None:
        for row in rows:
            chain_id(row.caip2)
        self.chains = MappingProxyType({row.caip2: row for row in (*NETWORKS, *rows)})

    def address(self, public_key: Any) -> str:
        """The EIP-55 address."""
        return address_of(public_key)

    def decode(self, payload: bytes, public_key: Any) -> Decoded:
        """See `Family.decode`. `Refused` codes: ``unknown-chain``, ``other-account``, ``chain-mismatch``,
        ``any-chain``, ``no-chain-id``, ``unsupported-transaction``."""
        request = Request.from_payload(payload)
        key = public_key_bytes(public_key)
        expected = chain_id(request.chain)
        chain = self.chains.get(request.chain)
        if chain is None:
            raise unknown_chain(request.chain)
        account = _account(request, key)
        read = _READERS.get(request.kind)
        if read is None:
            raise Malformed(f"request: unknown kind; this family knows {', '.join(_READERS)}")
        sheet = Sheet(chain, account)
        content, digest = read(sheet, request.body, expected)
        return Decoded(
            payload=payload,
            kind=request.kind,
            chain=chain,
            account=account,
            public_key=key,
            preview=sheet.preview(),
            risks=frozenset(sheet.risks),
            fields=MappingProxyType(sheet.fields),
            digests=(Digest(digest, scheme="ecdsa", group="secp256k1"),),
            content=content,
        )

    def attach(self, decoded: Decoded, signatures: Sequence[Signature]) -> Signed:
        """A raw signed transaction, a 65-byte signature (v = 27 or 28), or an RLP authorization entry.

        `Signed.details` has r and s as 0x text, v and yParity.
        """
        if len(signatures) != 1:
            raise Malformed(f"{decoded.kind}: takes one signature, not {len(signatures)}")
        parts = verified(signatures[0], decoded.digest, bytes.fromhex(decoded.account[2:]))
        return _WRITERS.get(decoded.kind, _signed_message)(decoded, parts)

    def warm(self) -> None:
        """Import eth-account and what it brings (most of a second), and start the hash backend."""
        load()
        keccak(b"")


def _account(request: Request, key: bytes) -> str:
    account = address_of(key)
    if request.account != account:
        if request.account != checksummed(parse_address(request.account, "account")):
            raise Malformed("account: not written with its EIP-55 checksum")
        raise Refused(f"the request is for {request.account}, this wallet is {account}", code="other-account")
    return account


def _read_transaction(sheet: Sheet, body: bytes, expected: int) -> tuple[Transaction, bytes]:
    transaction = parse_preimage(body)
    if transaction.chain_id != expected:
        raise _mismatch("the transaction", transaction.chain_id, expected)
    digest = transaction.digest()
    show.show_transaction(sheet, transaction)
    return transaction, digest


def _read_message(sheet: Sheet, body: bytes, expected: int) -> tuple[bytes, bytes]:
    load()
    from eth_account.messages import _hash_eip191_message, encode_defunct

    show_message(sheet, body)
    return body, bytes(_hash_eip191_message(encode_defunct(primitive=body)))


def _read_typed_data(sheet: Sheet, body: bytes, expected: int) -> tuple[TypedData, bytes]:
    data = from_body(body)
    if data.chain_id not in (None, expected):
        raise _mismatch("the typed data's domain", data.chain_id, expected)
    digest = data.digest()
    show_typed_data(sheet, data)
    return data, digest


def _read_authorization(sheet: Sheet, body: bytes, expected: int) -> tuple[Authorization, bytes]:
    authorization = parse_authorization(body)
    if authorization.chain_id == 0:
        raise every_chain()
    if authorization.chain_id != expected:
        raise _mismatch("the authorization", authorization.chain_id, expected)
    show.show_authorization(sheet, authorization)
    return authorization, _authorization_digest(authorization)


def _authorization_digest(authorization: Authorization) -> bytes:
    load()
    from eth_account.typed_transactions.set_code_transaction import Authorization as EthAccountForm

    form = EthAccountForm(authorization.chain_id, authorization.address, authorization.nonce)
    theirs = bytes(form.hash())
    if theirs != keccak(authorization.preimage()):
        raise Malformed("authorization: two encoders disagree about these fields, so nobody signs them")
    return theirs


def _read_blind(sheet: Sheet, body: bytes, expected: int) -> tuple[bytes, bytes]:
    if len(body) != 32:
        raise Malformed(f"digest: {len(body)} bytes instead of 32")
    show.show_blind(sheet, body)
    return body, body


def every_chain() -> Refused:
    """The refusal of an authorization for chain 0."""
    return Refused(
        "an authorization for chain 0 hands the account to code on every chain; name one chain",
        code="any-chain",
    )


def _mismatch(what: str, actual: int, expected: int) -> Refused:
    return Refused(
        f"{what} is for chain {actual}, the request names eip155:{expected}", code="chain-mismatch"
    )


def _signed_transaction(decoded: Decoded, parts: Parts) -> Signed:
    transaction: Transaction = decoded.content
    raw = transaction.signed(parts)
    v = 35 + 2 * transaction.chain_id + parts.y_parity if transaction.kind == 0 else parts.y_parity
    return Signed(raw, "0x" + keccak(raw).hex(), _details(parts, v))


def _signed_message(decoded: Decoded, parts: Parts) -> Signed:
    v = 27 + parts.y_parity
    raw = parts.r.to_bytes(32, "big") + parts.s.to_bytes(32, "big") + bytes([v])
    return Signed(raw, "0x" + decoded.digest.hex(), _details(parts, v))


def _signed_authorization(decoded: Decoded, parts: Parts) -> Signed:
    import rlp

    inner: Authorization = decoded.content
    scalars = [number(parts.y_parity), number(parts.r), number(parts.s)]
    raw = bytes(rlp.encode([number(inner.chain_id), inner.address, number(inner.nonce), *scalars]))
    return Signed(raw, "0x" + decoded.digest.hex(), _details(parts, parts.y_parity))


def _details(parts: Parts, v: int) -> Mapping[str, str | int]:
    return {"r": hex(parts.r), "s": hex(parts.s), "v": v, "yParity": parts.y_parity}


_READERS: Final[Mapping[str, Callable[[Sheet, bytes, int], tuple[Any, bytes]]]] = {
    TRANSACTION: _read_transaction,
    MESSAGE: _read_message,
    TYPED_DATA: _read_typed_data,
    AUTHORIZATION: _read_authorization,
    BLIND: _read_blind,
}

_WRITERS: Final[Mapping[str, Callable[[Decoded, Parts], Signed]]] = {
    TRANSACTION: _signed_transaction,
    AUTHORIZATION: _signed_authorization,
}
