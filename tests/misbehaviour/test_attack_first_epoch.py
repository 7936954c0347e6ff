"""Attacks on how a formed key becomes live: two lines of one key, borrowed certificates, another's seat.

The attacker is the device that forms the key, the hub of its sessions, or a node of the committee.
"""

from __future__ import annotations

import pytest
from tests.support.creating import Creation, certificate, settled
from tests.support.owner import Backup, Owner

from quorate.account.requests import LiveRequest, Signatures
from quorate.errors import Abort, Missing, Refused
from quorate.node.keybook import KeyBook
from quorate.node.offers import refreshing
from quorate.sharing.statements import Prepared, to_sign
from quorate.testing.committee import LocalCommittee

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_formed_key_takes_one_request_however_many_spare_keys_its_owner_has(
    committee: LocalCommittee,
) -> None:
    """Otherwise the hub ends each of two requests at other nodes, and they stage two lines of one key."""
    owner = Owner(committee, user="two-lines")
    first, second = await Creation.of(owner), await Creation.of(owner)
    silence = {"node2": ("refresh.ready",), "node3": ("refresh.ready",)}
    with pytest.raises(Missing):
        await first.refresh(first.change(first.spare), keep=silence, deadline=0.5)
    await settled(committee)
    node = committee.nodes["node1"]
    assert node.keybook.staged(first.record.key, 1).record.epoch == 1

    other = Backup()
    change = first.change(second.spare, backup=other)
    with pytest.raises(Refused) as refused:
        await first.refresh(change, backup=other)
    assert refused.value.code in ("first-epoch", "nothing-staged")  # whoever answers first
    with pytest.raises(Refused) as refused:
        node.keybook.claim_first_epoch(first.record.key, change.core_hash)
    assert refused.value.code == "first-epoch"
    await settled(committee)


async def test_a_certificate_makes_only_that_live_which_this_node_has_signed(
    committee: LocalCommittee, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second guard, with the first away: node1 stages one line and is shown the other's certificate."""
    monkeypatch.setattr(KeyBook, "claim_first_epoch", lambda *_: None)
    monkeypatch.setattr(KeyBook, "forget", lambda *_: None)
    owner = Owner(committee, user="other-line")
    first, second = await Creation.of(owner), await Creation.of(owner)
    silence = {"node2": ("refresh.ready",), "node3": ("refresh.ready",)}
    with pytest.raises(Missing):
        await first.refresh(first.change(first.spare), keep=silence, deadline=0.5)
    await settled(committee)

    seen: list[Prepared] = []

    def noted(statement: Prepared) -> bytes:
        seen.append(statement)
        return to_sign(statement)

    monkeypatch.setattr(refreshing, "to_sign", noted)
    other = Backup()
    with pytest.raises(Abort):  # node1 has staged the first line; the others sign the second all the same
        await first.refresh(first.change(second.spare, backup=other), backup=other)
    await settled(committee)
    certified, signers = seen[0], ("node2", "node3")
    assert len(signers) == committee.quorums.ready
    for name in signers:
        assert committee.nodes[name].keybook.staged(first.record.key, 1).statement == to_sign(certified)

    signatures = [(name, committee.nodes[name].identity.sign(to_sign(certified))) for name in signers]
    wanted = LiveRequest(certified, Signatures(tuple(signatures)))
    owner.show(wanted, staged_at="node2")  # two nodes are enough to decide it and to act on it
    assert not committee.nodes["node1"].keybook.is_live(first.record.key)
    assert committee.nodes["node1"].register.service.head(owner.account) is not None
    for name in signers:
        assert committee.nodes[name].keybook.is_live(first.record.key)


async def test_of_a_plain_and_a_refreshed_first_epoch_one_becomes_live(committee: LocalCommittee) -> None:
    """KEY-FORMED is shown to a node whose refresh has begun, and the refresh asked of one that is live."""
    owner = Owner(committee, user="both-ways")
    made = await Creation.of(owner)
    outcomes, refreshed = await made.refresh(made.change(made.spare))
    formed = [
        (name, node.identity.sign(to_sign(made.formed.statement))) for name, node in committee.nodes.items()
    ]
    plain = LiveRequest(made.formed.statement, Signatures(tuple(formed)))
    with pytest.raises(Refused) as refused:
        owner.show(plain)
    assert refused.value.code == "first-epoch"
    owner.show(certificate(refreshed, outcomes))
    for node in committee.nodes.values():
        assert node.keybook.record(made.record.key).epoch == 1
    with pytest.raises(Refused):
        owner.show(plain)

    other = await Creation.of(owner)
    formed = [(n, x.identity.sign(to_sign(other.formed.statement))) for n, x in committee.nodes.items()]
    owner.show(LiveRequest(other.formed.statement, Signatures(tuple(formed))))
    with pytest.raises(Refused) as refused:
        await other.refresh(other.change(other.spare))
    assert refused.value.code == "live"


async def test_a_certificate_counts_nodes_and_not_signatures(committee: LocalCommittee) -> None:
    owner = Owner(committee, user="short")
    formed, _, signatures = await owner.form()
    twice = Signatures((("node1", signatures["node1"]), ("node1", signatures["node1"])))
    borrowed = Signatures((("node1", signatures["node1"]), ("node2", signatures["node1"])))
    stranger = Signatures((("node1", signatures["node1"]), ("node9", signatures["node2"])))
    for short in (twice, borrowed, stranger):
        with pytest.raises(Refused) as refused:
            owner.show(LiveRequest(formed.statement, short))
        assert refused.value.code == "evidence"


async def test_a_device_cannot_take_the_backups_seat_under_its_own_identity(
    committee: LocalCommittee,
) -> None:
    owner = Owner(committee, user="two-seats")
    made = await Creation.of(owner)
    change = made.change(made.spare, keys=owner.keys.public.to_bytes())
    with pytest.raises(Abort):
        await made.refresh(change, backup=Backup(keys=owner.keys))
    await settled(committee)
    with pytest.raises(Refused):
        committee.nodes["node1"].keybook.staged(made.record.key, 1)


async def test_a_kind_of_factor_nobody_knows_is_refused_before_anything_is_dealt(
    committee: LocalCommittee,
) -> None:
    made = await Creation.of(Owner(committee, user="kinds"))
    with pytest.raises(Refused) as refused:
        await made.refresh(made.change(made.spare, kind="oracle"))
    assert refused.value.code == "payload"
