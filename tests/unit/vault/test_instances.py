"""OT instances: counted, frozen on failure, and left only through a fresh one."""

import pytest
from tests.unit.vault.conftest import KEY, NOW, SIGNERS, OpenVault, put_presignature

from quorate.errors import AlreadyUsed, LimitExceeded, LocalError, ProofRejected, Remedy, Unavailable
from quorate.vault import Vault
from quorate.vault.instances import (
    FAILURE_WINDOW_SECONDS,
    FAILURES_BEFORE_SUSPENSION,
    MAX_AGE_SECONDS,
    MAX_SESSIONS,
    MAX_UNVERIFIED,
    Direction,
    InstanceState,
)

SENDER, RECEIVER = Direction.SENDER, Direction.RECEIVER


def store(vault: Vault, generation: int = 1, *, peer: str = "n2", shard: int = 7, now: float = NOW) -> None:
    for direction in Direction:
        vault.instances.store(
            peer, shard, direction, generation, f"{direction} {generation}".encode(), now=now
        )


def test_an_instance_comes_back_after_a_restart(vault: Vault, open_again: OpenVault) -> None:
    store(vault)
    for reader in (vault, open_again()):
        loaded = reader.instances.load("n2", 7, SENDER)
        assert loaded.value.reveal() == b"sender 1"
        assert (loaded.generation, loaded.unverified, loaded.sessions, loaded.born) == (1, 0, 0, NOW)
        assert reader.instances.load("n2", 7, RECEIVER).value.reveal() == b"receiver 1"
        assert "sender 1" not in repr(loaded)


def test_there_is_none_until_one_is_set_up(vault: Vault) -> None:
    with pytest.raises(Unavailable, match="set one up") as caught:
        vault.instances.load("n2", 7, SENDER)
    assert caught.value.remedy is Remedy.RETRY
    assert vault.instances.newest_generation("n2", 7, SENDER) == 0


def test_a_fresh_one_replaces_and_erases_its_predecessor(vault: Vault) -> None:
    store(vault, 1)
    store(vault, 2)
    assert vault.instances.load("n2", 7, SENDER).value.reveal() == b"sender 2"
    assert not vault.data_keys.exists("ot:n2:7:sender:1")
    with pytest.raises(Unavailable, match="replaced meanwhile"):
        vault.instances.begin_session("n2", 7, SENDER, 1)
    for generation in (1, 2):
        with pytest.raises(AlreadyUsed):
            vault.instances.store("n2", 7, SENDER, generation, b"again", now=NOW)


def test_instances_of_other_shards_peers_and_directions_are_other_instances(vault: Vault) -> None:
    store(vault, 1, shard=7)
    store(vault, 5, shard=8)
    store(vault, 9, peer="n3", shard=7)
    generations = {
        (status.peer, status.shard, status.direction): status.generation
        for status in vault.instances.statuses()
    }
    assert generations == {
        ("n2", 7, SENDER): 1,
        ("n2", 7, RECEIVER): 1,
        ("n2", 8, SENDER): 5,
        ("n2", 8, RECEIVER): 5,
        ("n3", 7, SENDER): 9,
        ("n3", 7, RECEIVER): 9,
    }
    assert {status.peer for status in vault.instances.statuses("n3")} == {"n3"}


def test_messages_without_a_verdict_are_counted_across_restarts_and_limited(
    vault: Vault, open_again: OpenVault
) -> None:
    store(vault)
    for _ in range(MAX_UNVERIFIED):
        vault.instances.begin_session("n2", 7, SENDER, 1)
    again = open_again()
    with pytest.raises(LimitExceeded, match="wait for their check"):
        again.instances.begin_session("n2", 7, SENDER, 1)
    again.instances.begin_session("n2", 7, RECEIVER, 1)
    again.instances.end_session("n2", 7, SENDER, 1)
    again.instances.begin_session("n2", 7, SENDER, 1)
    assert again.instances.load("n2", 7, SENDER).sessions == MAX_UNVERIFIED + 1


def test_a_verdict_is_counted_once_and_only_for_its_instance(vault: Vault) -> None:
    store(vault, 1)
    vault.instances.begin_session("n2", 7, SENDER, 1)
    store(vault, 2)
    vault.instances.begin_session("n2", 7, SENDER, 2)
    vault.instances.end_session("n2", 7, SENDER, 1)
    assert vault.instances.load("n2", 7, SENDER).unverified == 1
    for _ in range(3):
        vault.instances.end_session("n2", 7, SENDER, 2)
    assert vault.instances.load("n2", 7, SENDER).unverified == 0


def test_an_instance_serves_a_limited_number_of_sessions(vault: Vault) -> None:
    store(vault)
    with vault.transaction() as tx:
        tx.execute("UPDATE instances SET sessions = ?", (MAX_SESSIONS - 1,))
    vault.instances.begin_session("n2", 7, SENDER, 1)
    vault.instances.end_session("n2", 7, SENDER, 1)
    with pytest.raises(LimitExceeded, match="sessions"):
        vault.instances.begin_session("n2", 7, SENDER, 1)
    assert [status.direction for status in vault.instances.due(NOW)] == [SENDER]


