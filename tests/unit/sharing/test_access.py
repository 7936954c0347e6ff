"""Access structures: reading, printing, the coefficients, and the questions a wallet page asks."""

import itertools
import json
from pathlib import Path

import pytest

from quorate.errors import LimitExceeded, Malformed, Remedy
from quorate.sharing import expression
from quorate.sharing.access import AccessStructure, NotAuthorised, NotExact, lagrange

Q = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
PERSONAL = "2 of (3 of (n1 n2 n3 n4 n5), device, backup)"
VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "wallet.json").read_text())


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (PERSONAL, PERSONAL),
        ("2 of(3 of (n1,n2, n3 n4 n5)@1,device@2 backup@3)", PERSONAL),
        ("2 of (1 of (n1), device)", "2 of (1 of (n1), device)"),
        ("3 of (n1 n2 n3)", "3 of (n1, n2, n3)"),
        ("2 of (c, words@4, phone@3)", "2 of (c, phone@3, words)"),
        ("2 of (device@2, backup@3)", "2 of (device@2, backup)"),
        ("1 of (a@7)", "1 of (a@7)"),
        ("2 of (2 of (a b@5 c), 1 of (x, 2 of (y z)))", "2 of (2 of (a b@5 c), 1 of (x, 2 of (y z)))"),
    ],
)
def test_an_expression_has_one_canonical_spelling(text: str, canonical: str) -> None:
    structure = AccessStructure.parse(text)
    assert str(structure) == canonical
    assert AccessStructure.parse(canonical) == structure
    assert structure.to_bytes() == canonical.encode()


def test_members_take_the_point_after_their_neighbour() -> None:
    structure = AccessStructure.parse("2 of (3 of (n1 n2 n3 n4 n5), device, backup@9, other)")
    assert structure.nodes == {"n1": 1, "n2": 2, "n3": 3, "n4": 4, "n5": 5}
    assert structure.factors == {"device": 2, "backup": 9, "other": 10}


def test_the_preset_with_a_committee_reads_like_its_expression() -> None:
    nodes = ["n1", "n2", "n3", "n4", "n5"]
    assert str(AccessStructure.with_committee(nodes, 2, {"device": 2, "backup": 3})) == PERSONAL
    assert str(AccessStructure.with_committee(["n1"], 0, {"device": 2})) == "2 of (1 of (n1), device)"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2",
        "2 of",
        "2 of (",
        "2 of (a b",
        "2 of (a b))",
        "2 of (a,, b)",
        "2 of (a, b,)",
        "2 of ()",
        "0 of (a b)",
        "3 of (a b)",
        "02 of (a b)",
        "2 of (a@0, b)",
        "2 of (a@65536, b)",
        "2 of (a@1, b@1)",
        "2 of (a@01, b)",
        "2 of (a, a)",
        "2 of (1 of (a b), a)",
        "2 of (a, 7)",
        "2 of (a, of)",
        "2 of (a, B)",
        "2 of (a, b_c)",
        "2 of (a, -b)",
        "2 of (a, " + "b" * 33 + ")",
        "2 of (a, б)",
        "2 of (a, b) of",
        "2 on (a, b)",
        "2 of a, b)",
        "2 (a, b)",
        "99999999 of (a b)",
    ],
)
def test_what_is_no_structure_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        AccessStructure.parse(text)


def test_every_limit_of_a_structure_is_hit() -> None:
    def nested(depth: int) -> str:
        return "1 of (a)" if depth == 1 else f"1 of ({nested(depth - 1)})"

    assert AccessStructure.parse(nested(expression.MAX_DEPTH))
    with pytest.raises(LimitExceeded, match="deeper"):
        AccessStructure.parse(nested(expression.MAX_DEPTH + 1))
    names = [f"m{i}" for i in range(expression.MAX_MEMBERS + 1)]
    assert AccessStructure.parse(f"1 of ({' '.join(names[:-1])})")
    with pytest.raises(LimitExceeded, match="more than 32"):
        AccessStructure.parse(f"1 of ({' '.join(names)})")
    groups = [f"1 of ({' '.join(f'{g}{i}' for i in range(22))})" for g in "abc"]
    with pytest.raises(LimitExceeded, match="66 members in all"):
        AccessStructure.parse(f"1 of ({', '.join(groups)})")
    with pytest.raises(LimitExceeded, match="characters"):
        AccessStructure.parse("1 of (a" + " " * expression.MAX_EXPRESSION + ")")
    deep = expression.Threshold(1, (expression.Leaf("a", 1),), 1)
    for _ in range(expression.MAX_DEPTH):
        deep = expression.Threshold(1, (deep,), 1)
    with pytest.raises(LimitExceeded, match="deeper"):
        AccessStructure(deep)
    many = tuple(expression.Leaf(f"m{i}", i) for i in range(1, expression.MAX_MEMBERS + 2))
    with pytest.raises(LimitExceeded, match="at most 32"):
        AccessStructure(expression.Threshold(1, many, 0))


