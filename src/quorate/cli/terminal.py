"""How commands speak: results on standard output (text, or one JSON document), progress on standard error."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

QUIET_SECONDS: Final = 1.0
"""Nothing is said about what takes less."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """`as_json`: results are one JSON document each, and nothing else is on standard output."""

    as_json: bool = False

    def result(self, data: Any, *lines: str) -> None:
        """The command's result, in whichever form was asked for."""
        if self.as_json:
            print(json.dumps(data, indent=2), flush=True)
        else:
            for line in lines:
                print(line, flush=True)

    def say(self, line: str) -> None:
        """A line for people; nothing with --json."""
        if not self.as_json:
            print(line, flush=True)

    @contextmanager
    def progress(self, doing: str) -> Iterator[Progress]:
        """Shows what is being done once it has taken more than a second."""
        shown = Progress(doing)
        try:
            yield shown
        finally:
            shown.stop()


class Progress:
    """A line on standard error: live on a terminal, one line a step elsewhere."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._lock = threading.Lock()
        self._status: Any = None
        self._over = False
        self._timer = threading.Timer(QUIET_SECONDS, self._show)
        self._timer.daemon = True
        self._timer.start()

    def __call__(self, doing: str) -> None:
        """Now this is being done."""
        with self._lock:
            self._doing = doing
            if self._status is not None:
                self._status.update(f"{doing} …")
            elif not self._timer.is_alive() and not self._over:
                print(f"{doing} …", file=sys.stderr, flush=True)

    def stop(self) -> None:
        """It is done."""
        self._timer.cancel()
        with self._lock:
            self._over = True
            if self._status is not None:
                self._status.stop()
                self._status = None

    def _show(self) -> None:
        with self._lock:
            if self._over:
                return
            if not sys.stderr.isatty():
                print(f"{self._doing} …", file=sys.stderr, flush=True)
                return
            from rich.console import Console

            self._status = Console(stderr=True).status(f"{self._doing} …")
            self._status.start()