def test_instances_fall_due_by_age_and_by_open_messages(vault: Vault) -> None:
    store(vault)
    store(vault, shard=8, now=NOW + 60)
    assert vault.instances.due(NOW + MAX_AGE_SECONDS - 1) == []
    assert {status.shard for status in vault.instances.due(NOW + MAX_AGE_SECONDS)} == {7}
    for _ in range(MAX_UNVERIFIED):
        vault.instances.begin_session("n2", 8, RECEIVER, 1)
    assert [status.shard for status in vault.instances.due(NOW + 60)] == [8]


def test_a_quarantine_freezes_both_directions_and_survives_a_restart(
    vault: Vault, open_again: OpenVault
) -> None:
    store(vault)
    store(vault, shard=8)
    assert not vault.instances.quarantine("n2", 7, "consistency check failed", now=NOW)
    for reader in (vault, open_again()):
        for direction in Direction:
            with pytest.raises(Unavailable, match="consistency check failed") as caught:
                reader.instances.load("n2", 7, direction)
            assert caught.value.remedy is Remedy.QUARANTINE
            with pytest.raises(Unavailable):
                reader.instances.begin_session("n2", 7, direction, 1)
            assert not reader.data_keys.exists(f"ot:n2:7:{direction}:1")
        reader.instances.load("n2", 8, SENDER)


def test_a_quarantine_destroys_the_presignatures_of_that_pair_only(vault: Vault) -> None:
    hit, other_shard, other_peer = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32
    put_presignature(vault, hit, pairs={"device": 0, "n2": 7})
    put_presignature(vault, other_shard, pairs={"device": 0, "n2": 8})
    put_presignature(vault, other_peer, pairs={"device": 0, "n3": 7})
    vault.instances.quarantine("n2", 7, "check", now=NOW)
    assert vault.presignatures.ready(KEY, 1, SIGNERS, NOW) == [other_shard, other_peer]
    with vault.transaction() as tx:
        assert tx.query("SELECT body FROM presignatures WHERE id = ?", (hit.hex(),)) == [(None,)]


def test_quarantine_is_left_only_by_a_fresh_instance_of_a_higher_generation(vault: Vault) -> None:
    store(vault, 3)
    vault.instances.quarantine("n2", 7, "check", now=NOW)
    for generation in (1, 3):
        with pytest.raises(AlreadyUsed):
            vault.instances.store("n2", 7, SENDER, generation, b"the old one again", now=NOW)
    vault.instances.store("n2", 7, SENDER, 4, b"fresh", now=NOW)
    assert vault.instances.load("n2", 7, SENDER).value.reveal() == b"fresh"
    with pytest.raises(Unavailable):
        vault.instances.load("n2", 7, RECEIVER)


def test_three_failures_in_a_day_suspend_the_pair_for_operators(vault: Vault, open_again: OpenVault) -> None:
    put_presignature(vault, b"\x01" * 32, pairs={"n2": 9})
    store(vault, 1, shard=9)
    for number in range(FAILURES_BEFORE_SUSPENSION):
        store(vault, number + 1)
        last = number == FAILURES_BEFORE_SUSPENSION - 1
        assert vault.instances.quarantine("n2", 7, f"failure {number}", now=NOW + number) is last
    for reader in (vault, open_again()):
        assert reader.instances.suspension("n2") == "failure 2"
        with pytest.raises(Unavailable, match="operator") as caught:
            reader.instances.load("n2", 9, SENDER)
        assert caught.value.remedy is Remedy.ASK
        with pytest.raises(Unavailable, match="operator"):
            store(reader, 10)
        assert reader.presignatures.ready(KEY, 1, SIGNERS, NOW) == []
    assert {status.state for status in vault.instances.statuses("n2")} == {InstanceState.QUARANTINED}
    vault.instances.reinstate("n2")
    assert vault.instances.suspension("n2") is None
    with pytest.raises(Unavailable, match="quarantine"):
        vault.instances.load("n2", 9, SENDER)
    store(vault, 10)
    assert not vault.instances.quarantine("n2", 7, "again", now=NOW + 10)


def test_failures_far_apart_of_others_or_without_a_leak_do_not_suspend(vault: Vault) -> None:
    for number in range(FAILURES_BEFORE_SUSPENSION + 1):
        at = NOW + number * FAILURE_WINDOW_SECONDS / (FAILURES_BEFORE_SUSPENSION - 1)
        assert not vault.instances.quarantine("n2", 7, "now and then", now=at)
        assert not vault.instances.quarantine("n3", 7, "deviation, no leak", now=NOW, leak_bearing=False)
        assert not vault.instances.quarantine(f"m{number}", 7, "somebody else", now=NOW)


