"""Calls of contracts that follow NEAR's token standards: NEP-141 (fungible), NEP-171 and 178 (collectible).

The method's name and its JSON are a convention, like a selector elsewhere: only the contract's code decides
what happens. A call is known if its arguments are one JSON object with exactly the standard's names, each
once, and every value of the standard's form; otherwise it is unknown, and shown raw.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from quorate.chains.near.accounts import check_account
from quorate.chains.near.actions import FunctionCall
from quorate.chains.text import nested_deeper
from quorate.errors import Malformed

MAX_ARGUMENTS: Final = 8_192
"""Bytes of JSON that are parsed; a transfer has a hundred, and a text to its receiver seldom a thousand."""

MAX_AMOUNT: Final = (1 << 128) - 1

_STANDARD: Final[Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]]] = {
    "ft_transfer": ("NEP-141", ("receiver_id", "amount"), ("memo",)),
    "ft_transfer_call": ("NEP-141", ("receiver_id", "amount", "msg"), ("memo",)),
    "nft_transfer": ("NEP-171", ("receiver_id", "token_id"), ("memo",)),
    "nft_transfer_call": ("NEP-171", ("receiver_id", "token_id", "msg"), ("memo",)),
    "nft_approve": ("NEP-178", ("token_id", "account_id"), ("msg",)),
    "nft_revoke": ("NEP-178", ("token_id", "account_id"), ()),
    "nft_revoke_all": ("NEP-178", ("token_id",), ()),
}


@dataclass(frozen=True, slots=True)
class Call:
    """A known call. `arguments` are text, an amount as its number's digits."""

    method: str
    standard: str
    arguments: Mapping[str, str]


def decode_call(call: FunctionCall) -> Call | None:
    """The known call this is, or None."""
    if call.method not in _STANDARD or len(call.arguments) > MAX_ARGUMENTS:
        return None
    standard, needed, optional = _STANDARD[call.method]
    try:
        values = _object(call.arguments)
    except ValueError:
        return None
    if not set(needed) <= set(values) <= {*needed, *optional}:
        return None
    # a standard's optional argument may also be there as null, which says the same as its absence
    given = {name: value for name, value in values.items() if value is not None or name in needed}
    if not all(isinstance(value, str) and _fits(name, value) for name, value in given.items()):
        return None
    return Call(call.method, standard, given)


def _object(data: bytes) -> dict[str, Any]:
    text = data.decode()
    if nested_deeper(text, 1):
        raise ValueError("more than one object")
    found = json.loads(text, object_pairs_hook=_each_once, parse_constant=_refuse)
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _fits(name: str, value: str) -> bool:
    if name == "amount":
        plain = value.isascii() and value.isdecimal() and len(value) <= 39
        return plain and str(int(value)) == value and int(value) <= MAX_AMOUNT
    if name in ("receiver_id", "account_id"):
        try:
            check_account(value, name)
        except Malformed:
            return False
    return True
