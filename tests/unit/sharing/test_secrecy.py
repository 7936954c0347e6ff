"""Who can compute the key: exact ranks of what each coalition sees, through the formulas that the code uses.

Every secret of one wallet is an unknown; a view is a list of linear forms over them. A coalition knows the
key x if and only if x lies in the span of its view. Public points are left out, so "knows nothing" means:
nothing beyond discrete logarithms. Each claim has a control in which the rule behind it is broken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from quorate.groups.toy import ORDER as Q
from quorate.sharing import line


class Form:
    """A linear form over named unknowns that passes for a scalar in the formulas of `line`."""

    def __init__(self, terms: Mapping[str, int]) -> None:
        self.terms = {name: c % Q for name, c in terms.items() if c % Q}

    @property
    def value(self) -> Form:
        return self

    @property
    def group(self) -> Form:
        return self

    def scalar(self, value: Form) -> Form:
        return value

    def __add__(self, other: Form | int) -> Form:
        if isinstance(other, int):
            assert other == 0
            return self
        names = {*self.terms, *other.terms}
        return Form({n: self.terms.get(n, 0) + other.terms.get(n, 0) for n in names})

    __radd__ = __add__

    def __mul__(self, factor: int) -> Form:
        return Form({n: c * factor for n, c in self.terms.items()})

    __rmul__ = __mul__

    def __sub__(self, other: Form | int) -> Form:
        return self if isinstance(other, int) else self + other * -1


def unknown(name: str) -> Form:
    return Form({name: 1})


def shared(name: str, x: int, degree: int) -> Form:
    """The value at x of a polynomial whose coefficients are all unknown."""
    return Form({f"{name}{k}": x**k for k in range(degree + 1)})


def knows(view: Iterable[Form], target: Form) -> bool:
    """Whether `target` is in the span of `view` (Gaussian elimination over the field)."""
    basis: dict[str, Form] = {}

    def reduced(form: Form) -> Form:
        for pivot, row in basis.items():
            if pivot in form.terms:
                form = form - row * form.terms[pivot]
        return form

    for form in view:
        rest = reduced(form)
        if rest.terms:
            pivot = min(rest.terms)
            row = rest * pow(rest.terms[pivot], -1, Q)
            for name in list(basis):
                if pivot in basis[name].terms:
                    basis[name] = basis[name] - row * basis[name].terms[pivot]
            basis[pivot] = row
    return not reduced(target).terms


class Dealt:
    """One refresh from ``2 of (committee, device@2)`` to `needed` of (committee, targets), device online.

    `name` tells apart two refreshes; `fresh` names the committee key of the new line.
    """

    def __init__(
        self,
        *,
        nodes: int = 5,
        degree: int = 2,
        needed: int = 2,
        name: str = "",
        fresh: str = "t",
        pool_part: bool = True,
        device_part: bool = True,
    ) -> None:
        self.n, self.d, self.needed, self.name, self.fresh = nodes, degree, needed, name, fresh
        self.pool_part, self.device_part = pool_part, device_part
        self.lam = line.weights([2], Q)
        self.x = self.lam[1] * unknown("s0") + self.lam[2] * unknown("u")

    def mask(self, tau: int, i: int) -> Form:
        return shared(f"{self.name}rho{tau}.", i, self.d)

    def pool(self, j: int, i: int) -> Form:
        return shared(f"{self.name}r{j}.", i, self.d) if self.pool_part else Form({})

    def auxiliary(self, j: int) -> Form:
        return unknown(f"{self.name}e{j}") if self.device_part else Form({})

    def item(self, tau: int, i: int) -> Form:
        a: Any = line.basis(tau, self.needed, Q)
        extra: Any = [self.pool(j, i) for j in range(self.needed - 2)]
        old: Any = shared("s", i, self.d)
        fresh: Any = shared(self.fresh, i, self.d)
        masks: Any = [self.mask(tau, i)]
        result: Any = line.item(a, self.lam[1], old, fresh, extra, masks)
        return result

    def part(self, tau: int) -> Form:
        a: Any = line.basis(tau, self.needed, Q)
        extra: Any = [self.auxiliary(j) for j in range(self.needed - 2)]
        u: Any = unknown("u")
        zero: Any = self.mask(tau, 0)
        result: Any = line.part(a, self.lam[2], u, extra, zero)
        return result

    def share(self, tau: int) -> Form:
        total = self.part(tau)
        for i in range(1, self.d + 2):
            total = total + self.item(tau, i) * line.lagrange(range(1, self.d + 2), i, 0, Q)
        return total

    def target(self, tau: int) -> list[Form]:
        """What the factor at tau opens."""
        return [*(self.item(tau, i) for i in range(1, self.n + 1)), self.part(tau)]

    def online(self, *targets: int) -> list[Form]:
        """What the device draws and holds when it asks."""
        masks = [unknown(f"{self.name}rho{tau}.{k}") for tau in targets for k in range(self.d + 1)]
        return [unknown("u"), *masks, *(self.auxiliary(j) for j in range(self.needed - 2))]

    def node(self, i: int, *targets: int) -> list[Form]:
        """Everything a node has between LOCK and the flip: both shares, pool parts, mask shares."""
        extra = [self.pool(j, i) for j in range(self.needed - 2)]
        return [shared("s", i, self.d), shared(self.fresh, i, self.d), *extra] + [
            self.mask(tau, i) for tau in targets
        ]

    def all_nodes(self, *targets: int) -> list[Form]:
        return [form for i in range(1, self.n + 1) for form in self.node(i, *targets)]


SIZES = pytest.mark.parametrize(("nodes", "degree"), [(1, 0), (3, 1), (5, 2), (5, 4)])


@SIZES
def test_after_a_first_refresh_every_pair_knows_the_key_and_nobody_alone(nodes: int, degree: int) -> None:
    deal = Dealt(nodes=nodes, degree=degree)
    device = deal.online(2, 3) + deal.target(2)
    backup = deal.target(3)
    committee = deal.all_nodes(2, 3)
    assert not knows(device, deal.x)
    assert not knows(backup, deal.x)
    assert not knows(committee, deal.x)
    for pair in (device + backup, device + committee, backup + committee):
        assert knows(pair, deal.x)


@SIZES
def test_a_factor_and_degree_many_nodes_know_nothing_one_node_more_knows_all(nodes: int, degree: int) -> None:
    deal = Dealt(nodes=nodes, degree=degree)
    for factor in (deal.online(2, 3) + deal.target(2), deal.target(3)):
        few = [form for i in range(1, degree + 1) for form in deal.node(i, 2, 3)]
        assert not knows(factor + few, deal.x)
        assert knows(factor + few + deal.node(degree + 1, 2, 3), deal.x)


def test_neither_side_learns_the_others_share() -> None:
    deal = Dealt()
    device = deal.online(2, 3) + deal.target(2)
    assert not knows(device, deal.share(3))
    assert not knows(device, unknown("s0"))
    assert not knows(device, unknown("t0"))
    assert not knows(deal.target(3), unknown("u"))
    assert not knows(deal.target(3), deal.share(2))
    assert not knows(deal.all_nodes(2, 3), unknown("u"))
    assert not knows(deal.all_nodes(2, 3), deal.share(2))
    assert not knows(deal.all_nodes(2, 3), deal.share(3))
    # each opens exactly its own
    assert knows(deal.target(2), deal.share(2))
    assert knows(deal.target(3), deal.share(3))


def test_a_party_that_opens_two_targets_owns_the_key() -> None:
    """Why a repeated identity is refused, and why the backup is another process."""
    deal = Dealt()
    assert knows(deal.target(2) + deal.target(3), deal.x)


def test_a_target_at_zero_or_one_owns_the_key() -> None:
    deal = Dealt()
    assert knows(deal.target(0), deal.x)
    assert knows(deal.target(1), unknown("t0"))
    assert knows(deal.target(1) + deal.target(2), deal.x)


def test_two_requests_under_one_fresh_key_give_the_key_away() -> None:
    """Why a pool key serves one request for ever, aborted ones too."""
    first, second = Dealt(name="A"), Dealt(name="B")
    view = first.online(2, 3) + first.target(2) + second.online(2, 5) + second.target(5)
    assert knows(view, first.x)
    fresh = Dealt(name="B", fresh="t'")
    view = first.online(2, 3) + first.target(2) + fresh.online(2, 5) + fresh.target(5)
    assert not knows(view, first.x)


def test_a_fresh_line_through_the_live_committee_key_would_add_nothing_fresh() -> None:
    """s' = s: then an old share of the device and the new one of a thief's line are one line's two points."""
    deal = Dealt(fresh="s")
    assert knows([unknown("u"), *deal.target(3)], deal.x)
    assert not knows([unknown("u"), *Dealt().target(3)], deal.x)


