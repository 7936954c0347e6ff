"""What waits for other nodes: in order, sealed, bounded for each peer, and part of the transaction that made
it."""

import pytest
from tests.unit.vault.conftest import OpenVault

from quorate.errors import AlreadyUsed, LimitExceeded, LocalError, ProofRejected
from quorate.vault import Vault, outbox
from quorate.vault.outbox import Depth, Pending
from quorate.vault.standing import StandingState

A, B = b"\xaa" * 32, b"\xbb" * 32


def waiting(vault: Vault, peer: str, after: int = -1, rows: int = 100, size: int = 1 << 20) -> list[bytes]:
    return [one.body for one in vault.outbox.pending(peer, after=after, rows=rows, size=size)]


def test_parcels_wait_in_order_across_a_restart_until_they_are_removed(
    vault: Vault, open_again: OpenVault
) -> None:
    numbers = [vault.outbox.put("n1", "topic", body, session=A) for body in (b"one", b"two", b"three")]
    vault.outbox.put("n2", "topic", b"for another")
    again = open_again()
    assert again.outbox.pending("n1", after=-1, rows=9, size=999) == [
        Pending(number, "topic", body)
        for number, body in zip(numbers, (b"one", b"two", b"three"), strict=True)
    ]
    again.outbox.remove("n1", [numbers[1], 999])
    again.outbox.remove("n1", [numbers[1]])
    assert waiting(again, "n1") == [b"one", b"three"]
    assert waiting(again, "n1", after=numbers[0]) == [b"three"]
    assert again.outbox.depth("n1") == Depth(2, 8)
    assert waiting(again, "n2") == [b"for another"]
    assert waiting(again, "nobody") == []


def test_numbers_are_never_given_out_twice(vault: Vault, open_again: OpenVault) -> None:
    first = vault.outbox.put("n1", "topic", b"one")
    vault.outbox.remove("n1", [first])
    second = open_again().outbox.put("n1", "topic", b"two")
    assert second > first


def test_a_parcel_is_there_exactly_if_its_transaction_is(vault: Vault) -> None:
    told: list[str] = []
    vault.outbox.after_put = told.append
    with pytest.raises(RuntimeError), vault.transaction():
        vault.outbox.put("n1", "topic", b"lost")
        raise RuntimeError
    assert waiting(vault, "n1") == []
    assert told == []
    with vault.transaction():
        vault.outbox.put("n1", "topic", b"kept")
        assert told == []
    assert waiting(vault, "n1") == [b"kept"]
    assert told == ["n1"]


def test_a_reader_takes_as_many_as_it_has_room_for_and_at_least_one(vault: Vault) -> None:
    for index in range(4):
        vault.outbox.put("n1", "topic", bytes([index]) * 100)
    assert len(waiting(vault, "n1", rows=3)) == 3
    assert len(waiting(vault, "n1", size=250)) == 2
    assert len(waiting(vault, "n1", size=1)) == 1


def test_the_outbox_of_a_peer_is_bounded_by_rows_and_by_bytes_and_no_other_peer_feels_it(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MAX_OUTBOX_ROWS", 3)
    for _ in range(3):
        assert vault.outbox.room("n1")
        vault.outbox.put("n1", "topic", b"x")
    assert not vault.outbox.room("n1")
    with pytest.raises(LimitExceeded, match="n1 is full"):
        vault.outbox.put("n1", "topic", b"x")
    vault.outbox.put("n2", "topic", b"x" * 10)
    monkeypatch.setattr(outbox, "MAX_OUTBOX_BYTES", 20)
    assert vault.outbox.room("n2", 10)
    assert not vault.outbox.room("n2", 11)
    with pytest.raises(LimitExceeded, match="n2 is full"):
        vault.outbox.put("n2", "topic", b"x" * 11)


def test_a_forgotten_session_leaves_nothing_that_opens(vault: Vault) -> None:
    vault.outbox.put("n1", "topic", b"of a", session=A)
    vault.outbox.put("n1", "topic", b"of b", session=B)
    vault.outbox.put("n2", "topic", b"of a", session=A)
    with vault.transaction() as tx:
        copied = tx.query("SELECT * FROM outbox WHERE session = ?", (A.hex(),))
    vault.outbox.forget(A)
    vault.outbox.forget(A)
    assert waiting(vault, "n1") == [b"of b"]
    assert vault.outbox.depth("n1") == Depth(1, 4)
    assert vault.outbox.depth("n2") == Depth(0, 0)
    assert not vault.data_keys.exists(f"outbox:{A.hex()}")
    assert vault.data_keys.exists(f"outbox:{B.hex()}")
    with vault.transaction() as tx:
        for row in copied:
            tx.execute("INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?)", row)
    with pytest.raises(LocalError, match="data key"):
        waiting(vault, "n1")


def test_a_parcel_moved_to_another_place_does_not_open(vault: Vault) -> None:
    vault.outbox.put("n1", "topic", b"for n1")
    vault.outbox.put("n2", "topic", b"for n2")
    with vault.transaction() as tx:
        ((body,),) = tx.query("SELECT body FROM outbox WHERE peer = 'n1'")
        tx.execute("UPDATE outbox SET body = ? WHERE peer = 'n2'", (body,))
    with pytest.raises(ProofRejected):
        waiting(vault, "n2")
    with vault.transaction() as tx:
        tx.execute("UPDATE outbox SET topic = 'other' WHERE peer = 'n1'")
    with pytest.raises(ProofRejected):
        waiting(vault, "n1")


def test_what_waits_for_a_node_that_left_is_dropped(vault: Vault) -> None:
    before = vault.outbox.put("n1", "topic", b"x")
    vault.outbox.drop_peer("n1")
    assert vault.outbox.depth("n1") == Depth(0, 0)
    assert vault.outbox.put("n1", "topic", b"y") > before


def test_a_restored_database_delivers_nothing_and_takes_up_no_session(vault: Vault) -> None:
    vault.outbox.put("n1", "topic", b"x", session=A)
    vault.outbox.put("n1", "topic", b"y")
    vault.standing.add(A, b"spec", now=1.0)
    with vault.transaction() as tx:
        vault._discard(tx)
    assert waiting(vault, "n1") == []
    assert vault.outbox.depth("n1") == Depth(0, 0)
    assert vault.standing.open() == []
    assert vault.standing.state(A) is StandingState.RETIRED


def test_a_session_is_begun_once_ends_once_and_is_remembered_for_ever(
    vault: Vault, open_again: OpenVault
) -> None:
    vault.standing.add(A, b"spec of a", now=1.0)
    vault.standing.add(B, b"spec of b", now=2.0)
    with pytest.raises(AlreadyUsed):
        vault.standing.add(A, b"spec of a", now=3.0)
    vault.standing.note_done(A, "n2")
    vault.standing.note_done(A, "n2")
    vault.standing.end(A, StandingState.CONCLUDED, now=4.0)
    with pytest.raises(LocalError, match="ends once"):
        vault.standing.end(A, StandingState.FAILED, now=5.0)
    second, first = open_again().standing.open()
    assert (first.session, first.state, first.spec, first.since) == (A, "concluded", b"spec of a", 4.0)
    assert first.done == {"n2"}
    assert (second.session, second.state, second.done) == (B, "running", frozenset())
    vault.standing.retire(A)
    assert [row.session for row in vault.standing.open()] == [B]
    assert vault.standing.state(A) is StandingState.RETIRED
    with pytest.raises(AlreadyUsed):
        vault.standing.add(A, b"spec of a", now=6.0)
