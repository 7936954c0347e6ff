"""Text of unknown origin comes out harmless."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.chains.text import MAX_TEXT, decimal, nested_deeper, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, 1.5 %", "plain text, 1.5 %"),
        ("Grüße, 你好, שלום", "Grüße, 你好, שלום"),
        ("pay \u202eecila", "pay \\u{202e}ecila"),
        ("a\nTo: 0x00", "a\\u{a}To: 0x00"),
        ("\x1b[2Jgone", "\\u{1b}[2Jgone"),
        ("zero\u200bwidth", "zero\\u{200b}width"),
        ("wide\u3000space\u00a0", "wide\\u{3000}space\\u{a0}"),
        ("blank\u3164\u2800", "blank\\u{3164}\\u{2800}"),
        ("e\u0301\u0301\u0301\u0301", "e\u0301\u0301\\u{301}\\u{301}"),
        ("\ud800", "\\u{d800}"),
        ("line\u2028break", "line\\u{2028}break"),
        ("a\ufe0fb\U000e0101\U000e01ef", "a\\u{fe0f}b\\u{e0101}\\u{e01ef}"),
        ("\u1820\u180b\u180f", "\u1820\\u{180b}\\u{180f}"),
    ],
)
def test_what_hides_or_reorders_is_spelled_out(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_long_text_says_how_much_is_hidden() -> None:
    assert plain("x" * MAX_TEXT) == "x" * MAX_TEXT
    assert plain("x" * (MAX_TEXT + 7)) == "x" * MAX_TEXT + " … (7 more characters are not shown)"


@given(st.text())
def test_no_control_or_direction_character_passes(text: str) -> None:
    shown = plain(text)
    shown.encode()
    assert all(character == " " or unicodedata.category(character)[0] not in "CZ" for character in shown)


@pytest.mark.parametrize(
    ("units", "places", "text"),
    [
        (0, 18, "0"),
        (1, 18, "0.000000000000000001"),
        (15 * 10**17, 18, "1.5"),
        (10**18, 18, "1"),
        (7, 0, "7"),
        (120, 1, "12"),
    ],
)
def test_amounts_are_written_exactly(units: int, places: int, text: str) -> None:
    assert decimal(units, places) == text


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("", 0),
        ("[]", 1),
        ('{"a":[{}]}', 3),
        ('["[[[["]', 1),
        (r'["\"[[["]', 1),
        (r'["\\",[]]', 2),
        ('["[[[', 1),
        ('["[[[\\', 1),
        ("]]][[", 0),
        ('[\n"a\nb[["]', 1),
    ],
)
def test_the_depth_of_a_json_text_counts_brackets_outside_strings(text: str, depth: int) -> None:
    assert not nested_deeper(text, depth)
    assert depth == 0 or nested_deeper(text, depth - 1)