def test_depth_is_bounded_before_it_is_descended() -> None:
    with pytest.raises(LimitExceeded, match="deeper"):
        AccessStructure.parse("1 of (" * 600 + "a" + ")" * 400)


def test_a_sign_where_a_name_belongs_is_pointed_at() -> None:
    with pytest.raises(Malformed, match="a name is expected where '\\(' stands"):
        AccessStructure.parse("2 of (a, (b))")


def test_unsorted_members_are_no_structure() -> None:
    members = (expression.Leaf("a", 2), expression.Leaf("b", 1))
    with pytest.raises(Malformed, match="sorted"):
        AccessStructure(expression.Threshold(1, members, 0))


def test_exactly_the_monotone_formula_is_authorised() -> None:
    structure = AccessStructure.parse(PERSONAL)
    for size in range(len(structure.leaves) + 1):
        for signers in itertools.combinations(structure.leaves, size):
            nodes = sum(name.startswith("n") for name in signers)
            expected = (nodes >= 3) + ("device" in signers) + ("backup" in signers) >= 2
            assert structure.is_authorised(signers) == expected


@pytest.mark.parametrize(
    "text",
    [
        PERSONAL,
        "2 of (1 of (n1), device)",
        "5 of (n1 n2 n3 n4 n5)",
        "2 of (a@4, b@9, c)",
        "2 of (c@1, device@2, 2 of (a b c2))",
        "2 of (2 of (1 of (a b), c), 2 of (d, e@7, f))",
    ],
)
def test_coefficients_rebuild_the_value_for_every_minimal_set(text: str) -> None:
    structure = AccessStructure.parse(text)
    shares: dict[str, int] = {}
    deal(structure.root, 123456789, shares)
    sets = list(structure.authorised_sets())
    assert len(sets) == len(set(sets)) > 0
    for signers in sets:
        weights = structure.coefficients(signers, Q)
        assert set(weights) == signers
        assert sum(weights[name] * shares[name] for name in signers) % Q == 123456789
        assert structure.minimal(signers) == signers
        for name in signers:
            assert structure.coefficient(name, signers, Q) == weights[name]
            assert not structure.is_authorised(signers - {name})


def test_the_vectors_coefficients_of_a_wallet_are_ours() -> None:
    for name in ("committee_5_2", "committee_1_0"):
        for step in VECTORS[name]["steps"]:
            sign = step["sign"]
            count = VECTORS[name]["n"]
            needed = step.get("T", 2)
            factors = {f"f{point}": int(point) for point in step["U"]}
            structure = AccessStructure.with_committee(
                [f"n{i}" for i in range(1, count + 1)], VECTORS[name]["d"], factors, needed=needed
            )
            signers = [f"n{i}" for i in sign["nodes"]] + [f"f{tau}" for tau in sign["factors"]]
            expected = {f"n{i}": int(c, 16) for i, c in sign["coefficients"]["nodes"].items()}
            expected |= {f"f{i}": int(c, 16) for i, c in sign["coefficients"]["factors"].items()}
            assert structure.coefficients(signers, Q) == dict(sorted(expected.items()))


def test_the_vector_of_a_nested_wallet_is_ours() -> None:
    vector = VECTORS["nested"]
    structure = AccessStructure.parse("2 of (committee@1, device@2, 2 of (a@1 b@2 c@3)@3)")
    expected = {name: int(c, 16) for name, c in vector["signing_committee_a_c"].items()}
    assert structure.coefficients(["committee", "a", "c"], Q) == dict(sorted(expected.items()))


def test_a_short_signer_set_is_told_who_is_missing_and_how_many() -> None:
    structure = AccessStructure.parse(PERSONAL)
    with pytest.raises(NotAuthorised) as caught:
        structure.coefficient("device", ["n1", "n2", "device"], Q)
    error = caught.value
    assert error.missing == ("n3", "n4", "n5", "backup")
    assert error.needed == 1
    assert error.remedy is Remedy.RETRY
    assert "lacks 1 of n3, n4, n5" in str(error)
    with pytest.raises(NotAuthorised, match="present: device"):
        structure.minimal(["device"])
    with pytest.raises(NotAuthorised, match="present: none"):
        structure.minimal([])


