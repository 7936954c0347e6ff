"""Counters and gauges in Prometheus' text format; names and labels are fixed words, never user input."""

from __future__ import annotations

from collections import Counter


class Metrics:
    """All metrics of one node."""

    def __init__(self) -> None:
        self._counters: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
        self._gauges: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}

    def count(self, name: str, amount: int = 1, **labels: str) -> None:
        """Add to a counter."""
        self._counters[name, tuple(sorted(labels.items()))] += amount

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._gauges[name, tuple(sorted(labels.items()))] = value

    def text(self) -> str:
        """The exposition, sorted, so that equal states print equal text."""
        lines = [
            f"quorate_{name}_total{_shown(labels)} {value}"
            for (name, labels), value in sorted(self._counters.items())
        ]
        lines += [
            f"quorate_{name}{_shown(labels)} {value:g}"
            for (name, labels), value in sorted(self._gauges.items())
        ]
        return "\n".join(lines) + "\n"


def _shown(labels: tuple[tuple[str, str], ...]) -> str:
    inside = ",".join(f'{label}="{text}"' for label, text in labels)
    return f"{{{inside}}}" if inside else ""
