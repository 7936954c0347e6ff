"""Logs that cannot hold a value, and metrics that print the same for the same state."""

import io
import json

import pytest

from quorate.node.log import Log
from quorate.node.metrics import Metrics
from quorate.secret import Secret


def test_a_line_is_json_with_harmless_fields() -> None:
    stream = io.StringIO()
    Log("node1", stream, clock=lambda: 1.0)("session", outcome="finished", session=bytes(range(32)), count=3)
    assert json.loads(stream.getvalue()) == {
        "time": 1.0,
        "node": "node1",
        "event": "session",
        "outcome": "finished",
        "session": "00010203",
        "count": 3,
    }


def test_text_that_could_carry_input_is_reduced_to_words() -> None:
    stream = io.StringIO()
    Log("node1", stream)("error", text='evil"\n{"fake": 1}')
    assert len(stream.getvalue().splitlines()) == 1
    assert "fake" in json.loads(stream.getvalue())["text"]
    assert "{" not in json.loads(stream.getvalue())["text"]


@pytest.mark.parametrize("value", [Secret(b"s"), [1], {"a": 1}, object()])
def test_anything_that_is_no_plain_field_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        Log("node1", io.StringIO())("event", field=value)  # type: ignore[arg-type]


def test_metrics_print_sorted_text() -> None:
    metrics = Metrics()
    metrics.count("sessions", protocol="sign")
    metrics.count("sessions", 2, protocol="form")
    metrics.gauge("running", 2)
    assert metrics.text() == (
        'quorate_sessions_total{protocol="form"} 2\n'
        'quorate_sessions_total{protocol="sign"} 1\n'
        "quorate_running 2\n"
    )