def test_raised_to_three_any_three_know_the_key_and_no_two() -> None:
    deal = Dealt(needed=3)
    after = {
        "committee": [shared("t", i, 2) for i in range(1, 6)],
        2: [deal.share(2)],
        3: deal.target(3),
        4: deal.target(4),
    }
    names = list(after)
    for left_out in names:
        three = [form for name in names if name != left_out for form in after[name]]
        assert knows(three, deal.x)
        for second in names:
            if second != left_out:
                two = [f for name in names if name not in (left_out, second) for f in after[name]]
                assert not knows(two, deal.x)


def test_the_committee_with_its_pool_parts_and_one_new_factor_stay_below_three() -> None:
    deal = Dealt(needed=3)
    assert not knows(deal.all_nodes(2, 3, 4) + deal.target(3), deal.x)
    assert not knows(deal.online(2, 3, 4) + deal.target(2), deal.x)


def test_an_auxiliary_value_of_one_side_alone_drops_the_threshold() -> None:
    committee_only = Dealt(needed=3, device_part=False)
    assert knows(committee_only.all_nodes(2, 3, 4) + committee_only.target(3), committee_only.x)
    device_only = Dealt(needed=3, pool_part=False)
    device = [*device_only.online(2, 3, 4), *device_only.target(2)]
    assert knows(device + device_only.target(3), device_only.x)
    both = Dealt(needed=3)
    assert not knows(both.online(2, 3, 4) + both.target(2) + both.target(3), both.x)


def test_masks_hide_the_nodes_shares_and_the_devices_from_the_target() -> None:
    deal = Dealt()
    view = deal.target(3)
    unmasked = [deal.item(3, i) + deal.mask(3, i) for i in range(1, 6)]
    unmasked_part = deal.part(3) - deal.mask(3, 0)
    for hidden in (*unmasked, unmasked_part, unknown("u"), shared("s", 1, 2), shared("t", 1, 2)):
        assert not knows(view, hidden)
    # without them the part alone is the device's old share
    assert knows([unmasked_part], unknown("u"))
    assert knows([*unmasked, unmasked_part], deal.share(3))