def test_a_quarantine_is_durable_on_return_and_so_refuses_a_larger_transaction(vault: Vault) -> None:
    with pytest.raises(LocalError, match="larger transaction"), vault.transaction():
        vault.instances.quarantine("n2", 7, "check", now=NOW)


def test_an_instance_put_back_under_another_generation_does_not_open(vault: Vault) -> None:
    store(vault, 1)
    with vault.transaction() as tx:
        row = tx.query_one("SELECT body FROM instances WHERE direction = 'sender'")
        assert row is not None
    store(vault, 2)
    with vault.transaction() as tx:
        tx.execute("UPDATE instances SET body = ? WHERE direction = 'sender' AND generation = 2", (row[0],))
    with pytest.raises(ProofRejected):
        vault.instances.load("n2", 7, SENDER)


def test_a_session_that_loaded_an_instance_learns_that_it_was_frozen(
    vault: Vault, open_again: OpenVault
) -> None:
    store(vault, 1)
    vault.instances.refuse_frozen("n2", 7, SENDER, 1)
    vault.instances.quarantine("n2", 7, "check", now=NOW)
    store(vault, 2)
    for reader in (vault, open_again()):
        with pytest.raises(Unavailable, match="quarantine"):
            reader.instances.refuse_frozen("n2", 7, SENDER, 1)
        reader.instances.refuse_frozen("n2", 7, SENDER, 2)


def test_a_session_on_a_replaced_instance_may_finish_unless_the_pair_is_suspended(vault: Vault) -> None:
    store(vault, 1)
    store(vault, 2)
    vault.instances.refuse_frozen("n2", 7, SENDER, 1)
    for number in range(FAILURES_BEFORE_SUSPENSION):
        vault.instances.quarantine("n2", 9, "check", now=NOW + number)
    with pytest.raises(Unavailable, match="suspended"):
        vault.instances.refuse_frozen("n2", 7, SENDER, 1)


def test_what_the_other_end_has_lost_is_given_up_without_a_quarantine(vault: Vault) -> None:
    store(vault, 1)
    store(vault, 2)
    vault.instances.retire("n2", 7, SENDER, 1, "an older one")
    vault.instances.load("n2", 7, SENDER)
    put_presignature(vault, b"\x01" * 32, pairs={"n2": 7})
    vault.instances.retire("n2", 7, SENDER, 2, "the other end holds another")
    with pytest.raises(Unavailable) as gone:
        vault.instances.load("n2", 7, SENDER)
    assert gone.value.remedy is Remedy.RETRY
    assert vault.presignatures.ready(KEY, 1, SIGNERS, NOW) == [b"\x01" * 32]
    store(vault, 3)


def test_a_quarantine_is_left_by_a_login_younger_than_it_and_than_the_one_in_use(
    vault: Vault, open_again: OpenVault
) -> None:
    store(vault)
    moment, ahead = int(NOW), int(NOW) + 50
    assert vault.instances.is_open_to("n2", 7, SENDER, 0)
    vault.instances.quarantine("n2", 7, "a check failed", now=NOW)
    for reader in (vault, open_again()):
        assert not reader.instances.is_open_to("n2", 7, SENDER, moment)
        assert reader.instances.is_open_to("n2", 7, SENDER, moment + 1)
    store(vault, 2)
    assert vault.instances.is_open_to("n2", 7, SENDER, 0)
    vault.instances.quarantine("n2", 7, "another", now=NOW, login=ahead)
    assert not vault.instances.is_open_to("n2", 7, SENDER, ahead)
    assert vault.instances.is_open_to("n2", 7, SENDER, ahead + 1)


def test_uses_are_counted_while_their_checks_run_and_only_then(vault: Vault) -> None:
    store(vault)
    uses = [("n2", 7, SENDER, 1), ("n2", 7, RECEIVER, 1)]

    def outstanding() -> list[int]:
        return [vault.instances.load("n2", 7, direction).unverified for direction in (SENDER, RECEIVER)]

    with vault.instances.checking(uses):
        assert outstanding() == [1, 1]
    assert outstanding() == [0, 0]
    with pytest.raises(Unavailable, match="mine"), vault.instances.checking(uses):
        raise Unavailable("mine")
    assert outstanding() == [0, 0]


def test_of_uses_that_cannot_all_be_counted_none_is(vault: Vault) -> None:
    store(vault)
    uses = [("n2", 7, SENDER, 1), ("n2", 7, RECEIVER, 9)]
    with pytest.raises(Unavailable, match="replaced meanwhile"), vault.instances.checking(uses):
        pytest.fail("the checks ran uncounted")
    assert vault.instances.load("n2", 7, SENDER).unverified == 0


def test_a_use_that_dies_with_the_process_stays_counted(vault: Vault, open_again: OpenVault) -> None:
    store(vault)
    with pytest.raises(KeyboardInterrupt), vault.instances.checking([("n2", 7, SENDER, 1)]):
        raise KeyboardInterrupt
    assert open_again().instances.load("n2", 7, SENDER).unverified == 1
