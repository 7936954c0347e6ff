"""What typed data of all chains has in common: named types, one canonical JSON, a bound on what is shown.

EIP-712 and Starknet's SNIP-12 have the same document, ``{"domain", "message", "primaryType", "types"}``; what
a basic type is, how it is spelled and how it is hashed is each family's own. The canonical form is RFC 8785
JSON without numbers: those are written as text, so that no parser's number type matters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from quorate.chains.text import nested_deeper
from quorate.errors import LimitExceeded, Malformed

MAX_LEAVES: Final = 256
"""Values in one document. Beyond it nobody reads the preview, and the whole document is what is signed."""

MAX_TYPES: Final = 32
MAX_MEMBERS: Final = 64
"""Types of a document and members of a type; the largest in use have a dozen."""

PARTS: Final = frozenset({"types", "primaryType", "domain", "message"})

Members: TypeAlias = tuple[tuple[str, str], ...]
Types: TypeAlias = Mapping[str, Members]
"""Struct name to its members in order: (name, type)."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of a message: its path (``order.maker``), its type, and its canonical value."""

    path: str
    type: str
    value: Any


class Budget:
    """Counts leaves down to the limit."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_LEAVES

    def spend(self) -> None:
        """One more. Raises `LimitExceeded`."""
        self.left -= 1
        if self.left < 0:
            raise LimitExceeded(
                f"typed data: more than {MAX_LEAVES} values; nobody could read what is signed"
            )


def exactly(value: Any, names: set[str] | frozenset[str], where: str) -> None:
    """Raises `Malformed` unless `value` has exactly these fields: what is shown is what is hashed."""
    if not isinstance(value, Mapping):
        raise Malformed(f"{where}: expected named fields")
    missing = sorted(names - set(value))
    extra = sorted(map(str, set(value) - names))
    if missing:
        raise Malformed(f"{where}: {missing[0]} is missing")
    if extra:
        raise Malformed(
            f"{where}: {extra[0][:64]!r} is in none of the types, so it would be shown but not signed"
        )


def types_of(
    value: Any, check_name: Callable[[str], None], member: Callable[[str, Any], tuple[str, str]]
) -> dict[str, Members]:
    """The types of a document. `check_name` refuses what is no name of a type, `member` reads one member.

    Two members of one name would share one value, which each of their types may spell and hash otherwise.
    """
    if not isinstance(value, Mapping) or not 0 < len(value) <= MAX_TYPES:
        raise Malformed(f"typed data types: expected 1 to {MAX_TYPES} named types")
    found = {}
    for name, members in value.items():
        check_name(name if isinstance(name, str) else "")
        if not isinstance(members, list | tuple) or len(members) > MAX_MEMBERS:
            raise Malformed(f"typed data types.{name}: expected a list of at most {MAX_MEMBERS} members")
        row = tuple(member(name, each) for each in members)
        if len({label for label, _ in row}) != len(row):
            raise Malformed(f"typed data types.{name}: two members of one name")
        found[name] = row
    return found


def document(
    types: Types, primary: str, domain: Mapping[str, Any], message: Mapping[str, Any]
) -> dict[str, Any]:
    """The document as libraries write it."""
    rows = {name: [{"name": label, "type": kind} for label, kind in row] for name, row in types.items()}
    return {"types": rows, "primaryType": primary, "domain": dict(domain), "message": dict(message)}


def canonical_json(value: Any) -> bytes:
    """The one spelling. Raises `Malformed` for text that has none."""
    # keys are ASCII, so sorting code points is RFC 8785's UTF-16 order; there are no numbers
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    except (UnicodeEncodeError, RecursionError):
        raise Malformed("typed data: text with half a surrogate pair") from None


def read_json(data: bytes, depth: int) -> Any:
    """JSON without numbers, nested as deeply as a message of `depth` structs and arrays within each other.

    Raises `Malformed` or `LimitExceeded`. Whether it is the canonical spelling is for the caller to compare.
    """
    try:
        text = data.decode()
        if nested_deeper(text, 2 * depth + 4):  # every level may be a struct and an array
            raise LimitExceeded(f"typed data: nested deeper than {depth}")
        return json.loads(text, parse_int=_no_number, parse_float=_no_number, parse_constant=_no_number)
    except (Malformed, LimitExceeded):
        raise
    except (ValueError, RecursionError):
        raise Malformed("typed data: not JSON in UTF-8") from None


def _no_number(text: str) -> Any:
    raise Malformed("typed data: numbers are written as decimal text in the canonical form")
