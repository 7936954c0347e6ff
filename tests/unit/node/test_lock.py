"""One process a node."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from quorate.errors import Unavailable
from quorate.node.lock import LOCK_VARIABLE, NodeLock, running_pid


def test_a_node_holds_its_lock_while_it_lives_and_a_stale_file_misleads_nobody(tmp_path: Path) -> None:
    assert running_pid(tmp_path) is None
    with NodeLock.hold(tmp_path):
        assert running_pid(tmp_path) == os.getpid()
        with pytest.raises(Unavailable, match="runs already"):
            NodeLock.hold(tmp_path)
    assert (tmp_path / "node.pid").read_text() == str(os.getpid())
    assert running_pid(tmp_path) is None


def test_who_asks_whether_a_node_runs_keeps_none_from_starting(tmp_path: Path) -> None:
    NodeLock.hold(tmp_path).release()
    with (tmp_path / "node.pid").open() as asked:
        fcntl.flock(asked, fcntl.LOCK_SH)
        timer = threading.Timer(0.05, fcntl.flock, (asked, fcntl.LOCK_UN))
        timer.start()
        NodeLock.hold(tmp_path).release()
        timer.join()


def test_a_lock_that_is_handed_on_stays_held_and_is_not_handed_on_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = NodeLock.hold(tmp_path)
    for name, value in lock.hand_on().items():
        monkeypatch.setenv(name, value)
    assert os.get_inheritable(lock._descriptor)
    taken = NodeLock.hold(tmp_path)
    assert not os.get_inheritable(taken._descriptor)
    assert LOCK_VARIABLE not in os.environ
    with pytest.raises(Unavailable, match="runs already"):
        NodeLock.hold(tmp_path)
    taken.release()
    assert running_pid(tmp_path) is None


@pytest.mark.parametrize("named", ["", "none", "-1", "0", "99999"])
def test_what_the_environment_says_of_another_file_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    NodeLock.hold(tmp_path).release()
    monkeypatch.setenv(LOCK_VARIABLE, named)
    with NodeLock.hold(tmp_path) as held:
        assert held._descriptor != 0
        assert running_pid(tmp_path) == os.getpid()
