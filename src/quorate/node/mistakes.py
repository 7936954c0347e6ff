"""Mistakes in our own code: counted, and logged by their place alone, since their text may quote a secret."""

from __future__ import annotations

import asyncio
from typing import Any

from quorate.node.log import Field, LogFunction, place_of
from quorate.node.metrics import Metrics


def note_mistake(log: LogFunction, metrics: Metrics, error: BaseException, **fields: Field) -> None:
    """Write down that our own code has failed. `fields` say where it was at work."""
    metrics.count("mistakes")
    log("mistake", error=type(error).__name__, where=place_of(error), **fields)


def watch_tasks(log: LogFunction, metrics: Metrics) -> None:
    """From now on, what fails in the running event loop and nobody looks at is noted too.

    The loop itself would write a trace with values in it, in lines that are no JSON.
    """

    def note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        note_mistake(log, metrics, error if error is not None else RuntimeError(), unseen=True)

    asyncio.get_running_loop().set_exception_handler(note)
