"""Nested thresholds: who together may use a key, and the public coefficient of each share when they do.

``2 of (3 of (n1 n2 n3 n4 n5), device, backup)`` is a tree. Every group shares its value by a polynomial
of degree ``needed - 1`` whose value at 0 is the group's own value, and each member stands at a public
point of it (Shamir 1979, nested). Signing, refresh and recovery ask one question, `coefficient`: with
these signers, by what number is this party's share multiplied so that the sum is the key? Nothing else in
the project knows about nesting.

Points are part of a structure. A member without an explicit point (``device@2``) takes the one after its
neighbour's, the first takes 1; at the root the committee stands at 1, so the factors begin at 2. Point 0
is the value itself and can be nobody's; points near the group order are kept for the auxiliary values of
a refresh (`quorate.sharing.line`).

Pure functions over names. Which party a name belongs to, and whether it may act now, is not known here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from quorate.errors import LocalError, Malformed, Remedy
from quorate.sharing.expression import Leaf, Member, Threshold, check, read, write


class NotAuthorised(LocalError):
    """These signers are too few. `missing` could be asked in addition; `needed` of them are enough."""

    remedy = Remedy.RETRY

    def __init__(self, message: str, *, missing: Iterable[str], needed: int) -> None:
        super().__init__(message)
        self.missing = tuple(missing)
        self.needed = needed


class NotExact(LocalError):
    """More signers than the structure needs. Coefficients exist for an exact set only: see `minimal`."""


@dataclass(frozen=True, slots=True)
class AccessStructure:
    """A valid tree of thresholds: names are unique, thresholds reachable, points distinct and not 0."""

    root: Threshold

    def __post_init__(self) -> None:
        check(self.root)

    @classmethod
    def parse(cls, text: str) -> AccessStructure:
        """Read an expression such as ``2 of (3 of (n1 n2 n3), device@2, backup)``. Raises `Malformed`."""
        return cls(read(text))

    @classmethod
    def with_committee(
        cls, nodes: Sequence[str], degree: int, factors: Mapping[str, int], *, needed: int = 2
    ) -> AccessStructure:
        """``needed of (degree+1 of (nodes), factors...)``, nodes at 1..n in the order given."""
        committee = Threshold(degree + 1, tuple(Leaf(name, i) for i, name in enumerate(nodes, 1)), 1)
        rest = sorted((Leaf(name, point) for name, point in factors.items()), key=lambda leaf: leaf.point)
        return cls(Threshold(needed, (committee, *rest), 0))

    def __str__(self) -> str:
        return write(self.root)

    def to_bytes(self) -> bytes:
        """The canonical expression as ASCII; what transcripts and records hold."""
        return str(self).encode("ascii")

    @property
    def leaves(self) -> tuple[str, ...]:
        """All names, in the order of the tree."""
        return self.root.leaves

    def committee(self) -> Threshold | None:
        """The group at point 1 of the root, if the structure has one."""
        first = self.root.members[0]
        return first if isinstance(first, Threshold) and first.point == 1 else None

    @property
    def nodes(self) -> Mapping[str, int]:
        """The committee's members and their points in it; empty without a committee."""
        committee = self.committee()
        members = committee.members if committee is not None else ()
        return {member.name: member.point for member in members if isinstance(member, Leaf)}

    def check_seats(self) -> None:
        """Raise `Malformed` unless the committee's members are single nodes at the points 1 to n.

        Key generation deals to these points and to no others. A structure that named others would give every
        signer a coefficient, and the sum would be another key.
        """
        committee = self.committee()
        members = committee.members if committee is not None else ()
        if not members or list(self.nodes.values()) != list(range(1, len(members) + 1)):
            raise Malformed(f"{self}: a committee's nodes stand at the points 1 to {len(members)}, one each")

    @property
    def factors(self) -> Mapping[str, int]:
        """The root's other single members and their points."""
        return {member.name: member.point for member in self.root.members if isinstance(member, Leaf)}

    def is_authorised(self, signers: Iterable[str]) -> bool:
        """Whether these parties together hold the key (more than enough is still enough)."""
        return _satisfied(self.root, self._known(signers))

    def minimal(self, available: Iterable[str], *, including: str | None = None) -> frozenset[str]:
        """An exact signer set out of `available`: in each group the members at the lowest points.

        `including` names one who must be in it. Raises `NotAuthorised`, naming who is missing and how many
        of them are needed.
        """
        names = self._known(available)
        if including is not None and including not in names:
            raise Malformed(f"{including} is not among those available")
        if not _satisfied(self.root, names):
            raise _shortage(self.root, names)
        chosen = frozenset(_lowest(self.root, names, including))
        if including is not None and including not in chosen:
            raise _shortage(_short_group_around(self.root, including, names), names)
        return chosen

    def coefficient(self, party: str, signers: Iterable[str], order: int) -> int:
        """c with sum over the signers of c * share = key (mod `order`).

        The product, along the path from `party` to the root, of the Lagrange coefficients at 0 over the
        points of the members that take part. Raises `NotAuthorised`, or `NotExact` for a larger set.
        """
        return self.coefficients(signers, order)[party]

    def coefficients(self, signers: Iterable[str], order: int) -> dict[str, int]:
        """`coefficient` of every signer, sorted by name."""
        names = self._known(signers)
        if not _satisfied(self.root, names):
            raise _shortage(self.root, names)
        found: dict[str, int] = {}
        _coefficients(self.root, names, 1, order, found)
        return dict(sorted(found.items()))

    def authorised_sets(self) -> Iterator[frozenset[str]]:
        """Every minimal authorised set, lazily, lowest points first. A large committee has thousands."""
        return _combinations(self.root)

    def breaking_sets(self) -> Iterator[frozenset[str]]:
        """Every minimal set of parties whose loss leaves nobody authorised, lazily.

        These are the authorised sets of the dual structure: to stop k of n, n-k+1 must be lost.
        """
        return _combinations(_dual(self.root))

    def survives(self, lost: Iterable[str]) -> bool:
        """Whether the key can still be used when all of `lost` are gone."""
        return _satisfied(self.root, frozenset(self.leaves) - self._known(lost))

    def single_losses(self) -> dict[str, bool]:
        """For each party: does the wallet survive losing it alone?"""
        return {name: self.survives((name,)) for name in self.leaves}

    def _known(self, names: Iterable[str]) -> frozenset[str]:
        given = frozenset(names)
        strangers = sorted(given - frozenset(self.leaves))
        if strangers:
            raise Malformed(f"not in the structure {self}: {', '.join(strangers)}")
        return given


