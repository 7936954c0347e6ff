"""Parameter sets."""

import pytest
from tests.support.transfers import P256

from quorate.errors import Malformed
from quorate.groups import SECP256K1
from quorate.groups.toy import TOY_GROUP
from quorate.primitives.parameters import MAX_BITS, MAX_DEPTH, STANDARD, TOY, OTParameters, parameters_named


def test_the_standard_set_has_the_sizes_that_its_name_says() -> None:
    assert (STANDARD.security, STANDARD.statistical, STANDARD.depth, STANDARD.check) == (128, 80, 2, 128)
    assert STANDARD.xi(SECP256K1) == STANDARD.xi(P256) == 416
    assert TOY.xi(TOY_GROUP) == 80


def test_sets_are_found_by_name() -> None:
    assert parameters_named(STANDARD.name) is STANDARD
    with pytest.raises(Malformed, match="no OT parameters"):
        parameters_named("DKLS23")


def test_the_toy_set_is_not_found_by_name() -> None:
    with pytest.raises(Malformed, match="no OT parameters"):
        parameters_named(TOY.name)


@pytest.mark.parametrize(
    "sizes",
    [
        {"security": 0},
        {"security": 132},
        {"depth": 3},
        {"depth": 0},
        {"security": 9 * 8, "depth": MAX_DEPTH + 1},
        {"check": 100},
        {"check": -8},
        {"statistical": 0},
        {"security": MAX_BITS + 8},
        {"check": MAX_BITS + 8},
        {"statistical": MAX_BITS + 1},
    ],
    ids=str,
)
def test_sizes_that_do_not_fit_are_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(Malformed):
        OTParameters("odd", **sizes)


def test_a_set_has_a_name() -> None:
    with pytest.raises(Malformed):
        OTParameters("")
