"""A fresh line through the same key: the algebra of refresh, add, revoke, raise and lower.

The outer polynomial M has degree T-1 and M(0) = x, the key, which nobody evaluates. The committee's
shared value stands at 1, factors at tau >= 2, and for T > 2 auxiliary values at the reserved points
q - j, which are given to nobody. A new M' is fixed by x at 0, by the fresh committee key s' at 1 and by
fresh auxiliary values; every new share is a public linear combination a(tau) of these. The steps and the
argument are on docs/protocols/refresh.md; "line" is the word for T = 2 and is kept for every T.

    v_i(tau)  = a_0 lam_1 s_i + a_1 s'_i + sum_j a_{j+1} r_{j,i} - sum_e rho_{e,tau}(i)     node i's item
    D_e,tau   = a_0 lam_e u_e + sum_j a_{j+1} r_{j,e} + rho_{e,tau}(0)                  online factor's part
    share     = sum over d+1 nodes of L_i(0) v_i + sum_e D_e,tau

rho_{e,tau} is a mask polynomial of the committee's degree, dealt to the nodes by factor e: items hide
s_i behind it, the part hides u_e behind its constant, and only their sum is free of it.

Pure functions. Who may ask for what is decided elsewhere (`quorate.sharing.refresh`); a request with two
targets of one owner hands that owner x, whatever is computed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from quorate.errors import Malformed, ProofRejected
from quorate.groups import Group, Point, Scalar
from quorate.sharing.access import AccessStructure, lagrange
from quorate.sharing.expression import Member, Threshold
from quorate.sharing.polynomial import Commitment

KEY_POINT: Final = 0
COMMITTEE_POINT: Final = 1

Row: TypeAlias = dict[str, int]
"""A linear form: coefficients by the names of the values they multiply."""


@dataclass(frozen=True, slots=True)
class Line:
    """All public values of one refresh; everybody computes the same checks from them.

    `weights` are the coefficients lam of the old signer set {1} + the online factors' points. `old` are the
    nodes' public shares of s, `fresh` the commitment of s'. `masks` has a commitment for each (online point,
    target point). `pool` are commitments of the auxiliary pool keys r_1 .. r_{T-2}, `auxiliary` each online
    factor's points R_{j,e}. All commitments have one degree.
    """

    needed: int
    weights: Mapping[int, int]
    public_key: Point
    old: Mapping[int, Point]
    fresh: Commitment
    factors: Mapping[int, Point]
    masks: Mapping[tuple[int, int], Commitment]
    pool: tuple[Commitment, ...] = ()
    auxiliary: Mapping[int, tuple[Point, ...]] | None = None

    def __post_init__(self) -> None:
        extra = self.needed - 2
        shape = (
            extra >= 0
            and len(self.pool) == extra
            and set(self.factors) == set(self.weights) - {COMMITTEE_POINT}
            and all(len(self._auxiliary(e)) == extra for e in self.factors)
            and {e for e, _ in self.masks} <= set(self.factors)
        )
        degrees = {c.degree for c in (self.fresh, *self.pool, *self.masks.values())}
        if not shape or len(degrees) != 1:
            raise Malformed("refresh: the public values do not have the shape of one line")

    @property
    def group(self) -> Group:
        return self.public_key.group

    def basis(self, tau: int) -> tuple[int, ...]:
        """a(tau), see `basis`."""
        return basis(tau, self.needed, self.group.order)

    def item_check(self, tau: int, node: int) -> Point:
        """g^{v_node(tau)}."""
        a = self.basis(tau)
        terms = [(self.old[node], a[0] * self.weights[COMMITTEE_POINT]), (self.fresh.at(node), a[1])]
        terms += [(r.at(node), a[j]) for j, r in enumerate(self.pool, 2)]
        masks = self.group.sum(self.masks[e, tau].at(node) for e in sorted(self.factors))
        return _combine(self.group, terms) - masks

    def part_check(self, tau: int, online: int) -> Point:
        """g^{D_{online,tau}}."""
        a = self.basis(tau)
        terms = [(self.factors[online], a[0] * self.weights[online])]
        terms += [(r, a[j]) for j, r in enumerate(self._auxiliary(online), 2)]
        return _combine(self.group, terms) + self.masks[online, tau].constant

    def share_check(self, tau: int) -> Point:
        """The public share of the factor at `tau` on the new line."""
        a = self.basis(tau)
        terms = [(self.public_key, a[0]), (self.fresh.constant, a[1])]
        for j, pool in enumerate(self.pool):
            terms.append((pool.constant, a[j + 2]))
            terms += [(self._auxiliary(e)[j], a[j + 2]) for e in sorted(self.factors)]
        return _combine(self.group, terms)

    def checks(self, targets: Iterable[int]) -> tuple[bytes, ...]:
        """All check values, by target: the nodes' in order of their points, then the online factors'.

        Encoded; empty for the identity, which a value may have: an online factor can choose its masks so
        that a part is zero, and that concerns nobody but itself.
        """
        found: list[Point] = []
        for tau in sorted(targets):
            found += (self.item_check(tau, node) for node in sorted(self.old))
            found += (self.part_check(tau, online) for online in sorted(self.factors))
        return tuple(b"" if point.is_identity else point.to_bytes() for point in found)

    def _auxiliary(self, online: int) -> tuple[Point, ...]:
        return () if self.auxiliary is None else self.auxiliary.get(online, ())


def basis(tau: int, needed: int, order: int) -> tuple[int, ...]:
    """a(tau): the Lagrange basis on {0, 1, q-1, .., q-(T-2)} at `tau`; (1-tau, tau) for T = 2."""
    points = (KEY_POINT, COMMITTEE_POINT, *(order - j for j in range(1, needed - 1)))
    return tuple(lagrange(points, p, tau, order) for p in points)


def weights(online: Iterable[int], order: int) -> dict[int, int]:
    """lam: the coefficients at 0 of the committee and the online factors, who together are T_old."""
    points = (COMMITTEE_POINT, *sorted(online))
    return {p: lagrange(points, p, KEY_POINT, order) for p in points}


def item(
    a: Sequence[int], weight: int, old: Scalar, fresh: Scalar, pool: Sequence[Scalar], masks: Iterable[Scalar]
) -> Scalar:
    """v_i(tau) of one node: its shares of s, s' and the r_j, and the mask shares dealt to it for `tau`."""
    value = a[0] * weight * old.value + a[1] * fresh.value
    value += sum(c * r.value for c, r in zip(a[2:], pool, strict=True))
    value -= sum(mask.value for mask in masks)
    return old.group.scalar(value)


