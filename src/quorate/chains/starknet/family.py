"""`Starknet`: the family of chains with ``starknet:`` ids. The package's docstring lists its payloads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from quorate.chains.chain import (
    MAX_PAYLOAD_BYTES,
    Chain,
    Decoded,
    Digest,
    Family,
    Request,
    Signature,
    Signed,
    unknown_chain,
)
from quorate.chains.sheet import Sheet
from quorate.chains.starknet import hashes
from quorate.chains.starknet.account import CLASSES, Deployment, deployment_of, public_key_bytes
from quorate.chains.starknet.felts import FELT_BYTES, address, written
from quorate.chains.starknet.networks import NETWORKS, chain_id
from quorate.chains.starknet.preview import show_class, show_deployment, show_invoke, show_typed_data
from quorate.chains.starknet.transaction import DeployAccount, Invoke, InvokeV1, Transaction
from quorate.chains.starknet.typed_data import from_document
from quorate.encoding import Canonical, decode
from quorate.errors import Malformed, Refused
from quorate.groups import group_named

TYPED_DATA: Final = "typed-data"
INVOKE: Final = "invoke"
INVOKE_V1: Final = "invoke-v1"
DEPLOY_ACCOUNT: Final = "deploy-account"


class TypedMessage(Canonical):
    """The body of ``typed-data``: how the account was made, and the document in its canonical form."""

    deployment: Deployment
    document: Annotated[bytes, msgspec.Meta(max_length=MAX_PAYLOAD_BYTES)]


Content: TypeAlias = Transaction | TypedMessage

KINDS: Final[Mapping[str, type[Content]]] = {
    INVOKE: Invoke,
    INVOKE_V1: InvokeV1,
    DEPLOY_ACCOUNT: DeployAccount,
    TYPED_DATA: TypedMessage,
}

DEFAULT_CLASS: Final = next(iter(CLASSES))
"""Of an account nobody has chosen a class for."""


class Starknet(Family):
    """Addresses, hashes, previews and signed transactions of Starknet."""

    namespace = "starknet"
    curves = ("stark",)

    def __init__(self, rows: Sequence[Chain] = ()) -> None:
        for row in rows:
            chain_id(row.caip2)
        self.chains = MappingProxyType({row.caip2: row for row in (*NETWORKS, *rows)})

    def address(self, public_key: Any) -> str:
        """The account of the default class with this owner, whether it is deployed or not."""
        return address(deployment_of(public_key_bytes(public_key), DEFAULT_CLASS).address())

    def addresses(self, public_key: Any, caip2: str = "") -> Mapping[str, str]:
        """One account for each known class."""
        key = public_key_bytes(public_key)
        return {
            kind.name: address(deployment_of(key, class_hash).address())
            for class_hash, kind in CLASSES.items()
        }

    def decode(self, payload: bytes, public_key: Any) -> Decoded:
        """See `Family.decode`. `Refused` codes: ``unknown-chain``, ``other-account``,
        ``hash-out-of-range``; for typed data ``chain-mismatch``, ``unsupported-type``,
        ``unsupported-revision``."""
        request = Request.from_payload(payload)
        expected = chain_id(request.chain)
        chain = self.chains.get(request.chain)
        if chain is None:
            raise unknown_chain(request.chain)
        kind = KINDS.get(request.kind)
        if kind is None:
            raise Malformed(f"request: unknown kind; this family knows {', '.join(KINDS)}")
        content = decode(kind, request.body, limit=MAX_PAYLOAD_BYTES)
        key = public_key_bytes(public_key)
        sender = _account(request, content.deployment, key)
        sheet = Sheet(chain, address(sender))
        show_class(sheet, content.deployment)
        digest = _signable(_read(sheet, content, sender, expected))
        return Decoded(
            payload=payload,
            kind=request.kind,
            chain=chain,
            account=request.account,
            public_key=key,
            preview=sheet.preview(),
            risks=frozenset(sheet.risks),
            fields=MappingProxyType(sheet.fields),
            digests=(Digest(digest, scheme="ecdsa", group="stark"),),
            content=content,
        )

    def attach(self, decoded: Decoded, signatures: Sequence[Signature]) -> Signed:
        """The transaction as JSON-RPC takes it (``[{...}]``, the method's parameters), or of typed data the
        signature as accounts take it (``["r", "s"]``); named by the hash that was signed."""
        if len(signatures) != 1:
            raise Malformed(f"{decoded.kind}: takes one signature, not {len(signatures)}")
        r, s = _checked(decoded, signatures[0])
        content: Content = decoded.content
        signature = [written(r), written(s)]
        name = written(int.from_bytes(decoded.digest, "big"))
        details = {"r": signature[0], "s": signature[1]}
        if isinstance(content, TypedMessage):
            return Signed(_json(signature), name, details)
        details["method"] = "starknet_addInvokeTransaction"
        if isinstance(content, DeployAccount):
            details["method"] = "starknet_addDeployAccountTransaction"
        return Signed(_json([{**content.as_rpc(), "signature": signature}]), name, details)

    def warm(self) -> None:
        """Import the hash libraries."""
        hashes.load()


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _read(sheet: Sheet, content: Content, sender: int, chain: int) -> int:
    """Show the content, and compute the hash that is signed."""
    if isinstance(content, TypedMessage):
        data = from_document(content.document)
        if data.chain != chain:
            raise Refused(
                f"the typed data's domain is for another chain than {sheet.chain.caip2}",
                code="chain-mismatch",
            )
        show_typed_data(sheet, data)
        return data.hash(sender)
    if isinstance(content, DeployAccount):
        show_deployment(sheet, content)
    else:
        show_invoke(sheet, content, sender)
    return content.hash(chain)


def _account(request: Request, deployment: Deployment, key: bytes) -> int:
    sender = deployment.address()
    if request.account != address(sender):
        raise Malformed(f"account: the deployment in the request is that of {address(sender)}")
    if not deployment.is_owned_by(key):
        raise Refused(
            f"the account {request.account} was not made for this wallet's key", code="other-account"
        )
    return sender


def _signable(value: int) -> bytes:
    # a verifier takes hashes below 2^251 only; the others are one in 2^54, and another nonce avoids them
    from quorate.groups.stark import MAX_ELEMENT

    if not 0 < value < MAX_ELEMENT:
        raise Refused(
            "no signature exists for this hash; change the fee, or the text, a little",
            code="hash-out-of-range",
        )
    return value.to_bytes(FELT_BYTES, "big")


def _checked(decoded: Decoded, signature: Signature) -> tuple[int, int]:
    from quorate.groups.stark import ORDER, verify_ecdsa

    if len(signature) != 65:
        raise Malformed("signature: r, s and the recovery id take 32 + 32 + 1 bytes")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if 2 * s > ORDER or signature[64] > 3:
        raise Malformed("signature: s is in the lower half of its range, and the recovery id is 0 to 3")
    point = group_named("stark").point_from_bytes(decoded.public_key)
    verify_ecdsa(point, int.from_bytes(decoded.digest, "big"), r, s)
    return r, s
