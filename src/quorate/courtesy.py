"""Letting others go first: a long computation calls `breathe` between its parts.

A step of a key generation computes for tens of milliseconds. In a process where somebody else's answer is
being computed meanwhile, the host runs it under `giving_way` with a function that waits until that is done;
elsewhere `breathe` does nothing. Two threads of one interpreter that both compute slow each other down by far
more than half, because each call into a library hands the interpreter over; so they take turns.

Never changes what is computed, only when.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class _Here(threading.local):
    """What this thread waits with."""

    wait: Callable[[], object] | None = None


_here = _Here()


def breathe() -> None:
    """Between two parts of a long computation: let whoever is more urgent go first."""
    wait = _here.wait
    if wait is not None:
        wait()


@contextmanager
def giving_way(wait: Callable[[], object]) -> Iterator[None]:
    """Inside the block, in this thread, `breathe` calls `wait`, which must come back in any case."""
    before, _here.wait = _here.wait, wait
    try:
        yield
    finally:
        _here.wait = before
