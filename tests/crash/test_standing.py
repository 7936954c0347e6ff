"""Kill a node before each durable step of a standing session, and start it again: it says nothing in two
ways.

In one process (`tests.support.killing`); the vault's own steps are killed for real in the second half.
"""
# ruff: noqa: F811 - fixtures are imported, and then named by tests

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.crash.test_vault import (  # noqa: F401 - the fixtures
    NewHouse,
    Release,
    crashes,
    new_house,
    on_both_engines,
    rooms,
)
from tests.support.killing import STEP, FragileCommittee
from tests.support.standing import Generating, StandingCommittee, batch_of, spec_of, until

from quorate.transport.links import dispatch as dispatch_module
from quorate.vault import Vault
from quorate.vault.standing import StandingState

VICTIM = "node2"
SESSION = b"\xaa" * 32


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_LATER_SECONDS", "MAX_PAUSE_SECONDS", "MAX_LATER_SECONDS"):
        monkeypatch.setattr(dispatch_module, name, 0.1)


def moments() -> Iterator[int]:
    """Close together at first, where a session begins; then a sample of all."""
    yield from range(1, 30, 4)
    yield from range(30, 400, 29)


async def test_a_node_dies_at_each_step_and_all_agree_and_nobody_was_told_two_things(tmp_path: Path) -> None:
    committee = FragileCommittee(tmp_path, 5, 2)
    table = StandingCommittee(committee)
    table.link()
    places = []
    for number, moment in enumerate(moments()):
        where = await dies_in_a_session(committee, table, number, moment)
        if not where:
            break
        places.append(where)
    assert len(places) > 8, places
    await committee.close()


async def dies_in_a_session(
    committee: FragileCommittee, table: StandingCommittee, number: int, moment: int
) -> str:
    spec = spec_of(committee, number)
    committee.arm(VICTIM, STEP, moment)
    await committee.nodes["node1"].standing.start(spec)
    others = [name for name in committee.names if name != VICTIM]  # looking at the victim would count, too
    await until(lambda: committee.lives[VICTIM].dead or table.retired(spec.id, *others))
    where = await committee.disarm(VICTIM)
    if where:
        table.start(VICTIM)
    await until(lambda: table.retired(spec.id))
    assert table.agreed(spec.id)
    assert table.deviations() == []
    return where


async def test_all_nodes_die_at_once_and_come_back(tmp_path: Path) -> None:
    committee = FragileCommittee(tmp_path, 5, 2)
    table = StandingCommittee(committee)
    table.link()
    spec = spec_of(committee)
    await committee.nodes["node1"].standing.start(spec)
    for _ in range(3):
        for name in committee.names:
            await committee.kill(name)
        for name in committee.names:
            table.start(name)
    await until(lambda: table.retired(spec.id))
    assert table.agreed(spec.id)
    assert table.deviations() == []
    await committee.close()


@pytest.mark.parametrize("moment", [5, 60, 150, 240])
async def test_a_node_dies_in_a_key_generation_and_all_five_agree_on_every_key(
    tmp_path: Path, moment: int
) -> None:
    committee = FragileCommittee(tmp_path, 5, 2)
    table = StandingCommittee(committee, protocol=Generating)
    table.link()
    spec = batch_of(committee, 20)
    committee.arm(VICTIM, STEP, moment)
    await committee.nodes["node1"].standing.start(spec)
    await until(lambda: committee.lives[VICTIM].dead, 60)
    assert await committee.disarm(VICTIM)
    table.start(VICTIM)
    await until(lambda: table.retired(spec.id), 60)
    results = table.results(spec.id)
    assert len(results["node1"]) == 20
    assert all(result == results["node1"] for result in results.values())
    assert table.deviations() == []
    await committee.close()


@on_both_engines
def test_an_event_is_there_with_all_that_it_sends_or_not_at_all(new_house: NewHouse) -> None:
    def prepare(vault: Vault) -> None:
        vault.standing.add(SESSION, b"spec", now=1.0)
        vault.journal.begin(SESSION, b"seed")

    def work(vault: Vault, release: Release) -> None:
        with vault.transaction():
            vault.journal.append(SESSION, b"heard", (b"said",))
            vault.outbox.put("n2", "topic", b"said", session=SESSION)
            vault.outbox.put("n3", "topic", b"said", session=SESSION)
            vault.standing.end(SESSION, StandingState.CONCLUDED, now=2.0)
        release(b"acknowledged")

    seen = set()
    for vault, released in crashes(new_house, work, prepare=prepare):
        found = vault.journal.load(SESSION)
        assert found is not None
        waiting = [vault.outbox.pending(peer, after=-1, rows=9, size=99) for peer in ("n2", "n3")]
        whole = bool(found[1])
        seen.add(whole)
        assert [len(parcels) for parcels in waiting] == [int(whole)] * 2
        assert [vault.outbox.depth(peer).rows for peer in ("n2", "n3")] == [int(whole)] * 2
        assert (vault.standing.state(SESSION) is StandingState.CONCLUDED) is whole
        assert whole or not released
    assert seen == {True, False}


@on_both_engines
def test_a_retired_session_is_gone_whole_and_its_keys_are_destroyed(new_house: NewHouse) -> None:
    def prepare(vault: Vault) -> None:
        vault.standing.add(SESSION, b"spec", now=1.0)
        vault.journal.begin(SESSION, b"seed")
        vault.outbox.put("n2", "topic", b"said", session=SESSION)

    def work(vault: Vault, release: Release) -> None:
        with vault.transaction():
            vault.journal.end(SESSION)
            vault.outbox.forget(SESSION)
            vault.standing.retire(SESSION)
        release(b"retired")

    seen = set()
    for vault, released in crashes(new_house, work, prepare=prepare):
        gone = vault.standing.state(SESSION) is StandingState.RETIRED
        seen.add(gone)
        assert gone or not released
        assert (vault.journal.load(SESSION) is None) is gone
        assert (vault.outbox.pending("n2", after=-1, rows=9, size=99) == []) is gone
        for scope in (f"journal:{SESSION.hex()}", f"outbox:{SESSION.hex()}"):
            assert vault.data_keys.exists(scope) is not gone
    assert seen == {True, False}
