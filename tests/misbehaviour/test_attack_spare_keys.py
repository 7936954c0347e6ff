"""Attacks on spare keys, and what failures and crashes of a creation leave behind.

The attacker has a login of its own, and wants to use or burn another's, or to fill the nodes.
"""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from tests.support.creating import NODES, NOW, Creation, Time, certificate, settled
from tests.support.owner import Owner

from quorate.entropy import system_rng
from quorate.errors import Abort, Missing, Refused
from quorate.node import keybook as keybook_module
from quorate.node.limits import MAX_OPEN_KEYS_PER_ACCOUNT, OPEN_KEY_SECONDS
from quorate.node.node import Node
from quorate.node.offers.offer import Run
from quorate.testing.committee import LocalCommittee
from quorate.vault.pool import KeyState

pytestmark = pytest.mark.asyncio(loop_scope="module")


def is_kept(node: Node, spare: bytes) -> bool:
    """Whether a node has its part of a spare key still, as a row and as what opens it."""
    key = node.vault.pool.find(spare)
    assert key is not None
    kept = key.state is KeyState.GRANTED
    scope = f"pool:{key.index.curve}:{key.index.batch}:0#{key.index.position}"
    assert node.vault.data_keys.exists(scope) is kept
    return kept


async def test_a_customer_neither_uses_nor_burns_another_accounts_spare_key(
    committee: LocalCommittee,
) -> None:
    """Ids of spare keys cross the wire in clear: whoever listens to a creation knows them."""
    alice = await Creation.of(Owner(committee, user="alice"))
    mallory = await Creation.of(Owner(committee, user="mallory"))
    with pytest.raises(Refused) as refused:
        await mallory.refresh(mallory.change(alice.spare))
    assert refused.value.code == "pool"

    theirs = mallory.change(mallory.spare)
    pretended = msgspec.structs.replace(theirs, account=alice.owner.account, pool=(alice.spare,))
    with pytest.raises(Refused):
        await mallory.refresh(pretended)
    pretended = msgspec.structs.replace(theirs, account=alice.owner.account)
    with pytest.raises(Abort):
        await mallory.refresh(pretended)
    await settled(committee)
    outcomes, refreshed = await alice.refresh(alice.change(alice.spare))
    alice.owner.show(certificate(refreshed, outcomes))


@pytest.mark.parametrize("silent", [("node2",), NODES])
@pytest.mark.parametrize(
    "tag",
    [
        "refresh.known",
        "refresh.accept",
        "refresh.masks",
        "refresh.mask-shares",
        "echo.digest",
        "refresh.authorise",
        "refresh.lock",
        "refresh.confirm",
        "refresh.ready",
    ],
)
async def test_wherever_a_hub_cuts_a_refresh_off_nodes_hold_one_next_epoch_or_nothing(
    committee: LocalCommittee, tag: str, silent: tuple[str, ...]
) -> None:
    made = await Creation.of(Owner(committee, user=f"cut-{tag}-{len(silent)}"))
    with contextlib.suppress(Abort):
        await made.refresh(made.change(made.spare), keep=dict.fromkeys(silent, (tag,)), deadline=0.3)
    await settled(committee)
    waiting = set()
    for node in committee.nodes.values():
        assert not is_kept(node, made.spare)
        epochs = node.vault.shares.epochs(made.record.key.hex())
        assert set(epochs) in ({0, 1}, set())
        assert not node.keybook.is_live(made.record.key)
        if epochs:
            waiting.add(node.keybook.staged(made.record.key, 1).statement)
    assert len(waiting) <= 1


async def test_a_failed_refresh_leaves_neither_spare_key_nor_share(committee: LocalCommittee) -> None:
    """The formed key had one way to become live; what stays would be one line more through it."""
    made = await Creation.of(Owner(committee, user="failed"))
    silence = dict.fromkeys(NODES, ("refresh.confirm",))
    with pytest.raises(Missing):
        await made.refresh(made.change(made.spare), keep=silence, deadline=0.5)
    await settled(committee)
    key = made.record.key.hex()
    for node in committee.nodes.values():
        assert node.vault.shares.epochs(key) == {}
        assert not is_kept(node, made.spare)
        assert not node.vault.data_keys.exists(f"epoch:{key}:0")


async def test_a_crash_after_the_lock_burns_the_spare_key_at_the_next_start(
    committee: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items may have left before it; the session is not taken up again."""
    monkeypatch.setattr(Run, "fail", lambda *_: None)  # the process is gone, nothing cleans up
    locked = await Creation.of(Owner(committee, user="crashed"))
    begun = await Creation.of(Owner(committee, user="not-locked"))
    with pytest.raises(Missing):
        await locked.refresh(
            locked.change(locked.spare), keep=dict.fromkeys(NODES, ("refresh.confirm",)), deadline=0.5
        )
    with pytest.raises(Missing):
        await begun.refresh(
            begun.change(begun.spare), keep=dict.fromkeys(NODES, ("refresh.authorise",)), deadline=0.5
        )
    await committee.stop("node3")
    committee.start("node3")
    assert not is_kept(committee.nodes["node3"], locked.spare)
    assert is_kept(committee.nodes["node3"], begun.spare)


async def test_keys_that_never_become_live_do_not_fill_a_node(committee: LocalCommittee, time: Time) -> None:
    owner = Owner(committee, user="flood")
    made = [await owner.form(keys=2) for _ in range(MAX_OPEN_KEYS_PER_ACCOUNT)]
    with pytest.raises(Abort, match="wait to be finished"):
        await owner.form()
    # the day after, the oldest give way, but only to one that needs their place
    first = made[0][1]
    time.now += OPEN_KEY_SECONDS + 1
    node = committee.nodes["node1"]
    assert node.keybook.staged(first.key, 0).record == first
    owner.token = committee.token(owner.user, owner.keys.public)
    node.keybook.check_room(owner.account, time.now)  # as for a proposal, which a stolen login may send
    assert node.keybook.staged(first.key, 0).record == first
    await owner.form()
    with pytest.raises(Refused):
        node.keybook.staged(first.key, 0)
    assert node.vault.shares.epochs(first.key.hex()) == {}
    assert not is_kept(node, made[0][0].spare[0].key_id)
    time.now = NOW


async def test_forming_and_failing_all_day_comes_to_an_end(
    committee: LocalCommittee, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is burned or locked is so for ever, and takes a little place each time."""
    monkeypatch.setattr(keybook_module, "MAX_FORMATIONS_PER_DAY", 3)
    owner = Owner(committee, user="all-day")
    for _ in range(3):
        made = await Creation.of(owner)
        with pytest.raises(Refused):
            await made.refresh(made.change(system_rng(32)))
        for node in committee.nodes.values():
            node.keybook.forget(owner.account, made.record.key)
    with pytest.raises(Abort, match="keys a day"):
        await owner.form()
    time.now = NOW + 86400
    owner.token = committee.token(owner.user, owner.keys.public)
    await owner.form()
    time.now = NOW


async def test_a_key_made_live_as_it_is_leaves_no_spare_key_behind(committee: LocalCommittee) -> None:
    owner = Owner(committee, user="spared")
    formed, _, signatures = await owner.form(keys=2)
    owner.make_live(formed, signatures)
    for node in committee.nodes.values():
        assert not is_kept(node, formed.spare[0].key_id)
