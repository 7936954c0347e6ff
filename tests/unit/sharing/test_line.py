"""The algebra of a refresh against the vectors: formation, add, revoke, raise, lower; n = 5 and n = 1."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from quorate.errors import Malformed, ProofRejected
from quorate.groups import SECP256K1, Point, Scalar
from quorate.secret import Secret
from quorate.sharing import line
from quorate.sharing.access import AccessStructure
from quorate.sharing.line import Line
from quorate.sharing.polynomial import Commitment, Polynomial, interpolate

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "wallet.json").read_text())
Q = SECP256K1.order
WALLETS = ("committee_5_2", "committee_1_0")


def scalar(text: str) -> Scalar:
    return SECP256K1.scalar_from_bytes(bytes.fromhex(text))


def point(text: str) -> Point:
    return SECP256K1.point_from_bytes(bytes.fromhex(text))


def polynomial(coefficients: list[str]) -> Polynomial:
    return Polynomial(SECP256K1, Secret(tuple(scalar(c) for c in coefficients)))


@pytest.mark.parametrize("needed", [2, 3, 4])
def test_the_basis_is_that_of_the_vectors(needed: int) -> None:
    for tau, expected in VECTORS["basis"][f"T={needed}"].items():
        assert line.basis(int(tau), needed, Q) == tuple(int(a, 16) for a in expected)


def test_for_two_the_basis_is_the_line() -> None:
    assert line.basis(7, 2, Q) == ((1 - 7) % Q, 7)


@pytest.mark.parametrize("name", WALLETS)
def test_formation_is_that_of_the_vectors(name: str) -> None:
    wallet = VECTORS[name]
    first = wallet["steps"][0]
    s = polynomial(first["s"]["polynomial"])
    committee = s.commit().constant
    assert committee == point(first["s"]["public"])
    two, minus_one = line.weights([2], Q)[1], line.weights([2], Q)[2]
    assert (two, minus_one) == (2, Q - 1)
    assert committee + committee - point(first["U"]["2"]) == point(wallet["X"])
    x = s.at(0).reveal() + s.at(0).reveal() - scalar(first["u"]["2"])
    assert x == scalar(wallet["x"])


def walk(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each refresh of a wallet's life with the step before it, which holds the old line."""
    steps = VECTORS[name]["steps"]
    return list(itertools.pairwise(steps))


@pytest.mark.parametrize("name", WALLETS)
def test_every_refresh_is_that_of_the_vectors(name: str) -> None:
    wallet = VECTORS[name]
    for before, step in walk(name):
        needed, online = step["T"], step["online"]
        s = polynomial((before.get("s") or before["s_new"])["polynomial"])
        fresh = polynomial(step["s_new"]["polynomial"])
        pool = [polynomial(r["polynomial"]) for r in step.get("r_pool", [])]
        u = {int(tau): scalar(v) for tau, v in (before.get("u") or before["share"]).items()}
        rho = {(e, int(tau)): polynomial(m[str(e)]) for tau, m in step["rho"].items() for e in online}
        auxiliary = {e: [scalar(r) for r in step.get("r_e", {}).get(str(e), [])] for e in online}
        weights = line.weights(online, Q)
        assert weights == {int(k): int(v, 16) for k, v in step["lam"].items()}
        public = Line(
            needed=needed,
            weights=weights,
            public_key=point(wallet["X"]),
            old={i: s.commit().at(i) for i in range(1, wallet["n"] + 1)},
            fresh=fresh.commit(),
            factors={e: SECP256K1.generator.multiply(u[e]) for e in online},
            masks={key: mask.commit() for key, mask in rho.items()},
            pool=tuple(p.commit() for p in pool),
            auxiliary={e: tuple(SECP256K1.generator.multiply(r) for r in auxiliary[e]) for e in online},
        )
        for tau in map(int, step["share"]):
            a = line.basis(tau, needed, Q)
            items = {}
            for i in range(1, wallet["n"] + 1):
                items[i] = line.item(
                    a,
                    weights[1],
                    s.at(i).reveal(),
                    fresh.at(i).reveal(),
                    [p.at(i).reveal() for p in pool],
                    [rho[e, tau].at(i).reveal() for e in online],
                )
                assert items[i] == scalar(step["v"][str(tau)][str(i)])
                check = SECP256K1.generator.multiply(items[i])
                assert public.item_check(tau, i) == check
                stated = step["check_v"].get(str(tau), {}).get(str(i))
                assert stated is None or point(stated) == check
            parts = {}
            for e in online:
                parts[e] = line.part(a, weights[e], u[e], auxiliary[e], rho[e, tau].at(0).reveal())
                assert parts[e] == scalar(step["D"][str(tau)][str(e)])
                assert public.part_check(tau, e) == SECP256K1.generator.multiply(parts[e])
                stated = step["check_D"].get(str(tau), {}).get(str(e))
                assert stated is None or point(stated) == SECP256K1.generator.multiply(parts[e])
            share = line.assemble(SECP256K1, items, parts.values(), wallet["d"])
            assert share == scalar(step["share"][str(tau)])
            assert public.share_check(tau) == point(step["U"][str(tau)])
        sign = step["sign"]
        values = [s_new.at(i).reveal() for s_new in [fresh] for i in sign["nodes"]]
        values += [scalar(step["share"][str(tau)]) for tau in sign["factors"]]
        structure = AccessStructure.with_committee(
            [f"n{i}" for i in range(1, wallet["n"] + 1)],
            wallet["d"],
            {f"f{tau}": int(tau) for tau in step["share"]},
            needed=needed,
        )
        names = [f"n{i}" for i in sign["nodes"]] + [f"f{tau}" for tau in sign["factors"]]
        weights_now = structure.coefficients(names, Q)
        additive = [SECP256K1.scalar(weights_now[n]) * v for n, v in zip(names, values, strict=True)]
        assert additive == [scalar(a) for a in sign["additive"]]
        assert sum(a.value for a in additive) % Q == scalar(wallet["x"]).value


