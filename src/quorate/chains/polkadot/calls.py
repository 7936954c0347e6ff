"""Calls that are understood: sending the chain's coin, batches of that, remarks, and the basics of staking.

`read` answers None for a call it does not know, and for one that names an account in a way only the chain can
resolve; it raises `Malformed` where a known call's arguments do not fit, because the runtimes in the table
would not read it either. A batch is understood only if every call in it is: calls carry no length, so after
an unknown one nobody knows where the next begins.

Sources of the indices: see `quorate.chains.polkadot.runtimes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from quorate.chains.polkadot.runtimes import Runtime
from quorate.chains.polkadot.scale import Reader
from quorate.errors import LimitExceeded, Malformed

MAX_CALLS: Final = 64
"""Calls of one batch; each takes a line or two of a preview."""

MAX_TARGETS: Final = 24
"""Validators one account may nominate; Kusama allows 24, Polkadot 16."""

BALANCE_BITS: Final = 128


@dataclass(frozen=True, slots=True)
class Call:
    """A call understood: its name, and its arguments by name (accounts as 32 bytes, amounts as integers)."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    calls: tuple[Call, ...] = ()

    def flat(self) -> Iterator[Call]:
        """The calls that do something: itself, or those of the batch."""
        yield from self.calls if self.name in BATCHES else (self,)


class _Unresolved(Exception):
    """Whatever follows cannot be told apart from outside the chain."""


def read(runtime: Runtime, data: bytes) -> Call | None:
    """The known call that `data` is, all of it, or None."""
    reader = Reader(data, "call")
    try:
        call = _call(runtime, reader, inside=False)
    except _Unresolved:
        return None
    reader.end()
    return call


def _call(runtime: Runtime, reader: Reader, *, inside: bool) -> Call:
    pallets = {runtime.system: "system", runtime.balances: "balances", runtime.utility: "utility"}
    if runtime.staking is not None:
        pallets[runtime.staking] = "staking"
    pallet, index = pallets.get(reader.u8(), ""), reader.u8()
    if pallet == "utility":
        name = _BATCHES.get(index)
        if name is None or inside:
            raise _Unresolved
        return Call(name, calls=_batch(runtime, reader))
    known = _CALLS.get((pallet, index))
    if known is None:
        raise _Unresolved
    name, arguments = known
    return Call(f"{pallet}.{name}", {label: parse(reader) for label, parse in arguments})


def _batch(runtime: Runtime, reader: Reader) -> tuple[Call, ...]:
    count = reader.compact(32)
    if count > MAX_CALLS:
        raise LimitExceeded(f"call: a batch of {count}; at most {MAX_CALLS} calls can be shown")
    return tuple(_call(runtime, reader, inside=True) for _ in range(count))


def _amount(reader: Reader) -> int:
    return reader.compact(BALANCE_BITS)


def _account(reader: Reader) -> bytes:
    return reader.take(32)


def _address(reader: Reader) -> bytes:
    # MultiAddress: 00 is an account; an index, raw bytes or 20 bytes mean what the chain makes of them
    kind = reader.u8()
    if kind > 4:
        raise Malformed(f"call: {kind:02x} is no kind of address")
    if kind != 0:
        raise _Unresolved
    return _account(reader)


def _targets(reader: Reader) -> tuple[bytes, ...]:
    count = reader.compact(32)
    if count > MAX_TARGETS:
        raise LimitExceeded(f"call: {count} nominations; no chain takes more than {MAX_TARGETS}")
    return tuple(_address(reader) for _ in range(count))


def _payee(reader: Reader) -> str | bytes:
    kind = reader.u8()
    if kind == 3:
        return _account(reader)
    if kind not in _PAYEES:
        raise Malformed(f"call: {kind:02x} is no destination of rewards")
    return _PAYEES[kind]


def _octets(reader: Reader) -> bytes:
    return reader.octets()


def _boolean(reader: Reader) -> bool:
    return reader.boolean()


def _u32(reader: Reader) -> int:
    return reader.u32()


_PAYEES: Final = {0: "bonded as well", 1: "this account", 2: "the controller", 4: "nobody"}

_BATCHES: Final = {0: "utility.batch", 2: "utility.batch_all", 4: "utility.force_batch"}
BATCHES: Final = frozenset(_BATCHES.values())

_Arguments = tuple[tuple[str, Callable[[Reader], Any]], ...]
_SEND: Final[_Arguments] = (("recipient", _address), ("amount", _amount))

_CALLS: Final[Mapping[tuple[str, int], tuple[str, _Arguments]]] = {
    ("system", 0): ("remark", (("remark", _octets),)),
    ("system", 7): ("remark_with_event", (("remark", _octets),)),
    ("balances", 0): ("transfer_allow_death", _SEND),
    ("balances", 3): ("transfer_keep_alive", _SEND),
    ("balances", 4): ("transfer_all", (("recipient", _address), ("keep_alive", _boolean))),
    ("staking", 0): ("bond", (("amount", _amount), ("payee", _payee))),
    ("staking", 1): ("bond_extra", (("amount", _amount),)),
    ("staking", 2): ("unbond", (("amount", _amount),)),
    ("staking", 3): ("withdraw_unbonded", (("slashing_spans", _u32),)),
    ("staking", 5): ("nominate", (("targets", _targets),)),
    ("staking", 6): ("chill", ()),
    ("staking", 7): ("set_payee", (("payee", _payee),)),
    ("staking", 18): ("payout_stakers", (("validator", _account), ("era", _u32))),
    ("staking", 19): ("rebond", (("amount", _amount),)),
}
