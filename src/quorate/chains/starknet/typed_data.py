"""Typed data of Starknet: SNIP-12, revision 1 (Poseidon), read strictly and hashed.

A document has one canonical form, RFC 8785 JSON in which every value is spelled as its type asks: felts,
addresses, class hashes and selectors as ``0x`` text without leading zeros, numbers as decimal text, booleans
as booleans, texts as texts. A short string that is a number is one (``"1"`` hashes as 1 in every library),
and is written ``0x1``. What no type mentions and what is missing are refused: what is shown is what is
hashed.

Not read, and refused by name: enums, Merkle trees, and revision 0, in which two sets of types may have one
hash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from quorate.chains.starknet.felts import FELT_BYTES, felt, short_string, written
from quorate.chains.starknet.hashes import poseidon, selector
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
from quorate.errors import LimitExceeded, Malformed, Refused
from quorate.groups.stark import FIELD

MAX_DEPTH: Final = 6
"""Structs and arrays within each other."""

DOMAIN: Final = "StarknetDomain"
_DOMAIN_MEMBERS: Final = tuple((name, "shortstring") for name in ("name", "version", "chainId", "revision"))

_PRESETS: Final[Types] = {
    "u256": (("low", "u128"), ("high", "u128")),
    "TokenAmount": (("token_address", "ContractAddress"), ("amount", "u256")),
    "NftId": (("collection_address", "ContractAddress"), ("token_id", "u256")),
}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_ ]{0,63}\Z")
_NUMBER: Final = re.compile(r"(?:0x[0-9a-fA-F]{1,64}|-?[0-9]{1,78})\Z")
_REFUSED: Final = ("enum", "merkletree")


@dataclass(frozen=True, slots=True)
class TypedData:
    """A document in canonical form."""

    types: Types
    primary_type: str
    domain: Mapping[str, Any]
    message: Mapping[str, Any]

    @property
    def chain(self) -> int:
        """The domain's chain id as a felt."""
        return _felt_of("shortstring", self.domain["chainId"])

    def document(self) -> bytes:
        """The canonical JSON."""
        return canonical_json(document(self.types, self.primary_type, self.domain, self.message))

    def hash(self, account: int) -> int:
        """What the owner of `account` signs."""
        domain = self.struct_hash(DOMAIN, self.domain)
        message = self.struct_hash(self.primary_type, self.message)
        return poseidon([short_string("StarkNet Message"), domain, account, message])

    def leaves(self) -> Iterator[Leaf]:
        """Every value of the message in the order it is hashed."""
        return self._leaves(self.primary_type, self.message, "")

    def struct_hash(self, name: str, value: Mapping[str, Any]) -> int:
        """``poseidon(type hash, values...)``."""
        row = _members(self.types, name)
        values = [self._encoded(kind, value[member]) for member, kind in row or ()]
        return poseidon([selector(type_text(self.types, name)), *values])

    def _encoded(self, kind: str, value: Any) -> int:
        if kind.endswith("*"):
            return poseidon([self._encoded(kind[:-1], item) for item in value])
        if _members(self.types, kind) is not None:
            return self.struct_hash(kind, value)
        return _text_hash(value) if kind == "string" else _felt_of(kind, value)

    def _leaves(self, kind: str, value: Any, path: str) -> Iterator[Leaf]:
        row = None if kind.endswith("*") else _members(self.types, kind)
        if kind.endswith("*") and value:
            for index, item in enumerate(value):
                yield from self._leaves(kind[:-1], item, f"{path}[{index}]")
        elif row:
            for member, inner in row:
                yield from self._leaves(inner, value[member], f"{path}.{member}".lstrip("."))
        else:
            yield Leaf(path, kind, value)


def parse(found: Any) -> TypedData:
    """Typed data as applications write it. Raises `Malformed` with the field, `Refused`, `LimitExceeded`."""
    exactly(found, PARTS, "typed data")
    types = _types(found["types"])
    if types.get(DOMAIN) != _DOMAIN_MEMBERS:
        raise Malformed(f"typed data types.{DOMAIN}: name, version, chainId and revision, all shortstring")
    primary = found["primaryType"]
    if not isinstance(primary, str) or primary not in types or primary == DOMAIN:
        raise Malformed("typed data primaryType: not one of the types")
    unused = sorted(set(types) - set(_reached(types, primary)) - {DOMAIN})
    if unused or DOMAIN in _reached(types, primary):
        raise Malformed(f"typed data types.{(unused or [DOMAIN])[0]}: not a part of the primary type")
    reader = _Reader(types)
    data = TypedData(
        types,
        primary,
        reader.struct(DOMAIN, found["domain"], "domain", 0),
        reader.struct(primary, found["message"], "", 0),
    )
    if data.domain["revision"] != "0x1":
        raise Refused(
            "typed data is signed in revision 1: in revision 0, two sets of types may have one hash",
            code="unsupported-revision",
        )
    return data


def from_document(data: bytes) -> TypedData:
    """Strict inverse of `TypedData.document`. Raises what `parse` does."""
    parsed = parse(read_json(data, MAX_DEPTH))
    if parsed.document() != data:
        raise Malformed("typed data: not the canonical form")
    return parsed


def type_text(types: Types, name: str) -> str:
    """The type and those it needs, each name in quotation marks: what a type's hash is computed of."""
    first, *others = _reached(types, name)
    return "".join(
        f'"{each}"({",".join(_member_text(row) for row in _members(types, each) or ())})'
        for each in (first, *sorted(others))
    )


