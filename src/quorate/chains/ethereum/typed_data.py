"""EIP-712 typed data: one canonical form, strict types, digest by eth-account.

The body of a request is RFC 8785 JSON of ``{"domain", "message", "primaryType", "types"}`` with every
number written as a decimal string, every byte string as ``0x`` and lower-case digits, and every address
with its EIP-55 checksum; so one meaning has one payload and no JSON parser's number type matters.

Stricter than the EIP and than eth-account, which ignores fields that no type mentions, fills missing ones
with zero and takes any value as a boolean: what a person would be shown must be what is hashed. Types that
the primary type does not reach are refused too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from quorate.chains.ethereum.address import checksummed, parse_address
from quorate.chains.ethereum.heavy import load
from quorate.chains.ethereum.rpc_fields import octets
from quorate.chains.typed import (
    PARTS,
    Budget,
    Leaf,
    Members,
    Types,
    canonical_json,
    document,
    exactly,
    read_json,
    types_of,
)
from quorate.errors import LimitExceeded, Malformed

MAX_DEPTH: Final = 8
"""Structs and arrays within each other; permits and orders in use reach four."""

DOMAIN: Final = "EIP712Domain"
_DOMAIN_TYPES: Final = {
    "name": "string",
    "version": "string",
    "chainId": "uint256",
    "verifyingContract": "address",
    "salt": "bytes32",
}
_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,63}\Z")
_ARRAY: Final = re.compile(r"(.*)\[([1-9][0-9]{0,2})?\]\Z")
_NUMBER: Final = re.compile(r"(u?)int([1-9][0-9]{0,2})\Z")
_FIXED: Final = re.compile(r"bytes([1-9][0-9]?)\Z")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,78}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class TypedData:
    """A valid EIP-712 message; `domain` and `message` hold canonical values. Made by `parse`."""

    types: Types
    primary_type: str
    domain: Mapping[str, Any]
    message: Mapping[str, Any]

    @property
    def chain_id(self) -> int | None:
        """The chain id of the domain, if it names one."""
        return int(self.domain["chainId"]) if "chainId" in self.domain else None

    def body(self) -> bytes:
        """The canonical JSON."""
        return canonical_json(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """What eth-account and every JavaScript wallet call the full message."""
        return document(self.types, self.primary_type, self.domain, self.message)

    def digest(self) -> bytes:
        """``keccak(0x1901 || domain separator || struct hash)``, by eth-account."""
        load()
        from eth_account.messages import _hash_eip191_message, encode_typed_data

        try:
            return bytes(_hash_eip191_message(encode_typed_data(full_message=self.as_dict())))
        except (ValueError, TypeError, KeyError) as error:
            # all is checked before; what the encoder still refuses is refused, not worked around
            raise Malformed(f"typed data: {error}") from None

    def leaves(self) -> Iterator[Leaf]:
        """Every value of the message in the order it is hashed."""
        return _leaves(self.types, self.primary_type, self.message, "")


def from_body(body: bytes) -> TypedData:
    """Strict inverse of `TypedData.body`. Raises `Malformed` or `LimitExceeded`."""
    data = parse(read_json(body, MAX_DEPTH))
    if data.body() != body:
        raise Malformed("typed data: not the canonical form")
    return data


def parse(found: Any) -> TypedData:
    """Typed data as applications write it: numbers as integers or text, bytes as bytes or 0x text.

    ``types.EIP712Domain`` may be left out. Raises `Malformed` naming the field, or `LimitExceeded`.
    """
    exactly(found, PARTS, "typed data")
    types = _types(found["types"])
    primary = found["primaryType"]
    if not isinstance(primary, str) or primary not in types or primary == DOMAIN:
        raise Malformed("typed data primaryType: not one of the types")
    domain = found["domain"]
    if not isinstance(domain, Mapping) or not all(name in _DOMAIN_TYPES for name in domain):
        raise Malformed(f"typed data domain: only {', '.join(_DOMAIN_TYPES)} belong there")
    row = tuple((name, kind) for name, kind in _DOMAIN_TYPES.items() if name in domain)
    if types.setdefault(DOMAIN, row) != row:
        raise Malformed(
            f"typed data types.{DOMAIN}: must list exactly the domain's fields in the order of EIP-712"
        )
    _check_reach(types, primary)
    budget = Budget()
    return TypedData(
        types=types,
        primary_type=primary,
        domain=_struct(types, DOMAIN, domain, "domain", 0, budget),
        message=_struct(types, primary, found["message"], "", 0, budget),
    )


def element_of(kind: str) -> tuple[str, int | None] | None:
    """(element type, fixed length or None) of an array type; None for any other."""
    match = _ARRAY.match(kind)
    return None if match is None else (match[1], int(match[2]) if match[2] else None)


def _types(value: Any) -> dict[str, Members]:
    def check_name(name: str) -> None:
        if not _NAME.match(name) or _is_basic(name):
            raise Malformed(
                "typed data types: a type's name is an identifier that Solidity does not use itself"
            )

    def member(name: str, each: Any) -> tuple[str, str]:
        exactly(each, {"name", "type"}, f"typed data types.{name}")
        label, kind = each["name"], each["type"]
        if not isinstance(label, str) or not _NAME.match(label):
            raise Malformed(f"typed data types.{name}: a member's name is an identifier")
        if not isinstance(kind, str) or not _known(kind, value):
            raise Malformed(f"typed data types.{name}.{label}: unknown type")
        return label, kind

    return types_of(value, check_name, member)


def _known(kind: str, types: Mapping[str, Any], depth: int = 0) -> bool:
    array = element_of(kind)
    if array is not None:
        return depth < MAX_DEPTH and _known(array[0], types, depth + 1)
    return _is_basic(kind) or kind in types


def _is_basic(kind: str) -> bool:
    if kind in ("string", "bytes", "bool", "address"):
        return True
    number = _NUMBER.match(kind)
    if number is not None:
        return int(number[2]) % 8 == 0 and int(number[2]) <= 256
    fixed = _FIXED.match(kind)
    return fixed is not None and int(fixed[1]) <= 32


def _check_reach(types: Types, primary: str) -> None:
    reached: set[str] = set()
    waiting = [primary]
    while waiting:
        name = waiting.pop()
        if name in reached or name not in types:
            continue
        reached.add(name)
        waiting.extend(kind.partition("[")[0] for _, kind in types[name])
    if DOMAIN in reached:
        raise Malformed(f"typed data types: {DOMAIN} is the domain's, a message cannot contain it")
    unused = sorted(set(types) - reached - {DOMAIN})
    if unused:
        raise Malformed(f"typed data types.{unused[0]}: the primary type does not use it")


def _struct(types: Types, name: str, value: Any, path: str, depth: int, budget: Budget) -> dict[str, Any]:
    where = f"typed data {path}".rstrip()
    if depth > MAX_DEPTH:
        raise LimitExceeded(f"{where}: nested deeper than {MAX_DEPTH}")
    if not isinstance(value, Mapping):
        raise Malformed(f"{where}: expected the fields of {name}")
    exactly(value, {member for member, _ in types[name]}, where)
    if not value:
        budget.spend()
    return {
        member: _value(types, kind, value[member], f"{path}.{member}".lstrip("."), depth, budget)
        for member, kind in types[name]
    }


def _value(types: Types, kind: str, value: Any, path: str, depth: int, budget: Budget) -> Any:
    array = element_of(kind)
    if array is not None:
        element, length = array
        if not isinstance(value, list | tuple) or (length is not None and len(value) != length):
            raise Malformed(f"typed data {path}: expected a list for {kind}")
        if depth >= MAX_DEPTH:
            raise LimitExceeded(f"typed data {path}: nested deeper than {MAX_DEPTH}")
        if not value:
            budget.spend()
        return [
            _value(types, element, item, f"{path}[{index}]", depth + 1, budget)
            for index, item in enumerate(value)
        ]
    if kind in types:
        return _struct(types, kind, value, path, depth + 1, budget)
    budget.spend()
    return _basic(kind, value, f"typed data {path}")


def _basic(kind: str, value: Any, where: str) -> Any:
    if kind == "bool":
        if not isinstance(value, bool):
            raise Malformed(f"{where}: expected true or false")
        return value
    if kind == "string":
        if not isinstance(value, str):
            raise Malformed(f"{where}: expected text")
        return value
    if kind == "address":
        return checksummed(parse_address(value, where))
    if kind.startswith("bytes"):
        data = octets(value, where)
        if kind != "bytes" and len(data) != int(kind[5:]):
            raise Malformed(f"{where}: {len(data)} bytes instead of {kind[5:]}")
        return "0x" + data.hex()
    return _number(kind, value, where)


def _number(kind: str, value: Any, where: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and _DECIMAL.match(value):
        number = int(value)
    elif isinstance(value, str) and re.match(r"0x[0-9a-fA-F]{1,64}\Z", value):
        number = int(value, 16)
    else:
        raise Malformed(f"{where}: expected a whole number, as an integer or as text")
    signed, bits = not kind.startswith("u"), int(kind.lstrip("uint"))
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if not low <= number <= high:
        raise Malformed(f"{where}: out of range for {kind}")
    return str(number)


def _leaves(types: Types, kind: str, value: Any, path: str) -> Iterator[Leaf]:
    array = element_of(kind)
    if array is not None:
        if not value:
            yield Leaf(path, kind, [])
        for index, item in enumerate(value):
            yield from _leaves(types, array[0], item, f"{path}[{index}]")
    elif kind in types:
        if not types[kind]:
            yield Leaf(path, kind, {})
        for member, inner in types[kind]:
            yield from _leaves(types, inner, value[member], f"{path}.{member}".lstrip("."))
    else:
        yield Leaf(path, kind, value)
