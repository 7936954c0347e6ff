"""A device's side of the register: drives its procedures over a port that asks one node one thing.

All nodes are asked at once; a step ends with its quorum, and slower nodes go on being told in the background.
An answer that cannot be read is no answer; a node that cannot be reached is tried again within the step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar

from quorate.account.register import Question, Reply
from quorate.account.register.asking import Ask, Heard, Look, Procedure, Sleep, Tell
from quorate.account.register.client import Client
from quorate.clock import Clock
from quorate.encoding import decode, encode
from quorate.errors import Missing, QuorateError

T = TypeVar("T")

AskNode = Callable[[str, bytes], Awaitable[bytes]]
"""Asks the node of this name; raises `Missing` when it cannot be reached, any other error for a refusal."""

RETRY_SECONDS: Final = 0.25
"""Between two tries to reach a node within one step."""

MAX_REPLY_BYTES: Final = 1 << 20
"""The longest is a trail of entries."""

LINGER_SECONDS: Final = 5.0
"""How long what was sent without waiting may take before it is given up; the register does without it."""

CLOSING_SECONDS: Final = 0.5
"""How long a device that is done waits for it: nodes that answer have it by then."""


class Carrier:
    """`sleep` waits for seconds; `clock` is Unix time, which slots are counted in.

    `background` holds what nobody waits for: given, its owner ends it; else `close` does.
    """

    def __init__(
        self,
        ask: AskNode,
        clock: Clock,
        sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep,
        background: set[Any] | None = None,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._sleep = sleep
        self._background: set[Any] = set() if background is None else background

    async def run(self, client: Client, procedure: Procedure[T]) -> T:
        """Drive a procedure of `client` to its end. Raises what it raises."""
        heard: Heard | None = None
        while True:
            try:
                doing = next(procedure) if heard is None else procedure.send(heard)
            except StopIteration as stop:
                result: T = stop.value
                return result
            replies: Mapping[int, Reply] = {}
            match doing:
                case Ask():
                    replies = await self._gather(client.committee.names, doing)
                case Tell():
                    for member, question in doing.questions.items():
                        self._keep(self._one(client.committee.names[member], question, LINGER_SECONDS))
                case Sleep():
                    await self._sleep(max(0.0, doing.until - self._clock()))
                case Look():
                    pass
            heard = Heard(replies, self._clock())

    async def close(self) -> None:
        """Wait a moment for what is still being told, then let go of it."""
        if self._background:
            await asyncio.wait(self._background, timeout=CLOSING_SECONDS)
        for task in self._background:
            task.cancel()

    async def _gather(self, names: tuple[str, ...], ask: Ask) -> dict[int, Reply]:
        tasks = {
            self._keep(self._one(names[member], question, ask.patience)): member
            for member, question in ask.questions.items()
        }
        replies: dict[int, Reply] = {}
        waiting = set(tasks)
        end = asyncio.get_running_loop().time() + ask.patience
        while waiting and not ask.enough(replies):
            left = end - asyncio.get_running_loop().time()
            done, waiting = await asyncio.wait(
                waiting, timeout=max(0.0, left), return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                break
            for task in done:
                member, reply = tasks[task], task.result()
                if reply is not None and ask.believes(ask.questions[member], member, reply):
                    replies[member] = reply
        return replies

    async def _one(self, name: str, question: Question, patience: float) -> Reply | None:
        """A node's reply, or None; what is raised for one node is that node's affair."""
        data = encode(question)
        try:
            async with asyncio.timeout(patience):
                while True:
                    try:
                        answer = await self._ask(name, data)
                        return decode(Reply, answer, limit=MAX_REPLY_BYTES)  # type: ignore[arg-type]
                    except Missing:
                        await self._sleep(RETRY_SECONDS)
        except (QuorateError, TimeoutError):
            return None

    def _keep(self, work: Coroutine[Any, Any, Reply | None]) -> asyncio.Task[Reply | None]:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task
