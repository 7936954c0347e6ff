"""A transaction or authorization given as a dictionary with JSON-RPC names, as web3.py and wallets write it.

Parsed at the edge, once, into the valid object of `transaction`. Nothing is filled in: a missing nonce, fee
or gas limit is an error that names it (``--rpc`` fills those, see `rpc`). Unknown names are refused rather
than dropped, because a caller who set them meant something by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from quorate.chains.ethereum.address import checksummed, parse_address
from quorate.chains.ethereum.signature import Parts
from quorate.chains.ethereum.transaction import (
    ACCESS_LIST,
    BLOB,
    DYNAMIC_FEE,
    LEGACY,
    NAMES,
    SET_CODE,
    Authorization,
    SignedAuthorization,
    Transaction,
    check_authorization,
)
from quorate.errors import Malformed, Refused

_COMMON: Final = ("nonce", "gas", "to", "value", "data", "chainId")
_FIELDS: Final = {
    LEGACY: frozenset({*_COMMON, "type", "gasPrice"}),
    ACCESS_LIST: frozenset({*_COMMON, "type", "gasPrice", "accessList"}),
    DYNAMIC_FEE: frozenset({*_COMMON, "type", "maxFeePerGas", "maxPriorityFeePerGas", "accessList"}),
    SET_CODE: frozenset(
        {*_COMMON, "type", "maxFeePerGas", "maxPriorityFeePerGas", "accessList", "authorizationList"}
    ),
}
_OPTIONAL: Final = frozenset({"to", "value", "data", "type", "accessList"})


def transaction_from_rpc(fields: Mapping[str, Any], account: bytes | None = None) -> Transaction:
    """The transaction of a dictionary. `account`, when given, must equal ``from``, when that is given.

    Raises `Malformed` naming the field, and `Refused` for blobs or a legacy transaction without chain id.
    """
    given = {name: value for name, value in fields.items() if name != "from"}
    if "from" in fields and account is not None and parse_address(fields["from"], "from") != account:
        raise Malformed(f"from: the wallet signs for {checksummed(account)} only")
    kind = _kind(given)
    unknown = sorted(map(str, set(given) - _FIELDS[kind]))
    if unknown:
        raise Malformed(f"{unknown[0]}: not a field of a {NAMES[kind]} transaction")
    if kind == LEGACY and given.get("chainId") is None:
        raise Refused(
            "a legacy transaction without a chain id could be replayed on every chain; set chainId (EIP-155)",
            code="no-chain-id",
        )
    missing = sorted(_FIELDS[kind] - _OPTIONAL - set(given))
    if missing:
        raise Malformed(f"{missing[0]}: missing; a {NAMES[kind]} transaction needs it (--rpc can fill it in)")
    return Transaction(
        kind=kind,
        chain_id=integer(given["chainId"], "chainId"),
        nonce=integer(given["nonce"], "nonce"),
        gas=integer(given["gas"], "gas"),
        to=parse_address(given["to"], "to") if given.get("to") not in (None, "", b"") else None,
        value=integer(given.get("value", 0), "value"),
        data=octets(given.get("data", b""), "data"),
        gas_price=integer(given.get("gasPrice", 0), "gasPrice"),
        max_fee=integer(given.get("maxFeePerGas", 0), "maxFeePerGas"),
        max_priority_fee=integer(given.get("maxPriorityFeePerGas", 0), "maxPriorityFeePerGas"),
        access_list=tuple(_access(entry) for entry in _rows(given.get("accessList", ()), "accessList")),
        authorizations=tuple(
            _signed_authorization(entry)
            for entry in _rows(given.get("authorizationList", ()), "authorizationList")
        ),
    )


def authorization_from_rpc(fields: Mapping[str, Any]) -> Authorization:
    """The EIP-7702 tuple of ``chainId``, ``address`` and ``nonce``. Raises `Malformed`."""
    _exactly(fields, ("chainId", "address", "nonce"), "authorization")
    authorization = Authorization(
        integer(fields["chainId"], "authorization chainId"),
        parse_address(fields["address"], "authorization address"),
        integer(fields["nonce"], "authorization nonce"),
    )
    check_authorization(authorization)
    return authorization


def integer(value: object, where: str) -> int:
    """A number, or text like ``0x1a``. Raises `Malformed`; ranges are checked by the object it goes into."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value[:2] == "0x" and len(value) <= 66:
        digits = value[2:]
        if digits and digits.isascii() and digits.isalnum():
            try:
                return int(digits, 16)
            except ValueError:
                pass
    raise Malformed(f"{where}: expected a whole number or 0x and hexadecimal digits")


def octets(value: object, where: str) -> bytes:
    """Bytes, or text like ``0xabcd``. Raises `Malformed`."""
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if isinstance(value, str) and value in ("", "0x"):
        return b""
    if isinstance(value, str) and value[:2] == "0x" and len(value) % 2 == 0 and value.isalnum():
        try:
            return bytes.fromhex(value[2:])
        except ValueError:
            pass
    raise Malformed(f"{where}: expected 0x and an even number of hexadecimal digits, or bytes")


def _kind(fields: Mapping[str, Any]) -> int:
    if fields.get("type") is not None:
        kind = integer(fields["type"], "type")
    elif "authorizationList" in fields:
        kind = SET_CODE
    elif "maxFeePerBlobGas" in fields or "blobVersionedHashes" in fields:
        kind = BLOB
    elif "maxFeePerGas" in fields or "maxPriorityFeePerGas" in fields:
        kind = DYNAMIC_FEE
    else:
        kind = ACCESS_LIST if "accessList" in fields else LEGACY
    if kind == BLOB:
        raise Refused("blob transactions (type 3) are not supported", code="unsupported-transaction")
    if kind not in NAMES:
        raise Malformed(f"type: unknown transaction type {kind}")
    return kind


def _access(entry: Any) -> tuple[bytes, tuple[bytes, ...]]:
    _exactly(entry, ("address", "storageKeys"), "accessList")
    keys = _rows(entry["storageKeys"], "accessList storageKeys")
    return parse_address(entry["address"], "accessList address"), tuple(_storage_key(key) for key in keys)


def _storage_key(value: Any) -> bytes:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 256:
        return value.to_bytes(32, "big")
    key = octets(value, "accessList storage key")
    if len(key) != 32:
        raise Malformed(f"accessList storage key: {len(key)} bytes instead of 32")
    return key


def _signed_authorization(entry: Any) -> SignedAuthorization:
    # web3.py hands over eth-account's model rather than a dictionary
    dump = getattr(entry, "model_dump", None)
    if callable(dump):
        entry = dump(by_alias=True)
    _exactly(entry, ("chainId", "address", "nonce", "yParity", "r", "s"), "authorizationList")
    authorization = authorization_from_rpc({name: entry[name] for name in ("chainId", "address", "nonce")})
    r, s, parity = (integer(entry[name], f"authorizationList {name}") for name in ("r", "s", "yParity"))
    return SignedAuthorization(authorization, Parts(r, s, parity))


def _exactly(entry: Any, names: tuple[str, ...], where: str) -> None:
    if not isinstance(entry, Mapping) or set(entry) != set(names):
        raise Malformed(f"{where}: expected exactly the fields {', '.join(names)}")


def _rows(value: Any, where: str) -> Sequence[Any]:
    if value is None or isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise Malformed(f"{where}: expected a list")
    return value
