"""The calls of an invocation, and the token calls among them that are understood (ERC-20 as Cairo writes it).

Accounts that follow SNIP-6 take ``[count, (contract, selector, length, data...)...]``. An older account reads
the same felts differently, so calls are read only for the classes of `quorate.chains.starknet.account`, and
only if nothing is left over. A selector is a hash of a name: it says what a contract is *asked* to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from quorate.chains.starknet.hashes import selector

MAX_CALLS: Final = 64
"""Calls of one invocation that are shown; with more it is not understood."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `name` is empty unless selector and data are exactly those of a known function."""

    contract: int
    selector: int
    data: tuple[int, ...]
    name: str = ""
    arguments: Mapping[str, int] = field(default_factory=dict)


_ACCOUNTS: Final = {
    "transfer": ("recipient",),
    "transfer_from": ("owner", "recipient"),
    "transferFrom": ("owner", "recipient"),
    "approve": ("spender",),
    "increase_allowance": ("spender",),
    "increaseAllowance": ("spender",),
}
"""Functions by name, with the accounts they take before an amount of 256 bits in two felts."""


def read(calldata: Sequence[int]) -> tuple[Call, ...] | None:
    """The calls, or None for what is not exactly a SNIP-6 array of at most `MAX_CALLS`."""
    if not calldata or calldata[0] > MAX_CALLS:
        return None
    calls, position = [], 1
    for _ in range(calldata[0]):
        head = calldata[position : position + 3]
        if len(head) != 3 or head[2] > len(calldata):
            return None
        position += 3 + head[2]
        if position > len(calldata):
            return None
        calls.append(_call(head[0], head[1], tuple(calldata[position - head[2] : position])))
    return tuple(calls) if position == len(calldata) else None


def _call(contract: int, called: int, data: tuple[int, ...]) -> Call:
    name, accounts = _by_selector().get(called, ("", ()))
    if not name or len(data) != len(accounts) + 2:
        return Call(contract, called, data)
    *values, low, high = data
    if low >> 128 or high >> 128:
        return Call(contract, called, data)
    arguments = {**dict(zip(accounts, values, strict=True)), "amount": high << 128 | low}
    return Call(contract, called, data, name, arguments)


@cache
def _by_selector() -> dict[int, tuple[str, tuple[str, ...]]]:
    return {selector(name): (name, accounts) for name, accounts in _ACCOUNTS.items()}
