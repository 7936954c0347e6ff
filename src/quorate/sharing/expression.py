"""Trees of thresholds and how they are written: ``2 of (3 of (n1 n2 n3 n4 n5), device@2, backup)``.

Members are separated by commas or spaces; a member without ``@point`` takes the point after its
neighbour's, the first takes 1. `write` gives the one canonical spelling (sorted by point, points only
where they are not the next), and `check` tells a valid tree: names single, thresholds reachable, points
distinct. What a tree means is said in `quorate.sharing.access`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from quorate.errors import LimitExceeded, Malformed

MAX_DEPTH: Final = 4
"""Groups inside groups. Two levels serve every preset; four leave room and keep parsing shallow."""
MAX_MEMBERS: Final = 32
"""Members of one group. The largest committee we give parameters for has 13 nodes."""
MAX_LEAVES: Final = 64
"""Shares of one key. Each costs a refresh a sealed item from every node."""
MAX_POINT: Final = 0xFFFF
"""Points only grow, one per factor ever added; far below every group order, so none meets q - j."""
MAX_EXPRESSION: Final = 4096
"""Characters of an expression: `MAX_LEAVES` names of 32 characters with points fit."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One share: the name of the party that holds it, and its point in the group around it."""

    name: str
    point: int

    @property
    def leaves(self) -> tuple[str, ...]:
        return (self.name,)


@dataclass(frozen=True, slots=True)
class Threshold:
    """`needed` of `members` (sorted by point) together hold this group's value, which stands at `point`."""

    needed: int
    members: tuple[Member, ...]
    point: int

    @property
    def leaves(self) -> tuple[str, ...]:
        return tuple(name for member in self.members for name in member.leaves)


Member: TypeAlias = Leaf | Threshold


def read(text: str) -> Threshold:
    """Parse an expression; `check` the tree before use. Raises `Malformed`, or `LimitExceeded`."""
    if len(text) > MAX_EXPRESSION:
        raise LimitExceeded(f"{len(text)} characters, an access structure has at most {MAX_EXPRESSION}")
    reader = _Reader(_tokens(text))
    root = reader.group(depth=1)
    reader.end()
    return root


def write(group: Threshold, *, root: bool = True) -> str:
    """The canonical spelling: commas at the root and around groups, spaces between plain members."""
    parts = []
    expected = 1
    for member in group.members:
        text = member.name if isinstance(member, Leaf) else write(member, root=False)
        parts.append(text if member.point == expected else f"{text}@{member.point}")
        expected = member.point + 1
    plain = not root and all(isinstance(member, Leaf) for member in group.members)
    return f"{group.needed} of ({(' ' if plain else ', ').join(parts)})"


def check(root: Threshold) -> None:
    """Raise `Malformed` or `LimitExceeded` unless `root` is a valid tree."""
    _check_group(root, depth=1)
    names = root.leaves
    if len(names) > MAX_LEAVES:
        raise LimitExceeded(f"{len(names)} members in all, at most {MAX_LEAVES} are allowed")
    # one name, one share: nobody may hold two shares of a key, not even by a slip of the pen
    for name in names:
        if names.count(name) > 1:
            raise Malformed(f"'{name}' stands twice in the structure; each party holds one share")


def _check_group(group: Threshold, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise LimitExceeded(f"groups are nested deeper than {MAX_DEPTH}")
    if len(group.members) > MAX_MEMBERS:
        raise LimitExceeded(f"a group of {len(group.members)} members, at most {MAX_MEMBERS} are allowed")
    if not 1 <= group.needed <= len(group.members):
        raise Malformed(
            f"{group.needed} of {len(group.members)} members can never be reached or means nothing"
        )
    points = [member.point for member in group.members]
    if any(not 1 <= point <= MAX_POINT for point in points):
        raise Malformed(f"points are 1 to {MAX_POINT}; 0 is the key itself")
    if points != sorted(set(points)):
        raise Malformed("two members of a group stand at one point, or members are not sorted by point")
    for member in group.members:
        if isinstance(member, Threshold):
            _check_group(member, depth + 1)
        elif not _NAME.fullmatch(member.name) or member.name.isdigit() or member.name == "of":
            raise Malformed(f"'{member.name}' is no name: a-z, 0-9 and '-', at most 32, not digits alone")


_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_TOKEN = re.compile(r"\s*([a-z0-9][a-z0-9-]*|[(),@])", re.ASCII)


def _tokens(text: str) -> list[str]:
    found = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise Malformed(
                f"an access structure is like '2 of (device, backup)'; stuck at '{text[position:][:20]}'"
            )
        found.append(match[1])
        position = match.end()
    return found


class _Reader:
    """Recursive descent over the tokens; the depth is checked before descending."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._next = 0

    def group(self, depth: int) -> Threshold:
        if depth > MAX_DEPTH:
            raise LimitExceeded(f"groups are nested deeper than {MAX_DEPTH}")
        needed = self._number("how many are needed")
        self._take("of")
        self._take("(")
        members: list[Member] = []
        while self._peek() != ")":
            members.append(self._member(depth, members[-1].point + 1 if members else 1))
            if len(members) > MAX_MEMBERS:
                raise LimitExceeded(f"a group has more than {MAX_MEMBERS} members")
            if self._peek() == ",":
                self._take(",")
                if self._peek() == ")":
                    raise Malformed("a member is missing after the last ','")
        self._take(")")
        return Threshold(needed, tuple(sorted(members, key=lambda member: member.point)), 0)

    def end(self) -> None:
        if self._next != len(self._tokens):
            raise Malformed(f"'{self._tokens[self._next]}' stands after the end of the structure")

    def _member(self, depth: int, point: int) -> Member:
        nested = self._tokens[self._next + 1 : self._next + 2] == ["of"]
        member: Member = self.group(depth + 1) if nested else Leaf(self._word(), 0)
        if self._peek() == "@":
            self._take("@")
            point = self._number("a point")
        if isinstance(member, Leaf):
            return Leaf(member.name, point)
        return Threshold(member.needed, member.members, point)

    def _peek(self) -> str:
        if self._next >= len(self._tokens):
            raise Malformed("the structure ends too early; is a ')' missing?")
        return self._tokens[self._next]

    def _word(self) -> str:
        word = self._peek()
        if word in "(),@":
            raise Malformed(f"a name is expected where '{word}' stands")
        self._next += 1
        return word

    def _take(self, expected: str) -> None:
        if self._peek() != expected:
            raise Malformed(f"'{expected}' is expected where '{self._peek()}' stands")
        self._next += 1

    def _number(self, what: str) -> int:
        word = self._word()
        # no leading zeros and no more digits than a point has: one number, one spelling
        if not re.fullmatch(r"[1-9][0-9]{0,4}", word):
            raise Malformed(f"{what} is a number without leading zeros, not '{word}'")
        return int(word)
