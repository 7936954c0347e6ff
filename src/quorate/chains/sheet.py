"""Where a family collects what a person reads and a policy judges, and the one way to show a message.

A family's preview functions fill a `Sheet`: lines in reading order, risks, and flat fields. Text that is not
ours goes through `quorate.chains.text.plain` before it is added.
"""

from __future__ import annotations

from typing import Final

from quorate.chains.chain import Chain, Field, Level, Line, Preview, Risk
from quorate.chains.text import MAX_TEXT, plain

MAX_MESSAGE_LINES: Final = 60
"""Lines of a personal message that are shown; a sign-in message has about fifteen."""


class Sheet:
    """Collects a preview, its risks and the policy's fields."""

    __slots__ = ("chain", "fields", "lines", "risks", "title")

    def __init__(self, chain: Chain, account: str) -> None:
        self.chain = chain
        self.title = ""
        self.lines = [Line("Network", f"{chain.name} ({chain.caip2})"), Line("Account", account)]
        self.risks: set[Risk] = set()
        self.fields: dict[str, Field] = {}

    def add(self, label: str, value: str, level: Level = Level.PLAIN, risk: Risk | None = None) -> None:
        """One line of text that is already ours or made safe; with a risk, the line that explains it."""
        self.lines.append(Line(label, value, level))
        if risk is not None:
            self.risks.add(risk)

    def unbound(self) -> None:
        """Say that what is signed names no chain, whatever the request does."""
        chain = self.chain
        self.lines[0] = Line("Asked on", f"{chain.name} ({chain.caip2}); the signature itself names no chain")

    def preview(self) -> Preview:
        """The finished preview."""
        return Preview(self.title, tuple(self.lines))


def show_message(sheet: Sheet, message: bytes) -> None:
    """Fields: length, text (empty when the bytes are not text)."""
    sheet.title = "Sign a message"
    sheet.unbound()
    try:
        text: str | None = message.decode()
    except UnicodeDecodeError:
        text = None
    sheet.fields |= {"length": len(message), "text": text or ""}
    if text is None:
        shown = message[:200].hex() + ("…" if len(message) > 200 else "")
        sheet.add("Bytes", f"0x{shown} ({len(message)} bytes, not text)", Level.DANGER, Risk.OPAQUE_MESSAGE)
        return
    rows = text.split("\n")
    for index, row in enumerate(rows[:MAX_MESSAGE_LINES]):
        row = row.removesuffix("\r")
        level = Level.CAUTION if len(row) > MAX_TEXT else Level.PLAIN
        sheet.add("Message" if index == 0 else "", "│ " + plain(row), level)
    if len(rows) > MAX_MESSAGE_LINES:
        sheet.add("", f"{len(rows) - MAX_MESSAGE_LINES} more lines are signed but not shown", Level.CAUTION)
    digits = text.strip().removeprefix("0x")
    if len(message) == 32 or (
        len(digits) == 64 and all(digit in "0123456789abcdefABCDEF" for digit in digits)
    ):
        sheet.add(
            "Warning",
            "this looks like a hash: somebody may take the signature for something that is not shown here",
            Level.DANGER,
            Risk.OPAQUE_MESSAGE,
        )
