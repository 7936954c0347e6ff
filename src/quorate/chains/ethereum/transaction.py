"""A transaction before it is signed: legacy with EIP-155, EIP-2930, EIP-1559 and EIP-7702.

The body of a request is the *signing preimage* itself: ``rlp([nonce, ..., chain id, 0, 0])`` for legacy,
``type || rlp([chain id, ...])`` for the others (EIP-2718). It is the one canonical form every Ethereum
library can produce, and the digest is its Keccak hash. Every signer parses it into fields, checks each,
encodes the fields again through eth-account, and refuses unless the two digests agree: bytes that two
encoders read differently are signed by nobody.

Not here: blob transactions (EIP-4844), refused by name; legacy transactions without a chain id, which
anybody could replay on every chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from quorate.chains.ethereum.address import checksummed, keccak
from quorate.chains.ethereum.heavy import load
from quorate.chains.ethereum.rlp_items import integer, items, number, octets, unpack
from quorate.chains.ethereum.signature import Parts, check
from quorate.errors import LimitExceeded, Malformed, Refused

MAX_NONCE: Final = (1 << 64) - 2
"""EIP-2681: an account's nonce stays below 2^64 - 1."""

MAX_GAS: Final = (1 << 64) - 1
MAX_WORD: Final = (1 << 256) - 1

MAX_ACCESS_KEYS: Final = 1024
"""Addresses and storage keys of an access list together; a block's gas would not pay for many more."""

MAX_AUTHORIZATIONS: Final = 64
"""Entries of an EIP-7702 list; each is shown to a person."""

LEGACY: Final = 0
ACCESS_LIST: Final = 1
DYNAMIC_FEE: Final = 2
BLOB: Final = 3
SET_CODE: Final = 4

NAMES: Final = {
    LEGACY: "legacy (EIP-155)",
    ACCESS_LIST: "type 1 (EIP-2930)",
    DYNAMIC_FEE: "type 2 (EIP-1559)",
    SET_CODE: "type 4 (EIP-7702)",
}

AUTHORIZATION_MAGIC: Final = b"\x05"


@dataclass(frozen=True, slots=True)
class Authorization:
    """What an account signs to become code: on `chain_id` (0: every chain), at `nonce`, run `address`."""

    chain_id: int
    address: bytes
    nonce: int

    def preimage(self) -> bytes:
        """``0x05 || rlp([chain id, address, nonce])``, EIP-7702."""
        import rlp

        return AUTHORIZATION_MAGIC + bytes(
            rlp.encode([number(self.chain_id), self.address, number(self.nonce)])
        )


@dataclass(frozen=True, slots=True)
class SignedAuthorization:
    """One entry of a type 4 transaction's list. Its signer may be another account than the sender."""

    authorization: Authorization
    parts: Parts


@dataclass(frozen=True, slots=True)
class Transaction:
    """All fields; amounts in wei. `to` is None for contract creation.

    `gas_price` belongs to types 0 and 1, `max_fee` and `max_priority_fee` to types 2 and 4; the others are 0.
    Construction checks every field and raises `Malformed`, so an instance is a valid unsigned transaction.
    """

    kind: int
    chain_id: int
    nonce: int
    gas: int
    to: bytes | None
    value: int
    data: bytes
    gas_price: int = 0
    max_fee: int = 0
    max_priority_fee: int = 0
    access_list: tuple[tuple[bytes, tuple[bytes, ...]], ...] = ()
    authorizations: tuple[SignedAuthorization, ...] = ()

    def __post_init__(self) -> None:
        _check_numbers(self)
        _check_shape(self)

    @property
    def max_fee_total(self) -> int:
        """The most the transaction can cost besides `value`, in wei."""
        return self.gas * (self.max_fee if self.kind in (DYNAMIC_FEE, SET_CODE) else self.gas_price)

    def preimage(self) -> bytes:
        """The canonical body of the request."""
        import rlp

        to = self.to or b""
        call = [number(self.gas), to, number(self.value), self.data]
        if self.kind == LEGACY:
            tail = [number(self.chain_id), b"", b""]
            return bytes(rlp.encode([number(self.nonce), number(self.gas_price), *call, *tail]))
        head = [number(self.chain_id), number(self.nonce)]
        if self.kind == ACCESS_LIST:
            fees = [number(self.gas_price)]
        else:
            fees = [number(self.max_priority_fee), number(self.max_fee)]
        access = [[address, list(keys)] for address, keys in self.access_list]
        fields: list[Any] = [*head, *fees, *call, access]
        if self.kind == SET_CODE:
            fields.append([_entry(signed) for signed in self.authorizations])
        return bytes([self.kind]) + bytes(rlp.encode(fields))

    def digest(self) -> bytes:
        """What the wallet signs: eth-account's hash, which must equal the hash of our preimage."""
        theirs = bytes(_eth_account_form(self).hash())
        if theirs != keccak(self.preimage()):
            raise Malformed("transaction: two encoders disagree about these fields, so nobody signs them")
        return theirs

    def signed(self, parts: Parts) -> bytes:
        """The raw signed transaction, by eth-account's encoder."""
        load()
        from eth_account._utils.legacy_transactions import encode_transaction

        v = 35 + 2 * self.chain_id + parts.y_parity if self.kind == LEGACY else parts.y_parity
        return bytes(encode_transaction(_eth_account_form(self), vrs=(v, parts.r, parts.s)))

    def as_rpc(self) -> dict[str, Any]:
        """The fields as JSON-RPC libraries name them, numbers as integers."""
        fields: dict[str, Any] = {
            "chainId": self.chain_id,
            "nonce": self.nonce,
            "gas": self.gas,
            "to": checksummed(self.to) if self.to else "",
            "value": self.value,
            "data": "0x" + self.data.hex(),
        }
        if self.kind != LEGACY:
            fields["type"] = hex(self.kind)
            fields["accessList"] = [
                {"address": checksummed(address), "storageKeys": ["0x" + key.hex() for key in keys]}
                for address, keys in self.access_list
            ]
        if self.kind in (LEGACY, ACCESS_LIST):
            fields["gasPrice"] = self.gas_price
        else:
            fields["maxFeePerGas"] = self.max_fee
            fields["maxPriorityFeePerGas"] = self.max_priority_fee
        if self.kind == SET_CODE:
            fields["authorizationList"] = [_entry_rpc(signed) for signed in self.authorizations]
        return fields


