"""Where a crash may fall: a hook that is told of every durable step before it is taken.

The vault's promises speak of what survives a crash *between* two writes. A test that wants to crash exactly
there passes a `Step`; everything else passes nothing. The alternative, patching the modules under test, was
rejected: it tests other code than the code that runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Step: TypeAlias = Callable[[str], None]
"""Called with the name of the write that comes next."""


def no_step(name: str) -> None:
    """The hook of real processes: nothing happens."""
