"""Counters and gauges in Prometheus' text format; names and labels are fixed words, never user input."""

from __future__ import annotations

from collections import Counter


class Metrics:
    """All metrics of one node."""

    def __init__(self) -> None:
        self._counters: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
        self._gauges: dict[str, float] = {}

    def count(self, name: str, amount: int = 1, **labels: str) -> None:
        """Add to a counter."""
        self._counters[name, tuple(sorted(labels.items()))] += amount

    def gauge(self, name: str, value: float) -> None:
        """Set a gauge."""
        self._gauges[name] = value

    def text(self) -> str:
        """The exposition, sorted, so that equal states print equal text."""
        lines = []
        for (name, labels), value in sorted(self._counters.items()):
            shown = ",".join(f'{label}="{text}"' for label, text in labels)
            lines.append(
                f"quorate_{name}_total{{{shown}}} {value}" if shown else f"quorate_{name}_total {value}"
            )
        lines += [f"quorate_{name} {value:g}" for name, value in sorted(self._gauges.items())]
        return "\n".join(lines) + "\n"
