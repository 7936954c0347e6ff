"""The background thread stands aside for the worker, and not for ever."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from quorate.clock import monotonic
from quorate.courtesy import breathe
from quorate.node import background
from quorate.node.background import BackgroundThread


@pytest.fixture
async def thread() -> AsyncIterator[BackgroundThread]:
    made = BackgroundThread()
    yield made
    made.close()


async def test_nothing_waits_while_the_worker_is_idle(
    thread: BackgroundThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "PATIENCE", 60.0)

    def work() -> str:
        for _ in range(1000):
            breathe()
        return threading.current_thread().name

    assert (await thread.run(work)).startswith("background")
    assert thread.ahead(lambda one, two: one + two, 1, 2) == 3
    with pytest.raises(KeyError):
        thread.ahead({}.pop, "missing")
    await thread.run(work)


async def test_the_background_goes_on_when_the_worker_is_through(
    thread: BackgroundThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "PATIENCE", 60.0)
    order: list[str] = []
    computing, signed = threading.Event(), threading.Event()

    def work() -> None:
        order.append("part")
        computing.set()
        signed.wait(10)
        breathe()
        order.append("next part")

    def step() -> None:
        signed.set()  # only now does the background get to its pause
        threading.Event().wait(0.05)
        order.append("signature")

    task = asyncio.ensure_future(thread.run(work))
    await asyncio.to_thread(computing.wait, 10)
    await asyncio.to_thread(thread.ahead, step)
    await task
    assert order == ["part", "signature", "next part"]


async def test_a_worker_without_a_pause_does_not_stop_the_background(
    thread: BackgroundThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "PATIENCE", 0.02)
    over = threading.Event()
    worker = asyncio.ensure_future(asyncio.to_thread(thread.ahead, over.wait, 10))
    await asyncio.sleep(0.02)
    begun = monotonic()
    await thread.run(breathe)
    assert 0.015 < monotonic() - begun < 5
    over.set()
    await worker