def test_an_import_is_a_deal_of_the_same_form() -> None:
    vector = VECTORS["import"]
    s, rho = polynomial(vector["s_polynomial"]), polynomial(vector["rho"])
    a = line.basis(vector["tau"], 2, Q)
    zero = SECP256K1.scalar(0)
    items = {i: line.item(a, 0, zero, s.at(i).reveal(), (), [rho.at(i).reveal()]) for i in range(1, 6)}
    assert {str(i): v for i, v in items.items()} == {i: scalar(v) for i, v in vector["v"].items()}
    part = line.part(a, 1, scalar(vector["x"]), (), rho.at(0).reveal())
    assert part == scalar(vector["D"])
    assert line.assemble(SECP256K1, items, [part], 2) == scalar(vector["share"])


def test_one_line_per_factor_is_the_same_basis_with_a_committee_key_each() -> None:
    vector = VECTORS["one_line_per_factor"]
    x = scalar(vector["x"])
    assert interpolate(SECP256K1, {1: scalar(vector["s2"]), 2: scalar(vector["u2"])}) == x

    def on_line(tau: int, s: str) -> Scalar:
        a = line.basis(tau, 2, Q)
        return SECP256K1.scalar(a[0]) * x + SECP256K1.scalar(a[1]) * scalar(s)

    assert on_line(4, vector["s4"]) == scalar(vector["share4"])
    assert on_line(9, vector["s2"]) == scalar(vector["archive9_on_line2"])


def test_rows_of_a_nested_structure_give_the_vectors_shares() -> None:
    vector = VECTORS["nested"]
    structure = AccessStructure.parse("2 of (committee@1, device@2, 2 of (a@1 b@2 c@3)@3)")
    rows = line.rows(structure, Q)
    values = {"x": scalar(vector["x"]), "s": scalar(vector["s"]), "3/1": scalar(vector["aux_inner"])}
    expected = {"committee": vector["s"], "device": vector["device"], **vector["inner"]}
    assert set(rows) == set(expected)
    for name, row in rows.items():
        assert sum((SECP256K1.scalar(c) * values[k] for k, c in row.items()), SECP256K1.scalar(0)) == scalar(
            expected[name]
        )


def test_rows_agree_with_the_basis_where_nothing_is_nested() -> None:
    structure = AccessStructure.parse("3 of (2 of (n1 n2), a, b, c@9)")
    rows = line.rows(structure, Q)
    assert set(rows) == {"a", "b", "c"}
    for name, tau in structure.factors.items():
        assert tuple(rows[name].get(k, 0) for k in ("x", "s", "/1")) == line.basis(tau, 3, Q)


def test_too_few_items_assemble_nothing() -> None:
    items = {i: SECP256K1.scalar(i) for i in (1, 2)}
    with pytest.raises(ProofRejected, match="2 items, 3 are needed"):
        line.assemble(SECP256K1, items, [], 2)


def test_public_values_of_another_shape_are_no_line() -> None:
    def commitment(degree: int) -> Commitment:
        return Polynomial(
            SECP256K1, Secret(tuple(SECP256K1.scalar(k + 1) for k in range(degree + 1)))
        ).commit()

    u = {2: SECP256K1.generator}
    good: dict[str, Any] = {
        "needed": 2,
        "weights": line.weights([2], Q),
        "public_key": SECP256K1.generator,
        "old": {1: SECP256K1.generator},
        "fresh": commitment(2),
        "factors": u,
        "masks": {(2, 2): commitment(2), (2, 3): commitment(2)},
    }
    Line(**good)
    for change in (
        {"fresh": commitment(3)},
        {"masks": {(2, 2): commitment(2), (2, 3): commitment(3)}},
        {"masks": {(4, 2): commitment(2)}},
        {"factors": {}},
        {"needed": 3},
        {"needed": 1},
        {"pool": (commitment(2),)},
        {"needed": 3, "pool": (commitment(2),)},
        {"auxiliary": {2: (SECP256K1.generator,)}},
    ):
        with pytest.raises(Malformed, match="shape"):
            Line(**{**good, **change})
