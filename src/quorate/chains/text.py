"""Text of unknown origin, made safe to show beside our own.

A message, a token's name or the key of a typed-data field may hold characters that reorder a line
(U+202E), hide (zero-width), move a terminal's cursor (escape), break a line in two so that its second half
looks like ours, or look like a space. All of them come out as ``\\u{202e}``. Letters of any script pass:
telling look-alikes apart is not attempted, which is why addresses are always written by us.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_TEXT: Final = 400
"""Characters of one value in a preview; more would push other lines out of sight."""

MAX_MARKS: Final = 2
"""Combining marks in a row that writing systems in use need; a pile of them paints over other lines."""

# Also matches what has no end, so that no quotation mark is ever tried as a beginning twice.
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+\\?(?:"|\Z)', re.DOTALL)
_BRACKET: Final = re.compile(r"[][{}]")

_SELECTOR: Final = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Marks that only choose how the letter before them looks. Two on each letter hide any text in another."""

_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5")
"""Letters, symbols and marks that show as nothing, though Unicode does not file them as spaces."""


def plain(text: str, limit: int = MAX_TEXT) -> str:
    """`text` on one line with every invisible or reordering character spelled out.

    Beyond `limit` characters of input it says how many are not shown.
    """
    shown = _spelled(text[:limit])
    hidden = len(text) - limit
    return f"{shown} … ({hidden} more characters are not shown)" if hidden > 0 else shown


def decimal(units: int, decimals: int) -> str:
    """``units / 10**decimals`` written out exactly, without exponent or trailing zeros: ``1.5``."""
    whole, rest = divmod(units, 10**decimals)
    digits = str(rest).rjust(decimals, "0").rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def nested_deeper(json_text: str, limit: int) -> bool:
    """Whether brackets of a JSON text stand more than `limit` deep within each other.

    Asked before any parser sees the text: `json` recurses in C, and is only as safe as the interpreter's
    recursion limit, which some libraries raise.
    """
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", json_text)):
        depth += 1 if bracket in "[{" else -1
        if depth > limit:
            return True
    return False


def _spelled(text: str) -> str:
    out: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category.startswith("M") else 0
        if marks > MAX_MARKS or not _visible(character, category):
            out.append(f"\\u{{{ord(character):x}}}")
        else:
            out.append(character)
    return "".join(out)


def _visible(character: str, category: str) -> bool:
    if character == " ":
        return True
    # C*: control, format (direction, zero-width), surrogate, private, unassigned; Z*: other spaces and breaks
    return category[0] not in "CZ" and character not in _BLANK and not _SELECTOR.match(character)