def parse_preimage(body: bytes) -> Transaction:
    """Strict inverse of `Transaction.preimage`.

    Raises `Malformed`, or `Refused` for what is valid Ethereum but not signed here (blobs, no chain id).
    """
    if not body:
        raise Malformed("transaction: empty")
    kind = LEGACY if body[0] >= 0xC0 else body[0]
    if kind == BLOB:
        raise Refused("blob transactions (type 3) are not supported", code="unsupported-transaction")
    if kind not in NAMES or (kind == LEGACY and body[0] == 0):
        raise Malformed(f"transaction: unknown type {body[0]}")
    fields = unpack(body if kind == LEGACY else body[1:], "transaction")
    if kind == LEGACY and isinstance(fields, list) and len(fields) == 6:
        raise Refused(
            "a legacy transaction without a chain id could be replayed on every chain; set it (EIP-155)",
            code="no-chain-id",
        )
    transaction = _from_items(kind, fields)
    if transaction.preimage() != body:
        raise Malformed("transaction: not the canonical encoding")
    return transaction


def parse_authorization(body: bytes) -> Authorization:
    """Strict inverse of `Authorization.preimage`. Raises `Malformed`."""
    if body[:1] != AUTHORIZATION_MAGIC:
        raise Malformed("authorization: begins with 0x05 (EIP-7702)")
    chain_id, address, nonce = items(unpack(body[1:], "authorization"), 3, "authorization")
    authorization = Authorization(
        integer(chain_id, "authorization chain id"),
        octets(address, 20, "authorization address"),
        integer(nonce, "authorization nonce"),
    )
    check_authorization(authorization)
    if authorization.preimage() != body:
        raise Malformed("authorization: not the canonical encoding")
    return authorization


def check_authorization(authorization: Authorization) -> None:
    """Ranges of EIP-7702. Raises `Malformed`."""
    if not 0 <= authorization.chain_id <= MAX_WORD:
        raise Malformed("authorization chain id: out of range")
    if not 0 <= authorization.nonce <= MAX_NONCE:
        raise Malformed(f"authorization nonce: at most {MAX_NONCE} (EIP-2681)")


def _from_items(kind: int, fields: Any) -> Transaction:
    if kind == LEGACY:
        nonce, price, gas, to, value, data, chain_id, r, s = items(fields, 9, "legacy transaction")
        if r or s:
            raise Malformed("legacy transaction: already signed; the unsigned form ends in chain id, 0, 0")
        fees = {"gas_price": integer(price, "gasPrice")}
        access: Any = []
        entries: Any = []
    elif kind == ACCESS_LIST:
        chain_id, nonce, price, gas, to, value, data, access = items(fields, 8, NAMES[kind])
        fees = {"gas_price": integer(price, "gasPrice")}
        entries = []
    else:
        count = 10 if kind == SET_CODE else 9
        chain_id, nonce, priority, fee, gas, to, value, data, access, *rest = items(
            fields, count, NAMES[kind]
        )
        fees = {
            "max_priority_fee": integer(priority, "maxPriorityFeePerGas"),
            "max_fee": integer(fee, "maxFeePerGas"),
        }
        entries = rest[0] if rest else []
    return Transaction(
        kind=kind,
        chain_id=integer(chain_id, "chainId"),
        nonce=integer(nonce, "nonce"),
        gas=integer(gas, "gas"),
        to=octets(to, 20, "to") if to else None,
        value=integer(value, "value"),
        data=octets(data, None, "data"),
        access_list=tuple(_access(entry) for entry in items(access, None, "accessList")),
        authorizations=tuple(_authorization(entry) for entry in items(entries, None, "authorizationList")),
        **fees,
    )