def part(a: Sequence[int], weight: int, share: Scalar, auxiliary: Sequence[Scalar], mask: Scalar) -> Scalar:
    """D_{e,tau} of one online factor; `mask` is its mask polynomial's value at 0."""
    value = a[0] * weight * share.value + mask.value
    value += sum(c * r.value for c, r in zip(a[2:], auxiliary, strict=True))
    return share.group.scalar(value)


def assemble(group: Group, items: Mapping[int, Scalar], parts: Iterable[Scalar], degree: int) -> Scalar:
    """share(tau) from checked items (any degree+1 of them are used) and all parts."""
    nodes = sorted(items)[: degree + 1]
    if len(nodes) != degree + 1:
        raise ProofRejected(f"{len(nodes)} items, {degree + 1} are needed to assemble a share")
    value = sum(items[i].value * lagrange(nodes, i, 0, group.order) for i in nodes)
    return group.scalar(value + sum(p.value for p in parts))


def rows(structure: AccessStructure, order: int) -> dict[str, Row]:
    """Each share as a linear form over ``x``, ``s`` (the root's committee point) and auxiliary values.

    row(child z of a group with threshold k) = L_0(z) row(group) + sum over m of L_m(z) row(aux_m). At the
    root aux_1 stands at point 1 and is the committee's value; elsewhere the k-1 auxiliary values of the
    group at path p stand at q-1 .. q-k+1 and are called ``p/m``. The nodes inside the committee have no
    row of their own: key generation shares s between them.
    """
    found: dict[str, Row] = {}
    root = structure.root
    names = {1: "s"} | {order - j: f"/{j}" for j in range(1, root.needed - 1)} if root.needed > 1 else {}
    for member in root.members:
        _rows(member, _row(member.point, {"x": 1}, names, order), str(member.point), order, found)
    return found


def _rows(
    member: Member, row: dict[str, int], path: str, order: int, found: dict[str, dict[str, int]]
) -> None:
    if not isinstance(member, Threshold):
        found[member.name] = row
        return
    if path == str(COMMITTEE_POINT):
        return
    names = {order - j: f"{path}/{j}" for j in range(1, member.needed)}
    for child in member.members:
        _rows(child, _row(child.point, row, names, order), f"{path}/{child.point}", order, found)


def _row(z: int, above: Row, names: Mapping[int, str], order: int) -> Row:
    points = (KEY_POINT, *names)
    scale = lagrange(points, KEY_POINT, z, order)
    row = {name: scale * c % order for name, c in above.items()}
    for p, name in names.items():
        row[name] = (row.get(name, 0) + lagrange(points, p, z, order)) % order
    return {name: c for name, c in row.items() if c}


def _combine(group: Group, terms: Sequence[tuple[Point, int]]) -> Point:
    return group.sum(point.multiply_public(group.scalar(factor)) for point, factor in terms)
