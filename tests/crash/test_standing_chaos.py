"""Nodes are killed, cut off and started again by dice; afterwards all sessions end, and nobody has
contradicted itself.

One seed again: QUORATE_SEEDS=7 pytest tests/crash/test_standing_chaos.py
"""

import asyncio
import os
from pathlib import Path

import pytest
from tests.support.killing import STEP, FragileCommittee
from tests.support.standing import StandingCommittee, spec_of, until

from quorate.testing.dice import Dice
from quorate.transport.links import dispatch as dispatch_module

SEEDS = [int(seed) for seed in os.environ.get("QUORATE_SEEDS", "1 2 3").split()]
MOVES = 14


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_LATER_SECONDS", "MAX_PAUSE_SECONDS", "MAX_LATER_SECONDS"):
        monkeypatch.setattr(dispatch_module, name, 0.1)


class Chaos:
    """The moves; `down` are nodes that were killed and not started yet."""

    def __init__(self, table: StandingCommittee, dice: Dice) -> None:
        self._table = table
        self._committee = table.committee
        self._dice = dice
        self.begun: list[bytes] = []

    async def move(self) -> None:
        up = sorted(self._committee.nodes)
        name = self._dice.choose(self._committee.names)
        match self._dice.below(6):
            case 0 if len(up) > 2 and name in up:
                await self._committee.kill(name)
            case 1 if name in up:
                self._committee.arm(name, STEP, 1 + self._dice.below(60))
            case 2 if name not in up:
                self._table.start(name)
            case 3:
                apart = [name, self._dice.choose(self._committee.names)]
                await self._committee.part(*apart[: 1 + self._dice.below(2)])
            case 4:
                await self._committee.part()
            case _:
                await self._begin(self._dice.choose(up))
        await asyncio.sleep(self._dice.below(100) / 500)
        await self._bury()

    async def _begin(self, name: str) -> None:
        spec = spec_of(self._committee, len(self.begun))
        node = self._committee.nodes[name]
        begun = asyncio.ensure_future(node.standing.start(spec))
        done, _ = await asyncio.wait([begun], timeout=2)
        if done and not begun.cancelled() and begun.exception() is None:
            self.begun.append(spec.id)
        else:
            begun.cancel()

    async def _bury(self) -> None:
        for name in list(self._committee.nodes):
            if self._committee.lives[name].dead:
                await self._committee.bury(name)

    async def calm(self) -> None:
        await self._bury()
        await self._committee.part()
        for name in self._committee.names:
            if name in self._committee.nodes:
                self._committee.lives[name].left = 0
            else:
                self._table.start(name)


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_happens_all_sessions_end_and_nobody_is_told_two_things(
    tmp_path: Path, seed: int
) -> None:
    committee = FragileCommittee(tmp_path, 5, 2)
    table = StandingCommittee(committee)
    table.link()
    chaos = Chaos(table, Dice("standing", seed))
    for _ in range(MOVES):
        await chaos.move()
    await chaos.calm()
    last = spec_of(committee, 1000)
    await committee.nodes["node1"].standing.start(last)
    sessions = [*chaos.begun, last.id]
    await until(lambda: all(table.retired(session) for session in sessions), 60)
    assert all(table.agreed(session) for session in sessions)
    assert table.deviations() == []
    await committee.close()