def _access(entry: Any) -> tuple[bytes, tuple[bytes, ...]]:
    address, keys = items(entry, 2, "accessList")
    return octets(address, 20, "accessList address"), tuple(
        octets(key, 32, "accessList storage key") for key in items(keys, None, "accessList storageKeys")
    )


def _authorization(entry: Any) -> SignedAuthorization:
    chain_id, address, nonce, parity, r, s = items(entry, 6, "authorizationList")
    return SignedAuthorization(
        Authorization(
            integer(chain_id, "authorization chainId"),
            octets(address, 20, "authorization address"),
            integer(nonce, "authorization nonce"),
        ),
        Parts(
            integer(r, "authorization r"),
            integer(s, "authorization s"),
            integer(parity, "authorization yParity"),
        ),
    )


def _entry(signed: SignedAuthorization) -> list[bytes]:
    inner, parts = signed.authorization, signed.parts
    scalars = [number(parts.y_parity), number(parts.r), number(parts.s)]
    return [number(inner.chain_id), inner.address, number(inner.nonce), *scalars]


def _entry_rpc(signed: SignedAuthorization) -> dict[str, Any]:
    inner, parts = signed.authorization, signed.parts
    return {
        "chainId": inner.chain_id,
        "address": checksummed(inner.address),
        "nonce": inner.nonce,
        "yParity": parts.y_parity,
        "r": parts.r,
        "s": parts.s,
    }


def _eth_account_form(transaction: Transaction) -> Any:
    load()
    from eth_account._utils.legacy_transactions import serializable_unsigned_transaction_from_dict

    return serializable_unsigned_transaction_from_dict(transaction.as_rpc())


def _check_numbers(transaction: Transaction) -> None:
    for name, value, limit in (
        ("nonce", transaction.nonce, MAX_NONCE),
        ("gas", transaction.gas, MAX_GAS),
        ("value", transaction.value, MAX_WORD),
        ("gasPrice", transaction.gas_price, MAX_WORD),
        ("maxFeePerGas", transaction.max_fee, MAX_WORD),
        ("maxPriorityFeePerGas", transaction.max_priority_fee, MAX_WORD),
        ("chainId", transaction.chain_id, MAX_WORD),
    ):
        if value < 0:
            raise Malformed(f"{name}: negative")
        if value > limit:
            raise Malformed(f"{name}: {value} is more than the {limit} that Ethereum admits")
    if transaction.gas == 0:
        raise Malformed("gas: 0 pays for nothing; a plain transfer needs 21000")
    if transaction.max_priority_fee > transaction.max_fee:
        raise Malformed("maxPriorityFeePerGas: more than maxFeePerGas, which it is a part of (EIP-1559)")
    if transaction.max_fee_total + transaction.value > MAX_WORD:
        raise Malformed("gas: fee and value together exceed 2^256 wei")


def _check_shape(transaction: Transaction) -> None:
    if transaction.to is None and not transaction.data:
        raise Malformed("to: missing, and there is no code to deploy either; a transfer names its recipient")
    if transaction.kind in (LEGACY, ACCESS_LIST) and (transaction.max_fee or transaction.max_priority_fee):
        raise Malformed(f"maxFeePerGas: not a field of a {NAMES[transaction.kind]} transaction")
    if transaction.kind not in (LEGACY, ACCESS_LIST) and transaction.gas_price:
        raise Malformed(f"gasPrice: not a field of a {NAMES[transaction.kind]} transaction")
    if transaction.kind == LEGACY and transaction.access_list:
        raise Malformed("accessList: not a field of a legacy transaction")
    size = sum(1 + len(keys) for _, keys in transaction.access_list)
    if size > MAX_ACCESS_KEYS:
        raise LimitExceeded(f"accessList: {size} addresses and keys, at most {MAX_ACCESS_KEYS} are read")
    _check_authorizations(transaction)


def _check_authorizations(transaction: Transaction) -> None:
    entries = transaction.authorizations
    if transaction.kind != SET_CODE:
        if entries:
            raise Malformed(f"authorizationList: not a field of a {NAMES[transaction.kind]} transaction")
        return
    if not entries:
        raise Malformed("authorizationList: a type 4 transaction has at least one entry (EIP-7702)")
    if transaction.to is None:
        raise Malformed("to: a type 4 transaction cannot create a contract (EIP-7702)")
    if len(entries) > MAX_AUTHORIZATIONS:
        raise LimitExceeded(
            f"authorizationList: {len(entries)} entries, at most {MAX_AUTHORIZATIONS} are read"
        )
    for signed in entries:
        check_authorization(signed.authorization)
        check(signed.parts, "authorizationList")
        if signed.authorization.chain_id not in (0, transaction.chain_id):
            raise Malformed(
                f"authorizationList: an entry for chain {signed.authorization.chain_id} "
                f"has no effect in a transaction for chain {transaction.chain_id}"
            )
