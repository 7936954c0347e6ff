"""Where time enters. The other module that lint allows to read a clock.

Time serves liveness and display only: deadlines, expiry of presignatures, log lines. No safety rule of a
protocol depends on a clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], float]
"""Seconds; see each function for the origin."""


def unix_time() -> float:
    """Seconds since 1970-01-01 UTC."""
    return time.time()


def monotonic() -> float:
    """Seconds from an arbitrary origin that never run backwards; for durations and deadlines."""
    return time.monotonic()


def process_cpu() -> float:
    """CPU seconds this process has used, all threads; for benchmarks."""
    return time.process_time()


def high_resolution() -> float:
    """Seconds from an arbitrary origin at the finest grain there is; for benchmarks."""
    return time.perf_counter()


def thread_cpu() -> float:
    """CPU seconds the calling thread has used; for benchmarks on a busy machine."""
    return time.thread_time()