class _Reader:
    """Reads values to their canonical spelling, counting them."""

    __slots__ = ("_budget", "_types")

    def __init__(self, types: Types) -> None:
        self._types = types
        self._budget = Budget()

    def struct(self, name: str, value: Any, path: str, depth: int) -> dict[str, Any]:
        """The members of a struct."""
        row = _members(self._types, name) or ()
        if depth > MAX_DEPTH:
            raise LimitExceeded(f"typed data {path}: nested deeper than {MAX_DEPTH}")
        exactly(value, {member for member, _ in row}, f"typed data {path}".rstrip())
        if not row:
            self._budget.spend()
        return {
            member: self._value(kind, value[member], f"{path}.{member}".lstrip("."), depth)
            for member, kind in row
        }

    def _value(self, kind: str, value: Any, path: str, depth: int) -> Any:
        if kind.endswith("*"):
            if not isinstance(value, list | tuple):
                raise Malformed(f"typed data {path}: expected a list")
            if depth >= MAX_DEPTH:
                raise LimitExceeded(f"typed data {path}: nested deeper than {MAX_DEPTH}")
            if not value:
                self._budget.spend()
            return [
                self._value(kind[:-1], item, f"{path}[{index}]", depth + 1)
                for index, item in enumerate(value)
            ]
        if _members(self._types, kind) is not None:
            return self.struct(kind, value, path, depth + 1)
        self._budget.spend()
        return _BASIC[kind](value, f"typed data {path}")


def _types(value: Any) -> dict[str, Members]:
    def check_name(name: str) -> None:
        if not _NAME.match(name) or name in _BASIC or name in _PRESETS or name in _REFUSED:
            raise Malformed("typed data types: a type's name is a word that SNIP-12 does not use itself")

    def member(name: str, each: Any) -> tuple[str, str]:
        where = f"typed data types.{name}"
        if isinstance(each, Mapping) and each.get("type") in _REFUSED:
            raise Refused(f"{where}: enums and Merkle trees are not read here", code="unsupported-type")
        exactly(each, {"name", "type"}, where)
        label, kind = each["name"], each["type"]
        if not isinstance(label, str) or not _NAME.match(label):
            raise Malformed(f"{where}: a member's name is a word")
        plain = kind.removesuffix("*") if isinstance(kind, str) else ""
        if plain not in _BASIC and plain not in _PRESETS and plain not in value:
            raise Malformed(f"{where}.{label}: unknown type")
        return label, kind

    return types_of(value, check_name, member)


def _members(types: Types, name: str) -> tuple[tuple[str, str], ...] | None:
    return types.get(name, _PRESETS.get(name))


def _member_text(row: tuple[str, str]) -> str:
    return f'"{row[0]}":"{row[1]}"'


def _reached(types: Types, name: str) -> list[str]:
    """The struct and all that it needs, itself first."""
    found, waiting = [], [name]
    while waiting:
        each = waiting.pop()
        row = _members(types, each)
        if row is not None and each not in found:
            found.append(each)
            waiting.extend(kind.removesuffix("*") for _, kind in row)
    return found


def _hexadecimal(value: Any, where: str) -> str:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value) if len(value) < 79 else -1
    return written(int.from_bytes(felt(value, where), "big"))


def _word(value: Any, where: str) -> str:
    """A felt, also from a short text, which stands for the number its bytes are."""
    if isinstance(value, str) and value and not _NUMBER.match(value):
        return written(short_string(value))
    return _hexadecimal(value, where)


def _short(value: Any, where: str) -> str:
    if isinstance(value, str) and value and not _NUMBER.match(value):
        short_string(value)
        if value.startswith("0x") or not value.isprintable():
            raise Malformed(f"{where}: a short string is printable text, or a number")
        return value
    return _hexadecimal(value, where)


def _selector(value: Any, where: str) -> str:
    if isinstance(value, str) and _NAME.match(value):
        return written(selector(value))
    return _hexadecimal(value, where)


def _integer(low: int, high: int) -> Callable[[Any, str], str]:
    def read(value: Any, where: str) -> str:
        if isinstance(value, str) and _NUMBER.match(value):
            value = int(value, 16) if value.startswith("0x") else int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value < high:
            raise Malformed(f"{where}: expected a whole number from {low} to {high - 1}")
        return str(value)

    return read


def _boolean(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise Malformed(f"{where}: expected true or false")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise Malformed(f"{where}: expected text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Malformed(f"{where}: text with half a surrogate pair") from None
    return value


_BASIC: Final[Mapping[str, Callable[[Any, str], Any]]] = {
    "felt": _word,
    "shortstring": _short,
    "selector": _selector,
    "ContractAddress": _hexadecimal,
    "ClassHash": _hexadecimal,
    "bool": _boolean,
    "string": _text,
    "u128": _integer(0, 1 << 128),
    "i128": _integer(-(1 << 127), 1 << 127),
    "timestamp": _integer(0, 1 << 128),
}


def _felt_of(kind: str, value: Any) -> int:
    if kind == "bool":
        return int(value)
    if kind in ("u128", "i128", "timestamp"):
        return int(value) % FIELD
    return int(value, 16) if value.startswith("0x") else short_string(value)


def _text_hash(value: str) -> int:
    """A text as Cairo's ByteArray: words of 31 bytes, what is left over, and how long that is."""
    data = value.encode()
    size = FELT_BYTES - 1
    whole = len(data) // size * size
    words = [int.from_bytes(data[i : i + size], "big") for i in range(0, whole, size)]
    return poseidon([len(words), *words, int.from_bytes(data[whole:], "big"), len(data) - whole])
