"""What fails in our own code is counted and logged by its place; nothing else is said of it."""

from __future__ import annotations

import asyncio
import gc
import io
import json

import pytest

from quorate.node.log import Log, place_of
from quorate.node.metrics import Metrics
from quorate.node.mistakes import note_mistake, watch_tasks


def test_a_mistake_is_told_by_its_kind_and_place_and_never_by_its_text() -> None:
    stream, metrics = io.StringIO(), Metrics()
    try:
        raise KeyError("a secret")
    except KeyError as error:
        note_mistake(Log("node1", stream), metrics, error, peer="node2")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["error"], line["peer"]) == ("mistake", "KeyError", "node2")
    assert line["where"].startswith("test_mistakes.py:")
    assert "secret" not in stream.getvalue()
    assert metrics.text() == "quorate_mistakes_total 1\n"


def test_the_place_is_one_of_ours_when_somebody_elses_code_fails() -> None:
    metrics = Metrics()
    with pytest.raises(TypeError) as ours:
        metrics.count([], 1)  # type: ignore[arg-type]
    assert place_of(ours.value).startswith("metrics.py:")
    with pytest.raises(ValueError, match="Expecting") as theirs:
        json.loads("no JSON")
    assert place_of(theirs.value).startswith("test_mistakes.py:")
    assert place_of(ValueError()) == ""


async def test_what_fails_where_nobody_looks_is_a_line_like_any_other() -> None:
    stream, metrics = io.StringIO(), Metrics()

    async def fail() -> None:
        raise ValueError("a secret")

    watch_tasks(Log("node1", stream), metrics)
    task = asyncio.ensure_future(fail())
    await asyncio.sleep(0)
    del task
    gc.collect()
    asyncio.get_running_loop().call_exception_handler({"message": "a socket was lost"})
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["error"] for line in lines] == ["ValueError", "RuntimeError"]
    assert all(line["unseen"] for line in lines)
    assert metrics.text() == "quorate_mistakes_total 2\n"