def lagrange(points: Sequence[int], point: int, at: int, order: int) -> int:
    """L_point(at) over `points`, mod `order`: 1 at `point`, 0 at the other points."""
    numerator = denominator = 1
    for other in points:
        if other != point:
            numerator = numerator * (at - other) % order
            denominator = denominator * (point - other) % order
    return numerator * pow(denominator, -1, order) % order


def _satisfied(member: Member, names: frozenset[str]) -> bool:
    if isinstance(member, Leaf):
        return member.name in names
    return sum(_satisfied(child, names) for child in member.members) >= member.needed


def _lowest(member: Member, names: frozenset[str], including: str | None) -> Iterator[str]:
    if isinstance(member, Leaf):
        yield member.name
        return
    able = [child for child in member.members if _satisfied(child, names)]
    able.sort(key=lambda child: including not in child.leaves)  # stable: otherwise by point
    for child in able[: member.needed]:
        yield from _lowest(child, names, including)


def _short_group_around(group: Threshold, name: str, names: frozenset[str]) -> Threshold:
    around = next(child for child in group.members if name in child.leaves)
    if isinstance(around, Leaf) or not _satisfied(group, names):
        return group
    return _short_group_around(around, name, names)


def _coefficients(
    member: Member, names: frozenset[str], above: int, order: int, found: dict[str, int]
) -> None:
    if isinstance(member, Leaf):
        found[member.name] = above
        return
    taking_part = [child for child in member.members if names.intersection(child.leaves)]
    if len(taking_part) > member.needed:
        raise NotExact(
            f"{member.needed} of {len(member.members)} are needed where {len(taking_part)} were named: "
            f"{_names(taking_part)}; choose an exact set"
        )
    points = [child.point for child in taking_part]
    for child in taking_part:
        weight = lagrange(points, child.point, 0, order)
        _coefficients(child, names, above * weight % order, order, found)


def _shortage(group: Threshold, names: frozenset[str]) -> NotAuthorised:
    """Descend to the group that decides: the one short group, or this one when several are short."""
    short = [child for child in group.members if not _satisfied(child, names)]
    needed = group.needed - (len(group.members) - len(short))
    if len(short) == 1 and isinstance(short[0], Threshold):
        return _shortage(short[0], names)
    missing = tuple(name for child in short for name in child.leaves if name not in names)
    present = [child for child in group.members if _satisfied(child, names)]
    message = (
        f"{group.needed} of ({_names(group.members)}) are needed, present: {_names(present) or 'none'}; "
        f"{needed} more out of: {'; '.join(_shortfall(child, names) for child in short)}"
    )
    return NotAuthorised(message, missing=missing, needed=needed)


def _shortfall(member: Member, names: frozenset[str]) -> str:
    if isinstance(member, Leaf):
        return member.name
    present = sum(_satisfied(child, names) for child in member.members)
    absent = [child for child in member.members if not _satisfied(child, names)]
    return f"the group ({_names(member.members)}), which lacks {member.needed - present} of {_names(absent)}"


def _names(members: Iterable[Member]) -> str:
    return ", ".join(
        member.name if isinstance(member, Leaf) else f"{member.needed} of ({_names(member.members)})"
        for member in members
    )


def _combinations(member: Member) -> Iterator[frozenset[str]]:
    if isinstance(member, Leaf):
        yield frozenset((member.name,))
        return
    for chosen in itertools.combinations(member.members, member.needed):
        yield from _unions(chosen)


def _unions(members: Sequence[Member]) -> Iterator[frozenset[str]]:
    # recursion instead of itertools.product, which would first build every list in memory
    if not members:
        yield frozenset()
        return
    for first in _combinations(members[0]):
        for rest in _unions(members[1:]):
            yield first | rest


def _dual(group: Threshold) -> Threshold:
    members = tuple(_dual(m) if isinstance(m, Threshold) else m for m in group.members)
    return Threshold(len(members) - group.needed + 1, members, group.point)
