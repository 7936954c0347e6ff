"""What a liar may write into one field of a message: generic changes by the type of the value.

A mutated message need not be one that an honest parser accepts: a field may get bytes of another length,
a point off the group, a scalar that is not reduced. msgspec structs don't check on construction, so such
values are simply put in place and encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from quorate.groups import Point, Scalar
from quorate.session import Message


@dataclass(frozen=True, slots=True)
class Mutation:
    """A named change of one value."""

    name: str
    change: Callable[[Any], Any]

    def __str__(self) -> str:
        return self.name


def put(value: Any) -> Mutation:
    """Replaces whatever is there."""
    return Mutation(f"put {value!r}"[:60], lambda _: value)


FLIP_FIRST = Mutation("flip the first bit", lambda value: bytes([value[0] ^ 0x80]) + value[1:])
FLIP_LAST = Mutation("flip the last bit", lambda value: value[:-1] + bytes([value[-1] ^ 1]))
ZEROED = Mutation("zero", lambda value: bytes(len(value)))
SHORTENED = Mutation("drop the last byte", lambda value: value[:-1])
LENGTHENED = Mutation("append a byte", lambda value: value + b"\x00")
EMPTIED = Mutation("empty", lambda value: type(value)())


def mutations_for(value: Any) -> list[Mutation]:
    """The changes that make sense for this value; none for a type that no message of ours holds."""
    if isinstance(value, bool):
        return [Mutation("negate", lambda v: not v)]
    if isinstance(value, bytes):
        return [LENGTHENED, *([FLIP_FIRST, FLIP_LAST, ZEROED, SHORTENED, EMPTIED] if value else [])]
    if isinstance(value, int):
        return [
            Mutation("plus one", lambda v: v + 1),
            Mutation("minus one", lambda v: v - 1),
            Mutation("huge", lambda v: (1 << 63) - 1),
        ]
    if isinstance(value, str):
        return [Mutation("another text", lambda v: v + "x"), EMPTIED]
    if isinstance(value, Scalar):
        return _of_scalar(value)
    if isinstance(value, Point):
        return _of_point(value)
    if isinstance(value, tuple):
        return _of_tuple(value)
    return []


def _of_scalar(value: Scalar) -> list[Mutation]:
    group = value.group
    unreduced = (value.value + group.order).to_bytes(group.scalar_length + 1, "big")
    above = group.order.to_bytes(group.scalar_length, "big")
    return [
        Mutation("plus one", lambda v: v + group.scalar(1)),
        Mutation("negate", lambda v: -v),
        Mutation("zero", lambda v: group.scalar(0)),
        Mutation("the order itself", lambda v: above),
        Mutation("not reduced", lambda v: unreduced),
        Mutation("cut short", lambda v: v.to_bytes()[:-1]),
    ]


def _of_point(value: Point) -> list[Mutation]:
    group = value.group
    return [
        Mutation("plus the generator", lambda v: v + group.generator),
        Mutation("negate", lambda v: -v),
        Mutation("the generator", lambda v: group.generator),
        Mutation("all zero bytes", lambda v: bytes(group.point_length)),
        Mutation("all one bits", lambda v: b"\xff" * group.point_length),
        Mutation("cut short", lambda v: v.to_bytes()[:-1]),
    ]


def _of_tuple(value: tuple[Any, ...]) -> list[Mutation]:
    found = [Mutation("repeat an element", lambda v: (*v, *v[-1:]))]
    if value:
        found += [Mutation("drop the last", lambda v: v[:-1]), EMPTIED]
    if len(value) > 1 and value[0] != value[1]:
        found.append(Mutation("swap the first two", lambda v: (v[1], v[0], *v[2:])))
    return found


def fields_of(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every field of a message with its path: ``salt``, ``proof.response``, ``shares.0``.

    Of a tuple, the tuple itself and its first and last element: a check that misses the ones between
    would have to be written on purpose.
    """
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from fields_of(getattr(value, name), f"{path}.{name}" if path else name)
        return
    yield path, value
    if isinstance(value, tuple):
        for index in sorted({0, len(value) - 1} if value else ()):
            yield from fields_of(value[index], f"{path}.{index}")


def with_field(message: Message, path: str, mutation: Mutation) -> Message:
    """The message with one field changed. Raises `LookupError` if it has none of that path."""
    changed: Message = _changed(message, path.split("."), mutation)
    return changed


def _changed(value: Any, path: list[str], mutation: Mutation) -> Any:
    if not path:
        return mutation.change(value)
    head, rest = path[0], path[1:]
    if isinstance(value, tuple):
        index = int(head)
        return (*value[:index], _changed(value[index], rest, mutation), *value[index + 1 :])
    if not isinstance(value, msgspec.Struct) or head not in value.__struct_fields__:
        raise LookupError(f"{type(value).__name__} has no field {head!r}")
    return msgspec.structs.replace(value, **{head: _changed(getattr(value, head), rest, mutation)})
