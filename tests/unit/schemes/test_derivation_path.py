"""Paths have one spelling and a bound."""

import pytest

from quorate.errors import LimitExceeded, Malformed
from quorate.schemes.derivation import MAX_INDEX, MAX_LEVELS, parse_path, write_path


@pytest.mark.parametrize(
    ("text", "path"),
    [("", ()), ("0", (0,)), ("0/7", (0, 7)), ("1/2/3/4/5/6/7/8", (1, 2, 3, 4, 5, 6, 7, 8))],
)
def test_a_path_survives_its_text(text: str, path: tuple[int, ...]) -> None:
    assert parse_path(text) == path
    assert write_path(path) == text


@pytest.mark.parametrize(
    "text", ["/", "0/", "/0", "00", "0/07", "+1", "-1", " 1", "1 ", "0//1", "m/0", "٣", "1.0", "0x1", "1\n"]
)
def test_any_other_spelling_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_path(text)


@pytest.mark.parametrize("text", ["0'", "44'/60'/0'", "0h", "0H/1"])
def test_a_hardened_step_is_refused_with_its_reason(text: str) -> None:
    with pytest.raises(Malformed, match="private key that nobody has"):
        parse_path(text)


def test_an_index_lies_below_2_to_the_31() -> None:
    longest = "/".join([str(MAX_INDEX)] * MAX_LEVELS)
    assert parse_path(longest) == (MAX_INDEX,) * MAX_LEVELS
    with pytest.raises(Malformed, match="2147483647"):
        parse_path(str(MAX_INDEX + 1))
    with pytest.raises(Malformed):
        parse_path("9" * 11)
    with pytest.raises(Malformed):
        write_path([-1])


def test_a_path_has_at_most_eight_levels() -> None:
    with pytest.raises(LimitExceeded, match="at most 8"):
        parse_path("/".join("0" * (MAX_LEVELS + 1)))
    with pytest.raises(LimitExceeded, match="at most 8"):
        parse_path("0/" * 5_000)
    with pytest.raises(LimitExceeded):
        write_path([0] * (MAX_LEVELS + 1))
