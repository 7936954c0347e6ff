"""Five nodes for standing sessions; a module with other needs makes its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.standing import StandingCommittee

from quorate.testing.committee import LocalCommittee
from quorate.transport.links import dispatch as dispatch_module


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_LATER_SECONDS", "MAX_PAUSE_SECONDS", "MAX_LATER_SECONDS"):
        monkeypatch.setattr(dispatch_module, name, 0.1)


@pytest.fixture
async def table(tmp_path: Path, hasty: None) -> AsyncIterator[StandingCommittee]:
    """Five nodes of which one may lie or be away."""
    committee = LocalCommittee(tmp_path)
    yield StandingCommittee(committee)
    await committee.close()
