"""Structured logs that cannot hold a value: one JSON line an event, with fields of known harmless kinds.

A field is a count, a duration, a state word or an identifier that is public anyway. Bytes are shown as the
first eight hex digits. Anything else is refused with a `TypeError` in tests and in production alike: a log
call is code, and a wrong one should not survive its first run.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO

from quorate.clock import Clock, unix_time

Field = int | float | bool | str | bytes | None

_PACKAGE: Final = str(Path(__file__).parents[1])

_WORD: Final = re.compile(r"[A-Za-z0-9_.:/\- ]{0,120}")


class Log:
    """Writes events to a stream. `node` stands in every line."""

    def __init__(self, node: str, stream: TextIO | None = None, *, clock: Clock = unix_time) -> None:
        self._node = node
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock

    def __call__(self, event: str, **fields: Field) -> None:
        """One line. Text fields are single words or short phrases of plain characters."""
        shown = {name: _harmless(name, value) for name, value in fields.items()}
        line = {"time": round(self._clock(), 3), "node": self._node, "event": event, **shown}
        self._stream.write(json.dumps(line, separators=(",", ":")) + "\n")
        self._stream.flush()


LogFunction = Callable[..., None]


def place_of(error: BaseException) -> str:
    """Where in our code an error began, or came out of somebody else's: a file and a line, never a value."""
    trace, found = error.__traceback__, None
    while trace is not None:
        if found is None or trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            found = trace
        trace = trace.tb_next
    if found is None:
        return ""
    return f"{Path(found.tb_frame.f_code.co_filename).name}:{found.tb_lineno}"


def _harmless(name: str, value: Field) -> int | float | bool | str | None:
    if isinstance(value, bytes):
        return value[:4].hex()
    if isinstance(value, str):
        # An error's text may quote its input: shorten it to what a word may hold.
        return value if _WORD.fullmatch(value) else re.sub(r"[^A-Za-z0-9_.:/\- ]", "?", value)[:120]
    if isinstance(value, float):
        return round(value, 4)
    if value is None or isinstance(value, int):
        return value
    raise TypeError(f"log field {name}: {type(value).__name__} is not loggable")
