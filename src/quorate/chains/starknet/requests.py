"""Payloads from what a caller has: calls, or a transaction with JSON-RPC names.

The device's side of the port; the signers' side is `Starknet.decode`. Every function returns the canonical
bytes of a `Request` and raises `Malformed` naming the field that is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from quorate.chains.chain import MAX_PAYLOAD_BYTES, Request
from quorate.chains.starknet.account import CLASSES, Deployment, deployment_of, public_key_bytes
from quorate.chains.starknet.family import (
    DEPLOY_ACCOUNT,
    INVOKE,
    INVOKE_V1,
    TYPED_DATA,
    Content,
    TypedMessage,
)
from quorate.chains.starknet.felts import FELT_BYTES, address, felt
from quorate.chains.starknet.hashes import selector
from quorate.chains.starknet.networks import chain_id
from quorate.chains.starknet.transaction import (
    PRICE_BYTES,
    Bound,
    Bounds,
    DeployAccount,
    Invoke,
    InvokeV1,
)
from quorate.chains.starknet.typed_data import parse
from quorate.encoding import decode, encode
from quorate.errors import Malformed

Called = tuple[Any, str, Sequence[Any]]
"""(contract, function's name, arguments as felts)."""


def invoke(transaction: Invoke, chain: str, path: str = "") -> bytes:
    """An invocation of version 3."""
    return _payload(transaction, chain, INVOKE, path)


def invoke_v1(transaction: InvokeV1, chain: str, path: str = "") -> bytes:
    """An invocation of version 1."""
    return _payload(transaction, chain, INVOKE_V1, path)


def deploy_account(transaction: DeployAccount, chain: str, path: str = "") -> bytes:
    """The deployment of the wallet's own account."""
    return _payload(transaction, chain, DEPLOY_ACCOUNT, path)


def typed_data(document: Mapping[str, Any], deployment: Deployment, chain: str = "", path: str = "") -> bytes:
    """SNIP-12, revision 1: an object with types, primaryType, domain and message. The domain names the chain
    unless `chain` does."""
    parsed = parse(document)
    if not chain:
        reference = parsed.chain.to_bytes(FELT_BYTES, "big").lstrip(b"\0").decode("ascii", "replace")
        chain = f"starknet:{reference}"
    return _payload(TypedMessage(deployment, parsed.document()), chain, TYPED_DATA, path)


def from_rpc(document: Mapping[str, Any], deployment: Deployment, chain: str, path: str = "") -> bytes:
    """A transaction as JSON-RPC has it, without its signature. `deployment` is how its account was made
    (`deployment_for` finds that of a known class)."""
    kind, version = document.get("type"), document.get("version")
    _check_sender(document, deployment)
    for name in ("paymaster_data", "account_deployment_data", "proof_facts"):
        if document.get(name):
            raise Malformed(f"transaction {name}: the protocol has no use for it yet, so it is not signed")
    for name in ("nonce_data_availability_mode", "fee_data_availability_mode"):
        if document.get(name, "L1") not in ("L1", 0):
            raise Malformed(f"transaction {name}: only L1 is in use")
    if (kind, version) == ("DEPLOY_ACCOUNT", "0x3"):
        if _word(document, "nonce"):
            raise Malformed("transaction nonce: an account is deployed with nonce 0")
        return deploy_account(
            DeployAccount(deployment, _bounds(document), _word(document, "tip")), chain, path
        )
    calldata = tuple(felt(value, "transaction calldata") for value in document.get("calldata", ()))
    if (kind, version) == ("INVOKE", "0x3"):
        fields = (_word(document, "nonce"), _bounds(document), _word(document, "tip"))
        return invoke(Invoke(deployment, *fields, calldata), chain, path)
    if (kind, version) == ("INVOKE", "0x1"):
        return invoke_v1(
            InvokeV1(deployment, _word(document, "nonce"), _word(document, "max_fee"), calldata), chain, path
        )
    raise Malformed("transaction type: INVOKE (0x1, 0x3) and DEPLOY_ACCOUNT (0x3) are signed here")


def deployment_for(document: Mapping[str, Any], public_key: Any) -> Deployment:
    """How the account of a transaction was made: that of the known class whose account of this key it names.

    A deployment names its class, an invocation its sender; one that names neither is of the default class.
    """
    key = public_key_bytes(public_key)
    made = [deployment_of(key, class_hash) for class_hash in CLASSES]
    if "class_hash" in document:
        wanted = felt(document["class_hash"], "transaction class_hash")
        found = [deployment for deployment in made if deployment.class_hash == wanted]
    elif "sender_address" in document:
        sender = int.from_bytes(felt(document["sender_address"], "transaction sender_address"), "big")
        found = [deployment for deployment in made if deployment.address() == sender]
    else:
        return made[0]
    if not found:
        raise Malformed("transaction: no account of this key in a known class; say how the account was made")
    return found[0]


def calldata(calls: Iterable[Called]) -> tuple[bytes, ...]:
    """Calls as a SNIP-6 account takes them."""
    listed = list(calls)
    data = [felt(len(listed), "calls")]
    for contract, name, arguments in listed:
        data += [felt(contract, "call contract"), felt(selector(name), "call"), felt(len(arguments), "call")]
        data += [felt(value, f"call {name}") for value in arguments]
    return tuple(data)


def bound(max_amount: int, max_price: int) -> Bound:
    """One resource's limit."""
    if not 0 <= max_price < 1 << (8 * PRICE_BYTES):
        raise Malformed("bound max_price: a price has at most 128 bits")
    return Bound(max_amount, max_price.to_bytes(PRICE_BYTES, "big"))


def _payload(content: Content, chain: str, kind: str, path: str) -> bytes:
    chain_id(chain)
    body = encode(content)
    decode(type(content), body, limit=MAX_PAYLOAD_BYTES)
    account = address(content.deployment.address())
    return Request(1, chain, account, kind, body, path).to_payload()


def _check_sender(document: Mapping[str, Any], deployment: Deployment) -> None:
    """What the transaction says of its account must be what the request will say."""
    sender = felt(deployment.address(), "account")
    told = {
        "sender_address": sender,
        "contract_address": sender,
        "class_hash": deployment.class_hash,
        "contract_address_salt": deployment.salt,
    }
    for name, expected in told.items():
        if name in document and felt(document[name], f"transaction {name}") != expected:
            raise Malformed(f"transaction {name}: the account in the request has another")
    if "constructor_calldata" in document:
        data = tuple(felt(value, "transaction constructor") for value in document["constructor_calldata"])
        if data != deployment.constructor:
            raise Malformed("transaction constructor_calldata: the account in the request has another")


def _bounds(document: Mapping[str, Any]) -> Bounds:
    rows = document.get("resource_bounds")
    if not isinstance(rows, Mapping):
        raise Malformed("transaction resource_bounds: expected limits by resource")
    data = rows.get("l1_data_gas")
    return Bounds(
        _bound(rows.get("l1_gas"), "l1_gas"),
        _bound(rows.get("l2_gas"), "l2_gas"),
        None if data is None else _bound(data, "l1_data_gas"),
    )


def _bound(row: Any, where: str) -> Bound:
    if not isinstance(row, Mapping):
        raise Malformed(f"transaction resource_bounds {where}: expected an amount and a price")
    return bound(_word(row, "max_amount"), _word(row, "max_price_per_unit"))


def _word(document: Mapping[str, Any], name: str) -> int:
    return int.from_bytes(felt(document.get(name), f"transaction {name}"), "big")
