"""A small committee on a clock that the tests turn; a module with other needs makes its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.support.creating import Time

from quorate.testing.committee import LocalCommittee


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def time() -> Time:
    return Time()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def committee(tmp_path_factory: pytest.TempPathFactory, time: Time) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path_factory.mktemp("committee"), size=3, degree=1, clock=time)
    yield made
    await made.close()