def test_in_a_server_wallet_the_committee_is_named_alone_when_it_alone_is_short() -> None:
    structure = AccessStructure.parse("2 of (3 of (n1 n2 n3 n4 n5), device)")
    with pytest.raises(NotAuthorised) as caught:
        structure.minimal(["device", "n1", "n4"])
    assert caught.value.missing == ("n2", "n3", "n5")
    assert caught.value.needed == 1
    assert str(caught.value).startswith("3 of (n1, n2, n3, n4, n5) are needed, present: n1, n4; 1 more")


def test_a_set_larger_than_needed_has_no_coefficients_but_an_exact_choice() -> None:
    structure = AccessStructure.parse(PERSONAL)
    with pytest.raises(NotExact, match="3 of 5 are needed where 4 were named"):
        structure.coefficients(["n1", "n2", "n3", "n4", "device"], Q)
    with pytest.raises(NotExact):
        structure.coefficients(["n1", "device", "backup"], Q)
    assert structure.minimal(structure.leaves) == {"n1", "n2", "n3", "device"}
    assert structure.minimal(["backup", "device", "n5"]) == {"device", "backup"}


def test_a_stranger_is_refused_by_name() -> None:
    structure = AccessStructure.parse(PERSONAL)
    with pytest.raises(Malformed, match="mallory"):
        structure.is_authorised(["n1", "mallory"])


def test_a_wallet_knows_which_losses_it_survives() -> None:
    structure = AccessStructure.parse(PERSONAL)
    assert all(structure.single_losses().values())
    assert structure.survives(["n1", "n2", "n3", "n4", "n5"])
    assert structure.survives(["n1", "n2", "device"])
    assert not structure.survives(["device", "backup"])
    breaking = set(structure.breaking_sets())
    assert frozenset({"device", "backup"}) in breaking
    assert frozenset({"n1", "n2", "n3", "device"}) in breaking
    # exactly the minimal fatal sets, by exhaustion
    fatal = {
        frozenset(lost)
        for size in range(8)
        for lost in itertools.combinations(structure.leaves, size)
        if not structure.survives(lost) and all(structure.survives(set(lost) - {name}) for name in lost)
    }
    assert breaking == fatal
    server = AccessStructure.parse("2 of (3 of (n1 n2 n3 n4 n5), device)")
    assert [name for name, survived in server.single_losses().items() if not survived] == ["device"]


def test_a_structure_without_a_committee_has_no_nodes() -> None:
    structure = AccessStructure.parse("2 of (device@2, backup@3)")
    assert structure.committee() is None
    assert structure.nodes == {}
    assert AccessStructure.parse("2 of (a, 2 of (b c))").committee() is None


@pytest.mark.parametrize("at", [0, 5, Q - 1])
def test_lagrange_coefficients_interpolate_a_line(at: int) -> None:
    points = [1, 2]
    values = {x: (7 + 3 * x) % Q for x in points}
    assert sum(lagrange(points, x, at, Q) * values[x] for x in points) % Q == (7 + 3 * at) % Q
    assert (lagrange(points, 1, 0, Q), lagrange(points, 2, 0, Q)) == (2, Q - 1)


def deal(member: expression.Member, value: int, shares: dict[str, int]) -> None:
    """Share `value` down the tree with a fixed, visible polynomial per group."""
    if isinstance(member, expression.Leaf):
        shares[member.name] = value
        return
    coefficients = [value] + [value * 31 + 17 * k + 5 for k in range(1, member.needed)]
    for child in member.members:
        deal(child, sum(c * child.point**k for k, c in enumerate(coefficients)) % Q, shares)


def test_a_minimal_set_can_be_asked_to_include_someone() -> None:
    structure = AccessStructure.parse(PERSONAL)
    everybody = structure.leaves
    assert structure.minimal(everybody, including="backup") == {"n1", "n2", "n3", "backup"}
    assert structure.minimal(everybody, including="n5") == {"n1", "n2", "n5", "device"}
    with pytest.raises(NotAuthorised, match="present: n5"):
        structure.minimal(["n5", "device", "backup"], including="n5")
    with pytest.raises(Malformed, match="not among"):
        structure.minimal(["device", "backup"], including="n5")
